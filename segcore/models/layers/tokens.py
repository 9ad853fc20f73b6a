"""Layers of plain vision transformers: tokens before the patches, positions, attention, scales."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from segcore.models.engines.engine import primitives

CUBIC = -0.75
"""The cubic's free parameter as PyTorch's ``interpolate`` has it; Keras' resizing takes -0.5."""

Shape = tuple[int | None, ...]


def cubic_weights(source: int, target: int) -> npt.NDArray[np.float32]:
    """Return the matrix (target, source) float32 that resizes a line by cubic convolution.

    Half-pixel centres, no antialiasing, the ends repeated: what PyTorch's bicubic ``interpolate``
    does along each axis. Keys: Cubic convolution interpolation, 1981.
    """
    centres = (np.arange(target) + 0.5) * source / target - 0.5
    first = np.floor(centres).astype(int)
    matrix = np.zeros((target, source))
    for offset in (-1, 0, 1, 2):
        x = np.abs(centres - (first + offset))
        near = (CUBIC + 2) * x**3 - (CUBIC + 3) * x**2 + 1
        far = CUBIC * (x**3 - 5 * x**2 + 8 * x - 4)
        weights = np.where(x <= 1, near, np.where(x < 2, far, 0.0))
        np.add.at(matrix, (np.arange(target), np.clip(first + offset, 0, source - 1)), weights)
    return matrix.astype(np.float32)


