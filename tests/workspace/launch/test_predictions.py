"""Predictions that follow a training: which splits, how much is kept, and that they wait for it."""

import dataclasses

import pytest

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.runs.queue import jobs
from segcore.workspace.launch.predictions import predicted_splits, storage_of

CONFIG = TrainConfig("tiny", ModelConfig("unet", "tiny", "none"), RecipeConfig(epochs=3), (32, 64))


def test_a_launched_training_is_followed_by_its_predictions(workspace, started) -> None:
    runs = workspace.launch.start(CONFIG, members=2)
    waiting = {job.run: job.after for job in jobs.waiting(workspace.folder)}
    for run in runs:
        assert waiting[f"{run}--validation"] == waiting[f"{run}--test"] == (run,)
    assert len(waiting) == 6
    workspace.runs.stop(f"{runs[0]}--test")
    assert workspace.runs.open(f"{runs[0]}--test").status().state == "interrupted"
    assert workspace.runs.open(runs[0]).status().state == "queued"


def test_the_switch_and_runs_that_nobody_launched_have_none(workspace, started) -> None:
    runs = workspace.launch.start(dataclasses.replace(CONFIG, predict_after=False))
    runs += workspace.runs.train(CONFIG)  # what searches, ablations and retrained merges call
    assert sorted(workspace.runs.ids()) == sorted(runs)


@pytest.mark.parametrize(
    ("changes", "splits"),
    [
        ({}, ["validation", "test"]),
        ({"validation_split": ""}, ["test"]),
        ({"validation_split": "test"}, ["test"]),
        ({"predict_after": False}, []),
    ],
)
def test_which_splits(workspace, changes, splits) -> None:
    dataset = workspace.datasets.open("tiny")
    assert predicted_splits(dataclasses.replace(CONFIG, **changes), dataset) == splits


def test_less_is_kept_of_large_splits() -> None:
    whole, size = storage_of(CONFIG, 10, 4, 1 << 40)
    assert whole == "whole" and size > 10 * 32 * 64
    assert storage_of(CONFIG, 10, 400, 40 * size)[0] == "top"
    assert storage_of(CONFIG, 10, 400, 100) == ("none", 0)
    large = dataclasses.replace(CONFIG, size=(512, 512))
    assert storage_of(large, 800, 59, 1 << 50)[0] == "top"
    assert storage_of(large, 4000, 59, 1 << 50)[0] == "none"


def test_the_disk_of_a_run_includes_its_predictions(workspace) -> None:
    after = workspace.launch.estimate(CONFIG).disk
    assert after > workspace.launch.estimate(dataclasses.replace(CONFIG, predict_after=False)).disk
