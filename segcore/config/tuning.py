"""A hyperparameter search: the base, the search space, the number of trials, the sampler."""

import dataclasses
import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from segcore.catalog import ALL_ENCODERS, ARCHITECTURES, PRUNERS, SAMPLERS
from segcore.config.checks import check_name
from segcore.config.mapping import convert
from segcore.config.schema import Range, Setting, check, option, settings
from segcore.config.training import TrainConfig
from segcore.errors import SegcoreError, unknown

MAX_TRIALS = 10_000
Choices = tuple[Any, ...]


@lru_cache(maxsize=1)
def searchable() -> dict[str, Setting]:
    """Return the fields of a training run that a search may vary, in the order of proposals."""
    return {name: one for name, one in settings(TrainConfig).items() if one.option.search}


def searched_by_default(setting: Setting) -> Range | Choices:
    """Return what a search offers of a field: a range or values; () if a dataset has them."""
    if isinstance(setting.option.search, (Range, tuple)):
        return setting.option.search
    return tuple(setting.option.table or ())


@dataclass(frozen=True, init=False)
class SearchSpace:
    """What a search varies; anything else stays as the search's base has it.

    Attributes:
        varied: (name of a field in :func:`searchable`, a :class:`Range` or a tuple of values), in
            the order of the fields.
    """

    varied: tuple[tuple[str, Range | Choices], ...]

    def __init__(self, **varied: Range | Choices | None) -> None:
        """Refuse a space in which there is nothing to choose, or a choice named twice.

        Args:
            varied: A range or values by name of a field; an empty one is not varied.
        """
        known = searchable()
        for name, values in varied.items():
            if name not in known:
                raise unknown("field to search", name, known)
            if isinstance(values, tuple) and len(set(values)) < len(values):
                raise SegcoreError(
                    f"Expected each choice of {name} once, received {list(values)}: remove the "
                    "repeated one."
                )
        pairs = tuple((name, values) for name in known if (values := varied.get(name)))
        object.__setattr__(self, "varied", pairs)
        if self.size < 2:
            raise SegcoreError(
                "Expected something to vary, received at most one choice of everything: name two "
                "losses, or a range."
            )

    @classmethod
    def from_mapping(cls, data: dict[str, Any]) -> "SearchSpace":
        """Build a space from JSON: lists of values, and ranges as ``{"low": ..., "high": ...}``.

        Raises:
            SegcoreError: A name is unknown, or a value has the wrong type.
        """
        known = searchable()
        varied: dict[str, Range | Choices | None] = {}
        for name, value in data.items():
            if name not in known:
                raise unknown("field to search", name, known)
            if isinstance(value, Range) or value is None:
                varied[name] = value
            elif isinstance(value, dict) and known[name].kind is float:
                varied[name] = convert(f"space.{name}", Range, value)
            else:
                kind: Any = known[name].kind
                varied[name] = convert(f"space.{name}", tuple[kind, ...], value)
        return cls(**varied)

    def to_mapping(self) -> dict[str, Any]:
        """Return what :meth:`from_mapping` reads."""
        return dict(self.varied)

    @property
    def names(self) -> list[str]:
        """Names of all that is varied, in the order of the fields."""
        return [name for name, _ in self.varied]

    @property
    def choices(self) -> dict[str, Choices]:
        """What is varied over a list of values, by name."""
        return {name: values for name, values in self.varied if isinstance(values, tuple)}

    @property
    def ranges(self) -> dict[str, Range]:
        """What is varied over a range, by name."""
        return {name: values for name, values in self.varied if isinstance(values, Range)}

    @property
    def axes(self) -> dict[str, Choices]:
        """The values of a grid by name; a range gives its points."""
        return {
            name: values.values if isinstance(values, Range) else values
            for name, values in self.varied
        }

    @property
    def size(self) -> int:
        """Number of points of a grid over the space."""
        return math.prod(len(values) for values in self.axes.values())

    def grid(self) -> list[dict[str, Any]]:
        """Every point of the grid, the last name varying fastest."""
        return [
            dict(zip(self.axes, values, strict=True))
            for values in itertools.product(*self.axes.values())
        ]


