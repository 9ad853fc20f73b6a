"""Steps as TensorFlow graphs, around ``strategy.run``."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from segcore.training.engines.tensorflow.optimizers import FusedAdam, FusedSGD

Outcome = tuple[Any, Any]

OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {"adam": FusedAdam, "sgd": FusedSGD}
"""Classes that replace Keras' own, by Keras' name in lower case."""


class Steps:
    """What is done with one batch, traced once each.

    A plain ``tf.function`` around ``strategy.run``: it traces once where ``fit`` traces twice, and
    works on several machines, where ``fit`` does not. Gradients are those of the loss over the
    whole batch, for any number of replicas.

    Args:
        model: Images (B, H, W, 3) float32 0..255 to logits (B, H, W, C).
        loss: Of masks and logits.
        optimizer: Built.
        strategy: The strategy under whose scope the others were built.
        count: Confusion, (C, C) int32, of masks and logits.
        jit: Whether XLA compiles the steps.
    """

    def __init__(
        self,
        model: keras.Model,
        loss: Callable[[Any, Any], Any],
        optimizer: keras.optimizers.Optimizer,
        strategy: tf.distribute.Strategy,
        count: Callable[[Any, Any], Any],
        jit: bool,
    ) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer
        self.strategy = strategy
        self._count = count
        self._jit = jit
        self._vote = tf.function(self._vote_all, autograph=False)
        self.forget()

    def forget(self) -> None:
        """Forget the graphs of the steps: the next call of each builds it again."""
        self._train = tf.function(self._train_all, autograph=False, jit_compile=self._jit or None)
        self._validate = tf.function(
            self._validate_all, autograph=False, jit_compile=self._jit or None
        )
        self._observe = tf.function(self._observe_all, autograph=False)

    def train(self, images: npt.NDArray[np.uint8], masks: npt.NDArray[Any]) -> Outcome:
        """Train on one batch with the optimizer's rate."""
        return self._train(self._shard(images), self._shard(masks))

    def validate(self, images: npt.NDArray[np.uint8], masks: npt.NDArray[Any]) -> Outcome:
        """Score one batch without learning."""
        return self._validate(self._shard(images), self._shard(masks))

    def observe(self, images: npt.NDArray[np.uint8]) -> None:
        """Show a batch to the batch normalisations, and change nothing else."""
        self._observe(self._shard(images))

    def logits(self, images: npt.NDArray[np.uint8]) -> Any:
        """Answer a few images, (B, H, W, C) float32.

        The network is called as it is, without a graph of its own, which would take longer to
        build than all its uses.
        """
        return self.model(tf.constant(images, tf.float32), training=False)

    def agree(self, flag: bool) -> bool:
        """Return whether any process of this training raised the flag; all must call it."""
        if not self._several_processes:
            return flag
        return bool(self._vote(tf.constant(float(flag))).numpy() > 0)

    @property
    def parts(self) -> int:
        """How many processes train this network together; each feeds that part of every batch."""
        return (
            int(self.strategy.cluster_resolver.cluster_spec().num_tasks("worker"))
            if self._several_processes
            else 1
        )

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
