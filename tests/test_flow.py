"""The whole path with real processes, through the shell; and a worker that is killed in the middle of it."""

import json
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from segcore.cli import main
from segcore.postprocess.dense_crf import is_available
from segcore.runs.folder.run_folder import RunFolder
from tests.promises import MERGE, SCORES
from tests.shells import end_processes_of

pytestmark = pytest.mark.tensorflow

EPOCHS = 24
PATIENCE_SECONDS = 600
MODEL = (
    "--architecture",
    "lraspp",
    "--encoder",
    "tiny",
    "--weights",
    "none",
    "--size",
    "32x64",
    "--batch-size",
    "3",
    "--device",
    "cpu",
)
CLASS = {"id", "name", "iou", "dice", "precision", "recall", "support"}
RUN = {"run", "kind", "state", "dataset", "pid", "progress", "mean_iou"}


@pytest.fixture
def shell(workspace, capsys):
    """Run a command in the workspace and return its JSON; nothing else may stand on standard output."""

    def run(*words: object) -> dict:
        main([*map(str, words), "--workspace", str(workspace.folder), "--json"])
        return json.loads(capsys.readouterr().out)

    yield run
    end_processes_of(workspace.folder)


def trainings(shell, *words: object) -> list[dict]:
    """The rows of the training runs, as ``runs`` gives them; the first also has predictions queued behind it."""
    return [row for row in shell("runs", *words)["runs"] if row["kind"] == "train"]


def wait_until(condition, told) -> None:
    """Wait for a condition; ``told`` gives the rows of the runs, of which none may fail meanwhile."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        rows = [(row["run"], row["state"], row["cause"]) for row in told()]
        assert not any(state == "failed" for _, state, _ in rows), rows
        assert time.monotonic() < end, rows
        time.sleep(0.2)


def assert_scores(report: dict, num_samples: int) -> None:
    assert set(report) >= SCORES
    assert (report["split"], report["num_samples"], report["size"]) == (
        "test",
        num_samples,
        [32, 48],
    )
    assert all(set(row) >= CLASS for row in report["classes"])
    assert [row["id"] for row in report["classes"]] == [3, 5, 8, 11]
    confusion = np.array(report["confusion"])
    assert report["pixel_accuracy"] == pytest.approx(np.trace(confusion) / confusion.sum())
    assert [row["support"] for row in report["classes"]] == confusion.sum(1).tolist()


def kill_in_mid_run(run: RunFolder, told) -> list[dict]:
    """Wait until the worker is some epochs into its work, kill it without warning, and return the history that it left."""
    wait_until(lambda: len(run.metrics()) >= 2 or run.status().has_ended, told)
    status = run.status()
    assert status.state == "running", (status, run.log_tail())
    worker = psutil.Process(status.pid)
    assert str(run.folder) in " ".join(worker.cmdline())
    loaded = {part for mapped in worker.memory_maps() for part in Path(mapped.path).parts}
    assert {"tensorflow", "numpy"} <= loaded and not loaded & {"sklearn", "pandas"}
    worker.send_signal(signal.SIGKILL)
    return run.metrics()


def assert_history(lines: list[dict], epochs: int | None = None) -> None:
    assert [line["epoch"] for line in lines] == list(range(1, (epochs or len(lines)) + 1))
    assert all(np.isfinite(line["loss"]) and 0 <= line["val_mean_iou"] <= 1 for line in lines)


def test_members_differ_by_their_seed(workspace, shell, started) -> None:
    members = shell("train", "tiny", *MODEL, "--members", 2)["runs"]
    assert [workspace.runs.open(member).config.seed for member in members] == [0, 1]


def test_the_whole_way(workspace, shell) -> None:
    # A run is killed in mid-run: interrupted, its history whole; resumed, it ends as planned.
    (cut,) = shell("train", "tiny", *MODEL, "--epochs", EPOCHS, "--patience", 0)["runs"]
    before = kill_in_mid_run(RunFolder(workspace.runs.folder / cut), told=lambda: trainings(shell))
    wait_until(lambda: trainings(shell)[0]["state"] == "interrupted", told=lambda: trainings(shell))
    (row,) = trainings(shell)
    assert set(row) >= RUN and (row["run"], row["kind"], row["dataset"]) == (cut, "train", "tiny")
    assert "resume it" in row["cause"]
    assert_history(before)
    assert 2 <= len(before) < EPOCHS and workspace.runs.open(cut).metrics()[: len(before)] == before
    (row,) = trainings(shell, "resume", cut)
    assert row["state"] in ("queued", "starting", "running")

    # Meanwhile another member is trained; it waits for its turn.
    words = ("--epochs", 1, "--seed", 1, "--no-predict-after", "--wait")
    members = [cut, *shell("train", "tiny", *MODEL, *words)["runs"]]
    rows = {row["run"]: row for row in trainings(shell)}
    assert set(rows) == set(members) and len(rows) == 2
    assert {row["state"] for row in rows.values()} == {"finished"}
    assert all(
        set(row) >= RUN and row["progress"] == 1.0 and 0 <= row["mean_iou"] <= 1
        for row in rows.values()
    )
    history = workspace.runs.open(cut).metrics()
    assert_history(history, EPOCHS)
    assert (
        history[: len(before) - 1] == before[:-1]
    )  # at most the epoch that was under way is told anew

    # They predict a split, are combined, refined, scored.
    crf = ["--crf"] if is_available() else []
    result = shell("ensemble", *members, "--split", "test", *crf)
    assert [m["run"] for m in result["members"]] == members
    for report in (*result["members"], result["ensemble"], *([result["crf"]] if crf else [])):
        assert_scores(report, 3)
    probabilities = [workspace.scenes.probabilities(m, "test", "test/scene_0") for m in members]
    assert not np.allclose(*probabilities)  # other seeds, other networks
    np.testing.assert_allclose(
        workspace.scenes.probabilities(result["run"], "test", "test/scene_0"),
        np.mean(probabilities, 0),
        atol=2e-6,
    )

    # The predictions that were queued behind the first training end too.
    wait_until(
        lambda: all(row["state"] == "finished" for row in shell("runs")["runs"]),
        told=lambda: shell("runs")["runs"],
    )

    # Scores are asked for again and labels merged on paper: nothing is predicted again.
    done = len(shell("runs")["runs"])
    assert_scores(shell("evaluate", members[0], "--split", "test"), 3)
    assert (
        shell("evaluate", result["run"], "--split", "test", "--stage", "ensemble")["confusion"]
        == result["ensemble"]["confusion"]
    )
    study = shell("compress", members[0], "--split", "test")
    assert study["baseline"]["accuracy"] == pytest.approx(result["members"][0]["pixel_accuracy"])
    assert [row["num_groups"] for row in study["path"]][-1] == 1
    assert all(set(row) >= MERGE for row in study["path"])
    assert len(shell("runs")["runs"]) == done
    assert not list(Path(workspace.folder).rglob("*.tmp"))
    if not crf:
        pytest.skip("CRF NOT TESTED: pydensecrf is not installed; all else went well")
