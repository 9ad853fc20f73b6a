"""What was done in a workspace, and by whom: ``history.jsonl``, one line an action, never rewritten."""

import json
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segcore.errors import disk_error

FILE = "history.jsonl"
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Action:
    """One thing that somebody did.

    Attributes:
        time: When, seconds since 1970.
        who: Address of the log-in, or the user of the machine.
        what: In words, "Deleted the run r003-unet".
        call: The entry point, "runs.delete".
    """

    time: float
    who: str
    what: str
    call: str

    def to_json(self) -> dict[str, object]:
        """Return it as ``segscope history --json`` prints it."""
        return {"time": self.time, "who": self.who, "what": self.what, "call": self.call}


class History:
    """What was done in a workspace.

    Attributes:
        path: The file that keeps it.
    """

    def __init__(self, workspace: Path) -> None:
        self.path = workspace / FILE

    def actions(self, most: int = 100, containing: str = "") -> list[Action]:
        """Return the latest actions, the newest first; lines that are damaged are left out.

        Args:
            most: How many at most.
            containing: A text that the person or the words of an action hold, in any case.

        Raises:
            SegcoreError: The file cannot be read.
        """
        wanted = containing.casefold()
        found: list[Action] = []
        for line in self._backwards():
            action = _action(line)
            if action and wanted in f"{action.who} {action.what}".casefold():
                found.append(action)
                if len(found) >= most:
                    break
        return found

    def _note(self, who: str, what: str, call: str) -> None:
        """Add a line; what was done stays done where the disk takes none."""
        line = json.dumps(Action(time.time(), who, what, call).to_json(), ensure_ascii=False)
        try:
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(file, f"{line}\n".encode())  # one call, so that lines never mix
            finally:
                os.close(file)
        except OSError as error:
            logging.getLogger(__name__).warning("%s", disk_error("write", self.path, error))

    def _backwards(self) -> Iterator[bytes]:
        try:
            with open(self.path, "rb") as file:
                position, rest = file.seek(0, os.SEEK_END), b""
                while position > 0:
                    step = min(_BLOCK, position)
                    position -= step
                    file.seek(position)
                    first, *lines = (file.read(step) + rest).split(b"\n")
                    rest = first
                    yield from (line for line in reversed(lines) if line)
                if rest:
                    yield rest
        except FileNotFoundError:
            return
        except OSError as error:
            raise disk_error("read", self.path, error) from error


def _action(line: bytes) -> Action | None:
    try:
        row = json.loads(line)
        return Action(float(row["time"]), str(row["who"]), str(row["what"]), str(row["call"]))
    except (ValueError, KeyError, TypeError):
        return None
