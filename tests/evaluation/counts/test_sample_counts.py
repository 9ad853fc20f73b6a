"""Sparse counts answer like the array they stand for, in memory and on disk."""

import io
import tracemalloc

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.compression.compression import fold, fold_images
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.fixed_broken import FixedBroken
from segcore.evaluation.counts.packed_counts import decode_counts, encode_counts
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.labels import LabelMap

rng = np.random.default_rng(2)


@pytest.fixture
def dense():
    counts = rng.integers(0, 40, (7, 5, 5)) * (rng.random((7, 5, 5)) < 0.4)
    counts[2] = 0
    return counts


def test_it_answers_like_the_array(dense):
    counts = SampleCounts.of(dense)
    assert counts.shape == dense.shape and len(counts) == 7
    np.testing.assert_array_equal(np.asarray(counts), dense)
    for axis in (None, 0, 1, 2, -1, (1, 2), (0, 1), (0, 2), (0, 1, 2)):
        np.testing.assert_array_equal(counts.sum(axis), dense.sum(axis))
    np.testing.assert_array_equal(counts.right, dense.diagonal(axis1=1, axis2=2))
    for key in (3, -1, slice(1, 4), slice(None, None, -1), [4, 0], np.arange(7) % 2 == 0):
        np.testing.assert_array_equal(np.asarray(counts[key]), dense[key])
    for key in ((slice(None), 1, 3), (slice(None), 2), (4, 1, 3), (slice(0, 2), slice(0, 3))):
        np.testing.assert_array_equal(counts[key], dense[key])
    assert [m.tolist() for m in counts] == dense.tolist()
    with pytest.raises(IndexError):
        counts[7]


def test_every_score_is_that_of_the_array(dense):
    counts = SampleCounts.of(dense)
    for score in (*scores.SET_SCORES.values(), *scores.CLASS_SCORES.values()):
        np.testing.assert_array_equal(score(counts), score(dense))
        np.testing.assert_array_equal(score(counts.margins()), score(dense))


def test_stacks_joins_and_folds(dense):
    counts = SampleCounts.of(dense)
    np.testing.assert_array_equal(np.asarray(SampleCounts.stack(dense)), dense)
    np.testing.assert_array_equal(np.asarray(SampleCounts.join([counts[:3], counts[3:]])), dense)
    label_map = LabelMap(((0, 3), (1,), (2, 4)))
    folded = fold_images(counts, label_map)
    np.testing.assert_array_equal(np.asarray(folded), fold(dense, label_map))
    np.testing.assert_array_equal(np.asarray(counts), dense)
    with pytest.raises(SegcoreError, match="same classes"):
        SampleCounts.join([counts, folded])
    with pytest.raises(SegcoreError, match="same classes"):
        SampleCounts.stack([dense[0], dense[0, :2, :2]])


def test_a_class_that_is_only_predicted_counts_in_one_mean_and_not_in_the_other():
    counts = np.array([[8, 2, 0], [0, 6, 4], [0, 0, 0]])
    first, second = 8 / 10, 6 / 12
    assert scores.mean_iou(counts) == pytest.approx((first + second) / 3)
    assert scores.mean_iou_in_truth(counts) == pytest.approx((first + second) / 2)


def test_counts_of_earlier_versions_are_read(dense):
    for counts in (dense, np.zeros((0, 3, 3), np.int64)):
        ids = [f"image {i}" for i in range(len(counts))]
        buffer = io.BytesIO()
        np.savez_compressed(buffer, ids=np.array(ids, np.str_), counts=counts)
        names, back = decode_counts(buffer.getvalue())
        assert names == ids
        np.testing.assert_array_equal(np.asarray(back), counts)
        again = decode_counts(encode_counts(ids, back))
        assert again[0] == ids
        np.testing.assert_array_equal(np.asarray(again[1]), counts)


def packed(**changes):
    arrays = {
        "ids": np.array(["a", "b"]),
        "classes": np.array(2),
        "cells": np.array([3, 4]),
        "places": np.array([0, 3]),
        "ends": np.array([0, 1, 2]),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **(arrays | changes))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "changes",
    [
        {"cells": np.array([3, -4])},
        {"places": np.array([0, 4])},
        {"places": np.array([-1, 3])},
        {"ends": np.array([0, 2, 1])},
        {"ends": np.array([1, 1, 2])},
        {"ends": np.array([0, 2])},
        {"cells": np.array([3.0, 4.0])},
        {"classes": np.array(-2)},
        {"ids": np.array(["a"])},
    ],
)
def test_what_is_no_counts_is_damaged(changes):
    assert decode_counts(packed())[0] == ["a", "b"]
    with pytest.raises(SegcoreError, match="damaged"):
        decode_counts(packed(**changes))


def test_fixed_and_broken_pixels_of_many_images_and_classes_take_little_memory():
    """20,000 images x 150 classes: an array of int64 would take 3.6 GB for each of the two.

    A hundred images are drawn and stand there 200 times each.
    """
    images, classes = 20_000, 150
    draw = np.random.default_rng(0)
    tracemalloc.start()
    drawn = [
        SampleCounts.from_cells(
            draw.integers(1, 900, 12),
            np.sort(draw.choice(classes**2, 12, replace=False)),
            np.array([0, 12]),
            classes,
        )
        for _ in range(100)
    ]
    parts = [drawn[i % 100] for i in range(images)]
    pair = FixedBroken(
        tuple(map(str, range(images))), SampleCounts.join(parts), SampleCounts.join(parts[::-1]), 1
    )
    again = FixedBroken.from_json(pair.to_json())
    rows, net, values = again.hardest(3, 4), again.net, again.pixels()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 600e6
    assert again.cells == 2 * 12 * images and net.sum() == values.sum() == 0
    assert {name for name, _ in rows} <= set(again.sample_ids)
