"""Batch normalisation as Keras computes it, in one operation where the engine has one for it."""

from typing import Any

import keras

from segcore.models.engines.engine import primitives


@keras.saving.register_keras_serializable(package="segcore")
class FusedBatchNorm(keras.layers.BatchNormalization):
    """Keras' batch normalisation, ``gamma (x - m) / sqrt(v + e) + beta``, as one fused operation.

    Keras writes this out as a dozen operations, each of which reads or writes the whole map, and
    computes in float32 under any precision policy; their gradients are a dozen more. The fused
    operation reads a map twice, forward and backward, keeps no intermediate, and accepts half
    precision (its moments are float32 all the same). In evaluation nothing differs: there a
    constant product and sum fold into the convolution before. Several replicas, masks,
    renormalisation and engines without that operation are left to Keras. Ioffe, Szegedy: Batch normalization, ICML 2015.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise (B, H, W, D) over all but the last axis; same shape and dtype."""
        fused = primitives.fused_batch_norm
        alone = mask is None and not self.synchronized and not self.renorm
        if not (
            fused
            and training
            and self.trainable
            and alone
            and len(inputs.shape) == 4
            and self.axis in (-1, 3)
        ):
            return super().call(inputs, training=training, mask=mask)
        return fused(self, inputs)


def fuse(layer: keras.layers.Layer) -> None:
    """Turn a Keras batch normalisation into a fused one, in place; its variables stay."""
    if type(layer) is keras.layers.BatchNormalization:
        layer.__class__ = FusedBatchNorm
