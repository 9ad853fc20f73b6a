"""What is seen of a scene is the scene: every tile of every level, from the file or from the kept picture."""

import os
from pathlib import Path

import numpy as np
import pytest
import rasterio

from segcore.data.files import scene_writer
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet
from segcore.workspace.predictions import scene_views
from segcore.workspace.predictions.scene_views import SceneLook
from tests.data.files.geotiffs import write_scene

LABELS = LabelSet((LabelClass(3, "lake", (0, 0, 255)), LabelClass(7, "house", (255, 0, 0))))
HEIGHT, WIDTH = 330, 530


class Networks:
    """As much of the predictions of a workspace as a look at a scene asks for."""

    def label_set(self, run: str) -> LabelSet:
        return LABELS

    def raster_look(self, run: str) -> None:
        return None

    learned_bands = display = raster_look


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, np.ndarray]:
    """A smooth scene of 330 x 530 pixels and its classes, with tiles of 32 pixels: four levels over the overview."""
    for module, name, value in (
        (scene_views, "OVERVIEW_SIDE", 40),
        (scene_views, "TILE", 32),
        (scene_views, "PART", 128),
        (scene_writer, "BLOCK", 32),
        (scene_writer, "SMALLEST_OVERVIEW", 16),
    ):
        monkeypatch.setattr(module, name, value)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    image = np.stack([rows * 0.7, columns * 0.45, 200 - rows * 0.3], -1).astype(np.uint8)
    write_scene(tmp_path / "a.tif", image, row=40)
    form = scene_writer.SceneForm(HEIGHT, WIDTH, "uint8", 255)
    with scene_writer.write_scene(tmp_path / "out.tif", form) as writer:
        writer.add(0, np.where(rows < columns, 3, 7).astype(np.uint8))
        writer.end_stripe(0)
    return tmp_path / "a.tif", tmp_path / "out.tif", image


def look_at(scene: tuple[Path, Path, np.ndarray]) -> SceneLook:
    return SceneLook(Networks(), "run", scene[0], scene[1])  # type: ignore[arg-type]


@pytest.mark.parametrize("kept", [False, True])
def test_tiles_of_every_level_lie_where_they_belong(scene, kept: bool) -> None:
    look, image = look_at(scene), scene[2]
    assert look.levels == 4
    steps: list[tuple[int, int]] = []
    if kept:
        look.prepare(lambda done, total, _: steps.append((done, total)))
        assert steps == [(k, 15) for k in range(1, 16)]
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    classes = (rows >= columns).astype(int)
    for level in range(4):
        step, seen = 1 << level, []
        side = 32 * step
        for row in range(-(-HEIGHT // side)):
            tiles = [look.tile(level, row, c) for c in range(-(-WIDTH // side))]
            seen.append((np.hstack([t.image for t in tiles]), np.hstack([t.mask for t in tiles])))
        whole = np.vstack([part for part, _ in seen])
        assert whole.shape[:2] == (-(-HEIGHT // step), -(-WIDTH // step))
        exact = image[step // 2 :: step, step // 2 :: step].astype(int)
        shown = whole[: len(exact), : exact.shape[1]].astype(int)
        assert np.abs(shown - exact).max() <= (0 if level == 0 else 6 if level < 2 else 14)
        mask = np.vstack([part for _, part in seen])[: len(exact), : exact.shape[1]]
        assert (mask == classes[step // 2 :: step, step // 2 :: step]).mean() > 0.97
    over = look.overview()
    assert over.image.shape == (25, 40, 3) and over.mask.shape == (25, 40)


def test_the_picture_is_written_once_whole_and_anew_for_another_scene(scene, monkeypatch) -> None:
    look, (image, classes, _) = look_at(scene), scene
    kept = classes.with_name("out-picture.tif")

    def stop(done: int, total: int, what: str) -> None:
        if done == 3:
            raise SegcoreError("The prediction was stopped: start it again.")

    with pytest.raises(SegcoreError, match="stopped"):
        look.prepare(stop)
    assert not kept.exists() and not list(kept.parent.glob("*part*"))
    look.prepare()
    with rasterio.open(kept) as raster:
        assert (raster.height, raster.width, raster.count) == (83, 133, 3)
        assert raster.overviews(1)
    before = kept.stat().st_mtime_ns
    look.prepare()
    assert kept.stat().st_mtime_ns == before
    os.utime(image, ns=(before + 10**9, before + 10**9))
    os.utime(kept, ns=(before, before))
    look.prepare()
    assert kept.stat().st_mtime_ns != before


@pytest.mark.parametrize(
    "place", [(4, 0, 0), (-1, 0, 0), (0, -1, 0), (0, 0, 17), (0, 11, 0), (3, 10**30, 0)]
)
def test_a_tile_that_does_not_exist_is_refused(scene, place) -> None:
    with pytest.raises(SegcoreError, match="Expected a tile of a scene of 330 x 530 pixels"):
        look_at(scene).tile(*place)


def test_a_small_scene_has_no_tiles_and_no_picture(scene, monkeypatch) -> None:
    monkeypatch.setattr(scene_views, "OVERVIEW_SIDE", 1500)
    look = look_at(scene)
    look.prepare()
    assert look.levels == 0 and not scene[1].with_name("out-picture.tif").exists()
    np.testing.assert_array_equal(look.overview().image, scene[2])
