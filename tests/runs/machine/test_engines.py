"""Which engine a run gets, and what its process starts with."""

import dataclasses
import os

import pytest

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.runs.machine import engines
from segcore.runs.machine.diagnosis import Diagnosis


def config(**words):
    """A training config of the tiny network."""
    return TrainConfig("tiny", ModelConfig("unet", "tiny", "none"), size=(32, 64), **words)


def answer(*wrong):
    """What an engine answered the doctor: it sees the CPU and one GPU, on which some fail."""
    results = [
        {"device": device, "precision": "float32", "error": "wrong numbers" * (device in wrong)}
        for device in ("cpu", "gpu:0")
    ]
    return {"error": "", "devices": ["cpu", "gpu:0"], "results": results}


@pytest.fixture
def installed(monkeypatch):
    """Say which engines are installed."""

    def say(*names):
        monkeypatch.setattr(engines, "is_installed", lambda engine: engine in names)

    return say


def unasked():
    pytest.fail("the doctor was asked")


def test_auto_takes_the_first_that_works_on_the_device(installed) -> None:
    installed("tensorflow", "jax", "torch")
    doctor = Diagnosis((), {"tensorflow": answer("gpu:0"), "jax": answer(), "torch": answer()}, {})
    auto = config(engine="auto", device="gpu:0")
    choice = engines.choose_engine(auto, lambda: doctor)
    assert choice.name == "jax"
    assert "JAX passed" in choice.reason and "TensorFlow on gpu:0" in choice.reason
    on_cpu = dataclasses.replace(auto, device="cpu")
    assert engines.choose_engine(on_cpu, lambda: doctor).name == "tensorflow"
    broken = Diagnosis((), dict.fromkeys(("tensorflow", "jax", "torch"), answer("gpu:0")), {})
    with pytest.raises(
        SegcoreError, match="an engine that works on the device 'gpu:0', found none"
    ):
        engines.choose_engine(auto, lambda: broken)


def test_on_a_cpu_auto_takes_the_engine_that_trained_fastest_there(installed) -> None:
    installed("tensorflow", "jax", "torch")

    def timed(float32, bfloat16, *wrong):
        speeds = {"float32": float32, "mixed_bfloat16": bfloat16}
        return answer(*wrong) | {"images_per_second": speeds}

    kept = {"tensorflow": timed(2.0, 4.0), "jax": timed(3.0, 1.0), "torch": timed(9.0, 9.0, "cpu")}
    doctor = Diagnosis((), kept, {})
    on_cpu = config(engine="auto", device="cpu")
    choice = engines.choose_engine(on_cpu, lambda: doctor)
    assert choice.name == "jax" and "JAX 3.0, TensorFlow 2.0" in choice.reason
    assert "PyTorch on cpu" in choice.reason, "the fastest fails and is not chosen"
    bfloat16 = dataclasses.replace(on_cpu, recipe=RecipeConfig(precision="mixed_bfloat16"))
    assert engines.choose_engine(bfloat16, lambda: doctor).name == "tensorflow"
    on_gpu = dataclasses.replace(on_cpu, device="gpu:0")
    assert engines.choose_engine(on_gpu, lambda: doctor).name == "tensorflow", "CPU's speed there"
    partly = Diagnosis((), kept | {"jax": answer() | {"images_per_second": {}}}, {})
    choice = engines.choose_engine(on_cpu, lambda: partly)
    assert choice.name == "tensorflow" and "TensorFlow 2.0, JAX not timed" in choice.reason
    others = Diagnosis((), kept | {"tensorflow": answer()}, {})
    assert engines.choose_engine(on_cpu, lambda: others).name == "jax", "the one that was timed"
    untimed = Diagnosis((), {"tensorflow": answer(), "jax": answer()}, {})
    assert engines.choose_engine(on_cpu, lambda: untimed).name == "tensorflow"


def test_the_doctor_is_asked_only_where_there_is_a_choice(installed) -> None:
    installed("torch")
    choice = engines.choose_engine(config(engine="auto"), unasked)
    assert choice.name == "torch" and "the one that can do it" in choice.reason
    installed("tensorflow", "torch")
    several = config(engine="auto", device="gpu:0,gpu:1")
    assert engines.choose_engine(several, unasked).name == "tensorflow", "torch takes one device"
    assert engines.choose_engine(config(engine="torch"), unasked) == engines.EngineChoice("torch")


