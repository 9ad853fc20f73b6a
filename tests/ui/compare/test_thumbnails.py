"""The pictures of the filmstrip."""

import cv2
import numpy as np
import pytest

from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.ui.compare import panels
from tests.conftest import TINY_LABELS

RED, GREEN = (200, 30, 30), (30, 180, 30)


@pytest.mark.parametrize(("shape", "fitted"), [((400, 200), (78, 39)), ((100, 400), (28, 112))])
def test_a_thumbnail_holds_the_whole_image_upright_or_wide(workspace, shape, fitted) -> None:
    """The first and the last tenth of the longer side are in it, with the image's proportions."""
    axis = int(np.argmax(shape))
    image = np.full((*shape, 3), 128, np.uint8)
    along = np.moveaxis(image, axis, 0)
    tenth = len(along) // 10
    along[:tenth], along[-tenth:] = RED, GREEN
    folder = workspace.datasets.folder / "long"
    mask = np.zeros(shape, np.uint8)
    write_dataset(folder, "long", TINY_LABELS, [ArraySample("one", image, mask, "test")])
    webp = panels.thumbnail(workspace, "long", repr(shape), "one")
    drawn = cv2.imdecode(np.frombuffer(webp, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert drawn.shape[:2] == fitted
    ends = np.moveaxis(drawn, axis, 0).astype(int)
    assert np.abs(ends[0] - RED).max(initial=0) < 60
    assert np.abs(ends[-1] - GREEN).max(initial=0) < 60
