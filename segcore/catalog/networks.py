"""Networks: whole ones, their encoders, and the names that older libraries gave them."""

from dataclasses import dataclass

from segcore.catalog.choice import Choice


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
    "unet": Architecture(
        "U-Net", "Encoder, decoder and a skip at every scale; the safe first choice.", _UNET, 2015
    ),
    "unet_upsample": Architecture(
        "U-Net, upsampling", "Bilinear upsampling for transpose convolutions.", _UNET, 2015
    ),
    "unet_residual": Architecture(
        "Residual U-Net",
        "Residual decoder blocks.",
        "Zhang et al.: Deep residual U-Net, GRSL 2018",
        2018,
    ),
    "unet_attention": Architecture(
        "Attention U-Net",
        "Attention gates on the skips.",
        "Oktay et al.: Attention U-Net, MIDL 2018",
        2018,
    ),
    "unet_spacenet4": Architecture(
        "U-Net, SpaceNet-4",
        "A VGG16-UNet; takes its published weights.",
        "SpaceNet-4 challenge, 2019",
        2019,
    ),
    "unet_crf": Architecture(
        "U-Net with CRF",
        "Ends in a trained CRF.",
        "Teichmann, Cipolla: Convolutional CRFs, BMVC 2019",
        2019,
    ),
    "unet_plus_plus": Architecture(
        "U-Net++", "Skips are small decoders; slower.", "Zhou et al.: UNet++, DLMIA 2018", 2018
    ),
    "unet_3_plus": Architecture(
        "U-Net 3+",
        "Every scale sees every scale; heavy.",
        "Huang et al.: UNet 3+, ICASSP 2020",
        2020,
    ),
    "linknet": Architecture(
        "LinkNet",
        "Adds skips instead of joining them; light.",
        "Chaurasia, Culurciello: LinkNet, VCIP 2017",
        2017,
    ),
    "fpn": Architecture(
        "FPN",
        "A feature pyramid; for objects of all sizes.",
        "Kirillov et al.: Panoptic FPN, CVPR 2019",
        2019,
    ),
    "upernet": Architecture(
        "UPerNet",
        "A feature pyramid with pyramid pooling on top.",
        "Xiao et al.: UPerNet, ECCV 2018",
        2018,
    ),
    "pspnet": Architecture(
        "PSPNet", "Context by averages over grids.", "Zhao et al.: PSPNet, CVPR 2017", 2017
    ),
    "deeplab_v3": Architecture(
        "DeepLab v3", "Dilated convolutions; rough edges.", "Chen et al.: DeepLab v3, 2017", 2017
    ),
    "deeplab_v3_plus": Architecture(
        "DeepLab v3+",
        "DeepLab v3 with a skip for edges.",
        "Chen et al.: DeepLab v3+, ECCV 2018",
        2018,
    ),
    "fcn_32s": Architecture(
        "FCN-32s", "Scores at the coarsest scale only; a baseline.", _FCN, 2015
    ),
    "fcn_16s": Architecture("FCN-16s", "Scores of two scales added.", _FCN, 2015),
    "fcn_8s": Architecture("FCN-8s", "Scores of three scales added.", _FCN, 2015),
    "segnet": Architecture(
        "SegNet",
        "Upsampling to where maxima were.",
        "Badrinarayanan et al.: SegNet, TPAMI 2017",
        2017,
    ),
    "refinenet": Architecture(
        "RefineNet",
        "Residual refinement at each scale; heavy.",
        "Lin et al.: RefineNet, CVPR 2017",
        2017,
    ),
    "pan": Architecture(
        "PAN",
        "Attention on each way up; light.",
        "Li et al.: Pyramid attention network, BMVC 2018",
        2018,
    ),
    "danet": Architecture(
        "DANet",
        "Attention between positions and channels.",
        "Fu et al.: Dual attention network, CVPR 2019",
        2019,
    ),
    "ocrnet": Architecture(
        "OCRNet", "Pixels read the classes' regions.", "Yuan et al.: OCRNet, ECCV 2020", 2020
    ),
    "bisenet": Architecture(
        "BiSeNet", "A path for detail, one for context.", "Yu et al.: BiSeNet, ECCV 2018", 2018
    ),
    "fast_scnn": Architecture(
        "Fast-SCNN",
        "Pooled context and detail fused; quick.",
        "Poudel et al.: Fast-SCNN, BMVC 2019",
        2019,
    ),
    "lraspp": Architecture(
        "Lite R-ASPP", "The lightest decoder, made for MobileNet V3.", _MOBILENET_V3, 2019
    ),
    "gcn": Architecture(
        "GCN",
        "Large kernels and border refinement.",
        "Peng et al.: Large kernel matters, CVPR 2017",
        2017,
    ),
    "segformer": Architecture(
        "SegFormer", "Projects and joins all scales; made for MiT.", _SEGFORMER, 2021
    ),
    "hrnet_head": Architecture(
        "HRNet head", "Joins all scales as they are.", "Sun et al.: HRNet v2, 2019", 2019
    ),
}

