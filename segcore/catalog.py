"""What may be chosen: every name, its display text and its source, in plain tables.

Pages, the command line and configs read these tables; the builders that stand behind the names
live in ``models/build.py`` and ``training/`` and a test ties the two together. No TensorFlow here.
"""

from dataclasses import dataclass

from segcore.errors import SegcoreError, unknown


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
        "The classic smoothed form (s = 100): the share of each pixel that its true class lacks; steady, led by frequent classes.",
        "Rahman, Wang: Optimizing intersection-over-union, ISVC 2016",
    ),
    "soft_jaccard": Choice(
        "Soft Jaccard",
        "One minus the intersection over union of each class; follows the reported score, rare classes count fully.",
        "Rahman, Wang: Optimizing intersection-over-union, ISVC 2016",
    ),
    "dice": Choice("Dice", "One minus the overlap (F1) of each class; good for rare classes.", "Milletari et al.: V-Net, 3DV 2016"),
    "focal": Choice("Focal", "Cross-entropy that looks away from pixels that are already sure.", "Lin et al.: Focal loss, ICCV 2017"),
    "dice_focal": Choice("Dice + focal", "Overlap for rare classes, focal for hard pixels; a strong choice under imbalance."),
    "cross_entropy": Choice("Cross-entropy", "The likelihood of each pixel's class; steady, but led by frequent classes."),
    "smoothed_cross_entropy": Choice(
        "Label-smoothed cross-entropy", "Cross-entropy that never asks for certainty; kind to faulty masks.", "Szegedy et al., CVPR 2016"
    ),
    "hard_cross_entropy": Choice(
        "Cross-entropy on hard pixels", "Only pixels that are still unsure are learned from (OHEM).", "Shrivastava et al.: OHEM, CVPR 2016"
    ),
    "tversky": Choice(
        "Tversky", "Overlap that minds missed pixels more (.7) than false ones (.3).", "Salehi et al.: Tversky loss, MLMI 2017"
    ),
    "focal_tversky": Choice(
        "Focal Tversky", "Tversky that leans towards classes that are still poor.", "Abraham, Khan: Focal Tversky, ISBI 2019"
    ),
    "lovasz_softmax": Choice(
        "Lovasz-softmax",
        "The exact convex surrogate of the Jaccard index; best for the last epochs, slow with many classes.",
        "Berman et al.: The Lovasz-softmax loss, CVPR 2018",
    ),
    "boundary": Choice(
        "Boundary",
        "One minus the F1 of the outlines; add it to a loss of areas: soft_jaccard + 0.5*boundary.",
        "Bokhovkin, Burnaev: Boundary loss, ISNN 2019",
    ),
}

CLASS_WEIGHTS: dict[str, Choice] = {
    "none": Choice("None", "Every class has weight 1."),
    "inverse_frequency": Choice("Inverse frequency", "Weights as 1 / the class's share of the training pixels; strong."),
    "inverse_root": Choice("Inverse root", "Weights as 1 / the square root of the class's share; milder."),
    "median_frequency": Choice(
        "Median frequency",
        "The median share over the class's share, shares taken over images that hold the class.",
        "Eigen, Fergus: Predicting depth, surface normals and semantic labels, ICCV 2015",
    ),
}

OPTIMIZERS: dict[str, Choice] = {
    "adam": Choice("Adam", "Adaptive steps; works without much care.", "Kingma, Ba: Adam, ICLR 2015"),
    "adamw": Choice("AdamW", "Adam with decoupled weight decay.", "Loshchilov, Hutter: ICLR 2019"),
    "sgd": Choice("SGD with momentum", "Plain descent with momentum 0.9; needs a tuned learning rate."),
    "rmsprop": Choice("RMSprop", "Steps scaled by recent gradient sizes.", "Tieleman, Hinton: lecture 6.5, 2012"),
}

SCHEDULES: dict[str, Choice] = {
    "constant": Choice("Constant", "The learning rate stays as it is."),
    "exponential": Choice("Exponential decay", "Falls by the same factor every epoch, to 1 % at the end."),
    "polynomial": Choice("Polynomial decay", "Falls to zero as (1 - progress) to the power 0.9.", "Chen et al.: DeepLab, TPAMI 2018"),
    "cosine": Choice("Cosine decay", "Falls to zero along half a cosine.", "Loshchilov, Hutter: SGDR, ICLR 2017"),
    "step": Choice("Steps", "A tenth after one half of the epochs, a hundredth after three quarters.", "He et al.: ResNet, CVPR 2016"),
    "one_cycle": Choice(
        "One cycle", "Climbs from 1/25 for 30 % of the epochs, then falls to almost zero.", "Smith, Topin: Super-convergence, 2019"
    ),
    "plateau": Choice("On plateau", "Halved whenever the score has not improved for a third of the patience."),
}

AUGMENTATIONS: dict[str, Choice] = {
    "none": Choice("None", "Every epoch sees the images as they are."),
    "light": Choice("Light", "Left-right flips, small scale and brightness changes; for road and street scenes."),
    "aerial": Choice("Aerial", "All flips and quarter turns besides light's changes; for views from above."),
}

PRECISIONS: dict[str, Choice] = {
    "float32": Choice("float32", "Full precision; the reference."),
    "mixed_bfloat16": Choice("Mixed bfloat16", "Faster on recent CPUs (AVX-512 BF16, AMX) and GPUs (from Ampere); no loss scaling needed."),
    "mixed_float16": Choice("Mixed float16", "Faster on GPUs with tensor cores; the loss is scaled."),
}

ENSEMBLE_RULES: dict[str, Choice] = {
    "mean": Choice("Mean probability", "The arithmetic mean of the members' probabilities."),
    "weighted": Choice("Weighted mean", "The mean with a weight for each member, searched on the validation split."),
    "geometric": Choice(
        "Geometric mean",
        "The renormalised product of probabilities: a class that one member rules out loses more than in the mean.",
        "Hinton: Training products of experts, Neural Computation 2002",
    ),
    "majority": Choice(
        "Majority vote",
        "Each member votes for its most probable class; the mean probability decides ties.",
        "Breiman: Bagging predictors, Machine Learning 1996",
    ),
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


def loss_terms(text: str) -> list[tuple[float, str]]:
    """Read a loss or a weighted sum of losses: "dice", "dice + 0.5*focal".

    Returns:
        (weight, name in :data:`LOSSES`) of each term, in order.

    Raises:
        SegcoreError: The text is no such sum, a weight is not positive, or a name is unknown.
    """
    terms = []
    for part in text.split("+"):
        weight, _, name = (piece.strip() for piece in part.rpartition("*"))
        try:
            factor = float(weight or 1)
        except ValueError:
            factor = 0.0
        if not 0 < factor < 1e6 or not name:
            raise SegcoreError(f"Expected a loss or a sum such as 'dice + 0.5*focal', received {text!r}: write it in that form.")
        if name not in LOSSES:
            raise unknown("loss", name, LOSSES)
        terms.append((factor, name))
    return terms
