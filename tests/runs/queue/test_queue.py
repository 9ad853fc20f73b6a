"""The queue itself: exactly once, whoever asks."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from segcore.errors import SegcoreError
from segcore.runs.machine.processes import python_environment
from segcore.runs.queue.queue import Queue

RACER = """
import sys
from segcore.runs.queue.queue import Queue
workspace, racer = sys.argv[1], int(sys.argv[2])
sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
with Queue(workspace) as queue:
    while True:
        waiting = [job.run for job in queue.jobs() if job.state == "waiting"]
        if not waiting:
            break
        for run in waiting[:8]:
            token = queue.claim(run, [f"slot:{run}"])
            if token:
                assert queue.confirm(run, token, racer, "b")
                assert not queue.confirm(run, token, racer, "b")
                print(run, flush=True)
                assert queue.remove(run, token) and not queue.remove(run, token)
"""


def test_four_processes_claim_1200_runs_once_each(tmp_path):
    runs = [f"r{index:04d}" for index in range(1200)]
    with Queue(tmp_path) as queue, queue.writing():
        for run in runs:
            assert queue.add(run, "train", "cpu")
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=python_environment(),
            cwd=Path(__file__).parent,
        )
        for number in range(4)
    ]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    outputs = {}

    def play(number, racer):
        outputs[number] = racer.communicate("go\n", timeout=300)[0].split()

    threads = [threading.Thread(target=play, args=item) for item in enumerate(racers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [racer.returncode for racer in racers] == [0] * 4
    claimed = [run for output in outputs.values() for run in output]
    assert sorted(claimed) == runs
    assert sum(bool(output) for output in outputs.values()) > 1  # it was a race
    with Queue(tmp_path) as queue:
        assert queue.jobs() == []


def test_a_device_is_given_once(tmp_path):
    with Queue(tmp_path) as queue:
        queue.add("a", "train", "cpu")
        queue.add("b", "train", "cpu")
        assert queue.claim("a", ["gpu:0", "gpu:1"])
        assert queue.claim("b", ["gpu:1"]) is None
        assert queue.claim("b", ["gpu:2"])


def test_a_called_off_attempt_is_turned_away(tmp_path):
    with Queue(tmp_path) as queue:
        queue.add("a", "train", "cpu")
        first = queue.claim("a", ["cpu"])
        assert queue.put_back("a", first) and not queue.confirm("a", first, 1, 1.0)
        second = queue.claim("a", ["cpu"])
        assert second != first and not queue.put_back("a", first) and not queue.remove("a", first)
        assert queue.confirm("a", second, 1, 1.0) and not queue.put_back("a", second)
        assert (
            queue.count_stop("a", first) == 0
            and queue.count_stop("a", second) == 1
            and queue.count_stop("a", second) == 2
        )
        assert queue.remove("a", second) and queue.jobs() == []


def test_all_of_a_change_or_none(tmp_path):
    with Queue(tmp_path) as queue:
        with pytest.raises(ZeroDivisionError), queue.writing():
            queue.add("a", "train", "cpu")
            queue.set_setting("paused", "yes")
            raise ZeroDivisionError
        assert queue.jobs() == [] and queue.setting("paused") is None


def test_reorder_keeps_to_the_places_that_the_runs_had(tmp_path):
    with Queue(tmp_path) as queue:
        for run in "abcde":
            queue.add(run, "train", "cpu", priority=1 if run == "e" else 0)
        queue.reorder(["d", "e", "unknown", "b", "d"])
        assert [job.run for job in queue.jobs()] == ["d", "a", "e", "c", "b"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SegcoreError, match="choose a workspace"):
        Queue(tmp_path / "file" / "workspace")


def test_rows_that_are_kept_in_memory_are_those_on_disk(tmp_path):
    with Queue(tmp_path) as queue, Queue(tmp_path) as other:

        def names():
            return [job.run for job in queue.jobs()]

        assert names() == []
        queue.add("a", "train", "cpu")
        assert names() == ["a"]
        other.add("b", "train", "cpu")
        assert names() == ["a", "b"]
        with pytest.raises(ZeroDivisionError), queue.writing():
            queue.remove("a", None)
            assert names() == ["b"]
            raise ZeroDivisionError
        assert names() == ["a", "b"]
        queue.jobs().clear()
        assert names() == ["a", "b"]
        assert other.claim("b", ["cpu"]) and queue.job("b") == queue.jobs()[1]
        assert queue.jobs()[1].state == "claimed"
