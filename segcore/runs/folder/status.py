"""How a run is going: the one small file ``status.json``, read by many while one writes."""

import dataclasses
import time
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcore.errors import SegcoreError, unknown
from segcore.runs.machine.disk import LOCK_SECONDS, locked, read_json, write_json
from segcore.runs.machine.processes import birth_of_time

FORMAT = 1
STATES = ("queued", "starting", "running", "stopping", "finished", "failed", "interrupted")
ACTIVE = ("starting", "running", "stopping")
QUEUED_OR_ACTIVE = ("queued", *ACTIVE)
"""States in which a run waits in the queue or has a process."""
ENDED = ("finished", "failed", "interrupted")
SILENT_SECONDS = 180.0
_NEWER = "Written by a newer version"


@dataclass(frozen=True)
class Status:
    """How a run is going. Times are seconds since 1970; None where not known yet.

    Attributes:
        state: One of queued, starting, running, stopping, finished, failed, interrupted.
        cause: Why it failed, was interrupted or waits; one sentence, "" for none.
        pid: Process id of its worker.
        birth: Of that process, which tells it from a later one with the same id (see
            :func:`segcore.runs.machine.processes.identity`); "" where not known.
        host: The machine that its worker works on; "" where not noted, which means this one.
        device: What it was given: "cpu", "gpu:0", "gpu:0,gpu:1", or "light" for work without a
            network.
        heartbeat: When the worker last wrote.
        created: When the run was made.
        started: When its worker was started, the last time.
        finished: When it ended, in whichever way.
        progress: Share done, 0 to 1.
        message: What it is doing, in a few words.
        seconds_left: Estimated seconds to the end.
        epoch: Epochs done.
        epochs: Epochs planned.
        mean_iou: Best validation mean IoU so far (train), or the final one (predict, evaluate), 0
            to 1.
        after: Ids of the runs that must finish first.
        by: Who made the run: an address of the log-in, or the user of the machine; "" where not
            noted.
        diverged: Whether its loss or weights were no numbers any more, so that it should be resumed
            more slowly.
    """

    state: str = "queued"
    cause: str = ""
    pid: int | None = None
    birth: str = ""
    host: str = ""
    device: str = ""
    heartbeat: float | None = None
    created: float | None = None
    started: float | None = None
    finished: float | None = None
    progress: float = 0.0
    message: str = ""
    seconds_left: float | None = None
    epoch: int | None = None
    epochs: int | None = None
    mean_iou: float | None = None
    after: tuple[str, ...] = ()
    by: str = ""
    diverged: bool = False

    @property
    def is_active(self) -> bool:
        """Whether a process should be alive for it."""
        return self.state in ACTIVE

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen unless someone resumes it."""
        return self.state in ENDED

    def is_silent(self, now: float | None = None) -> bool:
        """Whether its worker has not written for three minutes: it may hang."""
        last = max(self.heartbeat or 0.0, self.started or 0.0)
        return (
            self.is_active
            and last > 0
            and (time.time() if now is None else now) - last > SILENT_SECONDS
        )


_DEFAULTS = {field.name: field.default for field in dataclasses.fields(Status)}
_TEXTS = ("state", "cause", "host", "device", "message", "birth", "by")
_WHOLES = ("pid", "epoch", "epochs")


def read_status(path: Path) -> Status:
    """Read ``status.json``; an unreadable file is a failed run whose cause says what to do.

    Unknown keys are left out, so that a run written by a newer version of the same format still
    shows.
    """
    try:
        data = read_json(path)
        version = data.get("format")
        if isinstance(version, int) and version > FORMAT:
            return _unreadable(
                f"{_NEWER} (format {version}, this one reads up to {FORMAT}): update to open it."
            )
        return _from_json(data)
    except SegcoreError:
        if not path.exists():
            return _unreadable(
                f"Its {path.name} is missing: resume the run to start it again, or delete it."
            )
        return _unreadable(
            f"Its {path.name} is damaged: resume the run to continue from its last "
            "checkpoint, or delete it."
        )


def _unreadable(cause: str) -> Status:
    return Status(state="failed", cause=cause)


def _from_json(data: dict[str, Any]) -> Status:
    values: dict[str, Any] = {}
    created = data.get("process_created")  # how earlier versions wrote a birth
    if isinstance(created, (int, float)) and "birth" not in data:
        data = {**data, "birth": birth_of_time(created)}
    for name, default in _DEFAULTS.items():
        value = data.get(name, default)
        if name in _TEXTS:
            sound = isinstance(value, str)
        elif name == "after":
            sound = isinstance(value, (list, tuple)) and all(
                isinstance(item, str) for item in value
            )
            value = tuple(value) if sound else value
        elif name == "diverged":
            sound = isinstance(value, bool)
        elif value is None:
            sound = name != "progress"
        else:
            sound = isinstance(value, int if name in _WHOLES else (int, float)) and not isinstance(
                value, bool
            )
        if not sound:
            raise SegcoreError(
                f"Expected another value for {name} in status.json, found {value!r}: the "
                "file is damaged."
            )
        values[name] = value
    if values["state"] not in STATES:
        raise unknown("state", values["state"], STATES)
    return Status(**values)


def status_lock(path: Path, seconds: float = LOCK_SECONDS) -> AbstractContextManager[None]:
    """Hold the lock of ``status.json`` for a change; see :func:`locked`."""
    return locked(path.with_name("status.lock"), seconds)


def change_status(
    path: Path,
    changes: dict[str, Any],
    only_if: Collection[str] | None = None,
    seconds: float = LOCK_SECONDS,
) -> Status:
    """Change some fields of ``status.json`` under its lock and return the whole.

    Raises:
        Locked: Another process held the lock for so many seconds.
        SegcoreError: As :func:`update_status`.
    """
    with status_lock(path, seconds):
        return update_status(path, changes, only_if)


def update_status(
    path: Path, changes: dict[str, Any], only_if: Collection[str] | None = None
) -> Status:
    """Change some fields of ``status.json`` and return the whole; the caller holds its lock.

    A stop that was asked for is not taken back: "starting" and "running" do not replace "stopping".

    Args:
        path: The file ``status.json``.
        changes: New values by field name.
        only_if: States in which the change is made; in any other state nothing is written.

    Raises:
        SegcoreError: A name or state is unknown, or the file cannot be written.
    """
    for name in changes:
        if name not in _DEFAULTS:
            raise unknown("field of a status", name, _DEFAULTS)
    if "state" in changes and changes["state"] not in STATES:
        raise unknown("state", changes["state"], STATES)
    before = read_status(path)
    if before.cause.startswith(_NEWER):
        raise SegcoreError(
            f"Expected the status of {path.parent.name!r} in format {FORMAT} or older: "
            f"{before.cause}"
        )
    if only_if is not None and before.state not in only_if:
        return before
    if before.state == "stopping" and changes.get("state") in ("starting", "running"):
        changes = {name: value for name, value in changes.items() if name != "state"}
    after = dataclasses.replace(before, **changes)
    write_json(path, {"format": FORMAT, **dataclasses.asdict(after)})
    return after
