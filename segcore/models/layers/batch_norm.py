"""Batch normalisation as Keras computes it, in the one operation that TensorFlow has for it."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="segcore")
class FusedBatchNorm(keras.layers.BatchNormalization):
    """Keras' batch normalisation, ``gamma (x - m) / sqrt(v + e) + beta``, as one fused operation.

    Keras writes this out as a dozen operations, each of which reads or writes the whole map, and
    computes in float32 under any precision policy; their gradients are a dozen more. The fused
    operation reads a map twice, forward and backward, keeps no intermediate, and accepts half
    precision (its moments are float32 all the same). In evaluation nothing differs: there a
    constant product and sum fold into the convolution before. Several replicas, masks and
    renormalisation are left to Keras. Ioffe, Szegedy: Batch normalization, ICML 2015.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise (B, H, W, D) over all but the last axis; same shape and dtype."""
        alone = mask is None and not self.synchronized and not self.renorm
        if not (
            training
            and self.trainable
            and alone
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
        ):
            return super().call(inputs, training=training, mask=mask)
        channels = inputs.shape[-1]
        nothing = tf.zeros([0])
        out, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma.value if self.scale else tf.ones([channels]),
            offset=self.beta.value if self.center else tf.zeros([channels]),
            mean=nothing,
            variance=nothing,
            epsilon=self.epsilon,
            exponential_avg_factor=1.0,
            data_format="NHWC",
            is_training=True,
        )
        count = tf.cast(tf.size(inputs) // channels, tf.float32)
        variance *= (
            count - 1.0
        ) / count  # the operation's is that of a sample, Keras' that of all there is
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + value * (1.0 - self.momentum))
        return out


def fuse(layer: keras.layers.Layer) -> None:
    """Turn a Keras batch normalisation into a fused one, in place; its variables stay."""
    if type(layer) is keras.layers.BatchNormalization:
        layer.__class__ = FusedBatchNorm
