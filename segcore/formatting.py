"""Numbers as people read them, the same on every page and in the shell."""

GIB = 1 << 30


def percent(value: float | None, digits: int = 2) -> str:
    """Write a fraction 0..1 as a percentage; "–" where it is undefined."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def number(value: float | None, digits: int = 4) -> str:
    """Write a number with fixed digits; "–" where it is undefined."""
    return "–" if value is None else f"{value:.{digits}f}"


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


def gib(size: float) -> str:
    """Write bytes in GiB with one digit."""
    return f"{size / GIB:.1f} GiB"
