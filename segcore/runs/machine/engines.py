"""Engines: which are installed, which one a run gets, and what its process needs to start with."""

import dataclasses
import hashlib
import os
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

from segcore.catalog import BACKENDS
from segcore.config import PredictConfig, RobustnessConfig, RunConfig, TrainConfig, TuneConfig
from segcore.config.requests import place_of
from segcore.errors import SegcoreError
from segcore.installing import extra_command
from segcore.runs.machine.devices import list_devices
from segcore.runs.machine.diagnosis import ENGINES as TITLES
from segcore.runs.machine.diagnosis import Diagnosis, engine_command
from segcore.runs.machine.doctor import examine, last_diagnosis
from segcore.runs.machine.processes import fast_convolutions

AUTO = "auto"
CACHE_BYTES = 1 << 30
"""Compiled steps that are kept; with more than that, all make room."""


@dataclass(frozen=True)
class EngineChoice:
    """The engine that a run gets.

    Attributes:
        name: A name in ``catalog.ENGINES``, "auto" not among them.
        reason: Why, where the config left it open; else "".
    """

    name: str
    reason: str = ""


@cache
def is_installed(engine: str) -> bool:
    """Whether an engine's package is here; it is not imported."""
    return PathFinder.find_spec(engine) is not None


def installed_engines() -> list[str]:
    """Return the engines that are installed, TensorFlow first."""
    return [engine for engine in TITLES if is_installed(engine)]


def default_engine() -> str:
    """Return the engine of a new config: the first that is installed, TensorFlow first.

    Where none is, TensorFlow's name: what is started with it says how to install one.
    """
    return next(iter(installed_engines()), "tensorflow")


def new_config(dataset: str) -> TrainConfig:
    """Return the training config that begins with the defaults, its engine one that is installed.

    Args:
        dataset: Name of the dataset.
    """
    return TrainConfig(dataset, engine=default_engine())


def require_engine(engine: str, begun: bool = False) -> None:
    """Refuse an engine that is not installed.

    Args:
        engine: A name in ``catalog.ENGINES``, not "auto".
        begun: Whether a run began with it, which keeps its engine.

    Raises:
        SegcoreError: It is not.
    """
    if not is_installed(engine):
        others = " or ".join(installed_engines())
        fix = "start a new run with" if begun else "choose"
        instead = f", or {fix} the engine {others}" if others else ""
        raise SegcoreError(
            f"Expected an engine that is installed, received {engine!r}, which is not: "
            f"install it ({engine_command(engine)}){instead}."
        )


def require_backend(backend: str) -> str:
    """Return the engine that a backend needs, and refuse one that lacks its package.

    Args:
        backend: A name in ``catalog.BACKENDS``, not "auto".

    Raises:
        SegcoreError: The engine is not installed, or OpenVINO itself is not.
    """
    from_graph = backend == "openvino"
    needed = ["tensorflow", "openvino"] if from_graph else [backend]
    lacking = [package for package in needed if not is_installed(package)]
    if lacking:
        names = " and ".join(BACKENDS[package].title for package in lacking)
        why = f"{names} {'is' if len(lacking) == 1 else 'are'} not installed"
        if from_graph and "tensorflow" in lacking:
            why = f"it starts from TensorFlow's graph, and {why}"
        commands = [
            extra_command("fast") if package == "openvino" else engine_command(package)
            for package in lacking
        ]
        others = " or ".join(installed_engines())
        instead = f", or predict with the backend {others}" if others else ""
        raise SegcoreError(
            f"Expected a backend that is installed, received {backend!r}: {why}; install what is "
            f"missing ({' && '.join(commands)}){instead}."
        )
    return needed[0]


def usable_backends() -> list[str]:
    """Return the backends that :func:`require_backend` grants, "auto" first."""
    both = is_installed("tensorflow") and is_installed("openvino")
    return [AUTO, *installed_engines(), *["openvino"] * both]


