"""Layers that compute what Keras' do, in one operation where the engine has one for it."""

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


@keras.saving.register_keras_serializable(package="segcore")
class FusedConv2D(keras.layers.Conv2D):
    """Keras' convolution with its bias added by the engine's own operation.

    Keras adds it as a general sum, whose shapes are worked out seven times in a graph and its
    gradient; building those is a tenth of the time to the first step.
    """

    def call(self, inputs: Any) -> Any:
        """Convolve (B, H, W, D); same dtype."""
        add = primitives.add_bias
        if not (add and self.use_bias and self.data_format == "channels_last"):
            return super().call(inputs)
        outputs = add(self.convolution_op(inputs, self.kernel), self.bias)
        return outputs if self.activation is None else self.activation(outputs)


FUSED = {
    keras.layers.BatchNormalization: FusedBatchNorm,
    keras.layers.Conv2D: FusedConv2D,
}


def fuse(layer: keras.layers.Layer) -> None:
    """Turn a layer of Keras into its fused kind, in place; its variables stay."""
    layer.__class__ = FUSED.get(type(layer), type(layer))
