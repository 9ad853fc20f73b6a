"""One network with its loss and optimizer on one or several devices; each step is traced once."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from segcore.errors import SegcoreError
from segcore.models.build import is_encoder_layer
from segcore.training.input.pipeline import Batch
from segcore.training.loop.metrics import batch_confusion
from segcore.training.loop.normalisation import Moments, last_batch_only, normalisations
from segcore.training.loop.optimizers import restart
from segcore.training.losses.base import SegmentationLoss

Outcome = tuple[Any, Any]
"""Loss, () float32, and confusion, (C, C) int32, of a batch; tensors, perhaps still computing."""


class Learner:
    """Runs training and validation steps.

    A plain ``tf.function`` around ``strategy.run``: it traces once where ``fit`` traces twice, and
    works on several machines, where ``fit`` does not. Gradients are those of the loss over the
    whole batch, for any number of replicas.

    Args:
        model: Images (B, H, W, 3) float32 0..255 to logits (B, H, W, C).
        loss: Of masks and logits.
        optimizer: Will be built for the model's trainable variables, those of the encoder among
            them.
        strategy: The strategy under whose scope the others were built.
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
        strategy: tf.distribute.Strategy,
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
        self._jit = jit
        with strategy.scope():
            optimizer.build(self.variables)
        self._trace()
        self._vote = tf.function(self._vote_all, autograph=False)

    def _trace(self) -> None:
        """Forget the graphs of the steps: the next call of each builds it again."""
        self._train = tf.function(self._train_all, autograph=False, jit_compile=self._jit or None)
        self._validate = tf.function(
            self._validate_all, autograph=False, jit_compile=self._jit or None
        )
        self._observe = tf.function(self._observe_all, autograph=False)

    def freeze(self, frozen: bool) -> bool:
        """Freeze the encoder (its batch norm as in evaluation) or unfreeze it; return if changed.

        The optimizer is left as it is; see :meth:`thaw`.
        """
        if frozen == self.frozen:
            return False
        for layer in self._encoder:
            layer.trainable = not frozen
        self.frozen = frozen
        self._trace()
        return True

    def thaw(self) -> None:
        """Train everything from here on, the optimizer reset: the encoder has no moments yet."""
        self.freeze(False)
        restart(self.optimizer)

    def train(self, batch: Batch, learning_rate: float) -> Outcome:
        """Train on one batch."""
        self.optimizer.learning_rate = learning_rate
        return self._train(self._shard(batch.images), self._shard(batch.masks))

    def validate(self, batch: Batch) -> Outcome:
        """Score one batch without learning."""
        return self._validate(self._shard(batch.images), self._shard(batch.masks))

    def reestimate(self, batches: Iterable[Batch]) -> None:
        """Recompute the means of batch normalisation over these batches; frozen layers keep theirs.

        Wu, Johnson: Rethinking "batch" in BatchNorm, 2021 (PreciseBN).
        """
        layers = [layer for layer in normalisations(self.model) if layer.trainable]
        moments = Moments(layers)
        with last_batch_only(layers):
            for batch in batches:
                self._observe(self._shard(batch.images))
                moments.add()
        moments.assign()

    def agree(self, flag: bool) -> bool:
        """Return whether any process of this training raised the flag; all must call it."""
        if not self._several_processes:
            return flag
        return bool(self._vote(tf.constant(float(flag))).numpy() > 0)

    @property
    def _several_processes(self) -> bool:
        return isinstance(self.strategy, tf.distribute.MultiWorkerMirroredStrategy)

    def _vote_all(self, flag: Any) -> Any:
        return self.strategy.reduce(
            tf.distribute.ReduceOp.SUM, self.strategy.run(tf.identity, args=(flag,)), axis=None
        )

    def _train_all(self, images: Any, masks: Any) -> Outcome:
        return self._merge(self.strategy.run(self._train_one, args=(images, masks)))

    def _validate_all(self, images: Any, masks: Any) -> Outcome:
        return self._merge(self.strategy.run(self._validate_one, args=(images, masks)))

    def _observe_all(self, images: Any) -> None:
        self.strategy.run(self._observe_one, args=(images,))

    def _train_one(self, images: Any, masks: Any) -> Outcome:
        with tf.GradientTape() as tape:
            logits = self.model(tf.cast(images, tf.float32), training=True)
            loss = self.loss(masks, logits)
            share = tf.add_n([loss, *self.model.losses]) / self.strategy.num_replicas_in_sync
            scaled = self.optimizer.scale_loss(share)
        variables = self.model.trainable_variables
        self.optimizer.apply_gradients(
            list(zip(tape.gradient(scaled, variables), variables, strict=True))
        )
        return loss, self._count(masks, logits)

    def _validate_one(self, images: Any, masks: Any) -> Outcome:
        logits = self.model(tf.cast(images, tf.float32), training=False)
        return self.loss(masks, logits), self._count(masks, logits)

    def _observe_one(self, images: Any) -> None:
        self.model(tf.cast(images, tf.float32), training=True)

    def _count(self, masks: Any, logits: Any) -> Any:
        return batch_confusion(masks, logits, self.loss.num_classes, self.loss.ignore_index)

    def _merge(self, outcome: Outcome) -> Outcome:
        loss, confusion = outcome
        mean, total = tf.distribute.ReduceOp.MEAN, tf.distribute.ReduceOp.SUM
        return self.strategy.reduce(mean, loss, axis=None), self.strategy.reduce(
            total, confusion, axis=None
        )

    def _shard(self, array: npt.NDArray[Any]) -> Any:
        """Put this process's slice of a batch on its devices, an equal part on each."""
        replicas = self.strategy.num_replicas_in_sync // self.parts
        if self.strategy.num_replicas_in_sync == 1:
            return tf.constant(array)
        parts = np.split(array, replicas)
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group % replicas])
        )

    @property
    def parts(self) -> int:
        """How many processes train this network together; each feeds that part of every batch."""
        return (
            int(self.strategy.cluster_resolver.cluster_spec().num_tasks("worker"))
            if self._several_processes
            else 1
        )


def check_batch_size(batch_size: int, strategy: tf.distribute.Strategy) -> None:
    """Refuse a batch that does not divide among the devices.

    Raises:
        SegcoreError: It does not.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        near = batch_size // replicas * replicas or replicas
        raise SegcoreError(
            f"Expected a batch size that divides by {replicas} devices, received "
            f"{batch_size}: take {near}."
        )
