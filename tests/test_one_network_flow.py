"""From the demo's members to one network: predicted, distilled or averaged, and judged, as workers do it."""

import dataclasses

import numpy as np
import pytest

from segcore.light_worker.__main__ import work as light_work
from segcore.runs.queue.jobs import LIGHT_KINDS
from segcore.training.work import work
from segcore.workspace import Workspace

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def demo(tmp_path, started):
    """A workspace with the demo, whose queue starts nothing; its first two members."""
    workspace = Workspace(tmp_path / "workspace")
    return workspace, workspace.demo.open().runs[:2]


def carry_out(workspace, names):
    """Do in this process what workers would do with these runs."""
    for name in names:
        run = workspace.runs.open(name)
        if run.status().state != "finished":
            if run.config.kind in LIGHT_KINDS:
                light_work(run)
            else:
                work(run.folder)
        assert run.status().state == "finished", run.status().cause


def test_a_student_of_the_demo_is_trained_and_judged(demo):
    workspace, members = demo
    networks, verdicts = workspace.one_networks, workspace.network_verdicts
    config = networks.student(members, {"epochs": 2, "batch_size": 8, "encoder": "tiny"})
    run = networks.distil(config)
    status = workspace.runs.open(run).status()
    assert set(status.after) == {f"{m}--train" for m in members}
    carry_out(workspace, status.after)
    folder = workspace.runs.open(run)
    carry_out(workspace, [run])
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


def test_members_of_the_demo_are_averaged_where_they_share_a_start(demo):
    """Two runs that continue one member, in its own words: --weights RUN/model.keras."""
    workspace, members = demo
    first = workspace.runs.open(members[0])
    model = dataclasses.replace(first.config.model, weights=str(first.model_path))
    recipe = dataclasses.replace(first.config.recipe, epochs=1, batch_size=8, class_weights="none")
    config = dataclasses.replace(first.config, model=model, recipe=recipe, group="", seed=3)
    runs = workspace.runs.train(config, 2, "warm")
    carry_out(workspace, runs)
    run = workspace.one_networks.average(runs)
    carry_out(workspace, [run])
    folder = workspace.runs.open(run)
    document = folder.read_json("averaging")
    alone = {m["run"]: m["mean_iou"] for m in document["members"]}
    assert set(alone) == set(runs) and folder.status().mean_iou >= max(alone.values()) - 1e-9
    assert set(folder.read_json("speed")["milliseconds"]) == {run, *runs}
    carry_out(workspace, [workspace.runs.predict(run, "test")])
    assert 0 < workspace.scores.report(run, "test").interval().value < 1
