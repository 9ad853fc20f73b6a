"""The dataset's choice of what intervals draw reaches every score that has one."""

import json

import pytest

from segcore.cli import main
from segcore.evaluation.counts.coverage import score_coverage


@pytest.fixture(autouse=True)
def three_images_have_an_interval(monkeypatch):
    monkeypatch.setattr("segcore.evaluation.counts.bootstrap.MINIMUM", 3)


def everywhere(trained):
    """What each place says of the ensemble on test: (unit, units, interval)."""
    workspace, run = trained.workspace, trained.ensemble
    report = workspace.scores.report(run, "test")
    document = workspace.reports.document(trained.members, "test").to_json()
    first = document["reports"][trained.members[0]]
    against = document["against_first"][trained.members[1]]
    comparison = workspace.reports.compare(run, trained.members[0], "test").difference
    best = workspace.ensembles.against_members(run, "test").comparison.difference
    merge = workspace.merges.judge(run, "test", [[3], [5], [8, 11]]).report.lift
    tiers = workspace.tiers.compare(run, "test", [[3], [5], [8, 11]]).tiers
    crf = workspace.crf.verdict(run, "test").comparison.difference
    found = [report.interval(), comparison, best, merge, tiers[0].gain["accuracy"], crf]
    rows = [(one.unit, one.groups, one.is_known) for one in found]
    for data in (first["protocol"], against):
        known = (first["interval"]["mean_iou"] if data is not against else against["interval"])[0]
        rows.append((data["unit"], data["units"], known is not None))
    return rows


def test_the_choice_is_used_everywhere(trained):
    assert set(everywhere(trained)) == {("images", 3, True)}
    trained.workspace.datasets.choose_interval_groups("tiny", "prefix")
    assert set(everywhere(trained)) == {("groups", 1, False)}
    trained.workspace.datasets.choose_interval_groups("tiny", "images")
    assert set(everywhere(trained)) == {("images", 3, True)}


def test_a_choice_changes_the_key_of_caches(trained):
    scores, run = trained.workspace.scores, trained.members[0]
    before = scores.stamp(run, "test")
    trained.workspace.datasets.choose_interval_groups("tiny", "prefix")
    assert scores.stamp(run, "test") != before


def shell(trained, capsys, *words):
    main([*words, "--workspace", str(trained.workspace.folder), "--json"])
    return json.loads(capsys.readouterr().out)


def test_the_shell_shows_the_same_numbers_and_chooses(trained, capsys):
    run = trained.members[0]
    told = shell(trained, capsys, "evaluate", run, "--split", "test", "--coverage")
    coverage = told.pop("coverage")
    assert told.pop("outdated") == [] and told.pop("stages") == [told.pop("stage")]
    assert told.pop("output") == "Prediction"
    assert told == json.loads(json.dumps(trained.workspace.scores.report(run, "test").to_json()))
    counts = trained.workspace.scores.counts(run, "test")[1]
    assert coverage == json.loads(json.dumps(score_coverage(counts).to_json()))
    assert shell(trained, capsys, "interval-groups", "tiny") == {
        "dataset": "tiny",
        "by": "images",
        "chosen": False,
    }
    assert shell(trained, capsys, "interval-groups", "tiny", "--over", "prefix")["chosen"]
    grouped = shell(trained, capsys, "evaluate", run, "--split", "test")
    assert grouped["protocol"]["unit"] == "groups" and "1 group" in grouped["how_sure"]
    single = shell(trained, capsys, "evaluate", run, "--split", "test", "--over", "images")
    assert single["interval"] == told["interval"]


def test_the_shell_plans_a_test(trained, capsys):
    plan = shell(trained, capsys, "plan-test", *trained.members, "--split", "test")
    assert plan["pair"] and plan["now"] == 3 and plan["needed"] >= 3
    assert (
        plan
        == trained.workspace.scores.plan_test(
            trained.members[0], "test", other=trained.members[1]
        ).to_json()
    )


def test_a_plan_for_two_outputs_of_one_ensemble_holds_both(trained, monkeypatch) -> None:
    """Held against itself, a run never differs; its mean and its CRF do."""
    monkeypatch.setattr("segcore.evaluation.counts.bootstrap.MINIMUM", 3)
    plan, run = trained.workspace.scores.plan_test, trained.ensemble
    assert plan(run, "test", "ensemble", run, other_stage="ensemble").needed is None
    assert plan(run, "test", "ensemble", run, other_stage="crf").deviation > 0
