"""The demo scenes: what a mask may hold, what the seed decides, and how unbalanced the set is."""

import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset
from segcore.data.synthetic import LABEL_SET, make_synthetic
from segcore.data.synthetic.layout import fill, rectangle, smooth_curve, split_parcels, stroke
from segcore.data.synthetic.scene import draw_scene
from segcore.errors import SegcoreError


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return make_synthetic(tmp_path_factory.mktemp("made") / "demo", 3, {"train": 5, "test": 2})


def test_the_set_is_a_sound_dataset(small):
    assert small.splits == ["train", "test"]
    assert [len(small.select(s)) for s in small.splits] == [5, 2]
    assert Dataset.open(small.folder).fingerprint == small.fingerprint
    for sample in small.samples:
        image, mask = small.read(sample)
        assert image.shape == (192, 256, 3) and mask.shape == (192, 256)
        assert set(np.unique(mask)) <= {*range(12), 255}
        assert (mask[0] == 255).all() and (mask[:, -1] == 255).all()
        assert 25 < image.mean() < 200 and image.std() > 15


def test_a_scene_depends_on_seed_split_and_number_only(small, tmp_path):
    more = make_synthetic(tmp_path / "more", 3, {"train": 7, "validation": 1})
    for sample in small.select("train"):
        assert np.array_equal(more.read_image(more.sample(sample.id)), small.read_image(sample))
        assert more.sample(sample.id).mask_digest == sample.mask_digest
    other = make_synthetic(tmp_path / "other", 4, {"train": 1})
    assert other.samples[0].mask_digest != small.samples[0].mask_digest


def test_progress_counts_every_scene(tmp_path):
    seen = []
    make_synthetic(tmp_path / "x", 0, {"test": 2}, lambda *step: seen.append(step))
    assert seen == [(1, 2, "test-001"), (2, 2, "test-002")]


def test_wrong_wishes_leave_nothing_behind(tmp_path):
    for wish in ({"trian": 1}, {"train": -1}, {}):
        with pytest.raises(SegcoreError):
            make_synthetic(tmp_path / "x", 0, wish)
    with pytest.raises(SegcoreError):
        make_synthetic(tmp_path / "x", -1)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def scenes():
    """Pairs of image and mask."""
    return [draw_scene(np.random.default_rng([1, i]), (192, 256)) for i in range(24)]


def test_classes_are_strongly_unbalanced_and_all_there(scenes):
    counts = np.bincount(np.concatenate([mask.ravel() for _, mask in scenes]), minlength=256)
    assert (counts[:12] > 0).all()
    assert counts[:12].max() > 50 * counts[:12].min()
    assert 0.02 < counts[255] / counts.sum() < 0.15


def test_near_duplicates_look_nearly_the_same(scenes):
    means = {index: [] for index in (0, 2, 3, 5, 6)}
    for image, mask in scenes:
        for index, found in means.items():
            if (mask == index).sum() > 200:
                found.append(image[mask == index].mean(0))
    centre = {index: np.mean(found, 0) for index, found in means.items()}
    for a, b in ((2, 3), (5, 6)):
        assert np.linalg.norm(centre[a] - centre[b]) < 22
        assert np.linalg.norm(centre[a] - centre[0]) > 30
    assert len({c.color for c in LABEL_SET.classes}) == 12


def test_shapes_cover_their_area():
    assert fill((40, 60), [rectangle((30, 20), 20, 10, 0.4)]).sum() == pytest.approx(
        200, rel=0.12
    )  # the outline itself is drawn too
    line = smooth_curve(np.array([[5.0, 20.0], [30.0, 20.0], [55.0, 20.0]]))
    assert np.allclose(line[:, 1], 20) and stroke((40, 60), [line], 6)[
        :, 30
    ].sum() == pytest.approx(6, abs=0.5)


def test_parcels_tile_the_frame():
    polygons = split_parcels(np.random.default_rng(0), (64, 96), 0.3, 30)
    total = np.sum([fill((64, 96), [p]) > 0.5 for p in polygons], axis=0)
    assert len(polygons) > 3 and (total >= 1).mean() > 0.999 and (total > 1).mean() < 0.03
