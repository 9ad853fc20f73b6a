"""The doctor says what can be trained on: faked drivers and engines, and the engine that is here."""

import json
import os
import sys
import tomllib
from types import SimpleNamespace

import numpy as np
import pytest
from packaging.requirements import Requirement

from segcore.cli import main
from segcore.places import front
from segcore.runs.machine import diagnosis as diagnosis_module
from segcore.runs.machine import doctor
from segcore.runs.machine.diagnosis import Check
from segcore.runs.machine.doctor import ask_engine, examine, kept_diagnosis, last_diagnosis
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


THERE = SimpleNamespace(origin=None)
"""What is found of a package that is installed."""


@pytest.fixture
def engines(monkeypatch):
    """Engines that are installed, with what they answer."""
    installed = {"tensorflow": answer(["cpu"])}
    monkeypatch.setattr(
        doctor.importlib.util,
        "find_spec",
        lambda name: THERE if name in installed or name == "pydensecrf" else None,
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


def test_several_engines_on_a_cpu_are_timed_and_remembered(tmp_path, engines, monkeypatch):
    speeds = {"tensorflow": {"float32": 2.0}, "jax": {}}
    monkeypatch.setattr(doctor, "measure_engine", speeds.__getitem__)
    assert examine(tmp_path).speed("tensorflow") is None, "one engine leaves no choice"
    engines["jax"] = answer(["cpu"])
    parts = []
    examine(tmp_path, lambda done, total, part: parts.append((done, total)))
    assert parts == [(i, 5) for i in range(5)]
    kept = doctor.kept_diagnosis(tmp_path)
    assert kept.speed("tensorflow") == 2.0 and kept.speed("tensorflow", "mixed_bfloat16") is None
    assert kept.speed("jax") is None
    checks = by_name(kept)
    assert checks["TensorFlow"].reason.endswith("sees cpu; images a second: 2.0 in float32")
    assert checks["JAX"].reason.endswith("sees cpu; not timed")


def test_a_gpu_that_only_the_driver_sees_fails_with_the_command_that_helps(
    tmp_path, driver, engines
):
    diagnosis = examine(tmp_path)
    check = by_name(diagnosis)["TensorFlow on gpu:0"]
    assert check.state == diagnosis.state == "fails" and check.command == "make app GPU=1"
    assert "only the driver sees gpu:0" in diagnosis.failure("tensorflow", "gpu:0")
    assert not diagnosis.sees("tensorflow", "gpu:0") and diagnosis.sees("tensorflow", "cpu")
    memory = by_name(diagnosis)["Memory of gpu:0"]
    assert memory.state == "warning" and "process 4711 (20000 MiB)" in memory.reason


def test_wrong_numbers_of_one_precision_leave_the_others(tmp_path, driver, engines):
    engines["tensorflow"] = answer(["cpu", "gpu:0"], {("gpu:0", "bfloat16")})
    diagnosis = examine(tmp_path)
    check = by_name(diagnosis)["TensorFlow on gpu:0"]
    assert check.state == "warning" and check.fix == "train in float32 or float16"
    assert diagnosis.failure("tensorflow", "gpu:0") == ""
    assert "bfloat16" in diagnosis.failure("tensorflow", "gpu:0", "mixed_bfloat16")
    engines["tensorflow"] = answer(["cpu", "gpu:0"], {("gpu:0", "float32"), ("gpu:0", "float16")})
    check = by_name(examine(tmp_path))["TensorFlow on gpu:0"]
    assert (check.state, check.reason) == ("fails", "float32, float16: wrong numbers")
    assert (
        check.fix == "choose another device, or an engine whose makers have a build for this card"
    )
    assert check.command.endswith("install 'torch>=2.13,<2.14'")
    engines["torch"] = answer(["cpu", "gpu:0"])
    assert by_name(examine(tmp_path))["TensorFlow on gpu:0"].command == "", "another one is here"


def test_an_engine_that_cannot_be_imported(tmp_path, engines):
    broken = {"engine": "tensorflow", "version": "", "devices": [], "results": []}
    engines["tensorflow"] = broken | {"error": "ImportError: no libcudart"}
    diagnosis = examine(tmp_path)
    assert by_name(diagnosis)["TensorFlow"].state == "fails"
    assert "no libcudart" in diagnosis.failure("tensorflow", "cpu")
    engines.clear()
    assert by_name(examine(tmp_path))["Engine"].state == "fails"


def test_without_a_compiler_the_crf_says_what_is_missing(tmp_path, engines, monkeypatch):
    monkeypatch.setattr(
        doctor.importlib.util, "find_spec", lambda name: THERE if name in engines else None
    )
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor.sys, "version_info", (3, 12, 1))
    check = by_name(examine(tmp_path))["Dense CRF"]
    assert check.state == "warning" and "no C++ compiler" in check.reason
    assert check.command.startswith("sudo apt-get install g++ python3-dev && make app")


