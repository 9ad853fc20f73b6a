"""A few real steps say how long an epoch takes, and leave nothing but what they say."""

import pytest

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.training import throughput_probe
from segcore.training.throughput_probe import probe_throughput, probed_config

pytestmark = pytest.mark.tensorflow


def test_steps_are_timed_and_nothing_else_is_kept(new_run, dataset, monkeypatch):
    monkeypatch.setattr(throughput_probe, "LEAST_SECONDS", 0.001)
    monkeypatch.setattr(throughput_probe, "LEAST_STEPS", 4)  # more than the three of an epoch
    run = new_run("timed", config={"balance_plan": ""})
    probe_throughput(run, dataset)
    result = run.read_json("pace")
    assert result["format"] == 1 and result["steps"] == 4 and result["device"] == "CPU"
    assert (
        result["images_per_second"] > 0
        and result["memory"] > 100 << 20
        and result["first_step"] > 0
    )
    step = 4 / result["images_per_second"]
    assert (
        result["seconds_per_epoch"] > 3 * step
    )  # 11 images in batches of 4; the rest is validation
    assert (
        run.metrics() == [] and not run.model_path.exists() and not any(run.checkpoints.iterdir())
    )
    assert run.status().progress == 1.0


def test_an_epoch_is_its_steps_and_its_validation(new_run, dataset, monkeypatch):
    monkeypatch.setattr(
        throughput_probe._ProbedTraining,
        "_time",
        lambda self, batches, make, begun: (9.0, 5, 0.5 if begun == 0 else 0.125),
    )
    run = new_run("summed")
    probe_throughput(run, dataset)
    assert (
        run.read_json("pace")["seconds_per_epoch"] == 3 * 0.5 + 2 * 0.125
    )  # 11 and 5 images in batches of 4
    alone = new_run("unvalidated", config={"validation_split": ""})
    probe_throughput(alone, dataset)
    assert (
        alone.read_json("pace")["seconds_per_epoch"] == 3 * 0.5
        and alone.read_json("pace")["images_per_second"] == 8.0
    )


def test_what_is_measured_is_the_whole_network_without_a_download(new_run, new_prediction, dataset):
    asked = TrainConfig(
        "shapes", ModelConfig(), RecipeConfig(freeze_epochs=3), submodels="one_vs_rest", seed=4
    )
    config = probed_config(asked)
    assert (config.model.weights, config.recipe.freeze_epochs, config.submodels) == ("none", 0, "")
    assert config.model.encoder == asked.model.encoder and config.seed == 4
    with pytest.raises(SegcoreError, match="training run"):
        probe_throughput(new_prediction(new_run("source")), dataset)
