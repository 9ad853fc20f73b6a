"""A few processes for a long map over samples, with few samples in progress at a time."""

import ctypes
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, TimeoutError
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import TypeVar

import cv2

Task = TypeVar("Task")
Result = TypeVar("Result")

MAX_WORKERS = 8
POLL_SECONDS = 0.5
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def count_processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def open_pool(workers: int | None = None) -> Iterator[ProcessPoolExecutor]:
    """Lend a pool of fresh processes (never forked), one a processor and at most ``MAX_WORKERS``.

    They leave termination to this process and end when it is gone, however it ended. If the block
    is left by an error or a stop they end at once, in the middle of an image too.

    Args:
        workers: How many; None for the number above.
    """
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    with reader, writer:
        pool = ProcessPoolExecutor(
            workers or min(count_processors(), MAX_WORKERS),
            mp_context=context,
            initializer=_prepare,
            initargs=(reader,),
        )
        try:
            yield pool
        except BaseException:
            writer.close()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees for its next image (glibc only).

    Otherwise every image's large arrays are returned and fetched again, page by page: a sixth of
    the CRF's time. The process never holds more than its own peak.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(_M_MMAP_THRESHOLD, 1 << 30)
    mallopt(_M_TRIM_THRESHOLD, 1 << 30)


def _prepare(reader: Connection) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    cv2.setNumThreads(1)  # one process a processor is parallel enough
    threading.Thread(target=_end_with_pipe, args=(reader,), daemon=True).start()


def _end_with_pipe(reader: Connection) -> None:
    """End this process when the other end of the pipe is closed, by the parent or by its death."""
    wait([reader])
    os._exit(1)


def map_ahead(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    executor: Executor | None = None,
    ahead: int = 2 * MAX_WORKERS,
    idle: Callable[[], None] | None = None,
) -> Iterator[Result]:
    """Yield ``function(task)`` in the order of the tasks, at most ``ahead`` of them in progress.

    ``Executor.map`` gives out every task at once and keeps every result until it is asked for; this
    holds a few.

    Args:
        function: A module's function, so that it can travel to another process.
        tasks: Read lazily.
        executor: Where to run them; None runs each in this process when its turn comes.
        ahead: Bound of tasks in progress, at least 1.
        idle: Called at least every half second while waiting, and before each task; what it raises
            ends the map.

    Yields:
        One result a task. When the generator is closed or an error passes through, tasks not yet
        begun are cancelled.
    """
    if executor is None:
        for task in tasks:
            if idle:
                idle()
            yield function(task)
        return
    under_way: deque[Future[Result]] = deque()
    rest = iter(tasks)
    try:
        while True:
            while len(under_way) < max(1, ahead):
                try:
                    under_way.append(executor.submit(function, next(rest)))
                except StopIteration:
                    break
            if not under_way:
                return
            first = under_way[0]
            while True:
                if idle:
                    idle()
                try:
                    result = first.result(timeout=POLL_SECONDS)
                    break
                except TimeoutError:
                    if first.done():  # the function itself timed out
                        raise
            under_way.popleft()
            yield result
    finally:
        for future in under_way:
            future.cancel()
