"""How fast a run will be: as a few steps of its config were measured, else as runs that ended here were."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from segcore.config import TrainConfig, config_from_json, to_json
from segcore.errors import SegcoreError
from segcore.runs.dispatch import throughput_probe
from segcore.runs.folder import hosts
from segcore.runs.folder.listing import list_runs
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import Status
from segcore.workspace.costs import estimate
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.runs.runs import Runs

LOOKED_AT = 20
"""Finished runs of the same network and size whose pace is looked up."""
SAME_PACE = (
    "epochs",
    "learning_rate",
    "schedule",
    "patience",
    "warmup_epochs",
    "monitor",
    "freeze_epochs",
    "weight_decay",
)
"""Settings of a recipe that change nothing about the time of a step."""
SAME_RUN = ("seed", "member", "group", "members_by", "submodels")
LOOK_SECONDS = 0.3


@dataclass(frozen=True)
class Throughput:
    """How fast a run will be.

    Attributes:
        images_per_second: Images learned from in a second.
        run: Id of the run that tells it; "" where steps of this config were measured.
        is_measured: Whether that run had the same network, size, batch and precision; else it is a
            rough guess.
        epoch_seconds: Of an epoch with its validation, where steps of this config were measured.
        memory: Bytes that it took at most, likewise.
        measured: When, in seconds since 1970, likewise.
        steps: Steps that were timed.
        device: What they were made on.
        beside: Runs that were at work meanwhile: alone it is faster.
    """

    images_per_second: float
    run: str
    is_measured: bool
    epoch_seconds: float | None = None
    memory: int | None = None
    measured: float | None = None
    steps: int = 0
    device: str = ""
    beside: tuple[str, ...] = ()


class Throughputs:
    """Measures of configs, and what runs that ended tell of others."""

    def __init__(self, workspace: Path, datasets: Datasets, runs: Runs) -> None:
        self._workspace = workspace
        self._datasets = datasets
        self._runs = runs

    def measure(self, config: TrainConfig) -> None:
        """Begin to make a few real steps of a config in the background; :meth:`measuring` says how it goes.

        Raises:
            SegcoreError: There is no such dataset, split, label map or plan, or nothing can be
                measured on this machine now.
        """
        self._runs.check(config)
        throughput_probe.start(self._workspace, self._key(config), config)

    def measuring(self, config: TrainConfig) -> Status | None:
        """Return how the measure of a config goes or ended; None where it was not measured.

        Raises:
            SegcoreError: There is no such dataset.
        """
        return throughput_probe.look(self._workspace, self._key(config))

    def stop_measure(self, config: TrainConfig) -> None:
        """End the measure of a config.

        Raises:
            SegcoreError: There is no such dataset.
        """
        throughput_probe.stop(self._workspace, self._key(config))

    def wait_for_measure(
        self, config: TrainConfig, progress: Callable[[int, int, str], None] | None = None
    ) -> Throughput:
        """Return what a measure that is under way finds.

        Raises:
            SegcoreError: It failed; the sentence carries its cause.
        """
        while (status := self.measuring(config)) is not None and not status.has_ended:
            if progress:
                progress(int(100 * status.progress), 100, status.message)
            time.sleep(LOOK_SECONDS)
        pace = self._measured(config)
        if status is None or status.state != "finished" or pace is None:
            raise SegcoreError(
                "The measure ended without an answer: "
                f"{status.cause if status and status.cause else 'see its log'}"
            )
        return pace

    def pace(self, config: TrainConfig) -> Throughput | None:
        """Return how fast a run will be; None where there is nothing to go by.

        Steps of this very config tell it where they were measured. Else the latest run of the same
        network, size, batch and precision does; else the latest run of any network, by the
        operations of the two for an image, which is a rough guess: networks differ in how well they
        use a machine.

        Raises:
            SegcoreError: There is no such dataset.
        """
        if (measured := self._measured(config)) is not None:
            return measured
        wanted = to_json(config)
        ended = [
            run
            for run in list_runs(self._runs.folder)
            if run.kind == "train" and run.status.state == "finished"
        ]
        alike = [run for run in ended if _alike(run.config, wanted)]
        for run in [*alike[:LOOKED_AT], *ended[:LOOKED_AT]]:
            paces = [
                p
                for line in RunFolder(run.folder).metrics()
                if isinstance(p := line.get("images_per_second"), float) and p > 0
            ]
            if not paces:
                continue
            if run in alike:
                return Throughput(median(paces), run.id, True)
            try:
                other = config_from_json(run.config)
            except SegcoreError:
                continue
            if isinstance(other, TrainConfig):
                return Throughput(
                    median(paces) * estimate(other, 2).operations / estimate(config, 2).operations,
                    run.id,
                    False,
                )
        return None

    def _measured(self, config: TrainConfig) -> Throughput | None:
        found = throughput_probe.read_throughput(self._workspace, self._key(config))
        if found is None or found.get("format") != 1:
            return None
        try:
            return Throughput(
                float(found["images_per_second"]),
                "",
                True,
                float(found["seconds_per_epoch"]),
                int(found["memory"]),
                float(found["measured"]),
                int(found["steps"]),
                str(found["device"]),
                tuple(map(str, found["beside"])),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def _key(self, config: TrainConfig) -> str:
        """Name what a measure holds for: all of a config that changes its pace, the data, the machine."""
        told = {name: value for name, value in to_json(config).items() if name not in SAME_RUN}
        told["recipe"] = {
            name: value for name, value in told["recipe"].items() if name not in SAME_PACE
        }
        told["model"] = {**told["model"], "weights": ""}
        told |= {"data": self._datasets.open(config.dataset).fingerprint, "host": hosts.this_host()}
        if config.balance_plan:
            told["plan"] = self._datasets.open(config.dataset).load_plan(config.balance_plan)
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _alike(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    model, other = stored.get("model") or {}, wanted["model"]
    recipe, same = stored.get("recipe") or {}, wanted["recipe"]
    return (
        all(model.get(key) == other[key] for key in ("architecture", "encoder"))
        and stored.get("size") == wanted["size"]
        and all(recipe.get(key) == same[key] for key in ("batch_size", "precision"))
    )
