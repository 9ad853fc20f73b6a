"""The commands of docs/how-to/slurm.md on a real Slurm of one node, with a worker that only counts."""

import json
import shlex
import time
from pathlib import Path

import pytest

from segcore.cli import main
from segcore.data.dataset.writing import write_dataset
from segcore.runs.queue import jobs
from segcore.workspace import Workspace
from tests.conftest import TINY_LABELS, tiny_samples
from tests.test_documents import ROOT, commands

FAKE = Path(__file__).parents[1] / "runs" / "fake_worker.py"


@pytest.mark.slow
def test_the_commands_of_the_guide_to_slurm_do_what_it_says(
    tmp_path, local_slurm, monkeypatch, capsys
):
    for name, value in {**local_slurm.environment, "SEGCORE_WORKER": str(FAKE)}.items():
        monkeypatch.setenv(name, value)
    workspace = Workspace(tmp_path / "workspace")
    monkeypatch.setenv("SEGCORE_WORKSPACE", str(workspace.folder))
    (workspace.folder / "fake.json").write_text(json.dumps({"steps": 2, "pause": 0}))
    write_dataset(workspace.datasets.folder / "demo", "demo", TINY_LABELS, tiny_samples())
    lines = commands((ROOT / "docs/how-to/slurm.md").read_text())
    assert [line.split()[0] for line in lines] == ["slurm", "train", "train", "runs"]
    for line in lines:
        extra = ["--no-predict-after"] if line.startswith("train") else []
        assert not main([*shlex.split(line), *extra])
        if line == "slurm":
            assert "main" in capsys.readouterr().out and (workspace.folder / "slurm.sh").exists()
    end = time.monotonic() + 300
    while jobs.waiting(workspace.folder) and time.monotonic() < end:
        time.sleep(0.1)
    rows = workspace.runs.rows()
    assert {row.run.partition("-")[0]: row.status.state for row in rows} == {
        "small": "finished",
        "long": "finished",
    }
    numbers = {workspace.runs.open(row.run).read_json("scheduler")["job"] for row in rows}
    assert len(numbers) == 2 and numbers <= set(local_slurm.jobs())
