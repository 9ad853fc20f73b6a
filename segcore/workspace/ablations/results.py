"""Results of an ablation so far: one line a row, from the counts of its runs."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segcore.config import EvaluateConfig, PredictConfig
from segcore.config.ablation import BASE, Ablation, AblationRow
from segcore.errors import SegcoreError
from segcore.evaluation.comparison.ablation_verdicts import (
    FEWEST_FOLDS,
    DrawnDifference,
    DrawnScore,
    Spread,
    Terms,
    compare_claim,
    difference_over_folds,
    draw_score,
    mean_by_fold,
    mean_over_pairs,
    pooled_spread,
    spread_of,
    spread_of_difference,
    unlike_terms,
)
from segcore.evaluation.counts.verdicts import UNDETERMINED, holm, judge_difference
from segcore.evaluation.metrics.report import evaluate, plain
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.usage import read_usage
from segcore.workspace.ablations.rows import RowResult, describe_other, describe_row
from segcore.workspace.ablations.runs import Cell
from segcore.workspace.costs import estimate as estimate_cost
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.runs.runs import Runs
from segcore.workspace.scores.scores import Scores

ENDED_BADLY = ("failed", "interrupted")

Drawn = tuple[DrawnScore, Terms, str]
"""The score of a run, on which terms it was made, and these in words."""


@dataclass(frozen=True, eq=False)
class _Pair:
    """A cell that has ended, and what it is compared with, drawn alike."""

    cell: Cell
    ours: DrawnScore
    theirs: tuple[DrawnScore, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def other(self) -> float:
        """Score of what the cell is compared with."""
        return float(np.mean([t.observed for t in self.theirs]))

    @property
    def gain(self) -> DrawnDifference:
        draws = self.ours.draws - np.mean(np.stack([t.draws for t in self.theirs]), 0)
        return DrawnDifference(self.cell.dataset, self.ours.observed - self.other, draws)


@dataclass(frozen=True)
class _Costs:
    """What a row costs: mean training seconds, peak bytes, parameters; None where unknown."""

    seconds: float | None = None
    memory: int | None = None
    parameters: int | None = None


@dataclass
class AblationResults:
    """Scores the rows of one ablation from what is on disk; nothing is trained or predicted.

    Attributes:
        ablation: The ablation.
        datasets: The datasets of the workspace.
        runs: Its runs.
        scored: Its scores.
        protocol: In words how the rows were scored; filled in by :meth:`rows`.
        drawn_from: Ids of the images or groups that the intervals draw from, by dataset.
        drawn: Scores that were drawn before, by all that they depend on; added to.
    """

    ablation: Ablation
    datasets: Datasets
    runs: Runs
    scored: Scores
    protocol: str = ""
    drawn_from: dict[str, frozenset[str]] = field(default_factory=dict)
    drawn: dict[tuple[Any, ...], Drawn] = field(default_factory=dict)

    def rows(self, cells: Mapping[str, Sequence[Cell]]) -> list[RowResult]:
        """Return one line for the base and each row, in the ablation's order.

        Args:
            cells: The cells of each row by its name, "base" among them.

        Raises:
            SegcoreError: The datasets have other classes, or counts on disk are damaged.
        """
        recipes: list[AblationRow | None] = [None, *self.ablation.rows]
        pairs = {_name(row): self._pairs(row, cells) for row in recipes}
        pool = pooled_spread(
            _repeated(
                [
                    pair
                    for row in recipes
                    if row is None or not row.combine
                    for pair in pairs[_name(row)]
                ]
            )
        )
        lines = [self._line(row, cells[_name(row)], pairs[_name(row)], pool) for row in recipes]
        return _corrected(lines, self.ablation.level)

    def _pairs(self, row: AblationRow | None, cells: Mapping[str, Sequence[Cell]]) -> list[_Pair]:
        """Return a row's finished cells, for others than the base those that can be compared."""
        others = {
            (c.dataset, c.seed): c for c in cells[row.against if row and row.against else BASE]
        }
        pairs = []
        for cell in cells[_name(row)]:
            mine = self._score(cell.scored, cell.stage) if self._is_fresh(cell) else None
            if mine is None:
                continue
            if row is None:
                pairs.append(_Pair(cell, mine[0]))
                continue
            theirs = [self._score(run, "") for run in self._compared(row, cell, others)]
            known = [t for t in theirs if t is not None]
            if not known or len(known) < len(theirs):
                continue
            reasons = [
                reason
                for t in known
                for reason in unlike_terms(mine[1], t[1], "size" in row.changes)
            ]
            pairs.append(
                _Pair(cell, mine[0], tuple(t[0] for t in known), tuple(dict.fromkeys(reasons)))
            )
        return pairs

    def _is_fresh(self, cell: Cell) -> bool:
        """Return whether a cell was scored after its trainings ended; a resumed one was not."""
        trained = [RunFolder(self.runs.folder / run).status() for run in cell.runs if run]
        scored = RunFolder(self.runs.folder / cell.scored).status() if cell.scored else None
        ended = [status.finished or 0.0 for status in trained if status.state == "finished"]
        return len(ended) == len(trained) and (
            scored is None or (scored.started or 0.0) >= max(ended, default=0.0)
        )

    def _compared(
        self, row: AblationRow, cell: Cell, others: Mapping[tuple[str, int], Cell]
    ) -> list[str]:
        """Return the runs whose mean score a cell is compared with."""
        if not row.combine or not row.combine.against:
            other = others.get((cell.dataset, cell.seed))
            return [other.scored] if other else []
        if row.combine.against == "mean":
            return list(cell.runs)
        validated = {run: self.runs.open(run).status().mean_iou or 0.0 for run in cell.runs}
        return [max(validated, key=lambda run: validated[run])]

    def _score(self, run: str, stage: str) -> Drawn | None:
        """Return the score of a run on the report's split, None while it has none."""
        split = self.ablation.report_on
        if not run or not self.scored.has_counts(run, split, stage):
            return None
        ablation = self.ablation
        key = (
            self.scored.stamp(run, split, stage),
            stage,
            split,
            ablation.group_by,
            ablation.resamples,
            self._looking(run, split),
        )
        if key not in self.drawn:
            self.drawn[key] = self._draw(run, split, stage)
        drawn = self.drawn[key]
        self.drawn_from[drawn[1].protocol.dataset] = drawn[0].drawn
        self.protocol = self.protocol or drawn[2]
        return drawn

    def _draw(self, run: str, split: str, stage: str) -> Drawn:
        ids, counts = self.scored.counts(run, split, stage)
        dataset = self.datasets.open(self.runs.open(run).config.dataset)
        samples = [dataset.sample(name) for name in ids]
        by = self.scored.drawn_by(run, ids, self.ablation.group_by or None)
        drawn = draw_score(counts, ids, self.ablation.resamples, groups=by.groups)
        order = np.argsort(np.asarray(ids), kind="stable")
        sizes = [(samples[i].height, samples[i].width) for i in order]
        label_set = self.scored.label_set(run)
        report = evaluate(
            counts[order],
            [ids[i] for i in order],
            label_set,
            split,
            sizes=sizes,
            dataset=dataset.name,
            resamples=1,
        )
        return (
            drawn,
            Terms(report.protocol, self._size(run), self._looking(run, split)),
            report.protocol.sentence(),
        )

    def _size(self, run: str) -> tuple[int, int]:
        config = self.runs.open(run).config
        first = (
            config.members[0]
            if isinstance(config, EvaluateConfig)
            else config.run
            if isinstance(config, PredictConfig)
            else run
        )
        size = getattr(self.runs.open(first).config, "size", (0, 0))
        return int(size[0]), int(size[1])

    def _looking(self, run: str, split: str) -> str:
        """Say how a run's predictions of a split looked at the images."""
        config = self.runs.open(run).config
        members = (
            config.members
            if isinstance(config, EvaluateConfig)
            else (config.run if isinstance(config, PredictConfig) else run,)
        )
        views_used = set()
        for member in members:
            if not self.scored.has_counts(member, split):
                continue
            source = self.scored.holder(member, split).config
            if isinstance(source, PredictConfig):
                views = "" if source.options.tta == "none" else f", views {source.options.tta}"
                views_used.add(("in tiles" if source.options.tile else "whole") + views)
        return " and ".join(sorted(views_used)) or "whole"

    def _line(
        self, row: AblationRow | None, cells: Sequence[Cell], pairs: Sequence[_Pair], pool: Spread
    ) -> RowResult:
        name = _name(row)
        against = describe_other(row)
        heading, claim, said, note = (
            (row.heading, row.claim, row.said, row.note) if row else ("", "", "", "")
        )
        line = RowResult(
            name, heading, describe_row(row), against, "not run", claim=claim, said=said, note=note
        )
        refused = [reason for pair in pairs for reason in pair.reasons]
        sound = [pair for pair in pairs if not pair.reasons]
        state, cause = self._state(cells, len(sound))
        if refused and not sound:
            state, cause = "refused", refused[0]
        line = dataclasses.replace(
            line, state=state, cause=cause, **vars(self._costs([p.cell for p in sound]))
        )
        if not sound:
            return line
        reached = [p.ours.observed for p in sound]
        own = (
            Spread(0.0, 0)
            if sound[0].cell.seed < 0 and len(sound) < 2
            else spread_of(reached, pool)
        )
        unit = (sound[0].ours.unit, min(len(p.ours.drawn) for p in sound))
        score = mean_over_pairs(
            reached, [p.ours.draws for p in sound], own, unit, self.ablation.level
        )
        line = dataclasses.replace(
            line,
            pairs=tuple(
                (p.cell.dataset, "" if p.cell.seed < 0 else str(p.cell.seed)) for p in sound
            ),
            runs=tuple(p.cell.scored for p in sound),
            scores=tuple(reached),
            errors=tuple(plain(float(np.std(p.ours.draws))) for p in sound),
            score=plain(score.value),
            interval=(plain(score.low), plain(score.high)),
        )
        return line if row is None else self._judged(line, row, sound, pool)

    def _judged(
        self, line: RowResult, row: AblationRow, pairs: Sequence[_Pair], pool: Spread
    ) -> RowResult:
        gains = [p.gain for p in pairs]
        observed = [gain.observed for gain in gains]
        by_fold = mean_by_fold(gains)
        gain, spread = difference_over_folds(
            gains,
            pooled_spread([observed])
            if row.combine
            else spread_of(observed, spread_of_difference(pool)),
            _drawn_from(pairs),
            self.ablation.level,
        )
        fixed = bool(
            row.combine and row.combine.against
        )  # these very members: what is asked is what their combination brings
        verdict = judge_difference(gain) if spread.freedom or fixed else "cannot tell"
        cause = line.cause
        if not spread.freedom and not fixed:
            cause = cause or "One pair only: its interval knows nothing of other seeds; add seeds."
        if 1 < len(by_fold) < FEWEST_FOLDS:
            cause = (
                cause or "For these two datasets or folds only: three or more show how they vary."
            )
        means = [one.observed for one in by_fold]
        return dataclasses.replace(
            line,
            gains=tuple(observed),
            errors=tuple(plain(float(np.std(gain.draws))) for gain in gains),
            other_score=float(np.mean([p.other for p in pairs])),
            folds=len(by_fold),
            fold_range=(min(means), max(means)),
            difference=plain(gain.value),
            difference_interval=(plain(gain.low), plain(gain.high)),
            p_value=plain(gain.p_value),
            covers=_covers(gain.unit, spread, len(by_fold)),
            verdict=verdict,
            agreement=compare_claim(verdict, row.claim),
            cause=cause,
        )

    def _state(self, cells: Sequence[Cell], ended: int) -> tuple[str, str]:
        """Say how far a row is, and why it is no further."""
        missing = next((cell.missing for cell in cells if cell.missing), "")
        if missing:
            described = self.ablation.files.get(missing, "")
            return (
                "needs a file",
                (
                    f"Give the weights file {missing!r}{f' ({described})' if described else ''} by "
                    f"--weights {missing}=PATH."
                ),
            )
        if ended == len(cells):
            return "finished", ""
        ids = [run for cell in cells for run in (*cell.runs, cell.scored) if run]
        statuses = [
            (run, RunFolder(self.runs.folder / run).status())
            for run in dict.fromkeys(ids)
            if (self.runs.folder / run).exists()
        ]
        bad = next(
            (
                f"{run} ended as {s.state}: {s.cause or 'see its log'}"
                for run, s in statuses
                if s.state in ENDED_BADLY
            ),
            "",
        )
        if ended:
            return "partly", bad or f"{ended} of {len(cells)} pairs."
        if bad:
            return "failed", bad
        if any(s.is_active for _, s in statuses):
            return "running", ""
        return ("waiting", "") if any(s.state == "queued" for _, s in statuses) else ("not run", "")

    def _costs(self, cells: Sequence[Cell]) -> _Costs:
        """Return mean training seconds, peak bytes, and parameters of the networks of one cell."""
        if not cells:
            return _Costs()
        seconds, memory = [], []
        for cell in cells:
            folders = [RunFolder(self.runs.folder / run) for run in cell.runs]
            took = [training_seconds(f) for f in folders]
            if None not in took:
                seconds.append(sum(s for s in took if s is not None))
            memory += [peak_memory(f) for f in folders]
        parameters = 0
        for config in cells[0].wanted:
            try:
                parameters += estimate_cost(config, 2).parameters
            except (SegcoreError, KeyError):
                continue
        return _Costs(
            float(np.mean(seconds)) if seconds else None,
            max((m for m in memory if m), default=None),
            parameters or None,
        )


