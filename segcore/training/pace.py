"""How far a training run is, and how long it still takes."""

import time
from typing import Any

VALIDATION_COST = 1 / 3
"""Cost of validating a batch, in training steps; only for the estimate of the time left."""


class Pace:
    """Share done and seconds left, from the pace since the second step of this process.

    Args:
        epochs: Epochs of the run.
        steps: Training steps of an epoch.
        validation_steps: Validation steps of an epoch.
    """

    def __init__(self, epochs: int, steps: int, validation_steps: int) -> None:
        self._in_epoch = steps + VALIDATION_COST * validation_steps
        self._total = epochs * self._in_epoch
        self._start: tuple[float, float] | None = None

    def at(self, epoch: int, steps: int, validated: int = 0) -> dict[str, float | None]:
        """Return ``progress`` (0..1) and ``seconds_left`` (None before the second step) after these epochs, steps and validation steps."""
        done = epoch * self._in_epoch + steps + VALIDATION_COST * validated
        now = time.monotonic()
        if self._start is None:
            self._start = (now, done)
        began, before = self._start
        left = (now - began) / (done - before) * (self._total - done) if done > before else None
        return {"progress": min(1.0, done / self._total), "seconds_left": left}


def tell(record: dict[str, Any], epochs: int) -> str:
    """Return a finished epoch's record as a line for the log."""
    shown = [f"{k} {record[k]:.4f}" for k in ("loss", "mean_iou", "val_loss", "val_mean_iou") if k in record]
    speed = f"{record['seconds']:.1f} s, {record['images_per_second']:.2f} images/s"
    return f"Epoch {record['epoch']} of {epochs}: {', '.join(shown)}; {speed}"