def with_engine_here(config: TrainConfig) -> TrainConfig:
    """Return what is trained like another run: with its engine, or one that is installed.

    Each engine reads every network, so a run of an engine that is not here any more can be
    trained again.

    Args:
        config: The other run's.
    """
    if config.engine in (AUTO, *installed_engines()) or place_of(config.device):
        return config
    return dataclasses.replace(config, engine=default_engine())


def choose_engine(config: TrainConfig, diagnosis: Callable[[], Diagnosis | None]) -> EngineChoice:
    """Choose the engine of a run: the one that its config names, or the first that works.

    "auto" takes an engine that is installed, can do what the config asks for, and passed the
    doctor's check on the device: on a CPU the one that trained fastest there, else the first,
    TensorFlow before the others.

    Args:
        config: What is about to be queued.
        diagnosis: Gives the doctor's answer; called only where several engines come into question.

    Raises:
        SegcoreError: The engine is not installed, or none can do it.
    """
    if config.engine != AUTO:
        if not place_of(config.device):
            require_engine(config.engine)
        return EngineChoice(config.engine)
    able = _able(config)
    if len(able) == 1:
        return EngineChoice(able[0], f"auto: {TITLES[able[0]]} is the one that can do it")
    answer = diagnosis()
    failures = {engine: answer and _failure(answer, engine, config) for engine in able}
    working = [engine for engine in able if not failures[engine]]
    reasons = [reason for reason in failures.values() if reason]
    if working:
        why = f"auto: {TITLES[working[0]]} passed the doctor's check"
        speeds = _cpu_speeds(answer, working, config)
        if speeds:
            working.sort(key=lambda engine: -speeds.get(engine, 0.0))
            shown = ", ".join(f"{TITLES[e]} {_shown(speeds.get(e))}" for e in working)
            why = f"auto: fastest on this CPU by the doctor's few steps (images a second: {shown})"
        return EngineChoice(working[0], "; ".join([why, *reasons]))
    raise SegcoreError(
        f"Expected an engine that works on the device {config.device!r}, found none "
        f"({'; '.join(reasons)}): choose another device, or repair it and run segscope doctor "
        "again."
    )


def settle_engine(config: TrainConfig, workspace: Path) -> tuple[TrainConfig, EngineChoice]:
    """Return a config with its engine named, and why it is that one; "auto" may ask the doctor.

    Args:
        config: What is about to be queued.
        workspace: Where the doctor's answers are kept.

    Raises:
        SegcoreError: The engine is not installed, or none can do what the config asks for.
    """
    choice = choose_engine(config, lambda: last_diagnosis(workspace) or examine(workspace))
    return dataclasses.replace(config, engine=choice.name), choice


def _able(config: TrainConfig) -> list[str]:
    """Return the engines that are installed and can do what a config asks for."""
    refusal = _none_installed()
    able = []
    for engine in installed_engines():
        try:
            dataclasses.replace(config, engine=engine)
            able.append(engine)
        except SegcoreError as error:
            refusal = str(error)
    if not able:
        raise SegcoreError(refusal)
    return able


def _cpu_speeds(
    diagnosis: Diagnosis | None, working: Sequence[str], config: TrainConfig
) -> dict[str, float]:
    """Return what engines trained on in a second, those that were timed; {} on a GPU."""
    if diagnosis is None or len(working) < 2 or _first_device(config) != "cpu":
        return {}
    speeds = {engine: diagnosis.speed(engine, config.recipe.precision) for engine in working}
    return {engine: speed for engine, speed in speeds.items() if speed is not None}


def _shown(speed: float | None) -> str:
    return "not timed" if speed is None else f"{speed:.1f}"


def _first_device(config: TrainConfig) -> str:
    """Return the first device of a config, "auto" looked up on this machine."""
    if config.device == AUTO:
        return next((d.id for d in list_devices() if d.id != "cpu"), "cpu")
    return config.device.split(",")[0].strip()


