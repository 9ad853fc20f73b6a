"""Kills at chosen and at random moments: nothing lost, nothing twice, everything resumable."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from segcore.runs.dispatch.dispatcher import Dispatcher
from segcore.runs.folder.hosts import this_host
from segcore.runs.folder.listing import list_runs
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.status import read_status
from segcore.runs.machine import processes
from segcore.runs.queue import crash_recovery, jobs, leases
from segcore.runs.queue.queue import Queue
from segcore.whole_files import is_temporary

KILLS = int(os.environ.get("SEGSCOPE_KILLS", "100"))
STEPS, PAUSE = 8, 0.03
APP = Path(__file__).with_name("fake_app.py")


class _Killed(BaseException):
    """Stands for SIGKILL in this process: nothing catches it, and nothing after it happens."""


def _killed_at(owner, name: str, before: bool) -> Callable[..., Any]:
    """The function, which dies just before or just after its first call."""
    original = getattr(owner, name)

    def dies(*arguments, **named):
        if not before:
            original(*arguments, **named)
        raise _Killed

    return dies


def _see_to_the_end(workspace, run, fake_state) -> None:
    """Do what the app does, until the run has finished as if nothing had happened."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(jobs.NO_WORK_VARIABLE, "1")  # the dispatcher works in this process
        for _ in range(5):
            (summary,) = jobs.refresh(workspace.folder)
            if summary.status.state == "interrupted":
                jobs.resume(workspace.folder, run.id)
            assert Dispatcher(workspace.folder, ["cpu"]).work()
            if run.status().state == "finished":
                break
    workspace.wait_empty()
    assert run.read_json("result") == {"steps": 3, "state": fake_state(3)}
    assert [record["epoch"] for record in run.metrics()] == [0, 1, 2]
    assert len(workspace.starts("a")) == 1 and not (run.folder / "TWICE").exists()


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (Queue, "claim"),
        (processes, "start_detached"),
        (Queue, "remove"),
        (RunFolder, "update_status"),
        (RunFolder, "clear_temporary"),
    ],
)
def test_a_dispatcher_killed_at_any_point_of_a_start_or_an_end(
    workspace, monkeypatch, fake_state, owner, name, before
):
    run = workspace.run("a")
    with monkeypatch.context() as patch:
        patch.setenv(jobs.NO_WORK_VARIABLE, "1")
        jobs.submit(workspace.folder, ["a"])
        patch.setattr(owner, name, _killed_at(owner, name, before))
        with pytest.raises(_Killed):
            Dispatcher(workspace.folder, ["cpu"]).work()
    with Queue(workspace.folder) as queue:  # it signed on, and this process lives
        leases.give_back(queue, this_host())
    _see_to_the_end(workspace, run, fake_state)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    ("owner", "name"),
    [(RunFolder, "update_status"), (Queue, "add"), (jobs, "ensure_dispatcher")],
)
def test_an_app_killed_at_any_point_of_a_submission(
    workspace, monkeypatch, fake_state, owner, name, before
):
    monkeypatch.setattr(crash_recovery, "ORPHAN_SECONDS", 0.0)
    run = workspace.run("a")
    with monkeypatch.context() as patch:
        patch.setenv(jobs.NO_WORK_VARIABLE, "1")
        patch.setattr(owner, name, _killed_at(owner, name, before))
        with pytest.raises(_Killed):
            jobs.submit(workspace.folder, ["a"])
    _see_to_the_end(workspace, run, fake_state)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("name", ["work_lock.take", "Queue.confirm", "change_status", "os.execv"])
