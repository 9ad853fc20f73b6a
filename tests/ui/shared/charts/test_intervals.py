"""Differences stand out where their intervals say so; no app."""

import pytest

from segcore.ui.shared.charts.intervals import signed_intervals

KINDS = ("gains", "loses", "not significant")


def test_a_row_stands_out_where_its_whole_interval_is_on_one_side_of_0() -> None:
    figure = signed_intervals(
        ["up", "down", "open", "absent"],
        [0.02, -0.03, 0.01, None],
        [(0.01, 0.04), (-0.05, -0.02), (-0.01, 0.03), (None, None)],
        KINDS,
        "pp",
    )
    assert [(trace.name, list(trace.y)) for trace in figure.data] == [
        ("gains", ["up"]),
        ("loses", ["down"]),
        ("not significant", ["open"]),
    ]
    gains, loses, _ = figure.data
    assert (list(gains.x), list(loses.x)) == (pytest.approx([2]), pytest.approx([-3]))
    assert list(gains.error_x.array) == pytest.approx([2])
    assert list(gains.error_x.arrayminus) == pytest.approx([1])
    rows = figure.layout.yaxis
    assert list(rows.categoryarray) == ["up", "down", "open"]
    assert rows.range == (2.5, -0.5)  # the first on top, without a band above and below


def test_a_row_without_an_interval_or_that_fails_among_many_does_not_stand_out() -> None:
    figure = signed_intervals(
        ["one", "two"],
        [0.02, 0.03],
        [(0.01, 0.03), (None, None)],
        KINDS,
        "pp",
        undetermined=[True, False],
    )
    (quiet,) = figure.data
    assert (quiet.name, list(quiet.y)) == ("not significant", ["one", "two"])
    assert list(quiet.error_x.array) == pytest.approx([1, 0])  # no interval: no bar
