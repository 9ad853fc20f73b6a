"""An ablation: a base recipe and rows that differ from it in one thing each, compared over seeds.

A search (:mod:`segcore.config.tuning`) proposes values; here every row is chosen beforehand.
"""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from segcore.catalog import BALANCE_MODES, BALANCE_RULES, ENSEMBLE_RULES, SUBMODEL_RULES
from segcore.config.checks import check_name, check_range
from segcore.config.mapping import from_json, to_json
from segcore.config.training import TrainConfig
from segcore.errors import SegcoreError, unknown
from segcore.postprocess.parameters import CRFParameters

FORMAT = 1
BASE = "base"
"""Name of the base among the rows."""

CLAIMS = {
    "": "no claim",
    "helps": "it helps",
    "hurts": "it hurts",
    "no gain": "it makes no difference",
}
AGAINST_MEMBERS = {
    "mean": "the mean of its members",
    "best": "its best member, chosen by validation",
}
MOST_RUNS = 500

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_FILE = re.compile(r"\{([A-Za-z0-9_-]+)\}")
_OWN = ("dataset", "seed", "member", "group", "kind", "balance_plan", "submodels", "members_by")
"""Fields of a training run that the ablation fills in."""


@dataclass(frozen=True)
class BalanceChoice:
    """A balance plan that is made for the training split and saved with the dataset.

    Attributes:
        mode: A name in ``catalog.BALANCE_MODES``.
        max_repeats: Most repeats of an image.
        rule: A name in ``catalog.BALANCE_RULES``.
        keep_images: Whether the number of epochs is lowered so that a run sees as many images as
            without the plan.
    """

    mode: str = "count"
    max_repeats: int = 5
    rule: str = "nearest"
    keep_images: bool = False

    def __post_init__(self) -> None:
        """Refuse names that are in no table."""
        check_name("balance mode", self.mode, BALANCE_MODES)
        check_name("rule for repeating images", self.rule, BALANCE_RULES)
        check_range("a number of repeats", self.max_repeats, 2, 100)


@dataclass(frozen=True)
class CombineChoice:
    """Post-processing of the base's models; nothing is trained.

    Attributes:
        rule: A name in ``catalog.ENSEMBLE_RULES``, where members are combined.
        crf: Parameters of the dense CRF, or None for none. Without ``against`` each of the base's
            networks is refined alone.
        against: "mean" or "best": the row's seeds are the members of one ensemble, compared with
            their mean or best one.
    """

    rule: str = "mean"
    crf: CRFParameters | None = None
    against: str = ""

    def __post_init__(self) -> None:
        """Refuse a choice that changes nothing."""
        check_name("ensemble rule", self.rule, ENSEMBLE_RULES)
        if self.against:
            check_name("member to compare an ensemble with", self.against, dict(AGAINST_MEMBERS))
        elif self.crf is None:
            raise SegcoreError(
                "Expected an ensemble or a CRF, received neither: give against (mean or "
                "best), or crf."
            )


@dataclass(frozen=True)
class SubmodelChoice:
    """One model per group of classes; classes are grouped by their number of pixels.

    Attributes:
        rule: A name in ``catalog.SUBMODEL_RULES``.
        parts: How many groups of classes.
    """

    rule: str = "one_vs_rest"
    parts: int = 3

    def __post_init__(self) -> None:
        """Refuse an unknown rule and a single part."""
        check_name("rule for submodels", self.rule, SUBMODEL_RULES)
        check_range("a number of parts", self.parts, 2, 50)


