"""Every engine computes what TensorFlow did: logits, losses, gradients of one batch."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segcore.models.engines.engine import ENGINE
from segcore.runs.machine.diagnosis import ENGINES
from tests.models import engine_numbers

ROOT = Path(__file__).resolve().parents[2]
STORED = Path(__file__).with_name("engine_numbers.npz")
"""Written by that script with TensorFlow, before the networks were written on ``keras.ops``; those of bands
later."""

TOLERANCES = {"logits": 1e-4, "loss": 1e-5}
"""Largest difference over the largest value, or over one where that is smaller; else 1e-3."""

FLIPPED = 1e-2
"""The same for gradients of a network, of which the median differs by 1e-3 at most.

Processors round differently, and where a value of 1e-8 rounds to the other side of a ReLU's zero, the
gradients of all layers before it change while the logits stay.
"""


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
    if importlib.util.find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    numbers, stored = numbers_of(engine, tmp_path / "numbers.npz"), np.load(STORED)
    assert list(numbers) == stored.files
    for name in stored.files:
        scale = max(1.0, float(np.abs(stored[name]).max())) if "logits" in name else None
        scale = scale or float(np.abs(stored[name]).max())
        apart, kind = np.abs(numbers[name] - stored[name]) / scale, name.split()[-1]
        worst, most = float(apart.max()), TOLERANCES.get(kind, 1e-3)
        if kind in ("norms", "products"):
            assert np.median(apart) <= most, name
            most = FLIPPED
        assert worst <= most, (name, worst)