@pytest.mark.parametrize("here", [{"torch": "2.13.0"}, {}])
def test_tensorflow_is_missed_only_where_no_other_engine_is(monkeypatch, here):
    right = {
        needed.name: next(s.version for s in needed.specifier if s.operator.startswith(">"))
        for needed in map(Requirement, doctor._requirements())
        if needed.name != "tensorflow"
    }
    monkeypatch.setattr(doctor, "_version", lambda package: (right | here).get(package, ""))
    check = doctor._packages()
    assert check.state == ("ok" if here else "warning")
    assert ("tensorflow is missing" in check.reason) == (not here)
    if here:
        assert check.reason == f"{len(right) - 1 + len(here)} packages within the tested ranges"
        here["torch"] = "2.9.1"
        check = doctor._packages()
        assert (check.state, check.reason) == (
            "warning",
            "torch is 2.9.1, expected <2.14,>=2.13",
        )
        assert "pip install 'torch<2.14,>=2.13'" in check.command


def test_the_engines_that_the_doctor_names_are_the_extras():
    extras = tomllib.loads((front() / "pyproject.toml").read_text())["project"]
    for name, requirement in diagnosis_module.OTHER_PACKAGES.items():
        assert extras["optional-dependencies"][name] == [requirement]


def test_a_drive_without_locks_fails(tmp_path, engines, monkeypatch):
    monkeypatch.setattr(doctor, "try_lock", lambda path: os.open(os.devnull, os.O_RDONLY))
    check = by_name(examine(tmp_path))["File locks"]
    assert check.state == "fails" and "NFS 4" in check.fix


def test_the_answer_is_kept_until_the_driver_or_a_package_changes(tmp_path, engines, monkeypatch):
    assert last_diagnosis(tmp_path) is None
    diagnosis = examine(tmp_path)
    assert last_diagnosis(tmp_path) == diagnosis
    assert abs(diagnosis.checked - (tmp_path / doctor.FILE).stat().st_mtime) < 60
    monkeypatch.setattr(doctor, "read_driver", lambda: "999.1")
    assert last_diagnosis(tmp_path) is None and kept_diagnosis(tmp_path) == diagnosis
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


def test_each_part_is_said_before_it_begins(tmp_path, engines, monkeypatch):
    parts = []
    engines["torch"] = answer(["cpu"])
    monkeypatch.setattr(doctor, "measure_engine", lambda engine: {})
    examine(tmp_path, lambda done, total, part: parts.append((done, total, part)))
    assert [done for done, _, _ in parts] == [*range(5)] and {total for _, total, _ in parts} == {5}
    assert [part.split()[0] for _, _, part in parts[:4]] == ["TensorFlow", "PyTorch"] * 2


@pytest.mark.parametrize("made", [True, False])
def test_commands_are_those_of_make_app_or_of_another_environment(monkeypatch, made):
    monkeypatch.setattr(diagnosis_module, "made_by_make", lambda: made)
    pip = f"{sys.executable} -m pip install"
    assert diagnosis_module.gpu_command("tensorflow") == (
        "make app GPU=1" if made else f"{pip} 'tensorflow[and-cuda]>=2.21,<2.22' nvidia-ml-py"
    )
    assert diagnosis_module.engine_command("tensorflow") == (
        "make app ENGINE=tensorflow" if made else f"{pip} 'tensorflow>=2.21,<2.22'"
    )
    assert diagnosis_module.engine_command("jax") == f"{pip} 'jax>=0.10,<0.11'"
    assert diagnosis_module.gpu_command("torch").endswith("'torch>=2.13,<2.14'"), "the tested one"


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


def test_of_an_engine_that_is_too_slow_the_first_precisions_count(tmp_path, monkeypatch):
    """Half precision that a processor emulates can take minutes a step."""
    program = tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(program))
    for script, speeds in (
        ('echo {\\"float32\\": 2.0}; printf {; exec sleep 600', {"float32": 2.0}),
        ("exec sleep 600", {}),
        ('echo {\\"float32\\": 2.0}; exit 1', {"float32": 2.0}),
    ):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        assert doctor.measure_engine("torch", 1.5) == speeds


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


@pytest.mark.parametrize(("machine", "code"), [("well", 0), ("no compiler", 1), ("no CUDA", 2)])
def test_the_shell_ends_with_the_worst_state(
    workspace, engines, monkeypatch, request, capsys, machine, code
):
    monkeypatch.setattr(doctor, "LITTLE", 0)
    if machine == "no compiler":
        monkeypatch.setattr(doctor, "_crf", lambda: Check("Dense CRF", "warning", "no compiler"))
    if machine == "no CUDA":
        request.getfixturevalue("driver")
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--workspace", str(workspace.folder), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert ended.value.code == code == ["ok", "warning", "fails"].index(document["state"]), document
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--workspace", str(workspace.folder)])
    table = capsys.readouterr().out
    assert ended.value.code == code
    assert ("FAILS" in table, "warning" in table) == (code == 2, code > 0), table
