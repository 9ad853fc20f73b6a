"""A rehearsal of the benchmark of engines with a tiny network."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segcore.runs.machine.engines import installed_engines

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]


def test_every_engine_that_is_here_is_measured_and_the_others_are_named() -> None:
    command = [
        sys.executable,
        str(ROOT / "benchmarks" / "bench_engines.py"),
        "--tiny",
        "--steps",
        "1",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    for engine in ("tensorflow", "jax", "torch"):
        here = engine in installed_engines()
        assert (f"| {engine} |" in done.stdout) == here
        assert (f"ENGINE ABSENT: {engine}" in done.stdout) != here
