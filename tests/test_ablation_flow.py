"""A small ablation with real processes: it is killed in the middle, goes on, and its command prints the same table again."""

import json
import signal
import time

import psutil
import pytest

from segcore.cli import main
from segcore.runs.folder.run_folder import RunFolder
from tests.shells import end_processes_of

PATIENCE_SECONDS = 600
STUDY = {
    "name": "small",
    "base": {
        "model": {"architecture": "unet", "encoder": "tiny", "weights": "none"},
        "recipe": {"epochs": 8, "batch_size": 2, "loss": "soft_jaccard", "patience": 0},
        "size": [32, 64],
    },
    "seeds": [0, 1],
    "rows": [
        {"name": "cross-entropy", "changes": {"recipe.loss": "cross_entropy"}, "claim": "hurts"},
        {"name": "ensemble", "combine": {"against": "mean"}, "claim": "helps"},
    ],
}


@pytest.fixture
def shell(workspace, capsys, tmp_path):
    """Run the ablation command in the workspace and return its JSON."""
    (tmp_path / "small.json").write_text(json.dumps(STUDY))

    def run(*words: object) -> dict:
        main(["study", *map(str, words), "--workspace", str(workspace.folder), "--json"])
        return json.loads(capsys.readouterr().out)

    yield run
    end_processes_of(workspace.folder)


def processes_of(folder) -> list[psutil.Process]:
    found = psutil.process_iter(["cmdline"])
    return [
        p
        for p in found
        if p.pid != psutil.Process().pid
        and any(str(folder) in part for part in p.info["cmdline"] or [])
    ]


@pytest.mark.slow
@pytest.mark.tensorflow
def test_an_ablation_goes_on_after_everything_was_killed_and_repeats_its_table(
    workspace, shell, tmp_path
) -> None:
    first = shell(tmp_path / "small.json", "--dataset", "tiny")
    run = RunFolder(workspace.runs.folder / first["queued"][0])
    end = time.monotonic() + PATIENCE_SECONDS
    while len(run.metrics()) < 2 and not run.status().has_ended:
        assert time.monotonic() < end, "nothing happened for ten minutes"
        time.sleep(0.05)
    killed = processes_of(workspace.folder)
    for process in killed:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(killed, timeout=300)
    found = shell("small", "--wait")
    base, row, ensemble = found["rows"]
    assert [r["state"] for r in found["rows"]] == ["finished"] * 3 and not found["pending"]
    assert (len(base["pairs"]), len(row["pairs"]), len(ensemble["pairs"])) == (2, 2, 1)
    assert row["difference"] == pytest.approx(sum(row["scores"]) / 2 - sum(base["scores"]) / 2)
    assert ensemble["difference"] == pytest.approx(ensemble["score"] - base["score"])
    assert ensemble["covers"] == "images" and row["covers"] == "images and seeds"
    assert all(r["seconds"] > 0 and r["memory"] > 0 for r in found["rows"])
    report = workspace.scores.report(row["runs"][0], "test").to_json()
    assert report["mean_iou"] == pytest.approx(row["scores"][0])
    again = shell(tmp_path / "small.json", "--dataset", "tiny")
    assert again["rows"] == found["rows"] and again["queued"] == []  # nothing is trained twice
    trained = [r for r in workspace.runs.rows() if r.kind == "train"]
    assert len(trained) == 4
