"""Attention between positions, channels and regions, as layers that a saved model knows."""

from typing import Any

import keras
import tensorflow as tf


def _softmax(x: Any) -> Any:
    return tf.cast(tf.nn.softmax(tf.cast(x, tf.float32)), x.dtype)


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
        shape = tf.shape(x)

        def flat(t: Any) -> Any:
            return tf.reshape(t, (shape[0], shape[1] * shape[2], t.shape[-1]))

        weights = _softmax(tf.matmul(flat(query), flat(key), transpose_b=True))  # (B, hw, hw)
        return x + tf.cast(self.gamma, x.dtype) * tf.reshape(tf.matmul(weights, flat(value)), shape)

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
        shape = tf.shape(x)
        flat = tf.reshape(x, (shape[0], shape[1] * shape[2], x.shape[-1]))
        positions = tf.cast(shape[1] * shape[2], x.dtype)
        weights = _softmax(tf.matmul(flat, flat, transpose_a=True) / positions)  # (B, D, D)
        return x + tf.cast(self.gamma, x.dtype) * tf.reshape(
            tf.matmul(flat, weights, transpose_b=True), shape
        )

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
        shape = tf.shape(x)
        flat = tf.reshape(x, (shape[0], shape[1] * shape[2], x.shape[-1]))
        scores = tf.reshape(
            tf.cast(coarse, tf.float32), (shape[0], shape[1] * shape[2], coarse.shape[-1])
        )
        weights = tf.cast(tf.nn.softmax(scores, axis=1), x.dtype)
        return tf.matmul(weights, flat, transpose_a=True)[:, :, None]

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
        shape = tf.shape(query)
        flat = tf.reshape(query, (shape[0], shape[1] * shape[2], query.shape[-1]))
        weights = _softmax(
            tf.matmul(flat, key[:, :, 0], transpose_b=True) * query.shape[-1] ** -0.5
        )  # (B, hw, C)
        return tf.reshape(tf.matmul(weights, value[:, :, 0]), shape)

    def compute_output_shape(
        self, input_shape: list[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """Return the queries' shape."""
        return input_shape[0]
