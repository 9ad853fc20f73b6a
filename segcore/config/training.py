"""A training run: which network, how it learns, on what."""

from dataclasses import dataclass, field

from segcore.catalog import ARCHITECTURES, AUGMENTATIONS, CLASS_WEIGHTS, ENCODERS, OPTIMIZERS, PRECISIONS, SCHEDULES, loss_terms
from segcore.config.checks import check_name, check_range
from segcore.errors import SegcoreError


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
        check_name("architecture", self.architecture, ARCHITECTURES)
        check_name("encoder", self.encoder, ENCODERS)
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
        check_name("class weighting", self.class_weights, CLASS_WEIGHTS)
        check_name("optimizer", self.optimizer, OPTIMIZERS)
        check_name("schedule", self.schedule, SCHEDULES)
        check_name("augmentation", self.augmentation, AUGMENTATIONS)
        check_name("precision", self.precision, PRECISIONS)
        check_range("a learning rate", self.learning_rate, 1e-8, 10)
        check_range("a number of epochs", self.epochs, 1, 100_000)
        check_range("a batch size", self.batch_size, 1, 4096)
        check_range("a patience", self.patience, 0, 100_000)
        check_range("a number of warm-up epochs", self.warmup_epochs, 0, self.epochs)
        check_range("a weight decay", self.weight_decay, 0, 10)
        check_range("a gradient norm", self.clip_norm, 0, 1e6)
        check_range("a momentum of averaged weights", self.average, 0, 0.99999)
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
