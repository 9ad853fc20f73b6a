"""What a command is, and how it reports progress."""

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segcore.config.schema import shortened
from segcore.errors import SegcoreError
from segcore.formatting import duration, percent
from segcore.installing import with_program
from segcore.runs.folder.status import Status
from segcore.text_files import plain_text
from segcore.workspace import Workspace
from segcore.workspace.runs.waiting import Watcher

Options = argparse.Namespace
RUN_FIELDS = ("run", "runs", "other")
"""Options that name runs, in whichever command."""
LIVE_SECONDS, PIPE_SECONDS = 0.1, 30.0
"""How often progress is drawn in a terminal, and written as a new line elsewhere."""


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
    """Open the workspace that the options name; names of saved ensembles become ids in them."""
    workspace = Workspace(options.workspace)
    for field in RUN_FIELDS:
        value = getattr(options, field, None)
        if isinstance(value, str):
            setattr(options, field, workspace.runs.resolve(value))
        elif isinstance(value, list):
            setattr(options, field, [workspace.runs.resolve(name) for name in value])
    return workspace


def parse_count(text: str, flag: str, low: int, high: int) -> int:
    """Read a whole number of a flag.

    Raises:
        SegcoreError: It is none, or out of range.
    """
    digits = text.strip()
    if not (
        digits.isascii() and digits.isdigit() and len(digits) <= 10 and low <= int(digits) <= high
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


class ProgressLine(Watcher):
    """Progress and time left on standard error: one line that changes, or a line now and then in a pipe."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = time.monotonic()
        self._shown = self._began
        self._live = sys.stderr.isatty()
        self._seen: set[str] = set()
        self._waited = False

    def begin(self, text: str) -> None:
        """Say at once what takes long before anything is counted."""
        self._write(f"{self._what}: {text}")

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Show ``done`` of ``total``: in a terminal ten times a second, in a pipe each half minute."""
        now = time.monotonic()
        wait = LIVE_SECONDS if self._live else PIPE_SECONDS
        if now - self._shown < wait and not (self._live and done >= total):
            return
        left = (now - self._began) / max(done, 1) * (total - done)
        self._write(f"{self._what}: {done}/{total}, {duration(left)} left  {what[:40]}".rstrip())
        if done >= total:
            self._clear()

    def watch(self, states: Mapping[str, Status], ahead: str) -> None:
        """Show which run works and how long it still takes, or what the runs wait for."""
        active = {run: status for run, status in states.items() if status.is_active}
        text = f"Waiting: {ahead}" if ahead else self._of(active, states)
        if self._live:
            if all(status.has_ended for status in states.values()):
                self._clear()
            elif text:
                self._write(text)
            return
        new = [run for run in active if run not in self._seen]
        for run in new:
            self._write(f"{self._what}: {run} is running")
        due = time.monotonic() - self._shown >= PIPE_SECONDS
        if (ahead and not self._waited) or (text and not new and due):
            self._write(text)
        self._seen.update(new)
        self._waited = self._waited or bool(ahead)

    def _of(self, active: Mapping[str, Status], states: Mapping[str, Status]) -> str:
        """Say how far the first run that works is, and how many of several have ended."""
        if not active:
            return ""
        run, status = next(iter(active.items()))
        left = f", {duration(status.seconds_left)} left" if status.seconds_left else ""
        message = f", {status.message}" if status.message else ""
        ended = sum(s.has_ended for s in states.values())
        several = f" ({ended} of {len(states)} runs done)" if len(states) > 1 else ""
        return f"{self._what}: {run} {percent(status.progress, 0)}{left}{message}{several}"

    def _write(self, text: str) -> None:
        self._shown = time.monotonic()
        text = with_program(plain_text(text))
        if not self._live:
            print(text, file=sys.stderr, flush=True)
            return
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{text[:width]:{width}}", end="", file=sys.stderr, flush=True)

    def _clear(self) -> None:
        if self._live:
            self._write("")
            print("\r", end="", file=sys.stderr, flush=True)
