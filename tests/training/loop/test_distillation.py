"""A student learns what its teachers answer, is the same run when it was cut, and never looks at their validation."""

import signal

import numpy as np
import pytest
from PIL import Image

from segcore.config import DistillationConfig, PredictConfig
from segcore.data.dataset.dataset import POOL, Dataset
from segcore.data.dataset.writing import write_dataset
from segcore.data.formats.pool import add_to_pool, remove_from_pool
from segcore.errors import SegcoreError
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue.stopping import Stopped
from segcore.training.inference.predict import predict
from segcore.training.loop.learner import Learner
from segcore.training.loop.train import train
from tests.training.conftest import LABELS, make_sample

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="session")
def teachers(new_run, dataset):
    """Two short runs that predicted their training split, and nothing else."""
    runs = []
    for seed in (1, 2):
        run = new_run(f"teacher-{seed}", {"seed": seed}, epochs=6)
        train(run, dataset)
        config = PredictConfig("shapes", run.id, "train", batch_size=4, device="cpu")
        folder = RunFolder.create(run.folder.parent, f"{run.id}--train", config)
        predict(folder, run, dataset)
        runs.append(run.id)
    return tuple(runs)


def student_of(teachers, **words):
    return {"distillation": DistillationConfig(teachers, **words), "seed": 9}


def test_a_student_of_teachers_alone_learns_the_classes(new_run, dataset, teachers):
    config = student_of(teachers, label_weight=0.0)
    run = new_run("student-alone", config, epochs=12, augmentation="none")
    train(run, dataset)
    records = run.metrics()
    assert records[-1]["loss"] < 0.7 * records[0]["loss"]
    assert run.status().mean_iou > 0.6 and run.model_path.is_file()


def test_a_cut_student_is_the_same_run_and_validation_asks_no_teacher(
    new_run, dataset, teachers, monkeypatch
):
    config, recipe = (
        student_of(teachers),
        {"epochs": 2, "cut_mix": 0.5, "class_weights": "inverse_root"},
    )
    whole = new_run("student-whole", config, **recipe)
    seen, validate = [], Learner.validate

    def note(self, batch):
        seen.append(batch.masks.ndim)
        return validate(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "validate", note)
        train(whole, dataset)
    # Teachers predicted the training split alone; validation batches hold labels alone.
    assert set(seen) == {3} and np.isfinite(whole.metrics()[0]["val_loss"])
    cut = new_run("student-cut", config, **recipe)
    steps, step = [], Learner.train

    def stop_after_two(self, batch, rate):
        steps.append(batch.masks.shape)
        if len(steps) == 2:
            signal.getsignal(signal.SIGTERM)(signal.SIGTERM, None)  # as the signal would
        return step(self, batch, rate)

    monkeypatch.setattr(Learner, "train", stop_after_two)
    with pytest.raises(Stopped):
        train(cut, dataset)
    monkeypatch.undo()
    cut.write_status(state="queued")
    assert set(steps) == {(4, 32, 64, 4)}
    train(cut, dataset)
    for mine, theirs in zip(cut.metrics(), whole.metrics(), strict=True):
        assert mine["loss"] == theirs["loss"] and mine["val_mean_iou"] == theirs["val_mean_iou"]


def test_a_student_without_its_teachers_answers_says_what_is_missing(new_run, dataset, teachers):
    run = new_run("student-missing", student_of((*teachers, "whoever")))
    with pytest.raises(SegcoreError, match="probabilities of the teacher 'whoever'"):
        train(run, dataset)
    assert not run.model_path.exists()


@pytest.fixture(scope="session")
def waiting(workspace, tmp_path_factory):
    """A dataset whose one labelled image is all ground, eight that wait for a mask, and a teacher."""
    rng = np.random.default_rng(8)
    bare = make_sample("bare", "train", rng)
    bare.mask[bare.mask != LABELS.ignore_index] = 0
    scored = [make_sample(f"scored {i}", "validation", rng) for i in range(4)]
    hidden = [make_sample(f"hidden {i}", POOL, rng) for i in range(8)]
    dataset = write_dataset(workspace / "datasets" / "waiting", "waiting", LABELS, [bare, *scored])
    images = tmp_path_factory.mktemp("images")
    for sample in hidden:
        Image.fromarray(sample.image).save(images / f"{sample.id}.png")
    add_to_pool(dataset.folder, images)
    for split, samples in (("train", [bare]), (POOL, hidden)):
        config = PredictConfig("waiting", "knows", split)
        folder = RunFolder.create(workspace / "runs", f"knows--{split}", config)
        for sample in samples:
            sure = np.where(sample.mask == LABELS.ignore_index, 0, sample.mask)
            answer = 0.05 + 0.85 * np.eye(3, dtype=np.float32)[sure]
            folder.write_probabilities(split, sample.id, answer, sample.mask.shape)
    return Dataset.open(dataset.folder)


def waiting_student(**words):
    distillation = DistillationConfig(("knows",), unlabelled=True, **words)
    return {"dataset": "waiting", "distillation": distillation, "seed": 9}


def test_classes_without_a_label_are_learned_from_unlabelled_images(new_run, waiting):
    """Roof and water stand in no mask: who knows the ground alone scores a third at most."""
    run = new_run("student-waiting", waiting_student(), epochs=6, augmentation="none")
    train(run, waiting)
    assert run.status().mean_iou > 0.45


def test_a_student_continues_with_the_unlabelled_images_it_began_with(
    new_run, waiting, monkeypatch
):
    run = new_run("student-pool", waiting_student(), epochs=1)
    labelled, step = [], Learner.train

    def stop_in_the_end(self, batch, rate):
        labelled.extend((batch.masks[..., 0] != LABELS.ignore_index).any((1, 2))[: batch.count])
        assert batch.masks[..., 1:].any((1, 2, 3)).all()
        if len(labelled) == 9:
            signal.getsignal(signal.SIGTERM)(signal.SIGTERM, None)  # as the signal would
        return step(self, batch, rate)

    monkeypatch.setattr(Learner, "train", stop_in_the_end)
    with pytest.raises(Stopped):
        train(run, waiting)
    assert sorted(labelled) == [False] * 8 + [True]
    monkeypatch.undo()
    run.write_status(state="queued")
    remove_from_pool(waiting.folder, ["hidden 7"])
    with pytest.raises(SegcoreError, match="received one that has changed since"):
        train(run, Dataset.open(waiting.folder))


def test_a_student_without_labels_and_teachers_is_refused():
    with pytest.raises(SegcoreError, match="label weight below 1 with unlabelled images"):
        DistillationConfig(("knows",), 1.0, True)
