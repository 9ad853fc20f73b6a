"""The commands of the how-to about rasters do what it says, on small scenes."""

import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely

from segcore.cli import main
from segcore.data.dataset.dataset import Dataset
from tests.data.files.geotiffs import write_scene

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "rasters.md"
SIZE = (1200, 1100)


def commands() -> list[str]:
    blocks = re.findall(r"^```\n(.*?)^```", HOW_TO.read_text(), re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line.startswith("segscope ")]


def draw(folder: Path) -> None:
    """Three scenes with masks, one with parcels, and one to predict."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(("north", "south", "west")):
        image = rng.integers(0, 256, (*SIZE, 3), np.uint8)
        mask = np.kron(rng.integers(0, 3, (12, 11)), np.ones((100, 100))).astype(np.uint8)
        write_scene(folder / "scenes" / "images" / f"{name}.tif", image, row=5000 * number)
        write_scene(folder / "scenes" / "masks" / f"{name}.tif", mask, row=5000 * number)
    write_scene(folder / "parcels" / "north.tif", image)
    write_scene(folder / "scene.tif", image[:64, :96])
    boxes = [shapely.box(500_000 + x, 3_999_000, 500_000 + x + 300, 3_999_900) for x in (0, 500)]
    pyogrio.raw.write(
        folder / "parcels" / "parcels.gpkg",
        shapely.to_wkb(np.array(boxes)),
        [np.array(["wheat", "maize"], object), np.array([1, 2])],
        ["landuse", "number"],
        geometry_type="Polygon",
        crs="EPSG:32632",
    )


def test_the_how_to_works_as_written(
    own_images: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("segcore.workspace.predictions.scenes.MAX_PIXELS", 1000)
    draw(tmp_path)
    folder = own_images.workspace.folder
    monkeypatch.setenv("SEGCORE_WORKSPACE", str(folder))
    for line in commands():
        words = shlex.split(line.replace("RUN", own_images.members[0]), comments=True)[1:]
        if words[0] != "train":
            main(words)
    land = Dataset.open(folder / "datasets" / "land")
    assert len(land.samples) == 3 * 3 * 2
    assert set(land.splits) == {"train", "validation", "test"}
    by_scene = {(s.id.partition("/")[0], s.split) for s in land.samples}
    assert len(by_scene) == 3  # the last split is by whole scenes
    parcels = Dataset.open(folder / "datasets" / "parcels")
    assert parcels.label_set.class_names == ["background", "maize", "wheat"]
    with rasterio.open("predicted/geotiff/scene.tif") as found, rasterio.open("scene.tif") as scene:
        assert (found.shape, found.transform, found.crs) == (
            scene.shape,
            scene.transform,
            scene.crs,
        )
    for written in ("outlined/polygons/scene.gpkg", "fields.gpkg", "north.geojson"):
        meta, _, shapes, _ = pyogrio.raw.read(written)
        assert list(meta["fields"]) == ["class_id", "class", "area_m2"]
        assert len(shapes)
    assert Path("all/geotiff/south-confidence.tif").is_file()
