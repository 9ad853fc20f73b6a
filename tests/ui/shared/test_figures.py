"""How numbers are written: one way everywhere, and what is small is not nothing."""

import pytest

from segcore.ui.shared import figures


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.64652, "64.7 %"),
        (0.0, "0.0 %"),
        (1.0, "100.0 %"),
        (0.99996, "> 99.9 %"),
        (0.00042, "0.04 %"),
        (0.00001, "< 0.01 %"),
        (None, "–"),
        (float("nan"), "–"),
        (-0.25, "-25.0 %"),
    ],
)
def test_fractions_have_one_decimal_and_tiny_ones_say_so(fraction, text) -> None:
    assert figures.percent(fraction) == text


def test_an_absent_class_is_none_and_a_rare_one_is_not() -> None:
    assert figures.frequency(0) == "none"
    assert figures.frequency(1e-5) == "< 0.01 %"


@pytest.mark.parametrize(
    ("difference", "text"),
    [(0.0123, "+1.2 pp"), (-0.5, "-50.0 pp"), (-0.0001, "0.0 pp"), (0.0, "0.0 pp"), (None, "–")],
)
def test_differences_are_percentage_points_without_a_negative_zero(difference, text) -> None:
    assert figures.points(difference) == text


def test_intervals_and_p_values() -> None:
    assert figures.interval(0.556, 0.671) == "55.6–67.1 %"
    assert figures.interval(None, 0.5) == "–"
    assert figures.points_interval(-0.012, 0.034) == "-1.2 to +3.4 pp"
    assert [figures.p_value(p) for p in (None, 0.0004, 0.0341)] == ["–", "< 0.001", "0.034"]


def test_times_and_sizes() -> None:
    assert [figures.duration(s) for s in (40, 180, 7500)] == ["40 s", "3 min", "2 h 5 min"]
    assert [figures.size(b) for b in (812, 3.4e6, 12e9)] == ["812 B", "3.4 MB", "12.0 GB"]
