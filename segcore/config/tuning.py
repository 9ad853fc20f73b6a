"""A study: a training run to start from, what is varied about it, how many trials, and who proposes them."""

import dataclasses
import itertools
import math
from dataclasses import dataclass
from typing import Any

from segcore.catalog import ARCHITECTURES, ENCODERS, PRUNERS, SAMPLERS
from segcore.config.checks import check_name, check_range
from segcore.config.training import TrainConfig
from segcore.errors import SegcoreError

MODEL_KEYS = ("architecture", "encoder")
RECIPE_KEYS = (
    "loss",
    "learning_rate",
    "optimizer",
    "schedule",
    "batch_size",
    "class_weights",
    "augmentation",
)
RUN_KEYS = ("balance_plan", "label_map")
MAX_TRIALS = 10_000


@dataclass(frozen=True)
class Range:
    """Positive numbers from low to high, looked at by their logarithm.

    Attributes:
        low: The smallest, included.
        high: The largest, included.
        points: How many of them a grid takes, at equal ratios.
    """

    low: float
    high: float
    points: int = 3

    def __post_init__(self) -> None:
        """Refuse an empty range and a grid of one point."""
        if not 0 < self.low < self.high:
            raise SegcoreError(
                f"Expected a range 0 < low < high, received {self.low:g} to {self.high:g}: "
                "change one of the ends."
            )
        check_range("a number of points of a range", self.points, 2, 100)

    @property
    def values(self) -> tuple[float, ...]:
        """The grid's points, from low to high, ``low * (high / low) ** (i / (points - 1))``."""
        ratio = self.high / self.low
        inner = (
            float(f"{self.low * ratio ** (i / (self.points - 1)):.6g}")
            for i in range(1, self.points - 1)
        )
        return (self.low, *inner, self.high)


