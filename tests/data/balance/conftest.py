"""CamVid's training masks, counted once for all tests of this process."""

from pathlib import Path

import numpy as np
import pytest

from segcore.data.statistics.statistics import count_mask


@pytest.fixture(scope="session")
def camvid_counts(camvid_folder: Path) -> np.ndarray:
    """Pixels (367, 11) of each training image by class."""
    paths = sorted((camvid_folder / "masks" / "train").glob("*.png"))
    return np.array([count_mask(path, 256)[:11] for path in paths])
