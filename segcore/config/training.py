"""A training run: which network, how it learns, on what."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from segcore.catalog import (
    ARCHITECTURES,
    AUGMENTATIONS,
    BATCH_NORMS,
    CLASS_WEIGHTS,
    ENCODERS,
    MEMBERS_BY,
    OPTIMIZERS,
    PRECISIONS,
    PREPROCESSING,
    SCHEDULES,
    SUBMODEL_RULES,
    loss_terms,
)
from segcore.config.checks import check_name, check_range
from segcore.errors import SegcoreError


@dataclass(frozen=True)
class ModelConfig:
    """Which network.

    Attributes:
        architecture: A name in ``catalog.ARCHITECTURES``.
        encoder: A name in ``catalog.ENCODERS``.
        weights: "none" (random), "imagenet" (downloaded by Keras), or the path of a weights file.
        preprocessing: A name in ``catalog.PREPROCESSING``; done alike wherever the network is used.
    """

    architecture: str = "unet"
    encoder: str = "resnet50"
    weights: str = "imagenet"
    preprocessing: str = "none"

    def __post_init__(self) -> None:
        """Refuse names that are in no table, and downloads that do not exist."""
        check_name("architecture", self.architecture, ARCHITECTURES)
        check_name("encoder", self.encoder, ENCODERS)
        check_name("preprocessing", self.preprocessing, PREPROCESSING)
        if self.weights == "imagenet" and not ENCODERS[self.encoder].imagenet:
            raise SegcoreError(
                f"Expected weights 'none' or a file for the encoder {self.encoder!r}, "
                "received 'imagenet': "
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
        warmup_epochs: Epochs over which the learning rate first climbs from 0, in fractions if need
            be.
        weight_decay: Decoupled weight decay of AdamW; the other optimizers have none.
        clip_norm: Largest norm of the whole gradient; longer ones are shortened. 0 never clips.
        average: Momentum of a running average of the weights, which is what gets validated and
            kept; 0 for none.
        epochs: Passes over the training split.
        batch_size: Images a step.
        patience: Epochs without a better validation score before training stops; 0 never stops
            early.
        monitor: The validation score that chooses the best epoch: "mean_iou" or "loss".
        augmentation: A name in ``catalog.AUGMENTATIONS``.
        precision: A name in ``catalog.PRECISIONS``.
        freeze_epochs: First epochs in which the encoder is not trained and its batch normalisation
            stays as it was; 0 for none.
        batch_norm: A name in ``catalog.BATCH_NORMS``; where evaluation takes the means of batch
            normalisation from.
        cut_mix: Share of training images into which a rectangle of another is pasted with its
            labels, 0..1.
        jit: Whether XLA compiles the steps; on one device only.
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
    freeze_epochs: int = 0
    batch_norm: str = "keep"
    cut_mix: float = 0.0
    jit: bool = False

    def __post_init__(self) -> None:
        """Refuse names that are in no table and numbers out of range."""
        loss_terms(self.loss)
        check_name("class weighting", self.class_weights, CLASS_WEIGHTS)
        check_name("optimizer", self.optimizer, OPTIMIZERS)
        check_name("schedule", self.schedule, SCHEDULES)
        check_name("augmentation", self.augmentation, AUGMENTATIONS)
        check_name("precision", self.precision, PRECISIONS)
        check_name("batch normalisation", self.batch_norm, BATCH_NORMS)
        check_range("a learning rate", self.learning_rate, 1e-8, 10)
        check_range("a number of epochs", self.epochs, 1, 100_000)
        check_range("a batch size", self.batch_size, 1, 4096)
        check_range("a patience", self.patience, 0, 100_000)
        check_range("a number of warm-up epochs", self.warmup_epochs, 0, self.epochs)
        check_range("a number of frozen epochs", self.freeze_epochs, 0, self.epochs)
        check_range("a share of CutMix", self.cut_mix, 0, 1)
        check_range("a weight decay", self.weight_decay, 0, 10)
        check_range("a gradient norm", self.clip_norm, 0, 1e6)
        check_range("a momentum of averaged weights", self.average, 0, 0.99999)
        if self.monitor not in ("mean_iou", "loss"):
            raise SegcoreError(
                "Expected the score to watch as 'mean_iou' or 'loss', received "
                f"{self.monitor!r}: choose one of them."
            )


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        dataset: Name of a dataset in the workspace.
        model: Which network.
        recipe: How it learns.
        size: (height, width) in pixels that images are resized to.
        train_split: Split that is learned from.
        validation_split: Split that chooses the best epoch; "" for none.
        seed: Seed of weights, order and augmentation.
        member: Position among the members launched together, from 0.
        group: Id shared by the members launched together.
        device: "auto", "cpu", or "gpu:0" and so on; several as "gpu:0,gpu:1"; "cluster",
            "cluster:2" (GPUs) or "cluster:cpu".
        label_map: Name of a label map saved with the dataset; "" for none.
        balance_plan: Name of a balance plan saved with the dataset; "" repeats nothing.
        deterministic: Whether to ask TensorFlow for bit-identical repeats (slower on a GPU).
        hosts: Machines that train this one network together, each as "address:port", the first one
            the one that is started here; they must see the workspace under the same path. Empty for
            this machine alone.
        submodels: A name in ``catalog.SUBMODEL_RULES`` where this is one of several networks for
            parts of the labels, which are combined by that rule; "" for one network for all.
            Launched with it, one run a group of the label map is made (one a class without a map),
            each with a label map of its own.
        members_by: A name in ``catalog.MEMBERS_BY``: what tells the members launched together
            apart.
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
    hosts: tuple[str, ...] = ()
    submodels: str = ""
    members_by: str = "seed"
    kind: str = "train"

    def __post_init__(self) -> None:
        """Refuse sizes that the network cannot take, and choices that do not go together."""
        if len(self.size) != 2:
            raise SegcoreError(
                f"Expected a size as (height, width), received {self.size!r}: give two numbers."
            )
        stride = self.model.stride
        for what, value in zip(("height", "width"), self.size, strict=True):
            if value < stride or value % stride or value > 8192:
                low = max(stride, value // stride * stride)
                raise SegcoreError(
                    f"Expected a {what} that is a multiple of {stride} (up to 8192) for "
                    f"{self.model.architecture} with "
                    f"{self.model.encoder}, received {value}: take {low} or {low + stride}."
                )
        if self.recipe.freeze_epochs and self.model.weights == "none":
            raise SegcoreError(
                "Expected trained weights in an encoder that is frozen for "
                f"{self.recipe.freeze_epochs} epochs, received random ones: "
                "choose imagenet or a weights file, or freeze for 0 epochs."
            )
        if self.recipe.jit and (self.hosts or "," in self.device):
            raise SegcoreError(
                "Expected one device with XLA, received several: turn XLA off, or choose "
                "one device."
            )
        check_name("difference of members", self.members_by, MEMBERS_BY)
        if self.submodels:
            check_name("rule for submodels", self.submodels, SUBMODEL_RULES)
        self._check_hosts()

    def _check_hosts(self) -> None:
        for host in self.hosts:
            address, _, port = host.rpartition(":")
            if not address or not port.isdigit() or not 0 < int(port) < 65536:
                raise SegcoreError(
                    f"Expected hosts as address:port, received {host!r}: write for example "
                    "10.0.0.5:2222."
                )
        if len(set(self.hosts)) != len(self.hosts) or len(self.hosts) == 1:
            raise SegcoreError(
                "Expected two or more different hosts, or none, received "
                f"{list(self.hosts)}: correct the list."
            )
        if self.hosts and self.recipe.batch_size % len(self.hosts):
            near = self.recipe.batch_size // len(self.hosts) * len(self.hosts) or len(self.hosts)
            raise SegcoreError(
                f"Expected a batch size that divides by {len(self.hosts)} hosts, received "
                f"{self.recipe.batch_size}: take {near}."
            )


def shared_labels(members: Sequence[TrainConfig]) -> tuple[str, str]:
    """Return what members answer with together.

    Returns:
        The name of the label map that they share, "" for none, and "" again; of submodels "" and
        their rule: together they answer with all classes.

    Raises:
        SegcoreError: Their label maps differ and they are no submodels of one rule.
    """
    maps, rules = {member.label_map for member in members}, {member.submodels for member in members}
    if len(maps) < 2:
        return (maps.pop() if maps else ""), ""
    if len(rules) == 1 and "" not in rules:
        return "", rules.pop()
    raise SegcoreError(
        f"Expected members trained with one label map, received {sorted(maps)}: combine "
        "runs that share it."
    )
