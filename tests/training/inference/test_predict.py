"""Predictions: stored at the network's resolution, counted at the mask's, resumed after a kill."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import count_confusion
from segcore.labels import LabelMap
from segcore.models.engines.engine import ENGINE
from segcore.postprocess.ensemble import resize_probabilities
from segcore.runs.queue.stopping import Stopped
from segcore.training.inference.predict import predict
from segcore.training.inference.predictor import Predictor
from segcore.training.input.pipeline import resize_image

pytestmark = pytest.mark.tensorflow


def test_a_split_is_predicted_and_counted(whole, dataset, new_prediction):
    run = new_prediction(whole)
    predict(run, whole, dataset)
    ids, counts = run.read_counts("test", "prediction")
    samples = dataset.select("test")
    assert ids == [s.id for s in samples] and run.stages("test") == ["prediction"]
    predictor = Predictor(whole.model_path, 1)
    for sample, matrix in zip(samples, counts, strict=True):
        stored, size = run.read_probabilities("test", sample.id)
        assert stored.shape == (32, 64, 3) and size == (sample.height, sample.width)
        answer = predictor(resize_image(dataset.read_image(sample), predictor.size)[None])[0]
        np.testing.assert_allclose(stored, answer, atol=1e-3)
        np.testing.assert_allclose(stored.sum(-1), 1, atol=1e-5)
        predicted = resize_probabilities(stored, size).argmax(-1)
        np.testing.assert_array_equal(
            matrix, count_confusion(dataset.read_mask(sample), predicted, 3, 255)
        )
    hit = np.diagonal(counts.sum(0))
    union = counts.sum((0, 1)) + counts.sum((0, 2)) - hit
    assert (
        run.status().mean_iou == pytest.approx(np.mean(hit / union)) and run.status().progress == 1
    )


def test_a_cut_prediction_goes_on(whole, dataset, new_prediction, monkeypatch):
    run = new_prediction(whole, "train")
    calls = []
    original = Predictor.__call__

    def stop_in_the_second_batch(self, images):
        calls.append(len(images))
        if len(calls) == 2:
            run.write_status(state="stopping")
            while run.status().message != "Stopping after this step":
                pass
        return original(self, images)

    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(Predictor, "__call__", stop_in_the_second_batch)
        predict(run, whole, dataset)
    assert (
        calls == [3, 3]
        and sum(run.has_probabilities("train", s.id) for s in dataset.select("train")) == 6
    )
    assert run.stages("train") == []
    kept = (run.folder / "probabilities" / "train" / "train" / "00.prob").stat().st_mtime_ns
    run.write_status(state="queued")
    predict(run, whole, dataset)
    assert (run.folder / "probabilities" / "train" / "train" / "00.prob").stat().st_mtime_ns == kept
    ids, counts = run.read_counts("train", "prediction")
    assert ids == [s.id for s in dataset.select("train")]
    assert (
        counts.sum((1, 2)) == [(dataset.read_mask(s) != 255).sum() for s in dataset.select("train")]
    ).all()


def test_in_tiles_probabilities_have_the_images_size_and_who_computed_is_told(
    whole, dataset, new_prediction
):
    run = new_prediction(whole, tile=True, tta="flip", overlap=0.25)
    predict(run, whole, dataset)
    for sample in dataset.select("test"):
        stored, size = run.read_probabilities("test", sample.id)
        assert stored.shape[:2] == size == (sample.height, sample.width)
    counts = run.read_counts("test", "prediction")[1]
    assert (
        counts.sum((1, 2)) == [(dataset.read_mask(s) != 255).sum() for s in dataset.select("test")]
    ).all()
    assert run.read_json("backend") == {
        "name": ENGINE,
        "precision": "float32",
        "agreement": None,
        "note": "",
        "batch_size": 3,
    }


def test_images_without_masks_are_predicted_and_not_counted(whole, dataset, new_prediction):
    samples = tuple(
        s if s.split != "validation" else type(s)(**{**vars(s), "mask": None})
        for s in dataset.samples
    )
    blind = type(dataset)(dataset.folder, dataset.name, dataset.label_set, samples)
    run = new_prediction(whole, "validation")
    predict(run, whole, blind)
    assert all(run.has_probabilities("validation", s.id) for s in blind.select("validation"))
    assert run.stages("validation") == [] and run.status().mean_iou is None


def test_batches_of_any_fill_give_the_answers_of_the_plain_network(whole):
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 64, 3)).astype(np.uint8)
    together = Predictor(whole.model_path, 4)(images)
    alone = Predictor(whole.model_path, 1)
    assert together.shape == (3, 32, 64, 3) and together.dtype == np.float32
    np.testing.assert_allclose(
        together, np.concatenate([alone(image[None]) for image in images]), atol=1e-5
    )
    logits = alone.model.predict(images.astype(np.float32), verbose=0)
    np.testing.assert_allclose(
        together, np.exp(logits) / np.exp(logits).sum(-1, keepdims=True), atol=1e-5
    )


def test_mistakes_are_sentences(whole, new_run, dataset, new_prediction):
    untrained = new_run("untrained")
    with pytest.raises(SegcoreError, match="labels"):
        predict(new_prediction(untrained), untrained, dataset)
    with pytest.raises(SegcoreError, match="prediction run"):
        predict(whole, whole, dataset)
    merged = LabelMap.merging(3, [(0, 1)]).merge_label_set(dataset.label_set)
    other = type(dataset)(dataset.folder, "other", merged, dataset.samples)
    with pytest.raises(SegcoreError, match="same classes"):
        predict(new_prediction(untrained, "train"), whole, other)
    untrained.write_json("labels", whole.read_json("labels"))
    with pytest.raises(SegcoreError, match="wait for the run's first epoch"):
        predict(new_prediction(untrained, "validation"), untrained, dataset)
    untrained.model_path.write_bytes(b"no network")
    with pytest.raises(SegcoreError, match="cannot be read"):
        predict(new_prediction(untrained), untrained, dataset)
