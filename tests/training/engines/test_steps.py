"""One contract for the steps of all engines; those that are not installed are skipped."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segcore.runs.machine.diagnosis import ENGINES
from segcore.runs.machine.engines import is_installed

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = Path(__file__).with_name("engine_steps.py")
STORED = Path(__file__).with_name("engine_steps.npz")
"""Written by that script with TensorFlow."""

FIRST, BAND = 1e-5, 0.01
"""Largest difference of the first loss; of later ones, as a share of the first.

Rounding grows from step to step: Adam divides by the root of squares that are nearly 0. The largest
difference that was measured over ten steps is 0.4 % of the first loss.
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run the script with an engine: ``run(engine, networks)`` gives its folder."""
    folders: dict[tuple[str, ...], Path] = {}

    def start(engine, networks=()):
        if not is_installed(engine):
            pytest.skip(f"ENGINE NOT TESTED: {engine} is not installed")
        asked = (engine, *map(str, networks))
        folder = folders.get(asked) or tmp_path_factory.mktemp(engine)
        if asked not in folders:
            environment = {
                **os.environ,
                "KERAS_BACKEND": engine,
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "PYTHONPATH": str(ROOT),
            }
            command = [
                sys.executable,
                "-P",
                str(SCRIPT),  # its folder has one named jax
                str(folder),
                *map(str, networks),
            ]
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, cwd=ROOT, check=False
            )
            assert done.returncode == 0, done.stderr[-3000:]
        folders[asked] = folder
        return folder

    return start


@pytest.mark.parametrize("engine", ENGINES)
def test_ten_steps_lead_where_tensorflows_led(engine, run) -> None:
    """From the same weights, by each optimizer; frozen, thawed, averaged, re-estimated, resumed."""
    numbers, stored = np.load(run(engine) / "numbers.npz"), np.load(STORED)
    assert numbers.files == stored.files
    for name in stored.files:
        ours, theirs = numbers[name], stored[name]
        if name.endswith("confusion"):
            assert np.abs(ours - theirs).sum() <= 4, (
                name
            )  # two pixels whose scores are nearly equal
            continue
        if len(theirs) == len(stored["adam losses"]):
            assert abs(ours[0] - theirs[0]) <= FIRST, name
            assert theirs[-1] < theirs[0] / 2, "or the band would say nothing"
        assert np.abs(ours - theirs).max() <= BAND * stored["adam losses"][0], name


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_reads_what_every_engine_wrote(engine, run) -> None:
    """Each answers as the writer itself does; one engine alone has nobody to compare itself with."""
    writers = [name for name in ENGINES if is_installed(name)]
    if len(writers) < 2:
        pytest.skip(f"ENGINES NOT COMPARED: {', '.join(writers)} alone is installed")
    networks = [run(writer) / "model.keras" for writer in writers]
    answers = np.load(run(engine, networks) / "answers.npz")
    for number, writer in enumerate(writers):
        own = np.load(run(writer, networks) / "answers.npz")
        assert np.abs(answers[f"answer {number}"] - own[f"answer {number}"]).max() <= 1e-4
        assert abs(answers[f"next loss {number}"] - own[f"next loss {number}"]) <= FIRST
