"""What networks cost, measured once: parameters, activations and operations an input pixel, at 256 x 256 with twelve classes.

An encoder's row is that of FCN-32s with it, which adds little. An architecture's row is what it has
beyond FCN-32s, once with the encoder "tiny" and once with "resnet50" (a lighter head may have less,
hence numbers below 0); with another encoder it lies between or beyond the two, by the channels of
that encoder at the strides 4 to 32. Counted in the traced graph of the forward pass of a training
step: every floating-point output of an operation is an activation; convolutions and matrix products
make up the operations.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What a network, or a part of one, costs.

    Attributes:
        parameters: Millions.
        activations: Numbers an input pixel.
        operations: Floating-point operations an input pixel, thousands.
    """

    parameters: float
    activations: float
    operations: float


ENCODER_COSTS: dict[str, tuple[Cost, int]] = {
    "resnet50": (Cost(33.3, 1401, 173), 3840),
    "resnet101": (Cost(52.4, 2084, 321), 3840),
    "resnet152": (Cost(68.1, 2927, 469), 3840),
    "resnet50_v2": (Cost(33.3, 1073, 158), 3840),
    "resnet101_v2": (Cost(52.3, 1744, 306), 3840),
    "resnet152_v2": (Cost(68, 2570, 454), 3840),
    "resnet18": (Cost(12.4, 344, 74.7), 960),
    "resnet34": (Cost(22.6, 511, 148), 960),
    "resnet50_v1_5": (Cost(33.3, 1283, 182), 3840),
    "vgg16": (Cost(17.3, 869, 617), 1792),
    "vgg19": (Cost(22.7, 947, 783), 1792),
    "mobilenet_v1": (Cost(8.22, 562, 32.4), 1920),
    "mobilenet_025": (Cost(0.532, 154, 2.24), 480),
    "mobilenet_v2": (Cost(8.43, 727, 24), 2192),
    "mobilenet_v3_small": (Cost(2.52, 235, 5.27), 1032),
    "mobilenet_v3_large": (Cost(7.69, 602, 17.7), 1944),
    "efficientnet_lite0": (Cost(9.58, 693, 27.3), 2336),
    "efficientnet_b0": (Cost(10.2, 1052, 27.4), 2336),
    "efficientnet_b1": (Cost(12.7, 1441, 34.7), 2336),
    "efficientnet_b2": (Cost(14.5, 1508, 39.4), 2560),
    "efficientnet_b3": (Cost(18.1, 1987, 52.6), 2832),
    "efficientnet_b4": (Cost(26.2, 2589, 76.5), 3280),
    "efficientnet_b5": (Cost(38.2, 3540, 113), 3728),
    "efficientnet_b6": (Cost(51.8, 4517, 155), 4176),
    "efficientnet_b7": (Cost(76.2, 6027, 229), 4672),
    "efficientnet_v2_b0": (Cost(12.1, 722, 40.6), 2176),
    "efficientnet_v2_b1": (Cost(13.1, 945, 52.5), 2176),
    "efficientnet_v2_b2": (Cost(15.5, 1019, 59.7), 2384),
    "efficientnet_v2_b3": (Cost(20.3, 1265, 78.4), 2616),
    "efficientnet_v2_s": (Cost(26.5, 1816, 126), 2544),
    "efficientnet_v2_m": (Cost(59.3, 2925, 226), 2704),
    "efficientnet_v2_l": (Cost(124, 5132, 499), 3072),
    "densenet121": (Cost(12, 1650, 123), 2816),
    "densenet169": (Cost(20.6, 1991, 149), 3712),
    "densenet201": (Cost(27.4, 2564, 189), 4480),
    "xception": (Cost(30.6, 1369, 202), 4056),
    "inception_v3": (Cost(31.5, 667, 170), 3296),
    "inception_resnet_v2": (Cost(61.7, 1750, 368), 3136),
    "convnext_tiny": (Cost(30.6, 1656, 179), 1440),
    "convnext_small": (Cost(52.3, 2602, 345), 1440),
    "convnext_base": (Cost(92.6, 3460, 613), 1920),
    "mit_b0": (Cost(3.72, 536, 19.3), 512),
    "mit_b1": (Cost(14.7, 1004, 70.8), 1024),
    "mit_b2": (Cost(25.8, 1769, 135), 1024),
    "squeezenet": (Cost(5.72, 221, 21.2), 1408),
    "plain": (Cost(26.2, 1301, 534), 2304),
    "plain_mini": (Cost(2.43, 342, 35.6), 704),
    "tiny": (Cost(0.325, 190, 9.17), 240),
}
"""FCN-32s with each encoder, and the encoder's channels at the strides 4, 8, 16 and 32 together."""

