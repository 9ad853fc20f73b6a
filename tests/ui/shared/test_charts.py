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
    assert list(bars.text) == ["10.0 %", "20.0 %", "70.0 %"]


def test_whole_numbers_are_written_as_such_and_the_longest_bar_fits() -> None:
    figure = charts.class_balance(NAMES, COLORS, [12, 0, 7], "images")
    assert list(figure.data[0].text) == ["none", "7", "12"]
    low, high = figure.layout.xaxis.range
    assert low == 0 and high > 12
    assert charts.class_balance(NAMES, COLORS, [0, 0, 0], "images").layout.xaxis.range[1] > 0


def test_a_class_that_is_rare_and_one_that_is_absent_are_told_apart_on_a_log_axis() -> None:
    figure = charts.class_balance(NAMES, COLORS, [0.001, 99.999, 0.0], "%")
    assert list(figure.data[0].text) == ["none", "< 0.01 %", "> 99.9 %"]
    assert figure.layout.xaxis.type == "log"
    low, high = figure.layout.xaxis.range
    assert low < np.log10(0.001) and high > np.log10(99.999)


@pytest.mark.parametrize("count", [59, 150])
def test_many_classes_keep_a_tick_each_where_they_can_be_read(count) -> None:
    names = [f"class {i}" for i in range(count)]
    values = np.linspace(1e-4, 1, count) / count
    bars = charts.class_balance(names, ["#123456"] * count, (100 * values).tolist(), "%")
    groups = charts.before_after(names, {"before": values.tolist(), "after": values.tolist()})
    scores = charts.class_scores(
        names, ["#123456"] * count, values.tolist(), [(None, None)] * count
    )
    for figure in (bars, groups, scores):
        assert figure.layout.yaxis.dtick == 1
        assert figure.layout.height / count >= 16  # pixels per line of text
    matrix = charts.confusion(np.eye(count, dtype=np.int64), names)
    if count <= charts.MANY:
        assert matrix.layout.xaxis.dtick == matrix.layout.yaxis.dtick == 1
        assert matrix.layout.xaxis.tickangle == -90
    else:
        assert matrix.layout.xaxis.showticklabels is False


def test_neighbouring_series_have_other_colours() -> None:
    assert all(a != b for a, b in itertools.pairwise(charts.cycle_color(i) for i in range(20)))


def test_class_scores_are_sorted_carry_their_intervals_and_leave_absent_classes_out() -> None:
    intervals = [(0.4, 0.7), (None, None), (None, None)]
    (bars,) = charts.class_scores(NAMES, COLORS, [0.5, 1.0, None], intervals).data
    assert (list(bars.y), list(bars.x)) == (["field", "forest"], [50.0, 100.0])
    assert list(bars.marker.color) == COLORS[:2]
    assert list(bars.error_x.array) == pytest.approx([20, 0])
    assert list(bars.error_x.arrayminus) == pytest.approx([10, 0])


def test_scores_of_several_models_show_an_absent_class_as_a_gap() -> None:
    both = charts.model_scores(NAMES, {"one": [0.5, 1.0, None], "two": [0.25, None, 0.0]})
    assert [(b.name, list(b.y)) for b in both.data] == [
        ("one", [50.0, 100.0, None]),
        ("two", [25.0, None, 0.0]),
    ]


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
        charts.class_scores(NAMES, COLORS, [None] * 3, [(None, None)] * 3),
        charts.confusion(COUNTS, NAMES),
        charts.compression_curve(PATH, 3),
        charts.before_after(NAMES, {"before": [1, 0, 0]}),
    ]
    for figure in figures:
        assert "NaN" not in figure.to_json() and json.loads(figure.to_json())["data"]
