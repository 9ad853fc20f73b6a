"""Executors of heavy maps without a cluster; with one: ``light_worker/test_cluster_maps.py``."""

from concurrent.futures import CancelledError

import pytest

from segcore.errors import SegcoreError
from segcore.runs.dispatch import dask, executors
from segcore.runs.dispatch.dask import free_threads
from segcore.runs.dispatch.executors import cluster_executor
from segcore.runs.dispatch.remote_runs import RemoteRuns
from segcore.runs.machine.settings import set_cluster
from segcore.runs.queue.crash_recovery import recover
from segcore.runs.queue.queue import Queue


class FakeCluster:
    """A cluster that lends so many threads."""

    address = "tcp://10.0.0.5:8786"
    width = 3

    def __init__(self, address):
        self.closed = False
        FakeCluster.last = self

    def executor(self, folder):
        return FakeExecutor(), self.width

    def close(self):
        self.closed = True


class FakeExecutor:
    def submit(self, function, *arguments, **named):
        return function(*arguments, **named)

    def shutdown(self, wait=True):
        FakeCluster.last.waited = wait


@pytest.fixture
def named(tmp_path, monkeypatch):
    monkeypatch.delenv("SEGSCOPE_CLUSTER", raising=False)
    monkeypatch.setattr(executors, "Cluster", FakeCluster)
    set_cluster(tmp_path, FakeCluster.address)
    return tmp_path


def test_without_a_cluster_or_where_it_is_not_wanted_the_caller_works_alone(tmp_path, named):
    told = []
    with cluster_executor(tmp_path / "other", told.append) as executor:
        assert executor is None
    with cluster_executor(named, told.append, wanted=False) as executor:
        assert executor is None
    assert told == []


def test_a_cluster_lends_its_threads_and_is_left(named):
    with cluster_executor(named) as executor:
        assert executor.width == 3 and executor.submit(max, 2, 5) == 5
    assert FakeCluster.last.closed and FakeCluster.last.waited is False


def test_one_without_a_free_worker_or_an_answer_is_told_of_and_passed_over(named, monkeypatch):
    told = []
    monkeypatch.setattr(FakeCluster, "width", 0)
    with cluster_executor(named, told.append) as executor:
        assert executor is None and FakeCluster.last.closed is False
    assert "is free and sees" in told.pop() and FakeCluster.last.closed

    def refuse(address):
        raise SegcoreError("Could not reach the cluster.")

    monkeypatch.setattr(executors, "Cluster", refuse)
    with cluster_executor(named, told.append) as executor:
        assert executor is None
    assert told == ["Could not reach the cluster. This machine works alone meanwhile."]


def test_what_is_lost_on_the_way_is_a_sentence_and_other_errors_stay_what_they_are(named):
    killed = type("KilledWorker", (Exception,), {})
    for raised, expected in (
        (CancelledError(), "went away"),
        (killed(), "out of memory"),
        (SegcoreError("A mask is gone."), "A mask"),
    ):
        with pytest.raises(SegcoreError, match=expected), cluster_executor(named):
            raise raised
        assert FakeCluster.last.closed
    with pytest.raises(ZeroDivisionError), cluster_executor(named):
        raise ZeroDivisionError


def test_threads_that_runs_hold_and_machines_that_see_nothing_are_left_alone():
    threads = {"a": 2, "b": 1, "c": 4, "d": 4}
    assert free_threads(threads, {"a": 1, "b": 1}, {"a": True, "b": True, "c": False}) == {"a": 1}
    assert free_threads(threads, {}, dict.fromkeys(threads, True)) == threads


class FakeTask:
    """A future of Dask that another thread would complete."""

    def __init__(self):
        self.callbacks, self.outcomes, self.cancelled = [], [], False

    def add_done_callback(self, callback):
        self.callbacks.append(callback)

    def result(self):
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def cancel(self):
        self.cancelled = True

    def end(self, outcome):
        self.outcomes.append(outcome)
        self.callbacks[0](self)


class FakeClient:
    status = "running"

    def __init__(self):
        self.tasks = []

    def submit(self, function, *arguments, **named):
        self.tasks.append(FakeTask())
        return self.tasks[-1]


def test_a_task_that_is_taken_off_the_cluster_is_handed_over_again():
    client = FakeClient()
    executor = dask._TaskExecutor(client, ["east"])
    future = executor.submit(max, 2, 5)
    client.tasks[0].end(CancelledError())
    assert not future.done() and len(client.tasks) == 2
    client.tasks[1].end(5)
    assert future.result(0) == 5


def test_a_task_that_fails_fails_alone_and_one_given_up_is_called_off():
    client = FakeClient()
    executor = dask._TaskExecutor(client, ["east"])
    failed, given_up = executor.submit(max, 2, 5), executor.submit(max, 2, 5)
    client.tasks[0].end(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        failed.result(0)
    executor.shutdown(wait=False)
    assert given_up.cancelled() and client.tasks[1].cancelled and not client.tasks[0].cancelled
    client.tasks[1].end(5)  # it comes too late


def test_a_cluster_that_is_gone_ends_the_task():
    client = FakeClient()
    future = dask._TaskExecutor(client, ["east"]).submit(max, 2, 5)
    client.status = "closed"
    client.tasks[0].end(CancelledError())
    with pytest.raises(CancelledError):
        future.result(0)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModuleNotFoundError("No module named 'segcore'", name="segcore"), "pip install"),
        (PermissionError("denied"), "PermissionError: denied"),
    ],
)
def test_a_task_that_failed_is_no_lost_worker_and_its_cause_is_in_the_log(
    workspace, monkeypatch, error, words
):
    run = workspace.run("a", device="cluster")
    set_cluster(workspace.folder, "tcp://10.0.0.5:8786")

    class Failing:
        answers = True

        def ending(self, job):
            return dask._task_failure(error)

    remote = RemoteRuns(workspace.folder)
    remote._cluster = Failing()
    with Queue(workspace.folder) as queue:
        queue.add("a", "train", "cluster")
        token = queue.claim("a", [])
        queue.confirm("a", token, None, "", "cluster")
        recover(queue, workspace.folder, queue.job("a"), *remote.ending(queue.job("a")))
        assert queue.job("a") is None
    status = run.status()
    assert status.state == "failed" and words in status.cause and words in run.log_tail()
    assert "lost" not in status.cause
