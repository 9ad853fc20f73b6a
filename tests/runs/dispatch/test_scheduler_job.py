"""The guardian inside a job: what it does when the scheduler speaks, without any scheduler."""

import json
import signal
import subprocess
import sys

import pytest

from segcore.runs.dispatch.guardian import LOST, NOT_SEEN, write_attempt
from segcore.runs.dispatch.scheduler_job import TAKEN_BACK, read_exit
from segcore.runs.dispatch.worker_entry import CALLED_OFF
from segcore.runs.machine import processes


@pytest.fixture
def job():
    """Start an attempt as a pod of that name does."""
    started = []

    def start(folder, token, pod="one"):
        words = ["-m", "segcore.runs.dispatch.scheduler_job", "kubernetes", str(folder), token]
        process = subprocess.Popen(
            [sys.executable, "-P", *words],
            env=processes.python_environment({"SEGSCOPE_POD": pod}),
            stdin=subprocess.DEVNULL,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_job_whose_machine_is_wanted_saves_waits_and_continues_in_another_pod(
    workspace, job, fake_state
):
    run = workspace.run("a", steps=10_000, pause=0.02)
    write_attempt(run.folder, "t")
    first = job(run.folder, "t")
    workspace.wait(lambda: (run.status().epoch or 0) > 2)
    first.send_signal(signal.SIGTERM)
    assert first.wait(300) == LOST and read_exit(run.folder, "t") is None
    assert (run.status().state, run.status().message) == ("queued", TAKEN_BACK)
    assert job(run.folder, "t").wait(300) == LOST, "a pod begins once"
    steps = run.status().epoch + 3
    (run.folder / "fake.json").write_text(json.dumps({"steps": steps, "pause": 0}))
    assert job(run.folder, "t", "two").wait(300) == 0 and read_exit(run.folder, "t") == 0
    assert run.read_json("result")["state"] == fake_state(steps)
    assert "working on a" in run.log_tail() and len(workspace.starts("a")) == 2


def test_a_job_whose_attempt_does_not_count_ends_at_once(workspace, job, tmp_path):
    run = workspace.run("a")
    write_attempt(run.folder, "newer")
    assert job(run.folder, "older").wait(300) == CALLED_OFF
    assert not workspace.starts("a") and run.status().state == "queued"
    assert job(tmp_path / "absent", "t").wait(300) == NOT_SEEN


def test_how_a_worker_failed_is_noted_for_the_dispatcher(workspace, job):
    run = workspace.run("a", ending="exit")
    write_attempt(run.folder, "t")
    assert job(run.folder, "t").wait(300) == 3 == read_exit(run.folder, "t")
    (run.folder / "exit.json").write_text('{"token": "t", "code": "x"}')
    assert read_exit(run.folder, "t") is None
