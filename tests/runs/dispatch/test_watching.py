"""What is noted beside a run: its environment, its load, its mask history."""

import json
import subprocess

import pytest

from segcore.config import TrainConfig
from segcore.runs.folder.environment import (
    KEPT_STARTS,
    git_state,
    note_environment,
    package_versions,
    read_environment,
)
from segcore.runs.folder.mask_history import keeps_epoch, mask_history_stage, read_mask_history
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.usage import GPUUsage, UsageRecorder, pause_after, read_usage
from segcore.runs.machine.devices import Device


@pytest.fixture
def run(tmp_path):
    return RunFolder.create(tmp_path / "runs", "demo-unet-1", TrainConfig("demo"))


def test_each_start_is_noted_and_only_the_last_are_kept(run):
    assert read_environment(run.folder) == []
    for number in range(KEPT_STARTS + 2):
        note_environment(run.folder, f"print{number}")
    starts = read_environment(run.folder)
    assert [s.fingerprint for s in starts] == [f"print{i}" for i in range(2, KEPT_STARTS + 2)]
    start = starts[0]
    assert start.python and start.platform and start.host and start.cores and start.memory
    assert start.packages["numpy"] and "cpu" in start.devices and start.device == ""
    (run.folder / "environment.json").write_text("{")
    assert read_environment(run.folder) == []


def test_packages_that_are_not_there_are_left_out():
    assert list(package_versions(("numpy", "no-such-package"))) == ["numpy"]


def test_the_state_of_a_checkout(tmp_path):
    assert git_state(tmp_path) is None

    def git(*arguments):
        subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            check=True,
            capture_output=True,
        )

    git("init", "-q", "-b", "trunk")
    assert git_state(tmp_path) is None  # nothing was committed
    (tmp_path / "a.txt").write_text("one")
    git("add", "a.txt")
    git("commit", "-q", "-m", "one")
    state = git_state(tmp_path)
    assert len(state["commit"]) == 40 and state["branch"] == "trunk" and state["changed"] == []
    (tmp_path / "a.txt").write_text("two")
    assert git_state(tmp_path) == {**state, "changed": ["a.txt"]}


GPUS = [
    Device("cpu", "c", 2, 1, 1, 0.5, None),
    Device("gpu:0", "g", 0, 100, 40, 0.9, 61.0),
    Device("gpu:1", "g", 0, 100, 7, None, None),
]


def test_usage_is_noted_when_due_for_the_runs_own_devices(run):
    recorder = UsageRecorder(run.folder, ["gpu:1"], lambda: GPUS)
    assert [recorder.tick(1000.0 + t) for t in (0, 1, 2, 2.5, 4)] == [
        True,
        False,
        True,
        False,
        True,
    ]
    lines = read_usage(run.folder)
    assert [line.time for line in lines] == [1000.0, 1002.0, 1004.0]
    assert lines[0].gpus == (GPUUsage("gpu:1", None, 7, None),)
    assert (
        lines[0].process_memory > 1_000_000
        and lines[0].machine_load is None
        and 0 <= lines[1].machine_load <= 1
    )
    on_cpu = UsageRecorder(run.folder, ["cpu"], lambda: pytest.fail("no GPU to look at"))
    assert on_cpu.tick(2000.0) and not read_usage(run.folder)[-1].gpus


def test_a_day_of_usage_stays_small():
    elapsed, lines = 0.0, 0
    while elapsed < 86_400:
        elapsed, lines = elapsed + pause_after(elapsed), lines + 1
    assert lines == 300 + 920 + 1200


def test_a_full_disk_ends_no_run(run):
    (run.folder / "usage.jsonl").mkdir()
    assert UsageRecorder(run.folder).tick() is False


def test_kept_epochs_are_dense_first_and_few_for_ever():
    assert all(keeps_epoch(e) for e in range(1, 101)) and not keeps_epoch(0)
    assert [e for e in range(101, 112) if keeps_epoch(e)] == [102, 104, 106, 108, 110]
    assert [e for e in range(201, 214) if keeps_epoch(e)] == [204, 208, 212]
    assert [sum(keeps_epoch(e) for e in range(1, n + 1)) for n in (100, 200, 400, 800, 1000)] == [
        100,
        150,
        200,
        250,
        262,
    ]
    assert sum(keeps_epoch(e) for e in range(1, 100_001)) < 650


def test_the_mask_history_of_a_run_is_read_back(run):
    assert read_mask_history(run.folder) is None
    run.write_json("evolution", {"split": "validation", "samples": ["a/b"], "size": [2, 2]})
    assert read_mask_history(run.folder) is None  # no epoch yet
    for epoch in (2, 10, 1):
        (run.folder / "masks" / "validation" / mask_history_stage(epoch)).mkdir(parents=True)
    (run.folder / "masks" / "validation" / "crf").mkdir()
    assert read_mask_history(run.folder) == ("validation", ["a/b"], [1, 2, 10])
    (run.folder / "evolution.json").write_text(json.dumps({"samples": 3}))
    assert read_mask_history(run.folder) is None
