"""Files from strangers: each hostile one gets a sentence, the others come in, and only pixels are kept."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from segcore.data import uploads
from segcore.data.uploads import Accepted, Refused, Upload, judge, uploads_of
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
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("evil.txt", "evil")
    return buffer.getvalue()


PNG = encoded("PNG")
HOSTILE = {
    "a vector image": ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "received logo.svg"),
    "a vector image called a PNG": ("logo.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "with other content"),
    "a decompression bomb": ("bomb.png", bomb(), "at most 40 megapixels"),
    "a name that climbs": ("../../etc/cron.d/x.png", PNG, "plain file name"),
    "an absolute name": ("/etc/x.png", PNG, "plain file name"),
    "a name of another system": ("C:\\x.png", PNG, "plain file name"),
    "a name with a null": ("x\0.png", PNG, "plain file name"),
    "a hidden name": (".x.png", PNG, "plain file name"),
    "a long name": ("x" * 300 + ".png", PNG, "plain file name"),
    "an ending that lies": ("x.jpg", PNG, "what its ending says"),
    "an image and an archive": ("both.png", PNG + archive(), "an archive too"),
    "an image and a page": ("page.png", PNG + b"<html ><ScRipT>alert(1)</script>", "a web page or script too"),
    "an image and code": ("code.png", PNG + b"<?php system(1);", "a web page or script too"),
    "half an image": ("half.png", PNG[: len(PNG) // 2], "damaged or breaks off"),
    "nothing": ("empty.png", b"", "with other content"),
    "a program": ("run.exe", b"MZ", "convert or remove"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_gets_one_sentence_and_the_others_come_in(case) -> None:
    name, data, sentence = HOSTILE[case]
    before, refused, after = judge([sent("a.png", PNG), sent(name, data), sent("b.png", PNG)])
    assert isinstance(before, Accepted) and isinstance(after, Accepted)
    assert isinstance(refused, Refused) and sentence in refused.why
    assert refused.why.count("\n") == 0 and "\0" not in refused.why + refused.name and len(refused.why) < 300


def test_every_form_of_image_is_read() -> None:
    forms = {"a.png": "PNG", "a.JPG": "JPEG", "a.bmp": "BMP", "a.tiff": "TIFF", "a.webp": "WEBP", "a.gif": "GIF", "a.ppm": "PPM"}
    found = list(judge(sent(name, encoded(form)) for name, form in forms.items()))
    assert all(isinstance(f, Accepted) and f.image.shape == (9, 7, 3) for f in found)
    np.testing.assert_array_equal(found[0].image, PIXELS)
    np.testing.assert_array_equal(found[3].image, PIXELS)


def test_names_become_safe_and_stay_apart() -> None:
    names = ["folder/a b.png", "A_b.png", "äöü.png", "<b>x</b>.png", "--.png"]
    found = list(judge(sent(name, PNG) for name in names))
    assert [f.id for f in found] == ["a_b", "A_b-2", "image", "b", "image-2"]  # apart also where case does not count
    assert found[0].name == "a b.png"


def test_too_many_and_too_large(monkeypatch) -> None:
    read = []
    files = [Upload(f"{i}.png", lambda i=i: read.append(i) or PNG, len(PNG)) for i in range(4)]
    found = list(judge(files, limit=2))
    assert [type(f) for f in found] == [Accepted, Accepted, Refused, Refused] and read == [0, 1]
    assert "at most 2 images" in found[3].why
    (refused,) = judge([Upload("big.png", lambda: pytest.fail("it was read"), uploads.MAX_BYTES + 1)])
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
