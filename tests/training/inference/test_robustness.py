"""A robustness run counts answers on corrupted images and continues after an interruption."""

import shutil

import keras
import numpy as np
import pytest

from segcore.config import RobustnessConfig
from segcore.data.augmentation.corruptions import corrupt
from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import count_confusion
from segcore.postprocess.ensemble import resize_probabilities
from segcore.runs.folder.run_folder import RunFolder
from segcore.training.inference.predictor import Predictor
from segcore.training.inference.robustness import choose_samples, measure_robustness
from segcore.training.input.pipeline import resize_image

pytestmark = pytest.mark.tensorflow


def test_counts_are_those_of_corrupted_images(whole, dataset, tmp_path, monkeypatch) -> None:
    config = RobustnessConfig(dataset.name, whole.id, "test", ("noise",), 1, seed=4)
    run = RunFolder.create(tmp_path / "runs", "robust--test", config)
    measure_robustness(run, [whole], dataset)
    assert run.stages("test") == ["clean", *(f"noise-{s}" for s in range(1, 6))]
    sample = choose_samples(dataset.select("test"), 1)[0]
    predictor = Predictor(whole.model_path, 1, "auto")  # the same backend as the run
    for stage, severity in (("clean", 0), ("noise-5", 5)):
        ids, counts = run.read_counts("test", stage)
        image = dataset.read_image(sample)
        image = corrupt(image, "noise", severity, sample.id, 4) if severity else image
        answer = predictor(resize_image(image, predictor.size)[None])[0]
        predicted = resize_probabilities(answer, (sample.height, sample.width)).argmax(-1)
        assert ids == [sample.id]
        expected = count_confusion(dataset.read_mask(sample), predicted, 3, 255)
        assert (
            np.abs(counts[0] - expected).sum() <= 0.002 * expected.sum()
        )  # another backend may round another way
    (run.folder / "counts" / "test" / "noise-3.npz").unlink()
    stages = []
    monkeypatch.setattr(
        RunFolder, "write_counts", lambda self, split, stage, ids, counts: stages.append(stage)
    )
    measure_robustness(run, [whole], dataset)
    assert stages == ["noise-3"]


def test_an_ensemble_is_counted_on_what_its_members_say_together(whole, dataset, tmp_path) -> None:
    other = RunFolder(tmp_path / "runs" / "other-1")
    shutil.copytree(whole.folder, other.folder)
    network = keras.models.load_model(other.model_path, compile=False)
    rng = np.random.default_rng(2)
    network.set_weights(
        [w + rng.normal(0, 0.05, w.shape).astype(w.dtype) for w in network.get_weights()]
    )
    network.save(other.model_path)
    config = RobustnessConfig(
        dataset.name,
        "both--test",
        "test",
        ("blur",),
        2,
        members=(whole.id, other.id),
        rule="weighted",
        weights=(0.3, 0.7),
    )
    run = RunFolder.create(tmp_path / "runs", "both--test-robustness", config)
    measure_robustness(run, [whole, other], dataset)
    samples = choose_samples(dataset.select("test"), 2)
    ids, counts = run.read_counts("test", "blur-4")
    assert ids == [sample.id for sample in samples]
    predictors = [Predictor(folder.model_path, 1, "auto") for folder in (whole, other)]
    for sample, counted in zip(samples, counts, strict=True):
        image = resize_image(
            corrupt(dataset.read_image(sample), "blur", 4, sample.id, 0), predictors[0].size
        )
        one, two = (predictor(image[None])[0] for predictor in predictors)
        predicted = resize_probabilities(
            0.3 * one + 0.7 * two, (sample.height, sample.width)
        ).argmax(-1)
        expected = count_confusion(dataset.read_mask(sample), predicted, 3, 255)
        assert np.abs(counted - expected).sum() <= 0.004 * expected.sum()
        alone = resize_probabilities(one, (sample.height, sample.width)).argmax(-1)
        assert (alone != predicted).any()  # the second member has a say


def test_images_are_spread_over_the_split(dataset) -> None:
    samples = [s for split in dataset.splits for s in dataset.select(split)]
    assert choose_samples(samples, 0) == choose_samples(samples, 999) == samples
    two = choose_samples(samples, 2)
    assert two == [samples[0], samples[-1]]
    with pytest.raises(SegcoreError, match="without any"):
        choose_samples([], 3)
