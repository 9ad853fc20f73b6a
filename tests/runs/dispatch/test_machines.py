"""Several machines on one workspace: shared work, lost machines, clocks that differ."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext

import psutil
import pytest

from segcore.runs.dispatch.dispatcher import Dispatcher, holder
from segcore.runs.dispatch.machines import Machines
from segcore.runs.folder import work_lock
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine import processes
from segcore.runs.queue import jobs, leases
from segcore.runs.queue.leases import Lease, Watch, is_live
from segcore.runs.queue.queue import Queue
from tests.shells import run_shell


@pytest.fixture
def machine(workspace):
    """Start ``segscope work`` on a machine of that name."""
    started = []

    def start(host, *options):
        command = [sys.executable, "-m", "segcore", "work", "--workspace", str(workspace.folder)]
        workspace.folder.mkdir(exist_ok=True)
        process = subprocess.Popen(
            [*command, *options],
            env=processes.python_environment({"SEGSCOPE_HOST": host}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        workspace.wait(lambda: (workspace.folder / "queue.sqlite").exists())
        workspace.wait(lambda: f"of {host}" in holder(workspace.folder))
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def here(workspace, monkeypatch):
    """Let this process be the machine "west", with short leases; returns what starts its dispatcher."""
    monkeypatch.setenv("SEGSCOPE_HOST", "west")
    monkeypatch.setenv(jobs.NO_WORK_VARIABLE, "1")
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.5)
    monkeypatch.setattr("segcore.runs.dispatch.machines.LOOK_SECONDS", 0.05)
    lines, made = [], []

    def start():
        dispatcher = Dispatcher(workspace.folder, ["cpu"], lines.append)
        thread = threading.Thread(target=dispatcher.work, kwargs={"forever": True})
        thread.start()
        made.append((dispatcher, thread))
        return lines

    yield start
    for dispatcher, thread in made:
        dispatcher.end()
        thread.join(60)
        assert not thread.is_alive()


def test_two_machines_share_the_work_and_one_name_has_one_dispatcher(
    workspace, machine, monkeypatch, capsys
):
    ids = [f"r{number}" for number in range(4)]
    for id in ids:
        workspace.run(id, steps=20, pause=0.05)
    machine("east"), machine("west")
    monkeypatch.setenv("SEGSCOPE_HOST", "east")
    code, _, told = run_shell(capsys, workspace.folder, "work")
    assert code == 2 and "Expected no other dispatcher of east" in told
    jobs.submit(workspace.folder, ids)
    workspace.wait(lambda: set(workspace.states().values()) == {"finished"})
    assert {workspace.status(id).host for id in ids} == {"east", "west"}
    assert [len(workspace.starts(id)) for id in ids] == [1] * 4


def test_runs_of_a_machine_that_was_lost_continue_on_another(workspace, machine, here, fake_state):
    east = machine("east")
    run = workspace.run("a", steps=10_000, pause=0.02)
    jobs.submit(workspace.folder, ["a"])
    workspace.wait(lambda: (run.status().epoch or 0) > 3)
    east.kill()
    lines = here()
    before = run.status().epoch
    workspace.wait(lambda: run.status().epoch > before + 40)  # its worker lives, past a lease
    assert len(workspace.starts("a")) == 1 and work_lock.is_held(run.folder)
    with Queue(workspace.folder) as queue:
        assert queue.job("a").owner == "east"
    (run.folder / "fake.json").write_text(json.dumps({"steps": before + 2000, "pause": 0}))
    os.kill(run.status().pid, signal.SIGKILL)
    workspace.wait_for(a="finished")
    assert run.status().host == "west" and "a: taken over, for east was lost" in lines
    assert run.read_json("result")["state"] == fake_state(before + 2000)
    assert len(workspace.starts("a")) == 2 and not (run.folder / "TWICE").exists()
    with Queue(workspace.folder) as queue:
        workspace.wait(lambda: [lease.host for lease in leases.leases(queue)] == ["west"])


def test_a_stop_for_a_lost_machine_ends_the_run(workspace, here):
    run = workspace.run("a")
    jobs.submit(workspace.folder, ["a"])
    with Queue(workspace.folder) as queue:
        token = queue.claim("a", ["cpu"], "east")
        assert queue.confirm("a", token, 1, "elsewhere/1", "east")
    run.write_status(state="running", host="east", pid=1, birth="elsewhere/1", heartbeat=1.0)
    assert jobs.stop(workspace.folder, "a").state == "stopping"
    here()
    workspace.wait_for(a="interrupted")
    assert "on request" in run.status().cause and not workspace.starts("a")


def test_a_claim_of_a_lost_machine_is_struck_out_and_its_late_process_turned_away(workspace, here):
    workspace.run("a", steps=1)
    jobs.submit(workspace.folder, ["a"])
    with Queue(workspace.folder) as queue:
        token = queue.claim("a", ["cpu"], "east")
        here()
        workspace.wait_for(a="finished")
        assert not queue.confirm("a", token, 1, "x/1", "east")
    assert len(workspace.starts("a")) == 1


def test_of_two_that_see_a_loss_one_takes_over(workspace, monkeypatch):
    run = workspace.run("a")
    monkeypatch.setenv(jobs.NO_WORK_VARIABLE, "1")
    monkeypatch.setattr(leases, "LEASE_SECONDS", 0.0)
    monkeypatch.setattr("segcore.runs.dispatch.machines.LOOK_SECONDS", -1.0)
    jobs.submit(workspace.folder, ["a"])
    lines = []
    west, north = (
        Machines(workspace.folder, name, ["cpu"], {}, lines.append) for name in ("west", "north")
    )
    with Queue(workspace.folder) as queue:
        token = queue.claim("a", ["cpu"], "east")
        assert queue.confirm("a", token, 1, "elsewhere/1", "east")
        run.write_status(state="running", host="east")
        release, locked = Queue.release, RunFolder.status_lock
        monkeypatch.setattr(RunFolder, "status_lock", lambda *_: nullcontext())

        def both(self, run, token):  # the other one is faster, between the look and the change
            monkeypatch.setattr(Queue, "release", release)
            north.look(self, pytest.fail)
            return release(self, run, token)

        monkeypatch.setattr(Queue, "release", both)
        west.look(queue, pytest.fail)
        monkeypatch.setattr(RunFolder, "status_lock", locked)
        assert queue.job("a").state == "waiting" and len(lines) == 1
        assert queue.claim("a", ["cpu"], "north") and not queue.release("a", token)


def test_devices_are_counted_by_machine_and_runs_left_to_those_that_have_them(tmp_path):
    with Queue(tmp_path) as queue:
        for run in "abc":
            queue.add(run, "train", "auto")
        assert queue.claim("a", ["gpu:0"], "east") and queue.claim("b", ["gpu:0"], "west")
        assert queue.claim("c", ["gpu:0"], "west") is None
        leases.renew(queue, "east", ["cpu", "gpu:0", "gpu:1"], 1)
        dispatcher = Dispatcher(tmp_path, ["cpu"])
        assert dispatcher._choose("auto", []) == (["cpu"], [])
        dispatcher._machines.look(queue, pytest.fail)
        assert dispatcher._choose("auto", []) == ([], [])
        assert dispatcher._choose("gpu:0,gpu:1", []) == ([], [])
        assert dispatcher._choose("cpu", []) == (["cpu"], [])


@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
def test_a_lease_goes_by_its_counter_whatever_the_clock_of_its_machine(monkeypatch, skew):
    monkeypatch.setenv("SEGSCOPE_HOST", "west")
    now = [1000.0]
    monkeypatch.setattr(leases.time, "monotonic", lambda: now[0])
    watch = Watch()

    def live(count):
        lease = Lease("east", 1, "x/1", time.time() + skew, count, ("cpu",))
        return is_live(lease, watch)

    assert live(1)
    now[0] += leases.LEASE_SECONDS - 1
    assert live(1) and live(2)
    now[0] += leases.LEASE_SECONDS - 1
    assert live(2)
    now[0] += 2
    assert not live(2) and live(3)


def test_a_damaged_lease_is_nobody(tmp_path):
    with Queue(tmp_path) as queue:
        for name, text in {"a": "", "b": "x y z", "c": "1 b c", "d": "1 b d x 1 cpu"}.items():
            queue.set_setting(f"dispatcher {name}", text)
        assert leases.leases(queue) == [] and not jobs.dispatcher_is_alive(queue)


def test_an_older_queue_gets_owners(tmp_path):
    with Queue(tmp_path) as queue:
        for run in ("a", "b"):
            queue.add(run, "train", "cpu")
        token = queue.claim("a", ["cpu"])
        assert queue.confirm("a", token, 1, "x/1", "box")
        queue._connection.execute("ALTER TABLE job DROP COLUMN owner")
        queue._connection.execute("PRAGMA user_version=2")
        queue.set_setting("dispatcher", "1 x/1 box 1.0")
    with Queue(tmp_path) as queue:
        assert [queue.job(run).owner for run in ("a", "b")] == ["box", ""]
        assert queue.setting("dispatcher") is None


def test_another_machines_process_is_not_looked_up_here(workspace, here, monkeypatch):
    """Its process id may be that of a living stranger here."""
    run = workspace.run("a")
    jobs.submit(workspace.folder, ["a"])
    asked = []
    monkeypatch.setattr(processes, "is_alive", lambda *_: asked.append(_) or False)
    with Queue(workspace.folder) as queue:
        token = queue.claim("a", ["cpu"], "east")
        assert queue.confirm("a", token, psutil.Process().pid, "east-boot/1", "east")
        leases.renew(queue, "east", ["cpu"], 1)
        run.write_status(state="running", host="east", heartbeat=time.time())
        Machines(workspace.folder, "west", ["cpu"], {}, print).look(queue, pytest.fail)
        assert jobs.job_is_alive(workspace.folder, queue.job("a")) and asked == []


def test_a_worker_whose_run_was_taken_over_ends_at_its_next_beat(workspace):
    """As after a network drive that was away for longer than its server keeps locks."""
    run = workspace.run("a")
    code = (
        "import sys\n"
        "from segcore.runs.folder import work_lock\n"
        "from segcore.runs.folder.run_folder import RunFolder\n"
        "run = RunFolder(sys.argv[1]); work_lock.take(run.folder)\n"
        "run.beat(message='mine'); print('beat', flush=True); sys.stdin.readline()\n"
        "run.beat(message='not mine'); print('never')\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", code, str(run.folder)],
        env=processes.python_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout.readline() == "beat\n"
    (run.folder / "work.lock").write_text("other\n1 x/1 west\n")
    out, said = worker.communicate("go\n", timeout=300)
    assert (worker.returncode, out) == (work_lock.LOST_LOCK, "")
    assert "took over" in said and run.status().message == "mine"
