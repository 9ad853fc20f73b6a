"""segscope ensemble: names of saved ensembles, intervals, and what the CRF did."""

import pytest

from segcore.cli.ensembles import _show_ensemble
from segcore.config import EvaluateConfig, TrainConfig
from segcore.evaluation.comparison.crf_effect import verdict
from segcore.evaluation.counts.bootstrap import Interval
from segcore.formatting import span
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace.runs.run_ids import evaluation_id
from tests.conftest import TINY


@pytest.fixture
def trio(trained, made_up) -> str:
    """An ensemble that was saved as "trio"."""
    config = EvaluateConfig(TINY, trained.members, "test", name="trio")
    run = made_up.write("trio--test", config)
    source = trained.workspace.runs.open(trained.ensemble)
    ids, counts = source.read_counts("test", "ensemble")
    run.write_counts("test", "ensemble", ids, counts)
    run.write_status(started=2e9, finished=2e9)
    return "trio"


def test_the_name_of_an_ensemble_is_taken_in_place_of_a_run(trained, trained_shell, trio, tmp_path):
    named = trained_shell("evaluate", trio, "--split", "test", json_wanted=True)
    assert named == trained_shell("evaluate", "trio--test", "--split", "test", json_wanted=True)
    page = tmp_path / "report.html"
    trained_shell("report", trio, "--split", "test", "--out", page)
    assert "trio" in page.read_text("utf-8")
    assert "accuracy" in trained_shell("compress", trio, "--split", "test")
    assert trained_shell("runs", "show", trio).startswith("trio--test: evaluation, finished")


def test_an_ensemble_in_an_ensemble_is_refused_with_its_members(trained, trained_shell, trio):
    code, err = trained_shell("ensemble", trio, trained.members[0], "--split", "test")
    assert code == 2
    assert "an ensemble cannot be a member of another: name its members instead" in err
    assert " ".join(trained.members) in err
    code, err = trained_shell("predict", trio, "--split", "test")
    assert "'trio--test', which is an ensemble" in err


def test_a_saved_ensemble_says_its_name_and_what_comes_next(trained, trained_shell, trio) -> None:
    shown = trained_shell("ensemble", *trained.members, "--split", "test", "--name", trio)
    assert "Saved as trio; next: segscope evaluate trio --split test\n" in shown
    assert "Saved as" not in trained_shell("ensemble", *trained.members, "--split", "test", "--crf")


def test_the_entry_without_a_name_is_named_and_none_is_made_anew(
    trained, trained_shell, trio
) -> None:
    words = ("ensemble", *trained.members, "--split", "test")
    shown = trained_shell(*words)
    assert "Saved as trio;" in shown and "without a name" not in shown
    config = EvaluateConfig(TINY, trained.members, "test")
    twin = evaluation_id(config)
    assert twin not in trained.workspace.runs.ids()
    RunFolder.create(trained.workspace.runs.folder, twin, config).write_status(state="queued")
    shown = trained_shell(*words, "--name", trio)
    assert f"also listed without a name, as {twin}" in shown
    assert f"segscope runs delete {twin}\n" in shown


@pytest.mark.parametrize("words", [("evaluate",), ("report",), ("ensemble",), ("runs", "list")])
def test_the_name_of_a_group_is_answered_by_its_runs(
    trained, trained_shell, made_up, tmp_path, words
) -> None:
    group = ("quartet-x3f2-1", "quartet-x3f2-2")
    for member, run in enumerate(group):
        config = TrainConfig(TINY, group="quartet-x3f2", member=member)
        made_up.write(run, config)
    out = ("--out", tmp_path / "r.html") if words == ("report",) else ()
    begun = "Expected a run, received 'quartet-x3f2', which is a group of 2 runs: name"
    code, err = trained_shell(*words, "quartet-x3f2", *out)
    assert (code, err) == (
        2,
        f"segscope: {begun} one of its runs, or combine them (segscope ensemble {' '.join(group)}).\n",
    )
    made_up.write("four--test", EvaluateConfig(TINY, group, "test", name="four"))
    code, err = trained_shell(*words, "quartet-x3f2", *out)
    assert err == f"segscope: {begun} its runs ({' '.join(group)}), or their ensemble four.\n"


