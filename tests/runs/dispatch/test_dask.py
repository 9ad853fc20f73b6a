"""Runs on a local cluster of two Dask workers on loopback, carried out by ``fake_worker.py``."""

import json
import os
import signal
import threading

import pytest

from segcore.errors import SegcoreError
from segcore.runs.dispatch import guardian as dispatch_guardian
from segcore.runs.dispatch.dask import Cluster, gpus_asked
from segcore.runs.dispatch.dispatcher import Dispatcher
from segcore.runs.folder import work_lock
from segcore.runs.machine import processes
from segcore.runs.machine.settings import cluster_address, set_cluster
from segcore.runs.queue import jobs
from segcore.runs.queue.queue import Queue


def test_what_a_request_says():
    assert [gpus_asked(text) for text in ("cluster", "cluster:2", "cluster:cpu")] == [None, 2, 0]
    with pytest.raises(SegcoreError, match="cluster:2"):
        gpus_asked("cluster:two")


def test_room_is_counted_in_gpus_and_processors(monkeypatch):
    cluster = Cluster.__new__(Cluster)
    there = [{"gpus": 2, "cpus": None}, {"gpus": 1, "cpus": None}]
    monkeypatch.setattr(cluster, "workers", lambda: there)
    assert cluster.fits("cluster", []) and cluster.fits("cluster", ["cluster", "cluster:1"])
    assert not cluster.fits("cluster", ["cluster:2", "cluster"])  # three GPUs are taken
    assert cluster.fits("cluster:2", ["cluster"]) and not cluster.fits(
        "cluster:3", []
    )  # no machine has three
    assert cluster.fits("cluster:cpu", ["cluster", "cluster:cpu"]) and not cluster.fits(
        "cluster:cpu", ["cluster:cpu"] * 2
    )
    there[:] = [{"gpus": 0, "cpus": 3}]
    assert cluster.fits("cluster", ["cluster"] * 2) and not cluster.fits("cluster", ["cluster"] * 3)


def test_the_address_is_a_setting_that_the_environment_overrides(tmp_path, monkeypatch):
    monkeypatch.delenv("SEGSCOPE_CLUSTER", raising=False)
    assert cluster_address(tmp_path) == ""
    set_cluster(tmp_path, "tcp://10.0.0.5:8786")
    assert cluster_address(tmp_path) == "tcp://10.0.0.5:8786"
    with pytest.raises(SegcoreError, match="address"):
        set_cluster(tmp_path, "10.0.0.5")
    monkeypatch.setenv("SEGSCOPE_CLUSTER", "tcp://10.0.0.6:1")
    assert cluster_address(tmp_path) == "tcp://10.0.0.6:1"
    (tmp_path / "settings.json").write_text('{"format": 99}')
    monkeypatch.delenv("SEGSCOPE_CLUSTER")
    with pytest.raises(SegcoreError, match="format 1 or older"):
        cluster_address(tmp_path)


def test_without_an_address_a_run_for_the_cluster_fails_with_a_sentence(workspace, monkeypatch):
    monkeypatch.delenv("SEGSCOPE_CLUSTER", raising=False)
    run = workspace.run("a", device="cluster")
    jobs.submit(workspace.folder, ["a"])
    workspace.wait_for(a="failed")
    assert "segscope cluster ADDRESS" in run.status().cause


