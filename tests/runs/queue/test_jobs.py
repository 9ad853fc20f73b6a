"""Real processes, a fake worker: order, devices, needs, stop, resume, and what the dead leave."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from segcore.errors import SegcoreError
from segcore.runs.dispatch.dispatcher import Dispatcher
from segcore.runs.machine import processes
from segcore.runs.queue import crash_recovery, jobs
from segcore.runs.queue.queue import Queue


def test_a_run_goes_from_queued_to_finished_and_the_dispatcher_leaves(workspace):
    run = workspace.run("a")
    assert jobs.submit(workspace.folder, ["a"]) == ["a"]
    workspace.wait_for(a="finished")
    workspace.wait_empty()
    status = run.status()
    assert (
        (status.device, status.epoch, status.cause) == ("cpu", 3, "")
        and status.pid
        and status.started <= status.finished
    )
    assert len(run.metrics()) == 3 and "working on a" in run.log_tail()
    assert (
        len(workspace.starts("a")) == 1 and json.loads(workspace.starts("a")[0])["devices"] == "-1"
    )


def test_one_training_at_a_time_and_an_evaluation_beside_it(workspace):
    workspace.run("a", steps=1000, pause=0.02)
    workspace.run("b")
    workspace.run("c", evaluate=True)
    jobs.submit(workspace.folder, ["a", "b", "c"])
    workspace.wait_for(a="running", c="finished")
    assert workspace.states()["b"] == "queued"
    assert jobs.stop(workspace.folder, "a").state in ("stopping", "interrupted")
    workspace.wait_for(a="interrupted", b="finished")


def test_priority_order_and_pause(workspace):
    for id in "abcd":
        workspace.run(id, steps=1)
    jobs.pause(workspace.folder)
    jobs.submit(workspace.folder, ["a", "b", "c"])
    jobs.submit(workspace.folder, ["d"], priority=5)
    jobs.reorder(workspace.folder, ["c", "a"])
    assert [job.run for job in jobs.waiting(workspace.folder)] == ["d", "c", "b", "a"]
    assert jobs.is_paused(workspace.folder) and workspace.dispatcher() is None
    jobs.pause(workspace.folder, False)
    workspace.wait_for(a="finished", b="finished", c="finished", d="finished")
    runs = {run.id: run.status.started for run in jobs.refresh(workspace.folder)}
    assert sorted(runs, key=runs.get) == ["d", "c", "b", "a"]


def test_a_run_waits_for_those_it_needs(workspace):
    workspace.run("train", steps=10)
    workspace.run("score", steps=1, evaluate=True)
    jobs.submit(workspace.folder, ["score", "train"], after={"score": ["train"]})
    workspace.wait_for(train="finished", score="finished")
    runs = {run.id: run.status for run in jobs.refresh(workspace.folder)}
    assert runs["score"].started >= runs["train"].finished and runs["score"].after == ("train",)


def test_a_failed_need_fails_what_waited_and_resume_brings_both_back(workspace):
    train = workspace.run("train", steps=1, ending="failed")
    workspace.run("predict", steps=1)
    workspace.run("score", steps=1, evaluate=True)
    jobs.submit(
        workspace.folder,
        ["train", "predict", "score"],
        after={"score": ["predict"], "predict": ["train"]},
    )
    workspace.wait_for(train="failed", predict="failed", score="failed")
    causes = {run.id: run.status.cause for run in jobs.refresh(workspace.folder)}
    assert (
        causes["train"] == "The loss became NaN."
        and "'train'" in causes["predict"]
        and "'predict'" in causes["score"]
    )
    (train.folder / "fake.json").write_text('{"steps": 2, "pause": 0}')
    assert set(jobs.resume(workspace.folder, "train")) == {"train", "predict", "score"}
    workspace.wait_for(train="finished", predict="finished", score="finished")
    with pytest.raises(SegcoreError, match="finished"):
        jobs.resume(workspace.folder, "train")


def test_stop_while_queued_is_at_once_and_resume_starts_it(workspace):
    workspace.run("a")
    jobs.pause(workspace.folder)
    jobs.submit(workspace.folder, ["a"])
    status = jobs.stop(workspace.folder, "a")
    assert (
        status.state == "interrupted"
        and "resume" in status.cause
        and jobs.waiting(workspace.folder) == []
    )
    assert jobs.stop(workspace.folder, "a").state == "interrupted"
    jobs.pause(workspace.folder, False)
    jobs.resume(workspace.folder, "a")
    workspace.wait_for(a="finished")


def test_a_second_stop_kills_a_deaf_worker(workspace):
    workspace.run("a", steps=10_000, pause=0.02, ending="deaf")
    jobs.submit(workspace.folder, ["a"])
    workspace.wait_for(a="running")
    assert jobs.stop(workspace.folder, "a").state == "stopping"
    epoch = workspace.status("a").epoch or 0
    workspace.wait(lambda: (workspace.status("a").epoch or 0) > epoch + 2)
    assert workspace.states()["a"] == "stopping"  # it heard the signal and took no notice
    jobs.stop(workspace.folder, "a")
    workspace.wait_for(a="interrupted")
    assert "request" in jobs.refresh(workspace.folder)[0].status.cause


def test_a_killed_worker_is_interrupted_with_its_history_and_resumes(workspace, fake_state):
    run = workspace.run("a", steps=60, pause=0.02)
    jobs.submit(workspace.folder, ["a"])
    workspace.wait(lambda: (run.status().epoch or 0) > 5)
    os.kill(run.status().pid, signal.SIGKILL)
    workspace.wait_for(a="interrupted")
    assert run.status().cause == crash_recovery.DIED and len(run.metrics()) > 5
    workspace.wait_empty()
    jobs.resume(workspace.folder, "a")
    workspace.wait_for(a="finished")
    assert [record["epoch"] for record in run.metrics()] == list(range(60)) and run.read_json(
        "result"
    )["state"] == fake_state(60)


def test_what_a_killed_worker_leaves_behind_is_ended(workspace):
    run = workspace.run("a", steps=10_000, pause=0.02, ending="parent")
    jobs.submit(workspace.folder, ["a"])
    workspace.wait_for(a="running")
    child = processes.identity(run.read_json("child")["pid"])
    os.kill(run.status().pid, signal.SIGKILL)
    workspace.wait_for(a="interrupted")
    workspace.wait(lambda: not processes.is_alive(*child))


def test_a_dispatcher_that_is_starting_is_not_started_again(workspace, monkeypatch):
    """On a busy machine its start takes longer than the page's next look at the queue."""
    started = []

    def start_slowly(*rest, **named):
        started.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        return started[-1]

    workspace.run("a")
    with monkeypatch.context() as patch:
        patch.setattr(processes, "start_detached", start_slowly)
        jobs.submit(workspace.folder, ["a"])
        jobs.refresh(workspace.folder)
        assert len(started) == 1 and not jobs.ensure_dispatcher(workspace.folder)
        started[0].kill()
        started[0].wait()
        assert jobs.ensure_dispatcher(workspace.folder)  # that one has died: another is needed
    Dispatcher(workspace.folder, ["cpu"]).work()  # one that works needs no other's end
    with Queue(workspace.folder) as queue:
        assert queue.setting(jobs.STARTING) is None
    started[1].kill()
    started[1].wait()
    workspace.wait_for(a="finished")


