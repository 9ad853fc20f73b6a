"""How an encoder is built, what its pixels must look like, and where it is tapped."""

from collections.abc import Callable
from dataclasses import dataclass

import keras

Scaling = tuple[tuple[float, ...], tuple[float, ...], bool]
"""Mean, divisor (units 0..255), whether channels become BGR; see :class:`ImageScaling`."""

PLUS_MINUS_ONE: Scaling = ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5), False)
LITE: Scaling = ((127.0, 127.0, 127.0), (128.0, 128.0, 128.0), False)
CAFFE: Scaling = ((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), True)
TORCH: Scaling = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), False)
AS_IS: Scaling = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), False)
"""The network scales 0..255 itself."""


@dataclass(frozen=True)
class Recipe:
    """How one encoder is built.

    Attributes:
        build: A function of keras.applications (``from_keras``), or one of this package,
            from the scaled image (B, H, W, 3) to a model.
        scaling: The pixel scaling that it expects.
        taps: Features for the decoder, one layer name for each stride: the layer's output; with "<"
            in front its input; "" is the network's own output.
        from_keras: Whether ``build`` takes Keras' arguments and can have ImageNet weights.
        own_scaling: The scaling that a function of Keras does itself and can leave out; done outside
            where the image has other channels than red, green and blue.
        same_padding: Whether valid padding is turned into SAME (Inception, Xception), so that every
            scale halves exactly; weights are not touched by it.
    """

    build: Callable[..., keras.Model]
    scaling: Scaling
    taps: dict[int, str]
    from_keras: bool = True
    own_scaling: Scaling | None = None
    same_padding: bool = False


def at(*names: str, first: int = 2) -> dict[int, str]:
    """Return taps by stride: the names stand for the strides first, 2 first, 4 first, ..."""
    return {first * 2**i: name for i, name in enumerate(names)}
