"""What ``make app`` installs: with an NVIDIA driver CUDA's libraries too, by hand otherwise; ranges that TensorFlow accepts."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
NO_DRIVER, DRIVER = "exit 9", "echo GPU 0"
PYTHON = """#!/bin/sh
for last; do :; done
case "$3" in
show) test -e {folder}/"$last" ;;
uninstall) rm {folder}/"$last" ;;
*) cat "$last" >> {folder}/asked ;;
esac
"""
"""An interpreter whose pip notes the lists of packages; a file of its name stands for an installed package."""


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose environment only notes what it is asked to install."""
    for name in (
        ".ci/prepare",
        "requirements.txt",
        "requirements-dev.txt",
        "requirements-cuda.txt",
        "pyproject.toml",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/.with-crf").touch()
    python = tmp_path / ".venv/bin/python"
    python.write_text(PYTHON.format(folder=tmp_path))
    python.chmod(0o755)
    (tmp_path / "bin").mkdir()
    return tmp_path


def prepare(checkout, smi, want="app", **environment):
    """Run the script with a driver or without; what it asked pip for, and its exit status."""
    program = checkout / "bin/nvidia-smi"
    program.write_text(f"#!/bin/sh\n{smi}\n")
    program.chmod(0o755)
    asked = checkout / "asked"
    asked.unlink(missing_ok=True)
    known = {key: value for key, value in os.environ.items() if key not in ("GPU", "ENGINE")}
    known |= {"PATH": f"{program.parent}:{os.environ['PATH']}", "NVIDIA_PROC": "/nowhere"}
    done = subprocess.run(
        ["bash", ".ci/prepare", want],
        cwd=checkout,
        env=known | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.read_text() if asked.exists() else "", done


def test_a_driver_brings_the_libraries_and_its_coming_and_going_is_noticed(checkout):
    asked, _ = prepare(checkout, NO_DRIVER)
    assert "streamlit" in asked and "and-cuda" not in asked
    assert prepare(checkout, NO_DRIVER)[0] == "", "nothing changed, nothing is installed"
    asked, done = prepare(checkout, DRIVER)
    assert "tensorflow[and-cuda]" in asked and "nvidia-ml-py" in asked
    assert "GPU=0 leaves them out" in done.stderr
    assert prepare(checkout, DRIVER)[0] == ""


def test_the_kernels_driver_is_enough(checkout):
    version = checkout / "version"
    version.touch()
    assert "and-cuda" in prepare(checkout, NO_DRIVER, NVIDIA_PROC=str(version))[0]


def test_by_hand(checkout):
    assert "and-cuda" not in prepare(checkout, DRIVER, GPU="0")[0]
    assert "and-cuda" in prepare(checkout, NO_DRIVER, GPU="1")[0]
    _, done = prepare(checkout, DRIVER, GPU="yes")
    assert done.returncode == 1 and "Expected GPU=0" in done.stderr


def test_an_engine_in_tensorflows_place_stays_until_it_is_named_again(checkout):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    asked, _ = prepare(checkout, NO_DRIVER, ENGINE="torch")
    assert extras["torch"][0] in asked.splitlines() and "streamlit" in asked
    assert "tensorflow" not in asked
    assert prepare(checkout, NO_DRIVER)[0] == "", "the next make app asks for nothing else"
    asked, _ = prepare(checkout, DRIVER, ENGINE="jax")
    assert {*extras["jax-cuda"]} <= {*asked.splitlines()} and "tensorflow" not in asked
    assert "\ntensorflow>=" in prepare(checkout, DRIVER, want="test")[0], "tests need it"
    assert "tensorflow[and-cuda]" in prepare(checkout, DRIVER, ENGINE="tensorflow")[0]
    assert prepare(checkout, DRIVER)[0] == ""
    _, done = prepare(checkout, DRIVER, ENGINE="mxnet")
    assert done.returncode == 1 and "Expected ENGINE=tensorflow, jax or torch" in done.stderr


def test_an_engine_takes_the_place_of_a_tensorflow_that_is_there(checkout):
    prepare(checkout, NO_DRIVER)
    prepare(checkout, NO_DRIVER, want="test")
    there = checkout / "tensorflow"
    there.touch()
    _, done = prepare(checkout, NO_DRIVER, ENGINE="jax")
    assert not there.exists() and "TensorFlow gives way to jax" in done.stderr
    assert "\ntensorflow>=" in prepare(checkout, NO_DRIVER, want="test")[0], "tests bring it back"
    there.touch()
    assert prepare(checkout, NO_DRIVER)[0] == "" and there.exists(), "a plain make app leaves it"


def test_tests_need_no_gpu(checkout):
    assert "and-cuda" not in prepare(checkout, DRIVER, want="test")[0]


def requirements(name):
    lines = (ROOT / name).read_text().splitlines()
    return [Requirement(line) for line in lines if line.strip() and line[0] not in "#-"]


def test_the_extra_and_the_file_are_one():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for extra in ("cuda", "team"):
        wanted = [Requirement(line) for line in extras[extra]]
        assert wanted == requirements(f"requirements-{extra}.txt")


def test_ranges_are_those_that_tensorflow_demands():
    """What is newest within our range must be within TensorFlow's: else pip takes another TensorFlow, or breaks it."""
    demanded = {
        needed.name.lower(): needed
        for needed in map(Requirement, importlib.metadata.requires("tensorflow") or [])
        if needed.marker is None or needed.marker.evaluate({"extra": ""})
    }
    ours = {needed.name.lower(): needed for needed in requirements("requirements.txt")}
    for name in ours.keys() & demanded.keys():
        bound = next((s.version for s in demanded[name].specifier if s.operator == "<"), None)
        if bound is not None:
            assert any(
                s.operator in ("<", "<=", "==", "~=") and not ours[name].specifier.contains(bound)
                for s in ours[name].specifier
            ), f"{ours[name]} admits {bound}, which {demanded[name]} refuses"


def test_help_lists_every_target_and_variable() -> None:
    """Whoever asks make for help sees what the Makefile can do without opening it."""
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = set(re.findall(r"^make ([a-z-]+)", done.stdout, re.MULTILINE))
    assert listed >= {"app", "test", "quick", "slow", "lint", "help", "clean"}
    assert all(f"  {name}=" in done.stdout for name in ("PORT", "GPU", "ENGINE", "PYTHON"))
