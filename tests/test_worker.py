"""The worker, as a process: trains, is stopped and killed, continues, predicts, fails cleanly."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from segcore.config import (
    EvaluateConfig,
    ModelConfig,
    PredictConfig,
    PredictOptions,
    RecipeConfig,
    TrainConfig,
)
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue.stopping import STOPPED
from segcore.training.work import work
from segcore.worker import main
from segcore.workspace import Workspace

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).resolve().parent.parent
LABELS = LabelSet((LabelClass(0, "dark", (0, 0, 0)), LabelClass(1, "bright", (255, 255, 255))))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    root = tmp_path_factory.mktemp("workspace")
    rng = np.random.default_rng(0)
    samples = []
    for split, count in (("train", 6), ("validation", 2), ("test", 2)):
        for i in range(count):
            mask = np.kron(rng.integers(0, 2, (2, 2)), np.ones((16, 16))).astype(np.uint8)
            samples.append(
                ArraySample(
                    f"{split}{i}",
                    np.repeat(200 * mask[..., None] + 20, 3, -1).astype(np.uint8),
                    mask,
                    split,
                )
            )
    write_dataset(root / "datasets" / "squares", "squares", LABELS, samples)
    return root


def new_run(workspace, name, dataset="squares", epochs=1, **words):
    recipe = RecipeConfig(
        epochs=epochs, batch_size=2, patience=0, augmentation="none", learning_rate=0.01
    )
    return RunFolder.create(
        workspace / "runs",
        name,
        TrainConfig(
            dataset, ModelConfig("lraspp", "tiny", "none"), recipe, (32, 32), device="cpu", **words
        ),
    )


def start(run):
    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "PYTHONPATH": str(ROOT),
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    with open(run.log_path, "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "segcore.worker", str(run.folder)],
            stdout=log,
            stderr=log,
            env=environment,
        )


def wait_until(condition, process, run, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, run.log_tail()
        assert time.monotonic() < end, f"too slow: {run.status()}\n{run.log_tail()}"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_killed_and_a_stopped_run_go_on(workspace):
    """SIGKILL leaves a whole history; SIGTERM ends with a checkpoint; both continue from there."""
    run = new_run(workspace, "long", epochs=100_000)
    process = start(run)
    wait_until(lambda: len(run.metrics()) >= 2, process, run)
    assert run.status().state == "running" and time.time() - run.status().heartbeat < 30
    process.kill()
    process.wait()
    killed = run.metrics()
    assert [r["epoch"] for r in killed] == list(range(1, len(killed) + 1))

    process = start(run)
    wait_until(lambda: len(run.metrics()) > len(killed) + 1, process, run)
    process.send_signal(signal.SIGTERM)
    assert process.wait(300) == 0, run.log_tail()
    status = run.status()
    assert (status.state, status.cause) == ("interrupted", STOPPED) and status.finished is not None
    records = run.metrics()
    assert records[: len(killed)] == killed and [r["epoch"] for r in records] == list(
        range(1, len(records) + 1)
    )
    assert (
        f"Continuing after epoch {len(killed)}" in run.log_tail(10_000)
        and "checkpoint written" in run.log_tail()
    )
    assert status.epoch == len(records) and 0 < status.progress < 1 and status.seconds_left is None


def test_a_run_trains_and_another_predicts(workspace):
    run = new_run(workspace, "short", epochs=2)
    assert work(run.folder) == 0
    status = run.status()
    assert (status.state, status.cause, status.progress, status.epoch) == (
        "finished",
        "",
        1.0,
        2,
    ) and status.mean_iou is not None
    config = PredictConfig(
        "squares", "short", "test", device="cpu", options=PredictOptions(backend="tensorflow")
    )
    answer = RunFolder.create(workspace / "runs", "short--test", config)
    assert main([str(answer.folder)]) == 0
    assert answer.status().state == "finished" and answer.status().mean_iou is not None
    ids, counts = answer.read_counts("test", "prediction")
    assert ids == ["test0", "test1"] and (counts.sum((1, 2)) == 32 * 32).all()


def test_the_warm_process_predicts_ones_own_image_as_the_run_does(workspace):
    """One process answers all, as the predict run stored it; a mistake ends nothing."""
    opened = Workspace(workspace)
    predictions, options = opened.predictions, PredictOptions(backend="tensorflow")
    stored = RunFolder(workspace / "runs" / "short--test").read_probabilities("test", "test0")[0]
    dataset = opened.datasets.open("squares")
    batch = predictions.batches.accept_folder(dataset.image_path(dataset.sample("test0")))
    try:
        assert predictions.warm("short", options).networks == 1
        assert predictions.warm("short", options).networks == 0
        told = predictions.predict("short", batch, batch.images[0].id, options)
        assert told.backend == "TensorFlow in float32"
        np.testing.assert_allclose(
            predictions.probabilities("short", batch, batch.images[0].id, options),
            stored,
            atol=1e-3,
        )
        with pytest.raises(SegcoreError, match="did you mean 'onnx'"):
            predictions.export("short", "onxx", workspace / "net")
        assert predictions.warm("short", options).networks == 0
    finally:
        predictions.close()


def cause(run):
    assert work(run.folder) == 1
    status = run.status()
    assert (
        status.state == "failed" and status.finished is not None and "Traceback" not in status.cause
    )
    return status.cause


def test_a_checkpoint_that_was_cut_is_a_sentence_and_stays(workspace):
    """As after a disk ran full without a word; the user decides what becomes of the file."""
    whole = (RunFolder(workspace / "runs" / "short").checkpoints / "last.npz").read_bytes()
    for size in (0, len(whole) - 1):
        run = new_run(workspace, f"cut-{size}", epochs=3)
        run.checkpoints.mkdir(exist_ok=True)
        (run.checkpoints / "last.npz").write_bytes(whole[:size])
        said = cause(run)
        assert "sound checkpoint" in said and "start a new run" in said
        assert (run.checkpoints / "last.npz").stat().st_size == size and run.metrics() == []


def test_failures_are_sentences(workspace, monkeypatch, capfd):
    assert "no dataset.json" in cause(new_run(workspace, "absent", dataset="nothing"))
    evaluation = RunFolder.create(
        workspace / "runs", "evaluation", EvaluateConfig("squares", ("short",))
    )
    assert "Unknown kind of run for this worker 'evaluate'" in cause(evaluation)
    orphans = [
        RunFolder.create(workspace / "runs", id, PredictConfig("squares", "gone", device="cpu"))
        for id in ("orphan", "other")
    ]
    assert "gone" in cause(orphans[0])
    capfd.readouterr()

    def raising(error):
        def fail(run, dataset):
            raise error

        return fail

    monkeypatch.setattr(
        "segcore.training.work.WORK",
        {"train": raising(MemoryError()), "predict": raising(ZeroDivisionError("by zero\nindeed"))},
    )
    assert "smaller batch" in cause(new_run(workspace, "memory"))
    assert "unexpected ZeroDivisionError ended the run (by zero)" in cause(orphans[1])
    assert "ZeroDivisionError: by zero" in capfd.readouterr().err  # the log has the traceback


def test_usage_is_told():
    assert main([]) == 2
