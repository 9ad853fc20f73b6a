"""Decoding for Dice and IoU: brute force over every subset, and over every truth."""

import itertools

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.postprocess.components import apply_filter
from segcore.postprocess.parameters import MaskFilter
from segcore.postprocess.rank_decoding import STEPS, cut, expected_score, increment, rank_decode

PIXELS = 7


def on_grid(values) -> np.ndarray:
    """Probabilities as whole steps."""
    return np.rint(np.asarray(values) * STEPS) / STEPS


def draws(count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield on_grid(rng.beta(rng.uniform(0.3, 3), rng.uniform(0.3, 3), PIXELS).clip(0.001, 0.999))


def exact(p: np.ndarray, chosen: np.ndarray, score: str) -> float:
    """Expected score of a mask over all truths of independent pixels; an empty pair scores 1."""
    truths = np.array(list(itertools.product((0, 1), repeat=len(p))))
    weights = np.where(truths, p, 1 - p).prod(1)
    both, union = truths @ chosen, (truths | chosen).sum(1)
    parts, whole = (2 * both, both + union) if score == "dice" else (both, union)
    return float(weights @ np.where(union, parts / np.maximum(whole, 1), 1.0))


def subsets():
    return [np.array(s) for s in itertools.product((0, 1), repeat=PIXELS) if any(s)]


def chosen_by_cut(p: np.ndarray, score: str) -> np.ndarray:
    steps = np.rint(p * STEPS).astype(int)
    return (steps >= cut(np.bincount(steps, minlength=STEPS + 1), score)).astype(int)


@pytest.mark.parametrize("score", ["dice", "iou"])
def test_the_cut_is_the_best_of_all_subsets_by_the_approximation(score) -> None:
    for p in draws(60):
        best = max(
            float(expected_score(np.array([s.sum()]), np.array([p @ s]), p.sum(), score)[0])
            for s in subsets()
        )
        s = chosen_by_cut(p, score)
        own = expected_score(np.array([s.sum()]), np.array([p @ s]), p.sum(), score)[0]
        assert own == pytest.approx(best)


@pytest.mark.parametrize("score", ["dice", "iou"])
def test_the_cut_is_close_to_the_exact_optimum_and_beats_one_half(score) -> None:
    lost, beaten = [], []
    for p in draws(25, 1):
        best = max(exact(p, s, score) for s in subsets())
        own = exact(p, chosen_by_cut(p, score), score)
        assert own <= best + 1e-12
        lost.append(best - own)
        half = (p >= 0.5).astype(int)
        beaten.append(own - (exact(p, half, score) if half.any() else 0.0))
    assert np.mean(lost) < 0.005 and max(lost) < 0.05
    assert np.mean(beaten) > 0.02


@pytest.mark.parametrize("score", ["dice", "iou"])
def test_exact_when_nothing_is_unsure(score) -> None:
    p = np.array([1.0, 1, 0, 0, 1, 0, 0])
    assert chosen_by_cut(p, score).tolist() == p.astype(int).tolist()


@pytest.mark.parametrize("score", ["dice", "iou"])
def test_the_approximation_gets_closer_with_more_pixels(score) -> None:
    """E[1 / X] and 1 / E[X] meet as X grows."""
    errors = []
    for size in (3, 6, 12):
        rng, own = np.random.default_rng(3), []
        for _ in range(8):
            p = on_grid(rng.beta(1, 1, size))
            s = (p >= np.sort(p)[size // 2]).astype(int)
            about = expected_score(np.array([s.sum()]), np.array([p @ s]), p.sum(), score)[0]
            own.append(abs(about - exact(p, s, score)))
        errors.append(np.mean(own))
    assert errors[2] < 0.06
    if score == "dice":  # IoU is exact where the mask is sure to hold all: small from the start
        assert errors[0] > errors[1] > errors[2]


def test_a_hand_worked_increment() -> None:
    # has 2 pixels with 1.5 of 4: IoU 1.5 / (2 + 4 - 1.5) = 1/3; with one more of 0.5: 2 / 5
    assert increment(np.array([0.5]), 2, 1.5, 4.0, "iou")[0] == pytest.approx(2 / 5 - 1 / 3)
    # Dice 3 / (2 + 4 + 1) before, 4 / (3 + 4 + 1) after
    assert increment(np.array([0.5]), 2, 1.5, 4.0, "dice")[0] == pytest.approx(4 / 8 - 3 / 7)


@pytest.mark.parametrize("score", ["dice", "iou"])
def test_masks_of_several_classes_follow_the_rule_by_a_plain_loop(score) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        p = on_grid(rng.dirichlet(np.full(4, 0.5), (5, 6)))
        flat = p.reshape(-1, 4)
        claims = np.stack(
            [
                chosen_by_cut(flat[:, c], score) if flat[:, c].max() > 0.1 else np.zeros(30, int)
                for c in range(4)
            ]
        ).astype(bool)
        expected = []
        for j in range(30):
            owners = np.flatnonzero(claims[:, j])
            if len(owners) == 1:
                expected.append(owners[0])
                continue
            rises = []
            for c in range(4):
                alone = claims[c] & (claims.sum(0) == 1)
                have = (int(alone.sum()), flat[alone, c].sum(), flat[:, c].sum())
                rise = increment(flat[[j], c], *have, score)[0]
                rises.append(rise if flat[:, c].max() > 0.1 else -np.inf)
            expected.append(int(np.argmax(rises)))
        assert rank_decode(p.astype(np.float32), score).ravel().tolist() == expected


def test_sure_pixels_stay_as_they_are_and_a_rare_class_is_found() -> None:
    sure = np.zeros((6, 6, 3), np.float32)
    sure[..., 0] = 1
    sure[0, :, :] = (0, 1, 0)
    assert np.array_equal(rank_decode(sure), sure.argmax(-1))
    rare = np.full((40, 40, 2), (0.999, 0.001), np.float32)
    rare[:2, :2] = (0.6, 0.4)
    assert not rare.argmax(-1).any()
    assert (rank_decode(rare)[:2, :2] == 1).all() and rank_decode(rare).sum() == 4


def test_nothing_above_the_floor_is_argmax() -> None:
    flat = np.full((4, 4, 20), 0.05, np.float32)
    flat[..., 7] += 0.001
    assert (rank_decode(flat) == 7).all()


def test_it_is_a_step_like_the_filters() -> None:
    p = np.random.default_rng(0).dirichlet(np.full(3, 0.5), (8, 8)).astype(np.float32)
    for kind in ("rank_dice", "rank_iou"):
        step = MaskFilter(kind)
        assert np.array_equal(apply_filter(step, p), rank_decode(p, kind[5:]))
        assert step.describe().startswith("Decoding for")
    with pytest.raises(SegcoreError, match="no size"):
        MaskFilter("rank_iou", 3)


def test_other_scores_and_shapes_are_refused() -> None:
    with pytest.raises(SegcoreError, match="score to maximise"):
        rank_decode(np.ones((2, 2, 2), np.float32), "accuracy")
    with pytest.raises(SegcoreError, match="one image"):
        rank_decode(np.ones((2, 2), np.float32))
