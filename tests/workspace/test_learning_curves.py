"""Learning curves on disk: nested subsets, and scores that may be put on one curve."""

import dataclasses

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.training.input.pipeline import planned_samples


@pytest.fixture
def started(workspace, made_up, monkeypatch):
    """A curve of three sizes and two seeds; its runs are made up and predict test."""
    made_up.train("base")
    configs = {}

    def train(config, members=1, name=""):
        run = f"curve-{len(configs)}"
        configs[run] = config
        made_up.train(run)
        return [run]

    monkeypatch.setattr(workspace.runs, "train", train)
    workspace.learning_curves.start("base", [6, 2, 4], seeds=2)
    for number, run in enumerate(configs):
        made_up.predict(run, "test", number)
    return workspace, configs


def test_subsets_are_nested_and_of_the_sizes_that_were_asked_for(started):
    workspace, configs = started
    dataset = workspace.datasets.open("tiny")
    for seed in (0, 1):
        own = [c for c in configs.values() if c.seed == seed]
        images = [{s.id for s in planned_samples(dataset, "train", c.balance_plan)} for c in own]
        assert [len(one) for one in images] == [2, 4, 6]
        assert images[0] < images[1] < images[2]
    base = workspace.runs.open("base").config
    assert all(
        dataclasses.replace(c, balance_plan="", seed=base.seed) == base for c in configs.values()
    )


def test_the_curve_is_that_of_its_runs(started):
    workspace, _ = started
    curve = workspace.learning_curves.curve("base", "test", 6)
    assert curve.sizes == (2, 4, 6) and [len(row) for row in curve.scores] == [2, 2, 2]
    runs = workspace.learning_curves.runs("base", "test")
    assert all(one.scored for one in runs) and len(runs) == 6


def test_more_images_than_a_curve_can_say_are_refused_before_the_training(started):
    workspace, configs = started
    curves, begun = workspace.learning_curves, len(configs)
    assert curves.curve("base", "test").more == 6
    with pytest.raises(SegcoreError, match="received 50: choose 4"):
        curves.start("base", [1, 2, 4], more=50)
    assert len(configs) == begun
    with pytest.raises(SegcoreError, match="Expected 1 to 6 more images"):
        curves.curve("base", "test", 50)


def test_a_curve_that_is_only_looked_at_is_not_in_the_history(started):
    workspace, _ = started
    before = workspace.history.actions()
    assert workspace.learning_curves.predict("base", "test") == []
    assert workspace.history.actions() == before


def test_scores_on_other_masks_are_not_put_on_one_curve(started):
    workspace, _ = started
    opened = workspace.masks.open("tiny", "test/scene_0")
    mask = opened.mask.copy()
    mask[:4] = (mask[:4] + 1) % 4
    workspace.masks.save("tiny", "test/scene_0", mask, based_on=opened.digest)
    ids, counts = workspace.scores.counts("curve-0", "test")
    folder = workspace.scores.holder("curve-0", "test")
    folder.write_counts("test", "prediction", ids, np.asarray(counts[:])[:, ::-1])
    with pytest.raises(SegcoreError, match="same masks"):
        workspace.learning_curves.curve("base", "test", 6)


def test_what_cannot_be_is_a_sentence(workspace, made_up):
    made_up.train("base")
    with pytest.raises(SegcoreError, match="3 sizes or more from 1 to 6"):
        workspace.learning_curves.start("base", [2, 4])
    with pytest.raises(SegcoreError, match="3 sizes or more"):
        workspace.learning_curves.start("base", [2, 4, 9])
    with pytest.raises(SegcoreError, match="found 0"):
        workspace.learning_curves.curve("base", "test", 6)
    assert workspace.learning_curves.sizes("base") == (1, 3, 6)
