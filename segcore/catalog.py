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


_RESNET = "He, Zhang, Ren, Sun: Deep residual learning, CVPR 2016"
_MOBILENET_V3 = "Howard et al.: Searching for MobileNetV3, ICCV 2019"
_EFFICIENTNET = "Tan, Le: EfficientNet, ICML 2019"
_EFFICIENTNET_V2 = "Tan, Le: EfficientNetV2, ICML 2021"
_SEGFORMER = "Xie et al.: SegFormer, NeurIPS 2021"
_FCN = "Long, Shelhamer, Darrell: Fully convolutional networks, CVPR 2015"
_UNET = "Ronneberger, Fischer, Brox: U-Net, MICCAI 2015"

ARCHITECTURES: dict[str, Architecture] = {
    "unet": Architecture("U-Net", "Encoder, decoder and a skip at every scale; the safe first choice.", _UNET, 2015),
    "unet_upsample": Architecture("U-Net, upsampling", "Bilinear upsampling for transpose convolutions.", _UNET, 2015),
    "unet_residual": Architecture("Residual U-Net", "Residual decoder blocks.", "Zhang et al.: Deep residual U-Net, GRSL 2018", 2018),
    "unet_attention": Architecture("Attention U-Net", "Attention gates on the skips.", "Oktay et al.: Attention U-Net, MIDL 2018", 2018),
    "unet_spacenet4": Architecture("U-Net, SpaceNet-4", "A VGG16-UNet; takes its published weights.", "SpaceNet-4 challenge, 2019", 2019),
    "unet_crf": Architecture("U-Net with CRF", "Ends in a trained CRF.", "Teichmann, Cipolla: Convolutional CRFs, BMVC 2019", 2019),
    "unet_plus_plus": Architecture("U-Net++", "Skips are small decoders; slower.", "Zhou et al.: UNet++, DLMIA 2018", 2018),
    "unet_3_plus": Architecture("U-Net 3+", "Every scale sees every scale; heavy.", "Huang et al.: UNet 3+, ICASSP 2020", 2020),
    "linknet": Architecture("LinkNet", "Adds skips instead of joining them; light.", "Chaurasia, Culurciello: LinkNet, VCIP 2017", 2017),
    "fpn": Architecture("FPN", "A feature pyramid; for objects of all sizes.", "Kirillov et al.: Panoptic FPN, CVPR 2019", 2019),
    "upernet": Architecture("UPerNet", "A feature pyramid with pyramid pooling on top.", "Xiao et al.: UPerNet, ECCV 2018", 2018),
    "pspnet": Architecture("PSPNet", "Context by averages over grids.", "Zhao et al.: PSPNet, CVPR 2017", 2017),
    "deeplab_v3": Architecture("DeepLab v3", "Dilated convolutions; rough edges.", "Chen et al.: DeepLab v3, 2017", 2017),
    "deeplab_v3_plus": Architecture("DeepLab v3+", "DeepLab v3 with a skip for edges.", "Chen et al.: DeepLab v3+, ECCV 2018", 2018),
    "fcn_32s": Architecture("FCN-32s", "Scores at the coarsest scale only; a baseline.", _FCN, 2015),
    "fcn_16s": Architecture("FCN-16s", "Scores of two scales added.", _FCN, 2015),
    "fcn_8s": Architecture("FCN-8s", "Scores of three scales added.", _FCN, 2015),
    "segnet": Architecture("SegNet", "Upsampling to where maxima were.", "Badrinarayanan et al.: SegNet, TPAMI 2017", 2017),
    "refinenet": Architecture("RefineNet", "Residual refinement at each scale; heavy.", "Lin et al.: RefineNet, CVPR 2017", 2017),
    "pan": Architecture("PAN", "Attention on each way up; light.", "Li et al.: Pyramid attention network, BMVC 2018", 2018),
    "danet": Architecture("DANet", "Attention between positions and channels.", "Fu et al.: Dual attention network, CVPR 2019", 2019),
    "ocrnet": Architecture("OCRNet", "Pixels read the classes' regions.", "Yuan et al.: OCRNet, ECCV 2020", 2020),
    "bisenet": Architecture("BiSeNet", "A path for detail, one for context.", "Yu et al.: BiSeNet, ECCV 2018", 2018),
    "fast_scnn": Architecture("Fast-SCNN", "Pooled context and detail fused; quick.", "Poudel et al.: Fast-SCNN, BMVC 2019", 2019),
    "lraspp": Architecture("Lite R-ASPP", "The lightest decoder, made for MobileNet V3.", _MOBILENET_V3, 2019),
    "gcn": Architecture("GCN", "Large kernels and border refinement.", "Peng et al.: Large kernel matters, CVPR 2017", 2017),
    "segformer": Architecture("SegFormer", "Projects and joins all scales; made for MiT.", _SEGFORMER, 2021),
    "hrnet_head": Architecture("HRNet head", "Joins all scales as they are.", "Sun et al.: HRNet v2, 2019", 2019),
}

