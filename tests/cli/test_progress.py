"""Progress in the shell: lines in a pipe, one line in a terminal, and what Ctrl-C leaves running."""

import pytest

from segcore import cli
from segcore.cli import command
from segcore.cli.command import ProgressLine
from segcore.runs.folder.status import Status
from segcore.workspace.runs.runs import Runs
from segcore.workspace.runs.waiting import WaitStopped

QUEUED = Status(state="queued")
BEHIND = "a--test is queued behind long-1 (68 %)"


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [100.0]
    monkeypatch.setattr(command.time, "monotonic", lambda: now[0])
    return now


def test_what_takes_long_before_anything_is_counted_is_said_at_once(clock, capsys) -> None:
    ProgressLine("Predicting").begin("loading the network")
    assert capsys.readouterr().err == "Predicting: loading the network\n"


def test_a_pipe_gets_a_line_at_once_then_one_a_run_and_each_half_minute(clock, capsys) -> None:
    line = ProgressLine("Predicting")
    works = Status(state="running", progress=0.4, seconds_left=45.0, message="4 of 10 images")
    line.watch({"a--test": QUEUED}, BEHIND)
    line.watch({"a--test": QUEUED}, BEHIND)
    assert capsys.readouterr().err == f"Waiting: {BEHIND}\n"
    clock[0] += 31
    line.watch({"a--test": QUEUED}, BEHIND)
    assert capsys.readouterr().err == f"Waiting: {BEHIND}\n"
    line.watch({"a--test": works}, "")
    line.watch({"a--test": works}, "")
    assert capsys.readouterr().err == "Predicting: a--test is running\n"
    clock[0] += 31
    line.watch({"a--test": works}, "")
    assert capsys.readouterr().err == "Predicting: a--test 40 %, 45 s left, 4 of 10 images\n"
    line.watch({"a--test": Status(state="finished")}, "")
    assert capsys.readouterr().err == ""


def test_other_work_gets_a_line_each_half_minute(clock, capsys) -> None:
    line = ProgressLine("Counting")
    line(1, 10)
    assert capsys.readouterr().err == ""
    clock[0] += 40
    line(4, 10)
    line(5, 10)
    assert capsys.readouterr().err == "Counting: 4/10, 60 s left\n"


def test_a_terminal_gets_one_line_that_is_cleared(clock, capsys, monkeypatch) -> None:
    monkeypatch.setattr(command.sys.stderr, "isatty", lambda: True)
    line = ProgressLine("Predicting")
    line.watch({"a--test": QUEUED}, BEHIND)
    drawn = capsys.readouterr().err
    assert drawn.startswith(f"\rWaiting: {BEHIND}") and "\n" not in drawn
    line.watch({"a--test": Status(state="finished")}, "")
    assert capsys.readouterr().err.strip() == ""


@pytest.mark.parametrize(
    ("runs", "works", "said"),
    [
        (("x",), False, "x stays in the queue; to stop it: segscope runs stop x"),
        (("x",), True, "x keeps running; to stop it: segscope runs stop x"),
        (
            ("x", "a", "b"),
            False,
            "x and 2 runs with it stay in the queue; to stop them: segscope runs stop x a b",
        ),
    ],
)
def test_ctrl_c_says_what_stays_and_how_to_stop_it(
    trained, monkeypatch, capsys, runs, works, said
) -> None:
    def wait(self, names, progress=None):
        raise WaitStopped(runs, works)

    monkeypatch.setattr(Runs, "wait", wait)
    place = str(trained.workspace.folder)
    with pytest.raises(SystemExit) as end:
        cli.main(["ensemble", *trained.members, "--split", "test", "--workspace", place])
    assert end.value.code == 130
    assert capsys.readouterr().err == f"segscope: interrupted. {said}\n"
