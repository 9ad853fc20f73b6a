"""What every side of ``bench_training.py`` and ``bench_engines.py`` trains on, and how it is timed; knows no engine.

``BENCH_SIZE`` (192x256), ``BENCH_BATCH`` (8) and ``BENCH_ENCODER`` (resnet50) change it.
"""

import os
import statistics
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

HEIGHT, WIDTH = map(int, os.environ.get("BENCH_SIZE", "192x256").split("x"))
BATCH = int(os.environ.get("BENCH_BATCH", "8"))
ENCODER = os.environ.get("BENCH_ENCODER", "resnet50")
CLASSES = 12


def batch_of() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Squares whose grey says their class: (B, H, W, 3) and (B, H, W)."""
    rng = np.random.default_rng(0)
    masks = np.kron(
        rng.integers(0, CLASSES, (BATCH, HEIGHT // 16, WIDTH // 16)), np.ones((16, 16))
    ).astype(np.uint8)
    return np.repeat(20 * masks[..., None], 3, -1).astype(np.uint8), masks


def measure(began: float, steps: int, step: Callable[[], float]) -> dict[str, float]:
    """Seconds from the beginning to here, and the images a second of the steps after."""
    first = time.monotonic() - began
    seconds = []
    for _ in range(steps):
        start = time.monotonic()
        step()
        seconds.append(time.monotonic() - start)
    return {"first": first, "images_per_second": BATCH / statistics.median(seconds)}
