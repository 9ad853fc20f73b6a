"""Which dispatchers work on a queue: one a machine, each with a lease that it renews.

A lease is a setting of the queue, ``dispatcher <machine>``: process id, birth, machine, time, a
counter and the devices. A dispatcher counts it up every few seconds. Others do not read the time in
it, for clocks of two machines differ: they see by their own clock for how long the counter has not
moved. After ``LEASE_SECONDS`` (six missed renewals) the machine is taken for lost.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from segcore.runs.folder import hosts
from segcore.runs.machine import processes
from segcore.runs.queue.queue import Queue

RENEW_SECONDS = 10.0
LEASE_SECONDS = 60.0
_PREFIX = "dispatcher "


@dataclass(frozen=True)
class Lease:
    """What a dispatcher wrote down of itself.

    Attributes:
        host: Its machine.
        pid: Its process id there.
        birth: Of that process.
        written: When it wrote this, by its own clock, seconds since 1970.
        count: How often it has renewed the lease.
        devices: What it starts runs on.
    """

    host: str
    pid: int
    birth: str
    written: float
    count: int
    devices: tuple[str, ...]


def renew(queue: Queue, host: str, devices: Sequence[str], count: int) -> None:
    """Write down that this process dispatches for a machine."""
    pid, birth = processes.identity()
    words = (pid, birth, host, time.time(), count, ",".join(devices))
    queue.set_setting(f"{_PREFIX}{host}", " ".join(map(str, words)))


def give_back(queue: Queue, host: str) -> None:
    """Take a machine's lease off the queue."""
    queue.set_setting(f"{_PREFIX}{host}", None)


def leases(queue: Queue) -> list[Lease]:
    """Return the leases of a queue; one that cannot be read is left out."""
    found = []
    for text in queue.settings(_PREFIX).values():
        words = text.split(" ")
        with suppress(ValueError, IndexError):
            found.append(
                Lease(
                    host=words[2],
                    pid=int(words[0]),
                    birth=words[1],
                    written=float(words[3]),
                    count=int(words[4]),
                    devices=tuple(filter(None, words[5].split(","))),
                )
            )
    return found


class Watch:
    """For how long things have not changed, by this process's own clock."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[object, float]] = {}

    def unchanged(self, name: str, value: object, before: float = 0.0) -> float:
        """Return for how many seconds a thing has had this value.

        Args:
            name: Of the thing.
            value: What it is now.
            before: Seconds that count where this process sees the thing for the first time.
        """
        now = time.monotonic()
        known = self._seen.get(name)
        if known is None or known[0] != value:
            self._seen[name] = value, now - (before if known is None else 0.0)
        return now - self._seen[name][1]


_watch = Watch()


def is_live(lease: Lease, watch: Watch, before: float = 0.0) -> bool:
    """Whether a dispatcher works: here by its process, elsewhere by its counter.

    Args:
        lease: What it wrote.
        watch: What was seen of it before.
        before: See :meth:`Watch.unchanged`.
    """
    if hosts.is_here(lease.host):
        return processes.is_alive(lease.pid, lease.birth)
    counter = (lease.birth, lease.pid, lease.count)
    return watch.unchanged(f"lease {lease.host}", counter, before) < LEASE_SECONDS


def living(queue: Queue) -> list[Lease]:
    """Return the dispatchers that work, as far as this process can see.

    At its first look it has no other measure than the time in a lease; later looks go by the
    counter.
    """
    now = time.time()
    return [
        lease
        for lease in leases(queue)
        if is_live(lease, _watch, before=max(0.0, now - lease.written))
    ]
