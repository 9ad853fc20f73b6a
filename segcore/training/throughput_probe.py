"""Throughput probe: a few real steps of a config, timed and then deleted."""

import dataclasses
import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from itertools import count
from typing import Any

from segcore.config import TrainConfig
from segcore.data.dataset.dataset import Dataset
from segcore.errors import SegcoreError
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue.stopping import Stopped
from segcore.training.engines.engine import devices
from segcore.training.inference.memory import peak_bytes
from segcore.training.input.pipeline import Batch, ordered_batches
from segcore.training.loop.learner import Outcome
from segcore.training.loop.metrics import EpochScores
from segcore.training.loop.progress import Progress
from segcore.training.loop.train import Training

FORMAT = 1
LEAST_STEPS, LEAST_SECONDS, MOST_SECONDS = 6, 4.0, 30.0
"""Time steps until both minimums are reached, or the most seconds have passed."""


def probed_config(config: TrainConfig) -> TrainConfig:
    """Return the config to time in place of another: random weights, the whole network trained."""
    recipe = dataclasses.replace(config.recipe, freeze_epochs=0, cache_features=False)
    return dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, weights="none"),
        recipe=recipe,
        submodels="",
        member=0,
        group="",
    )


def probe_throughput(run: RunFolder, dataset: Dataset) -> None:
    """Make a few training and validation steps of a config and write ``pace.json`` into its folder.

    It holds ``format``, ``seconds_per_epoch`` (training and validation steps, without the graphs
    that are built once), ``images_per_second`` (of training), ``first_step`` (seconds, building the
    graph), ``steps`` (timed), ``memory`` (bytes, the most that was in use: of the process, or of
    the GPU that used most), ``device`` and ``measured`` (seconds since 1970).

    Args:
        run: A folder whose config is a :class:`TrainConfig`.
        dataset: The dataset that the config names.

    Raises:
        SegcoreError: Something that the user can fix.
        Stopped: It was asked to stop.
    """
    config = run.config
    if not isinstance(config, TrainConfig):
        raise SegcoreError(
            "Expected a training run for the throughput probe, received one of kind "
            f"{config.kind!r}: choose another."
        )
    with Progress(run, message="Preparing") as progress:
        run.write_json(
            "pace", _ProbedTraining(run, probed_config(config), dataset, progress, 0).probe()
        )


class _ProbedTraining(Training):
    """A training whose steps are timed."""

    def probe(self) -> dict[str, Any]:
        """Return what ``pace.json`` holds."""
        batch = self.recipe.batch_size
        self.progress.say("Building the graph")
        first, steps, step = self._time(lambda: self._batches(0), self._still, 0.0)
        seconds = self.steps * step
        if self.validation:
            self.progress.say("Building the graph for validation")
            looks = -(-len(self.validation) // batch)
            seconds += (
                looks
                * self._time(
                    lambda: ordered_batches(self.reader, self.validation, batch),
                    self.learner.validate,
                    0.5,
                )[2]
            )
        return {
            "format": FORMAT,
            "seconds_per_epoch": seconds,
            "images_per_second": batch / step,
            "first_step": first,
            "steps": steps,
            "memory": peak_bytes(),
            "device": devices.describe(self.learner.strategy),
            "measured": time.time(),
        }

    def _still(self, batch: Batch) -> Outcome:
        """Make a training step with learning rate 0: as slow as any, and weights cannot diverge."""
        return self.learner.train(batch, 0.0)

    def _time(
        self,
        batches: Callable[[], Generator[Batch, None, None]],
        make: Callable[[Batch], Outcome],
        begun: float,
    ) -> tuple[float, int, float]:
        """Make steps, repeating batches; return (seconds of the first, steps, seconds each)."""
        pending: deque[Outcome] = deque()
        scores = EpochScores(self.reader.label_set.num_classes)
        clock, first, steps = time.monotonic(), math.nan, 0
        with closing(chain_closing(batches() for _ in count())) as endless:
            for batch in endless:
                if self.progress.stop_asked:
                    raise Stopped
                pending.append(make(batch))
                self._settle(pending, scores, keep=0 if math.isnan(first) else 1)
                gone = time.monotonic() - clock
                if math.isnan(first):
                    first, clock = gone, time.monotonic()
                    self.progress.say("Timing steps")
                    continue
                steps += 1
                share = min(
                    1.0, max(gone / MOST_SECONDS, min(gone / LEAST_SECONDS, steps / LEAST_STEPS))
                )
                self.progress.update(
                    progress=begun + share * (0.5 if self.validation else 1.0),
                    message=f"Timing steps: {steps}",
                )
                if share == 1.0:
                    break
        self._settle(pending, scores)
        return first, steps, (time.monotonic() - clock) / steps


def chain_closing(
    generators: Iterable[Generator[Batch, None, None]],
) -> Generator[Batch, None, None]:
    """Yield from one generator after another; closing this one closes the current one too."""
    for generator in generators:
        with closing(generator):
            yield from generator
