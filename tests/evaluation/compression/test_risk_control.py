"""Conformal risk control: the guarantee by simulation, and the definition by a plain loop."""

import itertools

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.compression.back_off import ROOT_ONLY, STEPS, ImageTally, Tally, tally_image
from segcore.evaluation.compression.back_off_report import report_back_off, threshold_words
from segcore.evaluation.compression.label_tree import LabelTree
from segcore.evaluation.compression.risk_control import achieved_risk, choose_threshold
from segcore.labels import LabelMap

CLASSES = 5
TREE = LabelTree.of_chain(
    [LabelMap.merging(CLASSES, [(0, 1)]), LabelMap.merging(CLASSES, [(0, 1), (2, 3)])],
    [f"class {i}" for i in range(CLASSES)],
)


def images(number: int, seed: int, drives: int = 0) -> list[ImageTally]:
    """Small images of uneven difficulty, over-confident; those of a drive are equally hard."""
    rng = np.random.default_rng(seed)
    hard = rng.beta(1.2, 2.5, drives or number)
    tallies = []
    for index in range(number):
        truth = rng.integers(0, CLASSES, (12, 12)).astype(np.uint8)
        logits = rng.normal(size=(12, 12, CLASSES))
        signal = rng.random((12, 12)) > hard[index % len(hard)]
        logits[signal, truth[signal]] += 3
        probabilities = np.exp(2 * logits)
        probabilities /= probabilities.sum(-1, keepdims=True)
        tallies.append(tally_image(TREE, probabilities.astype(np.float32), truth))
    return tallies


def joined(tallies: list[ImageTally], places) -> Tally:
    return Tally.join([str(i) for i in places], [tallies[i] for i in places])


def test_the_mean_risk_over_splits_is_at_most_the_promise() -> None:
    population, promise, rng = images(240, 0), 0.10, np.random.default_rng(1)
    risks = []
    for _ in range(500):
        order = rng.permutation(240)
        chosen = choose_threshold(joined(population, order[:80]), promise)
        test = joined(population, order[80:])
        errors = test.errors(chosen.value).sum(1) / test.true.sum(1)
        risks.append(errors.mean())
    error = np.std(risks) / np.sqrt(len(risks))
    assert np.mean(risks) <= promise + 2 * error
    assert np.mean(risks) >= promise - 2 / 81 - 2 * error  # not below, by overdoing it


def test_a_split_without_a_label_is_not_reported() -> None:
    threshold = choose_threshold(joined(images(20, 1), range(20)), 0.2)
    probabilities = np.full((4, 4, CLASSES), 1 / CLASSES, np.float32)
    labelled, void = (
        tally_image(TREE, probabilities, np.full((4, 4), value, np.uint8), True)
        for value in (0, 255)
    )
    report = report_back_off(TREE, threshold, joined([labelled], [0]))
    assert "Achieved on 1 other image:" in report.outcome()
    assert threshold_words(0.656) == "0.6560"
    assert threshold_words(ROOT_ONLY / STEPS).startswith("above 1")
    with pytest.raises(SegcoreError, match="found none in 2 images: report on another split"):
        report_back_off(TREE, threshold, joined([void, void], [0, 1]))


def test_whole_groups_keep_the_promise_where_single_images_break_it() -> None:
    """Eight drives of 40: images of a drive alike; new drives are drawn, not new images."""
    drives, each = 120, 6
    population = images(drives * each, 3, drives)
    promise, rng = 0.15, np.random.default_rng(4)
    risks: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(500):
        order = rng.permutation(drives)
        first = [d + drives * k for d in order[:8] for k in range(each)]
        second = [d + drives * k for d in order[8:] for k in range(each)]
        tally, test = joined(population, first), joined(population, second)
        for grouped in risks:
            groups = [str(i % drives) for i in first] if grouped else None
            value = choose_threshold(tally, promise, groups).value
            risks[grouped].append((test.errors(value).sum(1) / test.true.sum(1)).mean())
    error = np.std(risks[True]) / np.sqrt(500)
    assert np.mean(risks[True]) <= promise + 2 * error
    assert np.mean(risks[False]) > promise - 1 / 9 / 2 > np.mean(risks[True])


