"""Tags, notes, stars, the archive and the trash through the workspace; the order of the queue."""

import pytest

from segcore.errors import SegcoreError


def test_tags_are_added_and_removed_for_many_runs(trained) -> None:
    keeping, (one, two) = trained.workspace.annotations, trained.members
    keeping.write(one, tags=["kept", "old"])
    keeping.tag([one, two], add=["new"], remove=["old", "absent"])
    assert keeping.notes(one).tags == ("kept", "new") and keeping.notes(two).tags == ("new",)
    row = next(row for row in trained.workspace.runs.rows() if row.run == one)
    assert row.annotations.tags == ("kept", "new") and row.network == "unet · tiny"


def test_many_runs_are_deleted_and_each_deletion_is_undone(trained) -> None:
    keeping, before = trained.workspace.annotations, trained.workspace.runs.ids()
    one, two = trained.members
    made = keeping.delete([one, f"{one}--test", two])  # the prediction goes along with its run
    assert len(made) == 2 and trained.workspace.runs.ids() == [trained.ensemble]
    trash = keeping.trash()
    assert {row.id for row in trash} == set(made) and all(row.bytes > 1000 for row in trash)
    assert keeping.restore_run(f"{two}--test") == [two, f"{two}--test", f"{two}--validation"]
    with pytest.raises(SegcoreError, match="not there"):
        keeping.restore_run(two)
    keeping.restore([made[0]])
    assert trained.workspace.runs.ids() == before


def test_an_active_run_is_not_deleted(trained) -> None:
    trained.workspace.runs.open(trained.members[1]).write_status(state="running")
    with pytest.raises(SegcoreError, match="stop it first"):
        trained.workspace.annotations.delete(trained.members[:1] + trained.members[1:])
    assert (
        trained.members[1] in trained.workspace.runs.ids()
        and len(trained.workspace.annotations.trash()) == 1
    )


def test_emptying_the_trash_frees_it(trained) -> None:
    trained.workspace.annotations.delete([trained.members[0]])
    assert (
        trained.workspace.annotations.empty() == 1 and trained.workspace.annotations.trash() == []
    )


def test_a_workspace_without_a_queue_waits_for_nothing(workspace) -> None:
    assert workspace.queue.rows() == [] and not workspace.queue.is_paused
    assert not (workspace.folder / "queue.sqlite").exists()


@pytest.mark.parametrize("damage", ["missing", "garbage", "newer", "another thing"])
def test_a_run_with_a_damaged_config_is_named_and_can_be_deleted(trained, damage) -> None:
    runs, run = trained.workspace.runs, trained.members[0]
    path = runs.folder / run / "config.json"
    if damage == "missing":
        path.unlink()
    else:
        path.write_text(
            {"garbage": "{", "newer": '{"format": 99}', "another thing": '{"format": 1}'}[damage]
        )
    with pytest.raises(SegcoreError) as raised:
        runs.open(run)
    assert repr(run) in str(raised.value) or "config.json" in str(raised.value)
    assert "did you mean" not in str(raised.value)
    deletion = runs.delete(run)
    assert run not in runs.ids() and trained.workspace.annotations.restore([deletion])[0] == run
    with pytest.raises(SegcoreError, match=r"[Uu]nknown|found no"):
        runs.delete("never-made")
