"""Mask history: the epochs of a training run whose predicted masks are kept."""

from pathlib import Path

from segcore.errors import SegcoreError
from segcore.runs.machine import disk

EVERY_EPOCH_UNTIL = 100
_PREFIX = "epoch-"


def keeps_epoch(epoch: int) -> bool:
    """Whether the masks of an epoch, counted from 1, are kept.

    Every epoch up to 100, every second up to 200, every fourth up to 400, and so on: fifty more for
    each doubling, so that a thousand epochs keep 262 and no run keeps many. An epoch's answer does
    not depend on how long the run will be.
    """
    step, end = 1, EVERY_EPOCH_UNTIL
    while epoch > end:
        step, end = 2 * step, 2 * end
    return epoch >= 1 and epoch % step == 0


def mask_history_stage(epoch: int) -> str:
    """Return the name of the stage under which the masks of an epoch are stored."""
    return f"{_PREFIX}{epoch:06d}"


def read_mask_history(run_folder: Path) -> tuple[str, list[str], list[int]] | None:
    """Return (split, sample ids, epochs with masks in order); None where the run keeps none."""
    try:
        index = disk.read_json(run_folder / "evolution.json")
        split, samples = str(index["split"]), [str(name) for name in index["samples"]]
        stages = [path.name for path in (run_folder / "masks" / split).glob(f"{_PREFIX}*")]
    except (SegcoreError, KeyError, TypeError):
        return None
    epochs = sorted(
        int(stage[len(_PREFIX) :]) for stage in stages if stage[len(_PREFIX) :].isdigit()
    )
    return (split, samples, epochs) if epochs else None
