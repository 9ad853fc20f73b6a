"""Rows of a scene are those of the whole image in tiles, whatever the network and its size."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from segcore.config import PredictOptions
from segcore.errors import SegcoreError
from segcore.postprocess import scenes as stripes
from segcore.training.inference import scenes
from segcore.training.inference.scenes import rows_of_scene
from segcore.training.inference.views import predict_strips
from tests.data.files.geotiffs import write_scene

IMAGE = np.random.default_rng(0).integers(0, 256, (150, 1200, 3), np.uint8)


def stream(tiles):
    for tile in tiles:
        place = np.linspace(0.2, 0.9, tile.shape[1], dtype=np.float32)
        one = tile[..., 0].astype(np.float32) / 255 * place
        yield np.stack([one, 1 - one], axis=-1)


NETWORK = SimpleNamespace(size=(64, 64), num_classes=2, stream=stream, chosen=None)


@pytest.fixture
def run(tmp_path, monkeypatch):
    write_scene(tmp_path / "a.tif", IMAGE)
    monkeypatch.setattr(scenes, "preprocessing_of", lambda run: "none")
    monkeypatch.setattr(stripes, "STRIPE_BYTES", 1)
    return SimpleNamespace(folder=tmp_path / "run", id="run")


def test_rows_are_those_of_the_whole_image(run, tmp_path: Path) -> None:
    options = PredictOptions(tile=True, overlap=0.3)
    mask, sure = np.full((150, 1200), 99, np.uint8), np.zeros((150, 1200), np.uint8)
    top, last = 0, {}
    for head, arrays in rows_of_scene({"image": tmp_path / "a.tif"}, [run], [NETWORK], options):
        rows, columns = arrays["mask"].shape
        place = np.s_[top : top + rows, head["left"] : head["left"] + columns]
        mask[place], sure[place] = arrays["mask"], arrays["confidence"]
        top = 0 if head["ends"] else top + rows
        assert not last.get("done")
        last = head
    assert last["done"] and last["left"] > 0
    whole = np.concatenate(list(predict_strips(IMAGE, (64, 64), 2, options, stream)))
    np.testing.assert_array_equal(mask, whole.argmax(axis=-1))
    np.testing.assert_array_equal(sure, np.rint(whole.max(axis=-1) * 255))


def test_what_needs_the_whole_image_is_refused(run, tmp_path: Path, monkeypatch) -> None:
    request = {"image": tmp_path / "a.tif"}
    with pytest.raises(SegcoreError, match="--tta"):
        next(rows_of_scene(request, [run], [NETWORK], PredictOptions(tta="flip")))
    monkeypatch.setattr(scenes, "preprocessing_of", lambda run: "clahe")
    with pytest.raises(SegcoreError, match="CLAHE"):
        next(rows_of_scene(request, [run], [NETWORK], PredictOptions()))
