"""Models: architectures, encoders, and the names that older libraries gave to pairs of them."""

from dataclasses import dataclass

from segcore.catalog.choice import Choice


@dataclass(frozen=True)
class Cost:
    """What a model, or a part of one, costs; measured by ``make costs``.

    Attributes:
        parameters: Millions.
        activations: Numbers per input pixel.
        operations: Floating-point operations per input pixel, thousands.
    """

    parameters: float = 0.0
    activations: float = 0.0
    operations: float = 0.0


@dataclass(frozen=True)
class Architecture(Choice):
    """A decoder over any encoder.

    Attributes:
        year: Year of publication.
        stride: Input height and width must be multiples of this (combined with the encoder's).
        builder: What builds it: module of ``models/decoders`` and function, "unet:build_unet".
        costs: Cost beyond that of FCN-32s, with the encoders "tiny" and "resnet50"; a lighter head
            may have less, hence numbers below 0. Other encoders lie on the line through the two.
    """

    year: int = 0
    stride: int = 32
    builder: str = ""
    costs: tuple[Cost, Cost] = (Cost(), Cost())


@dataclass(frozen=True)
class Encoder(Choice):
    """A backbone, usually pretrained.

    Attributes:
        year: Year of publication.
        stride: Stride of its coarsest features.
        imagenet: Whether ``weights="imagenet"`` can download weights for it.
        parameters: Millions of parameters without the classification top.
        recipe: Module of ``models/encoders`` whose table RECIPES says how it is built.
        cost: Cost of FCN-32s with it, which adds little.
        width: Channels of its features at the strides 4, 8, 16 and 32 together.
    """

    year: int = 0
    stride: int = 32
    imagenet: bool = True
    parameters: float = 0.0
    recipe: str = ""
    cost: Cost = Cost()
    width: int = 0


_RESNET = "He, Zhang, Ren, Sun: Deep residual learning, CVPR 2016"
_MOBILENET_V3 = "Howard et al.: Searching for MobileNetV3, ICCV 2019"
_EFFICIENTNET = "Tan, Le: EfficientNet, ICML 2019"
_EFFICIENTNET_V2 = "Tan, Le: EfficientNetV2, ICML 2021"
_SEGFORMER = "Xie et al.: SegFormer, NeurIPS 2021"
_FCN = "Long, Shelhamer, Darrell: Fully convolutional networks, CVPR 2015"
_UNET = "Ronneberger, Fischer, Brox: U-Net, MICCAI 2015"