def test_a_process_killed_at_any_point_before_it_becomes_the_worker(
    workspace, monkeypatch, fake_state, name, before
):
    run = workspace.run("a")
    call = "" if before else "original(*a, **k); "
    code = (
        "import os, sys\nfrom segcore.runs.dispatch import worker_entry\n"
        f"owner, name = worker_entry, {name!r}.split('.')\n"
        "while len(name) > 1: owner = getattr(owner, name.pop(0))\n"
        "original = getattr(owner, name[0])\n"
        f"def dies(*a, **k): {call}os.kill(os.getpid(), 9)\n"
        "setattr(owner, name[0], dies)\nworker_entry.main(sys.argv[1:])\n"
    )
    start, started = processes.start_detached, []

    def start_dying(arguments, *rest, **named):
        started.append(arguments)
        if len(started) == 1:
            arguments = ["-c", code, *arguments[2:]]
        return start(arguments, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setenv(jobs.NO_WORK_VARIABLE, "1")
        jobs.submit(workspace.folder, ["a"])
        patch.setattr(processes, "start_detached", start_dying)
        Dispatcher(workspace.folder, ["cpu"]).work()
    if name == "os.execv" and not before:
        assert run.status().state == "finished"  # it is the worker by then
    else:
        assert run.status().state == "interrupted"
    _see_to_the_end(workspace, run, fake_state)


@pytest.mark.slow
def test_kills_at_random_moments(workspace, fake_state):
    """SIGKILL to worker, dispatcher or app, while the app submits short runs and resumes them."""
    rng = np.random.default_rng(20240607)
    root = jobs.runs_folder(workspace.folder)
    root.mkdir(parents=True)
    (workspace.folder / "fake.json").write_text(json.dumps({"steps": STEPS, "pause": PAUSE}))
    targets = rng.permutation(
        ["worker"] * (KILLS * 60 // 100)
        + ["dispatcher"] * (KILLS * 22 // 100)
        + ["app"] * (KILLS * 18 // 100)
    )
    app, seen = _start_app(workspace.folder), set()
    deadline = time.monotonic() + 10 * KILLS + 600
    for number, target in enumerate(targets):
        time.sleep(float(rng.uniform(0, 0.15)))
        begun = _steps(root)
        while (
            number % 4 == 0 and _steps(root) == begun
        ):  # let some get on between the kills, however slow the machine is
            _check_app(app, workspace, deadline)
        while not _kill(workspace, str(target), app, rng):
            _check_app(app, workspace, deadline)
        seen |= _check_files(root)
        if target == "app":
            app.wait()
            app = _start_app(workspace.folder)
    (workspace.folder / "enough").touch()
    assert app.wait(900) == 0, (
        workspace.states(),
        _read(workspace.folder / "trouble.txt"),
        _read(workspace.folder / "dispatcher.log"),
    )
    workspace.wait_empty()

    runs = [RunFolder(root / name) for name in sorted(workspace.states())]
    assert len(runs) >= 4 and seen <= {run.id for run in runs}  # none was lost
    assert {*workspace.states().values()} == {"finished"}
    resumed = Counter(record["run"] for record in _lines(workspace.folder / "resumed.jsonl"))
    assert resumed.total() > KILLS / 10
    for run in runs:
        assert not (run.folder / "TWICE").exists()  # at one time, or once more when it was finished
        assert 1 <= len(workspace.starts(run.id)) <= 1 + resumed[run.id]
        assert run.read_json("result") == {
            "steps": STEPS,
            "state": fake_state(STEPS),
        }  # as if undisturbed
        assert [record["epoch"] for record in run.metrics()] == list(range(STEPS))
        assert [record["state"] for record in run.metrics()] == [
            fake_state(step) for step in range(STEPS)
        ]
        assert run.status().progress == 1 and run.status().cause == ""
    with sqlite3.connect(workspace.folder / "queue.sqlite") as queue:
        assert queue.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _start_app(folder, *prefix):
    command = [sys.executable, str(APP), str(folder), *prefix]
    with open(folder / "app.log", "ab") as log:
        return subprocess.Popen(
            command,
            env=processes.python_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _check_app(app, workspace, deadline):
    """Wait a moment; the app must not have ended by itself."""
    assert app.poll() is None, _read(workspace.folder / "trouble.txt")
    assert time.monotonic() < deadline, workspace.states()
    time.sleep(0.05)


def _steps(root):
    return sum(summary.status.epoch or 0 for summary in list_runs(root))


def _read(path):
    return path.read_text() if path.exists() else ""


def _kill(workspace, target, app, rng):
    """Kill what the draw says; False where there is none at this moment."""
    if target == "app":
        return processes.send_signal(*_born(app.pid), signal.SIGKILL)
    pid = _born(workspace.dispatcher()) if target == "dispatcher" else _some_worker(workspace, rng)
    return bool(pid) and processes.send_signal(*pid, signal.SIGKILL)


def _some_worker(workspace, rng):
    """A worker of this workspace, or a process that is about to become one."""
    with Queue(workspace.folder) as queue:
        found = {
            job.pid
            for job in queue.jobs()
            if job.state == "started" and processes.is_alive(job.pid, job.birth)
        }
    with suppress(psutil.Error):
        found |= {child.pid for child in psutil.Process(workspace.dispatcher() or 0).children()}
    pairs = sorted(pair for pair in map(_born, found) if pair)
    return pairs[int(rng.integers(len(pairs)))] if pairs else None


def _born(pid):
    try:
        return None if pid is None else processes.identity(pid)
    except psutil.Error:
        return None


def _check_files(root):
    """Every JSON file of every run can be read at every moment; returns the ids of the runs."""
    folders = [folder for folder in root.iterdir() if not folder.name.startswith(".")]
    for folder in folders:
        status = read_status(folder / "status.json")
        assert "damaged" not in status.cause and "missing" not in status.cause
        for path in (*folder.glob("*.json"), *folder.glob("checkpoints/*.json")):
            if not is_temporary(path.name):
                json.loads(path.read_bytes())
    return {folder.name for folder in folders}


def test_two_dispatchers_at_once_start_each_run_once(workspace):
    ids = [f"r{index}" for index in range(6)]
    runs = [
        workspace.run(id, steps=1, pause=0, evaluate=index % 2 == 1) for index, id in enumerate(ids)
    ]
    jobs.pause(workspace.folder)
    jobs.submit(workspace.folder, ids)
    with jobs.Queue(workspace.folder) as queue:
        queue.set_setting("paused", None)
    started = [
        processes.start_detached(
            ["-m", "segcore.runs.dispatch.dispatcher", str(workspace.folder)],
            workspace.folder / "dispatcher.log",
        )
        for _ in range(4)
    ]
    workspace.wait(lambda: set(workspace.states().values()) == {"finished"})
    assert [process.wait(300) for process in started] == [0] * 4
    for run in runs:
        assert len(workspace.starts(run.id)) == 1 and not (run.folder / "TWICE").exists()


def test_two_apps_on_one_workspace_disturb_no_run(workspace):
    """Both hand in, look and resume at once; nothing is lost, resumed for nothing or done twice."""
    root = jobs.runs_folder(workspace.folder)
    root.mkdir(parents=True)
    (workspace.folder / "fake.json").write_text(json.dumps({"steps": 2, "pause": 0.01}))
    apps = [_start_app(workspace.folder, prefix) for prefix in ("a", "b")]

    def enough():
        assert all(app.poll() is None for app in apps), _read(workspace.folder / "trouble.txt")
        done = [id[0] for id, state in workspace.states().items() if state == "finished"]
        return min(done.count("a"), done.count("b")) >= 2

    workspace.wait(enough)
    (workspace.folder / "enough").touch()
    assert [app.wait(300) for app in apps] == [0, 0], _read(workspace.folder / "trouble.txt")
    workspace.wait_empty()
    assert {*workspace.states().values()} == {"finished"}
    assert not (workspace.folder / "resumed.jsonl").exists()
    for id in workspace.states():
        assert len(workspace.starts(id)) == 1 and not (root / id / "TWICE").exists()
