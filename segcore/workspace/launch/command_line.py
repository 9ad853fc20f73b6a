"""The shell command that does the same as a form."""

import json

from segcore.config import TrainConfig, TuneConfig, to_json
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


def student_command(config: TrainConfig, first: TrainConfig) -> str:
    """Return the shell command that trains the same student.

    Args:
        config: Of the student.
        first: Of its first teacher, whose values are the defaults of the command.
    """
    if config.distillation is None:
        return command_line(config)
    words = [*flags(config.distillation), *flags(config, base=first)]
    return shell_command("distil", *config.distillation.teachers, *words)


def average_command(config: TrainConfig) -> str:
    """Return the shell command that averages the same weights."""
    members = config.averaging.members if config.averaging else ()
    return shell_command("average", *members)


def search_command(config: TuneConfig) -> tuple[str, str]:
    """Return the shell command that starts the same search, and the content of its space.json."""
    search = flags(config, nested=False)
    words = ["tune", config.dataset, *train_flags(config.base, 1)]
    line = shell_command(*words, "--space", "space.json", *search)
    return line, json.dumps(to_json(config.space), indent=1)


def train_flags(config: TrainConfig, members: int) -> list[str]:
    """Return the flags of ``train``; part of a group of submodels is trained as one model."""
    skip = ("submodels",) if config.group else ()
    words = flags(config, skip=skip)
    if "--engine" not in words and config.engine != default_engine():
        words += ["--engine", config.engine]  # the shell would take another one here
    return [*words, *(["--members", str(members)] if members > 1 else [])]