def _repeated(pairs: Sequence[_Pair]) -> list[list[float]]:
    """Return the scores of runs that differ in seed only, a list for each recipe and dataset."""
    scores: dict[tuple[str, str], list[float]] = {}
    counted: set[str] = set()
    for pair in pairs:
        if pair.cell.scored not in counted:
            counted.add(pair.cell.scored)
            scores.setdefault((pair.cell.row, pair.cell.dataset), []).append(pair.ours.observed)
    return list(scores.values())


def training_seconds(run: RunFolder) -> float | None:
    """Return how long a network was trained, pauses left out; None where no epoch has ended."""
    epochs = {
        record.get("epoch"): float(record["seconds"])
        for record in run.metrics()
        if isinstance(record.get("seconds"), int | float)
    }
    return sum(epochs.values()) if epochs else None


def peak_memory(run: RunFolder) -> int | None:
    """Return the most bytes that a run took, of its GPUs or its process; None if not noted."""
    peaks = []
    for record in read_usage(run.folder):
        gpus = [gpu.memory or 0 for gpu in record.gpus]
        peaks.append(sum(gpus) if gpus else record.process_memory or 0)
    return max(peaks, default=0) or None


def _covers(unit: str, spread: Spread, folds: int) -> str:
    """Say what the interval of a difference covers."""
    if not spread.freedom:
        return unit
    return f"{unit}, seeds and folds" if folds >= FEWEST_FOLDS else f"{unit} and seeds"


def _name(row: AblationRow | None) -> str:
    return row.name if row else BASE


def _drawn_from(pairs: Sequence[_Pair]) -> tuple[str, int]:
    """What the pairs' images were drawn by, and how many there are: folds may share them."""
    return pairs[0].ours.unit, len(frozenset().union(*(pair.ours.drawn for pair in pairs)))


def _corrected(lines: Sequence[RowResult], level: float) -> list[RowResult]:
    """Keep only verdicts that hold among all of a table's, by Holm's rule."""
    p_values = [float("nan") if line.p_value is None else line.p_value for line in lines]
    holds = holm(p_values, 1 - level)
    return [
        line
        if sure or line.verdict in ("", UNDETERMINED)
        else dataclasses.replace(
            line,
            verdict=UNDETERMINED,
            agreement=compare_claim(UNDETERMINED, line.claim),
            cause=line.cause
            or "Alone it would count, but not among so many comparisons (Holm's correction).",
        )
        for line, sure in zip(lines, holds, strict=True)
    ]
