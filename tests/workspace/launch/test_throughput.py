"""A probe holds for its own config, data and machine, and for no other."""

import dataclasses

import pytest

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.runs.dispatch import throughput_probe
from segcore.runs.folder.run_folder import RunFolder

CONFIG = TrainConfig(
    "tiny", ModelConfig("unet", "tiny", "none"), RecipeConfig(epochs=2, batch_size=2), (32, 64)
)
TOLD = {
    "format": 1,
    "seconds_per_epoch": 7.5,
    "images_per_second": 2.0,
    "first_step": 1.0,
    "steps": 6,
    "memory": 3 << 30,
    "device": "CPU",
    "measured": 1e9,
}


@pytest.fixture
def measured(workspace, monkeypatch):
    """Measures end at once, with the same answer."""

    def start(folder, key, config):
        run = RunFolder.create(throughput_probe.probes_folder(folder), key, config)
        run.write_json("pace", TOLD)
        run.write_json("beside", {"runs": ["other"]})
        return run.write_status(state="finished")

    monkeypatch.setattr(throughput_probe, "start", start)
    return workspace.throughput


def test_a_measure_holds_for_all_that_changes_nothing_about_it(measured, trained):
    before = measured.expected(CONFIG)
    assert before.run in trained.members and before.epoch_seconds is None
    measured.start(CONFIG)
    pace = measured.wait(CONFIG)
    assert measured.expected(CONFIG) == pace
    assert (pace.epoch_seconds, pace.memory, pace.steps, pace.beside, pace.run) == (
        7.5,
        3 << 30,
        6,
        ("other",),
        "",
    )
    recipe = CONFIG.recipe
    same = [
        {"seed": 4},
        {"recipe": dataclasses.replace(recipe, epochs=90, learning_rate=1e-5)},
        {"model": ModelConfig("unet", "tiny", "/some/weights.npz")},
    ]
    other = [
        {"size": (64, 64)},
        {"recipe": dataclasses.replace(recipe, batch_size=4)},
        {"validation_split": ""},
        {"device": "gpu:0"},
        {"recipe": dataclasses.replace(recipe, augmentation="none")},
        {"model": ModelConfig("linknet", "tiny", "none")},
    ]
    for change in same:
        assert measured.expected(dataclasses.replace(CONFIG, **change)) == pace, change
    for change in other:
        found = measured.expected(dataclasses.replace(CONFIG, **change))
        assert found is None or found.epoch_seconds is None, change


def test_other_data_is_another_measure(measured, workspace):
    measured.start(CONFIG)
    dataset = workspace.datasets.open("tiny")
    dataset.with_splits(
        {
            sample.id: "train" if sample.split == "test" else sample.split
            for sample in dataset.samples
        }
    ).save()
    assert measured.expected(CONFIG) is None and measured.status(CONFIG) is None


def test_what_fails_says_why(measured, workspace, monkeypatch):
    with pytest.raises(SegcoreError, match="label map"):
        measured.start(dataclasses.replace(CONFIG, label_map="absent"))
    measured.start(CONFIG)
    (folder,) = throughput_probe.probes_folder(workspace.folder).iterdir()
    RunFolder(folder).write_json("pace", {**TOLD, "format": 2})
    with pytest.raises(SegcoreError, match="without a result"):
        measured.wait(CONFIG)
    RunFolder(folder).write_status(state="failed", cause="The memory did not suffice.")
    with pytest.raises(SegcoreError, match="memory did not suffice"):
        measured.wait(CONFIG)
