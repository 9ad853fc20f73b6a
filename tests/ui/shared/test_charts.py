"""Figures carry the data that they were given; no app."""

import itertools
import json

import numpy as np
import pytest

from segcore.ui.shared import charts

NAMES = ["field", "forest", "road"]
COLORS = ["#e69f00", "#009e73", "#808080"]
COUNTS = np.array([[90, 10, 0], [5, 15, 0], [0, 0, 0]])  # the road occurs nowhere


def test_bars_of_the_class_balance_keep_name_value_and_colour_together() -> None:
    (bars,) = charts.class_balance(NAMES, COLORS, [20.0, 70.0, 10.0], "%").data
    assert list(bars.x) == [
        10.0,
        20.0,
        70.0,
    ]  # drawn from the bottom: the largest stands at the top
    assert dict(zip(bars.y, bars.x, strict=True)) == {"field": 20.0, "forest": 70.0, "road": 10.0}
    assert dict(zip(bars.y, bars.marker.color, strict=True)) == dict(
        zip(NAMES, COLORS, strict=True)
    )
    assert list(bars.text) == ["10.00 %", "20.00 %", "70.00 %"]


def test_whole_numbers_are_written_as_such_and_the_longest_bar_fits() -> None:
    figure = charts.class_balance(NAMES, COLORS, [1200, 0, 7], "images")
    assert list(figure.data[0].text) == ["0", "7", "1,200"]
    low, high = figure.layout.xaxis.range
    assert low == 0 and high > 1200
    assert charts.class_balance(NAMES, COLORS, [0, 0, 0], "images").layout.xaxis.range[1] > 0


def test_neighbouring_series_have_other_colours() -> None:
    assert all(a != b for a, b in itertools.pairwise(charts.cycle_color(i) for i in range(20)))


def test_class_scores_show_an_absent_class_as_a_gap() -> None:
    figure = charts.class_scores(NAMES, COLORS, {"one": [0.5, 1.0, None]})
    (bars,) = figure.data
    assert (list(bars.x), list(bars.y)) == (NAMES, [50.0, 100.0, None])
    assert list(bars.marker.color) == COLORS
    assert not figure.layout.showlegend
    both = charts.class_scores(NAMES, COLORS, {"one": [0.5, 1.0, None], "two": [0.25, None, 0.0]})
    assert [(b.name, list(b.y)) for b in both.data] == [
        ("one", [50.0, 100.0, None]),
        ("two", [25.0, None, 0.0]),
    ]
    assert both.layout.showlegend


@pytest.mark.parametrize(
    ("normalise", "share"),
    [
        ("row", [[90, 10, 0], [25, 75, 0], [0, 0, 0]]),
        ("column", [[100 * 90 / 95, 40, 0], [100 * 5 / 95, 60, 0], [0, 0, 0]]),
        ("all", [[75, 100 / 12, 0], [100 / 24, 12.5, 0], [0, 0, 0]]),
    ],
)
def test_a_confusion_matrix_is_drawn_with_its_true_rows(normalise, share) -> None:
    figure = charts.confusion(COUNTS, NAMES, normalise)
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
    figure = charts.confusion(np.eye(40, dtype=np.int64), [str(i) for i in range(40)])
    assert len(figure.data) == 1


PATH = [
    {"num_groups": 3, "accuracy": 0.7, "mean_iou": 0.5, "retained_entropy": 1.0},
    {"num_groups": 2, "accuracy": 0.9, "mean_iou": None, "retained_entropy": 0.4},
]


def test_the_compression_curve_is_its_path_and_marks_what_is_chosen() -> None:
    figure = charts.compression_curve(PATH, 2)
    by_name = {trace.name: trace for trace in figure.data}
    assert list(by_name) == ["accuracy", "mean IoU"]
    assert (list(by_name["accuracy"].x), list(by_name["accuracy"].y)) == (
        [100.0, 40.0],
        [70.0, 90.0],
    )
    assert list(by_name["mean IoU"].y) == [50.0, None]
    first, chosen = by_name["accuracy"].marker.size
    assert chosen > first
    assert len(charts.compression_curve(PATH, 2, front=PATH[:1]).data) == 3


def test_shares_before_and_after_stand_side_by_side() -> None:
    series = {"before": [0.6, 0.3, 0.1], "after": [0.4, 0.3, 0.3]}
    figure = charts.before_after(NAMES, series)
    for bars, (name, shares) in zip(figure.data, series.items(), strict=True):
        assert (bars.name, list(bars.y)) == (name, pytest.approx([100 * share for share in shares]))
    assert figure.layout.barmode == "group"


def test_every_figure_can_be_written_as_json() -> None:
    figures = [
        charts.class_balance(NAMES, COLORS, [1, 2, 3], "images"),
        charts.class_scores(NAMES, COLORS, {"one": [None, None, None]}),
        charts.confusion(COUNTS, NAMES),
        charts.compression_curve(PATH, 3),
        charts.before_after(NAMES, {"before": [1, 0, 0]}),
    ]
    for figure in figures:
        assert "NaN" not in figure.to_json() and json.loads(figure.to_json())["data"]
