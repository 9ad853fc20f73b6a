"""Throughput probes: one at a time, beside the queue, never on a GPU that works."""

import json
import os
import signal

import pytest

from segcore.config import TrainConfig
from segcore.errors import SegcoreError
from segcore.runs.dispatch import throughput_probe
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine.devices import Device
from segcore.runs.queue import jobs
from segcore.runs.queue.queue import Queue

CONFIG = TrainConfig("demo")


@pytest.fixture
def worked(workspace):
    """The workspace, with how long a fake worker takes."""
    workspace.folder.mkdir()
    (workspace.folder / "fake.json").write_text(json.dumps({"steps": 10_000, "pause": 0.02}))
    yield workspace
    for name in ("one", "two"):
        throughput_probe.stop(workspace.folder, name)


def state(workspace, key):
    found = throughput_probe.look(workspace.folder, key)
    return found.state if found else None


def test_one_at_a_time_and_the_later_one_wins(worked):
    assert throughput_probe.look(worked.folder, "one") is None
    assert throughput_probe.start(worked.folder, "one", CONFIG).pid
    worked.wait(lambda: state(worked, "one") == "running")
    first = throughput_probe.look(worked.folder, "one")
    assert throughput_probe.start(worked.folder, "one", CONFIG).pid == first.pid  # it goes on
    throughput_probe.start(worked.folder, "two", CONFIG)
    assert (
        throughput_probe.look(worked.folder, "one").cause == "Another measure began."
        and state(worked, "one") == "interrupted"
    )
    worked.wait(lambda: state(worked, "two") == "running")
    throughput_probe.stop(worked.folder, "two")
    assert (
        state(worked, "two") == "interrupted"
        and throughput_probe.read_throughput(worked.folder, "two") is None
    )
    assert jobs.refresh(worked.folder) == []  # a measure is no run


def test_a_measure_that_is_killed_is_noticed_and_made_anew(worked):
    throughput_probe.start(worked.folder, "one", CONFIG)
    worked.wait(lambda: state(worked, "one") == "running")
    killed = throughput_probe.look(worked.folder, "one").pid
    os.kill(killed, signal.SIGKILL)
    worked.wait(lambda: state(worked, "one") == "failed")
    (worked.folder / "fake.json").write_text(json.dumps({"steps": 1, "pause": 0}))
    assert throughput_probe.read_throughput(worked.folder, "one") is None
    throughput_probe.start(worked.folder, "one", CONFIG)
    worked.wait(lambda: state(worked, "one") == "finished")
    assert throughput_probe.look(worked.folder, "one").pid != killed


def test_what_cannot_be_measured_here_is_refused(workspace, monkeypatch):
    for config, words in (
        (TrainConfig("demo", device="cluster:2"), "received other machines"),
        (TrainConfig("demo", hosts=("one:1", "two:1")), "received other machines"),
        (TrainConfig("demo", device="gpu:7"), "gpu:7"),
    ):
        with pytest.raises(SegcoreError, match=words):
            throughput_probe.start(workspace.folder, "one", config)
    monkeypatch.setattr(
        throughput_probe,
        "list_devices",
        lambda: [Device(f"gpu:{i}", "A card", 0, 1, 0, None, None) for i in range(2)],
    )
    workspace.run("a")
    with Queue(workspace.folder) as queue:
        queue.add("a", "train", "auto")
        token = queue.claim("a", ["gpu:0"])
    with pytest.raises(SegcoreError, match="free GPU"):
        throughput_probe.start(workspace.folder, "one", TrainConfig("demo", device="gpu:0,gpu:1"))
    begun = []
    monkeypatch.setattr(
        throughput_probe.processes,
        "start_detached",
        lambda arguments, log, extra: begun.append(extra) or type("P", (), {"pid": os.getpid()}),
    )
    monkeypatch.setattr(throughput_probe.processes, "forget", lambda process: None)
    throughput_probe.start(workspace.folder, "one", CONFIG)
    assert begun[0]["CUDA_VISIBLE_DEVICES"] == "1"  # the one that is free
    run = RunFolder(throughput_probe.probes_folder(workspace.folder) / "one")
    assert run.read_json("beside") == {"runs": ["a"]} and token
    run.write_status(state="finished")
    run.write_json("pace", {"format": 1, "steps": 3})
    assert throughput_probe.read_throughput(workspace.folder, "one") == {
        "format": 1,
        "steps": 3,
        "beside": ["a"],
    }
    monkeypatch.setenv("SEGSCOPE_NO_WORK", "1")
    with pytest.raises(SegcoreError, match="on another machine"):
        throughput_probe.start(workspace.folder, "one", CONFIG)


def test_old_measures_make_room(workspace, monkeypatch):
    monkeypatch.setattr(throughput_probe, "KEPT", 3)
    for number in range(4):
        RunFolder.create(throughput_probe.probes_folder(workspace.folder), f"old-{number}", CONFIG)
        os.utime(
            throughput_probe.probes_folder(workspace.folder) / f"old-{number}", (number, number)
        )
    throughput_probe._make_room(throughput_probe.probes_folder(workspace.folder), "new")
    assert sorted(
        path.name for path in throughput_probe.probes_folder(workspace.folder).iterdir()
    ) == ["old-2", "old-3"]
