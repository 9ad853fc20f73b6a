"""What could only fail is refused with its mend; what might succeed is not."""

import dataclasses

import pytest

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.labels import LabelMap
from segcore.runs.machine.devices import Device
from segcore.runs.machine.diagnosis import Diagnosis
from segcore.runs.machine.disk import write_json
from segcore.runs.machine.doctor import FILE, _key, read_driver
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
    file.write_bytes(b"")
    refuse(config, 12, [device(memory=1000)])


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
