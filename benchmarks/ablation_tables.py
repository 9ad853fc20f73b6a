"""The results of ablations as one small CSV, a line a pair, and the tables that the documentation shows of it.

    segscope ablation deck-cpu --dataset ... --show --json > camvid.json
    PYTHONPATH=. python benchmarks/ablation_tables.py docs/deck-ablation.csv --add camvid.json --data CamVid
    PYTHONPATH=. python benchmarks/ablation_tables.py docs/deck-ablation.csv
    PYTHONPATH=. python benchmarks/ablation_tables.py docs/pretrained-ablation.csv --ablation pretrained

``--add`` puts in the pairs of an ablation, also of one that is still running; a pair that is there already is
replaced. So seeds may come from several machines: each pair was trained and compared on one.

The tables follow the rules of ``segscope ablation``: seeds are averaged within a fold, and the interval is a t
interval over folds. One thing is coarser: of the resampled images a line keeps only their standard error, so
their share of the interval is normal here, and the same draw counts for all folds and seeds (all are scored on the
same images). A row on fewer than three folds gets no verdict.
"""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from scipy import special

from segcore.config.ablation import BASE
from segcore.evaluation.comparison.ablation_verdicts import (
    FEWEST_FOLDS,
    DrawnDifference,
    Spread,
    compare_claim,
    difference_over_folds,
    mean_by_fold,
)
from segcore.evaluation.counts.bootstrap import Interval
from segcore.evaluation.counts.verdicts import UNDETERMINED, holm, judge_difference
from segcore.formatting import number, p_value, points, points_interval
from segcore.workspace.ablations.ablations import Ablations
from segcore.workspace.ablations.rows import describe_other

RESAMPLES = 2000
HEADER = ("row", "against", "folds x seeds", "mean IoU, %", "difference, points", "by fold", "p")
CLAIMED = ("verdict", "the deck", "")
BORNE_OUT = {"agrees": "borne out", "contradicts": "**contradicted**", UNDETERMINED: "", "": ""}


@dataclass(frozen=True, order=True)
class Pair:
    """A row's run and what it is compared with, on one fold with one seed.

    Attributes:
        data: What the folds are of.
        row: Name of the row in the ablation; "base" has no difference.
        fold: Name of the dataset.
        seed: Of the training; "" for an ensemble of all seeds.
        images: How many were scored.
        score: Mean IoU, 0..1.
        difference: From what the row is compared with, the same images.
        error: Standard error over images, of the difference, for the base of the score.
    """

    data: str
    row: str
    fold: str
    seed: str
    images: int
    score: float
    difference: float
    error: float

    @classmethod
    def read(cls, line: dict[str, str]) -> "Pair":
        """Return the pair of a line of the CSV."""
        return cls(*(kind.type(line[kind.name]) for kind in fields(cls)))  # type: ignore[operator]


def read(file: Path) -> list[Pair]:
    """Return the pairs of a CSV; none where it is not there yet."""
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as lines:
        return [Pair.read(line) for line in csv.DictReader(lines)]


def write(file: Path, pairs: Sequence[Pair]) -> None:
    """Write pairs, sorted, so that one more line is one more line of the file."""
    with file.open("w", encoding="utf-8", newline="") as out:
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow([one.name for one in fields(Pair)])
        for pair in sorted(pairs):
            lines.writerow(
                f"{value:.6f}" if isinstance(value, float) else value for value in astuple(pair)
            )


def pairs_of(table: dict, data: str) -> list[Pair]:
    """Return the pairs of a table that ``segscope ablation --show --json`` prints."""
    found = []
    for row in table["rows"]:
        if None in row["errors"]:
            sys.exit(
                f"Expected enough images for an error of each pair, found too few: {row['row']}"
            )
        gains = row["gains"] or [0.0] * len(row["scores"])
        for (fold, seed), *values in zip(
            row["pairs"], row["scores"], gains, row["errors"], strict=True
        ):
            found.append(Pair(data, row["row"], fold, seed, table["units"][fold], *values))
    return found


