"""Encoders of keras.applications."""

from functools import partial

from keras import applications as keras_apps

from segcore.models.encoders.recipe import AS_IS, CAFFE, PLUS_MINUS_ONE, TORCH, Recipe, at


def _resnet(blocks3: int, blocks4: int) -> dict[int, str]:
    return at(
        "conv1_relu",
        "conv2_block3_out",
        f"conv3_block{blocks3}_out",
        f"conv4_block{blocks4}_out",
        "conv5_block3_out",
    )


def _resnet_v2(blocks3: int, blocks4: int) -> dict[int, str]:
    last = (f"conv{s}_block{n}_preact_relu" for s, n in ((2, 3), (3, blocks3), (4, blocks4)))
    return at("conv1_conv", *last, "post_relu")


def _efficientnet_v2(end1: str, end2: str) -> dict[int, str]:
    return at(
        end1, end2, "block4a_expand_activation", "block6a_expand_activation", "top_activation"
    )


def _convnext(name: str) -> dict[int, str]:
    return at(*(f"<{name}_downsampling_block_{i}" for i in range(3)), "", first=4)


_EFFICIENTNET = at(
    "block2a_expand_activation",
    "block3a_expand_activation",
    "block4a_expand_activation",
    "block6a_expand_activation",
    "top_activation",
)
_MOBILENET = at(
    "conv_pw_1_relu", "conv_pw_3_relu", "conv_pw_5_relu", "conv_pw_11_relu", "conv_pw_13_relu"
)
_DENSENET = at("conv1_relu", "pool2_relu", "pool3_relu", "pool4_relu", "relu")

