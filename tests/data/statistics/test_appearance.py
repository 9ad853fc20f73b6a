"""Image figures against numpy."""

import numpy as np
import pytest

from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.data.statistics.appearance import collect_appearance
from segcore.labels import LabelClass, LabelSet


def test_figures_equal_numpy(tmp_path):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (h, 7, 3), dtype=np.uint8) for h in (5, 5, 6)]
    labels = LabelSet((LabelClass(0, "a", (0, 0, 0)),))
    samples = [
        ArraySample(str(i), image, np.zeros(image.shape[:2], int), "train")
        for i, image in enumerate(images)
    ]
    found = collect_appearance(write_dataset(tmp_path / "d", "d", labels, samples), "train")
    assert found.means == pytest.approx(np.array([i.mean((0, 1)) for i in images]))
    assert found.deviations == pytest.approx(np.array([i.std((0, 1)) for i in images]))
    assert found.brightness == pytest.approx(
        [float((i @ [0.299, 0.587, 0.114]).mean()) for i in images]
    )
    assert found.size_counts() == {(5, 7): 2, (6, 7): 1} and found.splits == ("train",) * 3