DECODER_COSTS: dict[str, tuple[Cost, Cost]] = {
    "unet": (Cost(0.212, 436, 29.6), Cost(-2.75, 526, 100)),
    "unet_upsample": (Cost(0.177, 367, 28.5), Cost(-4.45, 447, 94.1)),
    "unet_residual": (Cost(0.23, 561, 31.7), Cost(-2.31, 681, 110)),
    "unet_attention": (Cost(0.221, 590, 30.7), Cost(-2.53, 646, 105)),
    "unet_spacenet4": (Cost(7.76, 1294, 1128), Cost(14.2, 1426, 1926)),
    "unet_crf": (Cost(0.212, 854, 292), Cost(-2.75, 944, 363)),
    "unet_plus_plus": (Cost(0.463, 720, 88), Cost(2.47, 1260, 438)),
    "unet_3_plus": (Cost(5.17, 898, 667), Cost(1.58, 899, 708)),
    "linknet": (Cost(-0.0377, 454, 20.1), Cost(-6.2, 874, 33)),
    "fpn": (Cost(0.216, 109, 9.09), Cost(-7.1, 284, 55.9)),
    "upernet": (Cost(0.33, 112, 25.1), Cost(8.53, 449, 420)),
    "pspnet": (Cost(0.143, 24.2, 5.86), Cost(1.84, 171, 294)),
    "deeplab_v3": (Cost(0.203, 12.7, 2.37), Cost(1.32, 59.7, 76.3)),
    "deeplab_v3_plus": (Cost(0.0854, 138, 2.71), Cost(-2.24, 471, 51.4)),
    "fcn_32s": (Cost(0, 0, 0), Cost(0, 0, 0)),
    "fcn_16s": (Cost(0.00078, 0.188, 0.006), Cost(0.0123, 0.188, 0.096)),
    "fcn_8s": (Cost(0.00137, 0.938, 0.024), Cost(0.0185, 0.938, 0.288)),
    "segnet": (Cost(0.102, 398, 19.2), Cost(-3.53, 388, 70.8)),
    "refinenet": (Cost(1.48, 194, 60.1), Cost(21.6, 766, 1024)),
    "pan": (Cost(0.0929, 43, 3.47), Cost(-5.67, 77.1, 47.1)),
    "danet": (Cost(0.141, 11.2, 1.6), Cost(-5.88, 35.9, 9.42)),
    "ocrnet": (Cost(0.0829, 32.2, 3.94), Cost(-6.75, 118, 50)),
    "bisenet": (Cost(0.222, 138, 13.5), Cost(-5.2, 170, 21.5)),
    "fast_scnn": (Cost(0.0435, 38.1, 0.611), Cost(-9.01, 68.4, -14.1)),
    "lraspp": (Cost(-0.19, 1.22, -0.313), Cost(-24.4, -75.5, -46.9)),
    "gcn": (Cost(0.129, 394, 36.3), Cost(-8.45, 386, 39.1)),
    "segformer": (Cost(-0.0276, 78.8, 2.42), Cost(-8.46, 306, 29.6)),
    "hrnet_head": (Cost(0.000768, 103, 7.44), Cost(-8.26, 290, 54.5)),
}
"""What each architecture has beyond FCN-32s: with the encoder "tiny", and with "resnet50"."""
