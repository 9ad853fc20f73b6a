"""Scores belong to the masks they were counted with: edited ones are told, and counted anew from what is on disk."""

import time

import numpy as np
import pytest

from segcore.evaluation.counts.confusion import count_confusion
from segcore.runs.folder.environment import note_environment


@pytest.fixture
def scored(trained):
    """Runs that read their masks a moment ago, and one mask edited since."""
    workspace = trained.workspace
    for run in workspace.runs.ids():
        note_environment(workspace.runs.open(run).folder)
    time.sleep(0.005)  # versions are dated to the millisecond
    opened = workspace.masks.open("tiny", "test/scene_1")
    mask = opened.mask.copy()
    mask[:6] = 2
    workspace.masks.save("tiny", "test/scene_1", mask, based_on=opened.digest)
    return trained, mask


def test_the_edited_image_is_counted_anew_and_no_other(scored):
    trained, mask = scored
    workspace, run = trained.workspace, trained.members[0]
    ids, before = workspace.scores.counts(run, "test")
    stamp = workspace.scores.stamp(run, "test")
    assert workspace.recounts.outdated(run, "test") == ["test/scene_1"]
    assert workspace.recounts.recount(run, "test") == ["test/scene_1"]
    same, after = workspace.scores.counts(run, "test")
    assert same == ids and workspace.scores.stamp(run, "test") != stamp
    labels = workspace.scores.label_set(run)
    predicted = workspace.scenes.prediction(run, "test", "test/scene_1")
    place = ids.index("test/scene_1")
    wanted = count_confusion(mask, predicted, labels.num_classes, labels.ignore_index)
    assert np.array_equal(np.asarray(after)[place], wanted)
    others = np.arange(len(ids)) != place
    assert np.array_equal(np.asarray(after)[others], np.asarray(before)[others])
    assert workspace.recounts.outdated(run, "test") == []
    assert workspace.recounts.recount(run, "test") == []


def test_every_output_of_an_ensemble_is_counted_anew(scored):
    trained, mask = scored
    workspace, run = trained.workspace, trained.ensemble
    workspace.recounts.recount(run, "test")
    for stage in workspace.scores.stages(run, "test"):
        ids, counts = workspace.scores.counts(run, "test", stage)
        own = np.asarray(counts)[ids.index("test/scene_1")]
        labels = workspace.scores.label_set(run)
        assert own.sum() == (mask != labels.ignore_index).sum()
        assert np.array_equal(
            own.sum(1), np.bincount(mask[mask < labels.num_classes], minlength=len(own))
        )


def test_edits_of_another_split_outdate_nothing(scored):
    trained, _ = scored
    assert trained.workspace.recounts.outdated(trained.members[0], "validation") == []


def test_a_second_edit_is_outdated_again(scored):
    trained, _ = scored
    workspace, run = trained.workspace, trained.members[0]
    workspace.recounts.recount(run, "test")
    opened = workspace.masks.open("tiny", "test/scene_1")
    mask = opened.mask.copy()
    mask[-3:] = 0
    workspace.masks.save("tiny", "test/scene_1", mask, based_on=opened.digest)
    assert workspace.recounts.outdated(run, "test") == ["test/scene_1"]
