"""What the device of a config says: whose machine, how many devices, what of a scheduler."""

import pytest

from segcore.config import TrainConfig
from segcore.config.requests import count_devices, job_fields, job_request, place_of
from segcore.errors import SegcoreError


def test_who_chooses_the_machine_and_among_how_many_devices_a_batch_is_divided():
    known = {
        "auto": ("", 1),
        "gpu:0,gpu:1": ("", 2),
        "cluster": ("cluster", 1),
        "cluster:cpu": ("cluster", 1),
        "cluster:2": ("cluster", 2),
        "slurm": ("slurm", 1),
        "slurm:gpus=a100:4,time=8:00:00": ("slurm", 4),
        "kubernetes:gpus=0": ("kubernetes", 1),
    }
    assert {device: (place_of(device), count_devices(device)) for device in known} == known


def test_fields_survive_a_round_trip_and_a_config_refuses_others():
    fields = {"partition": "a-b.c", "gpus": "2", "time": "1-02:00:00", "memory": ""}
    request = job_request("slurm", fields)
    assert request == "slurm:partition=a-b.c,gpus=2,time=1-02:00:00"
    assert job_fields(request) == {name: value for name, value in fields.items() if value}
    assert TrainConfig("d", device=request).device == request
    for wrong in ("slurm:gpus=-1", "slurm:partition=$(id)", "slurm:gpus", "slurm:x=1", "slurm:,"):
        with pytest.raises(SegcoreError):
            TrainConfig("d", device=wrong)
    with pytest.raises(SegcoreError, match="torch"):
        TrainConfig("d", device="slurm:gpus=2", engine="torch")
