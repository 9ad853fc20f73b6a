"""``python -m segcore.light_worker RUN_FOLDER`` or ``--serve``."""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool

import psutil

from segcore.errors import SegcoreError
from segcore.light_worker.answers import HANDLERS
from segcore.light_worker.crf_search import crf_search_run
from segcore.light_worker.evaluation import evaluate_run
from segcore.light_worker.pool import MAX_WORKERS, count_processors, keep_freed_memory, open_pool
from segcore.light_worker.progress import Stopped
from segcore.light_worker.subsets import subsets_run
from segcore.runs.answerer import serve
from segcore.runs.stopping import StopSignal, fail
from segcore.runs.store import RunFolder

WORK = {"evaluate": evaluate_run, "subsets": subsets_run, "crf_search": crf_search_run}
"""What carries out a kind of run."""


def work(run: RunFolder, workers: int) -> int:
    """Carry out one run and leave its status as finished, interrupted or failed; return the exit code."""
    stop = StopSignal()
    process = psutil.Process()
    try:
        carry_out = WORK.get(run.config.kind, evaluate_run)
        started = run.status().started or time.time()
        run.beat(state="running", pid=process.pid, process_created=process.create_time(), started=started, cause="", message="Starting")
        if workers > 1:
            with open_pool(workers) as pool:
                carry_out(run, pool, lambda: _must_stop(run, stop), ahead=2 * workers)
        else:
            carry_out(run, None, lambda: _must_stop(run, stop))
    except Stopped:
        run.beat(state="interrupted", cause="Stopped by request; resume it to go on.", seconds_left=None, finished=time.time())
        return 0
    except SegcoreError as error:
        return fail(run, str(error))
    except (MemoryError, BrokenProcessPool):
        return fail(run, f"The memory was probably not enough for {workers} processes: set SEGCORE_LIGHT_WORKERS=1, then resume the run.")
    except Exception as error:
        traceback.print_exc()
        return fail(run, f"{type(error).__name__}: {error} (the log says where)")
    run.beat(state="finished", cause="", progress=1.0, message="", seconds_left=0.0, finished=time.time())
    return 0


def _must_stop(run: RunFolder, stop: StopSignal) -> bool:
    return stop.asked or run.status().state == "stopping"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the door; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m segcore.light_worker", description="Evaluate a run, or answer small questions.")
    parser.add_argument("run", nargs="?", help="folder of an evaluate run")
    parser.add_argument("--serve", action="store_true", help="answer questions on standard input until it closes")
    parser.add_argument("--workers", type=int, default=None, help="processes (default: one a processor, at most 8)")
    options = parser.parse_args(arguments)
    if options.serve == bool(options.run):
        parser.error("give either a run folder or --serve")
    keep_freed_memory()
    if options.serve:
        serve(HANDLERS)
        return 0
    run = RunFolder(options.run)
    if not run.folder.is_dir():
        print(f"Expected the folder of a run, found none at {options.run}: check the path.", file=sys.stderr)
        return 2
    asked = os.environ.get("SEGCORE_LIGHT_WORKERS", "")
    workers = options.workers or (int(asked) if asked.isdigit() else 0) or min(count_processors(), MAX_WORKERS)
    return work(run, max(1, workers))


if __name__ == "__main__":
    sys.exit(main())
