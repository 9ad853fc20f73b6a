"""Optimizers by name, and the weights averaged over time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
from keras import ops

from segcore.config import RecipeConfig
from segcore.errors import unknown
from segcore.training.engines.engine import steps

_ADAM = steps.OPTIMIZERS.get("adam", keras.optimizers.Adam)

_BUILDERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "adam": _ADAM,
    "adamw": _ADAM,
    "sgd": partial(steps.OPTIMIZERS.get("sgd", keras.optimizers.SGD), momentum=0.9),
    "rmsprop": keras.optimizers.RMSprop,
}
"""Optimizer name (``catalog.OPTIMIZERS``) to builder; AdamW is Adam with weight decay."""

NOT_DECAYED = ["bias", "gamma", "beta"]
"""Variables whose names contain these are excluded from weight decay."""


def build_optimizer(recipe: RecipeConfig) -> keras.optimizers.Optimizer:
    """Build the optimizer of a recipe; under ``mixed_float16`` it scales the loss.

    Args:
        recipe: Says the optimizer, its rate, weight decay, gradient clipping and weight averaging.

    Raises:
        SegcoreError: The optimizer is unknown.
    """
    if recipe.optimizer not in _BUILDERS:
        raise unknown("optimizer", recipe.optimizer, _BUILDERS)
    keywords: dict[str, Any] = {"learning_rate": recipe.learning_rate}
    if recipe.optimizer == "adamw":
        keywords["weight_decay"] = recipe.weight_decay
    if recipe.clip_norm:
        keywords["global_clipnorm"] = recipe.clip_norm
    if recipe.average:
        keywords |= {"use_ema": True, "ema_momentum": recipe.average}
    optimizer = _BUILDERS[recipe.optimizer](**keywords)
    if "weight_decay" in keywords:
        optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
    if recipe.precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def restart(optimizer: keras.optimizers.Optimizer) -> None:
    """Reset an optimizer's moments and steps; its learning rate and loss scale stay.

    Called when variables join that had no gradients before. With the steps of the others on its
    clock, Adam would take their empty moments for converged ones: its first update of them would be
    sqrt((1 - b1)^2 / (1 - b2)), three times, too long.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    for variable in inner.variables:
        if variable is not inner._learning_rate:
            variable.assign(ops.zeros_like(variable.value))


@contextmanager
def averaged_weights(
    optimizer: keras.optimizers.Optimizer, variables: Sequence[Any]
) -> Iterator[None]:
    """Give the variables their running average while the block runs, if the optimizer keeps one.

    Polyak, Juditsky: Acceleration of stochastic approximation by averaging, SIAM J. Control Optim.
    1992.

    Args:
        optimizer: Built, from :func:`build_optimizer`.
        variables: Those that it was built for, in that order.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if not inner.use_ema:
        yield
        return
    trained = [variable.numpy() for variable in variables]
    inner.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, trained, strict=True):
            variable.assign(value)
