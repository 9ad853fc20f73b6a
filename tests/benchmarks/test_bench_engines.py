"""A rehearsal of the benchmark of engines with a tiny network."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.bench_engines import report
from segcore.runs.machine.engines import installed_engines

ROOT = Path(__file__).resolve().parents[2]


def test_a_ratio_is_the_median_of_those_of_the_turns() -> None:
    """A machine that slows down for both sides in one turn moves no ratio."""
    speeds = {"tensorflow": (4.0, 1.0, 3.0), "before": (4.0, 2.0, 3.0), "smp": (2.0, 0.5, 3.0)}
    found = {
        side: [{"images_per_second": speed, "first": 8 / speed} for speed in turns]
        for side, turns in speeds.items()
    }
    text = "\n".join(report(found))
    assert "tensorflow / before: 1.000 (0.500 to 1.000)" in text
    assert "a second, fastest engine, tensorflow / smp: 2.000 (1.000 to 2.000)" in text
    assert "first step, tensorflow / smp: 0.500 (0.500 to 1.000)" in text


@pytest.mark.tensorflow
@pytest.mark.slow
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
