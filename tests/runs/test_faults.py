"""Kills at random moments, bounded and seeded: nothing lost, nothing twice, nothing half-written, everything resumable."""

import json
import os
import signal
import time

import numpy as np
import psutil

from segcore.runs import disk, jobs, processes
from segcore.runs.status import read_status
from segcore.runs.store import RunFolder

KILLS = int(os.environ.get("SEGSCOPE_KILLS", "36"))
RUNS, STEPS = 4, 12


def test_kills_at_random_moments(workspace):
    rng = np.random.default_rng(20240607)
    runs = [workspace.run(f"r{index}", steps=STEPS, pause=0.03, evaluate=index % 2 == 1) for index in range(RUNS)]
    jobs.submit(workspace.folder, [run.id for run in runs])
    done = dict.fromkeys(("worker", "dispatcher"), 0)
    deadline = time.monotonic() + 4 * KILLS + 60
    while sum(done.values()) < KILLS:
        assert time.monotonic() < deadline, (done, workspace.states())
        time.sleep(float(rng.uniform(0, 0.25)))
        if rng.random() < 0.3:
            target, pid = "dispatcher", _born(workspace.dispatcher())
        else:
            target, pid = "worker", _some_worker(workspace, rng)
        if pid is not None and processes.send_signal(*pid, signal.SIGKILL):
            done[target] += 1
        _check_files(runs)
        for summary in jobs.refresh(workspace.folder):
            if summary.status.state in ("failed", "interrupted"):
                assert summary.status.state == "interrupted", summary.status.cause
                jobs.resume(workspace.folder, summary.id)
            elif summary.status.state == "finished" and sum(done.values()) < KILLS:
                _begin_again(runs[int(summary.id[1:])])
                jobs.submit(workspace.folder, [summary.id])
    end = time.monotonic() + 90
    while set(workspace.states().values()) != {"finished"}:
        assert time.monotonic() < end, (workspace.states(), (workspace.folder / "dispatcher.log").read_text())
        for summary in jobs.refresh(workspace.folder):
            if summary.status.state in ("failed", "interrupted"):
                jobs.resume(workspace.folder, summary.id)
        time.sleep(0.1)
    workspace.wait_empty()
    assert done["worker"] > KILLS // 3 and done["dispatcher"] > KILLS // 10
    for run in runs:
        assert not (run.folder / "TWICE").exists()
        assert run.read_json("result") == {"steps": STEPS, "sum": sum(range(STEPS))}
        assert [record["epoch"] for record in run.metrics()] == list(range(STEPS))
    assert jobs.waiting(workspace.folder) == []


def _some_worker(workspace, rng):
    """A worker, or a process that is about to become one, of this workspace: both name its folder in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(workspace.folder) in line and "segcore.runs.dispatch" not in line and process.pid != os.getpid():
            found.append(_born(process.pid))
    found = sorted(pair for pair in found if pair)
    return found[int(rng.integers(len(found)))] if found else None


def _born(pid):
    try:
        return None if pid is None else processes.identity(pid)
    except psutil.Error:
        return None


def _check_files(runs):
    for run in runs:
        status = read_status(run.folder / "status.json")
        assert "damaged" not in status.cause and "missing" not in status.cause
        for path in run.folder.rglob("*.json"):
            if not disk.is_temporary(path.name):
                json.loads(path.read_bytes())


def _begin_again(run: RunFolder):
    for name in ("metrics.jsonl", "result.json", "checkpoints/step.json"):
        (run.folder / name).unlink(missing_ok=True)


def test_two_dispatchers_at_once_start_each_run_once(workspace):
    ids = [f"r{index}" for index in range(12)]
    runs = [workspace.run(id, steps=1, pause=0, evaluate=index % 2 == 1) for index, id in enumerate(ids)]
    jobs.pause(workspace.folder)
    jobs.submit(workspace.folder, ids)
    with jobs.Queue(workspace.folder) as queue:
        queue.set_setting("paused", None)
    started = [
        processes.start_detached(["-m", "segcore.runs.dispatch", str(workspace.folder)], workspace.folder / "dispatcher.log")
        for _ in range(4)
    ]
    workspace.wait(lambda: set(workspace.states().values()) == {"finished"})
    assert [process.wait(30) for process in started] == [0] * 4
    for run in runs:
        assert len(workspace.starts(run.id)) == 1 and not (run.folder / "TWICE").exists()
