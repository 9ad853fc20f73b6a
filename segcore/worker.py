"""The background process of one run that needs a network: ``python -m segcore.worker RUN_FOLDER``.

With ``--task N`` it helps to train a run that machine 0 of several leads; without it, it is machine
0. With ``--probe`` it runs the throughput probe: a few steps are timed and nothing else of them is
kept. With ``--serve`` it answers the app's requests instead (predict this image), and ends when its
input does; ``--serve ENGINE`` does so with that engine.

Which engine computes is settled here, before any is imported: the run's config names it.
"""

import atexit
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from segcore.config import PredictConfig, RobustnessConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine import engines
from segcore.runs.queue.stopping import end


def main(arguments: Sequence[str]) -> int:
    """Settle the engine, then do what the arguments say; return the exit code.

    0 means finished or stopped as asked, 1 failed.
    """
    run = RunFolder(Path(arguments[0]).resolve()) if arguments else None
    try:
        if run is None or arguments[0] == "--serve":
            asked = arguments[1] if arguments[1:] else engines.AUTO
            os.environ.update(engines.engine_variables(engines.prediction_engine(asked)))
        elif (run.folder / "config.json").is_file():
            os.environ.update(_variables(run))
    except SegcoreError as error:
        print(error, file=sys.stderr, flush=True)
        return 1 if run is None or arguments[0] == "--serve" else end(run, "failed", str(error))
    return int(load_work().main(arguments))


def leave_out() -> None:
    """Keep Keras from importing what nothing here uses, for wrappers: two seconds of a start.

    For a process that does nothing but work on a run: it can import neither package any more.
    """
    sys.modules.update(dict.fromkeys(("sklearn", "pandas")))  # type: ignore[arg-type]


def load_work() -> ModuleType:
    """Import the engine and what works with it; half a million objects that stay are not searched for garbage."""
    gc.disable()
    try:
        return importlib.import_module("segcore.training.work")
    finally:
        gc.freeze()
        gc.set_threshold(100_000, 20, 20)  # building a network and its graph leaves little garbage
        gc.enable()


def _variables(run: RunFolder) -> dict[str, str]:
    """Return the environment for a run: what its engine takes.

    Raises:
        SegcoreError: The engine is not installed, or a config cannot be read.
    """
    config, cache = run.config, run.folder.parent.parent / "cache"
    if isinstance(config, TrainConfig):
        engine = engines.choose_engine(config, lambda: None).name
        engines.require_engine(engine, begun=True)  # a cluster's machine was not asked before
        return dict(engines.engine_variables(engine, config.deterministic, cache))
    names: tuple[str, ...]
    if isinstance(config, PredictConfig):
        backend, names = config.options.backend, (config.run,)
    elif isinstance(config, RobustnessConfig):
        backend, names = engines.AUTO, config.members or (config.run,)
    else:
        return {}
    trained = [RunFolder(run.folder.parent / name) for name in names]
    known = [source.engine for one in trained if isinstance(source := one.config, TrainConfig)]
    return dict(engines.engine_variables(engines.prediction_engine(backend, known), cache=cache))


if __name__ == "__main__":
    leave_out()
    atexit.register(gc.freeze)  # what is left at the end is not searched for garbage: a second
    sys.exit(main(sys.argv[1:]))
