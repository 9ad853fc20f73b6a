"""Runs: what is refused before anything is queued, and when a result is made again. No process is started."""

import dataclasses
import json

import numpy as np
import pytest

from segcore.cli import main
from segcore.config import ModelConfig, Range, RecipeConfig, SearchSpace, TrainConfig, TuneConfig
from segcore.data.balance.planner import BalanceGoal, plan_balance
from segcore.errors import SegcoreError
from segcore.labels import LabelMap
from segcore.postprocess.parameters import CRFParameters
from segcore.runs.queue import jobs
from segcore.workspace.runs.queue import ClusterWorker, QueuedRuns

CONFIG = TrainConfig(
    "tiny", ModelConfig("unet", "tiny", "none"), RecipeConfig(epochs=3), (32, 64), seed=40
)


def waiting(workspace) -> list[str]:
    return (
        [job.run for job in jobs.waiting(workspace.folder)]
        if (workspace.folder / "queue.sqlite").exists()
        else []
    )


def test_members_differ_in_seed_and_number_only(workspace, started) -> None:
    runs = workspace.runs.train(CONFIG, members=3)
    group = runs[0].rsplit("-", 1)[0]
    assert group.startswith("tiny-unet-tiny-")
    assert runs == [f"{group}-{m}" for m in (1, 2, 3)]
    for member, run in enumerate(runs):
        assert workspace.runs.open(run).config == dataclasses.replace(
            CONFIG, seed=40 + member, member=member, group=group
        )
    assert waiting(workspace) == runs
    assert {
        row.run: (row.status.state, row.status.epochs) for row in workspace.runs.rows()
    } == dict.fromkeys(runs, ("queued", 3))
    assert (
        all(command[:2] == ["-m", "segcore.runs.dispatch.dispatcher"] for command in started)
        and started
    )
    assert workspace.runs.train(CONFIG)[0].rsplit("-", 1)[0] != group


