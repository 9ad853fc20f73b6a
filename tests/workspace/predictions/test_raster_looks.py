"""The same file gives the same pixels whether it comes in with a dataset or to be predicted."""

import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset
from segcore.data.files.bands import RasterLook, load_look
from segcore.data.files.georeference import load_rasterio
from segcore.data.files.images import encode_png, read_image
from segcore.data.formats.importers import ImportRules, import_dataset
from segcore.errors import SegcoreError
from segcore.workspace.predictions.batches import Batches

rasterio = pytest.importorskip("rasterio")
HEIGHT, WIDTH = 12, 16


def write(path, values, nodata=None):
    load_rasterio()
    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = values.shape
    with rasterio.open(path, "w", driver="GTiff", height=height, width=width, count=count,
                       dtype=values.dtype.name, nodata=nodata) as raster:  # fmt: skip
        raster.write(values)


def values_of(kind, seed):
    rng = np.random.default_rng(seed)
    dtype, count, top = kind
    return (rng.random((count, HEIGHT, WIDTH)) ** 2 * top * (1 + 0.3 * seed)).astype(dtype)


KINDS = {
    "bands of bytes": (("uint8", 5, 190), (4, 3, 2), None),
    "bands of bytes, no data": (("uint8", 5, 190), (4, 3, 2), 7),
    "three bytes turned": (("uint8", 3, 190), (3, 2, 1), None),
    "one band of three": (("uint8", 3, 190), (2,), None),
    "grey": (("uint8", 1, 190), (), None),
    "plain": (("uint8", 3, 190), (), None),
    "four bytes": (("uint8", 4, 190), (), None),
    "two bytes": (("uint8", 2, 190), (), None),
    "sixteen bits": (("uint16", 3, 9000), (), None),
    "sixteen bits, other bands": (("uint16", 6, 9000), (6, 1, 3), None),
    "signed, no data": (("int16", 3, 900), (), 0),
    "heights": (("float32", 1, 0.7), (), -9999.0),
    "floats of many bands": (("float32", 5, 3000), (5, 3, 1), None),
}


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_in_give_the_same_pixels(kind, tmp_path):
    shape, bands, nodata = KINDS[kind]
    mask = encode_png(np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH) % 2)
    for number in range(4):
        write(tmp_path / f"in/images/t{number}.tif", values_of(shape, number), nodata)
        (tmp_path / "in/masks").mkdir(exist_ok=True)
        (tmp_path / f"in/masks/t{number}.png").write_bytes(mask)
    import_dataset(tmp_path / "in", tmp_path / "set", "set", rules=ImportRules(bands=bands))
    dataset, look = Dataset.open(tmp_path / "set"), load_look(tmp_path / "set")
    batches = Batches(tmp_path / "predictions")
    batch = batches.accept_folder(tmp_path / "in/images")
    assert len(batch.images) == 4 and look is not None and look.bands == bands
    for image in batch.images:
        shown = read_image(batches.shown_path(batch, image.id, look))
        np.testing.assert_array_equal(shown, dataset.read_image(dataset.sample(image.id)))


def test_without_rasterio_at_import_only_pictures_are_shown_alike(tmp_path, monkeypatch):
    write(tmp_path / "in/wide.tif", values_of(("uint16", 3, 900), 0))
    write(tmp_path / "in/plain.tif", values_of(("uint8", 3, 190), 0))
    batches = Batches(tmp_path / "predictions")
    batch = batches.accept_folder(tmp_path / "in")
    pillow = RasterLook(by_bands=False)
    assert batches.shown_path(batch, "plain", pillow) == batches.image_path(batch, "plain")
    with pytest.raises(SegcoreError, match="imported without rasterio"):
        batches.shown_path(batch, "wide", pillow)
    monkeypatch.setattr("segcore.data.files.uploads.is_available", lambda: False)
    batch = batches.accept_folder(tmp_path / "in/plain.tif")
    with pytest.raises(SegcoreError, match=r"bands 3, 2, 1 are shown.*install rasterio"):
        batches.shown_path(batch, "plain", RasterLook((3, 2, 1)))


def test_a_file_without_those_bands_is_refused_and_a_photo_is_no_raster(tmp_path):
    write(tmp_path / "in/two.tif", values_of(("uint16", 2, 900), 0))
    (tmp_path / "in/photo.png").write_bytes(encode_png(np.zeros((2, 2, 3), np.uint8)))
    batches = Batches(tmp_path / "predictions")
    batch = batches.accept_folder(tmp_path / "in")
    with pytest.raises(SegcoreError, match=r"Expected band 4 in two.tif, it has 2"):
        batches.shown_path(batch, "two", RasterLook((4, 3, 2)))
    assert batches.shown_path(batch, "photo", RasterLook((4, 3, 2))).name == "photo.png"
    assert batches.shown_path(batch, "two", None) == batches.image_path(batch, "two")


def test_a_model_shows_images_as_its_dataset_did(trained):
    predictions, workspace = trained.workspace.predictions, trained.workspace
    for member in trained.members:
        workspace.runs.open(member).model_path.write_bytes(b"")
    first, second = trained.members
    assert predictions.raster_look(trained.ensemble) is None
    look = RasterLook((4, 3, 2), ((0.0, 9.5),) * 3)
    run = workspace.runs.open(first)
    run.write_json("bands", look.to_json())
    assert predictions.raster_look(first) == look
    with pytest.raises(SegcoreError, match="saw other bands or limits"):
        predictions.raster_look(trained.ensemble)
    workspace.runs.open(second).write_json("bands", look.to_json())
    assert predictions.raster_look(trained.ensemble) == look
    folder = workspace.datasets.open(run.config.dataset).folder
    (folder / "import.json").write_text('{"problems": "the images hold no bytes; in all"}')
    (run.folder / "bands.json").unlink()
    with pytest.raises(SegcoreError, match="imported by an older version"):
        predictions.raster_look(first)


@pytest.mark.parametrize("text", ["", "[]", "[" * 99999, '{"bands": [0], "limits": []}', '{"bands": [1]}',
                                  '{"bands": [], "limits": [[NaN, 1]], "by_bands": true}'])  # fmt: skip
def test_damaged_looks_are_a_sentence(text, tmp_path):
    (tmp_path / "bands.json").write_text(text)
    with pytest.raises(SegcoreError):
        load_look(tmp_path)
