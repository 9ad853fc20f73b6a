"""Figures about scores hold the numbers they are given, and know no app."""

import subprocess
import sys

import numpy as np
import pytest

from segcore.evaluation.metrics.slices import SliceScores
from segcore.ui.evaluate import charts as evaluate_charts

NAMES = ["field", "forest", "road"]
COUNTS = np.array([[90, 8, 2], [12, 36, 0], [1, 0, 0]])


def test_charts_are_drawn_without_an_app() -> None:
    code = (
        "import sys, segcore.ui.evaluate.charts, segcore.ui.compress.charts; print('streamlit' "
        "in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("order", [None, [2, 0, 1]])
def test_a_clicked_cell_names_its_classes_in_any_order(order) -> None:
    figure = evaluate_charts.confusion_matrix(COUNTS, NAMES, "row", order, cell=(1, 0))
    heat, *_, points = figure.data
    for x, y, (share, pixels, true, predicted) in zip(
        points.x, points.y, points.customdata, strict=True
    ):
        assert (y, x) == (NAMES[int(true)], NAMES[int(predicted)])
        assert pixels == COUNTS[int(true), int(predicted)]
        assert share == pytest.approx(100 * pixels / COUNTS[int(true)].sum())
    assert list(heat.x) == list(heat.y) == [NAMES[i] for i in order or range(3)]
    (box,) = figure.layout.shapes
    assert (heat.y[int(box.y0 + 0.5)], heat.x[int(box.x0 + 0.5)]) == ("forest", "field")


def test_many_classes_carry_no_point_a_cell() -> None:
    size = evaluate_charts.MAX_CLICKABLE + 1
    figure = evaluate_charts.confusion_matrix(
        np.eye(size, dtype=np.int64), [f"c{i}" for i in range(size)]
    )
    assert len(figure.data) == 1


def test_differences_are_sorted_by_what_their_interval_says() -> None:
    figure = evaluate_charts.differences(
        ["better", "worse", "unsure", "absent", "alone"],
        [0.1, -0.2, 0.05, None, 0.3],
        [(0.02, 0.2), (-0.3, -0.1), (-0.1, 0.2), (None, None), (None, None)],
    )
    assert {t.name: list(t.y) for t in figure.data} == {
        "A is better": ["better"],
        "B is better": ["worse"],
        "not significant": ["unsure", "alone"],
    }
    better = figure.data[0]
    assert (better.x[0], better.error_x.array[0], better.error_x.arrayminus[0]) == pytest.approx(
        (10, 10, 8)
    )


def test_above_the_line_a_wins() -> None:
    figure = evaluate_charts.image_pairs(["one", "two", "none"], [0.5, 0.2, None], [0.4, 0.6, 0.1])
    points = figure.data[0]
    assert [list(c) for c in points.customdata] == [["one"], ["two"]]
    assert list(points.y) == pytest.approx([50, 20]) and list(points.x) == pytest.approx([40, 60])
    assert len(evaluate_charts.image_pairs([], [], []).data[0].x) == 0


def test_parts_without_a_score_are_left_out() -> None:
    rows = [
        SliceScores("dark", 3, 0.4, None, [0.3, 0.5], "", ()),
        SliceScores("bright", 1, 0.6, None, [None, None], "", ()),
        SliceScores("empty", 1, None, None, [None, None], "", ()),
    ]
    points = evaluate_charts.part_scores(rows, 0.5).data[0]
    assert list(points.y) == ["dark", "bright"]
    assert list(points.error_x.array) == pytest.approx([10, 0]) and list(
        points.error_x.arrayminus
    ) == pytest.approx([10, 0])
    assert not evaluate_charts.part_scores([], None).data[0].x.size


def test_found_by_size_is_right_over_true() -> None:
    counts = np.zeros((3, 3, 3), np.int64)
    counts[0, 0] = [5, 20, 4]
    counts[1, 2] = [90, 100, 1]
    small, medium, large = evaluate_charts.recall_by_size(NAMES, counts).data
    assert (
        list(small.y) == [25, None, None]
        and list(medium.y) == [None] * 3
        and list(large.y) == [None, 90, None]
    )


def test_the_spread_reaches_from_the_worst_to_the_best() -> None:
    iou = np.array([[0.5, np.nan, 0.1], [0.7, np.nan, 0.3]])
    *members, span = evaluate_charts.member_spread(NAMES, ["a", "b"], iou).data
    assert list(members[1].x) == pytest.approx([70, None, 30])
    assert list(span.y) == ["field", "field", None, "road", "road", None]
    assert [v for v in span.x if v is not None] == pytest.approx([50, 70, 10, 30])
