"""Masks that evaluate must not score as they stand: blurred, stacked, numbered or void otherwise."""

import io

import numpy as np
import pytest
from PIL import Image

from segcore.cli import main

CLASSES = "id,name,color\n0,bg,#000000\n1,car,#ff0000\n2,tree,#00ff00\n"


def stripes(*ids):
    return np.tile(np.repeat(np.array(ids, np.uint8), 10), (24, 1))


@pytest.fixture
def score(tmp_path, capsys):
    """Write truth and predictions, score them, and return what the shell says."""

    def run(truth, prediction, ending="png", classes=CLASSES):
        for folder in ("truth", "pred"):
            (tmp_path / folder).mkdir()
        (tmp_path / "classes.csv").write_text(classes)
        for number in range(3):
            Image.fromarray(truth).save(tmp_path / f"truth/{number}.png")
            (tmp_path / f"pred/{number}.{ending}").write_bytes(prediction)
        places = [f"--{n}={tmp_path / p}" for n, p in (("truth", "truth"), ("prediction", "pred"))]
        try:
            main(["evaluate", *places, f"--classes={tmp_path / 'classes.csv'}"])
        except SystemExit as stopped:
            assert stopped.code == 2
        said = capsys.readouterr()
        return said.out + said.err

    return run


def packed(image, form="PNG", **how):
    out = io.BytesIO()
    image.save(out, form, **how)
    return out.getvalue()


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_a_jpeg_is_no_prediction(score, ending):
    said = score(stripes(0, 1, 2), packed(Image.fromarray(stripes(0, 1, 2)), "JPEG"), ending)
    assert "without loss, received the JPEG" in said and "IoU" not in said


def test_a_stack_is_no_prediction(score):
    pages = [Image.fromarray(stripes(2, 1, 0))]
    data = packed(Image.fromarray(stripes(0, 1, 2)), "TIFF", save_all=True, append_images=pages)
    assert "several pages" in score(stripes(0, 1, 2), data, "tif")


def test_a_palette_in_another_order_is_not_scored_by_index(score):
    image = Image.fromarray(stripes(0, 2, 1), "P")
    image.putpalette([0, 0, 0, 0, 255, 0, 255, 0, 0])
    said = score(stripes(0, 1, 2), packed(image))
    assert "gives index 1, the id of 'car', the colour of 'tree'" in said


def test_a_palette_in_the_tables_order_is(score):
    image = Image.fromarray(stripes(0, 1, 2), "P")
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    assert "Mean IoU 100.0 %" in score(stripes(0, 1, 2), packed(image))


def test_a_foreground_of_255_is_not_left_out_of_the_score(score):
    said = score(
        stripes(0, 255, 255),
        packed(Image.fromarray(stripes(0, 1, 1))),
        classes="id,name\n0,bg\n1,fg\n",
    )
    assert "declare 255 in the class table" in said and "IoU" not in said


def test_a_border_of_255_is(score):
    said = score(stripes(0, 1, 255), packed(Image.fromarray(stripes(0, 1, 1))))
    assert "Mean IoU 100.0 %" in said and "33.3 % of the pixels ignored" in said


def test_a_transparent_prediction_is_no_background(score):
    pixels = np.zeros((24, 30, 4), np.uint8)
    pixels[:, :10, 3] = 255
    said = score(stripes(0, 1, 2), packed(Image.fromarray(pixels, "RGBA")))
    assert "it holds none at 480 of them" in said
