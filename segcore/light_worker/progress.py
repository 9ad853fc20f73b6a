"""How a long run reports its progress and notices that it should stop."""

import time
from collections.abc import Callable

from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.time_left import TimeLeft
from segcore.runs.queue.stopping import Stopped

BEAT_SECONDS = 1.0


class Progress:
    """Progress of a run in equal steps, written to its status once a second.

    Args:
        run: The run whose status is written.
        total: Steps in all.
        done: Steps done by earlier attempts.
        should_stop: Asked at every tick.
        unit: What a step is, in the plural, for the status.

    Attributes:
        unit: As given; may change meanwhile.
    """

    def __init__(
        self,
        run: RunFolder,
        total: int,
        done: int,
        should_stop: Callable[[], bool],
        unit: str = "images",
    ) -> None:
        self._run, self._total, self._done = run, max(total, 1), done
        self._should_stop, self.unit = should_stop, unit
        self._beaten = 0.0
        self._time_left = TimeLeft(self._total)
        self._time_left.at(done)

    def advance(self, steps: int = 1) -> None:
        """Note steps that were done just now."""
        self._done += steps

    def tick(self) -> None:
        """Write a heartbeat if one is due; end the run if a stop was requested.

        Raises:
            Stopped: ``should_stop`` returned True.
        """
        if self._should_stop():
            raise Stopped
        now = time.monotonic()
        if now - self._beaten < BEAT_SECONDS:
            return
        self._beaten = now
        self._run.beat(
            message=f"{self._done} of {self._total} {self.unit}",
            **self._time_left.at(self._done),
        )
