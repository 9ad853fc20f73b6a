"""Which machine a process works on, and whether it is alive, as far as this machine can see."""

import os
import platform
import time

from segcore.runs.folder.status import SILENT_SECONDS
from segcore.runs.machine import processes

HOST_VARIABLE = "SEGSCOPE_HOST"


def this_host() -> str:
    """The name of this machine: ``$SEGSCOPE_HOST`` (for containers), else the system's."""
    return "_".join((os.environ.get(HOST_VARIABLE) or platform.node()).split())


def is_here(host: str) -> bool:
    """Whether a machine's name is this machine's; no name means it is."""
    return host in ("", this_host())


def is_alive(host: str, pid: int | None, birth: str, heard: float | None) -> bool:
    """Whether a process lives: here by id and birth, on another machine by its last heartbeat.

    Args:
        host: The machine that it was noted with.
        pid: Its process id there.
        birth: What tells it from a later process with the same id.
        heard: When it last wrote, seconds since 1970.
    """
    if is_here(host):
        return processes.is_alive(pid, birth)
    return heard is not None and time.time() - heard < SILENT_SECONDS
