"""Clock steps, second workers, frozen workers, full disks: at most one run ends by it."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import psutil
import pytest

from segcore.errors import SegcoreError, disk_error
from segcore.runs.dispatch import dispatcher as dispatcher_module
from segcore.runs.dispatch.dispatcher import Dispatcher
from segcore.runs.folder import status as status_module
from segcore.runs.folder import work_lock
from segcore.runs.folder.hosts import this_host
from segcore.runs.machine import disk, processes
from segcore.runs.queue import crash_recovery, jobs, leases, stopping
from segcore.runs.queue.queue import Queue


@pytest.fixture
def frozen(workspace):
    """Stop a process that holds a lock on a file, as a paused container does."""
    started = []

    def freeze(path):
        code = (
            "import fcntl, os, sys\n"
            "handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
            "fcntl.flock(handle, fcntl.LOCK_EX)\n"
            "print('held', flush=True)\n"
            "sys.stdin.read()\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout.readline() == b"held\n"
        process.send_signal(signal.SIGSTOP)
        return process

    yield freeze
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture(params=[1.0, -1.0, 60.0, -60.0, 3600.0, -3600.0])
def step_clock(request, monkeypatch):
    """Set the wall clock as this process sees it, and with it every birth that depends on it."""

    def step():
        now, created = time.time, psutil.Process.create_time
        monkeypatch.setattr(time, "time", lambda: now() + request.param)
        monkeypatch.setattr(psutil.Process, "create_time", lambda p: created(p) + request.param)

    return step


def test_a_clock_step_starts_no_second_worker(workspace, step_clock):
    run = workspace.run("a", steps=10_000, pause=0.02)
    jobs.submit(workspace.folder, ["a"])
    workspace.wait_for(a="running")
    os.kill(workspace.dispatcher(), signal.SIGKILL)  # so that whoever looks decides by itself
    workspace.wait(lambda: workspace.dispatcher() is None)
    step_clock()
    (summary,) = jobs.refresh(workspace.folder)
    assert summary.status.state == "running"
    assert jobs.resume(workspace.folder, "a") == []
    with pytest.raises(SegcoreError, match="stop it first"):
        jobs.submit(workspace.folder, ["a"])
    for path in workspace.folder.glob("queue.sqlite*"):
        path.unlink()  # and without a row, from the status and the lock alone
    (summary,) = jobs.refresh(workspace.folder)
    assert summary.status.state == "running" and jobs.resume(workspace.folder, "a") == []
    assert len(workspace.starts("a")) == 1 and not (run.folder / "TWICE").exists()
    assert jobs.stop(workspace.folder, "a").state in ("stopping", "interrupted")  # by the lock
    workspace.wait_for(a="interrupted")


def test_a_birth_on_the_wall_clock_is_believed_beside_the_lock(workspace, step_clock, monkeypatch):
    """A system without /proc, and the files of earlier versions."""
    run = workspace.run("a")
    created = psutil.Process().create_time()
    data = json.loads((run.folder / "status.json").read_text())
    del data["birth"]
    data |= {"state": "running", "pid": os.getpid(), "process_created": created}
    (run.folder / "status.json").write_text(json.dumps(data))
    assert run.status().birth == f"created:{created}"
    assert crash_recovery.run_is_alive(run, run.status())
    handle = work_lock.take(run.folder)
    step_clock()
    assert crash_recovery.run_is_alive(run, run.status())
    assert jobs.resume(workspace.folder, "a") == []
    os.close(handle)
    monkeypatch.setattr(processes, "_read_stat", lambda pid: None)
    assert processes.is_alive(*processes.identity())


def test_a_process_with_a_recycled_id_is_a_stranger():
    pid, birth = processes.identity()
    boot, ticks = birth.rsplit("/", 1)
    assert processes.is_alive(pid, birth)
    assert not processes.is_alive(pid, f"{boot}/{int(ticks) + 1}")
    assert not processes.is_alive(pid, f"another-boot/{ticks}")


def test_whatever_the_queue_believes_a_second_worker_does_not_start(workspace):
    """The row says that the run waits, while a worker holds the lock of its folder."""
    run = workspace.run("a", steps=10_000, pause=0.02)
    jobs.submit(workspace.folder, ["a"])
    workspace.wait_for(a="running")
    pid = run.status().pid
    with Queue(workspace.folder) as queue:
        os.kill(workspace.dispatcher(), signal.SIGKILL)
        queue._rows("UPDATE job SET state='waiting', token=NULL, devices='[]' RETURNING run")
    run.write_status(state="queued", pid=None, birth="")
    workspace.wait(lambda: workspace.dispatcher() is None)  # a dying one still counts
    monitor = Dispatcher(workspace.folder, ["cpu"])
    thread = threading.Thread(target=monitor.work)
    thread.start()
    workspace.wait(lambda: "to be free" in run.log_tail(), 90)
    workspace.wait(lambda: [job.pid for job in jobs.waiting(workspace.folder)] == [pid])
    workspace.wait_for(a="running")  # the row belongs to the living worker again
    assert len(workspace.starts("a")) == 1 and not (run.folder / "TWICE").exists()
    jobs.stop(workspace.folder, "a")
    workspace.wait_for(a="interrupted")
    monitor.end()
    thread.join(60)


def test_every_worker_refuses_a_run_that_is_worked_on(workspace, monkeypatch):
    monkeypatch.setattr(work_lock, "LEAVING_SECONDS", 0.1)
    run = workspace.run("a", evaluate=True)
    handle = work_lock.take(run.folder)
    for module in ("segcore.light_worker", "segcore.tuning"):
        code = (
            f"import runpy, sys; import segcore.runs.folder.work_lock as l\n"
            f"l.take.__defaults__ = ('', 0.1); sys.argv = [{module!r}, {str(run.folder)!r}]\n"
            f"runpy.run_module({module!r}, run_name='__main__')\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=processes.python_environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1 and "another process working on it" in done.stderr
    assert run.status().state == "queued"
    os.close(handle)


def test_a_frozen_holder_of_the_status_blocks_neither_stop_nor_queue(
    workspace, frozen, monkeypatch
):
    monkeypatch.setattr(jobs, "CLOSE_SECONDS", 0.1)
    monkeypatch.setattr(crash_recovery, "CLOSE_SECONDS", 0.1)
    run = workspace.run("a", steps=10_000, pause=0.02)
    workspace.run("b", steps=1, evaluate=True)
    jobs.submit(workspace.folder, ["a"])
    workspace.wait_for(a="running")
    pid, birth = run.status().pid, run.status().birth
    holder = frozen(run.folder / "status.lock")
    os.kill(pid, signal.SIGSTOP)  # the worker too: it hears nothing
    assert jobs.stop(workspace.folder, "a").state == "stopping"
    assert run.status().state == "running"  # the lock was not waited for
    jobs.submit(workspace.folder, ["b"])
    workspace.wait_for(b="finished")  # the queue goes on meanwhile
    jobs.stop(workspace.folder, "a")  # the second one kills, frozen or not
    workspace.wait(lambda: not processes.is_alive(pid, birth))
    holder.kill()
    workspace.wait_for(a="interrupted")
    assert run.status().cause == stopping.STOPPED


def test_no_lock_is_taken_inside_a_transaction(workspace, monkeypatch):
    """Every lock of every operation of the queue, here and in a dispatcher."""
    inside, taken, wrong = threading.local(), [], []
    writing, take = Queue.writing, disk.try_lock

    @contextmanager
    def counted(queue):
        inside.depth = getattr(inside, "depth", 0) + 1
        try:
            with writing(queue):
                yield
        finally:
            inside.depth -= 1

    def lock(path, seconds=0.0):
        taken.append(path.name)
        if getattr(inside, "depth", 0):
            wrong.append(path)
        return take(path, seconds)

    monkeypatch.setattr(Queue, "writing", counted)
    monkeypatch.setattr(disk, "try_lock", lock)
    monkeypatch.setenv(jobs.NO_WORK_VARIABLE, "1")
    for id in "abc":
        workspace.run(id, steps=1, ending="failed" if id == "a" else "")
    jobs.submit(workspace.folder, ["a", "b", "c"], after={"b": ["a"]})
    jobs.stop(workspace.folder, "c")
    thread = threading.Thread(target=Dispatcher(workspace.folder, ["cpu"]).work)
    thread.start()
    thread.join(60)
    assert workspace.states() == {"a": "failed", "b": "failed", "c": "interrupted"}
    jobs.resume(workspace.folder, "a")
    jobs.refresh(workspace.folder)
    assert taken.count("status.lock") >= 6 and wrong == []


class _Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, and nothing after it happens."""


