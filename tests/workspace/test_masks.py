"""Editing masks through the workspace: what a run was trained on is distinguished from what is there now."""

import dataclasses

import numpy as np

from segcore.data.editing.differences import class_changes
from segcore.runs.folder.environment import note_environment


def _edit(workspace, sample, rows, value):
    opened = workspace.masks.open("tiny", sample)
    mask = opened.mask.copy()
    mask[rows] = value
    workspace.masks.save("tiny", sample, mask, based_on=opened.digest, author="ada")
    return opened.mask, mask


def test_a_run_knows_which_masks_changed_after_it(workspace, made_up):
    _edit(workspace, "train/scene_1", slice(0, 2), 0)
    run = made_up.train("r001")
    note_environment(run.folder)
    assert workspace.masks.edited_since("r001") == []
    _edit(workspace, "train/scene_0", slice(0, 2), 2)
    _edit(workspace, "test/scene_0", slice(0, 2), 2)
    assert workspace.masks.edited_since("r001") == ["train/scene_0", "test/scene_0"]
    note_environment(run.folder)  # resumed: it read its data again
    assert workspace.masks.edited_since("r001") == []


def test_two_versions_are_compared_in_the_classes_of_today(workspace):
    before, after = _edit(workspace, "test/scene_0", slice(0, 6), 2)
    assert workspace.masks.difference("tiny", "test/scene_0", 1, 2) == class_changes(before, after)
    assert workspace.masks.difference("tiny", "test/scene_0", 2, 2) == ()
    assert np.array_equal(workspace.masks.version("tiny", "test/scene_0", 1), before)


def test_an_image_without_a_mask_opens_as_ignored_everywhere(workspace):
    dataset = workspace.datasets.open("tiny")
    bare = dataclasses.replace(dataset.samples[0], mask=None, mask_digest="")
    dataclasses.replace(dataset, samples=(bare, *dataset.samples[1:])).save()
    opened = workspace.masks.open("tiny", bare.id)
    assert opened.version == 0 and opened.digest == ""
    assert (opened.mask == dataset.label_set.ignore_index).all()
