"""GrabCut: the object inside a line, nothing outside of it, at any size."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.postprocess.cut_out import cut_out


def disc(side: int) -> tuple[np.ndarray, np.ndarray]:
    """A noisy picture of an orange disc on grey, and where the disc is."""
    rows, columns = np.mgrid[:side, :side] + 0.5
    inside = np.hypot(rows - side / 2, columns - side / 2) < side / 5
    image = np.where(inside[..., None], (220, 130, 20), (110, 115, 120)).astype(np.int16)
    image += np.random.default_rng(0).integers(-12, 13, image.shape, np.int16)
    return image.astype(np.uint8), inside


def square(side: int, share: float) -> list[tuple[float, float]]:
    low, high = side * (0.5 - share), side * (0.5 + share)
    return [(low, low), (high, low), (high, high), (low, high)]


@pytest.mark.parametrize("side", [100, 900])
def test_the_object_inside_the_line_is_cut_out(side):
    image, inside = disc(side)
    cut = cut_out(image, square(side, 0.3))
    assert cut.shape == inside.shape and cut.dtype == bool
    assert (cut & inside).sum() / (cut | inside).sum() > 0.97
    assert np.array_equal(cut, cut_out(image, square(side, 0.3)))


def test_nothing_outside_the_line_is_the_object():
    image, inside = disc(100)
    most = [(20.0, 20.0), (66.0, 20.0), (66.0, 80.0), (20.0, 80.0)]
    cut = cut_out(image, most)
    assert inside[:, 67:].any() and not cut[:, 67:].any()
    assert cut[:, :64][inside[:, :64]].mean() > 0.95


@pytest.mark.parametrize(
    "around",
    [
        [],
        [(10.0, 10.0), (60.0, 60.0)],
        [(10.0, 10.0), (11.0, 10.0), (11.0, 11.0)],
        [(-5.0, -5.0), (105.0, -5.0), (105.0, 105.0), (-5.0, 105.0)],
    ],
)
def test_a_line_around_nothing_or_everything_is_refused(around):
    with pytest.raises(SegcoreError, match="draw it again"):
        cut_out(disc(100)[0], around)


def test_where_nothing_differs_from_its_surroundings_nothing_is_cut_out():
    with pytest.raises(SegcoreError, match="draw it by hand"):
        cut_out(np.full((50, 50, 3), 90, np.uint8), square(50, 0.3))
