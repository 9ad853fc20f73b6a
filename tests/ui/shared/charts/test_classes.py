"""Charts of classes carry the data that they were given; no app."""

import json

import numpy as np
import pytest

from segcore.ui.shared.charts.classes import before_after, class_balance, class_scores, model_scores

NAMES = ["field", "forest", "road"]
COLORS = ["#e69f00", "#009e73", "#808080"]


def test_bars_of_the_class_balance_keep_name_value_and_colour_together() -> None:
    (bars,) = class_balance(NAMES, COLORS, [20.0, 70.0, 10.0], "%").data
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
    figure = class_balance(NAMES, COLORS, [12, 0, 7], "images")
    assert list(figure.data[0].text) == ["none", "7", "12"]
    low, high = figure.layout.xaxis.range
    assert low == 0 and high > 12
    assert class_balance(NAMES, COLORS, [0, 0, 0], "images").layout.xaxis.range[1] > 0


def test_a_class_that_is_rare_and_one_that_is_absent_are_told_apart_on_a_log_axis() -> None:
    figure = class_balance(NAMES, COLORS, [0.001, 99.999, 0.0], "%")
    assert list(figure.data[0].text) == ["none", "< 0.01 %", "> 99.9 %"]
    assert figure.layout.xaxis.type == "log"
    low, high = figure.layout.xaxis.range
    assert low < np.log10(0.001) and high > np.log10(99.999)


@pytest.mark.parametrize("count", [59, 150])
def test_many_classes_keep_a_tick_each_where_they_can_be_read(count) -> None:
    names = [f"class {i}" for i in range(count)]
    values = np.linspace(1e-4, 1, count) / count
    bars = class_balance(names, ["#123456"] * count, (100 * values).tolist(), "%")
    groups = before_after(names, {"before": values.tolist(), "after": values.tolist()})
    scores = class_scores(names, ["#123456"] * count, values.tolist(), [(None, None)] * count)
    for figure in (bars, groups, scores):
        assert figure.layout.yaxis.dtick == 1
        assert figure.layout.height / count >= 16  # pixels per line of text


def test_class_scores_are_sorted_carry_their_intervals_and_leave_absent_classes_out() -> None:
    intervals = [(0.4, 0.7), (None, None), (None, None)]
    (bars,) = class_scores(NAMES, COLORS, [0.5, 1.0, None], intervals).data
    assert (list(bars.y), list(bars.x)) == (["field", "forest"], [50.0, 100.0])
    assert list(bars.marker.color) == COLORS[:2]
    assert [bars.error_x.array[0], bars.error_x.arrayminus[0]] == pytest.approx([20, 10])
    assert np.isnan([bars.error_x.array[1], bars.error_x.arrayminus[1]]).all()  # no whisker
    assert "NaN" not in bars.to_json()  # sent as bytes: null would be drawn as 0
    assert list(bars.customdata) == ["40.0 to 70.0", "no interval"]


def test_scores_of_several_models_show_an_absent_class_as_a_gap() -> None:
    both = model_scores(NAMES, {"one": [0.5, 1.0, None], "two": [0.25, None, 0.0]})
    assert [(b.name, list(b.y)) for b in both.data] == [
        ("one", [50.0, 100.0, None]),
        ("two", [25.0, None, 0.0]),
    ]


def test_shares_before_and_after_stand_side_by_side() -> None:
    series = {"before": [0.6, 0.3, 0.1], "after": [0.4, 0.3, 0.3]}
    figure = before_after(NAMES, series)
    for bars, (name, shares) in zip(figure.data, series.items(), strict=True):
        assert (bars.name, list(bars.y)) == (name, pytest.approx([100 * share for share in shares]))
    assert figure.layout.barmode == "group"


def test_every_figure_can_be_written_as_json() -> None:
    figures = [
        class_balance(NAMES, COLORS, [1, 2, 3], "images"),
        class_scores(NAMES, COLORS, [None] * 3, [(None, None)] * 3),
        before_after(NAMES, {"before": [1, 0, 0]}),
    ]
    for figure in figures:
        assert "NaN" not in figure.to_json() and json.loads(figure.to_json())["data"]