def test_a_dispatcher_that_finds_another_takes_its_name_off(workspace, monkeypatch):
    """Else a run that is handed in just then waits for one that has given up already."""
    with monkeypatch.context() as patch:
        patch.setenv(jobs.NO_WORK_VARIABLE, "1")
        workspace.run("a", steps=10_000, pause=0.02)
        jobs.submit(workspace.folder, ["a"])
    assert jobs.ensure_dispatcher(workspace.folder)
    workspace.wait_for(a="running")
    with Queue(workspace.folder) as queue:
        queue.set_setting(jobs.STARTING, "{} {}".format(*processes.identity()))
        assert not Dispatcher(workspace.folder, ["cpu"]).work()
        assert queue.setting(jobs.STARTING) is None
    jobs.stop(workspace.folder, "a")
    workspace.wait_for(a="interrupted")


def test_a_living_stranger_is_no_leftover():
    stranger = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True
    )
    try:
        processes.end_group(stranger.pid)
        time.sleep(0.1)
        assert stranger.poll() is None
        born = processes.identity(stranger.pid)[1]
        stale = processes.birth_of_time(time.time() - 3600)
        assert processes.is_alive(stranger.pid, born) and not processes.is_alive(
            stranger.pid, stale
        )
        assert not processes.send_signal(stranger.pid, stale, signal.SIGKILL)
    finally:
        stranger.kill()
        stranger.wait()
    assert not processes.is_alive(stranger.pid, born) and not processes.is_alive(None, "")


