"""The simple feature pyramid: maps at every stride from the one map of a plain transformer."""

from typing import Any

from keras import layers

FILTERS = 256


def _norm(x: Any, name: str) -> Any:
    return layers.LayerNormalization(epsilon=1e-6, name=name)(x)


def _doubled(x: Any, name: str) -> Any:
    """Double a map by a 2x2 transpose convolution to half its channels."""
    return layers.Conv2DTranspose(x.shape[-1] // 2, 2, strides=2, name=name)(x)


def simple_pyramid(x: Any) -> dict[int, Any]:
    """Return maps of 256 channels at the strides 4, 8, 16 and 32 from one map at stride 16.

    Li, Mao, Girshick, He: Exploring plain vision transformer backbones for object detection
    (ViTDet), ECCV 2022: two transpose convolutions with normalisation and GELU between, one, none,
    and a pooling; then a 1x1 and a 3x3 convolution, each normalised over channels. It counts as
    decoder: it has no pretrained weights and is trained while the encoder is frozen.

    Args:
        x: (B, h, w, D), D a multiple of 4.
    """
    finest = _norm(_doubled(x, "decoder_pyramid_4a"), "decoder_pyramid_4a_norm")
    finest = layers.Activation("gelu", name="decoder_pyramid_4a_gelu")(finest)
    maps = {
        4: _doubled(finest, "decoder_pyramid_4b"),
        8: _doubled(x, "decoder_pyramid_8"),
        16: x,
        32: layers.MaxPooling2D(2, name="decoder_pyramid_32")(x),
    }
    for stride, one in maps.items():
        name = f"decoder_pyramid_{stride}"
        one = layers.Conv2D(FILTERS, 1, use_bias=False, name=f"{name}_in")(one)
        one = _norm(one, f"{name}_in_norm")
        one = layers.Conv2D(FILTERS, 3, padding="same", use_bias=False, name=f"{name}_out")(one)
        maps[stride] = _norm(one, f"{name}_out_norm")
    return maps
