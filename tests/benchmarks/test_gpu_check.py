"""A rehearsal of the GPU check on the CPU, with a tiny network, and of what it does with a failure."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from segcore.runs.machine.engines import installed_engines

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
ENGINE = installed_engines()[-1]


def check(out, *options):
    """Run the script with this interpreter, to which nothing is missing."""
    environment = {**os.environ, "PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": "-1"}
    command = ["bash", str(ROOT / "benchmarks" / "gpu_check.sh"), str(out), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done, json.loads((out / "gpu.json").read_text())["results"]


def test_every_part_runs_on_the_cpu_with_a_tiny_network(tmp_path) -> None:
    done, results = check(tmp_path / "out", "--tiny", "--engines", ENGINE)
    assert done.returncode == 0, done.stdout + done.stderr
    parts = results[ENGINE]
    assert set(parts) == {"doctor", "equality", "training", "prediction", "resume"}
    assert parts["doctor"]["devices"][0] == "cpu" and parts["equality"]["loss"] <= 1e-5
    assert {row["precision"] for row in parts["training"]} == {"float32", "mixed_bfloat16"}
    assert all(row["images_per_second"] > 0 and row["memory"] > 0 for row in parts["training"])
    assert parts["prediction"]["images"] == 10
    assert 2 <= parts["resume"]["killed_after"] < parts["resume"]["epochs"]
    assert "CPU" in parts["resume"]["device"]
    table = (tmp_path / "out" / "gpu.md").read_text()
    assert table.count(f"| {ENGINE} |") == 6 and "images a second" in table


def test_a_machine_without_a_gpu_is_no_success(tmp_path) -> None:
    done, results = check(tmp_path / "out", "--parts", "doctor", "--engines", ENGINE)
    assert done.returncode == 1 and "sees no GPU" in results[ENGINE]["doctor"]["failed"]
    assert "FAILED: it sees no GPU" in done.stdout
