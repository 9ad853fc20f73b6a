"""A scene's prediction is a GeoTIFF on the scene's grid, whole or not there at all."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio

from segcore.config import PredictOptions
from segcore.data.files import scene_writer
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet
from segcore.workspace.predictions.scenes import (
    ScenePredictions,
    id_table,
    other_images,
    scale_note,
    scenes_of,
)
from tests.data.files.geotiffs import write_scene

LABELS = LabelSet((LabelClass(3, "lake", (0, 0, 255)), LabelClass(7, "house", (255, 0, 0))))
IMAGE = np.random.default_rng(0).integers(1, 256, (70, 100, 3), np.uint8)
IMAGE[:20, :30] = 0


class Networks:
    """Answers like a network: the second class where a pixel is bright, 16 rows at a time."""

    def __init__(self, fail_after: int = 1000, folder: Path = Path()) -> None:
        self.fail_after = fail_after
        self.batches = SimpleNamespace(folder=folder)
        self.trained = 1

    def key(self, run: str, options: PredictOptions) -> tuple[Any, ...]:
        return self.trained, options

    def label_set(self, run: str) -> LabelSet:
        return LABELS

    def raster_look(self, run: str) -> None:
        return None

    learned_bands = raster_look

    def training_scale(self, run: str) -> float:
        return 2.0

    def scene_rows(self, run: str, image: Path, look: Any, options: PredictOptions) -> Any:
        rows = self._rows()
        return lambda begin: next(rows)

    def _rows(self) -> Any:
        answered = 0
        for left, right in ((0, 64), (64, 100)):
            for top in range(0, 70, 16):
                answered += 1
                if answered > self.fail_after:
                    raise SegcoreError("The network is gone: try again.")
                part = IMAGE[top : top + 16, left:right, 0]
                ends = top + 16 >= 70
                head = {"left": left, "ends": ends, "done": ends and left == 64, "backend": "it"}
                yield head, {"mask": (part > 127).astype(np.uint8), "confidence": part}


@pytest.mark.parametrize("nodata", [None, 0])
def test_classes_lie_where_their_pixels_do(
    tmp_path: Path, nodata: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene_writer, "BLOCK", 32)
    monkeypatch.setattr(scene_writer, "SMALLEST_OVERVIEW", 32)
    write_scene(tmp_path / "a.tif", IMAGE, row=40, nodata=nodata)
    steps: list[tuple[int, int]] = []
    done = ScenePredictions(Networks()).predict(  # type: ignore[arg-type]
        "run",
        tmp_path / "a.tif",
        tmp_path / "out" / "a.tif",
        PredictOptions(),
        confidence=True,
        progress=lambda at, total, _: steps.append((at, total)),
    )
    with rasterio.open(done.classes) as found, rasterio.open(tmp_path / "a.tif") as image:
        values = found.read(1)
        empty = np.zeros((70, 100), bool) if nodata is None else image.dataset_mask() == 0
        assert (found.crs, found.transform) == (image.crs, image.transform)
        assert found.nodata == 255
        assert found.profile["tiled"] and found.profile["compress"] == "deflate"
        assert found.overviews(1) == [2]
        assert found.colormap(1)[7][:3] == (255, 0, 0)
    expected = np.where(IMAGE[..., 0] > 127, 7, 3)
    np.testing.assert_array_equal(values[~empty], expected[~empty])
    assert (values[empty] == 255).all()
    assert done.confidence is not None
    with rasterio.open(done.confidence) as sure:
        np.testing.assert_array_equal(sure.read(1)[~empty], np.maximum(IMAGE[..., 0], 1)[~empty])
        assert (sure.read(1)[empty] == 0).all()
    assert "shrunk 2.0 times" in done.note
    assert steps == sorted(steps)
    assert steps[-1] == (70, 70)


def test_what_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    write_scene(tmp_path / "a.tif", IMAGE)
    with pytest.raises(SegcoreError, match="gone"):
        ScenePredictions(Networks(fail_after=6)).predict(  # type: ignore[arg-type]
            "run", tmp_path / "a.tif", tmp_path / "out" / "a.tif", PredictOptions()
        )
    assert not list((tmp_path / "out").iterdir())


def test_a_scene_is_predicted_once_for_each_network_file_and_option(tmp_path: Path) -> None:
    image = tmp_path / "a[1].tif"
    write_scene(image, IMAGE, row=40)
    networks = Networks(folder=tmp_path / "own")
    scenes = ScenePredictions(networks)  # type: ignore[arg-type]
    plain, wide = PredictOptions(), PredictOptions(tile=True, overlap=0.5)
    assert scenes.kept("run", image, plain) is None
    made = scenes.keep("run", image, plain)
    made.classes.with_suffix(".gpkg").touch()
    again = scenes.kept("run", image, plain)
    assert again is not None and again.classes == made.classes and again.note == made.note
    assert (again.height, again.width) == (70, 100)
    assert scenes.kept("run", image, wide) is None and scenes.kept("other", image, plain) is None
    networks.trained = 2
    assert scenes.kept("run", image, plain) is None
    anew = scenes.keep("run", image, plain)
    assert [file.name for file in anew.classes.parent.iterdir()] == [anew.classes.name]
    os.utime(image, ns=(1, 1))
    assert scenes.kept("run", image, plain) is None


def test_a_scale_is_noted_only_where_it_differs() -> None:
    assert scale_note(1.0) == scale_note(1.2) == scale_note(0.85) == ""
    assert "shrunk 1.5 times" in scale_note(1.5)
    assert "enlarged 2.0 times" in scale_note(0.5)


def test_ids_leave_a_value_for_no_data() -> None:
    def table(*ids: int) -> tuple[np.dtype, int]:
        labels = LabelSet(tuple(LabelClass(i, f"c{i}", (0, 0, 0)) for i in ids))
        found, free = id_table(labels)
        assert found.tolist() == list(ids)
        return found.dtype, free

    assert table(3, 7) == (np.uint8, 255)
    assert table(3, 255) == (np.uint8, 0)
    assert table(0, 255) == (np.uint16, 65_535)
    assert table(0, 1000) == (np.uint16, 65_535)
    with pytest.raises(SegcoreError, match="pixels without data"):
        table(0, 65_535)


def test_large_rasters_are_scenes_and_the_rest_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scene(tmp_path / "a.tif", IMAGE)
    (tmp_path / "b.png").write_bytes(b"")
    assert scenes_of(tmp_path) == []
    assert scenes_of(tmp_path, every=True) == [tmp_path / "a.tif"]
    monkeypatch.setattr("segcore.workspace.predictions.scenes.MAX_PIXELS", 5000)
    assert scenes_of(tmp_path) == scenes_of(tmp_path / "a.tif") == [tmp_path / "a.tif"]
    assert other_images(tmp_path, scenes_of(tmp_path))
    assert scenes_of(tmp_path / "nothing") == []
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for kind in ("images", "masks"):
        (tmp_path / kind / "s.tif").write_bytes((tmp_path / "a.tif").read_bytes())
    assert scenes_of(tmp_path, every=True) == [tmp_path / "a.tif", tmp_path / "images" / "s.tif"]