def test_a_dispatcher_killed_between_the_end_of_a_run_and_its_row_leaves_it_resumable(
    workspace, monkeypatch
):
    """The interleaving that made `resume` refuse a run that was starting: at every point of it."""
    monkeypatch.setenv(jobs.NO_WORK_VARIABLE, "1")
    run = workspace.run("a", steps=2)
    jobs.submit(workspace.folder, ["a"])
    with Queue(workspace.folder) as queue:  # a worker that died before it showed its token
        token = queue.claim("a", ["cpu"])
        with monkeypatch.context() as patch:

            def killed(*_):
                raise _Killed

            patch.setattr(Queue, "remove", killed)
            with pytest.raises(_Killed):
                crash_recovery.recover(queue, workspace.folder, queue.job("a"), -signal.SIGKILL)
        assert run.status().state == "interrupted" and queue.job("a").token == token
        # The next dispatcher does not put such a claim back ...
        Dispatcher(workspace.folder, ["cpu"])._take_over(queue)
        assert queue.job("a") is None
        leases.give_back(queue, this_host())
        # ... and one that finds it waiting with its end written does not start it.
        queue.add("a", "train", "cpu")
        started = []
        monkeypatch.setattr(
            dispatcher_module.processes, "start_detached", lambda *a, **k: started.append(a)
        )
        Dispatcher(workspace.folder, ["cpu"])._start(queue)
        assert queue.job("a") is None and started == []


