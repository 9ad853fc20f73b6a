"""Where settings come from: Optuna's samplers over a search space, and its pruners."""

from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from segcore.config import Range, SearchSpace, TuneConfig

MEDIAN_STARTUP = 4
"""Trials that must have finished before one may be ended for being below their median."""


def propose(trial: optuna.trial.Trial, space: SearchSpace) -> dict[str, Any]:
    """Draw what is varied for one trial; what it has already stays as it is.

    Args:
        trial: A running trial, complete or interrupted while it was drawn.
        space: What is varied.

    Returns:
        One value for each name of the space.
    """
    values: dict[str, Any] = {}
    for name, span in space.varied:
        if isinstance(span, Range):
            values[name] = rounded(trial.suggest_float(name, span.low, span.high, log=True), span)
        else:
            values[name] = trial.suggest_categorical(name, list(span))
    return values


def rounded(value: float, span: Range) -> float:
    """Return a number with four digits, still within its range: nobody retypes seventeen."""
    return min(max(float(f"{value:.4g}"), span.low), span.high)


def build_sampler(config: TuneConfig, number: int) -> BaseSampler:
    """Return the sampler of one trial.

    Its seed is drawn from the search's and the trial's number, so that a search that was stopped or
    killed continues with the settings that it would have had.

    Args:
        config: The search.
        number: The trial's number, from 0.
    """
    seed = int(np.random.SeedSequence([config.seed, number]).generate_state(1)[0])
    if config.sampler == "tpe":
        return TPESampler(seed=seed, n_startup_trials=max(3, min(10, config.planned // 3)))
    return RandomSampler(seed=seed)


def build_pruner(config: TuneConfig) -> BasePruner:
    """Return what says after an epoch whether a trial should end; steps are epochs, from 1."""
    if config.pruner == "median":
        return MedianPruner(n_startup_trials=MEDIAN_STARTUP, n_warmup_steps=config.grace)
    if config.pruner == "hyperband":
        epochs = config.base.recipe.epochs
        return HyperbandPruner(
            min_resource=min(config.grace, epochs), max_resource=epochs, reduction_factor=3
        )
    return NopPruner()


def fixed_values(config: TuneConfig, number: int) -> dict[str, Any] | None:
    """Return the values that a trial must have; None leaves them to the sampler.

    They are a place on the grid, or the base's own values for the first trial.
    """
    if config.sampler == "grid":
        return config.space.grid()[number]
    return config.first_values if number == 0 else None
