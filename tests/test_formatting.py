"""How numbers are written: one way in pages, reports and the shell; what is small is not nothing."""

import re
from pathlib import Path

import pytest

from segcore import formatting


@pytest.mark.parametrize(
    ("fraction", "digits", "text"),
    [
        (0.64652, 1, "64.7 %"),
        (0.64652, 0, "65 %"),
        (0.0, 1, "0.0 %"),
        (1.0, 1, "100.0 %"),
        (0.99996, 1, "> 99.9 %"),
        (0.00042, 1, "0.04 %"),
        (0.00001, 1, "< 0.01 %"),
        (-0.25, 1, "-25.0 %"),
        (None, 1, "–"),
        (float("nan"), 1, "–"),
        (float("inf"), 1, "–"),
    ],
)
def test_fractions(fraction, digits, text) -> None:
    assert formatting.percent(fraction, digits) == text


def test_memory_and_files_have_a_unit_each() -> None:
    assert formatting.gib(1.5 * formatting.GIB) == "1.5 GiB"
    assert formatting.gib(3 << 28, 2) == "0.75 GiB"
    assert [formatting.size(b) for b in (812, 3.4e6, 12e9)] == ["812 B", "3.4 MB", "12.0 GB"]


def test_numbers_and_counts() -> None:
    assert [formatting.change(v) for v in (0.023, -0.0004, 0.0, None)] == ["+2.3 pp"] + [None] * 3
    assert [formatting.number(v) for v in (0.5, None, float("nan"))] == ["0.5000", "–", "–"]
    assert [formatting.plural(n, "class") for n in (1, 1200)] == ["1 class", "1,200 classes"]
    assert [formatting.duration(s) for s in (40, 180, 7500)] == ["40 s", "3 min", "2 h 5 min"]


def test_an_absent_class_is_none_and_a_rare_one_is_not() -> None:
    assert formatting.frequency(0) == "none"
    assert formatting.frequency(1e-5) == "< 0.01 %"


@pytest.mark.parametrize(
    ("difference", "text"),
    [(0.0123, "+1.2 pp"), (-0.5, "-50.0 pp"), (-0.0001, "0.0 pp"), (0.0, "0.0 pp"), (None, "–")],
)
def test_differences_are_percentage_points_without_a_negative_zero(difference, text) -> None:
    assert formatting.points(difference) == text


def test_intervals_and_p_values() -> None:
    assert formatting.interval(0.556, 0.671) == "55.6–67.1 %"
    assert formatting.interval(-0.016, 0.061) == "-1.6 to 6.1 %"
    assert formatting.interval(-0.0001, 0.061) == "0.0 to 6.1 %"
    assert formatting.interval(None, 0.5) == "–"
    assert formatting.interval(float("nan"), 0.5) == "–"
    assert formatting.points_interval(-0.012, 0.034) == "-1.2 to +3.4 pp"
    assert [formatting.p_value(p) for p in (None, 0.0004, 0.0341)] == ["–", "< 0.001", "0.034"]


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.014, 2, "+0.01"),
        (-0.004, 2, "0.00"),
        (0.0, 3, "0.000"),
        (-1.26, 1, "-1.3"),
        (None, 1, "–"),
    ],
)
def test_changes_have_a_sign_and_nothing_has_none(value, digits, text) -> None:
    assert formatting.signed(value, digits) == text
    assert formatting.number(-0.00004) == "0.0000"


def test_points_of_a_table_are_no_negative_nothing() -> None:
    assert [formatting.in_points(v) for v in (-0.0004, 0.0126, None, float("nan"))] == [
        0.0,
        pytest.approx(1.26),
        None,
        None,
    ]
    assert str(formatting.in_points(-0.0004)) == "0.0"


def test_every_sign_is_written_by_this_module() -> None:
    """A sign of one's own writes "-0.0" where a change rounds to nothing."""
    own = re.compile(r"(?<!%)\{[^{}%]*:\+[^{}]*\}")
    folder = Path(formatting.__file__).parent
    files = [*folder.rglob("*.py"), *folder.parent.joinpath("pages").glob("*.py")]
    found = [
        f"{path.name}: {line.strip()}"
        for path in files
        if path.name != "formatting.py"
        for line in path.read_text().splitlines()
        if own.search(line) and "hovertemplate" not in line
    ]
    assert not found