ENCODERS: dict[str, Encoder] = {
    "resnet50": Encoder("ResNet50", "Residual network with 50 layers; the reference encoder.", _RESNET, 2016, 32, True, 23.6),
    "resnet101": Encoder("ResNet101", "Twice the depth of ResNet50.", _RESNET, 2016, 32, True, 42.7),
    "resnet152": Encoder("ResNet152", "Three times the depth of ResNet50.", _RESNET, 2016, 32, True, 58.4),
    "resnet50_v2": Encoder("ResNet50 V2", "Activation before each convolution.", "He et al., ECCV 2016", 2016, 32, True, 23.6),
    "resnet101_v2": Encoder("ResNet101 V2", "Twice the depth of ResNet50 V2.", "He et al., ECCV 2016", 2016, 32, True, 42.6),
    "resnet152_v2": Encoder("ResNet152 V2", "Three times the depth of ResNet50 V2.", "He et al., ECCV 2016", 2016, 32, True, 58.3),
    "resnet18": Encoder("ResNet18", "Small and quick; takes PyTorch's weights.", _RESNET, 2016, 32, False, 11.2),
    "resnet34": Encoder("ResNet34", "Between ResNet18 and ResNet50; takes PyTorch's weights.", _RESNET, 2016, 32, False, 21.3),
    "resnet50_v1_5": Encoder("ResNet50 v1.5", "ResNet50 as PyTorch has it; takes its weights.", _RESNET, 2016, 32, False, 23.6),
    "vgg16": Encoder("VGG16", "Plain deep convolutions; full resolution too.", "Simonyan, Zisserman, ICLR 2015", 2015, 32, True, 14.7),
    "vgg19": Encoder("VGG19", "VGG16 with three more convolutions.", "Simonyan, Zisserman, ICLR 2015", 2015, 32, True, 20.0),
    "mobilenet_v1": Encoder("MobileNet V1", "Depthwise convolutions.", "Howard et al.: MobileNets, 2017", 2017, 32, True, 3.2),
    "mobilenet_025": Encoder("MobileNet V1 0.25", "A quarter of its filters.", "Howard et al.: MobileNets, 2017", 2017, 32, True, 0.2),
    "mobilenet_v2": Encoder("MobileNet V2", "Inverted residuals.", "Sandler et al.: MobileNetV2, CVPR 2018", 2018, 32, True, 2.3),
    "mobilenet_v3_small": Encoder("MobileNet V3 small", "Searched for phones, small.", _MOBILENET_V3, 2019, 32, True, 0.9),
    "mobilenet_v3_large": Encoder("MobileNet V3 large", "Searched for phones, large.", _MOBILENET_V3, 2019, 32, True, 3.0),
    "efficientnet_lite0": Encoder("EfficientNet-Lite0", "EfficientNet for small devices.", _EFFICIENTNET, 2020, 32, False, 3.4),
    "efficientnet_b0": Encoder("EfficientNet B0", "Depth and width scaled together.", _EFFICIENTNET, 2019, 32, True, 4.0),
    "efficientnet_b1": Encoder("EfficientNet B1", "One step up from B0.", _EFFICIENTNET, 2019, 32, True, 6.6),
    "efficientnet_b2": Encoder("EfficientNet B2", "Two steps up from B0.", _EFFICIENTNET, 2019, 32, True, 7.8),
    "efficientnet_b3": Encoder("EfficientNet B3", "The middle of the family.", _EFFICIENTNET, 2019, 32, True, 10.8),
    "efficientnet_b4": Encoder("EfficientNet B4", "Larger; slow on a CPU.", _EFFICIENTNET, 2019, 32, True, 17.7),
    "efficientnet_b5": Encoder("EfficientNet B5", "Large; for a GPU.", _EFFICIENTNET, 2019, 32, True, 28.5),
    "efficientnet_b6": Encoder("EfficientNet B6", "Very large; for a GPU.", _EFFICIENTNET, 2019, 32, True, 41.0),
    "efficientnet_b7": Encoder("EfficientNet B7", "The largest of the family; for a GPU.", _EFFICIENTNET, 2019, 32, True, 64.1),
    "efficientnet_v2_b0": Encoder("EfficientNet V2 B0", "Trains quicker than B0.", _EFFICIENTNET_V2, 2021, 32, True, 5.9),
    "efficientnet_v2_b1": Encoder("EfficientNet V2 B1", "One step up from V2 B0.", _EFFICIENTNET_V2, 2021, 32, True, 6.9),
    "efficientnet_v2_b2": Encoder("EfficientNet V2 B2", "Two steps up from V2 B0.", _EFFICIENTNET_V2, 2021, 32, True, 8.8),
    "efficientnet_v2_b3": Encoder("EfficientNet V2 B3", "Three steps up from V2 B0.", _EFFICIENTNET_V2, 2021, 32, True, 12.9),
    "efficientnet_v2_s": Encoder("EfficientNet V2 S", "Small of the large sizes.", _EFFICIENTNET_V2, 2021, 32, True, 20.3),
    "efficientnet_v2_m": Encoder("EfficientNet V2 M", "Medium of the large sizes; for a GPU.", _EFFICIENTNET_V2, 2021, 32, True, 53.2),
    "efficientnet_v2_l": Encoder("EfficientNet V2 L", "Largest; for a GPU.", _EFFICIENTNET_V2, 2021, 32, True, 117.7),
    "densenet121": Encoder("DenseNet121", "Each layer sees all before it.", "Huang et al.: DenseNet, CVPR 2017", 2017, 32, True, 7.0),
    "densenet169": Encoder("DenseNet169", "DenseNet with 169 layers.", "Huang et al.: DenseNet, CVPR 2017", 2017, 32, True, 12.6),
    "densenet201": Encoder("DenseNet201", "DenseNet with 201 layers.", "Huang et al.: DenseNet, CVPR 2017", 2017, 32, True, 18.3),
    "xception": Encoder("Xception", "Separable convolutions throughout.", "Chollet: Xception, CVPR 2017", 2017, 32, True, 20.9),
    "inception_v3": Encoder("Inception V3", "Several kernel sizes at once.", "Szegedy et al., CVPR 2016", 2016, 32, True, 21.8),
    "inception_resnet_v2": Encoder("Inception-ResNet V2", "Heavy.", "Szegedy et al., AAAI 2017", 2017, 32, True, 54.3),
    "convnext_tiny": Encoder("ConvNeXt tiny", "Convolutions after a transformer.", "Liu et al.: ConvNeXt, CVPR 2022", 2022, 32, True, 27.8),
    "convnext_small": Encoder("ConvNeXt small", "Deeper than tiny.", "Liu et al.: ConvNeXt, CVPR 2022", 2022, 32, True, 49.5),
    "convnext_base": Encoder("ConvNeXt base", "Wider than small; for a GPU.", "Liu et al.: ConvNeXt, CVPR 2022", 2022, 32, True, 87.6),
    "mit_b0": Encoder("MiT B0", "SegFormer's hierarchical transformer, smallest.", _SEGFORMER, 2021, 32, False, 3.3),
    "mit_b1": Encoder("MiT B1", "Twice as wide as B0.", _SEGFORMER, 2021, 32, False, 13.2),
    "mit_b2": Encoder("MiT B2", "Deeper than B1.", _SEGFORMER, 2021, 32, False, 24.2),
    "squeezenet": Encoder("SqueezeNet 1.1", "Small plain convolutions; quick.", "Iandola et al.: SqueezeNet, 2016", 2016, 32, False, 0.7),
    "plain": Encoder("Plain", "The contracting path of the first U-Net.", _UNET, 2015, 32, False, 18.9),
    "plain_mini": Encoder("Plain mini", "The same with a quarter of the filters.", _UNET, 2015, 32, False, 1.2),
    "tiny": Encoder("Tiny", "A few small convolutions; trains in seconds, for tests and first tries.", "", 2026, 32, False, 0.3),
}

