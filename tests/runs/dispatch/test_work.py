"""``segscope work``: a machine that works on a workspace while another looks at it."""

import signal
import subprocess
import sys
import time

import pytest

from segcore.errors import SegcoreError
from segcore.runs.dispatch.dispatcher import Dispatcher, holder
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine import processes
from segcore.runs.machine.disk import is_network_drive
from segcore.runs.queue import crash_recovery, jobs, leases
from segcore.runs.queue.queue import Queue

ROOT = str(processes._ROOT)


@pytest.fixture
def work(workspace):
    """Start the command on a machine of that name; it is ready when this returns."""
    started = []

    def start(host, *options):
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "segcore",
                "work",
                "--workspace",
                str(workspace.folder),
                *options,
            ],
            env=processes.python_environment({"SEGSCOPE_HOST": host}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_box_works_and_a_laptop_looks_and_stops(workspace, work, monkeypatch):
    workspace.folder.mkdir()
    box = work("box")
    first = f"Running the queue of {workspace.folder} on cpu; stop with Ctrl-C.\n"
    assert box.stderr.readline() == first
    workspace.wait(
        lambda: (workspace.folder / "queue.sqlite").exists() and holder(workspace.folder) != ""
    )
    monkeypatch.setenv("SEGSCOPE_HOST", "laptop")
    assert holder(workspace.folder) == f"process {box.pid} of box"
    run = workspace.run("a", steps=10_000, pause=0.02)
    second = work("box")
    assert "found process" in second.communicate(timeout=300)[1] and second.returncode == 2
    jobs.submit(workspace.folder, ["a"])
    workspace.wait_for(a="running")
    assert run.status().host == "box" and not jobs.ensure_dispatcher(workspace.folder)
    assert {r.id: r.status.state for r in jobs.refresh(workspace.folder)} == {
        "a": "running"
    }  # though no such process is one of the laptop's
    with pytest.raises(SegcoreError, match="stop it first"):
        jobs.submit(workspace.folder, ["a"])
    assert jobs.stop(workspace.folder, "a").state in ("stopping", "interrupted")
    workspace.wait_for(a="interrupted")
    assert (
        run.status().cause == "Stopped by request."
    )  # the worker's own words: it was asked, not killed
    workspace.wait(lambda: not jobs.waiting(workspace.folder))

    workspace.run("b", steps=10_000, pause=0.02)
    jobs.submit(workspace.folder, ["b"])
    workspace.wait_for(b="running")
    box.send_signal(signal.SIGTERM)
    out, told = box.communicate(timeout=300)
    assert box.returncode == 0 and "1 run still running" in out
    assert "a: started on cpu" in told and "a: interrupted (Stopped by request.)" in told
    assert holder(workspace.folder) == "" and workspace.states()["b"] == "running"
    monkeypatch.setenv("SEGSCOPE_NO_WORK", "1")
    jobs.refresh(workspace.folder)
    assert workspace.dispatcher() is None
    again = work("box", "--once")
    workspace.wait(lambda: holder(workspace.folder) == f"process {again.pid} of box")
    jobs.stop(workspace.folder, "b")
    out, told = again.communicate(timeout=300)
    assert (again.returncode, out.strip()) == (0, "The queue is empty.")
    assert workspace.states()["b"] == "interrupted"


def test_a_machine_that_fell_silent_is_given_up_after_a_while(workspace, monkeypatch):
    run = workspace.run("a")
    monkeypatch.setenv("SEGSCOPE_NO_WORK", "1")
    jobs.submit(workspace.folder, ["a"])
    now = time.time()
    with Queue(workspace.folder) as queue:
        token = queue.claim("a", ["gpu:0"])
        assert queue.confirm("a", token, 1, 1.0, "box")
        queue.set_setting("dispatcher box", f"1 x/1 box {now} 1 cpu")
        assert jobs.dispatcher_is_alive(queue)
        monkeypatch.setattr(leases, "_watch", leases.Watch())
        queue.set_setting("dispatcher box", f"1 x/1 box {now - leases.LEASE_SECONDS - 1} 1 cpu")
        assert not jobs.dispatcher_is_alive(queue)
    run.write_status(
        state="running",
        pid=1,
        birth="created:1.0",
        host="box",
        heartbeat=now - crash_recovery.SILENT_SECONDS + 30,
    )
    assert jobs.refresh(workspace.folder)[0].status.state == "running"
    run.write_status(heartbeat=now - crash_recovery.SILENT_SECONDS - 1, started=now - 1000)
    (summary,) = jobs.refresh(workspace.folder)
    assert (
        summary.status.state == "interrupted"
        and "Nothing was heard from box for 3 minutes" in summary.status.cause
    )
    assert jobs.waiting(workspace.folder) == []


def test_ending_leaves_what_waits(workspace, monkeypatch):
    workspace.run("a")
    monkeypatch.setenv("SEGSCOPE_NO_WORK", "1")
    jobs.submit(workspace.folder, ["a"])
    dispatcher = Dispatcher(workspace.folder, ["cpu"])
    dispatcher.end()
    assert dispatcher.work(forever=True) and [
        job.run for job in jobs.waiting(workspace.folder)
    ] == ["a"]
    with Queue(workspace.folder) as queue:
        assert leases.leases(queue) == []


def test_a_shared_queue_keeps_no_log_that_only_one_machine_can_read(tmp_path):
    with Queue(tmp_path) as queue:
        queue.add("a", "train", "cpu")
        assert queue._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        with Queue(tmp_path) as other:
            other.jobs()
            with pytest.raises(SegcoreError, match=r"close the app|locked|holds it"):
                queue._connection.execute("PRAGMA busy_timeout=50")
                queue.share()
        queue.share()
    with Queue(tmp_path) as queue:
        assert queue._connection.execute("PRAGMA journal_mode").fetchone() == (
            "delete",
        ) and queue.job("a")
    assert not (tmp_path / "queue.sqlite-wal").exists()


def test_network_drives_are_known_by_the_system_list(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"/dev/a / ext4 rw 0 0\nbox:/x {tmp_path}/far nfs4 rw 0 0\n/dev/b "
        f"{tmp_path}/far/near ext4 rw 0 0\n"
    )
    for name, found in (("far", True), ("far/near", False), ("farther", False)):
        (tmp_path / name).mkdir()
        assert is_network_drive(tmp_path / name, mounts) is found
    assert not is_network_drive(tmp_path, tmp_path / "absent")


def test_a_full_disk_stops_neither_the_dispatcher_nor_loses_a_run(workspace, monkeypatch):
    monkeypatch.setenv("SEGSCOPE_NO_WORK", "1")
    run = workspace.run("a", steps=1)
    jobs.submit(workspace.folder, ["a"])
    full = [True]
    clear = RunFolder.clear_temporary

    def refuse(self):
        if full.pop() if full else False:
            raise SegcoreError(
                "Could not write: the disk is full: free some space, then try again."
            )
        clear(self)

    monkeypatch.setattr(RunFolder, "clear_temporary", refuse)
    monkeypatch.setattr("segcore.runs.dispatch.dispatcher.TROUBLE_SECONDS", 0.05)
    assert Dispatcher(workspace.folder, ["cpu"]).work()
    assert run.status().state == "finished" and len(workspace.starts("a")) == 1 and not full
