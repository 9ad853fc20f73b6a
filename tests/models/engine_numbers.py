"""What an engine computes for a tiny network: ``KERAS_BACKEND=ENGINE python engine_numbers.py OUT``.

Weights and batch come from one seed, so every engine gets the same. OUT, an .npz, holds for each
architecture the logits, the loss and its gradients, each gradient as its norm and its product with
a random array; and the value and gradient of every loss.
"""

import sys

import keras
import numpy as np
from keras import ops

from segcore.catalog import LOSSES
from segcore.config import ModelConfig
from segcore.data.bands.band_set import BandSet
from segcore.data.bands.learned import LearnedBands
from segcore.models.build import build_model
from segcore.models.encoders.stem import transfer
from segcore.models.weights.weights import variables_of
from segcore.training.losses.losses import build_loss

ARCHITECTURES = ("unet", "danet", "ocrnet", "segnet", "pspnet", "unet_crf")
"""Between them they use every layer of this package."""
SIZE, CLASSES, IGNORE = (64, 96), 4, 255


def gradients(function, values):
    """Value of a function of arrays, () float, and its gradients by them."""
    engine = keras.backend.backend()
    if engine == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415

        tensors = [tf.constant(v) for v in values]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            loss = function(tensors)
        return float(loss), [np.asarray(g) for g in tape.gradient(loss, tensors)]
    if engine == "jax":
        import jax  # noqa: PLC0415

        loss, slopes = jax.value_and_grad(function)([ops.convert_to_tensor(v) for v in values])
        return float(loss), [np.asarray(g) for g in slopes]
    import torch  # noqa: PLC0415

    tensors = [torch.tensor(v, requires_grad=True) for v in values]
    loss = function(tensors)
    loss.backward()
    return float(loss.detach()), [t.grad.numpy() for t in tensors]


def loss_of(model, images, masks, loss):
    """Loss of a batch as a function of the trained variables' values.

    One network is taken in training. The others draw their dropout otherwise in each engine, or
    normalise a handful of values, where a rounding of 1e-7 grows to 1e-2 of a gradient.
    """
    training = model.name.startswith("pspnet")

    def function(values):
        fixed = [ops.convert_to_tensor(v.numpy()) for v in model.non_trainable_variables]
        logits, _ = model.stateless_call(values, fixed, images, training=training)
        return loss(masks, logits)

    return function


def numbers():
    """Everything that is compared, by name."""
    result = {}
    rng = np.random.default_rng(5)
    images = rng.uniform(0, 255, (2, *SIZE, 3)).astype(np.float32)
    masks = rng.integers(0, CLASSES, (2, *SIZE)).astype(np.uint8)
    masks[:, :3] = IGNORE
    for name in ARCHITECTURES:
        keras.backend.clear_session()
        config = ModelConfig(name, "tiny", "none", "standardise" if name == "unet" else "none")
        model = build_model(config, CLASSES, SIZE)
        for variable in model.variables:
            if "kernel" in variable.name:
                scale = (2 / max(1, np.prod(variable.shape[:-1]))) ** 0.5
                variable.assign(rng.normal(0, scale, variable.shape).astype(np.float32))
        logits = ops.convert_to_numpy(model(images, training=False))
        result[f"{name} logits"] = logits[:, ::4, ::4]
        values = [np.array(v.numpy()) for v in model.trainable_variables]
        loss = build_loss("dice_focal", CLASSES, IGNORE)
        value, slopes = gradients(
            loss_of(model, ops.convert_to_tensor(images), ops.convert_to_tensor(masks), loss),
            values,
        )
        result[f"{name} loss"] = np.array(value)
        result[f"{name} norms"] = np.array([np.linalg.norm(g) for g in slopes])
        products = [float((g * rng.normal(size=g.shape)).sum()) for g in slopes]
        result[f"{name} products"] = np.array(products)
    logits = rng.normal(0, 2, (2, 6, 8, CLASSES)).astype(np.float32)
    labels = rng.integers(0, CLASSES, (2, 6, 8)).astype(np.uint8)
    labels[rng.random(labels.shape) < 0.2] = IGNORE
    truth = ops.convert_to_tensor(labels)
    for name in sorted(LOSSES):
        loss = build_loss(name, CLASSES, IGNORE, [1.0, 2.0, 0.5, 3.0])
        value, slopes = gradients(lambda v, loss=loss: loss(truth, v[0]), [logits])
        result[f"loss {name}"], result[f"loss gradient {name}"] = np.array(value), slopes[0]
    result["bands logits"] = band_numbers(rng)
    return result


def band_numbers(rng):
    """Logits of a network over five bands whose stem was inflated from three channels."""
    keras.backend.clear_session()
    config = ModelConfig("unet", "tiny", "none")
    source = build_model(config, CLASSES, SIZE)
    for variable in source.variables:
        if "kernel" in variable.name:
            scale = (2 / max(1, np.prod(variable.shape[:-1]))) ** 0.5
            variable.assign(rng.normal(0, scale, variable.shape).astype(np.float32))
    bands = BandSet((1, 2, 3, 4, 5), ("nir", "red", "green", "blue", "height"), 5, "uint16")
    learned = LearnedBands(bands, (3000.0, 2000, 1500, 1000, 120), (800.0, 500, 400, 300, 12))
    model = build_model(config, CLASSES, SIZE, learned)
    transfer(source, model, list(variables_of(source)), bands.rgb, False)
    values = rng.normal(0, 1, (2, *SIZE, 5)) * learned.std + learned.mean
    answers = model(values.astype(np.float32), training=False)
    return ops.convert_to_numpy(answers)[:, ::4, ::4]


if __name__ == "__main__":
    np.savez_compressed(sys.argv[1], allow_pickle=False, **numbers())