def rotary_angles(
    grid: tuple[int, int], width: int, theta: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return cosines and sines (h w, width) float32 of DINOv3's rotary positions.

    A patch's centre has coordinates y, x in -1..1; its angles are ``2 pi y f`` and ``2 pi x f``
    for the frequencies ``f = theta ** -(4 i / width)``, i from 0 to width / 4, and the same again
    for the second half of the channels. Siméoni et al.: DINOv3, 2025.

    Args:
        grid: (h, w), patches.
        width: Channels of a head, a multiple of 4.
        theta: The base.
    """
    y, x = (2 * (np.arange(n) + 0.5) / n - 1 for n in grid)
    centres = np.stack(np.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2, 1)
    frequencies = theta ** -(np.arange(width // 4) * 4 / width)
    angles = np.tile((2 * np.pi * centres * frequencies).reshape(len(centres), -1), 2)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


@keras.saving.register_keras_serializable(package="segcore")
class ResizeTo(keras.layers.Layer):
    """Resize a map to a fixed size: bilinear, half-pixel centres, no antialiasing.

    Args:
        size: (height, width).
        **kwargs: Passed to :class:`keras.layers.Layer`.
    """

    def __init__(self, size: tuple[int, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = (int(size[0]), int(size[1]))

    def call(self, x: Any) -> Any:
        """Resize (B, h, w, D) to (B, height, width, D), same dtype."""
        return ops.cast(primitives.resize(x, self.size, "bilinear"), x.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, height, width, D)."""
        return (input_shape[0], *self.size, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "size": list(self.size)}


@keras.saving.register_keras_serializable(package="segcore")
class PrefixTokens(keras.layers.Layer):
    """Put a class token and registers before the patches, and add learned positions.

    Positions are kept on the square grid that they were trained on and resized to the image's, so
    that one weights file serves every size.

    Args:
        grid: (h, w), patches of the image.
        registers: Register tokens; Darcet et al.: Vision transformers need registers, ICLR 2024.
        positions: Side of the grid of learned positions; 0 for none.
        **kwargs: Passed to :class:`keras.layers.Layer`.
    """

    def __init__(
        self, grid: tuple[int, int], registers: int = 0, positions: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.grid = (int(grid[0]), int(grid[1]))
        self.registers = int(registers)
        self.positions = int(positions)

    def build(self, input_shape: Shape) -> None:
        """Make the variables for patches (B, h w, D)."""
        small = keras.initializers.TruncatedNormal(stddev=0.02)
        width = input_shape[-1]
        self.class_token = self.add_weight((1, 1, width), small, name="class_token")
        if self.registers:
            shape = (1, self.registers, width)
            self.register_tokens = self.add_weight(shape, small, name="register_tokens")
        if self.positions:
            shape = (1, 1 + self.positions**2, width)
            self.position_table = self.add_weight(shape, small, name="positions")

    def call(self, patches: Any) -> Any:
        """Return (B, 1 + registers + h w, D) from patches (B, h w, D)."""
        batch, width = ops.shape(patches)[0], patches.shape[-1]
        first = ops.cast(self.class_token, patches.dtype)
        if self.positions:
            table = ops.cast(self.position_table, "float32")
            square = ops.reshape(table[0, 1:], (self.positions, self.positions, width))
            rows, columns = (cubic_weights(self.positions, side) for side in self.grid)
            resized = ops.einsum("yh,xw,hwd->yxd", rows, columns, square)
            resized = ops.reshape(resized, (1, self.grid[0] * self.grid[1], width))
            patches = patches + ops.cast(resized, patches.dtype)
            first = first + ops.cast(table[:, :1], patches.dtype)
        parts = [first]
        if self.registers:
            parts.append(ops.cast(self.register_tokens, patches.dtype))
        prefix = [ops.broadcast_to(part, (batch, part.shape[1], width)) for part in parts]
        return ops.concatenate([*prefix, patches], axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, 1 + registers + h w, D)."""
        return (input_shape[0], 1 + self.registers + self.grid[0] * self.grid[1], input_shape[2])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {
            **super().get_config(),
            "grid": list(self.grid),
            "registers": self.registers,
            "positions": self.positions,
        }


@keras.saving.register_keras_serializable(package="segcore")
class HeadAttention(keras.layers.Layer):
    """Attend over tokens, head by head, with rotary positions where there is a base for them.

    It has no variables: queries, keys and values are made before it.

    Args:
        heads: How many heads share the channels.
        grid: (h, w), patches; the tokens before them have no position.
        theta: Base of the rotary positions; 0 for none.
        **kwargs: Passed to :class:`keras.layers.Layer`.
    """

    def __init__(
        self, heads: int, grid: tuple[int, int], theta: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.heads = int(heads)
        self.grid = (int(grid[0]), int(grid[1]))
        self.theta = float(theta)

    def call(self, inputs: list[Any]) -> Any:
        """Return (B, T, D) from queries, keys and values (B, T, D)."""
        tokens, width = inputs[0].shape[1:]
        query, key, value = (
            ops.reshape(x, (-1, tokens, self.heads, width // self.heads)) for x in inputs
        )
        if self.theta:
            before = tokens - self.grid[0] * self.grid[1]
            tables = rotary_angles(self.grid, width // self.heads, self.theta)
            pads = [np.pad(table, ((before, 0), (0, 0))) for table in tables]
            pads[0][:before] = 1.0
            cos, sin = (ops.cast(pad[None, :, None], query.dtype) for pad in pads)
            query, key = (x * cos + _half_turn(x) * sin for x in (query, key))
        out = ops.dot_product_attention(query, key, value)
        return ops.reshape(out, (-1, tokens, width))

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        """Return (B, T, D)."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {
            **super().get_config(),
            "heads": self.heads,
            "grid": list(self.grid),
            "theta": self.theta,
        }


def _half_turn(x: Any) -> Any:
    """Turn pairs of channels by a right angle: (a, b) to (-b, a), b half the channels further."""
    first, second = ops.split(x, 2, axis=-1)
    return ops.concatenate([-second, first], axis=-1)


@keras.saving.register_keras_serializable(package="segcore")
class ChannelScale(keras.layers.Layer):
    """Multiply each channel by a trained number. Touvron et al.: LayerScale, ICCV 2021."""

    def build(self, input_shape: Shape) -> None:
        """Make the scales for (..., D)."""
        self.gamma = self.add_weight((input_shape[-1],), "ones", name="gamma")

    def call(self, x: Any) -> Any:
        """Scale (..., D); same shape and dtype."""
        return x * ops.cast(self.gamma, x.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the input's shape."""
        return input_shape


@keras.saving.register_keras_serializable(package="segcore")
class PatchMap(keras.layers.Layer):
    """Drop the tokens before the patches and lay the patches out as a map.

    Args:
        grid: (h, w), patches.
        **kwargs: Passed to :class:`keras.layers.Layer`.
    """

    def __init__(self, grid: tuple[int, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.grid = (int(grid[0]), int(grid[1]))

    def call(self, tokens: Any) -> Any:
        """Return (B, h, w, D) from (B, T, D), whose last h w tokens are the patches."""
        height, width = self.grid
        patches = tokens[:, tokens.shape[1] - height * width :]
        return ops.reshape(patches, (-1, height, width, tokens.shape[-1]))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return (B, h, w, D)."""
        return (input_shape[0], *self.grid, input_shape[2])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this layer."""
        return {**super().get_config(), "grid": list(self.grid)}
