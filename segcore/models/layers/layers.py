"""Layers that Keras lacks, registered so that a saved model loads without extra words."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from segcore.models.engines.engine import primitives


@keras.saving.register_keras_serializable(package="segcore")
class ImageScaling(keras.layers.Layer):
    """Bring 0..255 RGB pixels to the range that an encoder was trained with.

    ``y = (x - mean) / std``, channel by channel, after an optional turn to BGR. Computed in float32
    under any precision policy, because 255 levels leave half precision no bits to spare.

    Args:
        mean: A mean for each channel, in pixel units (0..255), in the order of the output's channels.
        std: A divisor for each, in pixel units.
        bgr: Whether the output's channels are blue, green, red.
        **kwargs: Passed to :class:`keras.layers.Layer`.
    """

    def __init__(
        self, mean: tuple[float, ...], std: tuple[float, ...], bgr: bool = False, **kwargs: Any
    ) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.mean = tuple(float(v) for v in mean)
        self.std = tuple(float(v) for v in std)
        self.bgr = bool(bgr)

    def call(self, image: Any) -> Any:
        """Scale (B, H, W, 3) float32 RGB 0..255; same shape, float32."""
        if self.bgr:
            image = ops.flip(image, axis=-1)
        mean, std = (ops.convert_to_tensor(v, image.dtype) for v in (self.mean, self.std))
        return (image - mean) / std

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {
            **super().get_config(),
            "mean": list(self.mean),
            "std": list(self.std),
            "bgr": self.bgr,
        }


@keras.saving.register_keras_serializable(package="segcore")
class BandNormalising(keras.layers.Layer):
    """Bring the channels of a raster to the mean and deviation that encoders expect of pixels.

    ``y = 114.5 + 57.4 (x - mean) / std``, channel by channel, with the means and deviations of the
    training split: the grey mean and deviation of ImageNet in pixel units. Float32 under any
    precision policy: 16 bits need them.

    Args:
        names: Names of the channels, for people and for a check of what is fed.
        mean: Mean of each channel over the training split, in the raster's units.
        std: Standard deviation of each.
        **kwargs: Passed to :class:`keras.layers.Layer`.
    """

    MEAN = 114.5
    DEVIATION = 57.4

    def __init__(
        self, names: Sequence[str], mean: Sequence[float], std: Sequence[float], **kwargs: Any
    ) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.names = tuple(str(name) for name in names)
        self.mean = tuple(float(v) for v in mean)
        self.std = tuple(float(v) for v in std)

    def call(self, image: Any) -> Any:
        """Normalise (B, H, W, N) float32 in the raster's units; same shape, float32."""
        mean, std = (ops.convert_to_tensor(v, image.dtype) for v in (self.mean, self.std))
        return self.MEAN + self.DEVIATION * (image - mean) / std

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {
            **super().get_config(),
            "names": list(self.names),
            "mean": list(self.mean),
            "std": list(self.std),
        }


@keras.saving.register_keras_serializable(package="segcore")
class ImageStandardising(keras.layers.Layer):
    """Bring every image to one mean and deviation over all pixels and channels.

    ``y = 114.5 + 57.4 (x - mean(x)) / max(std(x), 1)``: the grey mean and deviation of ImageNet in
    pixel units, so that the encoder's own scaling, which comes next, receives what it expects. An
    image of one colour becomes even grey. Float32 under any precision policy. Of an image that
    is predicted in tiles each tile is an image.
    """

    MEAN = BandNormalising.MEAN
    DEVIATION = BandNormalising.DEVIATION

    def __init__(self, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)

    def call(self, image: Any) -> Any:
        """Standardise (B, H, W, 3) float32 RGB 0..255; same shape, float32."""
        centred = image - ops.mean(image, [1, 2, 3], keepdims=True)
        variance = ops.mean(ops.square(centred), [1, 2, 3], keepdims=True)
        return self.MEAN + self.DEVIATION * centred / ops.maximum(ops.sqrt(variance), 1.0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape."""
        return input_shape


@keras.saving.register_keras_serializable(package="segcore")
class ResizeLike(keras.layers.Layer):
    """Resize a map to the height and width of another, known or not when the graph is built.

    Half-pixel centres, no antialiasing. ``keras.layers.UpSampling2D("bilinear")`` cannot do this in
    a graph whose sizes are unknown, which is why this layer exists.

    Args:
        interpolation: "bilinear" or "nearest".
        **kwargs: Passed to :class:`keras.layers.Layer`.
    """

    def __init__(self, interpolation: str = "bilinear", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.interpolation = interpolation

    def call(self, inputs: list[Any]) -> Any:
        """Resize (B, h, w, D) to the size of the second input (B, H, W, ...), same dtype."""
        x, reference = inputs
        height, width = reference.shape[1], reference.shape[2]
        if height is None or width is None:
            shape = ops.shape(reference)
            size: Any = (shape[1], shape[2])
        elif (x.shape[1], x.shape[2]) == (height, width):
            return x
        else:
            size = (height, width)
        return ops.cast(primitives.resize(x, size, self.interpolation), x.dtype)

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """Return (B, H, W, D)."""
        x, reference = input_shape
        return (x[0], reference[1], reference[2], x[3])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "interpolation": self.interpolation}


@keras.saving.register_keras_serializable(package="segcore")
class AdaptivePooling(keras.layers.Layer):
    """Average a map of any size over a grid of ``bins`` x ``bins`` windows.

    Window i covers rows floor(i h / bins) to ceil((i + 1) h / bins), as PSPNet's code does; windows
    overlap where the size does not divide and repeat where the map is smaller than the grid.

    Args:
        bins: Windows along each side.
        **kwargs: Passed to :class:`keras.layers.Layer`.
    """

    def __init__(self, bins: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bins = bins

    def _windows(self, length: int) -> Any:
        start = np.arange(self.bins) * length // self.bins
        stop = -(-(np.arange(self.bins) + 1) * length // self.bins)
        inside = (np.arange(length) >= start[:, None]) & (np.arange(length) < stop[:, None])
        shares = inside / inside.sum(1, keepdims=True)
        return ops.convert_to_tensor(shares, self.compute_dtype)  # (bins, length)

    def call(self, x: Any) -> Any:
        """Pool (B, h, w, D), h and w known: (B, bins, bins, D)."""
        rows, columns = self._windows(x.shape[1]), self._windows(x.shape[2])
        return ops.einsum("ih,jw,bhwd->bijd", rows, columns, x)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B, bins, bins, D)."""
        return (input_shape[0], self.bins, self.bins, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "bins": self.bins}


@keras.saving.register_keras_serializable(package="segcore")
class MaxUnpool(keras.layers.Layer):
    """Double a map; each value goes where the other map's 2 x 2 window is largest, 0 elsewhere.

    SegNet's upsampling. The position is read from the map itself, so any encoder serves; equal
    values share it.
    """

    def call(self, inputs: list[Any]) -> Any:
        """Unpool (B, h, w, D) by the maxima of (B, 2h, 2w, D) into (B, 2h, 2w, D)."""
        x, reference = inputs
        largest = _double(ops.max_pool(reference, 2, 2, "same", "channels_last"))
        return _double(x) * ops.cast(ops.stop_gradient(reference >= largest), x.dtype)

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """Return the reference's shape."""
        return input_shape[1]


def _double(x: Any) -> Any:
    return ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2)
