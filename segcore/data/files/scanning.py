"""Scans of many files by threads or processes, in order, with progress and flat memory."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Progress = Callable[[int, int, str], None]
"""Called as ``progress(done, total, what)``."""

CHUNK = 32
"""Items that are handed to a worker at once."""


def _run_chunk(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return [work(item) for item in items]


def scan(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    executor: Executor | None = None,
    progress: Progress | None = None,
    what: str = "",
) -> Iterator[Result]:
    """Apply a function to every item and yield the results in order.

    A few chunks are in progress at a time, so memory does not grow with the number of items.

    Args:
        work: What is done to one item; for a process pool it and its results must be picklable.
        items: The items.
        executor: Threads, processes or a cluster client's executor; None for threads of its own,
            one a core.
        progress: Called after each chunk.
        what: Word for ``progress``.

    Yields:
        ``work(item)`` for each item.
    """
    chunks = [items[i : i + CHUNK] for i in range(0, len(items), CHUNK)]
    own = ThreadPoolExecutor(os.cpu_count() or 1) if executor is None else nullcontext(executor)
    most = 4 * max(
        os.cpu_count() or 1, getattr(executor, "width", 0)
    )  # a cluster's executor says how wide it is
    done = 0
    with own as pool:
        pending: deque[Future[list[Result]]] = deque()
        try:
            while chunks or pending:
                while chunks and len(pending) < most:
                    pending.append(pool.submit(_run_chunk, work, chunks.pop(0)))
                results = pending.popleft().result()
                done += len(results)
                yield from results
                if progress is not None:
                    progress(done, len(items), what)
        finally:
            for future in pending:
                future.cancel()
