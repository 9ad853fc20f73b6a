"""What fixing bought: a clone and the run before, scored on the same masks; by hand where possible."""

import time

import numpy as np
import pytest

from segcore.config import TrainConfig
from segcore.errors import SegcoreError
from segcore.evaluation.counts.scores import mean_iou
from segcore.runs.folder.environment import note_environment
from segcore.workspace.retraining import LINK


def _edit(workspace, sample, rows, value):
    opened = workspace.masks.open("tiny", sample)
    mask = opened.mask.copy()
    mask[rows] = value
    workspace.masks.save("tiny", sample, mask, based_on=opened.digest, author="ada")
    return int((mask != opened.mask).sum())


@pytest.fixture
def fixed(workspace, made_up):
    """A run before three masks were edited, its clone after, and both predicted on test."""
    before = made_up.train("before")
    note_environment(before.folder)
    made_up.predict("before", "test", 0)
    note_environment(workspace.runs.open("before--test").folder)
    time.sleep(0.01)
    pixels = {
        "train": _edit(workspace, "train/scene_0", slice(0, 4), 2),
        "test": _edit(workspace, "test/scene_1", slice(0, 6), 2),
    }
    after = made_up.train("after")
    after.write_json(LINK, {"of": "before", "warm": True})
    note_environment(after.folder)
    made_up.predict("after", "test", 0)
    return workspace, pixels


def test_both_runs_are_scored_on_the_masks_of_today(fixed):
    workspace, pixels = fixed
    assert workspace.recounts.outdated("before", "test") == ["test/scene_1"]
    gain = workspace.retrainings.gain("after", "test")
    assert workspace.recounts.outdated("before", "test") == []
    assert gain.recounted == 1 and gain.images == 3 and not gain.comparison.reasons
    totals = [workspace.scores.counts(run, "test")[1].total for run in ("after", "before")]
    expected = float(mean_iou(totals[0]) - mean_iou(totals[1]))
    assert gain.comparison.difference.value == pytest.approx(expected)
    rows = {row.split: row for row in gain.work}
    assert {split: row.pixels for split, row in rows.items()} == pixels
    assert all((row.masks, row.labelled) == (1, 0) for row in rows.values())


def test_the_classes_touched_are_compared_apart(fixed):
    workspace, _ = fixed
    gain = workspace.retrainings.gain("after", "test")
    labels = workspace.datasets.open("tiny").label_set
    assert labels.class_names[2] in gain.touched
    ids = [labels.class_names.index(name) for name in gain.touched]
    if gain.touched_gain is None:
        assert len(ids) == labels.num_classes
        return
    iou = gain.comparison.class_iou[:, ids]
    assert gain.touched_gain.value == pytest.approx(float(np.nanmean(iou[0]) - np.nanmean(iou[1])))


def test_a_mask_set_back_to_what_it_was_is_no_work(fixed):
    workspace, _ = fixed
    for sample in ("train/scene_0", "test/scene_1"):
        digest = workspace.masks.open("tiny", sample).digest
        workspace.masks.restore("tiny", sample, 1, based_on=digest)
    assert workspace.retrainings.work("before") == ()


def test_a_clone_differs_in_its_start_alone(workspace, made_up, monkeypatch):
    before = made_up.train("before")
    asked = []

    def train(config, members=1, name=""):
        asked.append(config)
        made_up.train(f"clone-{len(asked)}")
        return [f"clone-{len(asked)}"]

    monkeypatch.setattr(workspace.runs, "train", train)
    with pytest.raises(SegcoreError, match="from scratch"):
        workspace.retrainings.start("before")
    before.model_path.write_bytes(b"a network")
    warm = workspace.retrainings.start("before")
    cold = workspace.retrainings.start("before", warm=False)
    config = before.config
    assert isinstance(config, TrainConfig)
    assert asked[0].model.weights == str(before.model_path) and asked[0].recipe == config.recipe
    assert asked[1] == config
    assert (warm.warm, cold.warm) == (True, False)
    assert (
        workspace.retrainings.of("clone-1") == warm and workspace.retrainings.of("before") is None
    )


def test_what_cannot_be_is_a_sentence(trained):
    workspace = trained.workspace
    with pytest.raises(SegcoreError, match="trained on labels"):
        workspace.retrainings.start(trained.ensemble)
    with pytest.raises(SegcoreError, match="segscope retrain"):
        workspace.retrainings.gain(trained.members[0], "test")
