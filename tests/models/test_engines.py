"""Every engine computes what TensorFlow did: logits, losses, gradients of one batch."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gpu_check import Failed, compare_numbers
from segcore.models.engines.engine import ENGINE
from segcore.runs.machine.diagnosis import ENGINES
from segcore.runs.machine.engines import is_installed
from tests.models import engine_numbers

ROOT = Path(__file__).resolve().parents[2]
STORED = Path(__file__).with_name("engine_numbers.npz")
"""Written by that script with TensorFlow, before the networks were written on ``keras.ops``; those of bands
later."""


def numbers_of(engine, path):
    """What an engine computes, by name: in this process if it is the one that computes here."""
    if engine == ENGINE:
        return engine_numbers.numbers()
    environment = {
        **os.environ,
        "KERAS_BACKEND": engine,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, engine_numbers.__file__, str(path)]
    subprocess.run(command, env=environment, check=True, cwd=ROOT)
    return np.load(path)


@pytest.mark.tensorflow
@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_computes_the_stored_numbers(engine, tmp_path):
    if not is_installed(engine):
        pytest.skip(f"{engine} is not installed")
    numbers, stored = numbers_of(engine, tmp_path / "numbers.npz"), np.load(STORED)
    assert list(numbers) == stored.files
    compare_numbers(numbers, stored)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("a logits", [0, 2e-4], "difference of at most 0.0001"),
        ("a loss", [0, 4e-5], "difference of at most 1e-05"),
        ("a norms", [0, 0, 0.1], "difference of at most 0.01"),
        ("a norms", [0, 0.005, 0.005], "in the median 0.001"),
    ],
)
def test_other_numbers_are_named(name, change, said):
    stored = np.full(len(change), 2.0)
    flipped = {"a norms": np.array([2.0, 2.0, 2.01])}
    assert compare_numbers(flipped, {"a norms": np.full(3, 2.0)})["gradients"] == pytest.approx(
        0.005
    )
    with pytest.raises(Failed, match=f"{name}: .*{said}"):
        compare_numbers({name: stored + 2 * np.array(change)}, {name: stored})
