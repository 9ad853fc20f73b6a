"""The work list of suspected labels: planted errors come first, and nobody is asked twice."""

import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset
from segcore.data.editing.decisions import FILE_NAME
from segcore.errors import SegcoreError


@pytest.fixture
def planted(trained):
    """A confident run, and two masks of its test split damaged afterwards."""
    workspace, run = trained.workspace, trained.members[0]
    for sample, rows, value in (("test/scene_2", slice(28, 32), 3), ("test/scene_1", 30, 3)):
        opened = workspace.masks.open("tiny", sample)
        mask = opened.mask.copy()
        mask[rows, 5:40] = value
        workspace.masks.save("tiny", sample, mask, based_on=opened.digest)
    return workspace, run


def test_planted_errors_come_first(planted):
    workspace, run = planted
    made = workspace.fixes.make_list(run, "test")
    assert made.images[0].sample == "test/scene_2"
    assert workspace.fixes.work_list(run, "test") == made
    region = workspace.fixes.regions(run, "test", "test/scene_2")[0]
    assert region.given == 3 and {row for row, _, _ in region.rows} <= set(range(27, 33))
    regions = {i.sample: workspace.fixes.regions(run, "test", i.sample) for i in made.images}
    assert made.regions == sum(map(len, regions.values()))
    for image in made.images:
        assert image.gain == pytest.approx(sum(r.gain for r in regions[image.sample]))
    assert region == max(regions["test/scene_2"], key=lambda r: r.gain)


def test_what_was_decided_is_not_asked_again_whatever_is_measured_anew(planted):
    workspace, run = planted
    workspace.fixes.make_list(run, "test")
    first, *others = workspace.fixes.regions(run, "test", "test/scene_2")
    workspace.fixes.decide("tiny", "test/scene_2", [("kept", first)], author="ada")
    assert workspace.fixes.regions(run, "test", "test/scene_2") == others
    again = workspace.fixes.make_list(run, "test")
    left = {image.sample: image.regions for image in again.images}
    assert left.get("test/scene_2", 0) == len(others)


def test_an_accepted_region_is_gone_because_the_mask_says_so(planted):
    workspace, run = planted
    workspace.fixes.make_list(run, "test")
    first = workspace.fixes.regions(run, "test", "test/scene_2")[0]
    opened = workspace.masks.open("tiny", "test/scene_2")
    mask = opened.mask.copy()
    for row, start, end in first.rows:
        mask[row, start:end] = first.suggested
    workspace.masks.save("tiny", "test/scene_2", mask, based_on=opened.digest)
    assert first not in workspace.fixes.regions(run, "test", "test/scene_2")


def test_what_cannot_be_is_a_sentence(planted):
    workspace, run = planted
    assert workspace.fixes.work_list(run, "test") is None
    with pytest.raises(SegcoreError, match="make it first"):
        workspace.fixes.regions(run, "test", "test/scene_2")
    workspace.fixes.make_list(run, "test")
    region = workspace.fixes.regions(run, "test", "test/scene_2")[0]
    with pytest.raises(SegcoreError, match="Unknown decision"):
        workspace.fixes.decide("tiny", "test/scene_2", [("maybe", region)])
    (Dataset.open(workspace.datasets.folder / "tiny").folder / FILE_NAME).write_text("[1]")
    with pytest.raises(SegcoreError, match="remove it"):
        workspace.fixes.regions(run, "test", "test/scene_2")
    assert np.array(region.rows).shape[1] == 3
