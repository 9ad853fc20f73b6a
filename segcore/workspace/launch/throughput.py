"""How fast a run will be: by a throughput probe of its config, else by runs that have ended."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from segcore.config import TrainConfig, config_from_json, to_json
from segcore.data.balance.plans import BalancePlan
from segcore.errors import SegcoreError
from segcore.runs.dispatch import throughput_probe
from segcore.runs.folder import hosts
from segcore.runs.folder.listing import list_runs
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import Status
from segcore.workspace.costs import estimate
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes
from segcore.workspace.runs.runs import Runs

LOOKED_AT = 20
"""Finished runs of the same network and size whose throughput is looked up."""
SAME_THROUGHPUT = (
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
FORWARD_SHARE = 1 / 3
"""Cost of validating an image over that of training on it: the backward pass takes about twice the
time of the forward pass."""
SAME_RUN = ("seed", "member", "group", "members_by", "submodels")
LOOK_SECONDS = 0.3


@dataclass(frozen=True)
class Throughput:
    """How fast a run will be.

    Attributes:
        images_per_second: Images trained on in a second.
        run: Id of the run that it comes from; "" for a probe of this very config.
        is_measured: Whether that run had the same network, size, batch and precision; else it is a
            rough guess.
        epoch_seconds: Seconds of an epoch with its validation; from a probe only.
        memory: Most bytes that it took; from a probe only.
        measured: When, seconds since 1970; from a probe only.
        steps: Steps that were timed.
        device: The device that ran them.
        beside: Runs that were working meanwhile: alone it is faster.
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
    """Throughput of configs: probed, or estimated from runs that have ended."""

    def __init__(self, workspace: Path, datasets: Datasets, runs: Runs) -> None:
        self._workspace = workspace
        self._datasets = datasets
        self._runs = runs

    @writes("measure the throughput")
    def start(self, config: TrainConfig) -> None:
        """Start a probe in the background: a few real steps of a config; see :meth:`status`.

        Raises:
            SegcoreError: There is no such dataset, split, label map or plan, or nothing can be
                measured on this machine now.
        """
        if config.recipe.cache_features:
            raise SegcoreError(
                "Expected training without cached features, which is what a few steps can measure, "
                "received it with: turn them off to benchmark, or start the run and see."
            )
        self._runs.check(config)
        throughput_probe.start(self._workspace, self._key(config), config)

    def status(self, config: TrainConfig) -> Status | None:
        """Return the status of the probe of a config; None where there was none.

        Raises:
            SegcoreError: There is no such dataset.
        """
        return throughput_probe.look(self._workspace, self._key(config))

    @writes("stop a measurement")
    def stop(self, config: TrainConfig) -> None:
        """Stop the probe of a config.

        Raises:
            SegcoreError: There is no such dataset.
        """
        throughput_probe.stop(self._workspace, self._key(config))

    def wait(
        self, config: TrainConfig, progress: Callable[[int, int, str], None] | None = None
    ) -> Throughput:
        """Wait for a running probe and return its result.

        Raises:
            SegcoreError: It failed; the sentence carries its cause.
        """
        while (status := self.status(config)) is not None and not status.has_ended:
            if progress:
                progress(int(100 * status.progress), 100, status.message)
            time.sleep(LOOK_SECONDS)
        throughput = self._measured(config)
        if status is None or status.state != "finished" or throughput is None:
            raise SegcoreError(
                "The throughput probe ended without a result: "
                f"{status.cause if status and status.cause else 'see its log'}"
            )
        return throughput

    def expected(self, config: TrainConfig) -> Throughput | None:
        """Return how fast a run will be; None where nothing is known.

        A probe of this very config comes first, then the latest run of the same network, size,
        batch and precision, then the latest run of any network, scaled by the operations of the two
        for an image. The last is a rough guess: networks differ in how well they use a machine.

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
            speeds = [
                speed
                for line in RunFolder(run.folder).metrics()
                if isinstance(speed := line.get("images_per_second"), float) and speed > 0
            ]
            if not speeds:
                continue
            if run in alike:
                return Throughput(median(speeds), run.id, True)
            try:
                other = config_from_json(run.config)
            except SegcoreError:
                continue
            if isinstance(other, TrainConfig):
                return Throughput(
                    median(speeds) * estimate(other, 2).operations / estimate(config, 2).operations,
                    run.id,
                    False,
                )
        return None

    def epoch_images(self, config: TrainConfig) -> tuple[int, int]:
        """Return how many images an epoch trains on and validates.

        Copies of a balance plan and crops count; images without a mask do not.

        Raises:
            SegcoreError: There is no such dataset, split or plan, or the plan is for another split.
        """
        dataset = self._datasets.open(config.dataset)
        ids = [s.id for s in dataset.select(config.train_split) if s.mask is not None]
        if config.balance_plan:
            ids = BalancePlan.from_json(dataset.load_plan(config.balance_plan)).expand(ids)
        validation = dataset.select(config.validation_split) if config.validation_split else []
        validated = sum(sample.mask is not None for sample in validation)
        return len(ids) * max(1, config.recipe.crops), validated

    def epoch_seconds(self, config: TrainConfig, throughput: Throughput) -> float:
        """Return how long an epoch takes: as probed, else by its images and the throughput.

        Raises:
            SegcoreError: As :meth:`epoch_images`.
        """
        if throughput.epoch_seconds is not None:
            return throughput.epoch_seconds
        trained, validated = self.epoch_images(config)
        return (trained + FORWARD_SHARE * validated) / throughput.images_per_second

    def _measured(self, config: TrainConfig) -> Throughput | None:
        noted = throughput_probe.read_throughput(self._workspace, self._key(config))
        if noted is None or noted.get("format") != 1:
            return None
        try:
            return Throughput(
                float(noted["images_per_second"]),
                "",
                True,
                float(noted["seconds_per_epoch"]),
                int(noted["memory"]),
                float(noted["measured"]),
                int(noted["steps"]),
                str(noted["device"]),
                tuple(map(str, noted["beside"])),
            )
        except (KeyError, TypeError, ValueError):
            return None

    def _key(self, config: TrainConfig) -> str:
        """Return the key of a probe: what changes the throughput of config, data and machine."""
        settings = {name: value for name, value in to_json(config).items() if name not in SAME_RUN}
        settings["recipe"] = {
            name: value for name, value in settings["recipe"].items() if name not in SAME_THROUGHPUT
        }
        settings["model"] = {**settings["model"], "weights": ""}
        settings |= {
            "data": self._datasets.open(config.dataset).fingerprint,
            "host": hosts.this_host(),
        }
        if config.balance_plan:
            settings["plan"] = self._datasets.open(config.dataset).load_plan(config.balance_plan)
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def _alike(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    model, other = stored.get("model") or {}, wanted["model"]
    recipe, same = stored.get("recipe") or {}, wanted["recipe"]
    return (
        all(model.get(key) == other[key] for key in ("architecture", "encoder"))
        and stored.get("size") == wanted["size"]
        and all(recipe.get(key) == same[key] for key in ("batch_size", "precision"))
    )
