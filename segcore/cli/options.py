"""Flags from the declared fields of a config, and a config from its flags."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from segcore.cli.command import Options, parse_count
from segcore.config.schema import Setting, own_settings, settings, shortened
from segcore.errors import SegcoreError

MOST = 4_294_967_295
"""Largest seed."""


def add_settings(parser: Any, cls: type, *, nested: bool = True) -> None:
    """Add a flag for every declared field of a config; what is not given stays None.

    Args:
        parser: A parser or a group of arguments.
        cls: The config's class.
        nested: Whether the fields of the configs inside it get flags too.
    """
    for one in settings(cls).values() if nested else own_settings(cls):
        add_setting(parser, one)


def add_setting(parser: Any, one: Setting) -> None:
    """Add the flag of one field."""
    names = [one.flag, *(f"--{alias}" for alias in one.option.aliases)]
    common: dict[str, Any] = {"dest": destination(one), "help": one.usage().replace("%", "%%")}
    if one.kind is bool and one.default is False:
        parser.add_argument(*names, action="store_true", default=None, **common)
    elif one.kind is bool:
        parser.add_argument(*names, action=argparse.BooleanOptionalAction, default=None, **common)
    else:
        parser.add_argument(*names, metavar=one.flag.strip("-").upper().replace("-", "_"), **common)


def whole_number(flag: str, low: int, high: int) -> Callable[[str], int]:
    """Return what reads a whole number of a flag in argparse.

    Args:
        flag: The flag.
        low: The least that is allowed.
        high: The most.
    """

    def read(text: str) -> int:
        try:
            return parse_count(text, flag, low, high)
        except SegcoreError as error:
            raise argparse.ArgumentTypeError(str(error).partition(": ")[0]) from error

    return read


def refuse_unused(options: Options, flags: Sequence[str], why: str) -> None:
    """Refuse flags that were given and would change nothing.

    Args:
        options: As parsed; a flag that was not given is None.
        flags: Those that have no effect here.
        why: When they have none, such as "with --folds".

    Raises:
        SegcoreError: One of them was given.
    """
    given = [one for one in flags if getattr(options, one.strip("-").replace("-", "_")) is not None]
    if given:
        names = " and ".join(given)
        raise SegcoreError(
            f"Expected no {names} {why}, where it has no effect, received {names}: leave it out."
        )


def share(flag: str) -> Callable[[str], float]:
    """Return what reads a share of the whole in argparse, as 0.15 or 15%.

    Args:
        flag: The flag.
    """

    def read(text: str) -> float:
        try:
            value = float(text.rstrip("% ")) / (100 if text.endswith("%") else 1)
        except ValueError:
            value = -1.0
        if not 0 <= value < 1:
            raise argparse.ArgumentTypeError(
                f"Expected {flag} as a share of the images, 0.15 or 15%, received {shortened(text)}"
            )
        return value

    return read


def destination(one: Setting) -> str:
    """Return the attribute of the parsed options that holds a field: the name of its flag."""
    return one.flag.strip("-").replace("-", "_")


def given(options: Options, cls: type, *, nested: bool = True) -> dict[str, Any]:
    """Return the values of a config's fields that were given in the shell, by name.

    Raises:
        SegcoreError: A text is no value of its field; the field is named.
    """
    values: dict[str, Any] = {}
    for one in settings(cls).values() if nested else own_settings(cls):
        text = getattr(options, destination(one))
        if text is not None:
            values[one.name] = text if isinstance(text, bool) else one.read(text)
    return values
