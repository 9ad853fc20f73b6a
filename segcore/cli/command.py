"""What a command of the shell door is, and how long work reports its progress there."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from segcore.errors import SegcoreError
from segcore.workspace import Workspace

Options = argparse.Namespace


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        summary: One line for the list of commands.
        arguments: Adds the command's own arguments to its parser.
        run: Does the work and returns a JSON-ready result.
        show: Turns that result into text for a person.
    """

    summary: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Options], Any]
    show: Callable[[Any], str]


def workspace_of(options: Options) -> Workspace:
    """Open the workspace that the options name."""
    return Workspace(options.workspace)


def parse_size(text: str) -> tuple[int, int]:
    """Read "HEIGHTxWIDTH" in pixels.

    Raises:
        SegcoreError: The text is not two whole numbers.
    """
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) != 2 or not all(p.strip().isdigit() for p in parts):
        raise SegcoreError(
            f"Expected a size as HEIGHTxWIDTH (for example 96x128), received {text!r}: "
            "write two whole numbers."
        )
    return int(parts[0]), int(parts[1])


def parse_pairs(words: Sequence[str], what: str, example: str) -> dict[str, str]:
    """Read NAME=VALUE words, such as an option that may be repeated gathers.

    Raises:
        SegcoreError: A word has no "=" or nothing on one side of it.
    """
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        if not (name.strip() and value.strip()):
            raise SegcoreError(f"Expected {what}, received {word!r}: for example {example}.")
        found[name.strip()] = value.strip()
    return found


class ProgressLine:
    """A single line on standard error that counts up, with the time left; silent when nobody watches."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = time.monotonic()
        self._shown = 0.0
        self._live = sys.stderr.isatty()

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Show ``done`` of ``total``, at most ten times a second."""
        now = time.monotonic()
        if not self._live or (now - self._shown < 0.1 and done < total):
            return
        self._shown = now
        left = (now - self._began) / max(done, 1) * (total - done)
        print(
            f"\r{self._what}: {done}/{total}, {left:.0f} s left  {what[:40]:40}",
            end="",
            file=sys.stderr,
            flush=True,
        )
        if done >= total:
            print("\r" + " " * 90 + "\r", end="", file=sys.stderr, flush=True)