def _failure(diagnosis: Diagnosis, engine: str, config: TrainConfig) -> str:
    """Say why an engine cannot use the devices of a config; "" where it can."""
    names = [name.strip() for name in config.device.split(",")]
    if config.device == AUTO:
        names = [_first_device(config)]
    reasons = (
        diagnosis.failure(engine, name, config.recipe.precision)
        for name in names
        if name == "cpu" or name.startswith("gpu:")
    )
    return next(filter(None, reasons), "")


def prediction_engine(backend: str, trained_with: Sequence[str] = ()) -> str:
    """Choose the engine that predicts: any of them reads any network.

    On a GPU the one that a network was trained with, which works there; on a CPU the first that is
    installed, TensorFlow first, since OpenVINO starts from its graph.

    Args:
        backend: A name in ``catalog.BACKENDS``.
        trained_with: Engines of the networks, the first network's first.

    Raises:
        SegcoreError: The backend needs an engine that is not installed, or none is installed.
    """
    if backend != AUTO:
        return require_backend(backend)
    preferred = trained_with if _has_gpu() else ()
    for engine in (*preferred, *TITLES):
        if engine in TITLES and is_installed(engine):
            return engine
    raise SegcoreError(_none_installed())


def refuse_without_engine(config: RunConfig, begun: bool = False) -> None:
    """Refuse a run that computes here with an engine that is not installed.

    Args:
        config: What is about to be queued, for the first time or again.
        begun: Whether it is queued again, so that its engine cannot be chosen any more.

    Raises:
        SegcoreError: The engine is not installed, or the run needs one and none is.
    """
    if isinstance(config, TuneConfig):
        config = config.base
    if not isinstance(config, (TrainConfig, PredictConfig, RobustnessConfig)):
        return
    if place_of(config.device):
        return
    if isinstance(config, TrainConfig) and config.engine != AUTO:
        require_engine(config.engine, begun)
    else:
        prediction_engine(config.options.backend if isinstance(config, PredictConfig) else AUTO)


def _none_installed() -> str:
    return f"Expected an engine, found none: install one ({engine_command('tensorflow')})."


def _has_gpu() -> bool:
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if shown is not None:
        return shown.strip() not in ("", "-1")
    return any(device.id != "cpu" for device in list_devices())


def engine_variables(
    engine: str, deterministic: bool = False, cache: Path | None = None
) -> Mapping[str, str]:
    """Return the environment that a process needs before it imports an engine.

    Args:
        engine: A name in ``catalog.ENGINES``, not "auto".
        deterministic: Whether operations must repeat bit for bit.
        cache: Folder where compiled steps are kept for the next run; None keeps none.
    """
    needed = {"KERAS_BACKEND": engine}
    if engine == "tensorflow":
        needed |= fast_convolutions()
    no_gpu = os.environ.get("CUDA_VISIBLE_DEVICES") == "-1"
    if engine == "jax":
        needed["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # other runs have their share of a GPU
        if cache is not None and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
            needed["JAX_COMPILATION_CACHE_DIR"] = str(_compiled(cache))
            needed["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        if no_gpu:
            needed["JAX_PLATFORMS"] = "cpu"
        elif deterministic:
            flags = os.environ.get("XLA_FLAGS", "")
            needed["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
    if engine == "torch" and deterministic:
        needed["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    return needed


def _compiled(folder: Path) -> Path:
    """Return the folder of what was compiled for this kind of processor; too much of it goes."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        kind = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        kind = platform.node()
    own = folder / f"jax-{hashlib.sha256(kind.encode()).hexdigest()[:8]}"
    with suppress(OSError):  # another process may be at it; without a cache it only takes longer
        if sum(file.stat().st_size for file in own.glob("*")) > CACHE_BYTES:
            shutil.rmtree(own)
    return own