ARCHITECTURES: dict[str, Architecture] = {
    "unet": Architecture(
        "U-Net",
        "Encoder, decoder and a skip at every scale; the safe first choice.",
        _UNET,
        year=2015,
        builder="unet:build_unet",
        costs=(Cost(0.212, 436, 29.6), Cost(-2.75, 526, 100)),
    ),
    "unet_upsample": Architecture(
        "U-Net, upsampling",
        "Bilinear upsampling instead of transpose convolutions.",
        _UNET,
        year=2015,
        builder="unet:build_unet_upsample",
        costs=(Cost(0.177, 367, 28.5), Cost(-4.45, 447, 94.1)),
    ),
    "unet_residual": Architecture(
        "Residual U-Net",
        "Residual decoder blocks.",
        "Zhang et al.: Deep residual U-Net, GRSL 2018",
        year=2018,
        builder="unet:build_unet_residual",
        costs=(Cost(0.23, 561, 31.7), Cost(-2.31, 681, 110)),
    ),
    "unet_attention": Architecture(
        "Attention U-Net",
        "Attention gates on the skips.",
        "Oktay et al.: Attention U-Net, MIDL 2018",
        year=2018,
        builder="unet:build_unet_attention",
        costs=(Cost(0.221, 590, 30.7), Cost(-2.53, 646, 105)),
    ),
    "unet_spacenet4": Architecture(
        "U-Net, SpaceNet-4",
        "A VGG16-UNet; accepts its published weights.",
        "SpaceNet-4 challenge, 2019",
        year=2019,
        builder="spacenet4:build_unet_spacenet4",
        costs=(Cost(7.76, 1294, 1128), Cost(14.2, 1426, 1926)),
    ),
    "unet_crf": Architecture(
        "U-Net with CRF",
        "Ends in a trained CRF.",
        "Teichmann, Cipolla: Convolutional CRFs, BMVC 2019",
        year=2019,
        builder="conv_crf:build_unet_crf",
        costs=(Cost(0.212, 854, 292), Cost(-2.75, 944, 363)),
    ),
    "unet_plus_plus": Architecture(
        "U-Net++",
        "Skips are small decoders; slower.",
        "Zhou et al.: UNet++, DLMIA 2018",
        year=2018,
        builder="unet_plus_plus:build_unet_plus_plus",
        costs=(Cost(0.463, 720, 88), Cost(2.47, 1260, 438)),
    ),
    "unet_3_plus": Architecture(
        "U-Net 3+",
        "Every scale sees every scale; heavy.",
        "Huang et al.: UNet 3+, ICASSP 2020",
        year=2020,
        builder="unet_3_plus:build_unet_3_plus",
        costs=(Cost(5.17, 898, 667), Cost(1.58, 899, 708)),
    ),
    "linknet": Architecture(
        "LinkNet",
        "Adds skips instead of joining them; light.",
        "Chaurasia, Culurciello: LinkNet, VCIP 2017",
        year=2017,
        builder="linknet:build_linknet",
        costs=(Cost(-0.0377, 454, 20.1), Cost(-6.2, 874, 33)),
    ),
    "fpn": Architecture(
        "FPN",
        "A feature pyramid; for objects of all sizes.",
        "Kirillov et al.: Panoptic FPN, CVPR 2019",
        year=2019,
        builder="fpn:build_fpn",
        costs=(Cost(0.216, 109, 9.09), Cost(-7.1, 284, 55.9)),
    ),
    "upernet": Architecture(
        "UPerNet",
        "A feature pyramid with pyramid pooling on top.",
        "Xiao et al.: UPerNet, ECCV 2018",
        year=2018,
        builder="fpn:build_upernet",
        costs=(Cost(0.33, 112, 25.1), Cost(8.53, 449, 420)),
    ),
    "pspnet": Architecture(
        "PSPNet",
        "Context by averages over grids.",
        "Zhao et al.: PSPNet, CVPR 2017",
        year=2017,
        builder="pspnet:build_pspnet",
        costs=(Cost(0.143, 24.2, 5.86), Cost(1.84, 171, 294)),
    ),
    "deeplab_v3": Architecture(
        "DeepLab v3",
        "Dilated convolutions; rough edges.",
        "Chen et al.: DeepLab v3, 2017",
        year=2017,
        builder="deeplab:build_deeplab_v3",
        costs=(Cost(0.203, 12.7, 2.37), Cost(1.32, 59.7, 76.3)),
    ),
    "deeplab_v3_plus": Architecture(
        "DeepLab v3+",
        "DeepLab v3 with a skip for edges.",
        "Chen et al.: DeepLab v3+, ECCV 2018",
        year=2018,
        builder="deeplab:build_deeplab_v3_plus",
        costs=(Cost(0.0854, 138, 2.71), Cost(-2.24, 471, 51.4)),
    ),
    "fcn_32s": Architecture(
        "FCN-32s",
        "Scores at the coarsest scale only; a baseline.",
        _FCN,
        year=2015,
        builder="fcn:build_fcn_32s",
        costs=(Cost(0, 0, 0), Cost(0, 0, 0)),
    ),
    "fcn_16s": Architecture(
        "FCN-16s",
        "Scores of two scales added.",
        _FCN,
        year=2015,
        builder="fcn:build_fcn_16s",
        costs=(Cost(0.00078, 0.188, 0.006), Cost(0.0123, 0.188, 0.096)),
    ),
    "fcn_8s": Architecture(
        "FCN-8s",
        "Scores of three scales added.",
        _FCN,
        year=2015,
        builder="fcn:build_fcn_8s",
        costs=(Cost(0.00137, 0.938, 0.024), Cost(0.0185, 0.938, 0.288)),
    ),
    "segnet": Architecture(
        "SegNet",
        "Upsampling to where maxima were.",
        "Badrinarayanan et al.: SegNet, TPAMI 2017",
        year=2017,
        builder="segnet:build_segnet",
        costs=(Cost(0.102, 398, 19.2), Cost(-3.53, 388, 70.8)),
    ),
    "refinenet": Architecture(
        "RefineNet",
        "Residual refinement at each scale; heavy.",
        "Lin et al.: RefineNet, CVPR 2017",
        year=2017,
        builder="refinenet:build_refinenet",
        costs=(Cost(1.48, 194, 60.1), Cost(21.6, 766, 1024)),
    ),
    "pan": Architecture(
        "PAN",
        "Attention on each way up; light.",
        "Li et al.: Pyramid attention network, BMVC 2018",
        year=2018,
        builder="pan:build_pan",
        costs=(Cost(0.0929, 43, 3.47), Cost(-5.67, 77.1, 47.1)),
    ),
    "danet": Architecture(
        "DANet",
        "Attention between positions and channels.",
        "Fu et al.: Dual attention network, CVPR 2019",
        year=2019,
        builder="danet:build_danet",
        costs=(Cost(0.141, 11.2, 1.6), Cost(-5.88, 35.9, 9.42)),
    ),
    "ocrnet": Architecture(
        "OCRNet",
        "Pixels read the classes' regions.",
        "Yuan et al.: OCRNet, ECCV 2020",
        year=2020,
        builder="danet:build_ocrnet",
        costs=(Cost(0.0829, 32.2, 3.94), Cost(-6.75, 118, 50)),
    ),
    "bisenet": Architecture(
        "BiSeNet",
        "A path for detail, one for context.",
        "Yu et al.: BiSeNet, ECCV 2018",
        year=2018,
        builder="bisenet:build_bisenet",
        costs=(Cost(0.222, 138, 13.5), Cost(-5.2, 170, 21.5)),
    ),
    "fast_scnn": Architecture(
        "Fast-SCNN",
        "Pooled context and detail fused; quick.",
        "Poudel et al.: Fast-SCNN, BMVC 2019",
        year=2019,
        builder="bisenet:build_fast_scnn",
        costs=(Cost(0.0435, 38.1, 0.611), Cost(-9.01, 68.4, -14.1)),
    ),
    "lraspp": Architecture(
        "Lite R-ASPP",
        "The lightest decoder, made for MobileNet V3.",
        _MOBILENET_V3,
        year=2019,
        builder="bisenet:build_lraspp",
        costs=(Cost(-0.19, 1.22, -0.313), Cost(-24.4, -75.5, -46.9)),
    ),
    "gcn": Architecture(
        "GCN",
        "Large kernels and border refinement.",
        "Peng et al.: Large kernel matters, CVPR 2017",
        year=2017,
        builder="gcn:build_gcn",
        costs=(Cost(0.129, 394, 36.3), Cost(-8.45, 386, 39.1)),
    ),
    "segformer": Architecture(
        "SegFormer",
        "Projects and joins all scales; made for MiT.",
        _SEGFORMER,
        year=2021,
        builder="segformer:build_segformer",
        costs=(Cost(-0.0276, 78.8, 2.42), Cost(-8.46, 306, 29.6)),
    ),
    "hrnet_head": Architecture(
        "HRNet head",
        "Joins all scales as they are.",
        "Sun et al.: HRNet v2, 2019",
        year=2019,
        builder="segformer:build_hrnet_head",
        costs=(Cost(0.000768, 103, 7.44), Cost(-8.26, 290, 54.5)),
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
"""Architectures that an ensemble's members take in turn: unlike decoders, cheaper ones first."""

ENCODERS: dict[str, Encoder] = {
    "resnet50": Encoder(
        "ResNet50",
        "Residual network with 50 layers; the reference encoder.",
        _RESNET,
        year=2016,
        parameters=23.6,
        recipe="keras_encoders",
        cost=Cost(33.3, 1401, 173),
        width=3840,
    ),
    "resnet101": Encoder(
        "ResNet101",
        "Twice the depth of ResNet50.",
        _RESNET,
        year=2016,
        parameters=42.7,
        recipe="keras_encoders",
        cost=Cost(52.4, 2084, 321),
        width=3840,
    ),
    "resnet152": Encoder(
        "ResNet152",
        "Three times the depth of ResNet50.",
        _RESNET,
        year=2016,
        parameters=58.4,
        recipe="keras_encoders",
        cost=Cost(68.1, 2927, 469),
        width=3840,
    ),
    "resnet50_v2": Encoder(
        "ResNet50 V2",
        "Activation before each convolution.",
        "He et al., ECCV 2016",
        year=2016,
        parameters=23.6,
        recipe="keras_encoders",
        cost=Cost(33.3, 1073, 158),
        width=3840,
    ),
    "resnet101_v2": Encoder(
        "ResNet101 V2",
        "Twice the depth of ResNet50 V2.",
        "He et al., ECCV 2016",
        year=2016,
        parameters=42.6,
        recipe="keras_encoders",
        cost=Cost(52.3, 1744, 306),
        width=3840,
    ),
    "resnet152_v2": Encoder(
        "ResNet152 V2",
        "Three times the depth of ResNet50 V2.",
        "He et al., ECCV 2016",
        year=2016,
        parameters=58.3,
        recipe="keras_encoders",
        cost=Cost(68, 2570, 454),
        width=3840,
    ),
    "resnet18": Encoder(
        "ResNet18",
        "Small and quick; takes PyTorch's weights.",
        _RESNET,
        year=2016,
        imagenet=False,
        parameters=11.2,
        recipe="resnet",
        cost=Cost(12.4, 344, 74.7),
        width=960,
    ),
    "resnet34": Encoder(
        "ResNet34",
        "Between ResNet18 and ResNet50; takes PyTorch's weights.",
        _RESNET,
        year=2016,
        imagenet=False,
        parameters=21.3,
        recipe="resnet",
        cost=Cost(22.6, 511, 148),
        width=960,
    ),
    "resnet50_v1_5": Encoder(
        "ResNet50 v1.5",
        "ResNet50 as PyTorch has it; takes its weights.",
        _RESNET,
        year=2016,
        imagenet=False,
        parameters=23.6,
        recipe="resnet",
        cost=Cost(33.3, 1283, 182),
        width=3840,
    ),
    "vgg16": Encoder(
        "VGG16",
        "Plain deep convolutions; full resolution too.",
        "Simonyan, Zisserman, ICLR 2015",
        year=2015,
        parameters=14.7,
        recipe="keras_encoders",
        cost=Cost(17.3, 869, 617),
        width=1792,
    ),
    "vgg19": Encoder(
        "VGG19",
        "VGG16 with three more convolutions.",
        "Simonyan, Zisserman, ICLR 2015",
        year=2015,
        parameters=20.0,
        recipe="keras_encoders",
        cost=Cost(22.7, 947, 783),
        width=1792,
    ),
    "mobilenet_v1": Encoder(
        "MobileNet V1",
        "Depthwise convolutions.",
        "Howard et al.: MobileNets, 2017",
        year=2017,
        parameters=3.2,
        recipe="keras_encoders",
        cost=Cost(8.22, 562, 32.4),
        width=1920,
    ),
    "mobilenet_025": Encoder(
        "MobileNet V1 0.25",
        "A quarter of its filters.",
        "Howard et al.: MobileNets, 2017",
        year=2017,
        parameters=0.2,
        recipe="keras_encoders",
        cost=Cost(0.532, 154, 2.24),
        width=480,
    ),
    "mobilenet_v2": Encoder(
        "MobileNet V2",
        "Inverted residuals.",
        "Sandler et al.: MobileNetV2, CVPR 2018",
        year=2018,
        parameters=2.3,
        recipe="keras_encoders",
        cost=Cost(8.43, 727, 24),
        width=2192,
    ),
    "mobilenet_v3_small": Encoder(
        "MobileNet V3 small",
        "Searched for phones, small.",
        _MOBILENET_V3,
        year=2019,
        parameters=0.9,
        recipe="keras_encoders",
        cost=Cost(2.52, 235, 5.27),
        width=1032,
    ),
    "mobilenet_v3_large": Encoder(
        "MobileNet V3 large",
        "Searched for phones, large.",
        _MOBILENET_V3,
        year=2019,
        parameters=3.0,
        recipe="keras_encoders",
        cost=Cost(7.69, 602, 17.7),
        width=1944,
    ),
    "efficientnet_lite0": Encoder(
        "EfficientNet-Lite0",
        "EfficientNet for small devices.",
        _EFFICIENTNET,
        year=2020,
        imagenet=False,
        parameters=3.4,
        recipe="efficientnet_lite",
        cost=Cost(9.58, 693, 27.3),
        width=2336,
    ),
    "efficientnet_b0": Encoder(
        "EfficientNet B0",
        "Depth and width scaled together.",
        _EFFICIENTNET,
        year=2019,
        parameters=4.0,
        recipe="keras_encoders",
        cost=Cost(10.2, 1052, 27.4),
        width=2336,
    ),
    "efficientnet_b1": Encoder(
        "EfficientNet B1",
        "One step up from B0.",
        _EFFICIENTNET,
        year=2019,
        parameters=6.6,
        recipe="keras_encoders",
        cost=Cost(12.7, 1441, 34.7),
        width=2336,
    ),
    "efficientnet_b2": Encoder(
        "EfficientNet B2",
        "Two steps up from B0.",
        _EFFICIENTNET,
        year=2019,
        parameters=7.8,
        recipe="keras_encoders",
        cost=Cost(14.5, 1508, 39.4),
        width=2560,
    ),
    "efficientnet_b3": Encoder(
        "EfficientNet B3",
        "The middle of the family.",
        _EFFICIENTNET,
        year=2019,
        parameters=10.8,
        recipe="keras_encoders",
        cost=Cost(18.1, 1987, 52.6),
        width=2832,
    ),
    "efficientnet_b4": Encoder(
        "EfficientNet B4",
        "Larger; slow on a CPU.",
        _EFFICIENTNET,
        year=2019,
        parameters=17.7,
        recipe="keras_encoders",
        cost=Cost(26.2, 2589, 76.5),
        width=3280,
    ),
    "efficientnet_b5": Encoder(
        "EfficientNet B5",
        "Large; for a GPU.",
        _EFFICIENTNET,
        year=2019,
        parameters=28.5,
        recipe="keras_encoders",
        cost=Cost(38.2, 3540, 113),
        width=3728,
    ),
    "efficientnet_b6": Encoder(
        "EfficientNet B6",
        "Very large; for a GPU.",
        _EFFICIENTNET,
        year=2019,
        parameters=41.0,
        recipe="keras_encoders",
        cost=Cost(51.8, 4517, 155),
        width=4176,
    ),
    "efficientnet_b7": Encoder(
        "EfficientNet B7",
        "The largest of the family; for a GPU.",
        _EFFICIENTNET,
        year=2019,
        parameters=64.1,
        recipe="keras_encoders",
        cost=Cost(76.2, 6027, 229),
        width=4672,
    ),
    "efficientnet_v2_b0": Encoder(
        "EfficientNet V2 B0",
        "Trains quicker than B0.",
        _EFFICIENTNET_V2,
        year=2021,
        parameters=5.9,
        recipe="keras_encoders",
        cost=Cost(12.1, 722, 40.6),
        width=2176,
    ),
    "efficientnet_v2_b1": Encoder(
        "EfficientNet V2 B1",
        "One step up from V2 B0.",
        _EFFICIENTNET_V2,
        year=2021,
        parameters=6.9,
        recipe="keras_encoders",
        cost=Cost(13.1, 945, 52.5),
        width=2176,
    ),
    "efficientnet_v2_b2": Encoder(
        "EfficientNet V2 B2",
        "Two steps up from V2 B0.",
        _EFFICIENTNET_V2,
        year=2021,
        parameters=8.8,
        recipe="keras_encoders",
        cost=Cost(15.5, 1019, 59.7),
        width=2384,
    ),
    "efficientnet_v2_b3": Encoder(
        "EfficientNet V2 B3",
        "Three steps up from V2 B0.",
        _EFFICIENTNET_V2,
        year=2021,
        parameters=12.9,
        recipe="keras_encoders",
        cost=Cost(20.3, 1265, 78.4),
        width=2616,
    ),
    "efficientnet_v2_s": Encoder(
        "EfficientNet V2 S",
        "Small of the large sizes.",
        _EFFICIENTNET_V2,
        year=2021,
        parameters=20.3,
        recipe="keras_encoders",
        cost=Cost(26.5, 1816, 126),
        width=2544,
    ),
    "efficientnet_v2_m": Encoder(
        "EfficientNet V2 M",
        "Medium of the large sizes; for a GPU.",
        _EFFICIENTNET_V2,
        year=2021,
        parameters=53.2,
        recipe="keras_encoders",
        cost=Cost(59.3, 2925, 226),
        width=2704,
    ),
    "efficientnet_v2_l": Encoder(
        "EfficientNet V2 L",
        "Largest; for a GPU.",
        _EFFICIENTNET_V2,
        year=2021,
        parameters=117.7,
        recipe="keras_encoders",
        cost=Cost(124, 5132, 499),
        width=3072,
    ),
    "densenet121": Encoder(
        "DenseNet121",
        "Each layer sees all before it.",
        "Huang et al.: DenseNet, CVPR 2017",
        year=2017,
        parameters=7.0,
        recipe="keras_encoders",
        cost=Cost(12, 1650, 123),
        width=2816,
    ),
    "densenet169": Encoder(
        "DenseNet169",
        "DenseNet with 169 layers.",
        "Huang et al.: DenseNet, CVPR 2017",
        year=2017,
        parameters=12.6,
        recipe="keras_encoders",
        cost=Cost(20.6, 1991, 149),
        width=3712,
    ),
    "densenet201": Encoder(
        "DenseNet201",
        "DenseNet with 201 layers.",
        "Huang et al.: DenseNet, CVPR 2017",
        year=2017,
        parameters=18.3,
        recipe="keras_encoders",
        cost=Cost(27.4, 2564, 189),
        width=4480,
    ),
    "xception": Encoder(
        "Xception",
        "Separable convolutions throughout.",
        "Chollet: Xception, CVPR 2017",
        year=2017,
        parameters=20.9,
        recipe="keras_encoders",
        cost=Cost(30.6, 1369, 202),
        width=4056,
    ),
    "inception_v3": Encoder(
        "Inception V3",
        "Several kernel sizes at once.",
        "Szegedy et al., CVPR 2016",
        year=2016,
        parameters=21.8,
        recipe="keras_encoders",
        cost=Cost(31.5, 667, 170),
        width=3296,
    ),
    "inception_resnet_v2": Encoder(
        "Inception-ResNet V2",
        "Heavy.",
        "Szegedy et al., AAAI 2017",
        year=2017,
        parameters=54.3,
        recipe="keras_encoders",
        cost=Cost(61.7, 1750, 368),
        width=3136,
    ),
    "convnext_tiny": Encoder(
        "ConvNeXt tiny",
        "Convolutions after a transformer.",
        "Liu et al.: ConvNeXt, CVPR 2022",
        year=2022,
        parameters=27.8,
        recipe="keras_encoders",
        cost=Cost(30.6, 1656, 179),
        width=1440,
    ),
    "convnext_small": Encoder(
        "ConvNeXt small",
        "Deeper than tiny.",
        "Liu et al.: ConvNeXt, CVPR 2022",
        year=2022,
        parameters=49.5,
        recipe="keras_encoders",
        cost=Cost(52.3, 2602, 345),
        width=1440,
    ),
    "convnext_base": Encoder(
        "ConvNeXt base",
        "Wider than small; for a GPU.",
        "Liu et al.: ConvNeXt, CVPR 2022",
        year=2022,
        parameters=87.6,
        recipe="keras_encoders",
        cost=Cost(92.6, 3460, 613),
        width=1920,
    ),
    "mit_b0": Encoder(
        "MiT B0",
        "SegFormer's hierarchical transformer, smallest.",
        _SEGFORMER,
        year=2021,
        imagenet=False,
        parameters=3.3,
        recipe="mix_transformer",
        cost=Cost(3.72, 536, 19.3),
        width=512,
    ),
    "mit_b1": Encoder(
        "MiT B1",
        "Twice as wide as B0.",
        _SEGFORMER,
        year=2021,
        imagenet=False,
        parameters=13.2,
        recipe="mix_transformer",
        cost=Cost(14.7, 1004, 70.8),
        width=1024,
    ),
    "mit_b2": Encoder(
        "MiT B2",
        "Deeper than B1.",
        _SEGFORMER,
        year=2021,
        imagenet=False,
        parameters=24.2,
        recipe="mix_transformer",
        cost=Cost(25.8, 1769, 135),
        width=1024,
    ),
    "squeezenet": Encoder(
        "SqueezeNet 1.1",
        "Small plain convolutions; quick.",
        "Iandola et al.: SqueezeNet, 2016",
        year=2016,
        imagenet=False,
        parameters=0.7,
        recipe="squeezenet",
        cost=Cost(5.72, 221, 21.2),
        width=1408,
    ),
    "plain": Encoder(
        "Plain",
        "The contracting path of the first U-Net.",
        _UNET,
        year=2015,
        imagenet=False,
        parameters=18.9,
        recipe="plain",
        cost=Cost(26.2, 1301, 534),
        width=2304,
    ),
    "plain_mini": Encoder(
        "Plain mini",
        "The same with a quarter of the filters.",
        _UNET,
        year=2015,
        imagenet=False,
        parameters=1.2,
        recipe="plain",
        cost=Cost(2.43, 342, 35.6),
        width=704,
    ),
    "tiny": Encoder(
        "Tiny",
        "A few small convolutions; trains in seconds, for tests and first tries.",
        "",
        year=2026,
        imagenet=False,
        parameters=0.3,
        recipe="tiny",
        cost=Cost(0.325, 190, 9.17),
        width=240,
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
"""Names of older libraries, and the (architecture, encoder) that they mean."""


def resolve(architecture: str, encoder: str) -> tuple[str, str]:
    """Return the (architecture, encoder) that a name means; a classic name sets both.

    Names that are both ("unet", "segnet") mean the architecture.
    """
    return (
        (architecture, encoder)
        if architecture in ARCHITECTURES
        else CLASSIC_NAMES.get(architecture, (architecture, encoder))
    )
