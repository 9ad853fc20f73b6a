"""Numbers as people read them, the same on every page, in reports and in the shell."""

import math

GIB = 1 << 30
TINY = 1e-4
"""Fractions below this are written as "< 0.01 %": they are small, not absent."""


def _is_undefined(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


def percent(fraction: float | None, digits: int = 1) -> str:
    """Write a fraction 0..1 as a percentage, with one decimal: "64.7 %".

    Returns:
        "–" where it is undefined; "< 0.01 %" where it is tiny but not 0; two decimals below 0.1 %;
        "> 99.9 %" where rounding would claim all. With no digits it is rounded and nothing else.
    """
    if fraction is None or _is_undefined(fraction):
        return "–"
    size, sign = abs(fraction), "-" if fraction < 0 else ""
    if digits:
        if 0 < size < TINY:
            return f"< {sign}0.01 %"
        if 0 < size < 1e-3:
            return f"{sign}{100 * size:.2f} %"
        if 0.9995 <= size < 1:
            return f"> {sign}99.9 %"
    return f"{sign}{100 * size:.{digits}f} %"


def frequency(fraction: float | None) -> str:
    """Write how frequent a class is, as :func:`percent` does; "none" where it does not occur."""
    return "none" if fraction == 0 else percent(fraction)


def signed(value: float | None, digits: int = 1) -> str:
    """Write a change with its sign: "+2.3", "0.0" for what rounds to nothing, "–" if undefined."""
    if value is None or _is_undefined(value):
        return "–"
    text = f"{value:+z.{digits}f}"
    return text[1:] if float(text) == 0 else text


def points(difference: float | None, digits: int = 1, *, unit: str = " pp") -> str:
    """Write a difference of two fractions in percentage points: "+2.3 pp"; "–" where undefined."""
    if difference is None or _is_undefined(difference):
        return "–"
    return signed(100 * difference, digits) + unit


def in_points(difference: float | None) -> float | None:
    """Return a difference of two fractions in points, for a table; 0 where it rounds to nothing."""
    if difference is None or _is_undefined(difference):
        return None
    return 0.0 if signed(100 * difference) == "0.0" else 100 * difference


def change(difference: float | None) -> str | None:
    """Write a difference as :func:`points`; None where it is undefined or rounds to nothing."""
    text = points(difference)
    return None if text in ("–", points(0.0)) else text


def interval(low: float | None, high: float | None) -> str:
    """Write an interval of a fraction 0..1: "55.6–67.1 %"; "–" where there is none."""
    if low is None or high is None or _is_undefined(low) or _is_undefined(high):
        return "–"
    dash = " to " if low < 0 else "–"
    return f"{100 * low:z.1f}{dash}{100 * high:z.1f} %"


def span(low: float | None, high: float | None, digits: int = 4) -> str:
    """Write the ends of an interval of numbers: "0.5560 to 0.6710"; "–" where there is none."""
    if low is None or high is None or _is_undefined(low) or _is_undefined(high):
        return "–"
    return f"{number(low, digits)} to {number(high, digits)}"


def points_interval(
    low: float | None, high: float | None, digits: int = 1, *, unit: str = " pp"
) -> str:
    """Write an interval of a difference: "-1.2 to +3.4 pp"; "–" where there is none."""
    if low is None or high is None or _is_undefined(low) or _is_undefined(high):
        return "–"
    return f"{points(low, digits, unit='')} to {points(high, digits, unit='')}{unit}"


def p_value(p: float | None) -> str:
    """Write a p value: "0.034", "< 0.001"; "–" where there is none."""
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def number(value: float | None, digits: int = 4) -> str:
    """Write a number with fixed digits; "–" where it is undefined."""
    return "–" if value is None or _is_undefined(value) else f"{value:z.{digits}f}"


def plural(count: int, noun: str) -> str:
    """Write a count with its noun: "1 epoch", "20 epochs", "2 classes"."""
    ending = "" if count == 1 else "es" if noun.endswith(("s", "x", "tch")) else "s"
    return f"{count:,} {noun}{ending}"


def duration(seconds: float) -> str:
    """Write a length of time: "40 s", "3 min", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def gib(count: float, digits: int = 1) -> str:
    """Write bytes of memory, and of disk beside memory: "1.5 GiB"."""
    return f"{count / GIB:.{digits}f} GiB"


def size(count: float) -> str:
    """Write bytes of files and disks: "812 B", "3.4 MB", "12.0 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