@pytest.fixture
def guardian(workspace):
    """Start a run's guardian as a machine of a cluster does."""
    started = []

    def start(run, token):
        process = processes.start_detached(
            ["-m", "segcore.runs.dispatch.guardian", str(run.folder), token],
            run.log_path,
            tethered=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_of_two_attempts_one_works_and_an_attempt_begins_once(workspace, guardian):
    run = workspace.run("a", steps=10_000, pause=0.02)
    dispatch_guardian.write_attempt(run.folder, "one")
    first = guardian(run, "one")
    workspace.wait(lambda: (run.status().epoch or 0) > 1)
    assert (
        work_lock.is_held(run.folder) and guardian(run, "one").wait(300) == dispatch_guardian.LOST
    )
    dispatch_guardian.write_attempt(run.folder, "two")  # calls the first off
    second = guardian(run, "two")
    assert first.wait(300) == 0
    before = run.status().epoch
    workspace.wait(lambda: (run.status().epoch or 0) > before)
    assert len(workspace.starts("a")) == 2 and not (run.folder / "TWICE").exists()
    second.stdin.close()  # as when the cluster's worker dies
    assert second.wait(300) == dispatch_guardian.LOST
    assert (run.status().state, run.status().cause) == (
        "interrupted",
        dispatch_guardian.LOST_CAUSE,
    ) and not work_lock.is_held(run.folder)


@pytest.fixture
def cluster(workspace, local_cluster):
    """Begun after the workspace, whose fake worker its machines then know."""
    return local_cluster


@pytest.mark.slow
def test_runs_start_log_and_stop_and_one_whose_worker_is_killed_goes_on_elsewhere(
    workspace, cluster, fake_state
):
    set_cluster(workspace.folder, cluster.address)
    client = Cluster(cluster.address)
    workspace.wait(lambda: len(client.workers()) == 2)
    assert [(w["gpus"], w["cpus"]) for w in client.workers()] == [(0, 1)] * 2
    short = workspace.run("short", steps=3, device="cluster")
    cut = workspace.run("cut", steps=10_000, pause=0.02, device="cluster:cpu")
    workspace.run("stopped", steps=10_000, pause=0.02, device="cluster")
    jobs.submit(workspace.folder, ["cut", "short", "stopped"])
    workspace.wait_for(short="finished", cut="running", stopped="running")
    assert (
        short.read_json("result")["state"] == fake_state(3)
        and "working on short" in short.log_tail()
    )
    with Queue(workspace.folder) as queue:
        assert {job.run: (job.host, job.devices) for job in queue.jobs()} == {
            "cut": ("cluster", ()),
            "stopped": ("cluster", ()),
        }

    os.kill(workspace.dispatcher(), signal.SIGKILL)  # its successor asks for the same tasks
    workspace.wait(lambda: workspace.dispatcher() is None)
    assert jobs.stop(workspace.folder, "stopped").state in ("stopping", "interrupted")
    workspace.wait_for(stopped="interrupted")

    workspace.wait(lambda: (cut.status().epoch or 0) > 5)
    guardian = processes.parent(cut.status().pid)
    east, west = (cluster.workers[name] for name in ("east", "west"))
    holder = east if processes.parent(guardian) == east.pid else west
    assert processes.parent(guardian) == holder.pid
    holder.kill()
    workspace.wait_for(cut="interrupted")
    workspace.wait(lambda: not jobs.waiting(workspace.folder))
    assert cut.status().cause == dispatch_guardian.LOST_CAUSE
    steps = cut.status().epoch + 5
    (cut.folder / "fake.json").write_text(json.dumps({"steps": steps, "pause": 0}))
    jobs.resume(workspace.folder, "cut")
    workspace.wait_for(cut="finished")
    assert cut.read_json("result")["state"] == fake_state(steps)
    assert [record["epoch"] for record in cut.metrics()] == list(range(steps))
    assert len(workspace.starts("cut")) == 2 and not (cut.folder / "TWICE").exists()
    client.close()


def test_a_cluster_that_does_not_answer_holds_up_nothing_else(workspace, monkeypatch):
    pytest.importorskip(
        "distributed",
        reason="NO CLUSTER: pip install '.[cluster]' to test runs on many machines",
    )
    monkeypatch.setattr("segcore.runs.dispatch.dask.CONNECT_SECONDS", 0.2)
    set_cluster(workspace.folder, "tcp://127.0.0.1:9")
    far, near = workspace.run("far", device="cluster"), workspace.run("near")
    monkeypatch.setenv("SEGSCOPE_NO_WORK", "1")
    jobs.submit(workspace.folder, ["far", "near"])
    assert workspace.dispatcher() is None
    dispatcher = Dispatcher(workspace.folder, ["cpu"])
    thread = threading.Thread(target=dispatcher.work)
    thread.start()
    workspace.wait_for(near="finished")
    workspace.wait(
        lambda: [job.run for job in jobs.waiting(workspace.folder)] == ["far"]
    )  # its process lives on for a moment
    assert (
        far.status().state == "queued"
        and "Could not reach the cluster at tcp://127.0.0.1:9" in far.status().message
    )
    dispatcher.end()
    thread.join(60)
    assert (
        not thread.is_alive()
        and [job.run for job in jobs.waiting(workspace.folder)] == ["far"]
        and near.status().state == "finished"
    )
