"""A run whose counts are worked out by hand."""

import pytest

from segcore.data.dataset.split_history import change_splits
from tests.workspace.hand_counts import BY_HAND


@pytest.fixture
def by_hand(workspace, made_up):
    """The workspace, in which the run hand-1 has these counts of the test split, two images."""
    tiny = workspace.datasets.open("tiny")
    change_splits(tiny, {s.id: s.split for s in tiny.samples} | {"test/scene_2": "train"}, "hand")
    made_up.train("hand-1")
    run = made_up.predict("hand-1", "test", 0)
    run.write_counts("test", "prediction", ["test/scene_0", "test/scene_1"], BY_HAND)
    return workspace