def drawn(pair: Pair) -> DrawnDifference:
    """Return a pair's difference with what other images would make of it."""
    normal = special.ndtri((np.arange(RESAMPLES) + 0.5) / RESAMPLES)
    noise = np.random.default_rng(1).permutation(normal)
    return DrawnDifference(pair.fold, pair.difference, pair.difference + pair.error * noise)


def over_folds(pairs: Sequence[Pair]) -> Interval | None:
    """Return the difference of a row with its interval; None below three folds."""
    gains = mean_by_fold([drawn(pair) for pair in pairs])
    if len(gains) < FEWEST_FOLDS:
        return None
    images = max(pair.images for pair in pairs)  # the folds share their test images
    return difference_over_folds(gains, Spread(0.0, 0), ("images", images))[0]


def table(pairs: Sequence[Pair], ablation: str = "deck-cpu") -> str:
    """Return the table of one data set as Markdown, in the order of the ablation's rows."""
    plan = Ablations.read(ablation)
    of = {
        row: [pair for pair in pairs if pair.row == row]
        for row in (BASE, *(r.name for r in plan.rows))
    }
    judged = {row: over_folds(own) for row, own in of.items() if own and row != BASE}
    known = {row: interval for row, interval in judged.items() if interval}
    holds = dict(
        zip(known, holm([one.p_value for one in known.values()], 1 - plan.level), strict=True)
    )
    lines = ["| " + " | ".join((*HEADER, *CLAIMED)) + " |", "|" + "---|" * len((*HEADER, *CLAIMED))]
    for row, own in of.items():
        recipe = plan.row(row)
        if not own:
            lines.append(f"| {row} |" + " |" * 6 + " not run |" + " |" * 2)
            continue
        interval = judged.get(row)
        folds = mean_by_fold([drawn(pair) for pair in own])
        mean = float(np.mean([one.observed for one in folds]))
        other = np.mean([pair.score - pair.difference for pair in own])
        score = [np.mean([p.score for p in own if p.fold == one.fold]) for one in folds]
        verdict = judge_difference(interval) if interval and holds[row] else UNDETERMINED
        if recipe and not interval:
            verdict = f"{len(folds)} of {FEWEST_FOLDS} folds"
        claim = recipe.claim if recipe else ""
        seeds = sorted({sum(p.fold == one.fold for p in own) for one in folds})
        ends = points_interval(
            min(s.observed for s in folds), max(s.observed for s in folds), unit=""
        )
        cells = (
            row,
            f"{describe_other(recipe)} {number(100 * other, 1)}" if recipe else "",
            f"{len(folds)} x {' to '.join(map(str, seeds))}",
            number(100 * float(np.mean(score)), 1)
            + (
                ""
                if recipe
                else f" ({number(100 * min(score), 1)} to {number(100 * max(score), 1)} by fold)"
            ),
            (
                points(mean, unit="")
                + (
                    f" ({points_interval(interval.low, interval.high, unit='')})"
                    if interval
                    else ""
                )
            )
            if recipe
            else "",
            ends if recipe and len(folds) > 1 else "",
            p_value(interval.p_value) if interval else "",
            verdict if recipe else "",
            claim,
            BORNE_OUT.get(compare_claim(verdict, claim), "") if interval else "",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("csv", type=Path)
    parser.add_argument(
        "--add", type=Path, metavar="JSON", help="a table of segscope ablation --json"
    )
    parser.add_argument("--data", default="", help="with --add: what the data are called")
    parser.add_argument("--ablation", default="deck-cpu", help="whose rows they are")
    options = parser.parse_args()
    pairs = read(options.csv)
    if options.add:
        if not options.data:
            sys.exit("Expected --data with the name of the data, received none: --data CamVid")
        added = pairs_of(json.loads(options.add.read_text(encoding="utf-8")), options.data)
        key = {(p.data, p.row, p.fold, p.seed): p for p in [*pairs, *added]}
        pairs = list(key.values())
        write(options.csv, pairs)
    for data in dict.fromkeys(pair.data for pair in sorted(pairs)):
        own = [pair for pair in pairs if pair.data == data]
        print(f"{data}\n\n{table(own, options.ablation)}\n")


if __name__ == "__main__":
    main()
