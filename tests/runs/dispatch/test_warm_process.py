"""One warm process: answers, refuses, is replaced when dead, and leaves when idle."""

import os
import signal
import threading
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
import pytest

from segcore.errors import SegcoreError
from segcore.runs.dispatch.warm_process import WarmProcess, serve


@pytest.fixture
def warm():
    with WarmProcess([str(Path(__file__).with_name("echo_server.py"))]) as warm:
        yield warm


def test_values_and_arrays_go_both_ways(warm):
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)[:, ::2]
    arrays = {"image": image, "p": np.random.default_rng(0).random((3, 4)).astype(np.float32)}
    answer, results = warm.ask("echo", arrays, parameters={"a": np.float32(0.5)}, name="ä\n")
    assert answer["parameters"] == {"a": 0.5} and answer["name"] == "ä\n"
    assert list(results) == ["image", "p"] and all(
        (results[k] == arrays[k]).all() and results[k].dtype == arrays[k].dtype for k in arrays
    )


def test_it_stays_warm(warm):
    assert warm.ask("echo")[0]["pid"] == warm.ask("echo")[0]["pid"]


def test_large_arrays(warm):
    large = np.ones((600, 800, 20), np.float32)
    assert (warm.ask("double", {"x": large})[1]["x"] == 2).all()


def test_errors_are_sentences_and_the_process_goes_on(warm):
    pid = warm.ask("echo")[0]["pid"]
    with pytest.raises(
        SegcoreError, match=r"^Expected something else, received this: change it\.$"
    ):
        warm.ask("refuse")
    with pytest.raises(SegcoreError, match="RuntimeError: odd"):
        warm.ask("fault")
    with pytest.raises(SegcoreError, match="did you mean 'echo'"):
        warm.ask("ecko")
    assert warm.ask("echo")[0]["pid"] == pid


def test_one_that_died_idle_is_replaced_unnoticed(warm):
    pid = warm.ask("echo")[0]["pid"]
    os.kill(pid, signal.SIGKILL)
    assert warm.ask("echo")[0]["pid"] != pid


def test_one_that_dies_over_a_question_is_said_and_replaced(warm):
    with pytest.raises(SegcoreError, match="ended without an answer"):
        warm.ask("die")
    assert warm.ask("echo")


def test_a_question_that_takes_too_long_is_given_up(warm):
    with pytest.raises(SegcoreError, match=r"within 0\.3 seconds"):
        warm.ask("sleep", timeout=0.3, seconds=60)
    assert warm.ask("echo")


def test_many_threads_get_their_own_answers(warm):
    answers = {}

    def ask(number):
        answers[number] = warm.ask("double", {"x": np.array([number])})[1]["x"][0]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: 2 * number for number in range(20)}


def test_it_leaves_when_idle_and_comes_back():
    with WarmProcess([str(Path(__file__).with_name("echo_server.py"))], idle_seconds=0.2) as warm:
        pid = warm.ask("echo")[0]["pid"]
        end = time.monotonic() + 300
        while psutil.pid_exists(pid) and time.monotonic() < end:
            time.sleep(0.02)
        assert not psutil.pid_exists(pid)
        assert warm.ask("echo")[0]["pid"] != pid


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"{",
        b"[]\n",
        b"\xff\n",
        b'{"arrays": [["x", 99999999999]]}\n',
        b'{"arrays": [["x", 100]]}\nshort',
    ],
)
def test_the_server_ends_at_what_is_no_message(bad):
    out = BytesIO()
    serve({}, BytesIO(bad), out)
    assert out.getvalue() == b""