@pytest.mark.parametrize("state", ["queued", "claimed", "starting", "running"])
def test_resuming_a_run_that_waits_or_works_is_no_error(workspace, monkeypatch, state):
    monkeypatch.setenv(jobs.NO_WORK_VARIABLE, "1")
    run = workspace.run("a")
    jobs.submit(workspace.folder, ["a"])
    with Queue(workspace.folder) as queue:
        pid, birth = processes.identity()
        leases.renew(queue, this_host(), ["cpu"], 1)
        if state != "queued":
            token = queue.claim("a", ["cpu"])
        if state in ("starting", "running"):
            queue.confirm("a", token, pid, birth, jobs.hosts.this_host())
            run.write_status(state=state, pid=pid, birth=birth)
        before = queue.job("a")
        assert jobs.resume(workspace.folder, "a") == []
        assert queue.job("a") == before


def test_resume_that_meets_the_start_of_the_run_leaves_it_to_start(workspace, monkeypatch):
    """Between the look at a run and the lock of its status somebody else queued and started it."""
    monkeypatch.setenv(jobs.NO_WORK_VARIABLE, "1")
    run = workspace.run("a")
    run.write_status(state="interrupted")
    pid, birth = processes.identity()
    wait = jobs._await_ends

    def overtaken(queue, folder, ids):
        wait(queue, folder, ids)
        queue.add("a", "train", "cpu")
        queue.confirm("a", queue.claim("a", ["cpu"]), pid, birth, jobs.hosts.this_host())
        run.write_status(state="starting", pid=pid, birth=birth)

    monkeypatch.setattr(jobs, "_await_ends", overtaken)
    assert jobs.resume(workspace.folder, "a") == [] and run.status().state == "starting"


def test_a_full_disk_ends_no_dispatcher_and_its_cause_is_told(workspace, monkeypatch):
    """The end of a run cannot be written, nor can the complaint; with room again all is well."""
    monkeypatch.setenv(jobs.NO_WORK_VARIABLE, "1")
    monkeypatch.setattr(dispatcher_module, "TROUBLE_SECONDS", 0.01)
    run = workspace.run("a", ending="full")
    workspace.run("b", steps=1)
    jobs.submit(workspace.folder, ["a", "b"])
    full, refused, write = threading.Event(), threading.Event(), disk.write_bytes
    full.set()

    def no_room(path, data):
        if full.is_set() and path.name == "status.json":
            refused.set()
            raise disk_error("write", path, OSError(errno.ENOSPC, "")) from OSError(
                errno.ENOSPC, "no space"
            )
        write(path, data)

    monkeypatch.setattr(disk, "write_bytes", no_room)
    dispatcher = Dispatcher(workspace.folder, ["cpu"])
    thread = threading.Thread(target=dispatcher.work)
    thread.start()
    assert refused.wait(300)
    assert thread.is_alive()
    full.clear()
    workspace.wait_for(a="interrupted", b="finished")
    thread.join(60)
    assert not thread.is_alive()
    assert run.status().cause.startswith("The disk was full")


def test_a_worker_that_cannot_write_its_end_says_so_by_its_exit_code(workspace, monkeypatch):
    run = workspace.run("a")

    def no_room(path, data):
        raise disk_error("write", path, OSError(errno.ENOSPC, "")) from OSError(errno.ENOSPC, "")

    monkeypatch.setattr(disk, "write_bytes", no_room)
    monkeypatch.setattr(status_module, "write_json", disk.write_json)
    assert stopping.end(run, "failed", "Whatever.") == stopping.DISK_FULL


def test_a_process_whose_log_is_full_runs_on():
    code = (
        "import sys\nfrom segcore.runs.queue.stopping import log_what_fits\nlog_what_fits()\n"
        "print('x' * 100_000, flush=True)\nprint('y', file=sys.stderr)\nsys.exit(3)\n"
    )
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=processes.python_environment(),
            stdout=full,
            stderr=subprocess.STDOUT,
        )
    assert done.returncode == 3
