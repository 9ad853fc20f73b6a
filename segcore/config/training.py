"""A training run: which model, how it is trained, on what."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from segcore.catalog import (
    ALL_ENCODERS,
    ARCHITECTURES,
    AUGMENTATIONS,
    BATCH_NORMS,
    CLASS_WEIGHTS,
    ENGINES,
    LOSSES,
    MEMBERS_BY,
    MONITORS,
    OPTIMIZERS,
    PRECISIONS,
    PREPROCESSING,
    SCHEDULES,
    SUBMODEL_RULES,
    loss_terms,
)
from segcore.catalog.hub import is_class, is_hub
from segcore.config.checks import check_range
from segcore.config.distillation import AveragingConfig, DistillationConfig
from segcore.config.imported import ImportedConfig
from segcore.config.requests import count_devices
from segcore.config.schema import Range, check, option
from segcore.errors import SegcoreError

MAX_SEED = 2**32 - 1
MAX_SIZE = 8192


@dataclass(frozen=True)
class ModelConfig:
    """Which model: an architecture over an encoder, and the weights it starts from."""

    architecture: str = option(
        "unet",
        "Architecture",
        "How coarse features become a class for every pixel. The shell also takes pairs of older "
        "libraries, such as resnet50_unet.",
        table=ARCHITECTURES,
        search=True,
        section="model",
    )
    encoder: str = option(
        "resnet50",
        "Encoder",
        "The backbone that extracts features from the image.",
        table=ALL_ENCODERS,
        search=True,
        section="model",
    )
    weights: str = option(
        "imagenet",
        "Encoder weights",
        "What the encoder starts from: imagenet (downloaded once by Keras), preset (of an encoder "
        "hub:..., downloaded once by KerasHub), none (random), or the path of a weights file or of "
        "a KerasHub preset folder. Pretrained weights need fewer images and epochs.",
        section="model",
    )
    preprocessing: str = option(
        "none",
        "Preprocessing",
        "Applied to each image before the model, in training and in prediction.",
        table=PREPROCESSING,
    )

    def __post_init__(self) -> None:
        """Refuse unknown names, and downloads that do not exist."""
        check(self)
        hub = is_hub(self.encoder)
        if self.weights == "imagenet" and not ALL_ENCODERS[self.encoder].imagenet:
            ways = "'preset', 'none', or a preset folder" if hub else "'none' or a file"
            raise SegcoreError(
                f"Expected weights {ways} for the encoder {self.encoder!r}, "
                "received 'imagenet': no download exists for it; choose "
                + ("'preset'." if hub else "'none' or give the path of a weights file.")
            )
        if self.weights == "preset" and not hub:
            raise SegcoreError(
                f"Expected weights 'imagenet', 'none' or a file for the encoder {self.encoder!r}, "
                "received 'preset', which KerasHub's encoders (hub:...) have: choose another."
            )
        if is_class(self.encoder) and self.weights in ("none", "preset"):
            raise SegcoreError(
                f"Expected a preset folder as the weights of {self.encoder!r}, received "
                f"{self.weights!r}: a class has no shape of its own; give the folder, or name a "
                "preset (segscope encoders lists them)."
            )

    @property
    def stride(self) -> int:
        """Input height and width must be multiples of this."""
        return max(ARCHITECTURES[self.architecture].stride, ALL_ENCODERS[self.encoder].stride)


@dataclass(frozen=True)
class RecipeConfig:
    """How the model is trained."""

    loss: str = option(
        "jaccard_distance",
        "Loss",
        "What training minimises; ignored pixels never count. Weighted sums such as "
        "'dice + 0.5*focal' are allowed.",
        table=LOSSES,
        sums=True,
        search=True,
        section="training",
    )
    optimizer: str = option(
        "adam",
        "Optimizer",
        "How a gradient becomes an update of the weights.",
        table=OPTIMIZERS,
        search=True,
        section="training",
    )
    learning_rate: float = option(
        1e-3,
        "Learning rate",
        "The initial learning rate; the schedule lowers it.",
        low=1e-8,
        high=10,
        digits=6,
        step=1e-4,
        search=Range(1e-4, 1e-2),
        section="training",
    )
    schedule: str = option(
        "exponential",
        "Learning-rate schedule",
        "How the learning rate decays over the epochs.",
        table=SCHEDULES,
        search=True,
        section="training",
    )
    epochs: int = option(
        30,
        "Epochs",
        "Passes over the training split; early stopping may end training sooner.",
        low=1,
        high=100_000,
        section="model",
    )
    batch_size: int = option(
        8,
        "Batch size",
        "Images per training step.",
        low=1,
        high=4096,
        search=(1, 2, 4, 8, 16, 32, 64),
        section="training",
    )
    patience: int = option(
        10,
        "Patience",
        "Epochs without a better validation score before training stops early; 0 never stops.",
        low=0,
        high=100_000,
        section="training",
    )
    augmentation: str = option(
        "light",
        "Augmentation",
        "Random changes to image and mask, drawn again in every epoch.",
        table=AUGMENTATIONS,
        search=True,
        section="training",
    )
    precision: str = option(
        "float32",
        "Precision",
        "Number format of the computations; weights stay in float32.",
        table=PRECISIONS,
        section="training",
    )
    class_weights: str = option(
        "none",
        "Class weights",
        "How the loss weights the classes.",
        table=CLASS_WEIGHTS,
        search=True,
        section="training",
    )
    warmup_epochs: float = option(
        0.0,
        "Warm-up epochs",
        "Epochs over which the learning rate first rises from 0; fractions are allowed.",
        low=0,
        high=100_000,
        section="training",
    )
    weight_decay: float = option(
        1e-4,
        "Weight decay",
        "Decoupled weight decay of AdamW; the other optimizers have none.",
        low=0,
        high=10,
        digits=5,
        step=1e-4,
    )
    clip_norm: float = option(
        0.0,
        "Gradient-norm clipping",
        "Largest norm of the whole gradient; 0 turns clipping off.",
        low=0,
        high=1e6,
    )
    average: float = option(
        0.0,
        "Weight averaging",
        "Momentum of a moving average of the weights, which is then validated and kept; 0 turns it "
        "off.",
        low=0,
        high=0.99999,
        digits=5,
        step=0.01,
    )
    monitor: str = option(
        "mean_iou",
        "Checkpoint metric",
        "The validation score that selects the best epoch and drives early stopping.",
        table=MONITORS,
    )
    freeze_epochs: int = option(
        0,
        "Frozen epochs",
        "First epochs in which a pretrained encoder and its batch normalisation stay fixed; 0 for "
        "none.",
        low=0,
        high=100_000,
    )
    cache_features: bool = option(
        False,
        "Cached features",
        "Keep a pretrained encoder fixed in all epochs and compute its features once, to disk: "
        "the encoder no longer runs in an epoch, nor in those of members and ablation rows. It gives "
        "up augmentation, which must be 'none'.",
        grid=False,
    )
    batch_norm: str = option(
        "keep",
        "Batch normalisation",
        "Where evaluation takes the means of batch normalisation from.",
        table=BATCH_NORMS,
    )
    cut_mix: float = option(
        0.0,
        "CutMix probability",
        "Probability that an image gets a rectangle of another image, with its labels.",
        low=0,
        high=1,
        step=0.1,
    )
    crops: int = option(
        0,
        "Crops per image",
        "Train on so many random crops of each image and epoch, as large as the image size and at the "
        "image's own resolution, instead of the whole image resized; 0 resizes. Made for large images: "
        "validation and prediction then go over all of an image in tiles of that size.",
        low=0,
        high=100_000,
    )
    jit: bool = option(
        False,
        "Compile with XLA",
        "Compile the training step with XLA, on one device only. It may help on a GPU after a "
        "slower first step; on a CPU it rarely does.",
    )

    def __post_init__(self) -> None:
        """Refuse unknown names and numbers out of range."""
        check(self)
        loss_terms(self.loss)
        check_range("warmup_epochs", self.warmup_epochs, 0, self.epochs)
        check_range("freeze_epochs", self.freeze_epochs, 0, self.epochs)
        if self.cache_features and (self.augmentation != "none" or self.cut_mix):
            raise SegcoreError(
                "Expected no augmentation and no CutMix with cached features, which are those of "
                f"the images as they are, received augmentation {self.augmentation!r} and cut_mix "
                f"{self.cut_mix:g}: set them to none and 0, or turn cached features off."
            )
        if self.cache_features and self.crops:
            raise SegcoreError(
                "Expected whole images with cached features, which are computed once, received "
                f"crops {self.crops}: set crops to 0, or turn cached features off."
            )
        if self.cache_features and self.freeze_epochs not in (0, self.epochs):
            raise SegcoreError(
                "Expected an encoder that stays fixed in all epochs with cached features, received "
                f"freeze_epochs {self.freeze_epochs}: set it to 0 or {self.epochs}, or turn cached "
                "features off."
            )


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        dataset: Name of a dataset in the workspace.
        model: Which model.
        recipe: How it is trained.
        member: Position among the members launched together, from 0.
        group: Id shared by the members launched together.
        distillation: Whose answers it learns besides the labels; None for the labels alone.
        averaging: Whose weights it averages in place of training; None for training.
        kind: Kind of run.
    """

    dataset: str
    model: ModelConfig = field(default_factory=ModelConfig)
    recipe: RecipeConfig = field(default_factory=RecipeConfig)
    size: tuple[int, int] = option(
        (256, 256),
        "Image size",
        "HEIGHTxWIDTH in pixels that images are resized to, multiples of the model's stride.",
        section="model",
    )
    train_split: str = option(
        "train",
        "Training split",
        "The split whose images the model is trained on.",
        names_of="splits",
        section="training",
    )
    validation_split: str = option(
        "validation",
        "Validation split",
        "The split that is scored after every epoch to select the best one; with none, the "
        "training images select it.",
        names_of="splits",
        empty="None",
        section="training",
    )
    seed: int = option(
        0,
        "Seed",
        "Seeds initial weights, image order and augmentation; member m gets seed + m.",
        low=0,
        high=MAX_SEED,
        section="training",
    )
    member: int = 0
    group: str = ""
    device: str = option(
        "auto",
        "Device",
        "auto, cpu, gpu:0, or several as gpu:0,gpu:1; cluster, cluster:2 (GPUs) or cluster:cpu; "
        "slurm or slurm:gpus=2,time=8:00:00; kubernetes or kubernetes:gpus=2.",
        grid=False,
        section="device",
    )
    engine: str = option(
        "tensorflow",
        "Engine",
        "The library that computes. All compute the same and read each other's networks; which "
        "works depends on the card: segscope doctor says it. Where the default is not installed, "
        "a new run gets the first that is.",
        table=ENGINES,
        section="device",
    )
    label_map: str = option(
        "",
        "Label map",
        "A label map saved with the dataset: train on merged labels.",
        names_of="label_maps",
        empty="None",
        search=True,
        section="training",
    )
    balance_plan: str = option(
        "",
        "Balance plan",
        "A balance plan saved with the dataset: repeat images that contain rare classes.",
        names_of="plans",
        empty="None",
        search=True,
        section="training",
    )
    predict_after: bool = option(
        True,
        "Predict after training",
        "Predict the validation and test splits when the training has finished, so that Compare and "
        "Evaluate have something to show. Trials of a search and variants of an ablation are not "
        "predicted by it.",
        grid=False,
        section="training",
    )
    deterministic: bool = option(
        False,
        "Reproducible",
        "The same seed gives bit-identical weights on the same machine, interrupted or not; slower "
        "on a GPU.",
    )
    hosts: tuple[str, ...] = option(
        (),
        "Several machines",
        "Machines that train one model together, as address:port,address:port; the first is this "
        "one. All must see the workspace under the same path.",
        grid=False,
    )
    submodels: str = option(
        "",
        "Submodels",
        "Train one model per group of the label map (per class without one) and combine them by "
        "this rule.",
        table=SUBMODEL_RULES,
        empty="One model for all classes",
        grid=False,
    )
    members_by: str = option(
        "seed",
        "Vary",
        "What differs between the members of an ensemble, besides their seeds.",
        table=MEMBERS_BY,
        grid=False,
        section="model",
    )
    distillation: DistillationConfig | None = None
    averaging: AveragingConfig | None = None
    kind: str = "train"

    def __post_init__(self) -> None:
        """Refuse sizes that the model cannot take, and choices that do not go together."""
        check(self)
        self._check_size()
        if self.recipe.freeze_epochs and self.model.weights == "none":
            raise SegcoreError(
                "Expected pretrained weights in an encoder that is frozen for "
                f"{self.recipe.freeze_epochs} epochs, received random ones: choose imagenet or a "
                "weights file, or set freeze_epochs to 0."
            )
        devices = count_devices(self.device)  # which refuses what cannot be read
        if self.recipe.jit and (self.hosts or devices > 1):
            raise SegcoreError(
                "Expected one device with XLA, received several: turn XLA off, or choose one "
                "device."
            )
        self._check_hosts()
        self._check_engine()
        self._check_features()
        self._check_crops()

    def _check_size(self) -> None:
        if len(self.size) != 2:
            raise SegcoreError(
                f"Expected size as (height, width), received {self.size!r}: give two numbers."
            )
        stride = self.model.stride
        for what, value in zip(("height", "width"), self.size, strict=True):
            if value < stride or value % stride or value > MAX_SIZE:
                low = min(max(stride, value // stride * stride), MAX_SIZE - stride)
                raise SegcoreError(
                    f"Expected a {what} that is a multiple of {stride} up to {MAX_SIZE} for "
                    f"{self.model.architecture} with {self.model.encoder}, received {value}: use "
                    f"{low} or {low + stride}."
                )

    def _check_crops(self) -> None:
        """Refuse what crops cannot do."""
        if not self.recipe.crops:
            return
        if self.model.preprocessing != "none":
            raise SegcoreError(
                "Expected no preprocessing with crops, which sees an image whole, received "
                f"{self.model.preprocessing!r}: set preprocessing to none, or crops to 0."
            )
        if self.distillation is not None:
            raise SegcoreError(
                "Expected a student that sees what its teachers saw, whole images, received crops "
                f"{self.recipe.crops}: set crops to 0."
            )

    def _check_features(self) -> None:
        """Refuse what cached features cannot do."""
        if not self.recipe.cache_features:
            return
        if self.model.weights == "none":
            raise SegcoreError(
                "Expected pretrained weights in an encoder whose features are cached, received "
                "random ones: choose other weights, or turn cached features off."
            )
        if self.hosts or count_devices(self.device) > 1:
            raise SegcoreError(
                "Expected one device with cached features, received several: choose one, or turn "
                "cached features off."
            )
        if self.distillation is not None:
            raise SegcoreError(
                "Expected a student without cached features, which are not what its teachers saw: "
                "turn cached features off."
            )

    def _check_engine(self) -> None:
        """Refuse what an engine cannot do."""
        if self.hosts and self.engine not in ("tensorflow", "auto"):
            raise SegcoreError(
                "Expected the engine tensorflow for a network that several machines train, "
                f"received {self.engine}: choose tensorflow, or leave out the hosts."
            )
        if self.engine != "torch":
            return
        if count_devices(self.device) > 1:
            raise SegcoreError(
                f"Expected one device for the engine torch, received {self.device!r}: choose one, "
                "or the engine tensorflow or jax."
            )
        if self.recipe.jit:
            raise SegcoreError(
                "Expected the engine tensorflow or jax for XLA, received torch, which does not "
                "compile: turn XLA off."
            )

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
                f"{self.recipe.batch_size}: use {near}."
            )


def shared_labels(members: Sequence[TrainConfig | ImportedConfig]) -> tuple[str, str]:
    """Return the label map that members share, and the rule that combines submodels.

    Returns:
        The name of the shared label map ("" for none), and "". Of submodels "" and their rule:
        together they predict all classes.

    Raises:
        SegcoreError: Their label maps differ and they are no submodels of one rule.
    """
    maps, rules = (
        {member.label_map for member in members},
        {member.submodels if isinstance(member, TrainConfig) else "" for member in members},
    )
    if len(maps) < 2:
        return (maps.pop() if maps else ""), ""
    if len(rules) == 1 and "" not in rules:
        return "", rules.pop()
    raise SegcoreError(
        f"Expected members trained with one label map, received {sorted(maps)}: combine "
        "runs that share it."
    )
