"""The shell command that starts the same training."""

from segcore.config import TrainConfig
from segcore.config.schema import flags
from segcore.installing import shell_command
from segcore.runs.machine.engines import default_engine


def command_line(config: TrainConfig, members: int = 1) -> str:
    """Return the shell command that starts the same runs.

    Args:
        config: What is trained.
        members: Size of the ensemble.
    """
    return shell_command("train", config.dataset, *train_flags(config, members))


def train_flags(config: TrainConfig, members: int) -> list[str]:
    """Return the flags of ``train``; part of a group of submodels is trained as one model."""
    skip = ("submodels",) if config.group else ()
    words = flags(config, skip=skip)
    if "--engine" not in words and config.engine != default_engine():
        words += ["--engine", config.engine]  # the shell would take another one here
    return [*words, *(["--members", str(members)] if members > 1 else [])]
