"""What the worker does once its engine is settled: train, predict, measure, or answer the app.

The folder lies in ``<workspace>/runs/``, its dataset in ``<workspace>/datasets/``. Standard output
and error are the run's log; its state is in ``status.json``. Exit code 0 means finished or
stopped as asked, 1 failed.
"""

import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from segcore.config import PredictConfig, RobustnessConfig, TrainConfig
from segcore.data.dataset.dataset import Dataset
from segcore.errors import SegcoreError, unknown
from segcore.runs.dispatch.warm_process import Answer, Arrays, Handler, serve
from segcore.runs.folder import work_lock
from segcore.runs.folder.run_folder import RunFolder, note_environment
from segcore.runs.queue.stopping import STOPPED, Stopped, end, log_what_fits
from segcore.training.engines.engine import devices
from segcore.training.inference.predict import predict
from segcore.training.inference.robustness import measure_robustness
from segcore.training.inference.service import Service
from segcore.training.inference.speed import note_speed
from segcore.training.loop.averaging import average
from segcore.training.loop.train import train
from segcore.training.strategy import configure
from segcore.training.throughput_probe import probe_throughput

OUT_OF_MEMORY = "Not enough memory: choose a smaller batch, image size or network."


def _train(run: RunFolder, dataset: Dataset) -> None:
    """Train, or average weights; a network that is made of others is timed beside them."""
    config = run.config
    if not isinstance(config, TrainConfig):
        return
    if config.averaging is not None:
        sources = config.averaging.members
        average(run, dataset)
    else:
        sources = config.distillation.teachers if config.distillation else ()
        train(run, dataset)
    if sources:
        note_speed(run, [RunFolder(run.folder.parent / name) for name in sources], config.device)


def _predict(run: RunFolder, dataset: Dataset) -> None:
    config = run.config
    if isinstance(config, PredictConfig):
        predict(run, RunFolder.open(run.folder.parent / config.run), dataset)


def _measure_robustness(run: RunFolder, dataset: Dataset) -> None:
    config = run.config
    if isinstance(config, RobustnessConfig):
        measure_robustness(
            run,
            [RunFolder.open(run.folder.parent / name) for name in config.members or (config.run,)],
            dataset,
        )


WORK: dict[str, Callable[[RunFolder, Dataset], None]] = {
    "train": _train,
    "predict": _predict,
    "robustness": _measure_robustness,
}


def work(folder: Path, probe: bool = False) -> int:
    """Do what a run's config says and write its final state to its status.

    Args:
        folder: The run's folder.
        probe: Whether to run only the throughput probe: a few steps, timed.

    Returns:
        The exit code: 0 finished or stopped, 1 failed.
    """
    run = RunFolder(folder)
    try:
        work_lock.take(folder)
    except work_lock.Working as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    try:
        run.beat(state="running", cause="", finished=None, message="Starting")
        config = run.config
        if config.kind not in WORK or not isinstance(
            config, (TrainConfig, PredictConfig, RobustnessConfig)
        ):
            raise unknown("kind of run for this worker", config.kind, WORK)
        dataset = Dataset.open(run.folder.parent.parent / "datasets" / config.dataset)
        note_environment(run.folder, dataset.fingerprint)
        (probe_throughput if probe else WORK[config.kind])(run, dataset)
    except Stopped:
        return end(run, "interrupted", STOPPED)
    except SegcoreError as error:
        print(error, file=sys.stderr, flush=True)
        return end(run, "failed", str(error))
    except Exception as error:
        traceback.print_exc()
        if devices.is_out_of_memory(error):
            return end(run, "failed", OUT_OF_MEMORY)
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        return end(
            run,
            "failed",
            (
                f"An unexpected {type(error).__name__} ended the run ({first_line}): its log "
                "has the details."
            ),
        )
    return end(run, "finished", "")


def join(folder: Path, task: int) -> int:
    """Help to train a run that another process leads and speaks for.

    Args:
        folder: The run's folder, seen by all machines under one path.
        task: Which of the run's hosts this process is, from 1.

    Returns:
        The exit code: 0 finished or stopped, 1 failed.
    """
    run = RunFolder(folder)
    try:
        config = run.config
        if not isinstance(config, TrainConfig) or not 0 < task < len(config.hosts):
            raise SegcoreError(
                f"Expected a training run over more than {task} hosts, received "
                f"{run.id!r}: check the number and the run."
            )
        train(run, Dataset.open(run.folder.parent.parent / "datasets" / config.dataset), task)
    except Stopped:
        return 0
    except SegcoreError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    return 0


def _answering(function: Callable[[dict[str, Any]], dict[str, Any]]) -> Handler:
    return _without_memory(lambda request, _: (function(request), {}))


def _without_memory(function: Handler) -> Handler:
    """Return a handler that reports a lack of memory in a sentence."""

    def answer(request: dict[str, Any], arrays: Arrays) -> Answer:
        try:
            return function(request, arrays)
        except Exception as error:
            if devices.is_out_of_memory(error):
                raise SegcoreError(OUT_OF_MEMORY) from error
            raise

    return answer


def main(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit code."""
    if arguments and arguments[0] == "--serve":
        configure("auto")
        service = Service()
        questions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "load": service.load,
            "predict": service.predict,
            "export": service.export,
        }
        handlers = {name: _answering(function) for name, function in questions.items()}
        serve(handlers | {"scene": _without_memory(lambda request, _: service.scene(request))})
        return 0
    if len(arguments) == 3 and arguments[1] == "--task" and arguments[2].isdigit():
        return join(Path(arguments[0]).resolve(), int(arguments[2]))
    log_what_fits()
    probe = list(arguments[1:]) == ["--probe"]
    if len(arguments) != 1 + probe:
        print(
            "Usage: python -m segcore.worker RUN_FOLDER [--task N | --probe], or --serve",
            file=sys.stderr,
        )
        return 2
    return work(Path(arguments[0]).resolve(), probe)
