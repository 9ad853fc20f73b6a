"""From trained members to one network: predicted, distilled or averaged, and judged, as workers do it."""

import dataclasses

import numpy as np
import pytest

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.light_worker.__main__ import work as light_work
from segcore.runs.queue.jobs import LIGHT_KINDS
from segcore.runs.queue.stopping import begin
from segcore.training.work import work

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def members(workspace, started, monkeypatch):
    """Two runs that continue a third, in a workspace whose queue starts nothing."""
    monkeypatch.setattr("segcore.evaluation.counts.bootstrap.MINIMUM", 3)  # test images there are
    recipe = RecipeConfig(
        loss="dice_focal", epochs=1, batch_size=6, augmentation="none", learning_rate=0.01
    )
    config = TrainConfig("tiny", ModelConfig("lraspp", "tiny", "none"), recipe, (32, 64))
    start = workspace.runs.train(config, 1, "start")
    carry_out(workspace, start)
    network = str(workspace.runs.open(start[0]).model_path)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, weights=network))
    members = workspace.runs.train(config, 2, "warm")
    carry_out(workspace, members)
    return members


def carry_out(workspace, names):
    """Do in this process what workers would do with these runs."""
    for name in names:
        run = workspace.runs.open(name)
        if run.status().state != "finished":
            if run.config.kind in LIGHT_KINDS:
                light_work(run)
            else:
                begin(run)
                work(run.folder)
        assert run.status().state == "finished", run.status().cause


def test_members_are_distilled_or_averaged_and_judged(workspace, members):
    networks, verdicts = workspace.one_networks, workspace.network_verdicts
    run = networks.distil(networks.student(members, {"epochs": 2}))
    after = workspace.runs.open(run).status().after
    assert set(after) == {f"{m}--train" for m in members}
    carry_out(workspace, [*after, run])
    folder = workspace.runs.open(run)
    records = folder.metrics()
    assert [r["epoch"] for r in records] == [1, 2] and np.isfinite(
        [r["loss"] for r in records]
    ).all()
    speed = folder.read_json("speed")["milliseconds"]
    assert set(speed) == {run, *members}
    carry_out(workspace, [f"{m}--test" for m in members if verdicts.prepare(run, "test")])
    carry_out(workspace, verdicts.prepare(run, "test"))
    verdicts.calibrate(run, "test")
    verdict = verdicts.verdict(run, "test")
    assert [row.role for row in verdict.rows] == ["student", "ensemble", "best member"]
    assert all(0 < row.mean_iou.value < 1 and row.mean_iou.is_known for row in verdict.rows)
    assert all(row.ece and row.milliseconds and row.megabytes for row in verdict.rows)
    assert verdict.rows[1].milliseconds == pytest.approx(sum(speed[m] for m in members))
    assert verdict.against_ensemble.difference.is_known

    average = networks.average(members)
    carry_out(workspace, [average])
    folder = workspace.runs.open(average)
    document = folder.read_json("averaging")
    alone = {m["run"]: m["mean_iou"] for m in document["members"]}
    assert set(alone) == set(members) and folder.status().mean_iou >= max(alone.values()) - 1e-9
    assert set(folder.read_json("speed")["milliseconds"]) == {average, *members}
    carry_out(workspace, [workspace.runs.predict(average, "test")])
    assert 0 < workspace.scores.report(average, "test").interval().value < 1
