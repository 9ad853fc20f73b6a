"""Operations that TensorFlow has in one piece, and sums over its replicas."""

from contextlib import nullcontext
from typing import Any

import tensorflow as tf

first_weights = nullcontext


def fused_batch_norm(layer: Any, inputs: Any) -> Any:
    """Normalise a map by its own moments in one operation and move the layer's running means.

    Args:
        layer: A built ``keras.layers.BatchNormalization`` over the last axis.
        inputs: (B, H, W, D) of any floating type.

    Returns:
        (B, H, W, D), same dtype.
    """
    channels = inputs.shape[-1]
    pixels = inputs.shape[:-1].num_elements()  # known where the graph is for one size of batch
    count = tf.cast(tf.size(inputs) // channels, tf.float32) if pixels is None else float(pixels)
    # the operation's variance is that of a sample, Keras' that of all there is
    sample = count / (tf.maximum(count - 1.0, 1.0) if pixels is None else max(count - 1.0, 1.0))
    # For a gradient of V3 TensorFlow first makes zeros of five outputs; V1 takes float32 alone, and
    # hands cuDNN no space in which to keep what its gradient needs.
    plain = inputs.dtype == tf.float32 and not tf.config.list_logical_devices("GPU")
    normalise = tf.raw_ops.FusedBatchNorm if plain else tf.raw_ops.FusedBatchNormV3
    out, mean, variance, *_ = normalise(
        x=inputs,
        scale=layer.gamma.value if layer.scale else tf.ones([channels]),
        offset=layer.beta.value if layer.center else tf.zeros([channels]),
        mean=layer.moving_mean.value,
        variance=layer.moving_variance.value * sample,
        epsilon=layer.epsilon,
        exponential_avg_factor=1.0 - layer.momentum,
        data_format="NHWC",
        is_training=True,
    )
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(variance / sample)
    return out


def add_bias(x: Any, bias: Any) -> Any:
    """Add a layer's bias, a variable of shape (D,), to (B, H, W, D); same dtype."""
    return tf.nn.bias_add(x, bias.value)


def over_replicas(sums: Any) -> Any:
    """Return an array summed over the replicas of the current strategy, if there is one."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return sums
    return context.all_reduce(tf.distribute.ReduceOp.SUM, sums)


def count_cells(codes: Any, cells: int) -> Any:
    """Count how often each of ``cells`` numbers occurs.

    Args:
        codes: (P,) int32; numbers from ``cells`` on are not counted.
        cells: How many numbers there are, from 0.

    Returns:
        (cells,) int32.
    """
    # Weights: none. XLA wants the size as a constant, which tf.math.bincount does not give it.
    counts = tf.raw_ops.DenseBincount(
        input=codes, size=tf.constant(cells + 1), weights=tf.zeros([0], tf.int32)
    )
    return counts[:cells]


def argmax(scores: Any) -> Any:
    """Return the position of the largest of (..., C) scores, the first of equal ones; int32."""
    return tf.argmax(scores, axis=-1, output_type=tf.int32)


def resize(x: Any, size: tuple[Any, Any], interpolation: str) -> Any:
    """Resize maps (B, h, w, D) with half-pixel centres and without antialiasing.

    Args:
        x: Any floating type.
        size: (H, W); tensors where they are known only when it runs.
        interpolation: "bilinear" or "nearest".

    Returns:
        (B, H, W, D), float32 where bilinear.
    """
    return tf.image.resize(x, size, method=interpolation)
