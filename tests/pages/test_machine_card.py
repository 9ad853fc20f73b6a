"""What this machine can train on, as the Train page says it: one line, its checks, and what it refuses."""

import json
import os
import threading

import pytest

from segcore.runs.machine import doctor
from segcore.workspace.launch.doctor import Doctor

START_WHERE_UNCHECKED = Doctor.start_where_unchecked
"""As it is: other tests of pages start nothing."""

SMI = """#!/bin/sh
case "$*" in
*driver_version*) echo 570.86 ;;
*compute-apps*) ;;
*) echo "0, GPU-1, NVIDIA RTX 5090, 32000, 500, 1, 41" ;;
esac
"""


def answer(*devices, wrong=()):
    """What an engine says; ``wrong``: (device, precision) pairs with wrong numbers."""
    results = [
        {"device": d, "precision": p, "error": "wrong numbers" if (d, p) in wrong else ""}
        for d in devices
        for p in ("float32", "bfloat16", "float16")
    ]
    return {"version": "2.21.0", "devices": [*devices], "results": results, "error": ""}


@pytest.fixture
def engine(monkeypatch):
    """The one engine that is installed: a list with its answer."""
    says = [answer("cpu")]
    find = doctor.importlib.util.find_spec
    monkeypatch.setattr(
        doctor.importlib.util,
        "find_spec",
        lambda name, *rest: None if name in ("jax", "torch") else find(name, *rest),
    )
    monkeypatch.setattr(doctor, "ask_engine", lambda name: says[0])
    return says


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """A driver that lists one GPU."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(SMI)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("segcore.runs.machine.devices.pynvml", None)


def line(at) -> str:
    """The card's one line."""
    return next(e.label for e in at.expander if "Machine" in e.label)


def words(at) -> str:
    """Everything that the page says."""
    said = [e.value for e in (*at.markdown, *at.caption, *at.error, *at.code)]
    return " ".join(said).replace("\\", "")


def test_a_machine_is_checked_on_request_in_the_background(
    workspace, engine, open_page, read, monkeypatch
) -> None:
    go = threading.Event()

    def ask(name):
        assert go.wait(60)
        return answer("cpu")

    monkeypatch.setattr(doctor, "ask_engine", ask)
    at = open_page("train")
    assert "not checked yet" in line(at)
    read.check(at.button(key="check_machine").click().run())
    texts = [e.proto.text for e in at.get("progress")]
    assert any(text.startswith("Checking the machine") for text in texts)
    assert not [e for e in at.expander if "Machine" in e.label]
    assert not at.button(key="start_training").disabled, "the page is free meanwhile"
    go.set()
    for thread in [t for t in threading.enumerate() if t.name == "doctor"]:
        thread.join(60)
    read.check(at.run())
    assert "not checked" not in line(at) and "Machine" in line(at)
    assert json.loads((workspace.folder / "doctor.json").read_text())["engines"]["tensorflow"]


def test_without_a_gpu_the_card_says_what_is_there_and_when(
    workspace, engine, open_page, read
) -> None:
    workspace.doctor.examine()
    at = open_page("train")
    assert ":red" not in line(at)
    assert "none is loaded: runs use the CPU" in words(at) and "Checked " in words(at)
    assert "TensorFlow on cpu" in words(at) and not at.error


def test_a_gpu_that_only_the_driver_sees_is_said_with_its_fix(
    workspace, engine, driver, started, open_page, read
) -> None:
    workspace.doctor.examine()
    at = open_page("train")
    assert line(at) == ":red[:material/error:] Machine: 1 check fails"
    assert "Only the driver sees gpu:0, TensorFlow does not." in words(at)
    commands = [c.value for c in at.code]
    assert commands.count("make app GPU=1") == 2, "in the card and beside the device"
    assert "The run will use the CPU, not gpu:0." in words(at)  # auto
    assert not at.button(key="start_training").disabled
    read.check(at.button_group(key="device_1").set_value("gpu").run())
    assert "only the driver sees gpu:0" in at.error[0].value.replace("\\", "")
    assert at.button(key="start_training").disabled and at.button(key="start_members").disabled
    assert workspace.runs.ids() == [] and started == []
    read.check(at.button_group(key="device_1").set_value("cpu").run())
    assert not at.error and not at.button(key="start_training").disabled


def test_a_gpu_that_computes_wrongly_is_refused_on_the_form(
    workspace, engine, driver, open_page, read
) -> None:
    engine[0] = answer("cpu", "gpu:0", wrong={("gpu:0", "float32")})
    workspace.doctor.examine()
    at = open_page("train")
    assert "fails" in line(at) and "wrong numbers" in words(at)
    assert "'auto': TensorFlow on gpu:0 in float32" in at.error[0].value.replace("\\", "")
    assert "The run will use the CPU" not in words(at) and "No problems found" not in words(at)
    assert at.button(key="start_training").disabled
    read.check(at.button_group(key="device_1").set_value("cpu").run())
    assert not at.error and not at.button(key="start_training").disabled


def test_one_precision_that_fails_is_refused_alone(
    workspace, engine, driver, open_page, read
) -> None:
    engine[0] = answer("cpu", "gpu:0", wrong={("gpu:0", "bfloat16")})
    workspace.doctor.examine()
    at = open_page("train")
    assert "warning" in line(at) and "train in float32 or float16" in words(at) and not at.error
    precision = next(s for s in at.selectbox if s.label == "Precision")
    read.check(precision.set_value("mixed_bfloat16").run())
    assert "in bfloat16: wrong numbers" in at.error[0].value.replace("\\", "")


def test_without_a_compiler_the_command_is_there_to_copy(
    workspace, engine, open_page, read, monkeypatch
) -> None:
    find, which = doctor.importlib.util.find_spec, doctor.shutil.which
    missing = {"pydensecrf", "g++", "c++"}
    with monkeypatch.context() as patched:
        patched.setattr(
            doctor.importlib.util, "find_spec", lambda n, *r: n not in missing and find(n, *r)
        )
        patched.setattr(doctor.shutil, "which", lambda n: None if n in missing else which(n))
        patched.setattr(doctor.sys, "version_info", (3, 12, 1))
        workspace.doctor.examine()
    at = open_page("train")
    assert "warning" in line(at)
    assert any("sudo apt-get install g++" in c.value for c in at.code)


def test_a_driver_that_came_later_asks_for_another_check(
    workspace, engine, open_page, monkeypatch
) -> None:
    workspace.doctor.examine()
    monkeypatch.setattr(doctor, "read_driver", lambda: "600.1")
    at = open_page("train")
    assert "changed since the last check" in line(at)
    assert "Driver or packages have changed since." in words(at)


def test_a_gpu_that_was_never_checked_is_checked_by_itself(
    workspace, engine, driver, open_page, monkeypatch
) -> None:
    begun = []
    monkeypatch.setattr(Doctor, "_begin", lambda doctor: begun.append(doctor))
    monkeypatch.setattr(Doctor, "start_where_unchecked", START_WHERE_UNCHECKED)
    at = open_page("train")
    assert len(begun) == 1 and "not checked yet" in line(at)
