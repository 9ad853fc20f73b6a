"""Config fields describe themselves; forms, flags, checks and search spaces read them here.

A field is declared once, with :func:`option`. Its title, help, allowed values, flag and search
range stand in the metadata of the dataclass field, and everything else is derived from them: the
parser, the form of the Train page, the check of JSON and YAML, the command line that a page shows,
the notebook's ``params``, the grid and the search space.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar, get_type_hints

from segcore.catalog import Choice
from segcore.errors import SegcoreError, unknown

T = TypeVar("T")
MAX_DIGITS = 18
"""Digits of a whole number in a text; longer ones are refused before they are read."""


@dataclass(frozen=True)
class Range:
    """Positive numbers from low to high, searched on a logarithmic scale.

    Attributes:
        low: The smallest, included.
        high: The largest, included.
        points: How many of them a grid takes, at equal ratios.
    """

    low: float
    high: float
    points: int = 3

    def __post_init__(self) -> None:
        """Refuse an empty range and a grid of one point."""
        if not 0 < self.low < self.high:
            raise SegcoreError(
                f"Expected a range 0 < low < high, received {self.low:g} to {self.high:g}: "
                "change one of the ends."
            )
        if not 2 <= self.points <= 100:
            raise SegcoreError(
                f"Expected 2 to 100 points of a range, received {self.points}: choose a number "
                "in that range."
            )

    @property
    def values(self) -> tuple[float, ...]:
        """The grid's points, from low to high, ``low * (high / low) ** (i / (points - 1))``."""
        ratio = self.high / self.low
        inner = (
            float(f"{self.low * ratio ** (i / (self.points - 1)):.6g}")
            for i in range(1, self.points - 1)
        )
        return (self.low, *inner, self.high)


@dataclass(frozen=True)
class Option:
    """What a field of a config says about itself.

    Attributes:
        title: Its label in a form, a noun.
        help: One or two sentences: what it does, its unit, when to change it.
        table: Names that it may have; None where it is a number or free text.
        low: The smallest number allowed.
        high: The largest number allowed.
        names_of: Where its names come from in a dataset: "splits", "label_maps" or "plans".
        empty: What "" is shown as, where it is allowed.
        flag: Its flag without dashes, where that is not its name.
        aliases: Older flags that still work.
        sums: Whether weighted sums of names are allowed ("dice + 0.5*focal").
        grid: Whether a grid of runs may vary it.
        search: Whether a search may vary it: True for all its names, a :class:`Range`, or values.
        section: Where the form shows it: "model", "training" or "advanced".
        digits: Decimal places of a number in a form.
        step: Step of a number in a form; None for one.
    """

    title: str
    help: str
    table: Mapping[str, Choice] | None = None
    low: float | None = None
    high: float | None = None
    names_of: str = ""
    empty: str = ""
    flag: str = ""
    aliases: tuple[str, ...] = ()
    sums: bool = False
    grid: bool = True
    search: bool | Range | tuple[Any, ...] = False
    section: str = "advanced"
    digits: int = 2
    step: float | None = None


def option(default: T, title: str, help: str, **more: Any) -> T:
    """Declare a field of a config; see :class:`Option` for what may be said about it.

    Returns:
        A dataclass field; typed as its default, as ``dataclasses.field`` is.
    """
    option = Option(title, help, **more)
    return field(default=default, metadata={"option": option})  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Setting:
    """One field of a config, and of the configs inside it.

    Attributes:
        name: The field's name, unlike all others of the config.
        path: Its path in the config: ("recipe", "loss").
        kind: Its type.
        default: Its default.
        option: What it says about itself.
    """

    name: str
    path: tuple[str, ...]
    kind: Any
    default: Any
    option: Option

    @property
    def flag(self) -> str:
        """Its flag in the shell: "--learning-rate"."""
        return f"--{(self.option.flag or self.name).replace('_', '-')}"

    def get(self, config: Any) -> Any:
        """Return its value in a config."""
        for part in self.path:
            config = getattr(config, part)
        return config

    def read(self, text: str) -> Any:
        """Read its value from text, as :meth:`write` writes it.

        Raises:
            SegcoreError: The text is no such value.
        """
        text = text.strip()
        if self.kind is str:
            return "" if text == "none" and self.option.empty else text
        if self.kind is bool:
            if text.lower() in ("true", "false"):
                return text.lower() == "true"
            raise self._refused(text, "true or false")
        if self.kind == tuple[int, int]:
            return read_size(text)
        if self.kind == tuple[str, ...]:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        return self._number(text)

    def _number(self, text: str) -> int | float:
        whole = self.kind is int
        digits = text.lstrip("+-")
        if not whole or (digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS):
            try:
                value: int | float = int(text) if whole else float(text)
            except ValueError:
                value = math.nan
            if math.isfinite(value):
                return value
        raise self._refused(text, "a whole number" if whole else "a number")

    def _refused(self, text: str, what: str) -> SegcoreError:
        return SegcoreError(
            f"Expected {what} for {self.name}, received {shortened(text)}: change that value."
        )

    def write(self, value: Any) -> str:
        """Write its value as text that :meth:`read` reads back."""
        if isinstance(value, bool):
            return str(value).lower()
        if self.kind == tuple[int, int]:
            return "x".join(map(str, value))
        return ",".join(value) if isinstance(value, tuple) else str(value)

    def usage(self) -> str:
        """Return its help for the shell, with the values allowed and the default."""
        option = self.option
        parts = [option.help]
        if option.table is not None:
            names = list(option.table)
            listed = ", ".join(names[:8]) + (f", ... ({len(names)} in all)" if names[8:] else "")
            parts.append(f"One of {listed}.")
        elif option.low is not None and option.high is not None:
            parts.append(f"{count(option.low)} to {count(option.high)}.")
        if self.kind is not bool and self.default not in ("", ()):
            number = isinstance(self.default, (int, float))
            parts.append(f"Default: {count(self.default) if number else self.write(self.default)}.")
        return " ".join(parts)