def test_every_score_has_its_interval_and_the_crf_its_verdict(trained, trained_shell) -> None:
    words = ("ensemble", *trained.members, "--split", "test", "--crf")
    result = trained_shell(*words, json_wanted=True)
    lines = trained_shell(*words).splitlines()
    assert "95 % interval" in lines[0]
    for name, scores in [
        *((m["run"], m) for m in result["members"]),
        ("ensemble", result["ensemble"]),
        ("crf", result["crf"]),
    ]:
        (line,) = (one for one in lines if one.split(" ")[0] == name)
        assert span(*scores["interval"]["mean_iou"]) in line
    assert f"\n{result['ensemble']['how_sure']}\n" in "\n".join(lines)
    verdict = trained.workspace.crf.verdict(trained.ensemble, "test").sentence
    assert result["crf_verdict"] == verdict and verdict in lines


def test_a_crf_that_hurts_leads_to_the_search() -> None:
    scores = {"mean_iou": 0.5, "pixel_accuracy": 0.8, "interval": {"mean_iou": [0.4, 0.6]}}
    result = {
        "split": "test",
        "members": [{"run": "a", **scores}, {"run": "b", **scores}],
        "ensemble": scores,
        "crf": scores,
        "views": "",
        "crf_verdict": verdict("mean IoU", Interval(-0.02, -0.03, -0.01, 60, "images")),
    }
    shown = _show_ensemble(result)
    assert "The CRF hurts here" in shown
    assert "Search for one that helps: segscope crf-search a b" in shown
    result["crf_verdict"] = verdict("mean IoU", Interval(0.02, 0.01, 0.03, 60, "images"))
    assert "crf-search" not in _show_ensemble(result)


def test_a_crf_is_scored_alike_by_evaluate_and_runs(trained, trained_shell) -> None:
    run, scores = trained.ensemble, trained.workspace.scores
    crf = scores.report(run, "test", "crf").to_json()["mean_iou"]
    assert crf != scores.report(run, "test", "ensemble").to_json()["mean_iou"]
    row = next(r for r in trained_shell("runs", json_wanted=True)["runs"] if r["run"] == run)
    found = trained_shell("evaluate", run, "--split", "test", json_wanted=True)
    assert found["stage"] == "crf" and found["mean_iou"] == crf == row["mean_iou"]
    shown = trained_shell("evaluate", run, "--split", "test")
    assert "Output: Ensemble + CRF; another by --stage ensemble.\n" in shown
    before = trained_shell("evaluate", run, "--stage", "ensemble")
    assert "Output: Ensemble; another by --stage crf.\n" in before
    assert "Mean IoU on test (Ensemble + CRF): " in trained_shell("runs", "show", run)
    assert "Output:" not in trained_shell("evaluate", trained.members[0], "--split", "test")


def test_an_ensemble_is_deleted_and_restored_by_its_name_on_all_splits(
    trained, trained_shell, trio, made_up
) -> None:
    made_up.write(
        "trio--validation", EvaluateConfig(TINY, trained.members, "validation", name=trio)
    )
    both = {"trio--test", "trio--validation"}
    deleted = trained_shell("runs", "delete", trio)
    assert deleted.startswith("Deleted trio (") and all(run in deleted for run in both)
    assert deleted.endswith("segscope runs restore trio\n")
    assert not both & {*trained.workspace.runs.ids()}
    assert "'trio'" in trained_shell("evaluate", trio)[1]
    trained_shell("runs", "restore", trio)
    assert both < {*trained.workspace.runs.ids()}


def test_a_misspelt_name_is_answered_by_the_name_of_the_ensemble(trained_shell, trio) -> None:
    assert trained_shell("evaluate", "tryo") == (
        2,
        "segscope: Unknown run 'tryo': did you mean 'trio'?\n",
    )
    listed = trained_shell("evaluate", "zzz")[1].partition("expected one of ")[2].split(", ")
    assert listed[0] == trio and "--" not in listed[1]
