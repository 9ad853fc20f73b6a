"""Files from strangers: each hostile one gets a sentence, the others come in, and only pixels are kept."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
import rasterio
from PIL import Image

from segcore.data.files import uploads
from segcore.data.files.uploads import (
    Accepted,
    Refused,
    Upload,
    free_places,
    judge,
    skipped_masks,
    uploads_of,
)
from segcore.errors import SegcoreError

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)


def encoded(form: str, pixels: np.ndarray = PIXELS) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


def sent(name: str, data: bytes) -> Upload:
    return Upload(name, lambda: data, len(data))


def bomb() -> bytes:
    """A PNG of 60000 x 60000 whose pixels are a few bytes of zeros."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("evil.txt", "evil")
    return buffer.getvalue()


PNG = encoded("PNG")
HOSTILE = {
    "a vector image": (
        "logo.svg",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "received logo.svg",
    ),
    "a vector image called a PNG": (
        "logo.png",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "with other content",
    ),
    "a decompression bomb": ("bomb.png", bomb(), "at most 100 megapixels"),
    "a name that climbs": ("../../etc/cron.d/x.png", PNG, "plain file name"),
    "an absolute name": ("/etc/x.png", PNG, "plain file name"),
    "a name of another system": ("C:\\x.png", PNG, "plain file name"),
    "a name with a null": ("x\0.png", PNG, "plain file name"),
    "a hidden name": (".x.png", PNG, "plain file name"),
    "a long name": ("x" * 300 + ".png", PNG, "plain file name"),
    "an ending that lies": ("x.jpg", PNG, "what its ending says"),
    "an image and an archive": ("both.png", PNG + archive(), "an archive too"),
    "an image and a page": (
        "page.png",
        PNG + b"<html ><ScRipT>alert(1)</script>",
        "a web page or script too",
    ),
    "an image and code": ("code.png", PNG + b"<?php system(1);", "a web page or script too"),
    "half an image": ("half.png", PNG[: len(PNG) // 2], "damaged or breaks off"),
    "nothing": ("empty.png", b"", "the empty file"),
    "a damaged JPEG": ("a5.jpg", b"\x00" * 99, "Expected a JPEG image as the name says"),
    "a program": ("run.exe", b"MZ", "convert or remove"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_gets_one_sentence_and_the_others_come_in(case) -> None:
    name, data, sentence = HOSTILE[case]
    before, refused, after = judge([sent("a.png", PNG), sent(name, data), sent("b.png", PNG)])
    assert isinstance(before, Accepted) and isinstance(after, Accepted)
    assert isinstance(refused, Refused) and sentence in refused.why
    assert (
        refused.why.count("\n") == 0
        and "\0" not in refused.why + refused.name
        and len(refused.why) < 300
    )


def test_every_form_of_image_is_read() -> None:
    forms = {
        "a.png": "PNG",
        "a.JPG": "JPEG",
        "a.bmp": "BMP",
        "a.tiff": "TIFF",
        "a.webp": "WEBP",
        "a.gif": "GIF",
        "a.ppm": "PPM",
    }
    found = list(judge(sent(name, encoded(form)) for name, form in forms.items()))
    assert all(isinstance(f, Accepted) and f.image.shape == (9, 7, 3) for f in found)
    np.testing.assert_array_equal(found[0].image, PIXELS)
    np.testing.assert_array_equal(found[3].image, PIXELS)


def test_names_become_safe_and_stay_apart() -> None:
    names = ["folder/a b.png", "A_b.png", "äöü.png", "<b>x</b>.png", "--.png"]
    found = list(judge(sent(name, PNG) for name in names))
    assert [f.id for f in found] == [
        "a_b",
        "A_b-2",
        "image",
        "b",
        "image-2",
    ]  # apart also where case does not count
    assert found[0].name == "folder/a b.png"


def test_too_many_and_too_large(monkeypatch) -> None:
    read = []
    files = [Upload(f"{i}.png", lambda i=i: read.append(i) or PNG, len(PNG)) for i in range(4)]
    found = list(judge(files, limit=2))
    assert [type(f) for f in found] == [Accepted, Accepted, Refused, Refused] and read == [0, 1]
    assert "at most 2 images" in found[3].why
    (refused,) = judge(
        [Upload("big.png", lambda: pytest.fail("it was read"), uploads.MAX_BYTES + 1)]
    )
    assert "at most 64 MB" in refused.why


def test_images_of_a_folder(tmp_path) -> None:
    for name in ("b.png", "a.png", "notes.txt"):
        (tmp_path / name).write_bytes(PNG)
    assert [u.name for u in uploads_of(tmp_path)] == ["a.png", "b.png"]
    assert [u.read() for u in uploads_of(tmp_path / "a.png")] == [PNG]
    (tmp_path / "none").mkdir()
    for path in (tmp_path / "none", tmp_path / "missing"):
        with pytest.raises(SegcoreError, match="Expected"):
            uploads_of(path)


def test_masks_beside_images_are_left_out_and_named(tmp_path) -> None:
    for name in ("images/test/a.png", "images/test/b.jpg", "masks/test/a.png", "masks/test/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(PNG)
    assert [u.name for u in uploads_of(tmp_path)] == ["images/test/a.png", "images/test/b.jpg"]
    why = "Expected images, received 2 masks named like the images beside them: left out."
    assert skipped_masks(tmp_path) == [("masks", why)]
    assert len(uploads_of(tmp_path / "masks")) == 2  # who names that folder means it
    (tmp_path / "masks" / "test" / "a.png").rename(tmp_path / "masks" / "test" / "other.png")
    (tmp_path / "masks" / "test" / "b.png").rename(tmp_path / "masks" / "test" / "third.png")
    assert len(uploads_of(tmp_path)) == 4 and skipped_masks(tmp_path) == []


def test_results_keep_the_folders_of_their_images() -> None:
    names = ["part_1/x.png", "part_2/x.png", "part_2/x.jpg", "y 1.png", "y 1.tif"]
    assert free_places(names) == ["part_1/x", "part_2/x", "part_2/x-2", "y_1", "y_1-2"]


def geotiff(values: np.ndarray, nodata: float | None = None) -> bytes:
    """A GeoTIFF of (B, H, W) values of any kind."""
    bands, height, width = values.shape
    place = {
        "crs": "EPSG:32633",
        "transform": rasterio.Affine(2, 0, 400_000, 0, -2, 5_800_000),
        "nodata": nodata,
    }
    with rasterio.io.MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            height=height,
            width=width,
            count=bands,
            dtype=values.dtype.name,
            **place,
        ) as raster:
            raster.write(values)
        return memory.read()


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
def test_bands_beyond_bytes_are_stretched_between_percentiles_and_that_is_told(dtype) -> None:
    """A ramp of 0..1000 has its percentiles 2 and 98 at 20 and 980, whatever it is scaled by."""
    ramp = np.arange(1001).reshape(7, 143).astype(np.float64)
    scale = np.array([1, 2, 0.5 if dtype is np.float32 else 3, 7])
    values = (ramp * scale[:, None, None]).astype(dtype)
    (found,) = judge([sent("field.tif", geotiff(values))])
    assert isinstance(found, Accepted) and found.georeference is not None
    expected = np.rint(np.clip((ramp - 20) * 255 / 960, 0, 255))
    for channel in range(3):  # the fourth band is not shown
        np.testing.assert_allclose(found.image[..., channel], expected, atol=1)
    assert found.picture.note.startswith(
        "bands 1, 2, 3 of 4 hold no bytes: 20 to 980; 40 to 1960; "
    )
    assert found.picture.note.endswith("became 0 to 255")


def test_nodata_and_what_is_no_number_take_no_part_in_the_stretch() -> None:
    values = np.linspace(0.25, 0.75, 10_000, dtype=np.float32).reshape(1, 100, 100)
    values[0, :5], values[0, 5], values[0, 6, 0] = -9999, np.nan, np.inf
    (found,) = judge([sent("height.tiff", geotiff(values, -9999))])
    assert isinstance(found, Accepted)
    assert (found.image[:6] == 0).all() and found.image[6, 0, 0] == 255
    sound = values[0, 7:]
    low, high = np.percentile(np.append(values[0, 6, 1:], sound), (2, 98))
    np.testing.assert_allclose(
        found.image[7:, :, 1], np.clip((sound - low) / (high - low), 0, 1) * 255, atol=1
    )


def test_many_bands_of_bytes_show_the_first_three_as_they_are() -> None:
    values = np.random.default_rng(1).integers(0, 256, (6, 5, 4)).astype(np.uint8)
    (found,) = judge([sent("many.tif", geotiff(values))])
    assert isinstance(found, Accepted) and found.picture.note == "bands 1, 2, 3 of 6 shown"
    np.testing.assert_array_equal(found.image, np.moveaxis(values[:3], 0, -1))
    (plain,) = judge([sent("plain.tif", geotiff(values[:3]))])
    assert (
        isinstance(plain, Accepted) and plain.picture.note == "" and plain.georeference is not None
    )
    np.testing.assert_array_equal(plain.image, found.image)


def test_bands_that_are_too_much_or_broken_are_refused_under_the_senders_name(monkeypatch) -> None:
    sound = geotiff(np.arange(3 * 64 * 64, dtype=np.uint16).reshape(3, 64, 64))
    complex_ = geotiff(np.ones((1, 4, 4), np.complex64))
    monkeypatch.setattr(uploads, "MAX_RASTER_BYTES", 24_000)
    found = list(
        judge([sent("big.tif", sound), sent("cut.tif", sound[:3000]), sent("wave.tif", complex_)])
    )
    assert all(isinstance(f, Refused) and f.why.count("\n") == 0 for f in found)
    assert (
        "of bands, received big.tif" in found[0].why
        and "cut.tif" in found[1].why
        and "real numbers" in found[2].why
    )


@pytest.mark.parametrize("ending", ["tif", "gif"])
def test_a_stack_is_refused_and_so_is_a_picture_of_another_kind(tmp_path, ending):
    pages = [Image.fromarray(np.full((4, 5), 9 * n, np.uint8)) for n in range(3)]
    pages[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / f"b.{ending}")
    (tmp_path / "c.HEIC").write_bytes(b"ftypheic")
    answers = {r.name: r for r in judge(uploads_of(tmp_path))}
    assert "several pages or frames" in answers[f"a.{ending}"].why
    assert isinstance(answers[f"b.{ending}"], Accepted)
    assert "received c.HEIC: convert" in answers["c.HEIC"].why
