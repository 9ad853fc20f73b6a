"""Runs as jobs of a real Slurm of one node, carried out by ``fake_worker.py``."""

import json
import os
import signal
import threading
from pathlib import Path

import psutil
import pytest

from segcore.errors import SegcoreError
from segcore.runs.dispatch import clients, scheduled_runs
from segcore.runs.dispatch import slurm as slurm_client
from segcore.runs.dispatch.dispatcher import Dispatcher
from segcore.runs.dispatch.slurm import Slurm, output_pattern
from segcore.runs.machine import processes
from segcore.runs.queue import jobs
from tests.runs.conftest import Workspace


@pytest.fixture
def slurm(local_slurm, monkeypatch):
    for name, value in local_slurm.environment.items():
        monkeypatch.setenv(name, value)
    return local_slurm


def test_a_run_is_a_job_that_starts_logs_finishes_stops_and_resumes(workspace, slurm, fake_state):
    """In a folder with blanks, quotes and signs of the shell and of sbatch."""
    workspace.folder = workspace.folder / "a \"b' %j $HOME `id` ;c"
    run = workspace.run("done", steps=3, device="slurm:gpus=0,cpus=1,memory=100M")
    long = workspace.run("long", steps=10_000, pause=0.02, device="slurm:gpus=1,cpus=1")
    jobs.submit(workspace.folder, ["done", "long"])
    workspace.wait_for(done="finished", long="running")
    assert run.read_json("result")["state"] == fake_state(3)
    assert "working on done" in run.log_tail()
    assert run.read_json("scheduler")["scheduler"] == "slurm"
    first = long.read_json("scheduler")["job"]
    assert [run.status().device, long.status().device] == ["cpu", "gpu:0"]
    os.kill(workspace.dispatcher(), signal.SIGKILL)  # its successor asks for the same job
    workspace.wait(lambda: workspace.dispatcher() is None)
    assert jobs.stop(workspace.folder, "long").state in ("stopping", "interrupted")
    workspace.wait_for(long="interrupted")
    workspace.wait(lambda: not jobs.waiting(workspace.folder))
    before = long.status().epoch
    (long.folder / "fake.json").write_text(json.dumps({"steps": before + 3, "pause": 0}))
    jobs.resume(workspace.folder, "long")
    workspace.wait_for(long="finished")
    assert long.read_json("result")["state"] == fake_state(before + 3)
    assert len(workspace.starts("long")) == 2 and not (long.folder / "TWICE").exists()
    ours = {first, *(one.read_json("scheduler")["job"] for one in (run, long))}
    assert len(ours) == 3
    workspace.wait(lambda: {slurm.jobs()[job] for job in ours} == {"COMPLETED"})
    workspace.wait_empty()


