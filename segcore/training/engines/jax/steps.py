"""Steps compiled by JAX: functions from values to values, the old ones' buffers given away."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import numpy.typing as npt

from segcore.training.engines.jax.devices import Strategy

Outcome = tuple[Any, Any]
Values = list[Any]

OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {}
"""Keras' own are compiled into the step."""


class Steps:
    """What is done with one batch, compiled once each.

    A step takes the values of all variables and returns new ones, which the variables hold
    afterwards; the buffers of the old ones are reused. On several devices every batch is divided
    among them and XLA adds up the rest: loss, gradients and moments are those of the whole batch.

    Args:
        model: Images (B, H, W, 3) float32 0..255 to logits (B, H, W, C).
        loss: Of masks and logits.
        optimizer: Built.
        strategy: The strategy under whose scope the others were built.
        count: Confusion, (C, C) int32, of masks and logits.
        jit: No matter: every step is compiled by XLA.
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
        self._sharding: Any = None
        if strategy.num_replicas_in_sync > 1:
            mesh = jax.sharding.Mesh(np.array(strategy.devices), ("batch",))
            self._sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
        self.forget()

    def forget(self) -> None:
        """Forget the compiled steps: the next call of each compiles it again."""
        self._trained = list(self.model.trainable_variables)
        self._fixed = list(self.model.non_trainable_variables)
        self._slots = list(self.optimizer.variables)
        self._train = jax.jit(self._train_values, donate_argnums=(0, 1, 2))
        self._validate = jax.jit(self._validate_values)
        self._observe = jax.jit(self._observe_values, donate_argnums=(1,))
        self._logits = jax.jit(self._logits_values)

    def train(self, images: npt.NDArray[np.uint8], masks: npt.NDArray[Any]) -> Outcome:
        """Train on one batch with the optimizer's rate."""
        groups = (self._trained, self._fixed, self._slots)
        outcome, new = self._train(*map(_values, groups), self._shard(images), self._shard(masks))
        for variables, values in zip(groups, new, strict=True):
            _assign(variables, values)
        return outcome

    def validate(self, images: npt.NDArray[np.uint8], masks: npt.NDArray[Any]) -> Outcome:
        """Score one batch without learning."""
        values = _values(self._trained), _values(self._fixed)
        return self._validate(*values, self._shard(images), self._shard(masks))

    def observe(self, images: npt.NDArray[np.uint8]) -> None:
        """Show a batch to the batch normalisations, and change nothing else."""
        fixed = self._observe(_values(self._trained), _values(self._fixed), self._shard(images))
        _assign(self._fixed, fixed)

    def logits(self, images: npt.NDArray[np.uint8]) -> Any:
        """Answer a few images, (B, H, W, C) float32."""
        return self._logits(_values(self._trained), _values(self._fixed), jnp.asarray(images))

    def agree(self, flag: bool) -> bool:
        """Return the flag: one process trains."""
        return flag

    def _train_values(
        self, trained: Values, fixed: Values, slots: Values, images: Any, masks: Any
    ) -> tuple[Outcome, tuple[Values, Values, Values]]:
        scale = list(zip(self.optimizer.variables, slots, strict=True))

        def scaled_loss(values: Values) -> tuple[Any, tuple[Any, Any, Values]]:
            logits, new, losses = self.model.stateless_call(
                values, fixed, images.astype("float32"), training=True, return_losses=True
            )
            loss = self.loss(masks, logits)
            with keras.StatelessScope(state_mapping=scale):  # the loss scale is a variable
                scaled = self.optimizer.scale_loss(sum(losses, loss))
            return scaled, (loss, logits, new)

        slope = jax.value_and_grad(scaled_loss, has_aux=True)
        (_, (loss, logits, fixed)), gradients = slope(trained)
        mapping = [*zip(self._trained, trained, strict=True), *scale]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            self.optimizer.apply(gradients, self._trained)
        new = [
            [scope.get_current_value(variable) for variable in variables]
            for variables in (self._trained, self._slots)
        ]
        return (loss, self._count(masks, logits)), (new[0], fixed, new[1])

    def _validate_values(self, trained: Values, fixed: Values, images: Any, masks: Any) -> Outcome:
        logits = self._logits_values(trained, fixed, images)
        return self.loss(masks, logits), self._count(masks, logits)

    def _observe_values(self, trained: Values, fixed: Values, images: Any) -> Values:
        return self.model.stateless_call(trained, fixed, images.astype("float32"), training=True)[1]

    def _logits_values(self, trained: Values, fixed: Values, images: Any) -> Any:
        return self.model.stateless_call(trained, fixed, images.astype("float32"), training=False)[
            0
        ]

    def _shard(self, array: npt.NDArray[Any]) -> Any:
        """Put a batch on the devices, an equal part on each."""
        return (
            jnp.asarray(array) if self._sharding is None else jax.device_put(array, self._sharding)
        )


def _values(variables: Sequence[Any]) -> Values:
    return [variable.value for variable in variables]


def _assign(variables: Sequence[Any], values: Values) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