@dataclass(frozen=True)
class AblationRow:
    """One recipe.

    Attributes:
        name: Its name in the table; unique.
        heading: Heading of the table that it stands under.
        changes: What it differs in from the base: fields of a training run by dotted name,
            ``{"recipe.loss": "dice_focal"}``.
        balance: A balance plan, or None.
        combine: What is done to the base's networks, or None.
        submodels: Networks for parts of the classes, or None.
        against: Row that it is compared with; "" for the base.
        seeds: Its own seeds; empty for the ablation's.
        claim: What is claimed about it: a key of :data:`CLAIMS`.
        said: The claim in its author's words.
        note: What a reader of the table should know.
    """

    name: str
    heading: str = ""
    changes: dict = field(default_factory=dict)  # type: ignore[type-arg]
    balance: BalanceChoice | None = None
    combine: CombineChoice | None = None
    submodels: SubmodelChoice | None = None
    against: str = ""
    seeds: tuple[int, ...] = ()
    claim: str = ""
    said: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse a row that differs in nothing, or in several kinds of things."""
        kinds = [
            kind for kind in ("changes", "balance", "combine", "submodels") if getattr(self, kind)
        ]
        if len(kinds) != 1:
            given = " and ".join(kinds) or "nothing"
            raise SegcoreError(
                f"Expected the row {self.name!r} to differ in one of changes, balance, "
                f"combine and submodels, received {given}: "
                "make a row for each."
            )
        check_name("claim", self.claim, dict(CLAIMS))
        if self.against and self.combine:
            raise SegcoreError(
                f"Expected the row {self.name!r} to be compared with the base, which it "
                "combines: leave out against."
            )
        for key in self.changes:
            if key in _OWN:
                raise SegcoreError(
                    f"Expected another key than {key!r} in the row {self.name!r}: the "
                    "ablation fills it in."
                )


@dataclass(frozen=True)
class Ablation:
    """An ablation; ``docs/ablations.md`` says how one is written.

    Attributes:
        name: Letters, digits, ".", "_" and "-"; runs that it starts carry it as a tag.
        title: A heading for people; "" takes the name.
        about: What a reader should know about the whole.
        base: Fields of a training run without its dataset and seed, as far as they are not the
            usual ones.
        rows: The recipes, in the order in which they are run: those of most worth first.
        seeds: Seeds of every recipe.
        base_seeds: Seeds of the base; empty for all that a row needs.
        report_on: The split that is scored in the end. The training's validation split chooses
            epochs and best members.
        group_by: What the images are drawn by for the intervals: "" for one by one, "folder" or
            "prefix" for whole groups.
        resamples: How many times the images are drawn.
        level: Nominal coverage of the intervals.
        files: What each weights file is that a recipe names as ``{name}``.
    """

    name: str
    rows: tuple[AblationRow, ...]
    base: dict = field(default_factory=dict)  # type: ignore[type-arg]
    seeds: tuple[int, ...] = (0, 1)
    base_seeds: tuple[int, ...] = ()
    title: str = ""
    about: str = ""
    report_on: str = "test"
    group_by: str = ""
    resamples: int = 2000
    level: float = 0.95
    files: dict = field(default_factory=dict)  # type: ignore[type-arg]
    format: int = FORMAT

    def __post_init__(self) -> None:
        """Refuse repeated names, rows that do not fit the base, a report on a selecting split."""
        if self.format != FORMAT:
            raise SegcoreError(
                f"Expected an ablation in format {FORMAT}, received {self.format!r}: "
                "update Segscope."
            )
        if not _NAME.fullmatch(self.name):
            raise SegcoreError(
                "Expected a name of letters, digits, '.', '_' and '-', no spaces, for an ablation, "
                f"received {self.name!r}: choose another."
            )
        names = [BASE, *(row.name for row in self.rows)]
        if len(set(names)) < len(names) or not self.rows:
            raise SegcoreError(
                f"Expected rows with names of their own, none of them {BASE!r}, received "
                f"{names[1:]}: rename the repeated one."
            )
        if not self.seeds:
            raise SegcoreError(
                "Expected at least one seed, received none: give some, two or more to tell "
                "a difference from chance."
            )
        check_range("a number of resamples", self.resamples, 100, 100_000)
        check_range("a coverage", self.level, 0.5, 0.999)
        for key in self.base:
            if key in _OWN:
                raise SegcoreError(
                    f"Expected another key than {key!r} in the base: the ablation fills it in."
                )
        anything = {name: f"{name}.npz" for name in self.file_names}
        for row in self.rows:
            config = self.config(row, "-", 0, anything)
            if row.against and row.against not in names[1:]:
                raise unknown("row to compare with", row.against, names[1:])
            if row.against and self.row(row.against).combine:  # type: ignore[union-attr]
                raise SegcoreError(
                    f"Expected the row {row.name!r} to be compared with a row that is "
                    f"trained, received {row.against!r}: name another."
                )
            if self.report_on in (config.train_split, config.validation_split):
                raise SegcoreError(
                    "Expected a report on a split that is not used for training or selection, "
                    f"received {self.report_on!r}: "
                    "name the test split."
                )

    @property
    def file_names(self) -> list[str]:
        """Names of the weights files that recipes ask for, in order."""
        texts = [str(self._weights(None)), *(str(self._weights(row)) for row in self.rows)]
        return list(dict.fromkeys(name for text in texts for name in _FILE.findall(text)))

    def _weights(self, row: AblationRow | None) -> Any:
        base = (
            self.base.get("model", {}).get("weights", "")
            if isinstance(self.base.get("model", {}), dict)
            else ""
        )
        return row.changes.get("model.weights", base) if row else base

    def row(self, name: str) -> AblationRow | None:
        """Return a row by its name; None for the base.

        Raises:
            SegcoreError: There is no such row.
        """
        if name in ("", BASE):
            return None
        for row in self.rows:
            if row.name == name:
                return row
        raise unknown("row", name, [row.name for row in self.rows])

    def missing_file(self, row: AblationRow | None, weights: Mapping[str, str]) -> str:
        """Return the weights file that a recipe lacks; "" where it lacks none."""
        return next(
            (name for name in _FILE.findall(str(self._weights(row))) if name not in weights), ""
        )

    def seeds_of(self, row: AblationRow | None) -> tuple[int, ...]:
        """Return the seeds of a row; of the base (None) those of all rows."""
        if row is not None:
            return row.seeds or self.seeds
        return tuple(
            dict.fromkeys(
                [*self.base_seeds, *self.seeds, *(seed for row in self.rows for seed in row.seeds)]
            )
        )

    def config(
        self, row: AblationRow | None, dataset: str, seed: int, weights: Mapping[str, str]
    ) -> TrainConfig:
        """Return what is trained for a row and a seed, without its balance plan or submodels.

        Args:
            row: The row; None for the base.
            dataset: Name of a dataset.
            seed: Seed of the run.
            weights: Weights files by the name that recipes call them.

        Raises:
            SegcoreError: A key or value is refused, or a weights file was not given.
        """
        missing = self.missing_file(row, weights)
        if missing:
            about = self.files.get(missing, "")
            what = f"the weights file {missing!r}" + (f" ({about})" if about else "")
            raise SegcoreError(
                f"Expected {what}, received none: give its path (in the shell --weights "
                f"{missing}=PATH)."
            )
        data: dict[str, Any] = {"dataset": dataset, **copy.deepcopy(self.base), "seed": seed}
        for key, value in (row.changes if row else {}).items():
            *outer, last = str(key).split(".")
            place = data
            for part in outer:
                place = place.setdefault(part, {})
                if not isinstance(place, dict):
                    raise SegcoreError(
                        f"Expected a field of a training run, received {key!r}: write for "
                        "example recipe.loss."
                    )
            place[last] = value
        text = str(data.get("model", {}).get("weights", ""))
        if _FILE.search(text):
            data["model"]["weights"] = _FILE.sub(lambda match: weights[match[1]], text)
        return from_json(TrainConfig, data)

    def to_json(self) -> dict[str, Any]:
        """Return what :func:`ablation_from_json` reads."""
        return to_json(self)


def ablation_from_json(data: Any) -> Ablation:
    """Build an ablation from its mapping.

    Raises:
        SegcoreError: It is no mapping, a key is unknown, or a value is refused.
    """
    rows = data.get("rows") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        raise SegcoreError(
            "Expected an ablation as a mapping with a list of rows, received something else: "
            "see docs/ablations.md."
        )
    return from_json(Ablation, {**data, "rows": [from_json(AblationRow, row) for row in rows]})