def test_the_threshold_is_the_definition_by_a_plain_loop() -> None:
    tally = joined(images(9, 5), range(9))
    for promise in (0.1, 0.15, 0.2, 0.3, 0.6, 1.0):
        for groups in (None, list("aabbbcccd")):
            value = ROOT_ONLY
            for threshold in range(ROOT_ONLY + 1):
                loss = tally.errors(threshold).sum(1) / tally.true.sum(1)
                if groups is not None:
                    names = np.array(groups)
                    loss = np.array([loss[names == g].mean() for g in sorted(set(groups))])
                n = len(loss)
                if n / (n + 1) * loss.mean() + 1 / (n + 1) <= promise + 1e-12:
                    value = threshold
                    break
            chosen = choose_threshold(tally, promise, groups)
            assert chosen.value == value
            assert chosen.unit == ("images" if groups is None else "groups")
            assert chosen.units == (9 if groups is None else 4)


def test_by_class_the_largest_threshold_of_all_classes_is_taken() -> None:
    tally = joined(images(30, 6), range(30))
    chosen = choose_threshold(tally, 0.2, by_class=True)
    values = []
    for label in range(CLASSES):
        for threshold in range(ROOT_ONLY + 1):
            loss = (tally.errors(threshold)[:, label] / tally.true[:, label]).mean()
            if 30 / 31 * loss + 1 / 31 <= 0.2:
                values.append(threshold)
                break
    assert chosen.value == max(values) > min(values)
    assert (chosen.risk <= 0.2).all()
    assert chosen.held.tolist() == [30] * CLASSES


def test_a_class_in_too_few_images_is_not_promised() -> None:
    tally = joined(images(30, 6), range(30))
    tally.true[2:, 4] = 0
    chosen = choose_threshold(tally, 0.2, by_class=True)
    assert chosen.promised.tolist() == [True] * 4 + [False]
    with pytest.raises(SegcoreError, match="in at least 99 calibration images"):
        choose_threshold(tally, 0.01, by_class=True)


def test_thresholds_fall_as_the_promise_rises_down_to_plain_argmax() -> None:
    tally = joined(images(40, 8), range(40))
    promises = np.linspace(0.01, 1, 60)
    values = [choose_threshold(tally, float(p)).value for p in promises]
    assert all(a >= b for a, b in itertools.pairwise(values))
    assert len(set(values)) > 10
    assert values[0] == ROOT_ONLY  # 1 / 41 of the promise is for the next image alone
    assert values[-1] == 0


@pytest.mark.parametrize("promise", [0, -0.1, 1.01, float("nan")])
def test_a_promise_that_is_no_share_is_refused(promise: float) -> None:
    with pytest.raises(SegcoreError, match="choose 5%"):
        choose_threshold(joined(images(3, 1), range(3)), promise)


def test_the_achieved_risk_is_the_mean_over_units_with_an_interval() -> None:
    tally = joined(images(24, 9), range(24))
    loss = tally.errors(3000).sum(1) / tally.true.sum(1)
    one = achieved_risk(tally, 3000)[0]
    assert one.value == pytest.approx(loss.mean())
    assert one.low < one.value < one.high
    assert (one.unit, one.groups) == ("images", 24)
    groups = [str(i // 3) if i < 15 else "rest" for i in range(24)]
    names = np.array(groups)
    own = achieved_risk(tally, 3000, groups)[0]
    assert own.value == pytest.approx(np.mean([loss[names == g].mean() for g in set(groups)]))
    assert (own.unit, own.groups) == ("groups", 6)
    by_class = achieved_risk(tally, 3000, by_class=True)
    assert by_class[1].value == pytest.approx((tally.errors(3000)[:, 1] / tally.true[:, 1]).mean())


def test_the_root_alone_has_no_risk_and_few_units_no_interval() -> None:
    tally = joined(images(4, 9), range(4))
    one = achieved_risk(tally, ROOT_ONLY)[0]
    assert one.value == 0
    assert not one.is_known
