"""The doctor's rows for schedulers: only where a client is, whether it answers or not."""

import os

from segcore.runs.dispatch.dispatcher import Dispatcher
from segcore.runs.dispatch.scheduler_check import check_schedulers
from segcore.runs.queue import jobs, leases
from segcore.runs.queue.queue import Queue


def client(folder, name, body):
    program = folder / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


def test_a_scheduler_is_checked_where_its_client_is_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    client(tmp_path, "sbatch", "echo no configuration source >&2; exit 1")
    assert check_schedulers(tmp_path) == []
    monkeypatch.setattr("segcore.runs.dispatch.slurm.CONFIGURED_SECONDS", -1.0)
    (tmp_path / "sbatch").unlink()
    assert check_schedulers(tmp_path) == []
    client(tmp_path, "sbatch", "echo slurm 23.11.4")
    client(tmp_path, "sinfo", "echo 'gpu*|up|1-00:00:00|4|gpu:a100:8'; echo garbage; echo 'x|y'")
    client(tmp_path, "kubectl", "echo 'Unable to connect to the server' >&2; exit 1")
    (slurm,) = check_schedulers(tmp_path)  # a kubectl that knows no cluster is none
    monkeypatch.setenv("KUBECONFIG", "a file")
    slurm, kubernetes = check_schedulers(tmp_path)
    assert (slurm.name, slurm.state) == ("Slurm", "ok")
    assert slurm.reason == "23.11.4, answers, 1 partition; gpu (gpu:a100:8)"
    assert (kubernetes.name, kubernetes.state) == ("Kubernetes", "warning")
    assert "Unable to connect" in kubernetes.reason and os.sep not in kubernetes.reason


def test_a_machine_without_the_client_leaves_the_run_to_others(workspace, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SEGSCOPE_HOST", "west")
    monkeypatch.setenv(jobs.NO_WORK_VARIABLE, "1")
    run = workspace.run("a", device="slurm")
    jobs.submit(workspace.folder, ["a"])
    dispatcher = Dispatcher(workspace.folder, ["cpu"])
    with Queue(workspace.folder) as queue:
        dispatcher._start(queue)
        assert queue.job("a").state == "waiting"
        assert "Slurm has no client on west" in run.status().message
        token = queue.claim("a", [], "east")
        assert queue.confirm("a", token, None, "", "slurm")
        monkeypatch.setattr(leases, "LEASE_SECONDS", 0.0)
        dispatcher._machines.look(queue, print)
        assert queue.job("a").owner == "east"
        monkeypatch.setattr("segcore.runs.dispatch.machines.LOOK_SECONDS", -1.0)
        client(tmp_path, "sbatch", "echo slurm 23.11.4")
        dispatcher._machines.look(queue, print)
        assert queue.job("a").owner == "west"
