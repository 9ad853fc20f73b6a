"""Layers that Keras lacks, registered so that a saved model loads without extra words."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="segcore")
class ImageScaling(keras.layers.Layer):
    """Bring 0..255 RGB pixels to the range that an encoder was trained with.

    ``y = (x - mean) / std``, channel by channel, after an optional turn to BGR. Computed in float32
    whatever the precision policy, because 255 levels leave half precision no bits to spare.

    Args:
        mean: Three means, in pixel units (0..255), in the order of the output's channels.
        std: Three divisors, in pixel units.
        bgr: Whether the output's channels are blue, green, red.
        **kwargs: Passed to :class:`keras.layers.Layer`.
    """

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], bgr: bool = False, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.mean = tuple(float(v) for v in mean)
        self.std = tuple(float(v) for v in std)
        self.bgr = bool(bgr)

    def call(self, image: Any) -> Any:
        """Scale (B, H, W, 3) float32 RGB 0..255; same shape, float32."""
        if self.bgr:
            image = image[..., ::-1]
        return (image - tf.constant(self.mean, image.dtype)) / tf.constant(self.std, image.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "mean": list(self.mean), "std": list(self.std), "bgr": self.bgr}


@keras.saving.register_keras_serializable(package="segcore")
class ResizeLike(keras.layers.Layer):
    """Resize a map to the height and width of another, known or not when the graph is built.

    Half-pixel centres, no antialiasing. ``keras.layers.UpSampling2D("bilinear")`` cannot do this in a
    graph whose sizes are unknown, which is why this layer exists.

    Args:
        interpolation: "bilinear" or "nearest".
        **kwargs: Passed to :class:`keras.layers.Layer`.
    """

    def __init__(self, interpolation: str = "bilinear", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.interpolation = interpolation

    def call(self, inputs: list[Any]) -> Any:
        """Resize ``inputs[0]`` (B, h, w, D) to the size of ``inputs[1]`` (B, H, W, ...): (B, H, W, D), same dtype."""
        x, reference = inputs
        height, width = reference.shape[1], reference.shape[2]
        if height is None or width is None:
            shape = tf.shape(reference)
            size: Any = (shape[1], shape[2])
        elif (x.shape[1], x.shape[2]) == (height, width):
            return x
        else:
            size = (height, width)
        return tf.cast(tf.image.resize(x, size, method=self.interpolation), x.dtype)

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        """Return (B, H, W, D)."""
        x, reference = input_shape
        return (x[0], reference[1], reference[2], x[3])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "interpolation": self.interpolation}