def count(number: float) -> str:
    """Write a limit for a person: 100,000 and 1e-08."""
    return f"{int(number):,}" if float(number).is_integer() else f"{number:g}"


def shortened(value: object) -> str:
    """Return what was received, quoted, in at most sixty characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:40]}... ({len(text)} characters)"


def read_size(text: str) -> tuple[int, int]:
    """Read "HEIGHTxWIDTH" in pixels.

    Raises:
        SegcoreError: The text is not two whole numbers.
    """
    parts = [part.strip() for part in text.lower().replace("×", "x").split("x")]
    if len(parts) != 2 or not all(p.isascii() and p.isdigit() and len(p) <= 9 for p in parts):
        raise SegcoreError(
            "Expected a size as HEIGHTxWIDTH (for example 96x128), received "
            f"{shortened(text)}: write two whole numbers."
        )
    return int(parts[0]), int(parts[1])


@lru_cache(maxsize=64)
def settings(cls: Any) -> dict[str, Setting]:
    """Return the declared fields of a config and of the configs inside it, by name, in order."""
    hints = get_type_hints(cls)
    declared: dict[str, Setting] = {}
    for entry in dataclasses.fields(cls):
        kind = hints[entry.name]
        if "option" in entry.metadata:
            option = entry.metadata["option"]
            declared[entry.name] = Setting(entry.name, (entry.name,), kind, entry.default, option)
        elif dataclasses.is_dataclass(kind) and isinstance(kind, type):
            inner = {
                name: dataclasses.replace(one, path=(entry.name, *one.path))
                for name, one in settings(kind).items()
            }
            declared |= inner
    return declared


def own_settings(cls: Any) -> list[Setting]:
    """Return the declared fields of a config, without those of the configs inside it."""
    return [one for one in settings(cls).values() if len(one.path) == 1]


def check(config: Any) -> None:
    """Refuse a value of a config that its own declared fields do not allow; called by each config.

    Raises:
        SegcoreError: A name is in no table, or a number is out of range; the field is named.
    """
    for one in own_settings(type(config)):
        check_value(one, getattr(config, one.name))


def check_value(setting: Setting, value: Any) -> None:
    """Refuse a value that a field does not allow.

    Raises:
        SegcoreError: The name is in no table, or the number out of range.
    """
    option, name = setting.option, setting.name
    if option.table is not None and not option.sums:
        for part in value if isinstance(value, tuple) else (value,):
            if part not in option.table and not (part == "" and option.empty):
                raise unknown(name.replace("_", " "), part, option.table)
    if option.low is None or option.high is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SegcoreError(
            f"Expected a number for {name}, received {shortened(value)}: change that value."
        )
    if not option.low <= value <= option.high:
        raise SegcoreError(
            f"Expected {name} between {count(option.low)} and {count(option.high)}, received "
            f"{shortened(value)}: choose a value in that range."
        )


def flags(
    config: Any, *, nested: bool = True, skip: tuple[str, ...] = (), base: Any = None
) -> list[str]:
    """Return the flags of a command line that give a config: those of values that are no defaults.

    Args:
        config: The config.
        nested: Whether those of the configs inside it are among them.
        skip: Names of fields that are left out.
        base: A config whose values are the defaults; None for those of the fields.
    """
    words: list[str] = []
    declared: Any = type(config)
    for one in settings(declared).values():
        value, usual = one.get(config), one.default if base is None else one.get(base)
        if one.name in skip or (len(one.path) > 1 and not nested):
            continue
        if isinstance(value, bool):
            if value != usual:
                words.append(one.flag if value else one.flag.replace("--", "--no-", 1))
        elif value != usual:
            words += [one.flag, one.write(value)]
    return words
