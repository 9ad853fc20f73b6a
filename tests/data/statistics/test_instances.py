"""Components, sizes and places by hand."""

import numpy as np
import pytest

from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.data.statistics.instances import (
    SIZE_EDGES,
    collect_instances,
    count_components,
    locate_classes,
)
from segcore.labels import LabelClass, LabelSet

LABELS = LabelSet(tuple(LabelClass(i, f"c{i}", (i, i, i)) for i in range(3)))
MASK = np.array([[1, 1, 0, 255], [0, 0, 1, 0], [1, 0, 0, 0]])


def test_components_touch_by_corners_too():
    classes, sizes = count_components(MASK, 3)
    assert classes.tolist() == [0, 1, 1] and sorted(sizes[1:].tolist()) == [1, 3] and sizes[0] == 7


def test_places():
    heat = locate_classes(MASK, 3, (1, 2))
    assert heat.tolist() == [[[3 / 12, 4 / 12]], [[3 / 12, 1 / 12]], [[0, 0]]]
    assert locate_classes(MASK, 3, (3, 4)).sum() == pytest.approx(11 / 12)


def test_a_data_set(tmp_path):
    blank = np.zeros((3, 4, 3), np.uint8)
    dataset = write_dataset(
        tmp_path / "d",
        "d",
        LABELS,
        [
            ArraySample("a", blank, MASK, "train"),
            ArraySample("b", blank, np.zeros_like(MASK), "train"),
        ],
    )
    found = collect_instances(dataset, "train", grid=(3, 4))
    assert found.counts.tolist() == [[1, 2, 0], [1, 0, 0]]
    assert found.largest.tolist() == [12, 3, 0]
    assert found.median_size.tolist()[:2] == [9.5, 2] and np.isnan(found.median_size[2])
    assert found.histogram.sum(1).tolist() == [2, 2, 0] and found.histogram[1, :2].tolist() == [
        1,
        1,
    ]
    assert found.histogram.shape == (3, len(SIZE_EDGES) - 1)
    assert found.heat.sum(0) == pytest.approx(np.ones((3, 4)))
    assert found.heat[0, 0].tolist() == [0.5, 0.5, 1, 1]
