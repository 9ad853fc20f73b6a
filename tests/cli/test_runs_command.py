"""segscope runs: why a run failed, what is known of it, and what was done to it."""

import pytest

from segcore.config import ModelConfig, PredictConfig, RecipeConfig, TrainConfig
from segcore.formatting import interval
from segcore.installing import shell_command
from tests.conftest import TINY

CAUSE = "Expected one of cpu, received 'gpu:0': choose one of these."


@pytest.fixture
def failed(made_up) -> str:
    config = TrainConfig(
        TINY, ModelConfig("unet", "tiny", "none"), RecipeConfig(epochs=7), (32, 64), device="gpu:0"
    )
    folder = made_up.write("broken-1", config, state="failed", cause=CAUSE)
    folder.log_path.write_text("I1201 00:00 chatter\n[ 0.1 s] Device: gpu:0\nno such device\n")
    return folder.id


def test_evaluating_a_failed_run_says_why_it_failed(trained, trained_shell, failed) -> None:
    code, err = trained_shell("evaluate", failed)
    assert code == 2
    assert f"which failed ({CAUSE.rstrip('.')})" in err
    assert f"segscope runs resume {failed}" in err and f"segscope runs show {failed}" in err


def test_a_run_that_goes_on_is_to_be_waited_for(trained, trained_shell, made_up) -> None:
    run = made_up.train("busy-1", state="running", finished=None)
    code, err = trained_shell("evaluate", run.id)
    assert (code, "which is running: wait for it" in err) == (2, True)


def test_show_says_state_cause_config_log_and_next(trained, trained_shell, failed) -> None:
    shown = trained_shell("runs", "show", failed)
    assert shown.startswith("broken-1: training, failed")
    assert f"Cause: {CAUSE}" in shown
    assert f"Config: {shell_command('train', 'tiny')}" in shown and "--epochs 7" in shown
    assert "no such device" in shown and "chatter" not in shown
    assert f"  segscope runs resume {failed}" in shown
    found = trained_shell("runs", "show", failed, json_wanted=True)["runs"]
    assert [(row["run"], row["cause"]) for row in found] == [(failed, CAUSE)]
    assert found[0]["config"]["device"] == "gpu:0" and found[0]["best_epoch"] is None


def test_show_gives_the_last_epochs_and_the_best(trained, trained_shell) -> None:
    run = trained.members[0]
    found = trained_shell("runs", "show", run, json_wanted=True)["runs"][0]
    assert [line["epoch"] for line in found["last_epochs"]] == [1, 2]
    assert found["best_epoch"] == 2
    shown = trained_shell("runs", "show", run)
    assert "Best epoch: 2 of 2, mean IoU 30.0 % on validation" in shown
    assert "val mean IoU" in shown and f"segscope evaluate {run} --split test" in shown


def test_show_takes_every_kind_of_run(trained, trained_shell) -> None:
    for run in trained.workspace.runs.ids():
        assert trained_shell("runs", "show", run).startswith(f"{run}: ")


def test_a_run_in_the_place_of_an_action_is_shown(trained, trained_shell) -> None:
    run = trained.members[0]
    assert trained_shell("runs", run) == trained_shell("runs", "show", run)
    assert trained_shell("runs", run, trained.ensemble) == trained_shell(
        "runs", "show", run, trained.ensemble
    )
    assert trained_shell("runs", "shwo", run) == (
        2,
        "segscope: Unknown action 'shwo': did you mean 'show'?\n",
    )
    assert "Unknown run 'tiny-unet-tiny': did you" in trained_shell("runs", "tiny-unet-tiny")[1]


def test_list_keeps_to_the_runs_that_are_named(trained, trained_shell, failed) -> None:
    rows = trained_shell("runs", "list", trained.ensemble, failed, json_wanted=True)["runs"]
    assert [row["run"] for row in rows] == [trained.ensemble, failed]
    assert trained_shell("runs", "list", "brokn-1") == (
        2,
        "segscope: Unknown run 'brokn-1': did you mean 'broken-1'?\n",
    )
    assert f"Why a run failed: segscope runs show {failed}" in trained_shell("runs")


def test_delete_says_what_went_and_how_it_comes_back(trained, trained_shell) -> None:
    run = trained.members[0]
    said = trained_shell("runs", "delete", run)
    assert said.startswith(f"Deleted {run} with its 2 predictions ({run}--")
    assert said.count("\n") == 1
    assert f"within 30 days: segscope runs restore {run}" in said
    back = trained_shell("runs", "restore", run)
    assert back.startswith(f"Restored {run}, ") and f"{run}--test" in back
    gone = trained_shell("runs", "delete", run, f"{run}--test", json_wanted=True)["deleted"]
    assert sorted(gone) == [run, f"{run}--test", f"{run}--validation"]


def test_stop_and_resume_say_what_became_of_the_run(trained, trained_shell, failed, started):
    assert trained_shell("runs", "resume", failed) == f"{failed} is queued.\n"
    assert trained_shell("runs", "stop", failed).startswith(f"{failed} is stopped. Continue it")


def test_show_gives_a_score_with_its_interval(trained, trained_shell) -> None:
    report = trained.workspace.scores.report(trained.ensemble, "test", "crf")
    shown = trained_shell("runs", "show", trained.ensemble)
    assert f"95 % interval {interval(*report.interval().ends())}" in shown
    assert f"segscope runs show {trained.ensemble}" in trained_shell(
        "runs", "list", trained.ensemble
    )


def test_the_list_leads_to_the_run_that_failed_first_not_to_those_that_waited_for_it(
    trained, trained_shell, made_up, failed
) -> None:
    made_up.write(
        f"{failed}--test", PredictConfig(TINY, failed, "test"), state="failed", started=3e9
    )
    shown = trained_shell("runs")
    assert f"Why a run failed: segscope runs show {failed}\n" in shown
