"""A training run learns, writes what it promises, and is the same run whether or not it was cut."""

import json
import shutil
import signal

import keras
import numpy as np
import pytest

from segcore.data.balance.planner import BalanceGoal, plan_balance
from segcore.data.dataset.dataset import Dataset
from segcore.data.files.images import encode_png
from segcore.errors import SegcoreError
from segcore.labels import LabelMap
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue.stopping import Stopped
from segcore.training.inference.predictor import Predictor
from segcore.training.input import reader
from segcore.training.input.pipeline import SampleReader, ordered_batches, with_masks
from segcore.training.loop.learner import Learner
from segcore.training.loop.progress import epoch_line
from segcore.training.loop.train import train

pytestmark = pytest.mark.tensorflow

RECORD = {
    "epoch",
    "loss",
    "mean_iou",
    "val_loss",
    "val_mean_iou",
    "learning_rate",
    "seconds",
    "images_per_second",
    "class_iou",
}


def variables(run):
    with np.load(run.checkpoints / "last.npz") as arrays:
        return {name: arrays[name] for name in arrays.files if name != "meta"}


def history(run):
    return [
        {k: v for k, v in record.items() if k not in ("seconds", "images_per_second")}
        for record in run.metrics()
    ]


def assert_same(run, other):
    assert history(run) == history(other)
    for name, value in variables(other).items():
        np.testing.assert_array_equal(variables(run)[name], value)
    for mine, theirs in zip(
        *(keras.models.load_model(r.model_path).get_weights() for r in (run, other)), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_it_learns(new_run, dataset):
    run = new_run("learns", epochs=12, augmentation="none")
    train(run, dataset)
    records = run.metrics()
    assert records[-1]["loss"] < 0.7 * records[0]["loss"]
    assert run.status().mean_iou == pytest.approx(max(r["val_mean_iou"] for r in records))
    assert run.status().mean_iou > 0.6


def test_every_epoch_leaves_one_whole_record(whole):
    records = whole.metrics()
    assert [r["epoch"] for r in records] == [1, 2, 3]
    for record in records:
        assert set(record) == RECORD
        assert len(record["class_iou"]) == 3 and all(
            v is None or 0 <= v <= 1 for v in record["class_iou"]
        )
        known = [v for v in record["class_iou"] if v is not None]
        assert record["val_mean_iou"] == pytest.approx(np.mean(known))
    status = whole.status()
    assert (status.epoch, status.epochs, status.progress) == (3, 3, 1.0)
    assert "Building the graph" not in status.message and status.heartbeat is not None
    assert json.loads((whole.folder / "labels.json").read_text())["label_map"] is None


def test_the_kept_network_has_the_best_score(whole, dataset):
    """model.keras, loaded alone, gives the best validation score that the history tells."""
    predictor = Predictor(whole.model_path, 4)
    reader = SampleReader(dataset, predictor.size)
    confusion = np.zeros((3, 3), np.int64)
    for batch in ordered_batches(reader, with_masks(dataset, "validation"), 4):
        predicted = predictor(batch.images).argmax(-1)
        valid = batch.masks != 255
        np.add.at(confusion, (batch.masks[valid], predicted[valid]), 1)
    hit = np.diag(confusion)
    mean_iou = np.nanmean(hit / (confusion.sum(0) + confusion.sum(1) - hit))
    assert mean_iou == pytest.approx(max(r["val_mean_iou"] for r in whole.metrics()), rel=1e-6)


def test_an_epoch_without_a_step_names_no_throughput():
    """A resumed run may only have to validate: no step was timed, and the log says no "nan"."""
    record = {"epoch": 2, "loss": 0.5, "mean_iou": 0.25, "seconds": 3.0, "images_per_second": None}
    assert epoch_line(record, 4) == "Epoch 2 of 4: loss 0.5000, mean_iou 0.2500; 3.0 s"
    timed = epoch_line(record | {"images_per_second": 12.0}, 4)
    assert timed.endswith("; 3.0 s, 12.00 images/s")


@pytest.mark.slow
def test_a_run_cut_three_times_ends_as_one_that_was_not(whole, new_run, dataset, monkeypatch):
    """Stopped in a training step, then in validation, then killed before the history is written."""
    run = new_run("cut", epochs=3, average=0.8)

    def cut(method, at, kill=False):
        original, calls = getattr(Learner, method), []

        def call(*arguments):
            calls.append(1)
            if len(calls) == at and kill:
                raise KeyboardInterrupt  # nothing of ours runs after it, as after SIGKILL
            if len(calls) == at:
                signal.getsignal(signal.SIGTERM)(signal.SIGTERM, None)  # as the signal would
            return original(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(Learner, method, call)
            with pytest.raises(KeyboardInterrupt if kill else Stopped):
                train(run, dataset)
        run.write_status(state="queued")

    cut("train", 2)  # of three steps an epoch
    assert (run.metrics(), run.status().epoch) == ([], 0)
    cut("validate", 1)  # of two batches
    assert run.metrics() == []
    cut(
        "train", 5, kill=True
    )  # the rest of the first epoch is validation only, so this is in the third
    assert len(run.metrics()) == 2
    (run.folder / "metrics.jsonl").write_text("")
    train(run, dataset)
    assert_same(run, whole)


@pytest.fixture
def scripted(monkeypatch):
    """A learner that computes nothing: each validation scores the next number of a list."""

    def script(*scores, on_train=lambda: None):
        rest = iter(scores)

        def train_step(self, batch, rate):
            on_train()
            return np.float32(1), np.eye(3, dtype=np.int32)

        def validate(self, batch):
            hit = round(
                1000 * next(rest)
            )  # two classes of 1000 pixels, hits and swaps: IoU = hit / (2000 - hit)
            return np.float32(1), np.array(
                [[hit, 1000 - hit, 0], [1000 - hit, hit, 0], [0, 0, 0]], np.int32
            )

        monkeypatch.setattr(Learner, "train", train_step)
        monkeypatch.setattr(Learner, "validate", validate)

    return script


def test_a_stop_written_to_the_status_is_heard(new_run, dataset, scripted):
    run = new_run("stopped", epochs=50)
    scripted(*[0.5] * 100, on_train=lambda: run.write_status(state="stopping"))
    with pytest.raises(Stopped):
        train(run, dataset)
    assert run.status().state == "stopping" and (run.checkpoints / "last.npz").is_file()


def test_training_stops_early_and_keeps_the_best(new_run, dataset, scripted):
    run = new_run("early", epochs=30, patience=3, batch_size=16, schedule="plateau")
    scripted(0.2, 0.5, 0.4, 0.6, 0.5, 0.5, 0.59, 0.9)
    train(run, dataset)
    records = run.metrics()
    assert [r["val_mean_iou"] for r in records] == pytest.approx(
        [s / (2 - s) for s in (0.2, 0.5, 0.4, 0.6, 0.5, 0.5, 0.59)]
    )
    assert run.status().mean_iou == pytest.approx(0.6 / 1.4)
    rates = [r["learning_rate"] for r in records]
    assert (
        rates[:6] == [0.01] * 6 and rates[6] == 0.005
    )  # two epochs after the best, the rate is halved
    (run.folder / "status.json").write_text('{"state": "fini', "utf-8")
    train(run, dataset)  # nothing is left to train: the best epoch is known from the checkpoint
    assert run.status().mean_iou == pytest.approx(0.6 / 1.4) and len(run.metrics()) == 7


def test_other_recipes_and_a_label_map(new_run, dataset):
    """One epoch of what the other tests do not use."""
    dataset.save_label_map(LabelMap.merging(3, [(0, 1)], "land"))
    run = new_run(
        "recipes",
        {"validation_split": "", "label_map": "land"},
        epochs=1,
        optimizer="sgd",
        schedule="cosine",
        class_weights="median_frequency",
        clip_norm=1.0,
        warmup_epochs=0.5,
        precision="mixed_bfloat16",
        loss="soft_jaccard + 0.5*boundary",
        batch_size=16,
    )
    try:
        train(run, dataset)
    finally:
        keras.config.set_dtype_policy("float32")
    (record,) = run.metrics()
    assert set(record) == RECORD - {"val_loss", "val_mean_iou"}
    assert record["learning_rate"] == 0  # the only step is the first of the warm-up
    assert len(record["class_iou"]) == 2
    labels = run.read_json("labels")
    assert [c["name"] for c in labels["label_set"]["classes"]] == ["ground + roof", "water"]
    assert labels["label_map"]["groups"] == [[0, 1], [2]]


def test_mistakes_are_sentences(new_run, dataset, new_prediction, whole, monkeypatch):
    with (
        monkeypatch.context() as patch,
        pytest.raises(SegcoreError, match=r"finite loss.*lower the learning rate"),
    ):
        patch.setattr(
            Learner, "train", lambda *arguments: (np.float32("nan"), np.zeros((3, 3), np.int32))
        )
        train(new_run("nan"), dataset)
    with pytest.raises(SegcoreError, match="split"):
        train(new_run("split", {"train_split": "trian"}), dataset)
    with pytest.raises(SegcoreError, match="gpu:0"):
        train(new_run("device", {"device": "gpu:0"}), dataset)
    with pytest.raises(SegcoreError, match="mixed_float16"):
        train(new_run("half", precision="mixed_float16"), dataset)
    with pytest.raises(SegcoreError, match="training run"):
        train(new_prediction(whole, "validation"), dataset)


def test_a_changed_data_set_or_a_damaged_checkpoint_is_not_resumed(whole, dataset):
    run = RunFolder(shutil.copytree(whole.folder, whole.folder.with_name("changed")))
    other = dataset.with_splits({s.id: s.split for s in dataset.samples[1:]})
    with pytest.raises(SegcoreError, match="has changed since"):
        train(run, other)
    file = run.checkpoints / "last.npz"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(SegcoreError, match="sound checkpoint"):
        train(run, dataset)


def test_a_data_set_that_is_swapped_during_a_run_ends_it(
    new_run, dataset, scripted, monkeypatch, tmp_path
):
    """Same name, same ids, same sizes, other masks: nothing is learnt from a mixture of two."""
    kept = Dataset.open(shutil.copytree(dataset.folder, tmp_path / "shapes"))
    monkeypatch.setattr(reader, "CACHE_BYTES", 0)
    epochs, run = [], new_run("swapped", epochs=9, batch_size=16)

    def swap():
        epochs.append(1)
        if len(epochs) == 2:
            first, *_, last = kept.select("train")
            a, b = kept.mask_path(first), kept.mask_path(last)
            a.write_bytes(encode_png(np.zeros_like(kept.read_mask(first))))
            b.write_bytes(encode_png(np.zeros_like(kept.read_mask(last))))

    scripted(*[0.5] * 9, on_train=swap)
    with pytest.raises(SegcoreError, match=r"as it was imported, received another"):
        train(run, kept)
    assert 1 <= len(run.metrics()) < 9 and (run.checkpoints / "last.npz").is_file()


def test_a_balance_plan_repeats_images(new_run, dataset, scripted):
    counts = np.array(
        [
            [np.count_nonzero(dataset.read_mask(s) == c) for c in range(3)]
            for s in dataset.select("train")
        ]
    )
    plan = plan_balance(
        counts,
        BalanceGoal(max_repeats=4),
        sample_ids=[s.id for s in dataset.select("train")],
        split="train",
    )
    assert plan.copies > 0
    dataset.save_plan("even", plan.to_json())
    steps = []
    run = new_run("balanced", {"balance_plan": "even"}, epochs=1, batch_size=1)
    scripted(0.5, 0.5, 0.5, 0.5, 0.5, on_train=lambda: steps.append(1))
    train(run, dataset)
    assert len(steps) == 11 + plan.copies
