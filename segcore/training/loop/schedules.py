"""Learning rate schedules: plain functions of the share of the run that is done."""

import math
from collections.abc import Callable

from segcore.config import RecipeConfig
from segcore.errors import unknown

EXPONENTIAL_END = 0.01
POLYNOMIAL_POWER = 0.9
CYCLE_CLIMB = 0.3
CYCLE_START = 1 / 25
CYCLE_END = 1e-4
PLATEAU_FACTOR = 0.5


def _constant(done: float) -> float:
    return 1.0


def _exponential(done: float) -> float:
    return EXPONENTIAL_END**done


def _polynomial(done: float) -> float:
    return (1.0 - done) ** POLYNOMIAL_POWER


def _cosine(done: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * done))


def _step(done: float) -> float:
    return 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01


def _one_cycle(done: float) -> float:
    if done < CYCLE_CLIMB:
        return CYCLE_START + (1.0 - CYCLE_START) * (1.0 - _cosine(done / CYCLE_CLIMB))
    return CYCLE_END + (1.0 - CYCLE_END) * _cosine((done - CYCLE_CLIMB) / (1.0 - CYCLE_CLIMB))


_FACTORS: dict[str, Callable[[float], float]] = {
    "constant": _constant,
    "exponential": _exponential,
    "polynomial": _polynomial,
    "cosine": _cosine,
    "step": _step,
    "one_cycle": _one_cycle,
    "plateau": _constant,
}
"""Schedule name (``catalog.SCHEDULES``) to the factor on the first rate, by share done, 0..1."""


def learning_rate(recipe: RecipeConfig, epoch: float) -> float:
    """Return the learning rate at a point of a run.

    ``rate(t) = first * f((t - w) / (T - w))`` after w warm-up epochs of T, and ``first * t / w``,
    a straight climb, before.
    The plateau schedule is constant here; :func:`plateau_factor` comes on top.

    Args:
        recipe: Says the first rate, the schedule, its epochs and its warm-up.
        epoch: Epochs done, in fractions, 0..``recipe.epochs``.

    Raises:
        SegcoreError: The schedule is unknown.
    """
    if recipe.schedule not in _FACTORS:
        raise unknown("schedule", recipe.schedule, _FACTORS)
    warmup = recipe.warmup_epochs
    if epoch < warmup:
        return recipe.learning_rate * epoch / warmup
    done = (epoch - warmup) / (recipe.epochs - warmup) if recipe.epochs > warmup else 1.0
    return recipe.learning_rate * _FACTORS[recipe.schedule](min(done, 1.0))


def plateau_factor(recipe: RecipeConfig, epochs_since_best: int, factor: float) -> float:
    """Return the factor that the plateau schedule puts on the learning rate after an epoch.

    It is halved whenever another third of the patience (at least two epochs) has gone without a
    better score.

    Args:
        recipe: Says the schedule and the patience.
        epochs_since_best: Epochs since the best score, after the epoch that just ended.
        factor: The factor so far, 0..1.
    """
    wait = max(2, recipe.patience // 3)
    if recipe.schedule == "plateau" and epochs_since_best and epochs_since_best % wait == 0:
        return factor * PLATEAU_FACTOR
    return factor