def test_a_run_outlives_its_dispatcher_and_is_settled_by_refresh(workspace, monkeypatch):
    run = workspace.run("a", steps=10_000, pause=0.02)
    workspace.run("b", steps=1)
    jobs.submit(workspace.folder, ["a", "b"])
    workspace.wait_for(a="running")
    os.kill(workspace.dispatcher(), signal.SIGKILL)
    workspace.wait(lambda: workspace.dispatcher() is None)
    assert processes.is_alive(run.status().pid, run.status().birth)
    with monkeypatch.context() as patch:
        patch.setenv(jobs.NO_WORK_VARIABLE, "1")  # so that no dispatcher settles it
        os.kill(run.status().pid, signal.SIGKILL)

        def is_settled():  # the last of its threads keeps the run's lock a moment longer
            states = {each.id: each.status.state for each in jobs.refresh(workspace.folder)}
            return states == {"a": "interrupted", "b": "queued"}

        workspace.wait(is_settled)
    jobs.refresh(workspace.folder)  # which starts a new dispatcher
    workspace.wait_for(b="finished")


@pytest.mark.parametrize(
    ("ending", "state", "words"),
    [("exit", "failed", "exit code 3"), ("crash", "failed", "SIGSEGV")],
)
def test_how_a_process_ended_is_said(workspace, ending, state, words):
    run = workspace.run("a", ending=ending)
    jobs.submit(workspace.folder, ["a"])
    workspace.wait_for(a=state)
    assert words in run.status().cause


def test_a_device_that_is_not_there_fails_with_a_sentence(workspace):
    run = workspace.run("a", device="gpu:7")
    jobs.submit(workspace.folder, ["a"])
    workspace.wait_for(a="failed")
    assert "gpu:7" in run.status().cause


def test_gpus_are_given_out_one_run_each(tmp_path):
    dispatcher = Dispatcher(tmp_path, ["cpu", "gpu:0", "gpu:1", "gpu:2"])
    assert dispatcher._choose("auto", []) == (["gpu:0"], [])
    assert dispatcher._choose("auto", ["gpu:0"]) == (["gpu:1"], [])
    assert dispatcher._choose("auto", ["gpu:0", "gpu:1", "gpu:2"]) == ([], [])
    assert dispatcher._choose("gpu:1,gpu:2", ["gpu:0"]) == (["gpu:1", "gpu:2"], [])
    assert dispatcher._choose("gpu:0,gpu:1", ["gpu:0"]) == (
        [],
        ["gpu:0", "gpu:1"],
    )  # gpu:1 is kept free for it
    assert dispatcher._choose("cpu", ["gpu:0"]) == (["cpu"], [])


def test_what_cannot_be_queued_is_one_sentence(workspace):
    workspace.run("a")
    workspace.run("b")
    with pytest.raises(SegcoreError, match="found none"):
        jobs.submit(workspace.folder, ["gone"])
    with pytest.raises(SegcoreError, match="circle"):
        jobs.submit(workspace.folder, ["a", "b"], after={"a": ["b"], "b": ["a"]})
    assert (
        jobs.waiting(workspace.folder) == []
        if (workspace.folder / "queue.sqlite").exists()
        else True
    )


def test_a_run_is_queued_once(workspace):
    workspace.run("a")
    jobs.pause(workspace.folder)
    assert (
        jobs.submit(workspace.folder, ["a", "a"]) == ["a"]
        and jobs.submit(workspace.folder, ["a"]) == []
    )
    jobs.pause(workspace.folder, False)
    workspace.wait_for(a="finished")
    workspace.wait_empty()
    assert len(workspace.starts("a")) == 1


def test_a_working_run_is_not_queued_again(workspace):
    run = workspace.run("a", steps=10_000, pause=0.02)
    jobs.submit(workspace.folder, ["a"])
    workspace.wait_for(a="running")
    for path in workspace.folder.glob("queue.sqlite*"):
        path.unlink()  # even without its row
    (run.folder / "status.json").read_text()
    with pytest.raises(SegcoreError, match="stop it first"):
        jobs.submit(workspace.folder, ["a"])


def test_a_run_that_never_reached_the_queue_is_noticed(workspace):
    run = workspace.run("a")
    old = time.time() - 3600
    os.utime(run.folder / "status.json", (old, old))
    (summary,) = jobs.refresh(workspace.folder)
    assert summary.status.state == "interrupted" and "never reached" in summary.status.cause
    jobs.resume(workspace.folder, "a")
    workspace.wait_for(a="finished")
