"""``python -m segcore.light_worker RUN_FOLDER`` or ``--serve``."""

import argparse
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from segcore.errors import SegcoreError
from segcore.light_worker.answers import HANDLERS
from segcore.light_worker.crf_search import crf_search_run
from segcore.light_worker.evaluation import evaluate_run
from segcore.light_worker.pool import MAX_WORKERS, count_processors, keep_freed_memory, open_pool
from segcore.light_worker.subsets import subsets_run
from segcore.runs.dispatch.executors import cluster_executor
from segcore.runs.dispatch.warm_process import serve
from segcore.runs.folder import work_lock
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue.stopping import (
    STOPPED,
    Stopped,
    StopSignal,
    begin,
    end,
    fail,
    log_what_fits,
)

WORK = {"evaluate": evaluate_run, "subsets": subsets_run, "crf_search": crf_search_run}
"""What carries out a kind of run."""


def work(run: RunFolder, asked: int = 0) -> int:
    """Carry out one run and write how it ended into its status; return the exit code.

    Args:
        run: The run.
        asked: Processes on this machine; 0 for the workspace's cluster where one is named, else one
            a processor.
    """
    workers = asked or min(count_processors(), MAX_WORKERS)
    stop = StopSignal()
    try:
        work_lock.take(run.folder)
    except work_lock.Working as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    try:
        carry_out = WORK.get(run.config.kind, evaluate_run)
        begin(run)
        with _executor(run, asked, workers) as (executor, width):
            carry_out(run, executor, lambda: _must_stop(run, stop), ahead=2 * width)
    except Stopped:
        return end(run, "interrupted", STOPPED)
    except SegcoreError as error:
        return fail(run, str(error))
    except (MemoryError, BrokenProcessPool):
        return fail(
            run,
            (
                f"The memory was probably not enough for {workers} processes: set "
                "SEGCORE_LIGHT_WORKERS=1, then resume the run."
            ),
        )
    except Exception as error:
        traceback.print_exc()
        return fail(run, f"{type(error).__name__}: {error} (the log says where)")
    return end(run, "finished", "", progress=1.0, message="", seconds_left=0.0)


@contextmanager
def _executor(run: RunFolder, asked: int, workers: int) -> Iterator[tuple[Executor | None, int]]:
    """Lend what works on the samples, and its width: cluster, pool, or this process alone."""
    with cluster_executor(run.folder.parent.parent, wanted=not asked) as lent:
        if lent is not None:
            print(f"Working on {lent.width} threads of the cluster", flush=True)
            yield lent, lent.width
        elif workers > 1:
            with open_pool(workers) as pool:
                yield pool, workers
        else:
            yield None, 2


def _must_stop(run: RunFolder, stop: StopSignal) -> bool:
    return stop.asked or run.status().state == "stopping"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m segcore.light_worker",
        description="Evaluate a run, or answer small questions.",
    )
    parser.add_argument("run", nargs="?", help="folder of an evaluate run")
    parser.add_argument(
        "--serve", action="store_true", help="answer questions on standard input until it closes"
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=None,
        help="processes here (default: the cluster, else one a processor, at most 8)",
    )
    options = parser.parse_args(arguments)
    if options.serve == bool(options.run):
        parser.error("give either a run folder or --serve")
    keep_freed_memory()
    if options.serve:
        serve(HANDLERS)
        return 0
    log_what_fits()
    run = RunFolder(options.run)
    if not run.folder.is_dir():
        print(
            f"Expected the folder of a run, found none at {options.run}: check the path.",
            file=sys.stderr,
        )
        return 2
    asked = os.environ.get("SEGCORE_LIGHT_WORKERS", "")
    return work(run, max(0, options.workers or 0) or (int(asked) if asked.isdigit() else 0))


if __name__ == "__main__":
    sys.exit(main())
