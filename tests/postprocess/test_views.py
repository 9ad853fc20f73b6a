"""Views are undone exactly; the table is the catalogue's."""

import numpy as np
import pytest

from segcore import catalog
from segcore.errors import SegcoreError
from segcore.postprocess.views import VIEWS, View, views_of


def test_the_names_are_the_catalogues() -> None:
    assert list(VIEWS) == list(catalog.TEST_TIME_AUGMENTATIONS)
    assert [len(v) for v in VIEWS.values()] == [1, 2, 4, 8, 3]
    assert all(views[0] == View() for views in VIEWS.values())
    with pytest.raises(SegcoreError, match="did you mean 'flips'"):
        views_of("flipss")


@pytest.mark.parametrize("view", VIEWS["turns"])
def test_what_is_applied_is_undone(view) -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 5, 2))
    seen = view.apply(image)
    assert seen.shape[:2] == view.grid((3, 5))
    np.testing.assert_array_equal(view.undo(seen), image)


def test_the_turns_are_the_eight_symmetries_of_a_square() -> None:
    corner = np.arange(9).reshape(3, 3, 1)
    assert len({view.apply(corner).tobytes() for view in VIEWS["turns"]}) == 8
    assert {v.apply(corner).tobytes() for v in VIEWS["flips"]} == {
        a.tobytes()
        for a in (corner, corner[::-1].copy(), corner[:, ::-1].copy(), corner[::-1, ::-1].copy())
    }


def test_scales_round_and_never_vanish() -> None:
    assert View(scale=0.75).scaled((10, 1)) == (8, 1) and View(scale=1.25).scaled((3, 4)) == (4, 5)
