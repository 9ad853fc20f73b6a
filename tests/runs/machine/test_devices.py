"""What the machine offers, and how nvidia-smi's words are read."""

from segcore.runs.machine import devices
from segcore.runs.machine.devices import Device, list_devices, parse_nvidia_smi

ANSWER = """0, GPU-aa, NVIDIA H100 80GB HBM3, 81559, 1024, 35, 41
1, GPU-bb, NVIDIA T4, 15360, 0, [N/A], [N/A]
No devices were found
"""


def test_the_processor_comes_first():
    cpu = list_devices()[0]
    assert (
        cpu.id == "cpu"
        and cpu.name
        and cpu.cores >= 1
        and 0 < cpu.memory_used < cpu.memory
        and 0 <= cpu.load <= 1
    )


def test_nvidia_smi_is_read():
    (first, a), (second, b) = parse_nvidia_smi(ANSWER)
    assert (first, second) == ("GPU-aa", "GPU-bb")
    assert a == Device("gpu:0", "NVIDIA H100 80GB HBM3", 0, 81559 << 20, 1024 << 20, 0.35, 41.0)
    assert (b.id, b.load, b.temperature) == ("gpu:1", None, None)
    assert parse_nvidia_smi("NVIDIA-SMI has failed") == []


def test_only_visible_gpus_are_listed():
    gpus = parse_nvidia_smi(ANSWER)
    for chosen, ids in [
        (None, ["gpu:0", "gpu:1"]),
        ("1", ["gpu:1"]),
        ("GPU-aa", ["gpu:0"]),
        ("-1", []),
        ("", []),
    ]:
        environment = {} if chosen is None else {"CUDA_VISIBLE_DEVICES": chosen}
        assert [device.id for device in devices._visible(gpus, environment)] == ids
