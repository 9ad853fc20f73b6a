"""How a long run tells how far it is, and hears that it should stop."""

import time
from collections.abc import Callable

from segcore.runs.folder.run_folder import RunFolder

BEAT_SECONDS = 1.0
SAVE_SECONDS = 10.0


class Stopped(Exception):
    """Someone asked the run to stop; what was done so far is on disk."""


class Pace:
    """Progress of a run in equal steps: a heartbeat a second, and now and then a moment to save.

    Args:
        run: The run whose status is written.
        total: Steps in all.
        done: Steps done by earlier attempts.
        should_stop: Asked at every tick.
        save: Called every ten seconds, and when the run is cut; writes down what was done.
    """

    def __init__(
        self,
        run: RunFolder,
        total: int,
        done: int,
        should_stop: Callable[[], bool],
        save: Callable[[], None] = lambda: None,
    ) -> None:
        self._run, self._total, self._before, self._should_stop, self._save = (
            run,
            max(total, 1),
            done,
            should_stop,
            save,
        )
        self._began = self._saved = time.monotonic()
        self._beaten = 0.0
        self._done = 0
        self.what = "images"

    def advance(self, steps: int = 1) -> None:
        """Note steps that were done just now."""
        self._done += steps
        if time.monotonic() - self._saved >= SAVE_SECONDS:
            self._saved = time.monotonic()
            self._save()

    def tick(self) -> None:
        """Beat, and end where someone asked for it.

        Raises:
            Stopped: ``should_stop`` said so.
        """
        if self._should_stop():
            self._save()
            raise Stopped
        now = time.monotonic()
        if now - self._beaten < BEAT_SECONDS:
            return
        self._beaten = now
        left = self._total - self._before - self._done
        seconds = (now - self._began) / self._done * left if self._done else None
        done = self._before + self._done
        self._run.beat(
            progress=min(done / self._total, 1.0),
            message=f"{done} of {self._total} {self.what}",
            seconds_left=seconds,
        )
