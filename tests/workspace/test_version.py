"""A workspace of before, of now, of later, and of someone else."""

import json
import os
import sqlite3
import tempfile
import time
from pathlib import Path

import pytest

from segcore.config import TrainConfig
from segcore.errors import SegcoreError
from segcore.runs.folder.hosts import this_host
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue.queue import Queue
from segcore.workspace import Workspace, version

OLD_QUEUE = """
CREATE TABLE job(
    run TEXT PRIMARY KEY, kind TEXT NOT NULL, request TEXT NOT NULL, after TEXT NOT NULL, priority INTEGER NOT NULL,
    place INTEGER NOT NULL, submitted REAL NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', token TEXT,
    devices TEXT NOT NULL DEFAULT '[]', pid INTEGER, process_created REAL, stops INTEGER NOT NULL DEFAULT 0);
CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO job VALUES('works', 'train', 'auto', '[]', 0, 1, 1.0, 'started', 'secret', '["cpu"]', 1, 1.0, 0);
INSERT INTO job VALUES('waits', 'train', 'gpu:0', '["works"]', 3, 2, 1.0, 'waiting', NULL, '[]', NULL, NULL, 0);
INSERT INTO setting VALUES('paused', 'yes');
PRAGMA user_version=1;
"""


@pytest.fixture
def old(tmp_path):
    """A workspace as it was before it had a format: no number, runs that name no machine, the first queue."""
    for id, state in (("works", "running"), ("waits", "queued"), ("done", "finished")):
        run = RunFolder.create(tmp_path / "runs", id, TrainConfig("demo"))
        run.write_status(state=state, pid=1, birth="created:1.0", heartbeat=time.time())
        status = json.loads((run.folder / "status.json").read_text())
        del status["host"]
        (run.folder / "status.json").write_text(json.dumps(status))
    with sqlite3.connect(tmp_path / "queue.sqlite") as connection:
        connection.executescript(OLD_QUEUE)
    connection.close()
    return tmp_path


def test_an_older_workspace_is_brought_up_to_date_and_loses_nothing(old):
    workspace = Workspace(old)
    assert json.loads((old / "workspace.json").read_text()) == {"format": version.FORMAT}
    hosts = {id: workspace.runs.open(id).status().host for id in ("works", "waits", "done")}
    assert hosts == {"works": this_host(), "waits": "", "done": ""}
    assert (
        workspace.runs.open("works").status().pid == 1
        and workspace.runs.open("done").status().state == "finished"
    )
    with Queue(old) as queue:
        first, second = queue.jobs()[::-1]
        assert (first.run, first.token, first.devices, first.host, first.delivered) == (
            "works",
            "secret",
            ("cpu",),
            this_host(),
            0,
        )
        assert (second.run, second.after, second.priority, second.host) == (
            "waits",
            ("works",),
            3,
            "",
        )
        assert queue.setting("paused") == "yes"


def test_a_change_that_was_cut_is_done_again(old, monkeypatch):
    calls = []

    def cut(workspace):
        calls.append(workspace)
        raise SegcoreError("The disk is full.")

    monkeypatch.setitem(version.MIGRATIONS, 0, cut)
    with pytest.raises(SegcoreError, match="full"):
        Workspace(old)
    assert calls == [old] and not (old / "workspace.json").exists()
    monkeypatch.undo()
    Workspace(old)
    assert version.open_version(old) == version.FORMAT


def test_every_format_before_leads_to_the_next():
    assert sorted(version.MIGRATIONS) == list(range(version.FORMAT))


def test_a_newer_workspace_is_refused_and_left_as_it_is(tmp_path):
    Workspace(tmp_path)
    text = json.dumps({"format": version.FORMAT + 1, "more": "later"})
    (tmp_path / "workspace.json").write_text(text)
    with pytest.raises(SegcoreError, match="newer version wrote it; update"):
        Workspace(tmp_path)
    assert (tmp_path / "workspace.json").read_text() == text
    (tmp_path / "workspace.json").write_text('{"format": "two"}')
    with pytest.raises(SegcoreError, match="remove that file"):
        Workspace(tmp_path)


def test_a_workspace_that_one_may_only_read_is_opened_as_it_is():
    before = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        RunFolder.create(Path(folder) / "runs", "a", TrainConfig("demo")).write_status(
            state="finished"
        )
        Path(folder).chmod(0o555)
        if before == 0:
            os.seteuid(65534)  # the administrator may write everywhere
        try:
            assert [row.run for row in Workspace(folder).runs.rows()] == ["a"] and not Path(
                folder, "workspace.json"
            ).exists()
        finally:
            os.seteuid(before)
        Path(folder).chmod(0o755)
