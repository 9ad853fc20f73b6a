"""``python -m segcore.tuning RUN_FOLDER``."""

import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from segcore import acting
from segcore.config import TuneConfig
from segcore.errors import SegcoreError
from segcore.runs.folder import work_lock
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine.devices import list_devices
from segcore.runs.queue.stopping import STOPPED, StopSignal, begin, end, fail, log_what_fits
from segcore.tuning.coordinator import Coordinator
from segcore.tuning.store import TrialStore
from segcore.tuning.trainer import QueueTrainer

TICK_SECONDS = 0.5
BEAT_SECONDS = 2.0
REFRESH_SECONDS = 5.0


def work(run: RunFolder) -> int:
    """Work on a search until it ends or is stopped; return the exit code, 1 for failed."""
    stop = StopSignal()
    try:
        work_lock.take(run.folder)
    except work_lock.Working as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    by = run.status().by
    if by:  # its trials are runs of the person who started the search
        acting.identify_by(lambda: acting.Person(by))
    try:
        begin(run)
        config = run.config
        if not isinstance(config, TuneConfig):
            raise SegcoreError(
                f"Expected a search, received {run.id!r} of kind {config.kind!r}: name a "
                "run of kind 'tune'."
            )
        gpus = sum(device.id.startswith("gpu:") for device in list_devices())
        trainer = QueueTrainer(run.folder.parent.parent)
        coordinator = Coordinator(TrialStore(run, config), trainer, config.parallel or max(1, gpus))
        if not _go(run, coordinator, trainer, stop):
            coordinator.hold()
            print("Stopped; running trials save and end", flush=True)
            return end(run, "interrupted", STOPPED)
        if coordinator.report["best"] is None:
            raise SegcoreError(
                "No trial finished: see the causes of the trials, fix the "
                "commonest, and start a new search."
            )
    except SegcoreError as error:
        return fail(run, str(error))
    except Exception as error:
        traceback.print_exc()
        return fail(run, f"{type(error).__name__}: {error} (the log says where)")
    return end(run, "finished", "", progress=1.0, seconds_left=0.0)


def _go(run: RunFolder, coordinator: Coordinator, trainer: QueueTrainer, stop: StopSignal) -> bool:
    """Take turns; return whether the search came to its end, rather than being stopped."""
    beaten = refreshed = 0.0
    while True:
        busy = coordinator.turn()
        fields = coordinator.fields()
        if time.monotonic() - beaten > BEAT_SECONDS or not busy:
            beaten = time.monotonic()
            stop.asked |= run.beat(**fields).state == "stopping"
        if not busy:
            return True
        if stop.asked:
            return False
        if time.monotonic() - refreshed > REFRESH_SECONDS:
            refreshed = time.monotonic()
            trainer.refresh()
        time.sleep(TICK_SECONDS)


def main(arguments: Sequence[str]) -> int:
    """Work on the search of a run folder; return the exit code."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("Usage: python -m segcore.tuning RUN_FOLDER", file=sys.stderr)
        return 2
    log_what_fits()
    return work(RunFolder(Path(arguments[0]).resolve()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
