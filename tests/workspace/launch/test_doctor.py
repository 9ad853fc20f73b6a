"""The doctor of a workspace checks in the background, remembers, and speaks about a config's device."""

import dataclasses
import threading

import pytest

from segcore.cli import main
from segcore.config import ModelConfig, TrainConfig
from segcore.runs.machine import doctor as machine
from segcore.runs.machine.devices import Device
from segcore.runs.machine.diagnosis import Check, Diagnosis
from segcore.workspace.launch import doctor as module
from segcore.workspace.launch.doctor import Doctor

CPU = Device("cpu", "A processor", 4, 16 << 30, 0, None, None)
GPU = Device("gpu:0", "A card", 0, 24 << 30, 0, None, None)
CONFIG = TrainConfig("tiny", ModelConfig("unet", "tiny", "none"))


def keep(folder, devices=("cpu", "gpu:0"), wrong="", driver=""):
    """Write a diagnosis as if it were of now; ``wrong``: what gpu:0 answers in float32."""
    results = [{"device": "gpu:0", "precision": "float32", "error": wrong}]
    answer = {"version": "1", "devices": [*devices], "results": results, "error": ""}
    key = machine._key(machine.read_driver()) | ({"driver": driver} if driver else {})
    diagnosis = Diagnosis((Check("Python", "ok", "3"),), {"tensorflow": answer}, key, 5.0)
    machine.write_json(folder / machine.FILE, diagnosis.to_json())
    return diagnosis


def test_a_device_is_usable_unless_the_doctor_saw_it_fail(tmp_path):
    doctor = Doctor(tmp_path)
    assert doctor.verdict("gpu:0").usable and doctor.last() is None, "what is unknown is no failure"
    keep(tmp_path)
    assert doctor.verdict("gpu:0").usable and not doctor.notice(CONFIG, [CPU, GPU])
    keep(tmp_path, devices=("cpu",))
    verdict = doctor.verdict("gpu:0")
    assert not verdict.usable and verdict.command == "make app GPU=1"
    assert verdict.reason == "Only the driver sees gpu:0, TensorFlow does not."
    assert doctor.verdict("cpu").usable
    assert doctor.verdict("gpu:0", "jax").usable, "JAX was not asked"
    assert not doctor.verdict("gpu:0", "auto").usable, "of those that were, none sees it"


def test_what_auto_will_do_and_what_is_refused_is_said_before(tmp_path):
    doctor = Doctor(tmp_path)
    keep(tmp_path, devices=("cpu",))
    notice = doctor.notice(CONFIG, [CPU, GPU])
    assert notice.startswith("The run will use the CPU, not gpu:0.") and "make app GPU=1" in notice
    assert doctor.notice(CONFIG, [CPU]) == "" and doctor.refusal(CONFIG) == ""
    named = dataclasses.replace(CONFIG, device="gpu:0")
    assert doctor.notice(named, [CPU, GPU]) == ""
    assert "only the driver sees gpu:0" in doctor.refusal(named)
    keep(tmp_path, wrong="wrong numbers")
    assert "TensorFlow on gpu:0 in float32: wrong numbers" in doctor.refusal(CONFIG)


def test_the_shell_says_that_auto_will_use_the_cpu(workspace, started, monkeypatch, capsys):
    folder = workspace.datasets.folder.parent
    keep(folder, devices=("cpu",))
    monkeypatch.setattr("segcore.workspace.runs.runs.list_devices", lambda: [CPU, GPU])
    network = (
        "--encoder",
        "tiny",
        "--weights",
        "none",
        "--size",
        "32x64",
        "--engine",
        "tensorflow",
    )
    main(["train", "tiny", *network, "--workspace", str(folder)])
    assert (
        "Warning: The run will use the CPU, not gpu:0. Only the driver" in capsys.readouterr().err
    )


def test_an_answer_of_another_driver_is_out_of_date_but_kept(tmp_path):
    doctor = Doctor(tmp_path)
    old = keep(tmp_path, driver="1.0")
    assert doctor.last() is None and doctor.kept() == old


def test_the_driver_is_not_asked_again_at_once(tmp_path, monkeypatch):
    doctor = Doctor(tmp_path)
    keep(tmp_path)
    asked = []
    monkeypatch.setattr(module, "last_diagnosis", lambda folder: asked.append(folder))
    for _ in range(3):
        doctor.last()
    assert len(asked) == 1
    keep(tmp_path, devices=("cpu",))  # another file is another answer
    doctor.last()
    assert len(asked) == 2


def test_a_check_runs_in_the_background_once_and_says_how_far_it_is(tmp_path, monkeypatch):
    said, go, begun = threading.Event(), threading.Event(), []

    def examine(folder, tell, more):
        begun.append(folder)
        tell(1, 2, "JAX computes on each device")
        said.set()
        assert go.wait(60)
        return keep(folder)

    monkeypatch.setattr(module, "examine", examine)
    doctor = Doctor(tmp_path)
    doctor.start_where_unchecked([CPU])
    assert doctor.progress is None, "without a GPU nothing begins by itself"
    doctor.start_where_unchecked([CPU, GPU])
    doctor.start()
    assert said.wait(60)
    assert doctor.progress == module.Progress(1, 2, "JAX computes on each device")
    go.set()
    (thread,) = [t for t in threading.enumerate() if t.name == "doctor"] or [threading.Thread()]
    if thread.ident:
        thread.join(60)
    assert doctor.progress is None and doctor.problem == "" and doctor.last() is not None
    doctor.start_where_unchecked([CPU, GPU])
    assert len(begun) == 1


def test_a_check_that_breaks_says_so_and_can_be_begun_again(tmp_path, monkeypatch):
    def examine(folder, tell, more):
        raise RuntimeError("no sockets")

    monkeypatch.setattr(module, "examine", examine)
    doctor = Doctor(tmp_path)
    for _ in range(2):
        doctor.start()
        for thread in [t for t in threading.enumerate() if t.name == "doctor"]:
            thread.join(60)
        assert "RuntimeError: no sockets" in doctor.problem and doctor.progress is None


def test_a_workspace_that_cannot_be_written_keeps_the_answer_in_memory(tmp_path, monkeypatch):
    found = Diagnosis((), {}, {}, 1.0)
    monkeypatch.setattr(module, "examine", lambda folder, tell, more: found)
    doctor = Doctor(tmp_path / "gone")
    doctor.start()
    for thread in [t for t in threading.enumerate() if t.name == "doctor"]:
        thread.join(60)
    assert doctor.last() == doctor.kept() == found


@pytest.mark.parametrize("seen", [True, False])
def test_the_recommendation_does_not_count_on_a_gpu_that_fails(workspace, monkeypatch, seen):
    monkeypatch.setattr("segcore.workspace.runs.runs.list_devices", lambda: [CPU, GPU])
    keep(workspace.folder, devices=("cpu", "gpu:0") if seen else ("cpu",))
    encoder = workspace.launch.suggest("tiny").config.model.encoder
    assert encoder == ("resnet50" if seen else "mobilenet_v2")
