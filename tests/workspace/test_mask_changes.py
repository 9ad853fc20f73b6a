"""Runs that are older than the masks of today are named wherever runs are listed, with how many masks changed."""

import time

import pytest

from segcore.cli import main
from segcore.runs.folder.environment import note_environment
from segcore.ui.runs.table import best_score


@pytest.fixture
def edited(trained):
    """Runs that read their masks a moment ago; then a mask of train and one of test are edited."""
    workspace = trained.workspace
    for run in workspace.runs.ids():
        note_environment(workspace.runs.open(run).folder)
    time.sleep(0.005)  # versions are dated to the millisecond
    for sample in ("train/scene_0", "test/scene_1"):
        opened = workspace.masks.open("tiny", sample)
        mask = opened.mask.copy()
        mask[:6] = 2
        workspace.masks.save("tiny", sample, mask, based_on=opened.digest)
    return trained


def test_nothing_is_said_where_no_mask_was_edited(trained):
    assert trained.workspace.mask_changes.since(trained.workspace.runs.rows()) == {}


def test_trainings_count_all_masks_and_scores_their_own(edited):
    workspace, (first, _) = edited.workspace, edited.members
    rows = workspace.runs.rows()
    changed = workspace.mask_changes.since(rows)
    assert {changed[run] for run in edited.members} == {2}
    assert changed[f"{first}--test"] == 1 and f"{first}--validation" not in changed
    workspace.recounts.recount(first, "test")
    assert f"{first}--test" not in workspace.mask_changes.since(rows)


def test_the_best_score_is_one_of_todays_masks(edited):
    rows = [row for row in edited.workspace.runs.rows() if row.scored_split == "test"]
    assert "best mean IoU" in best_score(rows)
    assert best_score(rows, [row.run for row in rows]) == ""


def test_the_shell_says_so(edited, capsys):
    main(["runs", "--workspace", str(edited.workspace.folder)])
    assert "changed since: 2 masks" in capsys.readouterr().out


def test_a_report_names_the_masks_that_were_scored(edited):
    workspace, run = edited.workspace, edited.members[0]
    before = workspace.recounts.scored_masks(run, "test")
    assert (before.images, before.edited, before.outdated) == (3, 0, 1)
    facts = workspace.reports.document([run], "test").facts
    assert facts[f"{run}, scored masks"] == before.sentence and "1 edited again" in before.sentence
    workspace.recounts.recount(run, "test")
    after = workspace.recounts.scored_masks(run, "test")
    assert (after.edited, after.outdated) == (1, 0) and after.fingerprint != before.fingerprint
    opened = workspace.masks.open("tiny", "test/scene_1")
    workspace.masks.restore("tiny", "test/scene_1", 1, based_on=opened.digest)
    assert workspace.recounts.scored_masks(run, "test").fingerprint == after.fingerprint
    workspace.recounts.recount(run, "test")
    assert workspace.recounts.scored_masks(run, "test") == type(before)(before.fingerprint, 3, 0, 0)
