"""What a command is, and how it reports progress."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from segcore.config.schema import shortened
from segcore.errors import SegcoreError
from segcore.text_files import plain_text
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
        aliases: Older names of the command that still work.
        exit_code: Turns the result into the program's exit code; None for 0.
        nothing: What is printed where ``show`` has nothing to show, with the workspace's folder in
            place of ``{workspace}``.
    """

    summary: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Options], Any]
    show: Callable[[Any], str]
    aliases: tuple[str, ...] = ()
    exit_code: Callable[[Any], int] | None = None
    nothing: str = ""


def workspace_of(options: Options) -> Workspace:
    """Open the workspace that the options name."""
    return Workspace(options.workspace)


def parse_count(text: str, flag: str, low: int, high: int) -> int:
    """Read a whole number of a flag.

    Raises:
        SegcoreError: It is none, or out of range.
    """
    digits = text.strip()
    if not (
        digits.isascii() and digits.isdigit() and len(digits) <= 9 and low <= int(digits) <= high
    ):
        raise SegcoreError(
            f"Expected {flag} as a whole number from {low:,} to {high:,}, received "
            f"{shortened(text)}: choose one in that range."
        )
    return int(digits)


def parse_pairs(words: Sequence[str], what: str, example: str) -> dict[str, str]:
    """Read the NAME=VALUE words of an option that may be repeated.

    Raises:
        SegcoreError: A word has no "=" or nothing on one side of it.
    """
    pairs = {}
    for word in words:
        name, _, value = word.partition("=")
        if not (name.strip() and value.strip()):
            raise SegcoreError(f"Expected {what}, received {word!r}: for example {example}.")
        pairs[name.strip()] = value.strip()
    return pairs


class ProgressLine:
    """A line on standard error with progress and time left; silent unless it is a terminal."""

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
            f"\r{self._what}: {done}/{total}, {left:.0f} s left  {plain_text(what)[:40]:40}",
            end="",
            file=sys.stderr,
            flush=True,
        )
        if done >= total:
            print("\r" + " " * 90 + "\r", end="", file=sys.stderr, flush=True)
