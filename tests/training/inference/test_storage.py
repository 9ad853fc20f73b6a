"""What a prediction keeps on disk changes neither scores nor masks; tiled images stay in strips."""

import keras
import numpy as np
import psutil
import pytest

from segcore.config import ModelConfig, PredictConfig, PredictOptions, TrainConfig
from segcore.errors import SegcoreError
from segcore.models.engines.engine import ENGINE
from segcore.postprocess.ensemble import resize_probabilities
from segcore.postprocess.tiles import cut_tiles, gaussian_window, plan_tiles
from segcore.runs.folder.run_folder import RunFolder
from segcore.training.inference.predict import predict
from segcore.training.inference.predictor import Predictor
from segcore.training.inference.service import SPLIT, Service
from segcore.training.inference.views import equal_strips, predict_strips

pytestmark = pytest.mark.tensorflow

WAYS = [{}, {"tile": True, "overlap": 0.25}]


@pytest.mark.parametrize("way", WAYS, ids=["whole", "tiles"])
def test_scores_and_masks_do_not_depend_on_what_is_kept(way, whole, dataset, tmp_path) -> None:
    options = PredictOptions(backend=ENGINE, **way)
    runs = {}
    for kept in ("whole", "top", "none"):
        config = PredictConfig(
            dataset.name, whole.id, batch_size=2, options=options, probabilities=kept
        )
        runs[kept] = RunFolder.create(tmp_path / "runs", kept, config)
        predict(runs[kept], whole, dataset)
    ids, expected = runs["whole"].read_counts("test", "prediction")
    for kept, run in runs.items():
        assert run.read_counts("test", "prediction")[0] == ids
        np.testing.assert_array_equal(run.read_counts("test", "prediction")[1], expected)
        for sample in dataset.select("test"):
            assert run.has_probabilities("test", sample.id) == (kept != "none")
            probabilities, size = runs["whole"].read_probabilities("test", sample.id)
            mask = resize_probabilities(probabilities, size).argmax(-1)
            if kept == "none":
                np.testing.assert_array_equal(run.read_mask("test", "prediction", sample.id), mask)
    with pytest.raises(SegcoreError, match=r"masks and counts only.*--probabilities whole"):
        runs["none"].read_probabilities("test", sample.id)


def test_a_killed_prediction_without_probabilities_continues(whole, dataset, tmp_path) -> None:
    config = PredictConfig(dataset.name, whole.id, batch_size=2, probabilities="none")
    run = RunFolder.create(tmp_path / "runs", "none", config)
    predict(run, whole, dataset)
    expected = run.read_counts("test", "prediction")[1]
    missing = dataset.select("test")[1].id
    mask = run.read_mask("test", "prediction", missing)
    next(run.folder.rglob(f"{missing.split('/')[-1]}.mask")).unlink()
    next(run.folder.rglob("prediction.npz")).unlink()
    predict(run, whole, dataset)
    np.testing.assert_array_equal(run.read_mask("test", "prediction", missing), mask)
    np.testing.assert_array_equal(run.read_counts("test", "prediction")[1], expected)


def test_strips_of_a_tiled_image_are_the_image(whole) -> None:
    predictor = Predictor(whole.model_path, 4, ENGINE)
    image = np.random.default_rng(0).integers(0, 256, (150, 90, 3)).astype(np.uint8)
    options = PredictOptions(tile=True, overlap=0.5)
    words = (image, predictor.size, predictor.num_classes, options, predictor.stream)
    strips = list(predict_strips(*words))
    assert len(strips) > 5 and all(len(strip) <= predictor.size[0] for strip in strips)
    grid = plan_tiles((150, 90), predictor.size, 0.5)
    total, weights = np.zeros((150, 90, predictor.num_classes)), np.zeros((150, 90, 1))
    window = np.outer(*map(gaussian_window, predictor.size))[..., None]
    tiles = predictor.stream(cut_tiles(image, grid))
    for (top, left), answer in zip(grid.corners, tiles, strict=True):
        place = np.s_[top : top + predictor.size[0], left : left + predictor.size[1]]
        total[place] += window * answer
        weights[place] += window
    np.testing.assert_allclose(np.concatenate(strips), total / weights, atol=1e-5)


def test_an_image_too_large_for_memory_is_predicted_in_strips(whole, tmp_path, monkeypatch) -> None:
    """Whole it is refused with the way out; in tiles it needs no room for all its classes."""
    predictor = Predictor(whole.model_path, 4, ENGINE)
    image = np.zeros((200, 100, 3), np.uint8)
    tight = psutil.virtual_memory()._replace(available=100_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: tight)
    words = (predictor.size, predictor.num_classes)
    with pytest.raises(SegcoreError, match="in tiles without test-time augmentation"):
        list(predict_strips(image, *words, PredictOptions(tile=True, tta="flip"), predictor.stream))
    strips = predict_strips(image, *words, PredictOptions(tile=True), predictor.stream)
    assert sum(map(len, strips)) == 200


def test_strips_are_cut_anew_without_losing_a_row() -> None:
    rng = np.random.default_rng(1)
    rows = rng.random((37, 3, 2)).astype(np.float32)
    for cuts in ([], [1], [5, 6, 30], list(range(1, 37))):
        strips = list(equal_strips(np.split(rows, cuts), 8))
        assert [len(strip) for strip in strips] == [8, 8, 8, 8, 5]
        np.testing.assert_array_equal(np.concatenate(strips), rows)


def test_members_with_other_tiles_are_combined_row_by_row(whole, new_run, tmp_path) -> None:
    """Two members in tiles: the mean of what each says alone, though their strips differ."""
    other = RunFolder.create(
        tmp_path / "runs",
        "other",
        TrainConfig("shapes", ModelConfig("fcn_8s", "tiny", "none"), size=(64, 64)),
    )
    pixels = keras.Input((64, 64, 3))
    scores = keras.layers.Conv2D(3, 1)(keras.layers.Rescaling(1 / 255)(pixels))
    network = keras.Model(pixels, scores)
    network.save(other.model_path)
    image = np.random.default_rng(2).integers(0, 256, (150, 130, 3)).astype(np.uint8)
    keras.utils.save_img(tmp_path / "image.png", image, scale=False)
    place = {"image": str(tmp_path / "image.png"), "folder": str(tmp_path / "answers")}
    options, service = {"tile": True, "backend": ENGINE}, Service()
    runs = [str(whole.folder), str(other.folder)]
    for name, members in (("a", runs[:1]), ("b", runs[1:]), ("both", runs)):
        service.predict({**place, "id": name, "runs": members, "options": options})
    answers = RunFolder(tmp_path / "answers")
    a, b, both = (answers.read_probabilities(SPLIT, name)[0] for name in ("a", "b", "both"))
    assert both.shape == (150, 130, 3)
    np.testing.assert_allclose(both, (a + b) / 2, atol=2 / 4095)
