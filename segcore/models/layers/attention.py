"""Attention between positions, channels and regions, as layers that a saved model knows."""

from typing import Any

import keras
from keras import ops


def _softmax(x: Any) -> Any:
    return ops.cast(ops.softmax(ops.cast(x, "float32")), x.dtype)


def _flat(x: Any) -> Any:
    """Join the two axes of a map: (B, h, w, D) to (B, h w, D)."""
    shape = ops.shape(x)
    return ops.reshape(x, (shape[0], shape[1] * shape[2], x.shape[-1]))


@keras.saving.register_keras_serializable(package="segcore")
class PositionAttention(keras.layers.Layer):
    """Every position gathers from all others: ``y_i = x_i + gamma sum_j softmax_j(q_i . k_j) v_j``.

    Fu et al., "Dual attention network", CVPR 2019, equation 2; gamma starts at 0. Cost grows with
    (h w) squared.
    """

    def build(self, input_shape: list[tuple[int | None, ...]]) -> None:
        """Create gamma."""
        self.gamma = self.add_weight(name="gamma", shape=(), initializer="zeros")

    def call(self, inputs: list[Any]) -> Any:
        """Attend: x, queries, keys (B, h, w, E), values (B, h, w, D) to (B, h, w, D)."""
        x, query, key, value = inputs
        weights = _softmax(ops.einsum("bqe,bke->bqk", _flat(query), _flat(key)))  # (B, hw, hw)
        gathered = ops.reshape(ops.matmul(weights, _flat(value)), ops.shape(x))
        return x + ops.cast(self.gamma, x.dtype) * gathered

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """Return the shape of x."""
        return input_shape[0]


@keras.saving.register_keras_serializable(package="segcore")
class ChannelAttention(keras.layers.Layer):
    """Attend over channels: ``y_c = x_c + gamma sum_d softmax_d(x_c . x_d / (h w)) x_d``.

    Fu et al., "Dual attention network", CVPR 2019, equation 4; gamma starts at 0. Departure: the
    product is divided by the number of positions, without which the softmax saturates on large
    maps.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create gamma."""
        self.gamma = self.add_weight(name="gamma", shape=(), initializer="zeros")

    def call(self, x: Any) -> Any:
        """Attend over the channels of (B, h, w, D); same shape."""
        shape = ops.shape(x)
        flat = _flat(x)
        positions = ops.cast(shape[1] * shape[2], x.dtype)
        weights = _softmax(ops.einsum("bpc,bpd->bcd", flat, flat) / positions)  # (B, D, D)
        gathered = ops.reshape(ops.einsum("bpd,bcd->bpc", flat, weights), shape)
        return x + ops.cast(self.gamma, x.dtype) * gathered

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape."""
        return input_shape


@keras.saving.register_keras_serializable(package="segcore")
class GatherRegions(keras.layers.Layer):
    """Return one vector a class, ``r_c = sum_i softmax_i(s_ic) x_i``, by coarse scores s.

    Yuan, Chen, Wang, "Object-contextual representations", ECCV 2020, equation 3.
    """

    def call(self, inputs: list[Any]) -> Any:
        """Gather features (B, h, w, D) by coarse logits (B, h, w, C) into (B, C, 1, D)."""
        x, coarse = inputs
        scores = _flat(ops.cast(coarse, "float32"))
        weights = ops.cast(ops.softmax(scores, axis=1), x.dtype)
        return ops.einsum("bpc,bpd->bcd", weights, _flat(x))[:, :, None]

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """Return (B, C, 1, D)."""
        x, coarse = input_shape
        return (x[0], coarse[3], 1, x[3])


@keras.saving.register_keras_serializable(package="segcore")
class AttendRegions(keras.layers.Layer):
    """Read the class regions: ``y_i = sum_c softmax_c(q_i . k_c / sqrt(E)) v_c``.

    Yuan, Chen, Wang, "Object-contextual representations", ECCV 2020, equations 4 and 5.
    """

    def call(self, inputs: list[Any]) -> Any:
        """Attend: queries (B, h, w, E), keys and values (B, C, 1, E) to (B, h, w, E)."""
        query, key, value = inputs
        products = ops.einsum("bpe,bce->bpc", _flat(query), key[:, :, 0])
        weights = _softmax(products * query.shape[-1] ** -0.5)  # (B, hw, C)
        return ops.reshape(ops.matmul(weights, value[:, :, 0]), ops.shape(query))

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """Return the queries' shape."""
        return input_shape[0]
