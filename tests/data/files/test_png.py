"""The quick look at a PNG says what Pillow says, or nothing."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from segcore.data.files.images import image_size
from segcore.data.files.png import PngHeader, read_png_header


def written(file, image, **options):
    image.save(file, "PNG", **options)
    return file


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_size_and_mode_are_those_of_pillow(tmp_path, mode):
    file = written(tmp_path / "a.png", Image.new(mode, (7, 5)))
    assert read_png_header(file) == PngHeader(5, 7, mode) and Image.open(file).mode == mode


def test_other_chunks_before_the_pixels_are_passed_over(tmp_path):
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "x" * 300)
    file = written(tmp_path / "a.png", Image.new("RGB", (7, 5)), pnginfo=notes, dpi=(72, 72))
    assert read_png_header(file) == PngHeader(5, 7, "RGB")


def test_what_says_how_to_turn_it_is_left_to_pillow(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    file = written(tmp_path / "a.png", Image.new("RGB", (7, 5)), exif=exif)
    assert read_png_header(file) is None and image_size(file) == (7, 5)


def test_damage_absence_and_excess_are_nothing(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((5, 7), np.uint8)).save(buffer, "PNG")
    whole, file = buffer.getvalue(), tmp_path / "a.png"
    huge = whole[:16] + (30000).to_bytes(4, "big") * 2 + whole[24:]
    empty, ended = whole[:16] + bytes(8) + whole[24:], whole.replace(b"IDAT", b"IEND", 1)
    for data in (b"", whole[:20], whole[:36], b"x" + whole[1:], ended, huge, empty):
        file.write_bytes(data)
        assert read_png_header(file) is None, data
    assert read_png_header(tmp_path / "none.png") is None