MEMBER_ARCHITECTURES: tuple[str, ...] = (
    "unet",
    "deeplab_v3_plus",
    "fpn",
    "linknet",
    "pspnet",
    "upernet",
    "pan",
    "fcn_8s",
    "unet_plus_plus",
    "refinenet",
)
"""Whose turn it is where members differ by architecture: unlike ways from coarse features back to pixels, the cheaper ones first."""

ENCODERS: dict[str, Encoder] = {
    "resnet50": Encoder(
        "ResNet50",
        "Residual network with 50 layers; the reference encoder.",
        _RESNET,
        2016,
        32,
        True,
        23.6,
    ),
    "resnet101": Encoder(
        "ResNet101", "Twice the depth of ResNet50.", _RESNET, 2016, 32, True, 42.7
    ),
    "resnet152": Encoder(
        "ResNet152", "Three times the depth of ResNet50.", _RESNET, 2016, 32, True, 58.4
    ),
    "resnet50_v2": Encoder(
        "ResNet50 V2",
        "Activation before each convolution.",
        "He et al., ECCV 2016",
        2016,
        32,
        True,
        23.6,
    ),
    "resnet101_v2": Encoder(
        "ResNet101 V2",
        "Twice the depth of ResNet50 V2.",
        "He et al., ECCV 2016",
        2016,
        32,
        True,
        42.6,
    ),
    "resnet152_v2": Encoder(
        "ResNet152 V2",
        "Three times the depth of ResNet50 V2.",
        "He et al., ECCV 2016",
        2016,
        32,
        True,
        58.3,
    ),
    "resnet18": Encoder(
        "ResNet18", "Small and quick; takes PyTorch's weights.", _RESNET, 2016, 32, False, 11.2
    ),
    "resnet34": Encoder(
        "ResNet34",
        "Between ResNet18 and ResNet50; takes PyTorch's weights.",
        _RESNET,
        2016,
        32,
        False,
        21.3,
    ),
    "resnet50_v1_5": Encoder(
        "ResNet50 v1.5",
        "ResNet50 as PyTorch has it; takes its weights.",
        _RESNET,
        2016,
        32,
        False,
        23.6,
    ),
    "vgg16": Encoder(
        "VGG16",
        "Plain deep convolutions; full resolution too.",
        "Simonyan, Zisserman, ICLR 2015",
        2015,
        32,
        True,
        14.7,
    ),
    "vgg19": Encoder(
        "VGG19",
        "VGG16 with three more convolutions.",
        "Simonyan, Zisserman, ICLR 2015",
        2015,
        32,
        True,
        20.0,
    ),
    "mobilenet_v1": Encoder(
        "MobileNet V1",
        "Depthwise convolutions.",
        "Howard et al.: MobileNets, 2017",
        2017,
        32,
        True,
        3.2,
    ),
    "mobilenet_025": Encoder(
        "MobileNet V1 0.25",
        "A quarter of its filters.",
        "Howard et al.: MobileNets, 2017",
        2017,
        32,
        True,
        0.2,
    ),
    "mobilenet_v2": Encoder(
        "MobileNet V2",
        "Inverted residuals.",
        "Sandler et al.: MobileNetV2, CVPR 2018",
        2018,
        32,
        True,
        2.3,
    ),
    "mobilenet_v3_small": Encoder(
        "MobileNet V3 small", "Searched for phones, small.", _MOBILENET_V3, 2019, 32, True, 0.9
    ),
    "mobilenet_v3_large": Encoder(
        "MobileNet V3 large", "Searched for phones, large.", _MOBILENET_V3, 2019, 32, True, 3.0
    ),
    "efficientnet_lite0": Encoder(
        "EfficientNet-Lite0", "EfficientNet for small devices.", _EFFICIENTNET, 2020, 32, False, 3.4
    ),
    "efficientnet_b0": Encoder(
        "EfficientNet B0", "Depth and width scaled together.", _EFFICIENTNET, 2019, 32, True, 4.0
    ),
    "efficientnet_b1": Encoder(
        "EfficientNet B1", "One step up from B0.", _EFFICIENTNET, 2019, 32, True, 6.6
    ),
    "efficientnet_b2": Encoder(
        "EfficientNet B2", "Two steps up from B0.", _EFFICIENTNET, 2019, 32, True, 7.8
    ),
    "efficientnet_b3": Encoder(
        "EfficientNet B3", "The middle of the family.", _EFFICIENTNET, 2019, 32, True, 10.8
    ),
    "efficientnet_b4": Encoder(
        "EfficientNet B4", "Larger; slow on a CPU.", _EFFICIENTNET, 2019, 32, True, 17.7
    ),
    "efficientnet_b5": Encoder(
        "EfficientNet B5", "Large; for a GPU.", _EFFICIENTNET, 2019, 32, True, 28.5
    ),
    "efficientnet_b6": Encoder(
        "EfficientNet B6", "Very large; for a GPU.", _EFFICIENTNET, 2019, 32, True, 41.0
    ),
    "efficientnet_b7": Encoder(
        "EfficientNet B7",
        "The largest of the family; for a GPU.",
        _EFFICIENTNET,
        2019,
        32,
        True,
        64.1,
    ),
    "efficientnet_v2_b0": Encoder(
        "EfficientNet V2 B0", "Trains quicker than B0.", _EFFICIENTNET_V2, 2021, 32, True, 5.9
    ),
    "efficientnet_v2_b1": Encoder(
        "EfficientNet V2 B1", "One step up from V2 B0.", _EFFICIENTNET_V2, 2021, 32, True, 6.9
    ),
    "efficientnet_v2_b2": Encoder(
        "EfficientNet V2 B2", "Two steps up from V2 B0.", _EFFICIENTNET_V2, 2021, 32, True, 8.8
    ),
    "efficientnet_v2_b3": Encoder(
        "EfficientNet V2 B3", "Three steps up from V2 B0.", _EFFICIENTNET_V2, 2021, 32, True, 12.9
    ),
    "efficientnet_v2_s": Encoder(
        "EfficientNet V2 S", "Small of the large sizes.", _EFFICIENTNET_V2, 2021, 32, True, 20.3
    ),
    "efficientnet_v2_m": Encoder(
        "EfficientNet V2 M",
        "Medium of the large sizes; for a GPU.",
        _EFFICIENTNET_V2,
        2021,
        32,
        True,
        53.2,
    ),
    "efficientnet_v2_l": Encoder(
        "EfficientNet V2 L", "Largest; for a GPU.", _EFFICIENTNET_V2, 2021, 32, True, 117.7
    ),
    "densenet121": Encoder(
        "DenseNet121",
        "Each layer sees all before it.",
        "Huang et al.: DenseNet, CVPR 2017",
        2017,
        32,
        True,
        7.0,
    ),
    "densenet169": Encoder(
        "DenseNet169",
        "DenseNet with 169 layers.",
        "Huang et al.: DenseNet, CVPR 2017",
        2017,
        32,
        True,
        12.6,
    ),
    "densenet201": Encoder(
        "DenseNet201",
        "DenseNet with 201 layers.",
        "Huang et al.: DenseNet, CVPR 2017",
        2017,
        32,
        True,
        18.3,
    ),
    "xception": Encoder(
        "Xception",
        "Separable convolutions throughout.",
        "Chollet: Xception, CVPR 2017",
        2017,
        32,
        True,
        20.9,
    ),
    "inception_v3": Encoder(
        "Inception V3",
        "Several kernel sizes at once.",
        "Szegedy et al., CVPR 2016",
        2016,
        32,
        True,
        21.8,
    ),
    "inception_resnet_v2": Encoder(
        "Inception-ResNet V2", "Heavy.", "Szegedy et al., AAAI 2017", 2017, 32, True, 54.3
    ),
    "convnext_tiny": Encoder(
        "ConvNeXt tiny",
        "Convolutions after a transformer.",
        "Liu et al.: ConvNeXt, CVPR 2022",
        2022,
        32,
        True,
        27.8,
    ),
    "convnext_small": Encoder(
        "ConvNeXt small",
        "Deeper than tiny.",
        "Liu et al.: ConvNeXt, CVPR 2022",
        2022,
        32,
        True,
        49.5,
    ),
    "convnext_base": Encoder(
        "ConvNeXt base",
        "Wider than small; for a GPU.",
        "Liu et al.: ConvNeXt, CVPR 2022",
        2022,
        32,
        True,
        87.6,
    ),
    "mit_b0": Encoder(
        "MiT B0",
        "SegFormer's hierarchical transformer, smallest.",
        _SEGFORMER,
        2021,
        32,
        False,
        3.3,
    ),
    "mit_b1": Encoder("MiT B1", "Twice as wide as B0.", _SEGFORMER, 2021, 32, False, 13.2),
    "mit_b2": Encoder("MiT B2", "Deeper than B1.", _SEGFORMER, 2021, 32, False, 24.2),
    "squeezenet": Encoder(
        "SqueezeNet 1.1",
        "Small plain convolutions; quick.",
        "Iandola et al.: SqueezeNet, 2016",
        2016,
        32,
        False,
        0.7,
    ),
    "plain": Encoder(
        "Plain", "The contracting path of the first U-Net.", _UNET, 2015, 32, False, 18.9
    ),
    "plain_mini": Encoder(
        "Plain mini", "The same with a quarter of the filters.", _UNET, 2015, 32, False, 1.2
    ),
    "tiny": Encoder(
        "Tiny",
        "A few small convolutions; trains in seconds, for tests and first tries.",
        "",
        2026,
        32,
        False,
        0.3,
    ),
}

