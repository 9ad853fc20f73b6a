"""The subsets run: every subset of some members, and drawn weights, scored in one pass."""

import json
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from segcore.config import SubsetsConfig, to_json
from segcore.data.dataset.dataset import Sample
from segcore.data.health.interval_groups import drawn_by
from segcore.errors import SegcoreError
from segcore.evaluation.comparison.subsets import Tallies, score_subsets
from segcore.light_worker.journal import Arrays, Journal
from segcore.light_worker.members import Members, find_members, scored_samples
from segcore.light_worker.pool import map_ahead
from segcore.light_worker.progress import Progress
from segcore.postprocess.weightings import (
    count_weightings,
    draw_weights,
    extended_subsets,
    first_subsets,
    marginal_shares,
    subset_weights,
)
from segcore.runs.folder.run_folder import RunFolder

DOCUMENT = "subsets"
AT_ONCE = 4
"""Samples that travel to a process together: each takes about as long as its journey."""
EVERY_SUBSET_UNTIL = 6
"""Members up to which every subset is scored; of more a greedy search tries a part."""
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


class _Search:
    """The tallies of one run: passes over all samples, each with a table of weightings.

    Attributes:
        samples: Those that are scored.
    """

    def __init__(
        self,
        run: RunFolder,
        config: SubsetsConfig,
        executor: Executor | None,
        should_stop: Callable[[], bool],
        ahead: int,
    ) -> None:
        self._config, self._executor, self._ahead = config, executor, ahead
        self.members = find_members(run, config.dataset, config.members, config.split)
        if self.members.parts:
            raise SegcoreError(
                "Expected members that each answer with all classes, received submodels: score "
                "their one combination instead."
            )
        self.samples = scored_samples(self.members)
        key = [to_json(config), self.members.made_from(), self.members.dataset.fingerprint]
        self._kept: dict[int, list[Tallies]] = {}
        self.journal = Journal(run, json.dumps(key), self._remember)
        self._turn = 0
        done = sum(len(part.true) for parts in self._kept.values() for part in parts)
        turns = 1 if self._is_whole else 1 + (len(config.members) - 1) // 2
        self._progress = Progress(run, turns * len(self.samples), done, should_stop)

    def _remember(self, record: Arrays) -> None:
        part = Tallies(record["true"], record["predicted"], record["right"])
        self._kept.setdefault(int(record.get("turn", np.array(0))), []).append(part)

    @property
    def _is_whole(self) -> bool:
        return len(self._config.members) <= EVERY_SUBSET_UNTIL

    def go(self) -> tuple[Tallies, npt.NDArray[np.float32], int]:
        """Score every subset, or those that a greedy search meets, and the drawn weightings.

        The search adds to the best subset of its last turn the one or two members that improve it
        most, and ends when none does.

        Returns:
            The tallies, the table of weights, and how many of its first rows are subsets.
        """
        number, draws = len(self._config.members), self._config.draws
        table = subset_weights(number) if self._is_whole else first_subsets(number)
        drawn = draw_weights(number, draws, np.random.default_rng(self._config.seed))
        counted = self._count(np.vstack([table, drawn]))
        tallies, weighted = (
            _rows(counted, slice(len(table))),
            _rows(counted, slice(len(table), None)),
        )
        latest = table[table.sum(1) <= 2]
        while not self._is_whole:
            score = np.nan_to_num(tallies.mean_iou(), nan=-1.0)
            known = {tuple(row): score[k] for k, row in enumerate(table.tolist())}
            best = max(latest, key=lambda row: known[tuple(row.tolist())])
            latest = extended_subsets(best, table)
            if not len(latest):
                break
            tallies = _beside(tallies, self._count(latest))
            table = np.vstack([table, latest])
            if tallies.mean_iou()[-len(latest) :].max() <= known[tuple(best.tolist())]:
                break
        return _beside(tallies, weighted), np.vstack([table, drawn]), len(table)

    def _count(self, table: npt.NDArray[np.float32]) -> Tallies:
        """Count all samples with these weightings, continuing where an earlier attempt ended."""
        done, turn = self._kept.get(self._turn, []), self._turn
        self._turn += 1
        before = sum(len(part.true) for part in done)
        at_once = AT_ONCE if len(table) <= CHEAP else 1
        groups = [self.samples[i : i + at_once] for i in range(before, len(self.samples), at_once)]
        tasks = (
            SubsetsTask(
                replace(self.members, dataset=replace(self.members.dataset, samples=tuple(group))),
                table,
            )
            for group in groups
        )
        for part in map_ahead(
            tally_samples, tasks, self._executor, self._ahead, self._progress.tick
        ):
            arrays = {"true": part.true, "predicted": part.predicted, "right": part.right}
            self.journal.append({"turn": np.array(turn), **arrays})
            done.append(part)
            self._progress.advance(len(part.true))
        return _join(done)


def _rows(tallies: Tallies, part: slice) -> Tallies:
    """Take some of the ensembles."""
    return Tallies(tallies.true, tallies.predicted[:, part], tallies.right[:, part])


def _beside(one: Tallies, two: Tallies) -> Tallies:
    """Put ensembles after others, over the same images."""
    pairs = ((one.predicted, two.predicted), (one.right, two.right))
    return Tallies(one.true, *(np.concatenate(pair, axis=1) for pair in pairs))


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
        ahead: Groups of samples in progress at a time.

    Raises:
        Stopped: ``should_stop`` said so.
        SegcoreError: Something on disk is missing, damaged, or does not fit.
    """
    config = run.config
    if not isinstance(config, SubsetsConfig):
        raise SegcoreError(
            f"Expected a run over subsets, received {run.id!r} of kind {config.kind!r}: "
            "start one on the Ensemble page."
        )
    search = _Search(run, config, executor, should_stop, ahead)
    tallies, table, subsets = search.go()
    document = score_subsets(
        tallies,
        table,
        config.members,
        marginal_shares(table[:subsets]),
        config.split,
        groups=drawn_by(search.members.dataset, [sample.id for sample in search.samples]).groups,
    )
    run.write_json(
        DOCUMENT,
        {
            "run": run.id,
            "dataset": config.dataset,
            "made_from": search.members.made_from(),
            **document,
        },
    )
    run.write_status(mean_iou=document["best"]["mean_iou"])
    search.journal.clear()
