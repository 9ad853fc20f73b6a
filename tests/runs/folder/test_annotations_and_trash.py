"""What people say about runs, and what they throw away: nothing of a run is lost for either."""

import json

import pytest

from segcore.config import TrainConfig
from segcore.errors import SegcoreError
from segcore.runs.folder import trash
from segcore.runs.folder.annotations import Annotations
from segcore.runs.folder.listing import list_runs
from segcore.runs.folder.run_folder import RunFolder


@pytest.fixture
def run(tmp_path):
    return RunFolder.create(tmp_path / "runs", "demo-unet-1", TrainConfig("demo"))


def test_notes_keep_what_is_not_changed_and_show_in_the_list(run):
    assert run.annotations() == Annotations()
    run.write_annotations(tags=[" road ", "aerial", "road", ""], star=True)
    run.write_annotations(text="Müller's set")
    assert run.annotations() == Annotations(("aerial", "road"), "Müller's set", True, False)
    assert list_runs(run.folder.parent)[0].annotations == run.annotations()
    run.write_annotations(archived=True)
    assert list_runs(run.folder.parent)[0].annotations.archived


@pytest.mark.parametrize(
    "changes",
    [
        {"tags": ["x" * 41]},
        {"tags": ["a,b"]},
        {"tags": map(str, range(31))},
        {"text": "x" * 20_001},
        {"stars": 1},
    ],
)
def test_notes_that_are_refused_change_nothing(run, changes):
    run.write_annotations(tags=["kept"])
    with pytest.raises(SegcoreError):
        run.write_annotations(**changes)
    assert run.annotations() == Annotations(("kept",))


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"tags": "x"}', '{"tags": [1]}', '{"tags": ["a,b"]}']
)
def test_damaged_notes_say_nothing_and_can_be_written_anew(run, text):
    (run.folder / "notes.json").write_text(text)
    assert (
        run.annotations() == Annotations()
        and list_runs(run.folder.parent)[0].status.state == "queued"
    )
    assert run.write_annotations(star=True).star


def test_newer_notes_are_not_overwritten(run):
    (run.folder / "notes.json").write_text(json.dumps({"format": 2, "tags": ["a"], "mood": "good"}))
    assert run.annotations().tags == ("a",)
    with pytest.raises(SegcoreError, match="update"):
        run.write_annotations(star=True)
    assert "mood" in (run.folder / "notes.json").read_text()


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_deletion_is_undone_to_the_byte(run, tmp_path):
    other = RunFolder.create(tmp_path / "runs", "demo-unet-1--test", TrainConfig("demo"))
    (run.folder / "model.keras").write_bytes(b"weights")
    before = files(tmp_path / "runs")
    deletion = trash.move_to_trash(tmp_path, [run.id, other.id])
    assert list_runs(tmp_path / "runs") == [] and trash.list_trash(tmp_path) == [deletion]
    assert trash.folder_bytes(trash.trash_folder(tmp_path)) > sum(map(len, before.values()))
    assert trash.restore(tmp_path, deletion.id) == [run.id, other.id]
    assert files(tmp_path / "runs") == before and trash.list_trash(tmp_path) == []


def test_a_run_that_was_made_since_is_not_overwritten(run, tmp_path):
    deletion = trash.move_to_trash(tmp_path, [run.id])
    RunFolder.create(tmp_path / "runs", run.id, TrainConfig("other"))
    with pytest.raises(SegcoreError, match="made since"):
        trash.restore(tmp_path, deletion.id)
    assert RunFolder(tmp_path / "runs" / run.id).config.dataset == "other" and trash.list_trash(
        tmp_path
    ) == [deletion]


def test_all_are_deleted_or_none(run, tmp_path):
    with pytest.raises(SegcoreError, match="delete"):
        trash.move_to_trash(tmp_path, [run.id, "absent"])
    assert [r.id for r in list_runs(tmp_path / "runs")] == [run.id] and trash.list_trash(
        tmp_path
    ) == []


def test_the_trash_is_emptied_by_age(run, tmp_path):
    day = 86_400.0
    old = trash.move_to_trash(tmp_path, [run.id], now=1e9)
    young = trash.move_to_trash(
        tmp_path,
        [RunFolder.create(tmp_path / "runs", "b", TrainConfig("demo")).id],
        now=1e9 + 20 * day,
    )
    assert trash.list_trash(tmp_path) == [young, old]
    assert trash.empty_trash(tmp_path, 30, now=1e9 + 29 * day) == 0
    assert trash.empty_trash(tmp_path, 30, now=1e9 + 31 * day) == 1 and trash.list_trash(
        tmp_path
    ) == [young]
    assert (
        trash.empty_trash(tmp_path) == 1 and trash.folder_bytes(trash.trash_folder(tmp_path)) == 0
    )


def test_a_deletion_without_its_note_is_still_found(run, tmp_path):
    deletion = trash.move_to_trash(tmp_path, [run.id])
    (trash.trash_folder(tmp_path) / deletion.id / "deleted.json").write_text("{")
    (found,) = trash.list_trash(tmp_path)
    assert found.runs == (run.id,) and trash.restore(tmp_path, found.id) == [run.id]
    with pytest.raises(SegcoreError):
        trash.restore(tmp_path, "../runs")
