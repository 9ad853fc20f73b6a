"""What the benchmarks read the time by."""

import statistics
import time
from collections.abc import Callable
from typing import Any


def median_time(work: Callable[[], Any], runs: int = 5) -> float:
    """Return the median of several runs in seconds, after one that is not counted."""
    work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
