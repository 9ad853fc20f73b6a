"""Batch normalisation in training: momentum, recomputed means, and means shared by devices.

A running mean forgets its start as ``momentum ** steps``. Where a network was designed for a
hundred thousand steps (Keras gives MobileNetV2 .999) and is trained for a few hundred, evaluation
still uses the start and is at chance while the training loss falls.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

REESTIMATION_BATCHES = 32
"""Most batches over which means are recomputed."""

SLOWEST, FASTEST = 0.99, 0.5
REMAINDER = 0.01
USUAL_STEPS = 44
"""After so many steps a momentum of .9 keeps :data:`REMAINDER` of the start."""


def fitting_momentum(steps_per_epoch: int, epochs: int) -> float:
    """Return the momentum with which running means keep a hundredth of their start after an epoch.

    ``momentum = .01 ** (1 / n)`` within .5 and .99. n is the steps of an epoch; where these are
    fewer than 44 (for which the answer is .9) it is 44, so that means are not taken over too few
    images, but at most a third of the whole run.
    """
    steps = max(steps_per_epoch, min(USUAL_STEPS, steps_per_epoch * epochs / 3))
    return float(min(SLOWEST, max(FASTEST, REMAINDER ** (1 / steps))))


def normalisations(model: keras.Model) -> list[Any]:
    """Return every batch normalisation of a network, in its order."""
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


def fit_momentum(model: keras.Model, steps_per_epoch: int, epochs: int) -> None:
    """Set the momentum of every batch normalisation to fit the schedule, before tracing."""
    for layer in normalisations(model):
        layer.momentum = fitting_momentum(steps_per_epoch, epochs)


def synchronise(model: keras.Model) -> None:
    """Compute the moments of every batch normalisation over all replicas, before tracing.

    Call it before the first step is traced.
    """
    for layer in normalisations(model):
        layer.synchronized = True


@contextmanager
def last_batch_only(layers: Iterable[Any]) -> Iterator[None]:
    """Make steps traced in the block keep the moments of their own batch, not a running mean."""
    kept = [(layer, layer.momentum) for layer in layers]
    for layer, _ in kept:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in kept:
            layer.momentum = momentum


class Moments:
    """Moments of several batches of one size, combined into those of all their values.

    mean = E[m_b], variance = E[v_b + m_b^2] - mean^2 over batches b with mean m_b and variance v_b.

    Args:
        layers: Batch normalisations that each step leaves the moments of its batch in (see
            :func:`last_batch_only`).
    """

    def __init__(self, layers: Iterable[Any]) -> None:
        self._layers = list(layers)
        self._sums: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]] = []
        self._batches = 0

    def add(self) -> None:
        """Add the moments of the batch that the layers saw last."""
        new = []
        for layer in self._layers:
            mean = np.asarray(layer.moving_mean.numpy(), np.float64)
            new.append((mean, np.asarray(layer.moving_variance.numpy(), np.float64) + mean**2))
        self._sums = (
            [(a + c, b + d) for (a, b), (c, d) in zip(self._sums, new, strict=True)]
            if self._batches
            else new
        )
        self._batches += 1

    def assign(self) -> None:
        """Put the moments of all batches into the layers."""
        for layer, (first, second) in zip(self._layers, self._sums, strict=False):
            mean = first / self._batches
            layer.moving_mean.assign(mean.astype(np.float32))
            layer.moving_variance.assign(
                np.maximum(second / self._batches - mean**2, 0).astype(np.float32)
            )
