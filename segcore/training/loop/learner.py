"""One network with its loss and optimizer; what an engine does with a batch is in its ``Steps``."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from segcore.models.build import is_encoder_layer
from segcore.training.engines.engine import steps
from segcore.training.input.pipeline import Batch
from segcore.training.loop.metrics import batch_confusion
from segcore.training.loop.normalisation import Moments, last_batch_only, normalisations
from segcore.training.loop.optimizers import restart
from segcore.training.losses.base import SegmentationLoss

Outcome = tuple[Any, Any]
"""Loss, () float32, and confusion, (C, C) int32, of a batch; tensors, perhaps still computing."""


class Learner:
    """Runs training and validation steps.

    Gradients are those of the loss over the whole batch, for any number of devices.

    Args:
        model: Images (B, H, W, 3) float32 0..255 to logits (B, H, W, C).
        loss: Of masks and logits.
        optimizer: Will be built for the model's trainable variables, those of the encoder among
            them.
        strategy: The engine's strategy, under whose scope the others were built.
        jit: Whether XLA compiles the steps.

    Attributes:
        variables: Every variable that the optimizer knows, in its order.
        frozen: Whether the encoder is left as it is.
    """

    def __init__(
        self,
        model: keras.Model,
        loss: SegmentationLoss,
        optimizer: keras.optimizers.Optimizer,
        strategy: Any,
        jit: bool = False,
    ) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.strategy = strategy
        self.variables = list(model.trainable_variables)
        self.frozen = False
        self._encoder = [
            layer for layer in model.layers if is_encoder_layer(layer) and layer.trainable
        ]
        with strategy.scope():
            optimizer.build(self.variables)
        self._steps = steps.Steps(model, loss, optimizer, strategy, self._count, jit)

    def freeze(self, frozen: bool) -> bool:
        """Freeze the encoder (its batch norm as in evaluation) or unfreeze it; return if changed.

        The optimizer is left as it is; see :meth:`thaw`.
        """
        if frozen == self.frozen:
            return False
        for layer in self._encoder:
            layer.trainable = not frozen
        self.frozen = frozen
        self._steps.forget()
        return True

    def thaw(self) -> None:
        """Train everything from here on, the optimizer reset: the encoder has no moments yet."""
        self.freeze(False)
        restart(self.optimizer)

    def train(self, batch: Batch, learning_rate: float) -> Outcome:
        """Train on one batch."""
        self.optimizer.learning_rate = learning_rate
        outcome: Outcome = self._steps.train(batch.images, batch.masks)
        return outcome

    def validate(self, batch: Batch) -> Outcome:
        """Score one batch without learning."""
        outcome: Outcome = self._steps.validate(batch.images, batch.masks)
        return outcome

    def reestimate(self, batches: Iterable[Batch]) -> None:
        """Recompute the means of batch normalisation over these batches; frozen layers keep theirs.

        Wu, Johnson: Rethinking "batch" in BatchNorm, 2021 (PreciseBN).
        """
        layers = [layer for layer in normalisations(self.model) if layer.trainable]
        moments = Moments(layers)
        with last_batch_only(layers):
            for batch in batches:
                self._steps.observe(batch.images)
                moments.add()
        moments.assign()

    def agree(self, flag: bool) -> bool:
        """Return whether any process of this training raised the flag; all must call it."""
        return bool(self._steps.agree(flag))

    def logits(self, images: npt.NDArray[np.uint8]) -> Any:
        """Answer a few images, (B, H, W, C) float32."""
        return self._steps.logits(images)

    @property
    def parts(self) -> int:
        """How many processes train this network together; each feeds that part of every batch."""
        return int(self._steps.parts)

    def _count(self, masks: Any, logits: Any) -> Any:
        return batch_confusion(masks, logits, self.loss.num_classes, self.loss.ignore_index)
