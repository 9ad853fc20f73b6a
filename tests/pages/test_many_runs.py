"""A thousand finished runs: what is not shown is not read, and what is kept is read once."""

import json
from pathlib import Path

import pytest

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine import disk

COUNT = 1000


@pytest.fixture
def many(workspace) -> Path:
    """A workspace with a thousand finished training runs; each is a copy of one with its own times."""
    root = workspace.runs.folder
    config = TrainConfig(
        "tiny", ModelConfig("unet", "tiny", "none"), RecipeConfig(epochs=2), (32, 64)
    )
    first = RunFolder.create(root, "many-0000", config)
    first.append_metrics({"epoch": 1, "loss": 0.5, "val_loss": 0.6, "mean_iou": 0.3})
    first.log_path.write_text("made up\n")
    status = first.write_status(
        state="finished",
        progress=1.0,
        created=1e9,
        started=1e9,
        finished=1e9 + 60,
        epoch=1,
        epochs=2,
    )
    for number in range(1, COUNT):
        folder = root / f"many-{number:04d}"
        folder.mkdir()
        for name in ("config.json", "metrics.jsonl", "log.txt"):
            (folder / name).hardlink_to(first.folder / name)
        told = {"format": 1, **vars(status), "created": 1e9 + number, "mean_iou": number / COUNT}
        (folder / "status.json").write_text(json.dumps(told))
    return root


def test_a_thousand_runs_are_listed_reading_two_small_files_each_and_then_none(
    many, workspace, monkeypatch
) -> None:
    opened: list[str] = []
    read = disk.Path.read_bytes
    monkeypatch.setattr(
        disk.Path, "read_bytes", lambda path: opened.append(path.name) or read(path)
    )
    rows = workspace.runs.rows()
    assert len(rows) == COUNT and rows[0].run == f"many-{COUNT - 1:04d}"
    assert sorted(set(opened)) == ["config.json", "status.json"] and len(opened) == 2 * COUNT
    opened.clear()
    assert len(workspace.runs.rows()) == COUNT and opened == []
    workspace.annotations.write("many-0500", star=True)
    opened.clear()
    workspace.runs.rows()
    assert sorted(opened) == ["config.json", "notes.json", "status.json"]


def test_the_page_opens_only_the_run_that_it_shows(many, open_page, monkeypatch) -> None:
    opened: list[str] = []
    histories = RunFolder.metrics
    monkeypatch.setattr(RunFolder, "metrics", lambda run: opened.append(run.id) or histories(run))
    at = open_page("runs", run="many-0321")
    table = at.dataframe[0].value
    assert len(table) == COUNT and table["run"][0] == f"many-{COUNT - 1:04d}"
    assert set(opened) == {"many-0321"}
    at.text_input(key="runs_text").set_value("many-0777").run()
    assert list(at.dataframe[0].value["run"]) == ["many-0777"]
