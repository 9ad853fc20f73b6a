"""One network with its loss and optimizer, on one device or several; each kind of step is traced once."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from segcore.errors import SegcoreError
from segcore.training.metrics import batch_confusion
from segcore.training.pipeline import Batch
from segcore.training.segmentation_loss import SegmentationLoss

Outcome = tuple[Any, Any]
"""Loss, () float32, and confusion, (C, C) int32, of a batch; tensors that may still be on their way."""


class Learner:
    """Runs training and validation steps.

    A plain ``tf.function`` around ``strategy.run``: it traces once where ``fit`` traces twice, and
    works on several machines, where ``fit`` does not. Gradients are those of the loss over the
    whole batch, whatever the number of replicas.

    Args:
        model: Images (B, H, W, 3) float32 0..255 to logits (B, H, W, C).
        loss: Of masks and logits.
        optimizer: Will be built for the model's trainable variables.
        strategy: Under whose scope the others were made.

    Attributes:
        variables: Every variable that the optimizer knows, in its order.
    """

    def __init__(
        self, model: keras.Model, loss: SegmentationLoss, optimizer: keras.optimizers.Optimizer, strategy: tf.distribute.Strategy
    ) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.strategy = strategy
        self.variables = list(model.trainable_variables)
        with strategy.scope():
            optimizer.build(self.variables)
        self._train = tf.function(self._train_all, autograph=False)
        self._validate = tf.function(self._validate_all, autograph=False)

    def train(self, batch: Batch, learning_rate: float) -> Outcome:
        """Learn from one batch."""
        self.optimizer.learning_rate = learning_rate
        return self._train(self._shard(batch.images), self._shard(batch.masks))

    def validate(self, batch: Batch) -> Outcome:
        """Score one batch without learning."""
        return self._validate(self._shard(batch.images), self._shard(batch.masks))

    def _train_all(self, images: Any, masks: Any) -> Outcome:
        return self._merge(self.strategy.run(self._train_one, args=(images, masks)))

    def _validate_all(self, images: Any, masks: Any) -> Outcome:
        return self._merge(self.strategy.run(self._validate_one, args=(images, masks)))

    def _train_one(self, images: Any, masks: Any) -> Outcome:
        with tf.GradientTape() as tape:
            logits = self.model(tf.cast(images, tf.float32), training=True)
            loss = self.loss(masks, logits)
            share = tf.add_n([loss, *self.model.losses]) / self.strategy.num_replicas_in_sync
            scaled = self.optimizer.scale_loss(share)
        variables = self.model.trainable_variables
        self.optimizer.apply_gradients(list(zip(tape.gradient(scaled, variables), variables, strict=True)))
        return loss, self._count(masks, logits)

    def _validate_one(self, images: Any, masks: Any) -> Outcome:
        logits = self.model(tf.cast(images, tf.float32), training=False)
        return self.loss(masks, logits), self._count(masks, logits)

    def _count(self, masks: Any, logits: Any) -> Any:
        return batch_confusion(masks, logits, self.loss.num_classes, self.loss.ignore_index)

    def _merge(self, outcome: Outcome) -> Outcome:
        loss, confusion = outcome
        mean, total = tf.distribute.ReduceOp.MEAN, tf.distribute.ReduceOp.SUM
        return self.strategy.reduce(mean, loss, axis=None), self.strategy.reduce(total, confusion, axis=None)

    def _shard(self, array: npt.NDArray[Any]) -> Any:
        replicas = self.strategy.num_replicas_in_sync
        if replicas == 1:
            return tf.constant(array)
        parts = np.split(array, replicas)
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )


def check_batch_size(batch_size: int, strategy: tf.distribute.Strategy) -> None:
    """Refuse a batch that does not divide among the devices.

    Raises:
        SegcoreError: It does not.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        near = batch_size // replicas * replicas or replicas
        raise SegcoreError(f"Expected a batch size that divides by {replicas} devices, received {batch_size}: take {near}.")