@dataclass(frozen=True)
class SearchSpace:
    """What a study varies; what is left empty stays as the study's base has it.

    Attributes:
        architecture: Names in ``catalog.ARCHITECTURES``.
        encoder: Names in ``catalog.ENCODERS``.
        loss: Names in ``catalog.LOSSES``, or sums of them.
        learning_rate: The range of the first learning rate.
        optimizer: Names in ``catalog.OPTIMIZERS``.
        schedule: Names in ``catalog.SCHEDULES``.
        batch_size: Images a step.
        class_weights: Names in ``catalog.CLASS_WEIGHTS``.
        augmentation: Names in ``catalog.AUGMENTATIONS``.
        balance_plan: Names of plans saved with the dataset; "" for none.
        label_map: Names of label maps saved with the dataset; "" for none. Their scores are over
            different classes.
    """

    architecture: tuple[str, ...] = ()
    encoder: tuple[str, ...] = ()
    loss: tuple[str, ...] = ()
    learning_rate: Range | None = None
    optimizer: tuple[str, ...] = ()
    schedule: tuple[str, ...] = ()
    batch_size: tuple[int, ...] = ()
    class_weights: tuple[str, ...] = ()
    augmentation: tuple[str, ...] = ()
    balance_plan: tuple[str, ...] = ()
    label_map: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a space in which there is nothing to choose, or a choice named twice."""
        for name, values in self.choices.items():
            if len(set(values)) < len(values):
                raise SegcoreError(
                    f"Expected each choice of {name} once, received {list(values)}: remove "
                    "the repeated one."
                )
        if self.size < 2:
            raise SegcoreError(
                "Expected something to vary, received at most one choice of everything: "
                "name two losses, or a range."
            )

    @property
    def choices(self) -> dict[str, tuple[Any, ...]]:
        """What is varied and has a list of choices, by name."""
        lists = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "learning_rate"
        }
        return {name: values for name, values in lists.items() if values}

    @property
    def names(self) -> list[str]:
        """Names of all that is varied, in the order of the fields."""
        varied = {**self.choices, "learning_rate": self.learning_rate}
        return [field.name for field in dataclasses.fields(self) if varied.get(field.name)]

    @property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        """The values of a grid by name; a range gives its points."""
        rates = self.learning_rate.values if self.learning_rate else ()
        return {
            name: rates if name == "learning_rate" else getattr(self, name) for name in self.names
        }

    @property
    def size(self) -> int:
        """How many settings a grid over the space has."""
        return math.prod(len(values) for values in self.axes.values())

    def grid(self) -> list[dict[str, Any]]:
        """Every setting of the grid, the last name varying fastest."""
        return [
            dict(zip(self.axes, values, strict=True))
            for values in itertools.product(*self.axes.values())
        ]


@dataclass(frozen=True)
class TuneConfig:
    """One study: trials are training runs that differ in what the space names, judged by validation mean IoU.

    Attributes:
        dataset: Name of a dataset in the workspace.
        base: What every trial has in common; its ``group`` and ``member`` are filled in for each.
        space: What is varied.
        trials: How many settings are tried, those that fail or are pruned among them.
        parallel: Trials under way at a time; 0 for as many as there are GPUs, at least one.
        sampler: A name in ``catalog.SAMPLERS``.
        pruner: A name in ``catalog.PRUNERS``.
        grace: Epochs that every trial gets before it may be pruned.
        from_base: Whether the base's own values are tried first, where the space holds them.
        seed: Seed of the sampler.
    """

    dataset: str
    base: TrainConfig
    space: SearchSpace
    trials: int = 20
    parallel: int = 0
    sampler: str = "tpe"
    pruner: str = "median"
    grace: int = 2
    from_base: bool = True
    seed: int = 0
    kind: str = "tune"

    def __post_init__(self) -> None:
        """Refuse what no trial could be started with, and scores that must not choose."""
        check_name("sampler", self.sampler, SAMPLERS)
        check_name("pruner", self.pruner, PRUNERS)
        check_range("a number of trials", self.trials, 1, MAX_TRIALS)
        check_range("a number of trials at a time", self.parallel, 0, 1000)
        check_range("a number of epochs before pruning", self.grace, 1, 100_000)
        check_range("a seed", self.seed, 0, 2**32 - 1)
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
                "Expected a validation split that is neither trained on nor the test "
                f"split, received {self.base.validation_split!r}: "
                "settings chosen by those would look better than they are; make a validation split."
            )
        if self.base.recipe.monitor != "mean_iou":
            raise SegcoreError(
                "Expected trials that keep the epoch of the best mean IoU, received "
                "monitor 'loss': set it to 'mean_iou'."
            )
        if self.sampler == "grid" and self.space.size > MAX_TRIALS:
            raise SegcoreError(
                f"Expected a grid of at most {MAX_TRIALS} settings, received "
                f"{self.space.size}: name fewer choices."
            )
        self._check_trials()

    def _check_trials(self) -> None:
        """Make every choice once, and every pair of architecture and encoder."""
        if len(self.space.encoder) > 1 and self.base.model.weights not in ("none", "imagenet"):
            raise SegcoreError(
                "Expected weights 'none' or 'imagenet' where encoders are compared, "
                f"received {self.base.model.weights!r}: "
                "a file fits one encoder only."
            )
        architectures = self.space.architecture or (self.base.model.architecture,)
        encoders = self.space.encoder or (self.base.model.encoder,)
        for names, table, kind in (
            (architectures, ARCHITECTURES, "architecture"),
            (encoders, ENCODERS, "encoder"),
        ):
            for name in names:
                check_name(kind, name, dict(table))
        pairs = {"architecture": architectures[0], "encoder": encoders[0]}
        for architecture, encoder in itertools.product(architectures, encoders):
            trial_config(self.base, {"architecture": architecture, "encoder": encoder})
        for name, values in self.space.axes.items():
            for value in values:
                trial_config(self.base, {**pairs, name: value})

    @property
    def planned(self) -> int:
        """How many trials there will be: a grid may have fewer settings than were asked for."""
        return min(self.trials, self.space.size) if self.sampler == "grid" else self.trials

    @property
    def first_values(self) -> dict[str, Any] | None:
        """The base's own values of what is varied; None where one lies outside the space, or they are not wanted."""
        values = {name: base_value(self.base, name) for name in self.space.names}
        rates = self.space.learning_rate
        inside = all(values[name] in choices for name, choices in self.space.choices.items())
        if rates is not None:
            inside = inside and rates.low <= values["learning_rate"] <= rates.high
        return values if self.from_base and self.sampler != "grid" and inside else None


def base_value(config: TrainConfig, name: str) -> Any:
    """Return what a training config says about something that a study may vary."""
    part: Any = (
        config.model if name in MODEL_KEYS else config.recipe if name in RECIPE_KEYS else config
    )
    return getattr(part, name)


def trial_config(base: TrainConfig, values: dict[str, Any], **run: Any) -> TrainConfig:
    """Return the config of one trial.

    Args:
        base: What it has in common with the others.
        values: What is varied, by name.
        run: Further fields of the run, such as ``group`` and ``member``.

    Raises:
        SegcoreError: The values do not fit each other.
    """
    model = dataclasses.replace(base.model, **{k: v for k, v in values.items() if k in MODEL_KEYS})
    recipe = dataclasses.replace(
        base.recipe, **{k: v for k, v in values.items() if k in RECIPE_KEYS}
    )
    return dataclasses.replace(
        base,
        model=model,
        recipe=recipe,
        **{k: v for k, v in values.items() if k in RUN_KEYS},
        **run,
    )


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
