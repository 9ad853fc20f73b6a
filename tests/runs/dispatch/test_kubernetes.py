"""Runs as Jobs of Kubernetes: a fake kubectl with pods on this machine, no real cluster."""

import json
import os
import sys
import threading
from pathlib import Path

import pytest
import yaml

from segcore.errors import SegcoreError
from segcore.runs.dispatch import clients, scheduled_runs
from segcore.runs.dispatch.dispatcher import Dispatcher
from segcore.runs.dispatch.kubernetes import Kubernetes
from segcore.runs.dispatch.schedulers import Refused
from segcore.runs.machine import processes
from segcore.runs.queue import jobs


class Cluster:
    """The fake's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def set(self, mode: str) -> None:
        (self.folder / "mode").write_text(mode)

    def names(self, kind: str) -> list[str]:
        return [path.name.partition(" ")[2] for path in sorted(self.folder.glob(f"{kind} *"))]


@pytest.fixture
def cluster(tmp_path, workspace, monkeypatch):
    """A cluster with a template for it, and a dispatcher in this process."""
    made = Cluster(tmp_path / "fake cluster")
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    script = Path(__file__).with_name("fake_kubectl.py")
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_CLUSTER", str(made.folder))
    monkeypatch.setenv("KUBECONFIG", "a file")
    monkeypatch.setenv("PYTHONPATH", processes.python_environment()["PYTHONPATH"])
    monkeypatch.setenv(jobs.NO_WORK_VARIABLE, "1")
    monkeypatch.setattr(scheduled_runs, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(scheduled_runs, "RETRY_SECONDS", 0.2)
    workspace.folder.mkdir()
    template = Kubernetes(workspace.folder).write_template()
    template.write_text(template.read_text().replace("REGISTRY/segscope:VERSION", "segscope:1"))
    dispatcher = Dispatcher(workspace.folder, ["cpu"])
    thread = threading.Thread(target=dispatcher.work, kwargs={"forever": True})
    thread.start()
    yield made
    for path in made.folder.glob("pod *"):
        path.unlink()
    dispatcher.end()
    thread.join(60)
    assert not thread.is_alive()


def test_a_run_is_a_job_that_logs_stops_resumes_as_another_and_makes_room(
    workspace, cluster, fake_state
):
    run = workspace.run("Run_1.a", steps=10_000, pause=0.02, device="kubernetes:gpus=2")
    jobs.submit(workspace.folder, ["Run_1.a"])
    workspace.wait(lambda: (run.status().epoch or 0) > 2)
    (first,) = cluster.names("job")
    assert first.startswith("segscope-run-1-a-") and "working on Run_1.a" in run.log_tail()
    (cluster.folder / "disrupt").write_text(f"{first}-0")
    workspace.wait(lambda: len(workspace.starts("Run_1.a")) == 2)
    assert cluster.names("pod") == [f"{first}-1"]
    jobs.stop(workspace.folder, "Run_1.a")
    workspace.wait(lambda: run.status().state == "interrupted")
    workspace.wait(lambda: not jobs.waiting(workspace.folder))
    steps = run.status().epoch + 3
    (run.folder / "fake.json").write_text(json.dumps({"steps": steps, "pause": 0}))
    jobs.resume(workspace.folder, "Run_1.a")
    workspace.wait(lambda: run.status().state == "finished")
    assert len(cluster.names("job")) == 2 and run.read_json("result")["state"] == fake_state(steps)
    assert len(workspace.starts("Run_1.a")) == 3 and not (run.folder / "TWICE").exists()


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("unschedulable", "No node fits: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu."),
        ("no image", "Its image cannot be had (ImagePullBackOff"),
        ("suspended", "Waits until the queue team has room for it"),
    ],
)
def test_why_a_job_waits_is_said_and_a_stop_deletes_it(workspace, cluster, mode, words):
    cluster.set(mode)
    run = workspace.run("a", device="kubernetes:queue=team")
    jobs.submit(workspace.folder, ["a"])
    workspace.wait(lambda: words in run.status().message)
    assert run.status().state == "queued" and "\x1b" not in run.status().message
    jobs.stop(workspace.folder, "a")
    workspace.wait_for(a="interrupted")
    workspace.wait(lambda: cluster.names("job") == [])
    assert "on request" in run.status().cause and not workspace.starts("a")


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("evicted", "was evicted (The node was low on resource: memory.)"),
        ("out of memory", "needed more memory than it was given"),
    ],
)
def test_why_a_pod_was_lost_is_said_with_the_end_of_its_log(workspace, cluster, mode, words):
    cluster.set(mode)
    run = workspace.run("a", device="kubernetes")
    jobs.submit(workspace.folder, ["a"])
    workspace.wait_for(a="interrupted")
    assert words in run.status().cause and "Resume the run" in run.status().cause
    assert "said this" in run.log_tail()


def test_a_cluster_that_hangs_or_is_down_holds_up_nothing(workspace, cluster, monkeypatch):
    monkeypatch.setattr(clients, "ANSWER_SECONDS", 0.3)
    cluster.set("hangs")
    far, _ = workspace.run("far", device="kubernetes"), workspace.run("near")
    jobs.submit(workspace.folder, ["far", "near"])
    workspace.wait_for(near="finished")
    workspace.wait(lambda: "Kubernetes has not answered since" in far.status().message)
    monkeypatch.setattr(clients, "ANSWER_SECONDS", 60.0)
    cluster.set("down")
    workspace.wait(lambda: "connection refused" in far.status().message)
    cluster.set("run")
    workspace.wait_for(far="finished")
    assert len(workspace.starts("far")) == 1


def test_a_job_is_the_template_with_the_fields_of_the_run(tmp_path):
    kubernetes = Kubernetes(tmp_path)
    with pytest.raises(Refused, match="Expected an image"):
        kubernetes.manifest(tmp_path / "runs" / "a", "t", "kubernetes")
    template = yaml.safe_load(kubernetes.template.read_text())
    container = template["spec"]["template"]["spec"]["containers"][0]
    container["image"] = "segscope:1"
    container["volumeMounts"][0]["mountPath"] = "/data $(HOME)"
    kubernetes.template.write_text(yaml.safe_dump(template))
    request = "kubernetes:gpus=0,cpus=8,memory=64Gi,queue=team,namespace=vision"
    job = kubernetes.manifest(tmp_path / "runs" / ("X" * 100), "0123456789abcdef", request)
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"] == {"limits": {"cpu": "8", "memory": "64Gi"}}
    assert container["args"][-3:] == [
        "kubernetes",
        f"/data $$(HOME)/runs/{'X' * 100}",
        "0123456789abcdef",
    ]
    assert job["metadata"]["namespace"] == "vision" and len(job["metadata"]["name"]) <= 63
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team"
    for text in ("[", "kind: Pod", "kind: Job\nspec: []"):
        kubernetes.template.write_text(text)
        with pytest.raises(Refused, match="Expected"):
            kubernetes.manifest(tmp_path / "runs" / "a", "t", "kubernetes")
    with pytest.raises(SegcoreError, match="gpus"):
        kubernetes.check("kubernetes:gpus=two")


@pytest.mark.parametrize(
    "said", ["", "[]", "{", '{"items": [1, {"kind": "Job"}, {"kind": "Job", "status": 3}]}']
)
def test_what_kubectl_says_is_parsed_and_not_trusted(tmp_path, monkeypatch, said):
    monkeypatch.setattr(
        "segcore.runs.dispatch.kubernetes.ask", lambda *_: clients.Answer(0, said, "")
    )
    try:
        assert Kubernetes(tmp_path).look(["ns/a"]) == {}
    except clients.NoAnswer as error:
        assert "no JSON" in str(error)
