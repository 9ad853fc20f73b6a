"""The shell command that does the same as a form."""

import json

from segcore.config import TrainConfig, TuneConfig, to_json
from segcore.config.schema import flags
from segcore.installing import shell_command
from segcore.workspace.launch.command_line import command_line, train_flags

__all__ = ["average_command", "command_line", "search_command", "student_command"]


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
