"""What a worker reports while it works: heartbeat, progress, time left; and stop requests.

Share done and time left of a training run come from :class:`TimeLeft` alone.
"""

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

from segcore.errors import SegcoreError
from segcore.runs.folder.run_folder import RunFolder, UsageRecorder
from segcore.runs.folder.time_left import TimeLeft

BEAT_SECONDS = 1.0


class Progress:
    """Writes the status of a run every second while the block runs; notes SIGTERM.

    Args:
        run: Where the status goes.
        silent: Whether to write and print nothing: another process reports on the run.
        fields: Fields of the status to begin with.

    Attributes:
        run: As given.
    """

    def __init__(self, run: RunFolder, silent: bool = False, **fields: Any) -> None:
        self.run = run
        self._silent = silent
        self._fields: dict[str, Any] = fields
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._handler: Any = None
        self._began = time.monotonic()
        self._usage = UsageRecorder(run.folder, run.status().device.split(","))

    def __enter__(self) -> "Progress":
        """Begin to write; take over SIGTERM in the main thread."""
        self._write()
        self._thread.start()
        if threading.current_thread() is threading.main_thread():
            self._handler = signal.signal(signal.SIGTERM, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write for the last time; give SIGTERM back."""
        self._ended.set()
        self._thread.join()
        if self._handler is not None:
            signal.signal(signal.SIGTERM, self._handler)

    @property
    def stop_asked(self) -> bool:
        """Whether the run should save and end."""
        return self._stop.is_set()

    def update(self, **fields: Any) -> None:
        """Change fields of the status; they are written with the next beat."""
        with self._lock:
            self._fields |= fields

    def say(self, message: str) -> None:
        """Show a message immediately and write it to the log."""
        self.update(message=message)
        self.log(message)
        self._write()

    def log(self, text: str) -> None:
        """Write a line to the log, with the seconds since the beginning."""
        if not self._silent:
            print(f"[{time.monotonic() - self._began:8.1f} s] {text}", flush=True)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()  # and no more: a handler may interrupt code that holds the lock

    def _write(self) -> None:
        if self._silent:
            return
        with self._lock:
            fields, self._fields = self._fields, {}
        if self._stop.is_set():
            fields |= {"state": "stopping", "message": "Stopping after this step"}
        try:
            status = self.run.beat(**fields)
        except SegcoreError:
            with self._lock:  # a full disk may have room again by the next beat
                self._fields = fields | self._fields
            return
        if status.state == "stopping":
            self._stop.set()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            self._write()
            if not self._silent:
                self._usage.tick()
        self._write()


VALIDATION_COST = 1 / 3
"""Cost of validating a batch, in training steps; only for the estimate of the time left."""


class TrainingTime:
    """Share done and seconds left of a training, from the speed since this process's second step.

    Args:
        epochs: Epochs of the run.
        steps: Training steps of an epoch.
        validation_steps: Validation steps of an epoch.
    """

    def __init__(self, epochs: int, steps: int, validation_steps: int) -> None:
        self._in_epoch = steps + VALIDATION_COST * validation_steps
        self._time_left = TimeLeft(epochs * self._in_epoch)

    def at(self, epoch: int, steps: int, validated: int = 0) -> dict[str, float | None]:
        """Return ``progress`` and ``seconds_left`` after these epochs, steps and validations."""
        return self._time_left.at(epoch * self._in_epoch + steps + VALIDATION_COST * validated)


def epoch_line(record: dict[str, Any], epochs: int) -> str:
    """Return a finished epoch's record as a line for the log.

    An epoch that a resumed run only had to validate has no throughput.
    """
    shown = [
        f"{k} {record[k]:.4f}"
        for k in ("loss", "mean_iou", "val_loss", "val_mean_iou")
        if k in record
    ]
    speed = [f"{record['seconds']:.1f} s"]
    if record["images_per_second"] is not None:
        speed.append(f"{record['images_per_second']:.2f} images/s")
    return f"Epoch {record['epoch']} of {epochs}: {', '.join(shown)}; {', '.join(speed)}"
