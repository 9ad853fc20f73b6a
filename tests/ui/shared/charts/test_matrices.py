"""Matrices carry the counts that they were given; no app."""

import json

import numpy as np
import pytest

from segcore.ui.shared.charts.matrices import MANY, confusion

NAMES = ["field", "forest", "road"]
COUNTS = np.array([[90, 10, 0], [5, 15, 0], [0, 0, 0]])  # the road occurs nowhere


@pytest.mark.parametrize("count", [59, 150])
def test_many_classes_are_named_at_a_matrix_where_they_can_be_read(count) -> None:
    names = [f"class {i}" for i in range(count)]
    matrix = confusion(np.eye(count, dtype=np.int64), names)
    if count <= MANY:
        assert matrix.layout.xaxis.dtick == matrix.layout.yaxis.dtick == 1
        assert matrix.layout.xaxis.tickangle == -90
    else:
        assert matrix.layout.xaxis.showticklabels is False


@pytest.mark.parametrize(
    ("normalise", "share"),
    [
        ("row", [[90, 10, 0], [25, 75, 0], [0, 0, 0]]),
        ("column", [[100 * 90 / 95, 40, 0], [100 * 5 / 95, 60, 0], [0, 0, 0]]),
        ("all", [[75, 100 / 12, 0], [100 / 24, 12.5, 0], [0, 0, 0]]),
    ],
)
def test_a_confusion_matrix_is_drawn_with_its_true_rows(normalise, share) -> None:
    figure = confusion(COUNTS, NAMES, normalise)
    cells, weak, strong = figure.data
    assert {*weak.text, *strong.text} == {f"{v:.0f}" for row in share for v in row if v >= 0.5}
    assert (
        max(map(float, weak.text)) < min(map(float, strong.text))
        and strong.textfont.color == "white"
        and weak.textfont.color is None
    )
    shown = np.asarray(cells.customdata)
    np.testing.assert_allclose(shown[..., 0], share)
    np.testing.assert_array_equal(shown[..., 1], COUNTS)
    np.testing.assert_allclose(np.asarray(cells.z) ** 2, share)
    assert (figure.layout.yaxis.title.text, figure.layout.xaxis.title.text) == ("true", "predicted")
    assert figure.layout.yaxis.autorange == "reversed"  # the first class stands in the first row


def test_a_large_confusion_matrix_has_no_text_in_its_cells() -> None:
    figure = confusion(np.eye(40, dtype=np.int64), [str(i) for i in range(40)])
    assert len(figure.data) == 1


def test_a_matrix_with_an_absent_class_can_be_written_as_json() -> None:
    text = confusion(COUNTS, NAMES).to_json()
    assert "NaN" not in text and json.loads(text)["data"]