def test_an_engine_that_is_missing_is_refused_with_the_way_to_install_it(installed) -> None:
    installed("torch")
    with pytest.raises(
        SegcoreError, match=r"'tensorflow', which is not: install it .make app.* engine torch"
    ):
        engines.choose_engine(config(), unasked)
    engines.choose_engine(config(device="cluster"), unasked)  # its machines have their own
    installed()
    with pytest.raises(SegcoreError, match="found none"):
        engines.choose_engine(config(engine="auto"), unasked)
    with pytest.raises(SegcoreError, match="found none"):
        engines.prediction_engine("auto")


def test_prediction_takes_tensorflow_on_a_cpu_and_the_trained_engine_on_a_gpu(
    installed, monkeypatch
) -> None:
    installed("tensorflow", "jax", "openvino")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert engines.prediction_engine("auto", ["jax"]) == "tensorflow"
    assert engines.prediction_engine("jax") == "jax"
    assert engines.prediction_engine("openvino", ["jax"]) == "tensorflow"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert engines.prediction_engine("auto", ["jax"]) == "jax"
    assert engines.prediction_engine("auto", ["torch"]) == "tensorflow", "torch is not here"
    with pytest.raises(SegcoreError, match="torch"):
        engines.prediction_engine("torch")
    installed("torch")
    assert engines.prediction_engine("auto", ["jax"]) == "torch"


@pytest.mark.parametrize(
    ("here", "why"),
    [
        (("jax",), "it starts from TensorFlow's graph, and TensorFlow and OpenVINO are not"),
        (("jax", "openvino"), "it starts from TensorFlow's graph, and TensorFlow is not"),
        (("tensorflow", "jax"), "OpenVINO is not"),
    ],
)
def test_openvino_is_refused_by_what_it_lacks(installed, here, why) -> None:
    installed(*here)
    with pytest.raises(SegcoreError) as caught:
        engines.prediction_engine("openvino")
    said, engine = str(caught.value), here[:-1] if here[-1] == "openvino" else here
    assert f"received 'openvino': {why} installed; install what is missing (" in said
    assert said.endswith(f"or predict with the backend {' or '.join(engine)}.")
    assert ("[fast]" in said) == ("openvino" not in here)
    assert "openvino" not in engines.usable_backends()
    installed("tensorflow", "openvino")
    assert engines.usable_backends() == ["auto", "tensorflow", "openvino"]


def test_what_an_engine_cannot_do_is_refused_by_name() -> None:
    hosts = ("10.0.0.1:1", "10.0.0.2:1")
    for words, sentence in (
        ({"engine": "jax", "hosts": hosts}, "tensorflow for a network that several machines"),
        ({"engine": "torch", "hosts": hosts}, "tensorflow for a network that several machines"),
        ({"engine": "torch", "device": "gpu:0,gpu:1"}, "one device for the engine torch"),
        ({"engine": "torch", "device": "cluster:2"}, "one device for the engine torch"),
        ({"engine": "torch", "recipe": RecipeConfig(jit=True)}, "XLA, received torch"),
        ({"engine": "mxnet"}, "engine"),
    ):
        with pytest.raises(SegcoreError, match=sentence):
            config(**words)
    config(engine="jax", device="gpu:0,gpu:1")
    config(engine="torch", device="cluster:1")
    config(engine="auto", hosts=hosts)


def test_a_process_gets_what_its_engine_takes_before_it_imports_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    for machine, onednn in (("x86_64", {"TF_ENABLE_ONEDNN_OPTS": "1"}), ("aarch64", {})):
        monkeypatch.setattr("platform.machine", lambda machine=machine: machine)
        assert engines.engine_variables("tensorflow") == {"KERAS_BACKEND": "tensorflow"} | onednn
    monkeypatch.setattr("platform.machine", lambda: "AMD64")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert engines.engine_variables("tensorflow")["TF_ENABLE_ONEDNN_OPTS"] == "0"  # as chosen
    jax = engines.engine_variables("jax", cache=tmp_path)
    assert jax["JAX_PLATFORMS"] == "cpu" and jax["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    assert os.path.dirname(jax["JAX_COMPILATION_CACHE_DIR"]) == str(tmp_path)  # noqa: PTH120
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert "deterministic" in engines.engine_variables("jax", True)["XLA_FLAGS"]
    assert "CUBLAS_WORKSPACE_CONFIG" in engines.engine_variables("torch", True)


def test_too_much_that_was_compiled_makes_room(tmp_path, monkeypatch) -> None:
    folder = engines._compiled(tmp_path)
    folder.mkdir()
    (folder / "step").write_bytes(b"1234")
    assert engines._compiled(tmp_path) == folder and (folder / "step").exists()
    monkeypatch.setattr(engines, "CACHE_BYTES", 3)
    assert engines._compiled(tmp_path) == folder and not folder.exists()