@pytest.fixture
def dispatcher(workspace, slurm, monkeypatch):
    """Let dispatchers work in this process, so that a test can shorten their pauses."""
    monkeypatch.setenv(jobs.NO_WORK_VARIABLE, "1")
    monkeypatch.setattr(scheduled_runs, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(scheduled_runs, "RETRY_SECONDS", 0.2)
    made = Dispatcher(workspace.folder, ["cpu"])
    thread = threading.Thread(target=made.work, kwargs={"forever": True})
    workspace.folder.mkdir(exist_ok=True)
    thread.start()
    yield made
    made.end()
    thread.join(60)
    assert not thread.is_alive()


def test_what_slurm_refuses_fails_with_its_sentence_and_a_waiting_job_is_cancelled(
    workspace, slurm, dispatcher
):
    refused = workspace.run("refused", device="slurm:partition=nowhere")
    waiting = workspace.run("waiting", device="slurm:gpus=0,cpus=1,partition=main")
    slurm.ask("scontrol", "update", "partitionname=main", "state=down")
    try:
        jobs.submit(workspace.folder, ["refused", "waiting"])
        workspace.wait_for(refused="failed")
        assert "invalid partition specified: nowhere" in refused.status().cause
        workspace.wait(lambda: "its partition, which is down" in waiting.status().message)
        job = waiting.read_json("scheduler")["job"]
        jobs.stop(workspace.folder, "waiting")
        workspace.wait_for(waiting="interrupted")
        workspace.wait(lambda: slurm.jobs()[job] == "CANCELLED")
        assert "on request" in waiting.status().cause and not workspace.starts("waiting")
    finally:
        slurm.ask("scontrol", "update", "partitionname=main", "state=up")


def test_a_controller_that_hangs_holds_up_nothing_and_the_run_says_since_when(
    workspace, slurm, dispatcher, monkeypatch
):
    monkeypatch.setattr(clients, "ANSWER_SECONDS", 0.5)
    far = workspace.run("far", device="slurm:gpus=0,cpus=1")
    workspace.run("near")
    slurm.controller.send_signal(signal.SIGSTOP)
    try:
        jobs.submit(workspace.folder, ["far", "near"])
        workspace.wait_for(near="finished")
        workspace.wait(lambda: "Slurm has not answered since" in far.status().message)
        assert far.status().state == "queued"
    finally:
        slurm.controller.send_signal(signal.SIGCONT)
    monkeypatch.setattr(clients, "ANSWER_SECONDS", 30.0)
    workspace.wait_for(far="finished")
    assert len(workspace.starts("far")) == 1 and not (far.folder / "TWICE").exists()


@pytest.mark.slow
def test_at_the_time_limit_a_run_saves_is_requeued_and_continues(
    workspace, slurm, dispatcher, fake_state
):
    template = Slurm(workspace.folder).write_template()
    template.write_text(template.read_text().replace("B:TERM@180", "B:TERM@5"))
    run = workspace.run("long", steps=10_000, pause=0.05, device="slurm:gpus=0,cpus=1,time=1")
    jobs.submit(workspace.folder, ["long"])
    workspace.wait_for(long="running")
    job = run.read_json("scheduler")["job"]
    workspace.wait(lambda: run.status().state == "queued")
    steps = run.status().epoch
    assert steps > 0 and jobs.waiting(workspace.folder)[0].state == "started"
    (run.folder / "fake.json").write_text(json.dumps({"steps": steps + 5, "pause": 0}))
    # Slurm lets it wait two minutes, and fails a job that is let go before.
    workspace.wait_for(long="finished")
    assert run.read_json("result")["state"] == fake_state(steps + 5)
    assert run.read_json("scheduler")["job"] == job
    assert len(workspace.starts("long")) == 2 and not (run.folder / "TWICE").exists()
    assert [record["epoch"] for record in run.metrics()] == list(range(steps + 5))


@pytest.mark.slow
@pytest.mark.parametrize("requeued", [True, False])
def test_a_run_whose_node_is_lost_waits_for_another_or_says_so(
    workspace, slurm, dispatcher, requeued
):
    template = Slurm(workspace.folder).write_template()
    if not requeued:
        template.write_text(template.read_text().replace("--requeue", "--no-requeue"))
    run = workspace.run("cut", steps=10_000, pause=0.02, device="slurm:gpus=0,cpus=1")
    jobs.submit(workspace.folder, ["cut"])
    workspace.wait(lambda: (run.status().epoch or 0) > 3)
    job, pid, birth = run.read_json("scheduler")["job"], run.status().pid, run.status().birth
    slurm.node.kill()
    slurm.node.wait()
    for process in (*reversed(psutil.Process(pid).parents()), psutil.Process(pid)):
        if "slurmstepd" in process.name() or str(run.folder) in " ".join(process.cmdline()):
            process.kill()  # the machine is gone with all that ran on it
    workspace.wait(lambda: not processes.is_alive(pid, birth))
    slurm.ask("scontrol", "update", "nodename=node", "state=down", "reason=test")
    try:
        if requeued:  # Slurm lets it wait two minutes; then it is as after a time limit
            workspace.wait_for(cut="queued")
            assert "Waits in Slurm" in run.status().message
            assert slurm.jobs()[job] == "PENDING"
            jobs.stop(workspace.folder, "cut")
            workspace.wait_for(cut="interrupted")
            workspace.wait(lambda: slurm.jobs()[job] == "CANCELLED")
        else:
            workspace.wait_for(cut="interrupted")
            assert "lost its node" in run.status().cause
    finally:
        slurm.start_node()
        slurm.ask("scontrol", "update", "nodename=node", "state=resume")
        slurm.wait_for_node("idle")
    before = run.status().epoch
    (run.folder / "fake.json").write_text(json.dumps({"steps": before + 5, "pause": 0}))
    jobs.resume(workspace.folder, "cut")
    workspace.wait_for(cut="finished")
    assert len(workspace.starts("cut")) == 2 and not (run.folder / "TWICE").exists()


def test_a_path_means_itself_to_sbatch():
    assert output_pattern(Path("/a/100 %j/log.txt")) == "/a/100 %%j/log.txt"
    assert output_pattern(Path("/a\\b %j/log.txt")) == "/a\\\\b %j/log.txt"


@pytest.mark.slow
def test_a_folder_with_a_backslash_in_its_name_gets_its_log(tmp_path, slurm, workspace):
    other = Workspace(tmp_path / "back\\slash %j")
    run = other.run("r", steps=2, device="slurm:gpus=0,cpus=1")
    jobs.submit(other.folder, ["r"])
    try:
        other.wait_for(r="finished")
        assert "working on r" in run.log_tail()
    finally:
        other.wait_empty()


def test_what_slurm_says_is_parsed_and_not_trusted(tmp_path, monkeypatch):
    said = {
        "squeue": "7|RUNNING|n1|None\n8|PENDING||Resources\n9|FAILED|n|a|b\x1b[2Jc\n"
        "x|RUNNING|n|r\n; rm -rf /|PENDING||\n10\n",
        "sacct": "11|CANCELLED by 0|n1|0:0\n11.batch|COMPLETED|n1|0:0\n",
    }
    monkeypatch.setattr(
        slurm_client, "ask", lambda command, **_: clients.Answer(0, said[command[0]], "")
    )
    monkeypatch.setattr(slurm_client, "is_installed", lambda program: True)
    states = Slurm(tmp_path).look(["7", "8", "9", "10", "11"])
    assert {id: state.phase for id, state in states.items()} == {
        "7": "active",
        "8": "waiting",
        "9": "ended",
        "11": "ended",
    }
    assert states["8"].words == "Waits in Slurm for free nodes (job 8)"
    assert "\x1b" not in states["9"].words and "cancelled" in states["11"].words


def test_fields_of_a_device_become_options_and_others_are_refused(tmp_path):
    (tmp_path / "slurm.sh").write_text("#!/bin/bash\n")
    command = Slurm(tmp_path).command(
        tmp_path / "runs" / "r", "t", "slurm:partition=a,gpus=a100:2,time=1-02:00:00"
    )
    assert {"--partition=a", "--gres=gpu:a100:2", "--time=1-02:00:00"} <= set(command)
    for wrong in ("slurm:gpus=many", "slurm:time=1;id", "slurm:color=red", "slurm:cpus=1,cpus=2"):
        with pytest.raises(SegcoreError, match=r"Expected|Unknown|field"):
            Slurm(tmp_path).check(wrong)
