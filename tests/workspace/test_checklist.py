"""The start page's list: what was done, from files and from what pages noted."""

import pytest

from segcore.workspace import Workspace
from segcore.workspace.checklist import NOTED, STEPS


def ticked(workspace: Workspace) -> list[str]:
    return [step for step, done in workspace.checklist.done().items() if done]


def test_a_new_workspace_has_done_nothing(tmp_path) -> None:
    made = Workspace(tmp_path / "new")
    assert list(made.checklist.done()) == list(STEPS) and ticked(made) == []


def test_data_and_runs_tick_by_their_own_files(trained) -> None:
    assert ticked(trained.workspace) == ["data", "splits", "train"]


def test_data_without_splits_leaves_that_step(workspace) -> None:
    dataset = workspace.datasets.open("tiny")
    dataset.with_splits({sample.id: "" for sample in dataset.samples}).save()
    assert ticked(workspace) == ["data"]


def test_what_was_noted_is_known_to_the_next_program(workspace) -> None:
    for step in NOTED[::-1]:
        workspace.checklist.note(step, "tiny")
    assert ticked(Workspace(workspace.folder)) == [
        s for s in STEPS if s in ("data", "splits", *NOTED)
    ]


def test_the_demos_data_does_not_count(workspace) -> None:
    workspace.checklist.note("look", "demo")
    assert "look" not in ticked(workspace) and not (workspace.folder / "steps.json").exists()


def test_two_programs_lose_no_step_of_each_other(workspace) -> None:
    other = Workspace(workspace.folder)
    workspace.checklist.note("look", "tiny")
    other.checklist.note("judge", "tiny")
    assert {"look", "judge"} <= set(ticked(Workspace(workspace.folder)))


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 9, "done": 3}', '{"done": ["fly"]}'])
def test_a_damaged_list_costs_its_ticks_only(workspace, content) -> None:
    (workspace.folder / "steps.json").write_text(content)
    assert ticked(workspace) == ["data", "splits"]
    workspace.checklist.note("merge", "tiny")
    assert ticked(Workspace(workspace.folder)) == ["data", "splits", "merge"]


def test_a_workspace_that_cannot_be_written_is_looked_at_all_the_same(workspace) -> None:
    (workspace.folder / "steps.json").mkdir()  # a rename onto it fails for every user, root too
    workspace.checklist.note("look", "tiny")
    assert "look" in ticked(workspace)


def test_only_steps_that_leave_no_trace_are_noted(workspace) -> None:
    with pytest.raises(ValueError, match="train"):
        workspace.checklist.note("train", "tiny")