CLASSIC_NAMES: dict[str, tuple[str, str]] = {
    "unet": ("unet", "plain"),
    "unet_mini": ("unet", "plain_mini"),
    "vgg_unet": ("unet", "vgg16"),
    "resnet50_unet": ("unet", "resnet50"),
    "mobilenet_unet": ("unet", "mobilenet_v1"),
    "segnet": ("segnet", "plain"),
    "vgg_segnet": ("segnet", "vgg16"),
    "resnet50_segnet": ("segnet", "resnet50"),
    "mobilenet_segnet": ("segnet", "mobilenet_v1"),
    "pspnet": ("pspnet", "plain"),
    "vgg_pspnet": ("pspnet", "vgg16"),
    "resnet50_pspnet": ("pspnet", "resnet50"),
    "pspnet_50": ("pspnet", "resnet50"),
    "pspnet_101": ("pspnet", "resnet101"),
    "fcn_8": ("fcn_8s", "plain"),
    "fcn_32": ("fcn_32s", "plain"),
    "fcn_8_vgg": ("fcn_8s", "vgg16"),
    "fcn_32_vgg": ("fcn_32s", "vgg16"),
    "fcn_8_resnet50": ("fcn_8s", "resnet50"),
    "fcn_32_resnet50": ("fcn_32s", "resnet50"),
    "fcn_8_mobilenet": ("fcn_8s", "mobilenet_v1"),
    "fcn_32_mobilenet": ("fcn_32s", "mobilenet_v1"),
}
"""Names of older libraries to the (architecture, encoder) that they mean."""


def resolve(architecture: str, encoder: str) -> tuple[str, str]:
    """Return the (architecture, encoder) that a name means: a classic one says both, any other leaves the encoder as given.

    Names that are both ("unet", "segnet") mean the architecture.
    """
    return (
        (architecture, encoder)
        if architecture in ARCHITECTURES
        else CLASSIC_NAMES.get(architecture, (architecture, encoder))
    )
