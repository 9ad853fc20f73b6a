"""Statistics, health, evaluation and CRF on a local cluster give what one process gives."""

import dataclasses
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from segcore.config import EvaluateConfig
from segcore.errors import SegcoreError
from segcore.light_worker.evaluation import evaluate_run
from segcore.light_worker.pool import map_ahead
from segcore.postprocess.parameters import CRFParameters
from segcore.runs.dispatch.dask import Cluster
from segcore.runs.dispatch.executors import ClusterExecutor, cluster_executor
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine import processes
from segcore.runs.machine.settings import set_cluster
from segcore.workspace.datasets import datasets

pytestmark = pytest.mark.slow


@pytest.fixture
def served(trained, local_cluster, monkeypatch):
    """The workspace with two predicted members, whose cluster has two workers."""
    monkeypatch.setattr(datasets, "WORTH_A_CLUSTER", 1)
    set_cluster(trained.workspace.folder, local_cluster.address)
    client, end = Cluster(local_cluster.address), time.monotonic() + 300
    while len(client.workers()) < 2:
        assert time.monotonic() < end
        time.sleep(0.1)
    client.close()
    return trained


def test_heavy_maps_on_a_cluster_give_what_one_process_gives(served, local_cluster, monkeypatch):
    workspace = served.workspace
    machines = {process.pid for process in local_cluster.workers.values()}
    with cluster_executor(workspace.folder) as executor:
        pids = {executor.submit(os.getpid).result(60) for _ in range(8)}
        assert executor.width == 2 and pids <= machines
    set_cluster(workspace.folder, "")
    alone, health, looks = (
        getattr(workspace.datasets, name)("tiny") for name in ("statistics", "health", "appearance")
    )
    for kept in ("statistics.npz", "hashes.npz"):
        (workspace.datasets.folder / "tiny" / kept).unlink()
    set_cluster(workspace.folder, local_cluster.address)
    handed: list[object] = []
    submit = ClusterExecutor.submit
    monkeypatch.setattr(
        ClusterExecutor, "submit", lambda self, *task: handed.append(task) or submit(self, *task)
    )
    np.testing.assert_array_equal(workspace.datasets.statistics("tiny").counts, alone.counts)
    assert len(handed) == 1  # twelve masks are one chunk
    assert workspace.datasets.health("tiny") == health
    np.testing.assert_array_equal(workspace.datasets.appearance("tiny").sizes, looks.sizes)
    assert len(handed) > 2

    config = EvaluateConfig("tiny", served.members, "test", "mean", CRFParameters(iterations=2))
    here, there = (
        RunFolder.create(workspace.runs.folder, name, config) for name in ("here", "there")
    )
    evaluate_run(here)
    command = [sys.executable, "-m", "segcore.light_worker", str(there.folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=processes.python_environment(), check=False
    )
    assert (done.returncode, there.status().state) == (0, "finished"), done.stderr
    assert "Working on 2 threads of the cluster" in done.stdout
    for stage in ("ensemble", "crf"):
        assert there.read_counts("test", stage)[0] == here.read_counts("test", stage)[0]
        np.testing.assert_array_equal(
            there.read_counts("test", stage)[1], here.read_counts("test", stage)[1]
        )
    asked = subprocess.run(
        [*command, "--workers", "1"],
        capture_output=True,
        text=True,
        env=processes.python_environment(),
        check=False,
    )
    assert asked.returncode == 0 and "cluster" not in asked.stdout


@pytest.mark.parametrize("after", [0, 1, 3, 6])
def test_a_machine_that_is_lost_in_a_map_loses_nothing(served, local_cluster, after):
    results = []
    with cluster_executor(served.workspace.folder) as executor:
        if after == 0:
            local_cluster.workers["east"].kill()
        for result in map_ahead(_squared, range(30), executor, 6):
            results.append(result)
            if len(results) == after:
                local_cluster.workers["east"].kill()
    assert results == [number * number for number in range(30)]


def _squared(number):
    time.sleep(0.1)
    return number * number


def test_a_lost_cluster_is_a_sentence(served, local_cluster):
    folder = served.workspace.folder
    with pytest.raises(SegcoreError, match="went away"), cluster_executor(folder) as executor:
        for _ in map_ahead(time.sleep, [0.1] * 10_000, executor, 6):
            local_cluster.scheduler.kill()


def test_a_cluster_that_cannot_be_reached_stops_no_evaluation(served, local_cluster, tmp_path):
    local_cluster.close()
    config = EvaluateConfig("tiny", served.members, "validation")
    run = RunFolder.create(served.workspace.runs.folder, "alone", dataclasses.replace(config))
    command = [sys.executable, "-m", "segcore.light_worker", str(run.folder)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=processes.python_environment(), check=False
    )
    assert (done.returncode, run.status().state) == (0, "finished")
    assert "Could not reach the cluster" in done.stderr and "works alone meanwhile" in done.stderr
