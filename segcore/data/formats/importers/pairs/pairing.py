"""How the user says which mask belongs to which image: by endings, a pattern, or folders."""

import importlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from segcore.errors import SegcoreError

MAX_PATTERN = 200
MAX_NAME = 160
"""Longest name that a pattern is tried on; longer ones match nothing."""

MAX_REPEATS = 6
MAX_LONG_REPEATS = 3
"""Repeats ("*", "+", "{2,}") in one pattern: each is a walk over the name within the last."""

MAX_SECONDS = 20.0
_PARSER: Any = importlib.import_module("re._parser")
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


@dataclass(frozen=True)
class Pairing:
    """A rule that pairs images and masks.

    Attributes:
        mask_suffix: What a mask's name ends with before its file ending, beyond its image's
            ("_mask" pairs ``a.jpg`` and ``a_mask.png``); "" where masks lie in folders of their
            own.
        match: A regular expression with one group, the part of a name (without folders and ending)
            that an image and its mask share; "" for the whole name.
        masks: The folder that holds the masks, a name or a path below the source; "" to find it.
        images: The folder that holds the images; "" to find it.
    """

    mask_suffix: str = ""
    match: str = ""
    masks: str = ""
    images: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be a rule.

        Raises:
            SegcoreError: The suffix holds a "/", or the pattern is broken, too long, has not one
                group, or could take for ever.
        """
        if "/" in self.mask_suffix or "\\" in self.mask_suffix or len(self.mask_suffix) > 64:
            raise SegcoreError(
                "Expected the end of a file name like '_mask', received "
                f"{self.mask_suffix[:80]!r}: give no folders."
            )
        if self.match:
            check_pattern(self.match)

    def __bool__(self) -> bool:
        """Whether it says anything."""
        return bool(self.names or self.masks or self.images)

    @property
    def names(self) -> bool:
        """Whether it says something about names."""
        return bool(self.mask_suffix or self.match)

    def is_mask(self, stem: str) -> bool:
        """Whether the suffix makes this name a mask's."""
        return (
            bool(self.mask_suffix)
            and len(stem) > len(self.mask_suffix)
            and stem.endswith(self.mask_suffix)
        )

    @cached_property
    def _rule(self) -> re.Pattern[str]:
        return re.compile(self.match)

    def key(self, stem: str) -> str | None:
        """Return what a name shares with its partner's, None where the pattern does not match.

        Zeros before a number do not count: 7 and 007 are one.

        Args:
            stem: Name without folders and ending; a mask's suffix is taken off first.
        """
        bare = stem[: -len(self.mask_suffix)] if self.is_mask(stem) else stem
        if not self.match:
            return bare
        found = self._rule.search(bare) if len(bare) <= MAX_NAME else None
        shared = found[1] if found else None
        return shared.lstrip("0") or "0" if shared and shared.isdigit() else shared


def check_pattern(pattern: str) -> str:
    """Return a regular expression if it has one group and cannot take for ever on any name.

    Repeats within repeats, alternatives within repeats and references to groups can need time that
    doubles with each letter, so they are refused; what is left needs at most the cube of a name's
    length.

    Raises:
        SegcoreError: It is too long, broken, has not one group, or holds one of these.
    """
    if len(pattern) > MAX_PATTERN:
        raise SegcoreError(
            f"Expected a pattern of at most {MAX_PATTERN} letters, received "
            f"{len(pattern)}: shorten it."
        )
    try:
        groups = re.compile(pattern).groups
        repeats = list(_repeats(_PARSER.parse(pattern), pattern, False))
    except (re.error, OverflowError, RecursionError) as error:
        raise SegcoreError(
            f"Expected a regular expression, received {pattern!r}, which is broken "
            f"({error}): correct it."
        ) from error
    if groups != 1:
        raise SegcoreError(
            "Expected one group (...) in the pattern, the part that image and mask share, "
            f"received {groups} in {pattern!r}: "
            r"write for example 'img_(\d+)', and (?:...) for a group that is not shared."
        )
    if len(repeats) > MAX_REPEATS or sum(repeats) > MAX_LONG_REPEATS:
        raise SegcoreError(
            f"Expected at most {MAX_LONG_REPEATS} repeats like '*' or '+' in the pattern, "
            f"received {sum(repeats)} and "
            f"{len(repeats) - sum(repeats)} other choices in {pattern!r}: it could take "
            "for ever, write it with fewer."
        )
    return pattern


def _repeats(parsed: Any, pattern: str, within: bool) -> Iterator[bool]:
    """Yield for each repeat, and each place with alternatives, whether it is long."""
    for operation, argument in parsed:
        name = str(operation)
        if name in _REPEATS:
            low, high, body = argument
            varies = int(high) != int(low)
            if within:
                raise _slow(pattern, "a repeat within a repeat")
            if varies:
                yield int(high) - int(low) > 8
            yield from _repeats(body, pattern, within=int(high) > 1)
        elif name == "BRANCH":
            if within:
                raise _slow(pattern, "alternatives within a repeat")
            yield False
            for branch in argument[1]:
                yield from _repeats(branch, pattern, within)
        elif name.startswith("GROUPREF"):
            raise _slow(pattern, "a reference to a group")
        elif name in ("SUBPATTERN", "ASSERT", "ASSERT_NOT"):
            yield from _repeats(argument[-1], pattern, within)
        elif name == "ATOMIC_GROUP":
            yield from _repeats(argument, pattern, within)


def _slow(pattern: str, what: str) -> SegcoreError:
    return SegcoreError(
        f"Expected a pattern that is quick on every name, received {what} in {pattern!r}: "
        "write it without."
    )


@dataclass
class Stopwatch:
    """The time that a pattern may take over all names.

    Attributes:
        began: When it started, seconds of the monotonic clock.
    """

    began: float

    @staticmethod
    def start() -> "Stopwatch":
        """Start now."""
        return Stopwatch(time.monotonic())

    def check(self) -> None:
        """Continue, or stop.

        Raises:
            SegcoreError: The time is used up.
        """
        if time.monotonic() - self.began > MAX_SECONDS:
            raise SegcoreError(
                f"The pattern took more than {MAX_SECONDS:.0f} seconds over the file "
                "names: write a simpler one."
            )
