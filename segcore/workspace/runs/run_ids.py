"""Ids of derived runs: the same question has the same id, so it is asked once."""

import hashlib
from typing import Any

from segcore.config import CRFSearchConfig, EvaluateConfig, RobustnessConfig, SubsetsConfig


def prediction_id(run: str, split: str) -> str:
    """Return the id of the run that holds a training run's predictions of a split."""
    return f"{run}--{split}"


def evaluation_id(config: EvaluateConfig) -> str:
    """Return the id of an evaluate run: its name or its members', what is done, the split."""
    if config.name:
        return f"{config.name}--{config.split}"
    asked: tuple[Any, ...] = (config.members, config.rule, config.crf)
    if config.weights or config.filter:
        asked = (*asked, config.weights, config.filter)
    what = (
        f"{config.rule}{len(config.members)}"
        + ("-crf" if config.crf else "")
        + ("-filter" if config.filter else "")
    )
    return f"{_stem(config.members)}-{what}-{_digest(asked)}--{config.split}"


def subsets_id(config: SubsetsConfig) -> str:
    """Return the id of a run over all subsets of some members."""
    digest = _digest((config.members, config.draws, config.seed))
    return f"{_stem(config.members)}-subsets{len(config.members)}-{digest}--{config.split}"


def crf_search_id(config: CRFSearchConfig) -> str:
    """Return the id of a search for CRF parameters."""
    asked = (
        config.members,
        config.rule,
        config.weights,
        config.candidates,
        config.objective,
        config.start,
        config.seed,
    )
    return (
        f"{_stem(config.members)}-crfsearch{len(config.members)}-{_digest(asked)}--{config.split}"
    )


def robustness_id(config: RobustnessConfig) -> str:
    """Return the id of a robustness run; an ensemble is named without its split."""
    asked = (config.corruptions, config.images, config.seed)
    stem = config.run.rsplit("--", 1)[0] if config.members else config.run
    return f"{stem}--{config.split}-robustness-{_digest(asked)}"


def _stem(members: tuple[str, ...]) -> str:
    return members[0].rsplit("-", 1)[0] if len(members) > 1 else members[0]


def _digest(asked: tuple[Any, ...]) -> str:
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:6]
