"""Runs that someone waits for: what says why nothing starts them."""

import pytest

from segcore.errors import SegcoreError
from segcore.runs.folder import hosts
from segcore.runs.queue import jobs, leases
from segcore.runs.queue.idle import is_on_hold, why_idle
from segcore.workspace import Workspace
from segcore.workspace.runs import waiting


@pytest.fixture
def idle(workspace, monkeypatch):
    """A workspace with one queued run, in which no dispatcher starts."""
    monkeypatch.setenv(jobs.NO_WORK_VARIABLE, "1")
    workspace.run("a")
    jobs.submit(workspace.folder, ["a"])
    return workspace.folder


def test_nobody_may_work_here(idle):
    assert "start `segscope work`" in why_idle(idle, ["a"])


def test_a_dispatcher_that_ends_at_once_is_said(idle, monkeypatch):
    monkeypatch.delenv(jobs.NO_WORK_VARIABLE)
    assert "dispatcher.log" in why_idle(idle, ["a"])


def test_a_living_dispatcher_is_waited_for(idle):
    with jobs.Queue(idle) as queue:
        leases.renew(queue, hosts.this_host(), ["cpu"], 1)
    assert why_idle(idle, ["a"]) == ""


def test_a_run_that_was_never_queued_will_not_start(workspace):
    workspace.run("a")
    assert "in the queue" in why_idle(workspace.folder, ["a"])


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_on_hold_waits_for_its_user(idle, whole):
    assert not is_on_hold(idle, ["a"])
    jobs.pause(idle) if whole else jobs.hold(idle, "a")
    assert is_on_hold(idle, ["a"]) and not is_on_hold(idle, ["a", "b"])
    assert why_idle(idle, ["a"]) == ""


def test_waiting_ends_in_the_sentence(idle, monkeypatch):
    monkeypatch.setattr(waiting, "IDLE_SECONDS", 0.0)
    with pytest.raises(SegcoreError, match="found none"):
        Workspace(idle).runs.wait(["a"])
