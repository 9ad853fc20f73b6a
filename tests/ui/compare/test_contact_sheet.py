"""A contact sheet holds each panel in its colours."""

import io

import numpy as np
from PIL import Image

from segcore.labels import LabelClass, LabelSet
from segcore.ui.compare.contact_sheet import BAD, BOTH, CELL, GAP, GOOD, LINE, draw, paint
from segcore.ui.viewer import Panel, Scene

LABELS = LabelSet((LabelClass(0, "sky", (0, 0, 255)), LabelClass(1, "road\n<b>", (255, 0, 0))))
BLACK = np.zeros((40, 40, 3), np.uint8)
TRUTH = np.zeros((40, 40), np.uint8)
TRUTH[:20], TRUTH[-4:] = 1, 255
FIRST, SECOND = TRUTH.copy(), TRUTH.copy()
FIRST[:, :10], SECOND[:, 30:] = 1 - FIRST[:, :10] % 2, 1 - SECOND[:, 30:] % 2
FIRST[:, 15:20] = SECOND[:, 15:20] = 1 - TRUTH[:, 15:20] % 2


def scene(*panels: Panel) -> Scene:
    base = (
        Panel("Image", "image"),
        Panel("T", mask=TRUTH, hidden=True),
        Panel("A", mask=FIRST, hidden=True),
    )
    return Scene("s", BLACK, (*base, *panels), LABELS, truth=1)


def test_error_and_difference_colour_what_is_wrong_and_leave_void_alone() -> None:
    shown = scene(Panel("E", "error", mask=FIRST), Panel("D", "difference", mask=SECOND, versus=2))
    void = TRUTH == 255
    error, change = (paint(shown, panel) for panel in shown.panels[3:])
    np.testing.assert_array_equal(error.any(-1), (FIRST != TRUTH) & ~void)
    was, now = FIRST == TRUTH, SECOND == TRUTH
    for color, where in ((GOOD, now & ~was), (BAD, was & ~now), (BOTH, ~was & ~now)):
        expected = (np.array(color, np.float32) * np.float32(0.85)).astype(np.uint8)
        np.testing.assert_array_equal(
            (np.abs(change.astype(int) - expected) <= 1).all(-1), where & ~void
        )


def test_every_row_has_its_shown_panels_side_by_side() -> None:
    one = scene(Panel("P", mask=FIRST))
    rows = [(one, "first"), (one, "second \N{SNOWMAN}" * 80)]
    sheet = np.asarray(Image.open(io.BytesIO(draw(rows, "title" * 100))).convert("RGB"))
    assert (
        sheet.shape[1] == 2 * (CELL + GAP) + GAP
    )  # the image and the prediction; what is hidden is not there
    for row in range(2):
        top = GAP + 2 * LINE + row * (CELL + LINE + GAP) + LINE
        left = GAP + CELL + GAP
        picture = sheet[top : top + CELL, left : left + CELL]
        np.testing.assert_array_equal(
            picture[CELL // 4, CELL // 2 + 60], (0.6 * np.array(LABELS.colors[1])).astype(np.uint8)
        )
        assert not sheet[top : top + CELL, GAP : GAP + CELL].any()
