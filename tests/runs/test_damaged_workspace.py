"""A damaged or newer status or queue, or a full disk: one sentence each, and no run is lost."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from segcore.config import TrainConfig
from segcore.errors import SegcoreError
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue import jobs
from segcore.runs.queue.queue import Queue


def test_damaged_status_can_be_resumed(workspace):
    run = workspace.run("a")
    (run.folder / "status.json").write_text('{"format": 1, "sta')
    (summary,) = jobs.refresh(workspace.folder)
    assert summary.status.state == "failed" and "damaged" in summary.status.cause
    jobs.resume(workspace.folder, "a")
    workspace.wait_for(a="finished")


def test_a_damaged_queue_is_one_sentence_and_loses_no_run(workspace):
    workspace.run("a")
    (workspace.folder / "queue.sqlite").write_bytes(b"no database at all, " * 500)
    with pytest.raises(SegcoreError, match="delete that file"):
        jobs.submit(workspace.folder, ["a"])
    (workspace.folder / "queue.sqlite").unlink()
    jobs.submit(workspace.folder, ["a"])
    workspace.wait_for(a="finished")


def test_a_newer_queue_is_one_sentence(workspace):
    workspace.run("a")
    with Queue(workspace.folder) as queue:
        queue._connection.execute("PRAGMA user_version=99")
    with pytest.raises(SegcoreError, match="newer"):
        jobs.submit(workspace.folder, ["a"])


def test_a_queue_on_a_full_disk_is_one_sentence_and_loses_nothing(workspace):
    for index in range(30):
        workspace.run(f"a{index}")
    jobs.pause(workspace.folder)
    jobs.submit(workspace.folder, ["a0"])
    with Queue(workspace.folder) as queue:
        (pages,) = queue._connection.execute("PRAGMA page_count").fetchone()
        queue._connection.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(SegcoreError, match="disk is full"), queue.writing():
            for index in range(1, 30):
                queue.add(f"a{index}", "train", "auto", ["x" * 500])
    assert [job.run for job in jobs.waiting(workspace.folder)] == ["a0"]


def test_a_queue_that_cannot_be_written_is_one_sentence(workspace):
    workspace.run("a")
    with Queue(workspace.folder) as queue:
        queue._connection.execute("PRAGMA query_only=1")
        with pytest.raises(SegcoreError, match="cannot be written"):
            queue.add("a", "train", "auto")


@pytest.fixture
def nobody():
    """Act as a user without rights: the administrator may write everywhere."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)


def test_a_read_only_workspace_is_one_sentence(nobody):
    with tempfile.TemporaryDirectory() as folder:
        runs = jobs.runs_folder(folder)
        run = RunFolder.create(runs, "a", TrainConfig("demo"))
        closed = [runs, Path(folder), run.folder]
        for path in closed:
            path.chmod(0o500)
        with pytest.raises(SegcoreError, match="choose a workspace"):
            jobs.submit(folder, ["a"])
        with pytest.raises(SegcoreError, match="permission is denied"):
            RunFolder.create(runs, "b", TrainConfig("demo"))
        with pytest.raises(SegcoreError, match="permission is denied"):
            run.append_metrics({"epoch": 0})
        with pytest.raises(SegcoreError, match="permission is denied"):
            run.write_counts("test", "crf", [], np.zeros((0, 2, 2), np.int64))
        with pytest.raises(SegcoreError, match="permission is denied"):
            run.write_json("report", {})
        os.utime(run.folder / "status.json", (0, 0))
        assert [(r.id, r.status.state) for r in jobs.refresh(folder)] == [("a", "queued")]
        for path in closed:
            path.chmod(0o700)
