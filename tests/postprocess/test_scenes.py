"""A scene in stripes gives the numbers of the scene in one piece."""

from itertools import pairwise

import numpy as np
import pytest

from segcore.postprocess import scenes
from segcore.postprocess.scenes import predict_stripe, stripes
from segcore.postprocess.tiles import plan_tiles, through_tiles

rng = np.random.default_rng(0)


def answer(tiles):
    """Probabilities that depend on the pixel and on where it lies in its tile."""
    for tile in tiles:
        place = np.linspace(0.1, 0.9, tile.shape[1], dtype=np.float32)
        one = tile[..., 0].astype(np.float32) / 255 * place
        yield np.stack([one, 1 - one], axis=-1)


@pytest.mark.parametrize("size", [(90, 1300), (600, 70), (40, 1100), (20, 20), (64, 64)])
@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_stripes_join_to_the_whole(size, overlap, monkeypatch):
    monkeypatch.setattr(scenes, "STRIPE_BYTES", 1)  # as narrow as may be: 512 columns
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    read = []

    def reader(top, left, height, width):
        read.append((height, width))
        part = image[top : top + height, left : left + width]
        assert part.shape[:2] == (height, width)  # never beyond the scene
        return part

    whole = np.concatenate(list(through_tiles(image, (64, 64), overlap, answer)))
    grid = plan_tiles(size, (64, 64), overlap)
    parts = [
        np.concatenate(list(predict_stripe(reader, grid, stripe, answer)))
        for stripe in stripes(size, (64, 64), 1)
    ]
    parted = np.concatenate(parts, axis=1)
    np.testing.assert_array_equal(parted, whole)
    assert max(height for height, _ in read) <= 64
    assert max(width for _, width in read) <= 512 + 2 * 64


def test_stripes_part_a_scene_and_narrow_with_the_classes():
    few, many = (stripes((30_000, 30_000), (256, 256), c) for c in (5, 150))
    for parts in (few, many):
        assert parts[0][0] == 0 and parts[-1][1] == 30_000
        assert all(a[1] == b[0] for a, b in pairwise(parts))
        assert all(left % 512 == 0 for left, _ in parts)
    assert len(few) < len(many)
    for parts, classes in ((few, 5), (many, 150)):
        widest = max(right - left for left, right in parts)
        assert widest == 512 or 256 * widest * classes * 4 <= scenes.STRIPE_BYTES
