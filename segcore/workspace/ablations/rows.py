"""One line of the table of an ablation of recipes, and what a recipe is called in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segcore import formatting
from segcore.config import to_json
from segcore.config.ablation import BASE, CLAIMS, AblationRow
from segcore.text_files import format_rows


@dataclass(frozen=True)
class RowResult:
    """One line of an ablation's table. Scores are mean IoU, 0 to 1; None for what is unknown.

    Attributes:
        row: Name of the row; "base" for the base.
        heading: The question that it belongs to.
        differs: What it differs in, in words.
        against: What it is compared with.
        state: "finished", "partly" (some pairs), "running", "waiting", "failed", "not run", "needs
            a file", or "refused".
        cause: Why, where it is not finished; one sentence.
        pairs: Dataset and seed of each pair that counts; the seed is "" for an ensemble.
        runs: Ids of the runs whose counts were used.
        scores: Score of each pair.
        gains: Difference of each pair from what it is compared with.
        errors: Standard error of each pair over its images: of its difference, for the base of its
            score; None where images are too few.
        other_score: Mean score of what it is compared with, over the row's own pairs.
        folds: Number of datasets or folds among the pairs.
        fold_range: (least, greatest) difference of one of them, seeds averaged.
        score: Their mean, with its interval.
        interval: (low, high) of the score.
        difference: Mean over pairs of the score minus that of what it is compared with; from three
            datasets or folds on, the mean over them.
        difference_interval: (low, high) of it.
        p_value: Of the difference, two-sided; for one row alone.
        covers: What the interval of the difference covers: "images, seeds and folds", "images and
            seeds", "images", the same with "groups", or "".
        verdict: "helps", "hurts", "cannot tell", or ""; corrected for the number of rows.
        claim: What was said before: "helps", "hurts", "no gain" or "".
        said: The same in words.
        agreement: "agrees", "contradicts", "cannot tell", or "".
        seconds: Training, mean over pairs.
        memory: Bytes at the peak of training, of the process or of its GPUs.
        parameters: Of the networks together, estimated.
        note: What a reader should know.
    """

    row: str
    heading: str
    differs: str
    against: str
    state: str
    cause: str = ""
    pairs: tuple[tuple[str, str], ...] = ()
    runs: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    gains: tuple[float, ...] = ()
    errors: tuple[float | None, ...] = ()
    other_score: float | None = None
    folds: int = 0
    fold_range: tuple[float | None, float | None] = (None, None)
    score: float | None = None
    interval: tuple[float | None, float | None] = (None, None)
    difference: float | None = None
    difference_interval: tuple[float | None, float | None] = (None, None)
    p_value: float | None = None
    covers: str = ""
    verdict: str = ""
    claim: str = ""
    said: str = ""
    agreement: str = ""
    seconds: float | None = None
    memory: int | None = None
    parameters: int | None = None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return to_json(self)


def describe_other(row: AblationRow | None) -> str:
    """Say in words what a row is compared with."""
    if row is None:
        return ""
    if row.combine and row.combine.against:
        return "mean member" if row.combine.against == "mean" else "best member by validation"
    return row.against or BASE


def describe_row(row: AblationRow | None) -> str:
    """Say in words what a row differs in."""
    if row is None:
        return ""
    if row.balance:
        same = ", as many images seen" if row.balance.keep_images else ""
        return f"balanced by {row.balance.mode}, at most {row.balance.max_repeats} repeats{same}"
    if row.combine:
        return ("ensemble, " + row.combine.rule if row.combine.against else "") + (
            " dense CRF" if row.combine.crf else ""
        )
    if row.submodels:
        return (
            f"{row.submodels.parts} networks, one a part of the classes "
            f"({row.submodels.rule.replace('_', ' ')})"
        )
    return ", ".join(
        f"{key.rpartition('.')[2].replace('_', ' ')} {value}" for key, value in row.changes.items()
    )


CELLS = (
    "row",
    "state",
    "pairs",
    "mean IoU",
    "against",
    "points",
    "by fold",
    "verdict",
    "was said",
    "borne out",
    "train s",
    "memory",
    "parameters",
)
"""What a person sees of a line."""


BORNE_OUT = {
    "agrees": "yes",
    "contradicts": "no: contradicts",
    "cannot tell": "undetermined",
    "": "",
}


def row_cells(row: Mapping[str, Any]) -> list[str]:
    """Return the cells of a line of :meth:`RowResult.to_json`, in the order of :data:`CELLS`."""
    memory, parameters, seconds = row["memory"], row["parameters"], row["seconds"]
    return [
        row["row"],
        row["state"],
        str(len(row["pairs"]) or ""),
        _with_ends(row["score"], row["interval"], formatting.number),
        "" if row["other_score"] is None else f"{row['against']} {100 * row['other_score']:.1f}",
        _with_ends(row["difference"], row["difference_interval"], formatting.signed),
        range_by_fold(row["folds"], row["fold_range"]),
        row["verdict"],
        CLAIMS[row["claim"]] if row["claim"] else "",
        BORNE_OUT[row["agreement"]],
        "" if seconds is None else f"{seconds:.0f}",
        "" if memory is None else f"{memory / 2**30:.1f} GiB",
        "" if parameters is None else f"{parameters / 1e6:.1f} M",
    ]


def range_by_fold(folds: int, ends: Sequence[float | None]) -> str:
    """Return the least and greatest difference of one fold, "" below two folds."""
    low, high = ends
    if folds < 2 or low is None or high is None:
        return ""
    return formatting.points_interval(low, high, unit="")


def _with_ends(
    value: float | None, interval: Sequence[float | None], write: Callable[[float, int], str]
) -> str:
    if value is None:
        return ""
    low, high = interval
    ends = (
        "" if low is None or high is None else f" ({write(100 * low, 1)} to {write(100 * high, 1)})"
    )
    return write(100 * value, 1) + ends


def markdown_table(rows: Sequence[RowResult]) -> str:
    """Return the table as Markdown, a heading where the question changes."""
    lines = ["| " + " | ".join(CELLS) + " |", "|" + " --- |" * len(CELLS)]
    heading = ""
    for row in rows:
        if row.heading and row.heading != heading:
            heading = row.heading
            lines.append(f"| **{heading}** |" + " |" * (len(CELLS) - 1))
        lines.append(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in row_cells(row.to_json())) + " |"
        )
    return "\n".join(lines) + "\n"


def csv_table(rows: Sequence[RowResult]) -> str:
    """Return a table's rows as text, ';' between cells, lists joined by blanks."""
    documents = [row.to_json() for row in rows]
    cells = (
        [
            "" if v is None else " ".join(_flat(v)) if isinstance(v, list) else v
            for v in row.values()
        ]
        for row in documents
    )
    return format_rows([list(documents[0]), *cells], ";")


def _flat(values: list[Any]) -> list[str]:
    return [
        ":".join(map(str, v)) if isinstance(v, list) else "" if v is None else str(v)
        for v in values
    ]
