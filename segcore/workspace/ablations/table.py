"""An ablation on its datasets: how far it is, and its table with what a reader must know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segcore.config.ablation import Ablation
from segcore.errors import SegcoreError
from segcore.evaluation.comparison.ablation_verdicts import FEWEST_FOLDS
from segcore.evaluation.counts.verdicts import many
from segcore.evaluation.pages.ablation_page import build_ablation_page
from segcore.workspace.ablations.rows import CELLS, RowResult, row_cells


@dataclass(frozen=True)
class Plan:
    """An ablation with what it is run on.

    Attributes:
        ablation: The ablation.
        datasets: Names of the datasets.
        weights: Weights files by the name that recipes call them.
    """

    ablation: Ablation
    datasets: tuple[str, ...]
    weights: dict[str, str]

    @property
    def name(self) -> str:
        """What it is kept as: the ablation's name and its datasets, "deck-cpu--camvid"."""
        return "--".join((self.ablation.name, *self.datasets))[:200]


@dataclass(frozen=True)
class Table:
    """What an ablation has found so far.

    Attributes:
        plan: The ablation, and what it is run on.
        rows: One line for the base and each row.
        protocol: In words how all were scored; "" before the first score.
        units: How many images or groups the intervals draw from, by dataset.
        sentences: What a reader must know to read the table: what varies, how sure, what is left
            out.
    """

    plan: Plan
    rows: tuple[RowResult, ...]
    protocol: str
    units: dict[str, int]
    sentences: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {
            "study": self.plan.ablation.to_json(),
            "datasets": list(self.plan.datasets),
            "report_on": self.plan.ablation.report_on,
            "protocol": self.protocol,
            "units": self.units,
            "sentences": list(self.sentences),
            "rows": [row.to_json() for row in self.rows],
        }


@dataclass(frozen=True)
class Progress:
    """How far an ablation is.

    Attributes:
        done: Cells (a row, a dataset, a seed) that have their score.
        total: All cells but those whose weights file was not given.
        to_train: Trainings that no run of the workspace has learned or is learning.
        pending: Ids of its runs that wait or work.
        broken: Ids of its runs that failed or were interrupted.
    """

    done: int
    total: int
    to_train: int
    pending: tuple[str, ...]
    broken: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """By how much a row differs from its base on one dataset.

    Attributes:
        points: Difference in hundredths of mean IoU; None where it has no score yet.
        interval: (low, high) of it, in the same unit.
        verdict: "helps", "hurts", "cannot tell", or the row's state.
    """

    points: float | None
    interval: tuple[float | None, float | None]
    verdict: str


@dataclass(frozen=True)
class RowByDataset:
    """One row of an ablation on several datasets.

    Attributes:
        row: Its name.
        on: Its difference by the name of each table's plan.
    """

    row: str
    on: dict[str, Difference]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {"row": self.row, "on": {name: vars(one) for name, one in self.on.items()}}


def compare_datasets(tables: Sequence[Table]) -> list[RowByDataset]:
    """Compare the rows of one ablation across datasets, each with its own base.

    Args:
        tables: Two or more tables of the same recipes.

    Returns:
        The rows of the first table but its base.

    Raises:
        SegcoreError: The ablations train their base otherwise, or a row that they share is another
            recipe.
    """
    first = tables[0].plan
    for other in (table.plan for table in tables[1:]):
        if other.ablation.base != first.ablation.base:
            raise SegcoreError(
                f"Expected ablations of one base, received {first.name!r} and "
                f"{other.name!r}, whose bases differ: run one on both."
            )
        for row in other.ablation.rows:
            mine = next((r for r in first.ablation.rows if r.name == row.name), row)
            if (mine.changes, mine.balance, mine.combine, mine.submodels, mine.against) != (
                row.changes,
                row.balance,
                row.combine,
                row.submodels,
                row.against,
            ):
                raise SegcoreError(
                    f"Expected one recipe for the row {row.name!r}, received two: rename "
                    "it in one of the ablations."
                )
    return [
        RowByDataset(
            line.row,
            {
                table.plan.name: _difference(
                    next((r for r in table.rows if r.row == line.row), None)
                )
                for table in tables
            },
        )
        for line in tables[0].rows[1:]
    ]


def _difference(row: RowResult | None) -> Difference:
    if row is None or row.difference is None:
        return Difference(None, (None, None), "" if row is None else row.state)
    low, high = (None if end is None else 100 * end for end in row.difference_interval)
    return Difference(100 * row.difference, (low, high), row.verdict)


def ablation_html(table: Table, facts: Mapping[str, str]) -> str:
    """Return an ablation as one HTML page that opens offline.

    Args:
        table: What it has found so far.
        facts: Versions and devices, from :meth:`segcore.workspace.scores.reports.Reports.facts`.
    """
    found = table.to_json()
    return build_ablation_page(found, CELLS, [row_cells(row) for row in found["rows"]], facts)


def _pair_sentence(plan: Plan) -> str:
    if len(plan.datasets) > 1:
        named = ", ".join(plan.datasets)
        return f"A pair is a dataset ({named}) and a seed: what varies within a row is both."
    return f"A pair is a seed: the dataset {plan.datasets[0]} and its splits are the same for all."


def explain(
    plan: Plan,
    rows: Sequence[RowResult],
    units: Mapping[str, frozenset[str]],
    groups: Mapping[str, int],
) -> list[str]:
    """Say what varies between the pairs, what the intervals cover, and what is not known.

    Args:
        plan: The ablation.
        rows: Its lines.
        units: Ids of the images or groups that the intervals draw from, by dataset.
        groups: Number of groups (drives, tiles) in the images of the report's split, by dataset,
            where they are fewer.
    """
    ablation = plan.ablation
    sentences = [_pair_sentence(plan)]
    what = f"groups ({ablation.group_by})" if ablation.group_by else "images"
    drawn = ", ".join(f"{len(ids)} of {name}" for name, ids in units.items())
    if drawn:
        sentences.append(
            f"Each interval ({100 * ablation.level:g} %) draws {what} of split "
            f"{ablation.report_on} with replacement ({drawn}; the same draw for "
            f"every run, {ablation.resamples} times) and adds Student noise for the seeds: "
            "the spread of a row's own pairs from six on, else "
            "that of runs that differ in their seed only, pooled over the rows that were trained."
        )
    if any(row.folds >= FEWEST_FOLDS for row in rows):
        sentences.append(
            f"From {FEWEST_FOLDS} datasets or folds on, seeds are averaged within each, and the "
            "interval of a difference is Student's over them: by fold shows their range."
        )
    elif len(plan.datasets) > 1 and drawn:
        sentences.append(
            "The verdicts hold for these folds only: three or more show how they vary."
        )
    if groups and drawn and not ablation.group_by:
        alike = ", ".join(f"{count} of {name}" for name, count in groups.items())
        sentences.append(
            f"The images come from few groups ({alike}), and those of one are "
            "alike: an interval over new ones would be wider."
        )
    if any(row.verdict and row.covers and "seeds" not in row.covers for row in rows):
        sentences.append(
            "An ensemble is compared with its very members: its interval covers images, "
            "not other members."
        )
    correction = many(
        sum(row.p_value is not None for row in rows),
        ablation.level,
        ("groups" if ablation.group_by else "images", len(frozenset().union(*units.values()))),
        ablation.resamples,
    )
    if correction:
        sentences.append(correction)
    sentences.append(
        "Time is that of training on this machine with its load at the time; parameters "
        "are estimated from the catalogue."
    )
    return sentences
