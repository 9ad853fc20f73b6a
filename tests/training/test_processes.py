"""Real worker processes: a killed one ends as an undisturbed one, two together as one.

TensorFlow is imported once, in a process that does nothing but fork the workers.
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

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).resolve().parent.parent.parent

NURSERY = """
import json, os, signal, sys
import segcore.training.work, segcore.worker
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    log, arguments = json.loads(line)
    pid = os.fork()
    if pid == 0:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 1), os.dup2(handle, 2)
        code = segcore.worker.main(arguments)
        sys.stdout.flush()
        os._exit(code)
    print(pid, flush=True)
"""


@pytest.fixture(scope="module")
def start():
    """Start a worker: ``start(run, *options)`` gives its process id."""
    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "PYTHONPATH": str(ROOT),
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    with subprocess.Popen(
        [sys.executable, "-c", NURSERY], cwd=ROOT, start_new_session=True, **pipes
    ) as nursery:

        def begin(run, *options):
            nursery.stdin.write(json.dumps([str(run.log_path), [str(run.folder), *options]]) + "\n")
            nursery.stdin.flush()
            return int(nursery.stdout.readline())

        yield begin
        os.killpg(nursery.pid, signal.SIGKILL)


def wait(condition, *pids, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "too slow"
        assert not pids or any(psutil.pid_exists(pid) for pid in pids) or condition(), "ended early"
        time.sleep(0.02)


def new(workspace, name, recipe, **words):
    usual = {"loss": "dice_focal", "learning_rate": 0.01, "epochs": 4, "batch_size": 4, **recipe}
    config = TrainConfig(
        "shapes",
        ModelConfig("unet", "tiny", "none"),
        RecipeConfig(**usual),
        (32, 64),
        seed=5,
        device="cpu",
        **words,
    )
    return RunFolder.create(workspace / "runs", name, config)


def ended(run):
    return lambda: run.status().has_ended


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_weights(workspace, start):
    """SIGKILL at a random moment after the first epoch; everything has a memory or draws."""
    recipe = {
        "epochs": 7,
        "patience": 0,
        "average": 0.8,
        "cut_mix": 0.5,
        "augmentation": "light",
        "batch_norm": "reestimate",
    }
    whole, cut = (
        new(workspace, name, recipe, deterministic=True) for name in ("undisturbed", "killed")
    )
    first = start(cut)
    rng = np.random.default_rng(8)
    epochs = rng.integers(1, 4)
    wait(lambda: len(cut.metrics()) >= epochs, first)
    time.sleep(rng.uniform(0, 0.3))
    os.kill(first, signal.SIGKILL)
    wait(lambda: not psutil.pid_exists(first))
    assert cut.status().state == "running" and 1 <= len(cut.metrics()) < 7
    second, other = start(cut), start(whole)
    wait(lambda: ended(cut)() and ended(whole)(), second, other)
    assert (cut.status().state, whole.status().state) == ("finished", "finished"), cut.log_tail()
    with (
        np.load(cut.checkpoints / "last.npz") as mine,
        np.load(whole.checkpoints / "last.npz") as theirs,
    ):
        names = [name for name in theirs.files if name != "meta"]
        assert len(names) > 100
        for name in names:
            np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
    kept = [
        {k: v for k, v in r.items() if k not in ("seconds", "images_per_second")}
        for r in cut.metrics()
    ]
    assert kept == [
        {k: v for k, v in r.items() if k not in ("seconds", "images_per_second")}
        for r in whole.metrics()
    ]


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
        new(workspace, "alone", recipe),
        new(workspace, "together", recipe, hosts=hosts),
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
