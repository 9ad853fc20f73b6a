"""Real worker processes: a killed one ends as an undisturbed one, two together as one.

An engine is imported once, in a process that does nothing but fork the workers.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine.diagnosis import ENGINES
from segcore.runs.machine.engines import engine_variables, is_installed

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).resolve().parent.parent.parent

NURSERY = """
import json, os, signal, sys
import segcore.training.work, segcore.worker
from segcore.training.loop.learner import Learner
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
train = Learner.train
def kill_at(steps):
    def step(*arguments):
        steps.pop() if steps else os.kill(os.getpid(), signal.SIGKILL)
        return train(*arguments)
    Learner.train = step
for line in sys.stdin:
    log, arguments, steps = json.loads(line)
    pid = os.fork()
    if pid == 0:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 1), os.dup2(handle, 2)
        if steps is not None:
            kill_at([None] * steps)
        code = segcore.worker.main(arguments)
        sys.stdout.flush()
        os._exit(code)
    print(pid, flush=True)
"""
"""Each line of its input starts a worker, which is killed after so many steps unless that is null."""


class Nursery:
    """A process that has imported an engine and forks workers that compute with it."""

    def __init__(self, engine, folder):
        environment = {
            **os.environ,
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "PYTHONPATH": str(ROOT),
            "CUDA_VISIBLE_DEVICES": "-1",
            **engine_variables(engine, True, folder / "cache"),
        }
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            cwd=ROOT,
            start_new_session=True,
            env=environment,
            **pipes,
        )

    def start(self, run, *options, steps=None):
        """Start a worker; return its process id."""
        line = json.dumps([str(run.log_path), [str(run.folder), *options], steps])
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()


@pytest.fixture(scope="module")
def start(workspace):
    """Start a worker on its run's engine: ``start(run, *options)`` gives its process id."""
    nurseries = {}

    def begin(run, *options, **words):
        engine = run.config.engine
        if not is_installed(engine):
            pytest.skip(f"ENGINE NOT TESTED: {engine} is not installed")
        if engine not in nurseries:
            nurseries[engine] = Nursery(engine, workspace)
        return nurseries[engine].start(run, *options, **words)

    yield begin
    for nursery in nurseries.values():
        nursery.close()


def wait(condition, *pids, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "too slow"
        assert not pids or any(psutil.pid_exists(pid) for pid in pids) or condition(), "ended early"
        time.sleep(0.02)


def new(workspace, name, recipe, engine="tensorflow", network="lraspp", **words):
    usual = {"loss": "dice_focal", "learning_rate": 0.01, "epochs": 4, "batch_size": 4, **recipe}
    config = TrainConfig(
        "shapes",
        ModelConfig(network, "tiny", "none"),
        RecipeConfig(**usual),
        (32, 64),
        seed=5,
        device="cpu",
        engine=engine,
        **words,
    )
    return RunFolder.create(workspace / "runs", f"{name}-{engine}", config)


def ended(run):
    return lambda: run.status().has_ended


def history(run):
    times = ("seconds", "images_per_second")
    return [{k: v for k, v in record.items() if k not in times} for record in run.metrics()]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_run_ends_with_the_same_weights(workspace, start, engine):
    """SIGKILL in the second of three steps of epoch 2; everything has a memory or draws."""
    recipe = {
        "epochs": 3,
        "patience": 0,
        "average": 0.8,
        "cut_mix": 0.5,
        "augmentation": "light",
        "batch_norm": "reestimate",
    }
    whole, cut = (
        new(workspace, name, recipe, engine, deterministic=True)
        for name in ("undisturbed", "killed")
    )
    first = start(cut, steps=4)
    wait(lambda: not psutil.pid_exists(first))
    assert cut.status().state == "running" and len(cut.metrics()) == 1, cut.log_tail()
    for run in (cut, whole):
        wait(ended(run), start(run))
        assert run.status().state == "finished", run.log_tail()
        assert f"{ENGINES[engine]}, float32" in run.log_tail()
    assert "Continuing after epoch 1, step 0" in cut.log_tail()
    with (
        np.load(cut.checkpoints / "last.npz") as mine,
        np.load(whole.checkpoints / "last.npz") as theirs,
    ):
        names = [name for name in theirs.files if name != "meta"]
        assert len(names) > 100
        for name in names:
            np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
    assert history(cut) == history(whole)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.mark.slow
def test_two_processes_learn_what_one_does(workspace, start):
    """The first epochs agree to rounding; ``test_strategy.py`` explains what follows."""
    recipe = {"optimizer": "sgd", "learning_rate": 0.003, "epochs": 2, "augmentation": "light"}
    hosts = tuple(f"127.0.0.1:{port}" for port in free_ports(2))
    alone, together = (
        new(workspace, "alone", recipe, network="unet"),
        new(workspace, "together", recipe, network="unet", hosts=hosts),
    )
    pids = [start(together), start(together, "--task", "1")]
    wait(ended(together), *pids)
    pids.append(start(alone))
    wait(ended(alone), pids[-1])
    assert together.status().state == "finished", together.log_tail()
    wait(lambda: not any(psutil.pid_exists(pid) for pid in pids), seconds=60)
    assert "2 x CPU" in together.log_tail(1000)
    for one, two in zip(alone.metrics(), together.metrics(), strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-3)
        assert two["val_loss"] == pytest.approx(one["val_loss"], rel=1e-2)
    assert together.model_path.is_file() and len(together.metrics()) == 2
