"""One chosen map: it says what its parts say, and the null band is where random maps lie."""

import itertools
import json

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.compression.chosen_map import report_map
from segcore.evaluation.compression.compression import fold
from segcore.evaluation.compression.null_model import null_band
from segcore.evaluation.counts import scores
from segcore.labels import LabelMap
from tests.evaluation.compression.random_merge import random_merge_accuracy

TRAP = np.array([[50, 10, 0, 0], [8, 32, 0, 0], [0, 0, 70, 10], [0, 2, 8, 10]])
"""The worked trap of the metric contract: merging the first and last label resolves nothing."""


def images(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.poisson(TRAP) for _ in range(12)])


def test_the_trap_of_the_contract() -> None:
    study = report_map(TRAP[None], LabelMap(((0, 3), (1,), (2,))))
    assert (round(study.before.mean_iou, 3), round(study.after.mean_iou, 3)) == (0.620, 0.674)
    assert study.after.resolved_confusion == 0
    assert round(study.after.lift, 3) == -0.200
    assert (round(study.before.honest_accuracy, 3), round(study.after.honest_accuracy, 3)) == (
        0.632,
        0.497,
    )
    assert not study.lift.is_known  # one image has no interval


def test_iou_before_and_after_are_those_of_the_counts() -> None:
    counts, label_map = images(), LabelMap(((0, 1), (2,), (3,)))
    study = report_map(counts, label_map)
    total = counts.sum(0)
    assert study.class_iou.tolist() == scores.iou(total).tolist()
    assert study.group_iou.tolist() == scores.iou(fold(total, label_map)).tolist()
    assert study.after.mean_iou == pytest.approx(study.group_iou.mean())
    assert study.class_pixels.tolist() == total.sum(1).tolist()
    assert study.lift.value == pytest.approx(study.after.lift)
    assert study.lift.low <= study.after.lift <= study.lift.high


def test_no_merge_changes_nothing() -> None:
    study = report_map(images(), LabelMap.identity(4))
    assert study.after.accuracy == study.before.accuracy and study.after.retained_entropy == 1
    assert study.class_iou.tolist() == study.group_iou.tolist()
    json.dumps(study.to_json([5, 6, 7, 8]), allow_nan=False)


def test_a_map_of_other_labels_is_refused() -> None:
    with pytest.raises(SegcoreError, match="over 4 classes"):
        report_map(images(), LabelMap.identity(3))


def test_the_null_band_is_where_all_dealt_maps_lie() -> None:
    label_map = LabelMap(((0, 1), (2, 3)))
    total = TRAP.sum()
    every = []
    for order in itertools.permutations(range(4)):
        same = label_map.group_of[list(order)]
        every.append(TRAP[same[:, None] == same].sum() / total)
    low, high = null_band(TRAP, [label_map], draws=3000)[0]
    assert (low, high) == pytest.approx((np.quantile(every, 0.025), np.quantile(every, 0.975)))
    assert low <= random_merge_accuracy(np.trace(TRAP) / total, (2, 2)) <= high


def test_a_band_has_no_width_where_chance_has_no_choice() -> None:
    ends = null_band(TRAP, [LabelMap.identity(4), LabelMap(((0, 1, 2, 3),))])
    assert ends[0].tolist() == [np.trace(TRAP) / TRAP.sum()] * 2
    assert ends[1].tolist() == [1.0, 1.0]
    assert np.isnan(null_band(np.zeros((3, 3), int), [LabelMap.identity(3)])).all()
    assert null_band(TRAP, []).shape == (0, 2)
