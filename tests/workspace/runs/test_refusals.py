"""What could only fail is refused with its mend; what might succeed is not."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.data.dataset.labelled import with_masks
from segcore.errors import SegcoreError
from segcore.labels import LabelMap
from segcore.runs.machine.devices import Device
from segcore.runs.machine.diagnosis import Diagnosis
from segcore.runs.machine.disk import write_json
from segcore.runs.machine.doctor import FILE, _key, read_driver
from segcore.runs.queue import jobs, leases
from segcore.workspace.costs import training_bytes
from segcore.workspace.runs.refusals import DOUBT, GIB, refuse, refuse_device

MODEL = ModelConfig("unet", "resnet50", "none")
CONFIG = TrainConfig("set", MODEL, RecipeConfig(batch_size=16), (512, 512), device="cpu")


def device(name: str = "cpu", memory: float = 24) -> Device:
    return Device(name, name, 2, int(memory * GIB), 0, None, None)


def need(batch: int) -> float:
    return training_bytes(MODEL, (512, 512), batch, 12) / GIB


def test_a_batch_over_memory_is_refused_with_one_that_fits() -> None:
    refuse(CONFIG, 12, [device(memory=need(16) / DOUBT + 0.01)])  # estimates are not that exact
    with pytest.raises(SegcoreError, match="take a batch of 8"):
        refuse(CONFIG, 12, [device(memory=need(8) + 0.01)])
    with pytest.raises(SegcoreError, match="take a batch of 1"):
        refuse(CONFIG, 12, [device(memory=need(1) + 0.01)])
    with pytest.raises(SegcoreError, match="smaller size than 512 x 512"):
        refuse(CONFIG, 12, [device(memory=1)])


def test_several_devices_share_a_batch_and_the_smallest_counts() -> None:
    both = dataclasses.replace(CONFIG, device="gpu:0,gpu:1")
    half = need(16) / 2 / DOUBT + 0.01
    refuse(both, 12, [device(memory=1), device("gpu:0", half), device("gpu:1", half)])
    with pytest.raises(SegcoreError, match=r"GiB of gpu:1, received 16 images"):
        refuse(both, 12, [device(), device("gpu:0", 80), device("gpu:1", 2)])
    with pytest.raises(SegcoreError, match="of gpu:0"):
        refuse(dataclasses.replace(CONFIG, device="auto"), 12, [device(), device("gpu:0", 2)])


@pytest.mark.parametrize(
    "change", [{"device": "cluster"}, {"device": "gpu:7"}, {"hosts": ("a:1", "b:2")}]
)
def test_memory_elsewhere_is_not_known_here(change) -> None:
    with pytest.raises(SegcoreError, match="received 16 images"):
        refuse(CONFIG, 12, [device(memory=1)])  # what is asked of this machine
    refuse(dataclasses.replace(CONFIG, **change), 12, [device(memory=1)])


def test_a_single_class_is_nothing_to_learn(workspace, started) -> None:
    dataset = workspace.datasets.open("tiny")
    dataset.save_label_map(LabelMap.merging(4, [[0, 1, 2, 3]], "all"))
    config = TrainConfig(
        "tiny", ModelConfig("unet", "tiny", "none"), size=(32, 64), device="cpu", label_map="all"
    )
    with pytest.raises(SegcoreError, match="received 1: choose a label map"):
        workspace.runs.train(config)
    assert workspace.runs.ids() == []
    assert len(workspace.runs.train(dataclasses.replace(config, label_map=""))) == 1


def test_a_weights_file_that_is_not_there_is_refused_before_the_run(tmp_path) -> None:
    file = tmp_path / "encoder.npz"
    config = dataclasses.replace(CONFIG, model=ModelConfig("unet", "resnet50", str(file)))
    with pytest.raises(SegcoreError, match="no file here: check the path"):
        refuse(config, 12, [device(memory=1000)])
    refuse(
        dataclasses.replace(config, device="cluster"), 12, [device(memory=1000)]
    )  # it may lie there
    np.savez(file, **{"conv1_conv/kernel": np.zeros((7, 7, 3, 64), np.float32)})
    refuse(config, 12, [device(memory=1000)])


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"stem_conv/kernel": (3, 3, 3, 32)}, "lacks variables of it .conv1_conv/kernel; it holds"),
        ({"conv1_conv/kernel": (3, 3, 3, 64)}, "conv1_conv/kernel is 3 x 3 x 64, not 7 x 7 x 64"),
        (None, "cannot be read"),
    ],
)
def test_a_weights_file_of_another_encoder_is_refused_before_the_run(
    workspace, started, tmp_path, arrays, said
) -> None:
    file = tmp_path / "other.npz"
    file.write_bytes(b"no archive")
    if arrays:
        np.savez(file, **{name: np.zeros(shape, np.float32) for name, shape in arrays.items()})
    config = TrainConfig("tiny", ModelConfig("unet", "resnet50", str(file)), device="cpu")
    with pytest.raises(SegcoreError, match=f"received 'other.npz', which .*{said}"):
        workspace.runs.train(config)
    assert workspace.runs.ids() == [] and started == []
    assert said.split(" ")[0].strip(".") in workspace.runs.refusal(config)


def test_a_weights_file_of_no_known_ending_is_refused_before_the_run(tmp_path) -> None:
    file = tmp_path / "encoder.bin"
    file.write_bytes(b"")
    config = dataclasses.replace(CONFIG, model=ModelConfig("unet", "resnet50", str(file)))
    with pytest.raises(SegcoreError, match=r"ending in \.keras, \.weights\.h5, \.npz"):
        refuse(config, 12, [device(memory=1000)])


def test_reading_a_header_loads_no_engine() -> None:
    code = (
        "import sys, segcore.models.weights.headers; "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'torch', 'jax')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_device_that_is_not_there_is_refused_before_the_queue(
    workspace, started, monkeypatch
) -> None:
    config = TrainConfig("tiny", ModelConfig("unet", "tiny", "none"), size=(32, 64), device="gpu:7")
    with pytest.raises(SegcoreError, match="received the device 'gpu:7': choose 'auto' or 'cpu'"):
        workspace.launch.start(config)
    assert workspace.runs.ids() == [] and started == []
    assert "gpu:7" in workspace.runs.refusal(config)
    assert workspace.runs.refusal(dataclasses.replace(config, device="cpu")) == ""
    with pytest.raises(SegcoreError, match=r"address of a cluster .*segscope cluster ADDRESS"):
        workspace.launch.start(dataclasses.replace(config, device="cluster"))
    with jobs.Queue(workspace.folder) as queue:
        leases.renew(queue, "gpubox", ["gpu:7"], 1)
    assert workspace.runs.refusal(config) == ""  # another machine that works on the queue has it
    monkeypatch.setenv(jobs.NO_WORK_VARIABLE, "1")
    assert workspace.runs.refusal(dataclasses.replace(config, device="gpu:9")) == ""


def test_a_batch_that_does_not_divide_is_refused_before_the_queue() -> None:
    both = dataclasses.replace(
        CONFIG, device="gpu:0,gpu:1", recipe=dataclasses.replace(CONFIG.recipe, batch_size=7)
    )
    with pytest.raises(SegcoreError, match="divides by 2 devices, received 7: take 6"):
        refuse(both, 12, [device(memory=1000)])


def test_a_split_without_masks_is_refused_before_the_queue(workspace, started) -> None:
    dataset = workspace.datasets.open("tiny")
    bare = [dataclasses.replace(s, mask=None) if s.split == "train" else s for s in dataset.samples]
    config = TrainConfig("tiny", ModelConfig("unet", "tiny", "none"), size=(32, 64), device="cpu")
    workspace.runs.check(config)
    with pytest.raises(SegcoreError, match="Expected masks in the split 'train' of tiny"):
        with_masks(dataclasses.replace(dataset, samples=tuple(bare)), "train")


def test_a_gpu_that_the_doctor_saw_fail_is_refused_before_the_queue(workspace, started):
    config = TrainConfig("tiny", ModelConfig("unet", "tiny", "none"), device="gpu:0")
    right = {"device": "gpu:0", "precision": "float32", "error": ""}
    wrong = {"device": "gpu:0", "precision": "bfloat16", "error": "PTX error"}
    answer = {"devices": ["cpu", "gpu:0"], "results": [right, wrong], "error": ""}
    diagnosis = Diagnosis((), {"tensorflow": answer}, {})
    refuse_device(config, diagnosis)
    refuse_device(config, None)
    half = dataclasses.replace(
        config, recipe=dataclasses.replace(config.recipe, precision="mixed_bfloat16")
    )
    with pytest.raises(SegcoreError, match="'gpu:0': TensorFlow on gpu:0 in bfloat16: PTX error"):
        refuse_device(half, diagnosis)
    unseen = Diagnosis((), {"tensorflow": answer | {"devices": ["cpu"]}}, {})
    with pytest.raises(
        SegcoreError, match=r"only the driver sees gpu:0, TensorFlow does not: .* make app GPU=1"
    ):
        refuse_device(config, unseen)
    refuse_device(dataclasses.replace(config, device="auto"), unseen)  # that is the CPU
    with pytest.raises(SegcoreError, match="'auto': TensorFlow on gpu:0 in bfloat16: PTX error"):
        refuse_device(dataclasses.replace(half, device="auto"), diagnosis)
    refuse_device(dataclasses.replace(config, device="cluster"), unseen)
    write_json(workspace.folder / FILE, unseen.to_json() | {"key": _key(read_driver())})
    with pytest.raises(SegcoreError, match="only the driver sees"):
        workspace.runs.train(config)
    assert workspace.runs.ids() == [] and started == []
