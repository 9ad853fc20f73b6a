"""The files of a run that only grow: metrics, one line an epoch, and the log."""

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

from segcore.errors import disk_error
from segcore.runs.machine.disk import plain

_TAIL_BYTES = 1 << 18
_CHATTER = re.compile(
    r"WARNING: All log messages before absl|[IW]\d{4} \d\d:|E\d{4} .*failed call to cuInit"
)


def append_record(path: Path, record: dict[str, Any]) -> None:
    """Append one line of JSON in one write, on a line of its own even after a cut one.

    Args:
        path: The file, made where absent.
        record: Values as in :func:`segcore.runs.machine.disk.plain`.

    Raises:
        SegcoreError: The file cannot be written.
    """
    line = json.dumps(plain(record), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    try:
        with open(path, "ab+", buffering=0) as file:
            if file.seek(0, os.SEEK_END) > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    line = b"\n" + line
            if file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise disk_error("write", path, error) from error


def read_records(path: Path) -> list[dict[str, Any]]:
    """Read all lines in order; an absent file is empty, half a line or a damaged one is left out.

    A line with an "epoch" replaces the earlier lines of that epoch and of later ones: a resumed run
    repeats the epoch in which it was cut.
    """
    try:
        text = path.read_bytes()
    except OSError:
        return []
    records: list[dict[str, Any]] = []
    last = -1
    for line in text.split(b"\n"):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(record, dict):
            continue
        epoch = record.get("epoch")
        if isinstance(epoch, int):
            if epoch <= last:
                records = [
                    r for r in records if not isinstance(r.get("epoch"), int) or r["epoch"] < epoch
                ]
            last = epoch
        records.append(record)
    return records


def read_tail(path: Path, lines: int) -> str:
    """Return the last lines of a text, reading at most its last 256 KiB; "" for an absent file.

    Of a line that was drawn over and over (a progress bar) only the last state is kept.
    """
    try:
        with open(path, "rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    shown = text.removesuffix("\n").split("\n")[-max(1, lines) :]
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in shown)


def without_chatter(log: str) -> list[str]:
    """Return the lines of a log without what TensorFlow prints at every start without a GPU."""
    return [line for line in log.splitlines() if not _CHATTER.match(line)]