RECIPES: dict[str, Recipe] = {
    "resnet50": Recipe(keras_apps.ResNet50, CAFFE, _resnet(4, 6)),
    "resnet101": Recipe(keras_apps.ResNet101, CAFFE, _resnet(4, 23)),
    "resnet152": Recipe(keras_apps.ResNet152, CAFFE, _resnet(8, 36)),
    "resnet50_v2": Recipe(keras_apps.ResNet50V2, PLUS_MINUS_ONE, _resnet_v2(4, 6)),
    "resnet101_v2": Recipe(keras_apps.ResNet101V2, PLUS_MINUS_ONE, _resnet_v2(4, 23)),
    "resnet152_v2": Recipe(keras_apps.ResNet152V2, PLUS_MINUS_ONE, _resnet_v2(8, 36)),
    "vgg16": Recipe(
        keras_apps.VGG16,
        CAFFE,
        at(
            *(f"block{i}_conv{n}" for i, n in enumerate((2, 2, 3, 3, 3), 1)), "block5_pool", first=1
        ),
    ),
    "vgg19": Recipe(
        keras_apps.VGG19,
        CAFFE,
        at(
            *(f"block{i}_conv{n}" for i, n in enumerate((2, 2, 4, 4, 4), 1)), "block5_pool", first=1
        ),
    ),
    "mobilenet_v1": Recipe(keras_apps.MobileNet, PLUS_MINUS_ONE, _MOBILENET),
    "mobilenet_025": Recipe(partial(keras_apps.MobileNet, alpha=0.25), PLUS_MINUS_ONE, _MOBILENET),
    "mobilenet_v2": Recipe(
        keras_apps.MobileNetV2,
        PLUS_MINUS_ONE,
        at(*(f"block_{i}_expand_relu" for i in (1, 3, 6, 13)), "out_relu"),
    ),
    "mobilenet_v3_small": Recipe(
        keras_apps.MobileNetV3Small,
        AS_IS,
        at(*(f"<expanded_conv{i}_depthwise_pad" for i in ("", "_1", "_3", "_8")), ""),
        own_scaling=PLUS_MINUS_ONE,
    ),
    "mobilenet_v3_large": Recipe(
        keras_apps.MobileNetV3Large,
        AS_IS,
        at(*(f"<expanded_conv{i}_depthwise_pad" for i in ("_1", "_3", "_6", "_12")), ""),
        own_scaling=PLUS_MINUS_ONE,
    ),
    "efficientnet_b0": Recipe(keras_apps.EfficientNetB0, AS_IS, _EFFICIENTNET),
    "efficientnet_b1": Recipe(keras_apps.EfficientNetB1, AS_IS, _EFFICIENTNET),
    "efficientnet_b2": Recipe(keras_apps.EfficientNetB2, AS_IS, _EFFICIENTNET),
    "efficientnet_b3": Recipe(keras_apps.EfficientNetB3, AS_IS, _EFFICIENTNET),
    "efficientnet_b4": Recipe(keras_apps.EfficientNetB4, AS_IS, _EFFICIENTNET),
    "efficientnet_b5": Recipe(keras_apps.EfficientNetB5, AS_IS, _EFFICIENTNET),
    "efficientnet_b6": Recipe(keras_apps.EfficientNetB6, AS_IS, _EFFICIENTNET),
    "efficientnet_b7": Recipe(keras_apps.EfficientNetB7, AS_IS, _EFFICIENTNET),
    "efficientnet_v2_b0": Recipe(
        keras_apps.EfficientNetV2B0,
        AS_IS,
        _efficientnet_v2("block1a_project_activation", "block2b_add"),
        own_scaling=TORCH,
    ),
    "efficientnet_v2_b1": Recipe(
        keras_apps.EfficientNetV2B1,
        AS_IS,
        _efficientnet_v2("block1b_add", "block2c_add"),
        own_scaling=TORCH,
    ),
    "efficientnet_v2_b2": Recipe(
        keras_apps.EfficientNetV2B2,
        AS_IS,
        _efficientnet_v2("block1b_add", "block2c_add"),
        own_scaling=TORCH,
    ),
    "efficientnet_v2_b3": Recipe(
        keras_apps.EfficientNetV2B3,
        AS_IS,
        _efficientnet_v2("block1b_add", "block2c_add"),
        own_scaling=TORCH,
    ),
    "efficientnet_v2_s": Recipe(
        keras_apps.EfficientNetV2S,
        AS_IS,
        _efficientnet_v2("block1b_add", "block2d_add"),
        own_scaling=TORCH,
    ),
    "efficientnet_v2_m": Recipe(
        keras_apps.EfficientNetV2M,
        AS_IS,
        _efficientnet_v2("block1c_add", "block2e_add"),
        own_scaling=TORCH,
    ),
    "efficientnet_v2_l": Recipe(
        keras_apps.EfficientNetV2L,
        AS_IS,
        _efficientnet_v2("block1d_add", "block2g_add"),
        own_scaling=TORCH,
    ),
    "densenet121": Recipe(keras_apps.DenseNet121, TORCH, _DENSENET),
    "densenet169": Recipe(keras_apps.DenseNet169, TORCH, _DENSENET),
    "densenet201": Recipe(keras_apps.DenseNet201, TORCH, _DENSENET),
    "xception": Recipe(
        keras_apps.Xception,
        PLUS_MINUS_ONE,
        at(*(f"block{i}_sepconv2_bn" for i in (2, 3, 4, 13)), "block14_sepconv2_act"),
        same_padding=True,
    ),
    "inception_v3": Recipe(
        keras_apps.InceptionV3,
        PLUS_MINUS_ONE,
        at("activation_2", "activation_4", "mixed2", "mixed7", "mixed10"),
        same_padding=True,
    ),
    "inception_resnet_v2": Recipe(
        keras_apps.InceptionResNetV2,
        PLUS_MINUS_ONE,
        at("activation_2", "activation_4", "block35_10_ac", "block17_20_ac", "conv_7b_ac"),
        same_padding=True,
    ),
    "convnext_tiny": Recipe(
        keras_apps.ConvNeXtTiny, AS_IS, _convnext("convnext_tiny"), own_scaling=TORCH
    ),
    "convnext_small": Recipe(
        keras_apps.ConvNeXtSmall, AS_IS, _convnext("convnext_small"), own_scaling=TORCH
    ),
    "convnext_base": Recipe(
        keras_apps.ConvNeXtBase, AS_IS, _convnext("convnext_base"), own_scaling=TORCH
    ),
}
