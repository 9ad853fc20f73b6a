"""A search through the real queue: all are processes; only the network is a formula."""

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from segcore.config import ModelConfig, Range, RecipeConfig, SearchSpace, TrainConfig, TuneConfig
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace import Workspace


@pytest.fixture
def prepared(workspace: Workspace, monkeypatch):
    monkeypatch.setenv("SEGCORE_WORKER", str(Path(__file__).with_name("formula_worker.py")))
    yield workspace
    for process in psutil.process_iter(
        ["cmdline"]
    ):  # only those of this test: their command line names its folder
        if (
            any(str(workspace.folder) in part for part in process.info["cmdline"] or [])
            and process.pid != os.getpid()
        ):
            process.send_signal(signal.SIGKILL)


def wait(condition, seconds: float = 600.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_a_search_on_one_device_is_killed_stopped_and_finished(prepared: Workspace) -> None:
    base = TrainConfig(
        "tiny",
        ModelConfig("unet", "tiny", "none"),
        RecipeConfig(epochs=6, learning_rate=1e-2),
        (32, 32),
        device="cpu",
    )
    config = TuneConfig(
        "tiny",
        base,
        SearchSpace(learning_rate=Range(1e-4, 1e-2)),
        trials=3,
        sampler="grid",
        pruner="none",
    )
    run = prepared.searches.start(config)
    folder = prepared.runs.open(run)
    wait(
        lambda: prepared.searches.open(run).count("complete") >= 1
    )  # so the search does not hold the one device that its trials need
    assert (folder.status().state, folder.status().device) == ("running", "")
    pid = folder.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait(lambda: (prepared.runs.refresh(), folder.status().state)[1] == "interrupted")
    first = prepared.searches.open(run).trials[0]
    prepared.runs.resume(run)
    wait(
        lambda: (
            folder.status().state == "running" and prepared.searches.open(run).count("running") == 1
        )
    )
    prepared.runs.stop(run)
    wait(lambda: folder.status().state == "interrupted")
    wait(
        lambda: (
            not any(
                r.status.state in ("starting", "running", "stopping") for r in prepared.runs.rows()
            )
        )
    )
    prepared.runs.resume(run)
    prepared.runs.wait([run])
    search = prepared.searches.open(run)
    assert [row.state for row in search.trials] == ["complete"] * 3
    assert search.trials[0] == first  # kept as it was
    assert [row.score for row in search.trials] == pytest.approx([0.7, 0.8, 0.7])
    assert search.best is not None and search.best.values == {"learning_rate": 1e-3}
    assert folder.status().mean_iou == pytest.approx(0.8) and folder.status().progress == 1.0
    starts = [
        len(
            (RunFolder(prepared.runs.folder / row.run).folder / "starts.jsonl")
            .read_text()
            .splitlines()
        )
        for row in search.trials
    ]
    assert starts[0] == 1 and sum(starts) <= 4  # the one that was stopped went on
    assert all(
        [line["epoch"] for line in RunFolder(prepared.runs.folder / row.run).metrics()]
        == [1, 2, 3, 4, 5, 6]
        for row in search.trials
    )