@pytest.mark.parametrize(
    ("changes", "members", "sentence"),
    [
        ({"dataset": "tinny"}, 1, "did you mean 'tiny'"),
        ({"train_split": "trian"}, 1, "did you mean 'train'"),
        ({"validation_split": "val"}, 1, "validation"),
        ({"label_map": "absent"}, 1, "label map"),
        ({"balance_plan": "absent"}, 1, "plan"),
        ({}, 0, "1 to 100"),
        ({}, 101, "1 to 100"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_it_is_queued(
    workspace, started, changes, members, sentence
) -> None:
    with pytest.raises(SegcoreError, match=sentence):
        workspace.runs.train(dataclasses.replace(CONFIG, **changes), members)
    assert workspace.runs.ids() == [] and waiting(workspace) == [] and started == []


def test_a_plan_for_another_split_is_refused_before_it_is_queued(workspace, started) -> None:
    plan = workspace.datasets.plan_balance("tiny", split="validation")
    workspace.datasets.save_plan("tiny", "of_validation", plan)
    with pytest.raises(
        SegcoreError,
        match=r"for the split 'train', received 'of_validation', which is one for 'validation'",
    ):
        workspace.runs.train(dataclasses.replace(CONFIG, balance_plan="of_validation"))
    assert waiting(workspace) == [] and started == []


def test_a_plan_for_images_that_left_the_split_is_refused(workspace, started) -> None:
    """Six training images that were planned for; then four others, of which some are new."""
    datasets = workspace.datasets
    datasets.save_plan("tiny", "even", datasets.plan_balance("tiny", "train"))
    planned = dataclasses.replace(CONFIG, balance_plan="even")
    assert workspace.launch.plan_mismatch(planned) is None
    datasets.make_splits("tiny", "random", {"train": 0.34, "validation": 0.66}, 3)
    left = {s.id for s in datasets.open("tiny").select("train")}
    unknown = len(left - datasets.open("tiny").load_plan("even")["repeats"].keys())
    with pytest.raises(SegcoreError, match=f"other images of train .*{unknown} of {len(left)} are"):
        workspace.runs.train(planned)
    search = TuneConfig("tiny", planned, SearchSpace(learning_rate=Range(1e-4, 1e-2)))
    with pytest.raises(SegcoreError, match="other images of train"):
        workspace.searches.start(search)
    assert waiting(workspace) == [] and started == []


def test_a_plan_that_misses_few_images_is_named_before_the_start(workspace) -> None:
    """The mismatch is counted by hand: 1 of 21 images is new, which is less than a tenth."""
    ids = [f"{number}" for number in range(20)]
    plan = plan_balance(np.ones((20, 2)), BalanceGoal(), sample_ids=ids, split="train")
    assert plan.mismatch("p", "train", ids) is None
    few = plan.mismatch("p", "train", [*ids, "new"])
    assert not few.refuses and "(1 of 21 are not in it): plan again" in few.message
    gone = plan.mismatch("p", "train", ids[:17])
    assert gone.refuses and "(3 of its 20 are no longer there)" in gone.message
    assert dataclasses.replace(plan, split="").mismatch("p", "train", ids[:3]) is None
    assert plan.mismatch("p", "test", ids).refuses


def test_without_a_validation_split_all_is_well(workspace, started) -> None:
    (run,) = workspace.runs.train(dataclasses.replace(CONFIG, validation_split=""))
    assert workspace.runs.open(run).config.validation_split == ""


@pytest.mark.parametrize("run", ["", "..", "../datasets", ".hidden", "tiny-unet-tiny-made-3"])
def test_an_unknown_run_is_refused(trained, run) -> None:
    with pytest.raises(SegcoreError):
        trained.workspace.runs.open(run)


def test_the_first_run_is_asked_for_where_there_is_none(workspace) -> None:
    with pytest.raises(SegcoreError, match="train one first"):
        workspace.runs.open("anything")


def test_runs_are_listed_newest_first(trained) -> None:
    rows = trained.workspace.runs.rows()
    assert rows[0].run == trained.ensemble
    assert [r.kind for r in rows] == ["evaluate", *["predict"] * 4, "train", "train"]
    wanted = {"run", "kind", "state", "dataset", "pid", "progress", "mean_iou"}
    assert all(wanted <= set(row.to_json()) for row in rows)


def test_a_score_says_its_split_and_its_size(trained) -> None:
    for row in trained.workspace.runs.rows():
        config = trained.workspace.runs.open(row.run).config
        if row.kind == "train":
            height, width = config.size
            assert row.scored_on == f"{config.validation_split}, {height} x {width}"
            assert (row.training_mean_iou, row.own_size_mean_iou) == (row.status.mean_iou, None)
        else:
            assert row.scored_on == f"{config.split}, own size"
            assert (row.training_mean_iou, row.own_size_mean_iou) == (None, row.status.mean_iou)


def test_a_result_that_is_newer_than_its_source_is_not_made_again(trained, started) -> None:
    runs, before = trained.workspace.runs, trained.workspace.runs.ids()
    assert runs.predict(trained.members[0], "test") == f"{trained.members[0]}--test"
    assert runs.ensemble(trained.members, "test", crf=CRFParameters()) == trained.ensemble
    assert runs.ids() == before and waiting(trained.workspace) == [] and started == []


def retrain(trained, member: str) -> None:
    trained.workspace.runs.open(member).write_status(finished=2_000_000_000.0)


def test_a_member_that_was_trained_again_is_predicted_again(trained, started) -> None:
    retrain(trained, trained.members[0])
    run = trained.workspace.runs.predict(trained.members[0], "test")
    assert waiting(trained.workspace) == [run]
    assert not trained.workspace.scores.has_counts(run, "test")
    assert trained.workspace.scores.has_counts(
        trained.members[0], "validation"
    )  # nobody asked for that


def test_an_evaluation_is_made_again_after_a_member_was_trained_again(trained, started) -> None:
    retrain(trained, trained.members[0])
    run = trained.workspace.runs.ensemble(trained.members, "test", crf=CRFParameters())
    assert run == trained.ensemble
    assert waiting(trained.workspace) == [f"{trained.members[0]}--test", run]
    (job,) = [job for job in jobs.waiting(trained.workspace.folder) if job.run == run]
    assert set(job.after) == {f"{m}--test" for m in trained.members}
    assert not trained.workspace.scores.has_counts(run, "test")


def test_an_evaluation_is_made_again_after_a_prediction_was_made_again(trained, started) -> None:
    trained.workspace.runs.open(f"{trained.members[1]}--test").write_status(
        started=1.9e9, finished=1.9e9 + 1
    )
    trained.workspace.runs.ensemble(trained.members, "test", crf=CRFParameters())
    assert waiting(trained.workspace) == [trained.ensemble]


def test_what_is_under_way_is_not_queued_twice(trained, started) -> None:
    runs = trained.workspace.runs
    first = runs.ensemble(trained.members, "train")
    assert waiting(trained.workspace) == [f"{m}--train" for m in trained.members] + [first]
    assert runs.ensemble(trained.members, "train") == first
    assert runs.predict_any(first, "train") == first
    assert waiting(trained.workspace) == [f"{m}--train" for m in trained.members] + [first]


def test_what_failed_is_queued_again_with_what_it_had(trained, started) -> None:
    run = trained.workspace.runs.open(trained.ensemble)
    run.write_status(state="interrupted", cause="killed")
    trained.workspace.runs.ensemble(trained.members, "test", crf=CRFParameters())
    assert waiting(trained.workspace) == [trained.ensemble]
    assert run.status().state == "queued"
    assert run.read_mask("test", "crf", "test/scene_0").shape == (32, 48)


def test_ensembles_are_told_apart_by_members_rule_crf_and_split(trained, started) -> None:
    ensemble, (one, two) = trained.workspace.runs.ensemble, trained.members
    made = [
        ensemble([one, two], "test"),
        ensemble([one], "test"),
        ensemble([one, two], "validation"),
        ensemble([one, two], "test", rule="geometric"),
        ensemble([one, two], "test", crf=CRFParameters(iterations=2)),
        trained.ensemble,
    ]
    assert len(set(made)) == len(made)
    assert trained.workspace.runs.on_split(trained.ensemble, "validation").endswith("--validation")
    assert trained.workspace.runs.on_split(one, "validation") == one


def test_an_evaluation_under_another_name_is_still_found_on_its_own_split(trained) -> None:
    """As when an evaluation was made before the CRF had a parameter that it has now, which is part of the name."""
    old = trained.workspace.runs.folder / "older-mean2-crf-000000--test"
    (trained.workspace.runs.folder / trained.ensemble).rename(old)
    assert trained.workspace.runs.on_split(old.name, "test") == old.name
    assert trained.workspace.scores.stages(old.name, "test") == ["ensemble", "crf"]
    assert trained.workspace.runs.on_split(old.name, "validation").endswith("--validation")


@pytest.mark.parametrize(
    ("members", "split", "rule", "sentence"),
    [
        ((0, 0), "train", "mean", "each member once"),
        ((), "train", "mean", "at least one member"),
        ((0, 1), "tset", "mean", "did you mean 'test'"),
        ((0, 1), "train", "meen", "did you mean 'mean'"),
        ((0, 1), "train", "weighted", "weight"),
    ],
)
def test_an_ensemble_that_cannot_be_is_refused_before_anything_is_queued(
    trained, started, members, split, rule, sentence
) -> None:
    before = trained.workspace.runs.ids()
    with pytest.raises(SegcoreError, match=sentence):
        trained.workspace.runs.ensemble([trained.members[m] for m in members], split, rule=rule)
    assert trained.workspace.runs.ids() == before and waiting(trained.workspace) == []


def test_members_share_their_labels_and_are_training_runs(trained, made_up, started) -> None:
    dataset = trained.workspace.datasets.open("tiny")
    dataset.save_label_map(LabelMap(((0, 1), (2,), (3,)), "merged"))
    made_up.train("merged-1", label_map="merged")
    with pytest.raises(SegcoreError, match="trained with one label map"):
        trained.workspace.runs.ensemble([trained.members[0], "merged-1"], "train")
    for run in (trained.ensemble, f"{trained.members[0]}--test"):
        with pytest.raises(SegcoreError, match="training run"):
            trained.workspace.runs.ensemble([run], "test")
    assert waiting(trained.workspace) == []


def test_an_unfinished_member_cannot_predict(trained, made_up, started) -> None:
    made_up.train("early-1", state="running", finished=None)
    with pytest.raises(SegcoreError, match="wait for it"):
        trained.workspace.runs.predict("early-1", "test")


def test_waiting_ends_with_the_cause_of_what_went_wrong(trained, made_up) -> None:
    told = []
    trained.workspace.runs.wait(
        list(trained.members), progress=lambda done, total, what: told.append((done, total))
    )
    assert told == [(100, 100)]
    made_up.train("broken-1", state="failed", cause="The memory did not suffice.")
    with pytest.raises(SegcoreError, match="broken-1 ended as failed: The memory did not suffice"):
        trained.workspace.runs.wait([trained.members[0], "broken-1"])


def test_a_stop_and_a_resume_reach_the_queue(workspace, started) -> None:
    (run,) = workspace.runs.train(CONFIG)
    workspace.runs.stop(run)
    assert workspace.runs.open(run).status().state == "interrupted" and waiting(workspace) == []
    workspace.runs.resume(run)
    assert workspace.runs.open(run).status().state == "queued" and waiting(workspace) == [run]
    with pytest.raises(SegcoreError, match="stop it first"):
        workspace.runs.delete(run)


def test_a_deleted_run_takes_its_predictions_along_and_nothing_else(trained) -> None:
    one, two = trained.members
    trained.workspace.runs.delete(one)
    assert set(trained.workspace.runs.ids()) == {
        two,
        f"{two}--validation",
        f"{two}--test",
        trained.ensemble,
    }


def test_the_shell_prints_the_workers_of_a_cluster(workspace, monkeypatch, capsys) -> None:
    worker = ClusterWorker("one", "gpubox", threads=8, gpus=2, cpus=None)
    monkeypatch.setattr(QueuedRuns, "cluster_workers", lambda self: [worker])
    workspace.queue.set_cluster("tcp://localhost:8786")
    main(["cluster", "--workspace", str(workspace.folder), "--json"])
    (printed,) = json.loads(capsys.readouterr().out)["workers"]
    assert printed == {"name": "one", "host": "gpubox", "threads": 8, "gpus": 2, "cpus": None}
