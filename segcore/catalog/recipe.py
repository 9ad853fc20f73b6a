"""How a network learns: losses, class weights, optimizers, schedules, augmentation, precision."""

from segcore.catalog.choice import Choice
from segcore.errors import SegcoreError, unknown

LOSSES: dict[str, Choice] = {
    "jaccard_distance": Choice(
        "Jaccard distance",
        (
            "The classic smoothed form (s = 100): the share of each pixel that its true class "
            "lacks; steady, led by frequent classes."
        ),
        "Rahman, Wang: Optimizing intersection-over-union, ISVC 2016",
    ),
    "soft_jaccard": Choice(
        "Soft Jaccard",
        (
            "One minus the intersection over union of each class; follows the reported score, "
            "rare classes count fully."
        ),
        "Rahman, Wang: Optimizing intersection-over-union, ISVC 2016",
    ),
    "dice": Choice(
        "Dice",
        "One minus the overlap (F1) of each class; good for rare classes.",
        "Milletari et al.: V-Net, 3DV 2016",
    ),
    "focal": Choice(
        "Focal",
        "Cross-entropy that looks away from pixels that are already sure.",
        "Lin et al.: Focal loss, ICCV 2017",
    ),
    "dice_focal": Choice(
        "Dice + focal",
        "Overlap for rare classes, focal for hard pixels; a strong choice under imbalance.",
    ),
    "cross_entropy": Choice(
        "Cross-entropy",
        "The likelihood of each pixel's class; steady, but led by frequent classes.",
    ),
    "smoothed_cross_entropy": Choice(
        "Label-smoothed cross-entropy",
        "Cross-entropy that never asks for certainty; kind to faulty masks.",
        "Szegedy et al., CVPR 2016",
    ),
    "hard_cross_entropy": Choice(
        "Cross-entropy on hard pixels",
        "Trains only on pixels that are still uncertain (OHEM).",
        "Shrivastava et al.: OHEM, CVPR 2016",
    ),
    "tversky": Choice(
        "Tversky",
        "Overlap that minds missed pixels more (.7) than false ones (.3).",
        "Salehi et al.: Tversky loss, MLMI 2017",
    ),
    "focal_tversky": Choice(
        "Focal Tversky",
        "Tversky that leans towards classes that are still poor.",
        "Abraham, Khan: Focal Tversky, ISBI 2019",
    ),
    "lovasz_softmax": Choice(
        "Lovasz-softmax",
        (
            "The exact convex surrogate of the Jaccard index; best for the last epochs, slow "
            "with many classes."
        ),
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
    "inverse_frequency": Choice(
        "Inverse frequency", "Weights as 1 / the class's share of the training pixels; strong."
    ),
    "inverse_root": Choice(
        "Inverse root", "Weights as 1 / the square root of the class's share; milder."
    ),
    "median_frequency": Choice(
        "Median frequency",
        "The median share over the class's share, shares taken over images that hold the class.",
        "Eigen, Fergus: Predicting depth, surface normals and semantic labels, ICCV 2015",
    ),
    "enet": Choice(
        "ENet",
        (
            "Weights as 1 / ln(1.02 + the class's share): like inverse frequency, but bounded "
            "at 50.5 before scaling."
        ),
        "Paszke et al.: ENet, 2016",
    ),
    "effective_number": Choice(
        "Effective number",
        (
            "Weights by the images that hold a class; mild, and even where every image holds "
            "every class."
        ),
        "Cui et al.: Class-balanced loss based on effective number of samples, CVPR 2019",
    ),
}

OPTIMIZERS: dict[str, Choice] = {
    "adam": Choice(
        "Adam", "Adaptive steps; works without much care.", "Kingma, Ba: Adam, ICLR 2015"
    ),
    "adamw": Choice("AdamW", "Adam with decoupled weight decay.", "Loshchilov, Hutter: ICLR 2019"),
    "sgd": Choice(
        "SGD with momentum", "Plain descent with momentum 0.9; needs a tuned learning rate."
    ),
    "rmsprop": Choice(
        "RMSprop", "Steps scaled by recent gradient sizes.", "Tieleman, Hinton: lecture 6.5, 2012"
    ),
}

SCHEDULES: dict[str, Choice] = {
    "constant": Choice("Constant", "The learning rate stays as it is."),
    "exponential": Choice(
        "Exponential decay", "Falls by the same factor every epoch, to 1 % at the end."
    ),
    "polynomial": Choice(
        "Polynomial decay",
        "Falls to zero as (1 - progress) to the power 0.9.",
        "Chen et al.: DeepLab, TPAMI 2018",
    ),
    "cosine": Choice(
        "Cosine decay", "Falls to zero along half a cosine.", "Loshchilov, Hutter: SGDR, ICLR 2017"
    ),
    "step": Choice(
        "Steps",
        "A tenth after one half of the epochs, a hundredth after three quarters.",
        "He et al.: ResNet, CVPR 2016",
    ),
    "one_cycle": Choice(
        "One cycle",
        "Climbs from 1/25 for 30 % of the epochs, then falls to almost zero.",
        "Smith, Topin: Super-convergence, 2019",
    ),
    "plateau": Choice(
        "On plateau", "Halved whenever the score has not improved for a third of the patience."
    ),
}

AUGMENTATIONS: dict[str, Choice] = {
    "none": Choice("None", "Every epoch sees the images as they are."),
    "light": Choice(
        "Light",
        "Left-right flips, small changes of scale and brightness; safe for any upright view.",
    ),
    "strong": Choice(
        "Strong",
        "Wide turns, scales, colours, bends, noise and holes; for few images and long training.",
    ),
    "aerial": Choice(
        "Aerial", "All flips and quarter turns, moderate scale and colour; for views from above."
    ),
    "road": Choice(
        "Road",
        (
            "Upright street views: wide scale and light, windows round rare classes, "
            "weather-like blur and noise."
        ),
    ),
}

PREPROCESSING: dict[str, Choice] = {
    "none": Choice("None", "Images as they are; the encoder's own scaling is in the network."),
    "clahe": Choice(
        "Local contrast (CLAHE)",
        "Evens out the contrast of the lightness in 8 x 8 tiles; for haze, shade and dim light.",
        "Zuiderveld, Graphics Gems IV, 1994",
    ),
    "standardise": Choice(
        "Standardised images",
        (
            "Each image is brought to one brightness and contrast, by a layer of the network; "
            "for cameras that differ."
        ),
    ),
}

BATCH_NORMS: dict[str, Choice] = {
    "keep": Choice(
        "Running mean", "Evaluation uses the means that training gathered on the way; free."
    ),
    "reestimate": Choice(
        "Re-estimated",
        (
            "Before each evaluation the means are taken over up to 32 training batches; for "
            "short runs and averaged weights."
        ),
        "Wu, Johnson: Rethinking 'batch' in BatchNorm, 2021",
    ),
}

MONITORS: dict[str, Choice] = {
    "mean_iou": Choice("Mean IoU", "The highest validation mean IoU wins."),
    "loss": Choice("Loss value", "The lowest validation loss wins."),
}

PRECISIONS: dict[str, Choice] = {
    "float32": Choice("float32", "Full precision; the reference."),
    "mixed_bfloat16": Choice(
        "Mixed bfloat16",
        "Faster on recent CPUs (AVX-512 BF16, AMX) and GPUs (from Ampere); no loss scaling needed.",
    ),
    "mixed_float16": Choice(
        "Mixed float16", "Faster on GPUs with tensor cores; the loss is scaled."
    ),
}


ENGINES: dict[str, Choice] = {
    "tensorflow": Choice(
        "TensorFlow",
        "The default: several GPUs and machines, and the quick prediction on CPUs starts from it.",
    ),
    "jax": Choice(
        "JAX",
        "Compiled as a whole by XLA; for cards that TensorFlow cannot use; several GPUs of one "
        "machine.",
        "Bradbury et al.: JAX, 2018",
    ),
    "torch": Choice(
        "PyTorch",
        "Step by step, without compiling; for cards that TensorFlow cannot use, and GPUs of Macs; "
        "one device.",
        "Paszke et al.: PyTorch, NeurIPS 2019",
    ),
    "auto": Choice(
        "Auto", "The first that passes the doctor's check on the device, TensorFlow first."
    ),
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
            raise SegcoreError(
                f"Expected a loss or a sum such as 'dice + 0.5*focal', received {text!r}: "
                "write it in that form."
            )
        if name not in LOSSES:
            raise unknown("loss", name, LOSSES)
        terms.append((factor, name))
    return terms
