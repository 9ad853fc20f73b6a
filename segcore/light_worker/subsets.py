"""The subsets run: every subset of some members, and drawn weights, scored in one pass."""

import dataclasses
import json
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segcore.config import SubsetsConfig, to_json
from segcore.data.dataset.dataset import Sample
from segcore.data.health.interval_groups import drawn_by
from segcore.errors import SegcoreError
from segcore.evaluation.comparison.subsets import Tallies, score_subsets
from segcore.light_worker.journal import Journal
from segcore.light_worker.members import Members, find_members, scored_samples
from segcore.light_worker.pool import map_ahead
from segcore.light_worker.progress import Progress
from segcore.postprocess.weightings import (
    count_weightings,
    draw_weights,
    marginal_shares,
    subset_weights,
)
from segcore.runs.folder.run_folder import RunFolder

DOCUMENT = "subsets"
AT_ONCE = 4
"""Samples that travel to a process together: each takes about as long as its journey."""
CHEAP = 64
"""Weightings up to which that holds; with more of them a sample travels alone."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SubsetsTask:
    """A few samples to be counted with every weighting.

    Attributes:
        members: The members, with a dataset cut down to these samples.
        table: (K, n) weights.
    """

    members: Members
    table: npt.NDArray[np.float32]

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples."""
        return self.members.dataset.samples


def tally_samples(task: SubsetsTask) -> Tallies:
    """Count a few samples with every weighting and keep what scores need.

    Raises:
        SegcoreError: Something on disk is missing or damaged.
    """
    images = ((list(task.members.read(s)), task.members.truth(s)) for s in task.samples)
    counts = count_weightings(images, task.table, task.members.label_set.num_classes)
    parts = [Tallies.of(c[None]) for c in counts]  # one (K, C, C) in memory at a time
    return _join(parts)


def _join(parts: list[Tallies]) -> Tallies:
    return Tallies(
        *(
            np.concatenate([getattr(p, name) for p in parts])
            for name in ("true", "predicted", "right")
        )
    )


def weight_table(config: SubsetsConfig) -> npt.NDArray[np.float32]:
    """Return the weights of all ensembles, (K, n) float32: every subset, then drawn weightings."""
    subsets = subset_weights(len(config.members))
    if not config.draws:
        return subsets
    return np.vstack(
        [
            subsets,
            draw_weights(len(config.members), config.draws, np.random.default_rng(config.seed)),
        ]
    )


def subsets_run(
    run: RunFolder,
    executor: Executor | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    ahead: int = 4,
) -> None:
    """Carry out a subsets run, the document ``subsets.json``; a stopped one continues.

    Args:
        run: The run; its config says what to do.
        executor: Where samples are worked on; None works on them here, with the same result.
        should_stop: Asked between samples and every half second.
        ahead: Groups of samples under way at a time.

    Raises:
        Stopped: ``should_stop`` said so.
        SegcoreError: Something on disk is missing, damaged, or does not fit.
    """
    config = run.config
    if not isinstance(config, SubsetsConfig):
        raise SegcoreError(
            f"Expected a run over subsets, received {run.id!r} of kind {config.kind!r}: "
            "start one in the ensemble lab."
        )
    members = find_members(run, config.dataset, config.members, config.split)
    if members.parts:
        raise SegcoreError(
            "Expected members that each answer with all classes, received submodels: score "
            "their one combination instead."
        )
    samples = scored_samples(members)
    table = weight_table(config)
    key = json.dumps([to_json(config), members.made_from(), members.dataset.fingerprint])
    journal = Journal(run, key)
    done = [Tallies(r["true"], r["predicted"], r["right"]) for r in journal.records]
    before = sum(len(part.true) for part in done)
    progress = Progress(run, len(samples), before, should_stop)
    at_once = AT_ONCE if len(table) <= CHEAP else 1
    groups = [samples[i : i + at_once] for i in range(before, len(samples), at_once)]
    tasks = (
        SubsetsTask(
            dataclasses.replace(
                members, dataset=dataclasses.replace(members.dataset, samples=tuple(group))
            ),
            table,
        )
        for group in groups
    )
    for part in map_ahead(tally_samples, tasks, executor, ahead, progress.tick):
        journal.append({"true": part.true, "predicted": part.predicted, "right": part.right})
        done.append(part)
        progress.advance(len(part.true))
    tallies = _join(done)
    document = score_subsets(
        tallies,
        table,
        config.members,
        marginal_shares(len(config.members)),
        config.split,
        groups=drawn_by(members.dataset, [sample.id for sample in samples]).groups,
    )
    run.write_json(
        DOCUMENT,
        {"run": run.id, "dataset": config.dataset, "made_from": members.made_from(), **document},
    )
    run.write_status(mean_iou=document["best"]["mean_iou"])
    journal.clear()