CLASSIC_NAMES: dict[str, tuple[str, str]] = {
    "unet": ("unet", "plain"), "unet_mini": ("unet", "plain_mini"), "vgg_unet": ("unet", "vgg16"), "resnet50_unet": ("unet", "resnet50"),
    "mobilenet_unet": ("unet", "mobilenet_v1"), "segnet": ("segnet", "plain"), "vgg_segnet": ("segnet", "vgg16"),
    "resnet50_segnet": ("segnet", "resnet50"), "mobilenet_segnet": ("segnet", "mobilenet_v1"), "pspnet": ("pspnet", "plain"),
    "vgg_pspnet": ("pspnet", "vgg16"), "resnet50_pspnet": ("pspnet", "resnet50"), "pspnet_50": ("pspnet", "resnet50"),
    "pspnet_101": ("pspnet", "resnet101"), "fcn_8": ("fcn_8s", "plain"), "fcn_32": ("fcn_32s", "plain"), "fcn_8_vgg": ("fcn_8s", "vgg16"),
    "fcn_32_vgg": ("fcn_32s", "vgg16"), "fcn_8_resnet50": ("fcn_8s", "resnet50"), "fcn_32_resnet50": ("fcn_32s", "resnet50"),
    "fcn_8_mobilenet": ("fcn_8s", "mobilenet_v1"), "fcn_32_mobilenet": ("fcn_32s", "mobilenet_v1"),
}
"""Names of older libraries to the (architecture, encoder) that they mean."""

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
    "light": Choice("Light", "Left-right flips, small changes of scale and brightness; safe for any upright view."),
    "strong": Choice("Strong", "Wide turns, scales, colours, bends, noise and holes; for few images and long training."),
    "aerial": Choice("Aerial", "All flips and quarter turns, moderate scale and colour; for views from above."),
    "road": Choice("Road", "Upright street views: wide scale and light, windows round rare classes, weather-like blur and noise."),
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
