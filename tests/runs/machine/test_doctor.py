"""The doctor says what can be trained on: faked drivers and engines, and the engine that is here."""

import json
import os
import sys

import numpy as np
import pytest

from segcore.cli import main
from segcore.runs.machine import doctor
from segcore.runs.machine.doctor import ask_engine, examine, last_diagnosis
from segcore.training import engine_check

SMI = """#!/bin/sh
case "$*" in
*driver_version*) echo 570.86 ;;
*compute-apps*) echo "4711, 20000 MiB" ;;
*) echo "0, GPU-1, NVIDIA RTX, 24000, 20000, 90, 60" ;;
esac
"""


def answer(devices, wrong=()):
    """What ``engine_check`` would print; ``wrong``: (device, precision) pairs with wrong numbers."""
    results = [
        {"device": d, "precision": p, "error": "wrong numbers" if (d, p) in wrong else ""}
        for d in devices
        for p in ("float32", "bfloat16", "float16")
    ]
    return {"engine": "x", "version": "1.0", "devices": devices, "results": results, "error": ""}


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """A machine whose driver lists one GPU, nearly full."""
    program = tmp_path / "bin/nvidia-smi"
    program.parent.mkdir()
    program.write_text(SMI)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("segcore.runs.machine.devices.pynvml", None)


@pytest.fixture
def engines(monkeypatch):
    """Engines that are installed, with what they answer."""
    installed = {"tensorflow": answer(["cpu"])}
    monkeypatch.setattr(
        doctor.importlib.util, "find_spec", lambda name: name in installed or name == "pydensecrf"
    )
    monkeypatch.setattr(doctor, "ask_engine", installed.__getitem__)
    return installed


def by_name(diagnosis):
    return {check.name: check for check in diagnosis.checks}


def test_without_a_gpu_all_is_well(tmp_path, engines):
    diagnosis = examine(tmp_path)
    checks = by_name(diagnosis)
    assert checks["NVIDIA driver"].reason == "none is loaded: runs use the CPU"
    assert checks["File locks"].state == checks["Workspace"].state == "ok"
    assert {c.state for c in diagnosis.checks} <= {"ok", "warning"}
    assert diagnosis.failure("tensorflow", "cpu", "mixed_bfloat16") == ""
    assert diagnosis.failure("jax", "cpu") == "", "what is not installed is not known"


def test_a_gpu_that_only_the_driver_sees_fails_with_the_command_that_helps(
    tmp_path, driver, engines
):
    diagnosis = examine(tmp_path)
    check = by_name(diagnosis)["tensorflow on gpu:0"]
    assert check.state == diagnosis.state == "fails" and "GPU=1" in check.fix
    assert "only the driver does" in diagnosis.failure("tensorflow", "gpu:0")
    memory = by_name(diagnosis)["Memory of gpu:0"]
    assert memory.state == "warning" and "process 4711 (20000 MiB)" in memory.reason


def test_wrong_numbers_of_one_precision_leave_the_others(tmp_path, driver, engines):
    engines["tensorflow"] = answer(["cpu", "gpu:0"], {("gpu:0", "bfloat16")})
    diagnosis = examine(tmp_path)
    check = by_name(diagnosis)["tensorflow on gpu:0"]
    assert check.state == "warning" and check.fix == "use float32, float16"
    assert diagnosis.failure("tensorflow", "gpu:0") == ""
    assert "bfloat16" in diagnosis.failure("tensorflow", "gpu:0", "mixed_bfloat16")
    engines["tensorflow"] = answer(["cpu", "gpu:0"], {("gpu:0", "float32")})
    assert by_name(examine(tmp_path))["tensorflow on gpu:0"].state == "fails"


def test_an_engine_that_cannot_be_imported(tmp_path, engines):
    broken = {"engine": "tensorflow", "version": "", "devices": [], "results": []}
    engines["tensorflow"] = broken | {"error": "ImportError: no libcudart"}
    diagnosis = examine(tmp_path)
    assert by_name(diagnosis)["tensorflow"].state == "fails"
    assert "no libcudart" in diagnosis.failure("tensorflow", "cpu")
    engines.clear()
    assert by_name(examine(tmp_path))["Engine"].state == "fails"


def test_without_a_compiler_the_crf_says_what_is_missing(tmp_path, engines, monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: name in engines)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor.sys, "version_info", (3, 12, 1))
    check = by_name(examine(tmp_path))["Dense CRF"]
    assert check.state == "warning" and "no C++ compiler" in check.reason and "g++" in check.fix


def test_a_drive_without_locks_fails(tmp_path, engines, monkeypatch):
    monkeypatch.setattr(doctor, "try_lock", lambda path: os.open(os.devnull, os.O_RDONLY))
    check = by_name(examine(tmp_path))["File locks"]
    assert check.state == "fails" and "NFS 4" in check.fix


def test_the_answer_is_kept_until_the_driver_or_a_package_changes(tmp_path, engines, monkeypatch):
    assert last_diagnosis(tmp_path) is None
    diagnosis = examine(tmp_path)
    assert last_diagnosis(tmp_path) == diagnosis
    monkeypatch.setattr(doctor, "read_driver", lambda: "999.1")
    assert last_diagnosis(tmp_path) is None
    monkeypatch.undo()
    for damaged in (
        "{",
        "[]",
        '{"key": 1}',
        json.dumps(diagnosis.to_json() | {"engines": {"a": 1}}),
    ):
        (tmp_path / doctor.FILE).write_text(damaged)
        assert last_diagnosis(tmp_path) is None


def test_a_workspace_that_cannot_be_written_fails_and_is_no_crash(engines, tmp_path):
    assert by_name(examine(tmp_path / "gone"))["Workspace"].state == "fails"


def test_an_engine_that_hangs_or_dies_is_an_answer(tmp_path, monkeypatch):
    program = tmp_path / "python"
    for script, seconds, words in (
        ("sleep 600", 0.5, "did not answer"),
        ("echo oh >&2; exit 139", 300, "code 139: oh"),
    ):
        program.write_text(f"#!/bin/sh\nexec sh -c '{script}'\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))
        assert words in ask_engine("tensorflow", seconds)["error"]


@pytest.mark.tensorflow
def test_the_engine_that_is_here_computes_what_numpy_does():
    reply = ask_engine("tensorflow")
    assert not reply["error"] and "cpu" in reply["devices"]
    assert [r["error"] for r in reply["results"] if r["device"] == "cpu"] == ["", "", ""]


def test_a_wrong_number_is_seen():
    expected = engine_check.reference()
    assert engine_check.worst_error(expected, expected) == 0
    off = (expected[0], expected[1] * 1.2, expected[2])
    assert engine_check.worst_error(off, expected) == pytest.approx(0.2)
    lost = (expected[0], np.full_like(expected[1], np.nan), expected[2])
    assert engine_check.worst_error(lost, expected) == float("inf")
    with pytest.raises(KeyError):
        engine_check.check("caffe")


def test_the_shell_ends_with_the_state(workspace, engines, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--workspace", str(workspace.folder), "--json"])
    state = json.loads(capsys.readouterr().out)["state"]
    assert ended.value.code == doctor.STATES.index(state)
