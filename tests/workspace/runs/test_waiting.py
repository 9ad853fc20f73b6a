"""Waiting for runs: what is shown while they wait in the queue, and what Ctrl-C leaves."""

import pytest

from segcore.config import ModelConfig, TrainConfig
from segcore.runs.folder import hosts
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue import jobs, leases
from segcore.workspace.runs import waiting
from segcore.workspace.runs.waiting import WaitStopped, Watcher
from tests.conftest import TINY


class Seen(Watcher):
    """Notes what it is shown, and presses Ctrl-C after some looks."""

    def __init__(self, looks: int) -> None:
        self.looks, self.ahead, self.runs = looks, [], []

    def __call__(self, done, total, what=""):
        raise AssertionError("a watcher is shown the runs")

    def watch(self, states, ahead):
        self.ahead.append(ahead)
        self.runs.append(list(states))
        if len(self.ahead) == self.looks:
            raise KeyboardInterrupt


@pytest.fixture
def busy(trained, started):
    """``trained``, where a long training works and a dispatcher lives."""
    folder = trained.workspace.folder
    run = RunFolder.create(
        trained.workspace.runs.folder,
        "long-1",
        TrainConfig(TINY, ModelConfig("unet", "tiny", "none"), device="cpu"),
    )
    with jobs.Queue(folder) as queue:
        queue.add(run.id, "train", "cpu", [], 0)
        assert queue.claim(run.id, ["cpu"], hosts.this_host())
        leases.renew(queue, hosts.this_host(), ["cpu"], 1)
    run.write_status(state="running", progress=0.684, seconds_left=250.0)
    for member in trained.members:
        trained.workspace.runs.open(member).model_path.write_bytes(b"a network")
    return trained


def test_a_queued_run_says_behind_which_run_it_waits(busy) -> None:
    runs = busy.workspace.runs
    prediction = runs.predict(busy.members[0], "train")
    seen = Seen(1)
    with pytest.raises(WaitStopped) as stop:
        runs.wait([prediction], seen)
    assert seen.ahead == [f"{prediction} is queued behind long-1 (68 %, 4 min left)"]
    assert (stop.value.runs, stop.value.works) == ((prediction,), False)


def test_what_a_run_needs_is_followed_with_it(busy) -> None:
    runs = busy.workspace.runs
    ensemble = runs.ensemble(busy.members, "train")
    needed = [f"{member}--train" for member in busy.members]
    seen = Seen(1)
    with pytest.raises(WaitStopped) as stop:
        runs.wait([ensemble], seen)
    assert seen.runs == [[*needed, ensemble]]
    assert seen.ahead[0].startswith(f"{ensemble} is queued behind long-1")
    assert stop.value.runs == (ensemble, *needed)


def test_what_a_run_needs_is_not_in_its_way(busy) -> None:
    runs, folder = busy.workspace.runs, busy.workspace.folder
    ensemble = runs.ensemble(busy.members, "train")
    needed = [f"{member}--train" for member in busy.members]
    with jobs.Queue(folder) as queue:
        assert queue.claim(needed[0], ["cpu:2"], hosts.this_host())
        queue.remove("long-1", queue.job("long-1").token)
    runs.open(needed[0]).write_status(state="running")
    wait = waiting._Wait(folder, [ensemble])
    assert wait.look() is False and wait._ahead == ""


def test_a_run_that_works_waits_for_nothing(busy, monkeypatch) -> None:
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.0)
    runs = busy.workspace.runs
    prediction = runs.predict(busy.members[0], "train")
    seen = Seen(2)
    runs.open(prediction).write_status(state="running", progress=0.5)
    with pytest.raises(WaitStopped) as stop:
        runs.wait([prediction], seen)
    assert seen.ahead == ["", ""] and stop.value.works


def test_a_plain_progress_is_told_the_same(busy) -> None:
    runs, calls = busy.workspace.runs, []

    def progress(done, total, message):
        calls.append((done, message))
        raise KeyboardInterrupt

    prediction = runs.predict(busy.members[0], "train")
    with pytest.raises(WaitStopped):
        runs.wait([prediction], progress)
    assert calls == [(0, f"{prediction} is queued behind long-1 (68 %, 4 min left)")]


def test_a_run_that_is_queued_again_begins_without_progress(busy) -> None:
    runs = busy.workspace.runs
    prediction = f"{busy.members[0]}--test"
    runs.open(prediction).write_status(state="interrupted", progress=1.0, seconds_left=0.0)
    runs.resume(prediction)
    status = runs.open(prediction).status()
    assert (status.state, status.progress, status.seconds_left) == ("queued", 0.0, None)
