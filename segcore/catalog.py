"""What may be chosen: every name, its display text and its source, in plain tables.

Pages, the command line and configs read these tables; the builders that stand behind the names
live in ``models/build.py`` and ``training/`` and a test ties the two together. No TensorFlow here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """One entry of a table.

    Attributes:
        title: Display name.
        summary: One line for a form: what it is and when to take it.
        paper: Where it comes from ("Ronneberger et al., MICCAI 2015"), or "" for common practice.
    """

    title: str
    summary: str
    paper: str = ""


@dataclass(frozen=True)
class Architecture(Choice):
    """A whole network; its encoder is chosen apart.

    Attributes:
        year: Year of publication.
        stride: Input height and width must be multiples of this (combined with the encoder's).
    """

    year: int = 0
    stride: int = 32


@dataclass(frozen=True)
class Encoder(Choice):
    """The pretrained part of a network.

    Attributes:
        year: Year of publication.
        stride: Stride of its coarsest features.
        imagenet: Whether ``weights="imagenet"`` can download weights for it.
        parameters: Millions of parameters without the classification top.
    """

    year: int = 0
    stride: int = 32
    imagenet: bool = True
    parameters: float = 0.0


ARCHITECTURES: dict[str, Architecture] = {
    "unet": Architecture(
        "U-Net",
        "Encoder, decoder and a skip at every scale; the safe first choice for most data.",
        "Ronneberger, Fischer, Brox: U-Net, MICCAI 2015",
        2015,
    ),
}

ENCODERS: dict[str, Encoder] = {
    "resnet50": Encoder(
        "ResNet50",
        "Residual network with 50 layers; the reference encoder.",
        "He, Zhang, Ren, Sun: Deep residual learning, CVPR 2016",
        2016,
        32,
        True,
        23.6,
    ),
    "tiny": Encoder("Tiny", "A few small convolutions; trains in seconds, for tests and first tries.", "", 2026, 32, False, 0.3),
}

LOSSES: dict[str, Choice] = {
    "jaccard_distance": Choice(
        "Jaccard distance",
        "One minus a smoothed intersection over union; follows the score that is reported.",
        "Rahman, Wang: Optimizing intersection-over-union, ISVC 2016",
    ),
    "cross_entropy": Choice("Cross-entropy", "The likelihood of each pixel's class; steady, but led by frequent classes."),
}

OPTIMIZERS: dict[str, Choice] = {
    "adam": Choice("Adam", "Adaptive steps; works without much care.", "Kingma, Ba: Adam, ICLR 2015"),
    "adamw": Choice("AdamW", "Adam with decoupled weight decay.", "Loshchilov, Hutter: ICLR 2019"),
    "sgd": Choice("SGD with momentum", "Plain descent with momentum 0.9; needs a tuned learning rate."),
}

SCHEDULES: dict[str, Choice] = {
    "constant": Choice("Constant", "The learning rate stays as it is."),
    "exponential": Choice("Exponential decay", "Falls by the same factor every epoch, to 1 % at the end."),
    "polynomial": Choice("Polynomial decay", "Falls to zero as (1 - progress) to the power 0.9."),
    "cosine": Choice("Cosine decay", "Falls to zero along half a cosine.", "Loshchilov, Hutter: SGDR, ICLR 2017"),
}

AUGMENTATIONS: dict[str, Choice] = {
    "none": Choice("None", "Every epoch sees the images as they are."),
    "light": Choice("Light", "Left-right flips, small scale and brightness changes; for road and street scenes."),
    "aerial": Choice("Aerial", "All flips and quarter turns besides light's changes; for views from above."),
}

PRECISIONS: dict[str, Choice] = {
    "float32": Choice("float32", "Full precision; the reference."),
    "mixed_bfloat16": Choice("Mixed bfloat16", "Faster on recent CPUs and GPUs, no loss scaling needed."),
    "mixed_float16": Choice("Mixed float16", "Faster on GPUs with tensor cores; the loss is scaled."),
}

ENSEMBLE_RULES: dict[str, Choice] = {
    "mean": Choice("Mean probability", "The arithmetic mean of the members' probabilities."),
}

BALANCE_MODES: dict[str, Choice] = {
    "pixel": Choice("By pixel", "A label's share of all labelled pixels."),
    "count": Choice("By count", "A label's share of all (image, label) pairs: in how many images it occurs."),
}

RUN_STATES: dict[str, Choice] = {
    "queued": Choice("Queued", "Waits for a free device or for runs it needs."),
    "starting": Choice("Starting", "Its process is loading."),
    "running": Choice("Running", "Working."),
    "stopping": Choice("Stopping", "Asked to stop; it saves a checkpoint and ends."),
    "finished": Choice("Finished", "Ended as planned."),
    "failed": Choice("Failed", "Ended by an error; the cause says which."),
    "interrupted": Choice("Interrupted", "Ended before it was done; it can be resumed."),
}

RUN_KINDS: dict[str, Choice] = {
    "train": Choice("Training", "Fits a network to a split."),
    "predict": Choice("Prediction", "Writes a network's probabilities and counts for a split."),
    "evaluate": Choice("Evaluation", "Combines members, refines by CRF, and counts."),
}
