"""Steps as PyTorch makes them: eager, one after another."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import torch
from keras import ops

from segcore.training.engines.torch.devices import Strategy

Outcome = tuple[Any, Any]

OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {}
"""Keras' own update all variables by a few operations of PyTorch on lists."""


class Steps:
    """What is done with one batch.

    Args:
        model: Images (B, H, W, 3) float32 0..255 to logits (B, H, W, C).
        loss: Of masks and logits.
        optimizer: Built.
        strategy: The device that the others are on.
        count: Confusion, (C, C) int32, of masks and logits.
        jit: No: a config that asks for XLA is refused.
    """

    parts = 1

    def __init__(
        self,
        model: keras.Model,
        loss: Callable[[Any, Any], Any],
        optimizer: keras.optimizers.Optimizer,
        strategy: Strategy,
        count: Callable[[Any, Any], Any],
        jit: bool,
    ) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.strategy = strategy
        self._count = count

    def forget(self) -> None:
        """Nothing is compiled."""

    def train(self, images: npt.NDArray[np.uint8], masks: npt.NDArray[Any]) -> Outcome:
        """Train on one batch with the optimizer's rate."""
        truth = _tensor(masks)
        variables = list(self.model.trainable_variables)
        for variable in variables:
            variable.value.grad = None
        logits = self.model(_floats(images), training=True)
        loss = self.loss(truth, logits)
        self.optimizer.scale_loss(sum(self.model.losses, loss)).backward()
        gradients = [variable.value.grad for variable in variables]
        with torch.no_grad():
            self.optimizer.apply(gradients, variables)
            return loss.detach(), self._count(truth, logits)

    def validate(self, images: npt.NDArray[np.uint8], masks: npt.NDArray[Any]) -> Outcome:
        """Score one batch without learning."""
        with torch.no_grad():
            truth, logits = _tensor(masks), self.logits(images)
            return self.loss(truth, logits), self._count(truth, logits)

    def observe(self, images: npt.NDArray[np.uint8]) -> None:
        """Show a batch to the batch normalisations, and change nothing else."""
        with torch.no_grad():
            self.model(_floats(images), training=True)

    def logits(self, images: npt.NDArray[np.uint8]) -> Any:
        """Answer a few images, (B, H, W, C) float32."""
        with torch.no_grad():
            return self.model(_floats(images), training=False)

    def agree(self, flag: bool) -> bool:
        """Return the flag: one process trains."""
        return flag


def _tensor(array: npt.NDArray[Any]) -> Any:
    return ops.convert_to_tensor(array)


def _floats(images: npt.NDArray[np.uint8]) -> Any:
    return ops.cast(_tensor(images), "float32")
