"""Named configs, saved as ``<workspace>/configs/<name>.json`` to train with again."""

import dataclasses
from pathlib import Path
from typing import Any

from segcore.catalog import kind_words
from segcore.config import TrainConfig, TuneConfig, config_from_json, to_json
from segcore.errors import SegcoreError, unknown
from segcore.runs.folder.names import check_run_id, is_run_id
from segcore.runs.machine import disk
from segcore.workspace.launch.command_line import (
    average_command,
    command_line,
    search_command,
    student_command,
)
from segcore.workspace.rights import writes
from segcore.workspace.runs.runs import Runs

FORMAT = 1
PERSONAL = ("member", "group")
"""Fields that say which run it was, not what it was; a saved or cloned config leaves them out."""


class Configs:
    """Configs of training runs, saved by name, cloned from runs, or written by hand."""

    def __init__(self, workspace: Path, runs: Runs) -> None:
        self.folder = workspace / "configs"
        self._runs = runs

    def names(self) -> list[str]:
        """Return the names of all saved configs, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(path.stem for path in self.folder.glob("*.json") if is_run_id(path.stem))

    @writes("save a config", "Saved the config {name}")
    def save(self, name: str, config: TrainConfig) -> None:
        """Save a config; one of that name is replaced.

        Raises:
            SegcoreError: The name is unsafe as a file's, or the workspace cannot be written.
        """
        disk.write_json(
            self.folder / f"{check_run_id(name)}.json",
            {"format": FORMAT, "config": to_json(impersonal(config))},
        )

    def load(self, name: str) -> TrainConfig:
        """Return a saved config.

        Raises:
            SegcoreError: There is none of that name, it is damaged or refused, or a newer version
                wrote it.
        """
        if name not in self.names():
            raise unknown("saved config", name, self.names())
        data = disk.read_json(self.folder / f"{name}.json")
        if not isinstance(data.get("format"), int) or data["format"] > FORMAT:
            raise SegcoreError(
                f"Expected the config {name!r} in format {FORMAT} or older: a newer "
                "version wrote it; update to open it."
            )
        return self.parse(data.get("config"))

    @writes("delete a config", "Deleted the config {name}")
    def delete(self, name: str) -> None:
        """Remove a saved config.

        Raises:
            SegcoreError: There is none of that name.
        """
        if name not in self.names():
            raise unknown("saved config", name, self.names())
        (self.folder / f"{name}.json").unlink()

    def clone(self, run: str) -> TrainConfig:
        """Return the config of a training run, to start another like it.

        Raises:
            SegcoreError: There is no such run, or it is no training run.
        """
        config = self._runs.open(run).config
        if not isinstance(config, TrainConfig):
            raise SegcoreError(
                f"Expected a training run, received {run!r}, which is "
                f"{kind_words(config.kind)}: name the run that was trained."
            )
        return impersonal(config)

    def command(self, config: TrainConfig, members: int = 1) -> str:
        """Return the shell command that starts the same training, student or average.

        Args:
            config: What is trained.
            members: Size of the ensemble; a student and an average are one network.
        """
        if config.averaging is not None:
            return average_command(config)
        if config.distillation is None:
            return command_line(config, members)
        try:
            first = self._runs.open(config.distillation.teachers[0]).config
        except SegcoreError:
            first = None  # deleted: the defaults of its command are unknown
        return student_command(config, first if isinstance(first, TrainConfig) else TrainConfig(""))

    def search_command(self, config: TuneConfig) -> tuple[str, str]:
        """Return the shell command that starts the same search, and the content of its space.json."""
        return search_command(config)

    def parse(self, data: Any) -> TrainConfig:
        """Return the config that a mapping says, as a file or a person wrote it.

        Raises:
            SegcoreError: It is no mapping, of another kind, or a key or value is refused.
        """
        if not isinstance(data, dict):
            raise SegcoreError(
                f"Expected a config as a mapping {{...}}, received a "
                f"{type(data).__name__}: copy one from a run."
            )
        config = config_from_json({"kind": "train", **data})
        if not isinstance(config, TrainConfig):
            raise SegcoreError(
                "Expected the config of a training run, received one of kind "
                f"{config.kind!r}: copy one of a training run."
            )
        return impersonal(config)


def impersonal(config: TrainConfig) -> TrainConfig:
    """Return a config without what named its run; its seed is that of the first member.

    Copied, a student or an average of weights is a training on labels.
    """
    # A part of submodels has a label map of its own: begun like it, one such network is trained.
    submodels = "" if config.group else config.submodels
    members_by = "seed" if config.group else config.members_by
    seed = max(0, config.seed - config.member)
    return dataclasses.replace(
        config,
        member=0,
        group="",
        submodels=submodels,
        members_by=members_by,
        seed=seed,
        distillation=None,
        averaging=None,
    )
