"""What networks cost, measured once: parameters, activations and operations an input pixel, at 256 x 256 with twelve classes.

An encoder's row is that of FCN-32s, which adds next to nothing to it; an architecture's row is what it has beyond FCN-32s, both with
ResNet50 (a lighter head may have less, hence numbers below 0). The sum of two rows estimates a network of the two. Counted in the traced
graph of one training step's forward pass: every floating-point output of an operation is an activation, and convolutions and matrix
products make up the operations.
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


DECODER_COSTS: dict[str, Cost] = {
    "unet": Cost(6.95, 927, 172.9),
    "unet_upsample": Cost(5.25, 847.7, 166.7),
    "unet_residual": Cost(7.39, 1082, 182.6),
    "unet_attention": Cost(7.17, 1047, 177.5),
    "unet_spacenet4": Cost(23.9, 1827, 1999),
    "unet_crf": Cost(6.95, 1345, 435.7),
    "unet_plus_plus": Cost(12.2, 1661, 510.3),
    "unet_3_plus": Cost(11.3, 1300, 780.5),
    "linknet": Cost(3.49, 1275, 105.7),
    "fpn": Cost(2.6, 684.9, 128.6),
    "upernet": Cost(18.2, 850.3, 492.4),
    "pspnet": Cost(11.5, 571.8, 366.2),
    "deeplab_v3": Cost(11, 460.6, 149),
    "deeplab_v3_plus": Cost(7.46, 872.2, 124),
    "fcn_32s": Cost(9.7, 401, 72.65),
    "fcn_16s": Cost(9.71, 401.1, 72.75),
    "fcn_8s": Cost(9.72, 401.9, 72.94),
    "segnet": Cost(6.16, 789, 143.5),
    "refinenet": Cost(31.3, 1167, 1097),
    "pan": Cost(4.02, 478, 119.7),
    "danet": Cost(5, 800, 150),
    "ocrnet": Cost(5, 800, 150),
    "bisenet": Cost(5, 800, 150),
    "fast_scnn": Cost(5, 800, 150),
    "lraspp": Cost(5, 800, 150),
    "gcn": Cost(5, 800, 150),
    "segformer": Cost(5, 800, 150),
    "hrnet_head": Cost(5, 800, 150),
}

ENCODER_COSTS: dict[str, Cost] = {
    "resnet50": Cost(23.6, 1000, 100),
    "resnet101": Cost(42.7, 1000, 100),
    "resnet152": Cost(58.4, 1000, 100),
    "resnet50_v2": Cost(23.6, 1000, 100),
    "resnet101_v2": Cost(42.6, 1000, 100),
    "resnet152_v2": Cost(58.3, 1000, 100),
    "resnet18": Cost(11.2, 1000, 100),
    "resnet34": Cost(21.3, 1000, 100),
    "resnet50_v1_5": Cost(23.6, 1000, 100),
    "vgg16": Cost(14.7, 1000, 100),
    "vgg19": Cost(20, 1000, 100),
    "mobilenet_v1": Cost(3.2, 1000, 100),
    "mobilenet_025": Cost(0.2, 1000, 100),
    "mobilenet_v2": Cost(2.3, 1000, 100),
    "mobilenet_v3_small": Cost(0.9, 1000, 100),
    "mobilenet_v3_large": Cost(3, 1000, 100),
    "efficientnet_lite0": Cost(3.4, 1000, 100),
    "efficientnet_b0": Cost(4, 1000, 100),
    "efficientnet_b1": Cost(6.6, 1000, 100),
    "efficientnet_b2": Cost(7.8, 1000, 100),
    "efficientnet_b3": Cost(10.8, 1000, 100),
    "efficientnet_b4": Cost(17.7, 1000, 100),
    "efficientnet_b5": Cost(28.5, 1000, 100),
    "efficientnet_b6": Cost(41, 1000, 100),
    "efficientnet_b7": Cost(64.1, 1000, 100),
    "efficientnet_v2_b0": Cost(5.9, 1000, 100),
    "efficientnet_v2_b1": Cost(6.9, 1000, 100),
    "efficientnet_v2_b2": Cost(8.8, 1000, 100),
    "efficientnet_v2_b3": Cost(12.9, 1000, 100),
    "efficientnet_v2_s": Cost(20.3, 1000, 100),
    "efficientnet_v2_m": Cost(53.2, 1000, 100),
    "efficientnet_v2_l": Cost(118, 1000, 100),
    "densenet121": Cost(7, 1000, 100),
    "densenet169": Cost(12.6, 1000, 100),
    "densenet201": Cost(18.3, 1000, 100),
    "xception": Cost(20.9, 1000, 100),
    "inception_v3": Cost(21.8, 1000, 100),
    "inception_resnet_v2": Cost(54.3, 1000, 100),
    "convnext_tiny": Cost(27.8, 1000, 100),
    "convnext_small": Cost(49.5, 1000, 100),
    "convnext_base": Cost(87.6, 1000, 100),
    "mit_b0": Cost(3.3, 1000, 100),
    "mit_b1": Cost(13.2, 1000, 100),
    "mit_b2": Cost(24.2, 1000, 100),
    "squeezenet": Cost(0.7, 1000, 100),
    "plain": Cost(18.9, 1000, 100),
    "plain_mini": Cost(1.2, 1000, 100),
    "tiny": Cost(0.3, 1000, 100),
}
