"""Oversampling rules from the literature, as balance plans: LVIS repeat factors and ML-ROS."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.catalog import BALANCE_RULES
from segcore.data.balance.planner import BalanceGoal, Outcome, describe_plan
from segcore.data.balance.plans import BalancePlan
from segcore.data.balance.search import find_floor
from segcore.data.statistics.imbalance import (
    Floats,
    label_imbalance,
    shares_of,
)
from segcore.errors import SegcoreError, unknown

Repeats = npt.NDArray[np.int64]


def repeat_factors(counts: npt.NDArray[Any], threshold: float = 0.5) -> Floats:
    """Repeat factor sampling: r_i = max over its classes of max(1, sqrt(t / f_c)).

    f_c is the fraction of images that contain class c.

    Gupta, Dollar, Girshick: LVIS, CVPR 2019.

    Args:
        counts: (N, C) pixels of each class in each image.
        threshold: t, the share of images below which a class is rare; above 0, at most 1.

    Returns:
        (N,) float64, 1 or more; an image without labels keeps 1.

    Raises:
        SegcoreError: The threshold is out of range.
    """
    if not 0 < threshold <= 1:
        raise SegcoreError(
            f"Expected a threshold above 0 and at most 1, received {threshold}: choose a "
            "share of the images."
        )
    present = np.asarray(counts) > 0
    frequency = np.maximum(present.mean(0), 1e-300)
    by_class = np.maximum(1.0, np.sqrt(threshold / frequency))
    return np.where(present, by_class, 1.0).max(1)


def round_factors(factors: Floats, rng: np.random.Generator) -> Repeats:
    """Round repeat factors to whole repeats at random, with the factors as their means.

    Args:
        factors: (N,) float64, 1 or more.
        rng: Source of randomness.

    Returns:
        (N,) int64.
    """
    whole = np.floor(factors)
    return (whole + (rng.random(len(factors)) < factors - whole)).astype(np.int64)


def clone_minority(counts: npt.NDArray[Any], share: float, rng: np.random.Generator) -> Repeats:
    """ML-ROS: clone random images of the labels that are rarer than usual.

    A label is in the minority while its IRLbl exceeds the MeanIR of the split without copies. By
    turns each such label clones one random image that holds it, until ``share`` more images are
    there or no label is left. Charte et al., Neurocomputing 2015.

    Args:
        counts: (N, C) pixels of each class in each image.
        share: Copies to add, as a share of N; 0 or more.
        rng: Source of randomness.

    Returns:
        (N,) int64 repeats, 1 or more.

    Raises:
        SegcoreError: The share is negative.
    """
    if share < 0:
        raise SegcoreError(f"Expected a share of 0 or more, received {share}: choose another.")
    present = np.asarray(counts) > 0
    images = present.sum(0)
    mean = float(np.nanmean(label_imbalance(images))) if images.any() else 1.0
    repeats = np.ones(len(present), np.int64)
    left = round(share * len(present))
    minority = [
        int(c) for c in np.flatnonzero(np.nan_to_num(label_imbalance(images), nan=0.0) > mean)
    ]
    holders = {c: np.flatnonzero(present[:, c]) for c in minority}
    while left > 0 and minority:
        for c in list(minority):
            if left == 0:
                break
            image = int(rng.choice(holders[c]))
            repeats[image] += 1
            images = images + present[image]
            left -= 1
            if label_imbalance(images)[c] <= mean:
                minority.remove(c)
    return repeats


def plan_by_rule(
    rule: str,
    counts: npt.NDArray[Any],
    goal: BalanceGoal | None = None,
    *,
    amount: float | None = None,
    seed: int = 0,
    sample_ids: Sequence[str] | None = None,
    split: str = "",
) -> BalancePlan:
    """Repeat images by a rule from the literature, and judge the result as a balance plan.

    Args:
        rule: "lvis" or "ml_ros".
        counts: (N, C) pixels of each class in each image of one split.
        goal: What the plan is judged by; repeats beyond its ``max_repeats`` are cut off, and its
            budget is replaced by the copies that the rule makes.
        amount: For "lvis" the threshold t (default 0.5), for "ml_ros" the share of copies (default
            0.25).
        seed: Seed of the rule's random choices.
        sample_ids: Ids of the N images; None for "0", "1", ...
        split: Name of the split, for the record.

    Returns:
        The plan; its floor is that of any plan with the same cap and at most as many copies.

    Raises:
        SegcoreError: The rule is unknown, an argument is out of range, or nothing is labelled.
    """
    if rule not in BALANCE_RULES or rule == "nearest":
        raise unknown("balance rule", rule, [name for name in BALANCE_RULES if name != "nearest"])
    goal = goal or BalanceGoal()
    contributions = goal.contributions(counts)
    table, rng = np.asarray(counts), np.random.default_rng(seed)
    if rule == "lvis":
        repeats = round_factors(repeat_factors(table, 0.5 if amount is None else amount), rng)
    else:
        repeats = clone_minority(table, 0.25 if amount is None else amount, rng)
    repeats = np.minimum(repeats, goal.max_repeats)
    copies = int(repeats.sum()) - len(repeats)
    before, after = shares_of(contributions.sum(0)), shares_of(repeats @ contributions)
    distance = goal.distance(before)
    start, end = (float(value) for value in distance.values(np.stack([before, after])))
    floor = find_floor(contributions, distance, goal.max_repeats, copies, start)
    path = ((0, start), (copies, end)) if copies else ((0, start),)
    outcome = Outcome(repeats, path, min(end, floor.value))
    return describe_plan(counts, replace(goal, budget=copies), outcome, sample_ids, split)