@dataclass(frozen=True)
class TuneConfig:
    """One search: trials are training runs that differ in the space, ranked by validation mean IoU.

    Attributes:
        dataset: Name of a dataset in the workspace.
        base: What every trial has in common; its ``group`` and ``member`` are filled in for each.
        space: What is varied.
        kind: Kind of run.
    """

    dataset: str
    base: TrainConfig
    space: SearchSpace
    trials: int = option(
        20,
        "Trials",
        "Number of trials, each a training run; failed and pruned ones count.",
        low=1,
        high=MAX_TRIALS,
    )
    parallel: int = option(
        0,
        "Parallel trials",
        "Trials that run at a time; 0 for one per GPU, at least one.",
        low=0,
        high=1000,
    )
    sampler: str = option(
        "tpe", "Sampler", "How the settings of a trial are proposed.", table=SAMPLERS
    )
    pruner: str = option("median", "Pruner", "Which poor trials end early.", table=PRUNERS)
    grace: int = option(
        2, "Epochs before pruning", "Epochs that every trial gets.", low=1, high=100_000
    )
    from_base: bool = option(
        True, "Start from the base", "Try the base's own settings first, where the space has them."
    )
    seed: int = option(
        0,
        "Sampler seed",
        "Seed of the sampler.",
        low=0,
        high=2**32 - 1,
        flag="sampler_seed",
    )
    kind: str = "tune"

    def __post_init__(self) -> None:
        """Refuse what no trial could be started with, and scores that must not choose."""
        check(self)
        if self.base.dataset != self.dataset:
            raise SegcoreError(
                f"Expected trials on {self.dataset!r}, received a base on "
                f"{self.base.dataset!r}: name one dataset."
            )
        if not self.base.validation_split or self.base.validation_split in (
            "test",
            self.base.train_split,
        ):
            raise SegcoreError(
                "Expected a validation split that is neither trained on nor the test split, "
                f"received {self.base.validation_split!r}: settings chosen on those would look "
                "better than they are; create a validation split."
            )
        if self.base.recipe.monitor != "mean_iou":
            raise SegcoreError(
                "Expected trials that keep the epoch of the best mean IoU, received monitor "
                "'loss': set it to 'mean_iou'."
            )
        if self.sampler == "grid" and self.space.size > MAX_TRIALS:
            raise SegcoreError(
                f"Expected a grid of at most {MAX_TRIALS} points, received {self.space.size}: "
                "name fewer choices."
            )
        self._check_trials()

    def _check_trials(self) -> None:
        """Make every choice once, and every pair of architecture and encoder."""
        axes, model = self.space.axes, self.base.model
        architectures = axes.get("architecture", (model.architecture,))
        encoders = axes.get("encoder", (model.encoder,))
        if len(encoders) > 1 and model.weights not in ("none", "imagenet"):
            raise SegcoreError(
                "Expected weights 'none' or 'imagenet' where encoders are compared, received "
                f"{model.weights!r}: a file fits one encoder only."
            )
        for names, table, kind in (
            (architectures, ARCHITECTURES, "architecture"),
            (encoders, ALL_ENCODERS, "encoder"),
        ):
            for name in names:
                check_name(kind, name, dict(table))
        pairs = {"architecture": architectures[0], "encoder": encoders[0]}
        for architecture, encoder in itertools.product(architectures, encoders):
            trial_config(self.base, {"architecture": architecture, "encoder": encoder})
        for name, values in axes.items():
            for value in values:
                trial_config(self.base, {**pairs, name: value})

    @property
    def planned(self) -> int:
        """How many trials there will be: a grid may have fewer points than were asked for."""
        return min(self.trials, self.space.size) if self.sampler == "grid" else self.trials

    @property
    def first_values(self) -> dict[str, Any] | None:
        """The base's own values; None where one lies outside the space, or they are not wanted."""
        values = {name: base_value(self.base, name) for name in self.space.names}
        inside = all(values[name] in choices for name, choices in self.space.choices.items())
        for name, span in self.space.ranges.items():
            inside = inside and span.low <= values[name] <= span.high
        return values if self.from_base and self.sampler != "grid" and inside else None


def base_value(config: TrainConfig, name: str) -> Any:
    """Return the value in a training config of a field that a search may vary."""
    return searchable()[name].get(config)


def trial_config(base: TrainConfig, values: dict[str, Any], **run: Any) -> TrainConfig:
    """Return the config of one trial.

    Args:
        base: What it has in common with the others.
        values: What is varied, by name.
        run: Further fields of the run, such as ``group`` and ``member``.

    Raises:
        SegcoreError: The values do not fit each other.
    """
    known = settings(TrainConfig)
    inner: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        *outer, last = known[name].path
        if outer:
            inner.setdefault(outer[0], {})[last] = value
        else:
            run[last] = value
    parts = {name: dataclasses.replace(getattr(base, name), **new) for name, new in inner.items()}
    return dataclasses.replace(base, **parts, **run)


PRESETS: dict[str, SearchSpace] = {
    "quick": SearchSpace(
        loss=("jaccard_distance", "soft_jaccard", "dice_focal", "cross_entropy"),
        learning_rate=Range(1e-4, 1e-2),
        augmentation=("none", "light", "strong"),
    ),
    "recipe": SearchSpace(
        loss=("jaccard_distance", "soft_jaccard", "dice_focal", "cross_entropy", "lovasz_softmax"),
        learning_rate=Range(1e-4, 1e-2),
        schedule=("constant", "exponential", "polynomial", "cosine"),
        batch_size=(4, 8, 16),
        class_weights=("none", "inverse_root", "median_frequency"),
        augmentation=("none", "light", "strong"),
    ),
    "network": SearchSpace(
        architecture=("unet", "linknet", "fpn", "deeplab_v3_plus"),
        encoder=("resnet50", "mobilenet_v2", "efficientnet_b0"),
        learning_rate=Range(1e-4, 1e-2),
    ),
}
"""Spaces to begin with, by name in ``catalog.TUNE_PRESETS``."""
