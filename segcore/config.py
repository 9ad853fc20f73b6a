"""What a run is: frozen, validated configs that survive a JSON round trip.

A run is its config on disk. Each dataclass checks itself when made, so a config that exists is
one that can be started; unknown keys in a file are refused with the nearest known one.
"""

import dataclasses
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from segcore.catalog import (
    ARCHITECTURES,
    AUGMENTATIONS,
    CLASS_WEIGHTS,
    ENCODERS,
    ENSEMBLE_RULES,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    loss_terms,
)
from segcore.errors import SegcoreError, unknown
from segcore.postprocess.dense_crf import CRFParameters


def _check_name(kind: str, name: str, table: dict[str, Any]) -> None:
    if name not in table:
        raise unknown(kind, name, table)


def _check_range(what: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SegcoreError(f"Expected {what} between {low:g} and {high:g}, received {value!r}: choose a value in that range.")


@dataclass(frozen=True)
class ModelConfig:
    """Which network.

    Attributes:
        architecture: A name in ``catalog.ARCHITECTURES``.
        encoder: A name in ``catalog.ENCODERS``.
        weights: "none" (random), "imagenet" (downloaded by Keras), or the path of a weights file.
    """

    architecture: str = "unet"
    encoder: str = "resnet50"
    weights: str = "imagenet"

    def __post_init__(self) -> None:
        """Refuse names that are in no table, and downloads that do not exist."""
        _check_name("architecture", self.architecture, ARCHITECTURES)
        _check_name("encoder", self.encoder, ENCODERS)
        if self.weights == "imagenet" and not ENCODERS[self.encoder].imagenet:
            raise SegcoreError(
                f"Expected weights 'none' or a file for the encoder {self.encoder!r}, received 'imagenet': "
                "no download exists for it; choose 'none' or give the path of a weights file."
            )

    @property
    def stride(self) -> int:
        """Input height and width must be multiples of this."""
        return max(ARCHITECTURES[self.architecture].stride, ENCODERS[self.encoder].stride)


@dataclass(frozen=True)
class RecipeConfig:
    """How the network learns.

    Attributes:
        loss: A name in ``catalog.LOSSES``, or a sum such as "dice + 0.5*focal".
        class_weights: A name in ``catalog.CLASS_WEIGHTS``; how the loss weighs classes.
        optimizer: A name in ``catalog.OPTIMIZERS``.
        learning_rate: The first learning rate.
        schedule: A name in ``catalog.SCHEDULES``; how the learning rate decays over the epochs.
        warmup_epochs: Epochs over which the learning rate first climbs from 0, in fractions if need be.
        weight_decay: Decoupled weight decay of AdamW; the other optimizers have none.
        clip_norm: Largest norm of the whole gradient; longer ones are shortened. 0 never clips.
        average: Momentum of a running average of the weights, which is what gets validated and kept; 0 for none.
        epochs: Passes over the training split.
        batch_size: Images a step.
        patience: Epochs without a better validation score before training stops; 0 never stops early.
        monitor: The validation score that chooses the best epoch: "mean_iou" or "loss".
        augmentation: A name in ``catalog.AUGMENTATIONS``.
        precision: A name in ``catalog.PRECISIONS``.
    """

    loss: str = "jaccard_distance"
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "exponential"
    epochs: int = 30
    batch_size: int = 8
    patience: int = 10
    augmentation: str = "light"
    precision: str = "float32"
    class_weights: str = "none"
    warmup_epochs: float = 0.0
    weight_decay: float = 1e-4
    clip_norm: float = 0.0
    average: float = 0.0
    monitor: str = "mean_iou"

    def __post_init__(self) -> None:
        """Refuse names that are in no table and numbers out of range."""
        loss_terms(self.loss)
        _check_name("class weighting", self.class_weights, CLASS_WEIGHTS)
        _check_name("optimizer", self.optimizer, OPTIMIZERS)
        _check_name("schedule", self.schedule, SCHEDULES)
        _check_name("augmentation", self.augmentation, AUGMENTATIONS)
        _check_name("precision", self.precision, PRECISIONS)
        _check_range("a learning rate", self.learning_rate, 1e-8, 10)
        _check_range("a number of epochs", self.epochs, 1, 100_000)
        _check_range("a batch size", self.batch_size, 1, 4096)
        _check_range("a patience", self.patience, 0, 100_000)
        _check_range("a number of warm-up epochs", self.warmup_epochs, 0, self.epochs)
        _check_range("a weight decay", self.weight_decay, 0, 10)
        _check_range("a gradient norm", self.clip_norm, 0, 1e6)
        _check_range("a momentum of averaged weights", self.average, 0, 0.99999)
        if self.monitor not in ("mean_iou", "loss"):
            raise SegcoreError(f"Expected the score to watch as 'mean_iou' or 'loss', received {self.monitor!r}: choose one of them.")


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        dataset: Name of a data set in the workspace.
        model: Which network.
        recipe: How it learns.
        size: (height, width) in pixels that images are resized to.
        train_split: Split that is learned from.
        validation_split: Split that chooses the best epoch; "" for none.
        seed: Seed of weights, order and augmentation.
        member: Position among the members launched together, from 0.
        group: Id shared by the members launched together.
        device: "auto", "cpu", or "gpu:0" and so on; several as "gpu:0,gpu:1".
        label_map: Name of a label map saved with the data set; "" for none.
        balance_plan: Name of a balance plan saved with the data set; "" repeats nothing.
        deterministic: Whether to ask TensorFlow for bit-identical repeats (slower on a GPU).
    """

    dataset: str
    model: ModelConfig = field(default_factory=ModelConfig)
    recipe: RecipeConfig = field(default_factory=RecipeConfig)
    size: tuple[int, int] = (256, 256)
    train_split: str = "train"
    validation_split: str = "validation"
    seed: int = 0
    member: int = 0
    group: str = ""
    device: str = "auto"
    label_map: str = ""
    balance_plan: str = ""
    deterministic: bool = False
    kind: str = "train"

    def __post_init__(self) -> None:
        """Refuse sizes that the network cannot take."""
        if len(self.size) != 2:
            raise SegcoreError(f"Expected a size as (height, width), received {self.size!r}: give two numbers.")
        stride = self.model.stride
        for what, value in zip(("height", "width"), self.size, strict=True):
            if value < stride or value % stride or value > 8192:
                low = max(stride, value // stride * stride)
                raise SegcoreError(
                    f"Expected a {what} that is a multiple of {stride} (up to 8192) for {self.model.architecture} with "
                    f"{self.model.encoder}, received {value}: take {low} or {low + stride}."
                )


@dataclass(frozen=True)
class PredictConfig:
    """Probabilities of one trained run over one split.

    Attributes:
        dataset: Name of a data set in the workspace.
        run: Id of the finished training run.
        split: Split to predict.
        batch_size: Images a step.
        device: As in :class:`TrainConfig`.
    """

    dataset: str
    run: str
    split: str = "test"
    batch_size: int = 4
    device: str = "auto"
    kind: str = "predict"


@dataclass(frozen=True)
class EvaluateConfig:
    """Members combined, refined and counted over one split.

    Attributes:
        dataset: Name of a data set in the workspace.
        members: Ids of the training runs, one or more.
        split: Split to score.
        rule: A name in ``catalog.ENSEMBLE_RULES``.
        crf: Parameters of the dense CRF, or None for no CRF.
    """

    dataset: str
    members: tuple[str, ...]
    split: str = "test"
    rule: str = "mean"
    crf: CRFParameters | None = None
    kind: str = "evaluate"

    def __post_init__(self) -> None:
        """Refuse an empty ensemble, a member twice, and an unknown rule."""
        _check_name("ensemble rule", self.rule, ENSEMBLE_RULES)
        if not self.members:
            raise SegcoreError("Expected at least one member, received none: name one or more training runs.")
        if len(set(self.members)) != len(self.members):
            raise SegcoreError(f"Expected each member once, received {list(self.members)}: remove the repeated one.")


RunConfig = TrainConfig | PredictConfig | EvaluateConfig

CONFIGS: dict[str, type[TrainConfig] | type[PredictConfig] | type[EvaluateConfig]] = {
    "train": TrainConfig,
    "predict": PredictConfig,
    "evaluate": EvaluateConfig,
}

T = TypeVar("T")


def to_json(config: Any) -> dict[str, Any]:
    """Return a config as a JSON-ready mapping; nested dataclasses become mappings, tuples lists."""
    return _plain(dataclasses.asdict(config))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


def from_json(cls: type[T], data: dict[str, Any]) -> T:
    """Build a dataclass from a mapping, as :func:`to_json` wrote it or as a person did.

    Raises:
        SegcoreError: A key is unknown, missing, or has a value of the wrong type.
    """
    if not isinstance(data, dict):
        raise SegcoreError(f"Expected a mapping for {cls.__name__}, received {data!r}: write it as {{...}}.")
    hints = get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for key in data:
        if key not in names:
            raise unknown(f"key of {cls.__name__}", key, names)
    values = {key: _convert(f"{cls.__name__}.{key}", hints[key], value) for key, value in data.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise SegcoreError(f"{cls.__name__} lacks a key: {error}.") from error


def _convert(where: str, hint: Any, value: Any) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None and type(None) in args:
            return None
        (hint,) = [a for a in args if a is not type(None)]
        return _convert(where, hint, value)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else from_json(hint, value)
    if origin is tuple and isinstance(value, (list, tuple)):
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        if len(kinds) == len(value):
            return tuple(_convert(where, k, v) for k, v in zip(kinds, value, strict=True))
    elif hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    elif isinstance(hint, type) and isinstance(value, hint) and (hint is bool) == isinstance(value, bool):
        return value
    raise SegcoreError(f"Expected {getattr(hint, '__name__', hint)} for {where}, received {value!r}: change that value.")


def config_from_json(data: dict[str, Any]) -> RunConfig:
    """Build the config of a run from its mapping; ``kind`` says which.

    Raises:
        SegcoreError: The kind or a key is unknown, or a value is refused.
    """
    kind = data.get("kind")
    if kind not in CONFIGS:
        raise unknown("kind of run", kind, CONFIGS)
    return from_json(CONFIGS[kind], data)
