"""Learning curves: a run's config on nested subsets of its training images, each a run of the queue."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segcore.config import TrainConfig
from segcore.data.balance.plans import BalancePlan
from segcore.data.dataset.dataset import Dataset
from segcore.errors import SegcoreError
from segcore.evaluation.comparison.learning_curve import (
    FEWEST,
    LearningCurve,
    check_more,
    learning_curve,
    usual_more,
)
from segcore.labels import plural
from segcore.runs.machine import disk
from segcore.runs.machine.engines import with_engine_here
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes
from segcore.workspace.runs.runs import Runs
from segcore.workspace.scores.scores import Scores

MOST_RUNS = 60
FORMAT = 1


@dataclass(frozen=True)
class CurveRun:
    """One run of a curve.

    Attributes:
        size: Training images.
        seed: Its seed, which also draws its nested subsets.
        run: Its id.
        state: State of its training; "deleted" where it is gone.
        scored: Whether it has counts of the split.
    """

    size: int
    seed: int
    run: str
    state: str
    scored: bool


class LearningCurves:
    """Trains and reads the learning curves of a workspace.

    Args:
        workspace: Its folder.
        datasets: Its datasets.
        runs: Its runs.
        scores: Its scores.
    """

    def __init__(self, workspace: Path, datasets: Datasets, runs: Runs, scores: Scores) -> None:
        self.folder = workspace / "learning_curves"
        self._datasets = datasets
        self._runs = runs
        self._scores = scores

    def sizes(self, run: str) -> tuple[int, ...]:
        """Return four usual sizes for a run: an eighth, a quarter, a half and all of its images.

        Raises:
            SegcoreError: There is no such run, or it is no training run.
        """
        every = len(self._images(self._config(run)))
        return tuple(dict.fromkeys(max(1, every // part) for part in (8, 4, 2, 1)))

    @writes("train a learning curve", "Started a learning curve of {run}")
    def start(
        self, run: str, sizes: Sequence[int], seeds: int = 3, more: int | None = None
    ) -> tuple[CurveRun, ...]:
        """Queue a run's config on nested subsets; a larger subset of a seed holds the smaller ones.

        Each run has the epochs of the run itself and its own seed. A curve that is started again
        for the same run replaces the one before; its runs stay.

        Args:
            run: A training run; its config is used.
            sizes: Numbers of training images, three or more.
            seeds: Seeds for each size.
            more: What :meth:`curve` will be asked for; refused before anything is trained.

        Raises:
            SegcoreError: The run is no training run or has a balance plan, a size is out of range,
                or there would be too many runs.
        """
        config = with_engine_here(self._config(run))
        images = self._images(config)
        wanted = sorted(set(sizes))
        if len(wanted) < FEWEST or wanted[0] < 1 or wanted[-1] > len(images):
            raise SegcoreError(
                f"Expected {FEWEST} sizes or more from 1 to {len(images)} (the images of "
                f"{config.train_split}), received {', '.join(map(str, wanted)) or 'none'}: choose "
                "others."
            )
        if not 1 <= seeds * len(wanted) <= MOST_RUNS:
            raise SegcoreError(
                f"Expected 1 to {MOST_RUNS} runs, received {plural(seeds, 'seed')} of "
                f"{plural(len(wanted), 'size')}: take fewer."
            )
        if more is not None:
            check_more(more, wanted[-1])
        dataset = self._datasets.open(config.dataset)
        made = []
        for seed in range(config.seed, config.seed + seeds):
            order = np.random.default_rng(seed).permutation(len(images))
            for size in wanted:
                name = f"curve-{size}-seed-{seed}"
                plan = _subset(dataset, config.train_split, images, order[:size].tolist())
                dataset.save_plan(name, plan.to_json())
                (clone,) = self._runs.train(
                    dataclasses.replace(
                        config, balance_plan=name, seed=seed, member=0, group="", submodels=""
                    )
                )
                made.append({"size": size, "seed": seed, "run": clone})
        kept = {"format": FORMAT, "runs": made}
        disk.write_bytes(self._file(run), json.dumps(kept).encode())
        return self.runs(run, "test")

    def runs(self, run: str, split: str) -> tuple[CurveRun, ...]:
        """Return the runs of a curve, () where none was started.

        Raises:
            SegcoreError: The curve's file is damaged.
        """
        file = self._file(run)
        if not file.is_file():
            return ()
        known = {row.run: row.status.state for row in self._runs.rows()}
        try:
            rows = json.loads(file.read_bytes())["runs"]
            return tuple(
                CurveRun(
                    int(row["size"]),
                    int(row["seed"]),
                    str(row["run"]),
                    known.get(row["run"], "deleted"),
                    row["run"] in known and self._scores.has_counts(row["run"], split),
                )
                for row in rows
            )
        except (ValueError, KeyError, TypeError) as error:
            raise SegcoreError(
                f"{file} is damaged: remove it and start the curve again."
            ) from error

    @writes("start predictions", "Predicted {split} with the learning curve of {run}")
    def predict(self, run: str, split: str) -> list[str]:
        """Start predicting a split with the finished runs of a curve; return those to wait for.

        Raises:
            SegcoreError: There is no such split.
        """
        ready = [one for one in self.runs(run, split) if one.state == "finished" and not one.scored]
        return [self._runs.predict(one.run, split) for one in ready]

    def curve(self, run: str, split: str, more: int | None = None) -> LearningCurve:
        """Fit the scored runs of a curve, and predict what more images would bring.

        Args:
            run: The run whose curve it is.
            split: Where its runs are scored.
            more: Images more than the largest run has; None for 50, or as many again if that is less.

        Raises:
            SegcoreError: Fewer than three sizes are scored, the scored images or their masks differ
                between runs, or ``more`` goes beyond twice the data.
        """
        scored = [one for one in self.runs(run, split) if one.scored]
        sizes = sorted({one.size for one in scored})
        if len(sizes) < FEWEST:
            raise SegcoreError(
                f"Expected runs of {FEWEST} sizes with scores of {split!r}, found {len(sizes)}: "
                "start the curve (in the shell by --start), or wait for its runs."
            )
        ids, first = self._scores.counts(scored[0].run, split)
        counts: dict[int, list[Any]] = {size: [] for size in sizes}
        for one in scored:
            names, own = self._scores.counts(one.run, split)
            place = {name: n for n, name in enumerate(names)}
            if set(names) != set(ids):
                raise SegcoreError(
                    f"Expected one set of {split} images for all runs, {one.run!r} was scored on "
                    "others: predict the split again with all of them."
                )
            own = own.select([place[name] for name in ids])
            if not np.array_equal(own.true, first.true):
                raise SegcoreError(
                    f"Expected scores on the same masks, {one.run!r} was scored on other versions: "
                    f"count anew (segscope recount {one.run} --split {split})."
                )
            counts[one.size].append(own.margins())
        groups = self._scores.drawn_by(scored[0].run, ids).groups
        if more is None:
            more = usual_more(sizes[-1])
        return learning_curve(sizes, [counts[size] for size in sizes], more, groups=groups)

    def _config(self, run: str) -> TrainConfig:
        config = self._runs.open(run).config
        if (
            not isinstance(config, TrainConfig)
            or config.balance_plan
            or config.distillation
            or config.averaging
        ):
            raise SegcoreError(
                f"Expected a training run on labels without a balance plan, received {run!r}: choose "
                "another."
            )
        return config

    def _images(self, config: TrainConfig) -> list[str]:
        dataset = self._datasets.open(config.dataset)
        return [s.id for s in dataset.select(config.train_split) if s.mask is not None]

    def _file(self, run: str) -> Path:
        return self.folder / f"{self._runs.open(run).id}.json"


def _subset(
    dataset: Dataset, split: str, images: Sequence[str], kept: Sequence[int]
) -> BalancePlan:
    """Return a plan that uses some images once and leaves the others out."""
    chosen = {images[n] for n in kept}
    even = (1 / dataset.label_set.num_classes,) * dataset.label_set.num_classes
    repeats = {name: int(name in chosen) for name in images}
    return BalancePlan(
        "image", split, even, "nominal", 1, None, repeats, even, even, 0.0, 0.0, None, (), 0.0
    )
