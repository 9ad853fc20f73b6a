"""What the device of a config says: devices of this machine, or who chooses another machine.

    auto  cpu  gpu:0  gpu:0,gpu:1                       this machine
    cluster  cluster:2  cluster:cpu                     a Dask cluster
    slurm  slurm:gpus=2,time=8:00:00,partition=a100     one job of Slurm
    kubernetes  kubernetes:gpus=1,queue=team            one Job of Kubernetes

What a scheduler's request leaves out, the workspace's job template says.
"""

import re
from collections.abc import Sequence

from segcore.errors import SegcoreError, unknown

CLUSTER, SLURM, KUBERNETES = "cluster", "slurm", "kubernetes"
ELSEWHERE = (CLUSTER, SLURM, KUBERNETES)
"""What a device begins with whose machine others choose."""

_NAME = r"[A-Za-z0-9][\w.-]*"
JOB_FIELDS: dict[str, dict[str, tuple[str, str]]] = {
    SLURM: {
        "partition": (_NAME, "gpu"),
        "gpus": (rf"(?:{_NAME}:)?\d{{1,2}}", "2"),
        "cpus": (r"\d{1,4}", "8"),
        "memory": (r"\d{1,9}[KMGT]?", "32G"),
        "time": (r"\d{1,6}(?:-\d{1,2}|:\d{1,2})?(?::\d{1,2}){0,2}", "8:00:00"),
        "account": (_NAME, "team"),
        "qos": (_NAME, "high"),
    },
    KUBERNETES: {
        "namespace": (r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", "vision"),
        "queue": (r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?", "team"),
        "gpus": (r"\d{1,2}", "2"),
        "cpus": (r"\d{1,6}m?", "8"),
        "memory": (r"\d{1,12}(?:[KMGT]i?)?", "32Gi"),
    },
}
"""Of each scheduler: the fields of a request, each with its form and an example."""


def place_of(device: str) -> str:
    """Return who chooses the machine, of ``ELSEWHERE``; "" for a device of this machine."""
    name = device.partition(":")[0]
    return name if name in ELSEWHERE else ""


def count_devices(device: str) -> int:
    """Return among how many devices a batch is divided; 1 where only the other side knows.

    Raises:
        SegcoreError: A scheduler's request is written in another form.
    """
    place = place_of(device)
    if not place:
        return len(device.split(","))
    if place == CLUSTER:
        share = device.removeprefix("cluster:")
        return max(1, int(share)) if share.isdigit() else 1
    gpus = job_fields(device).get("gpus", "1")
    return max(1, int(gpus.rpartition(":")[2]))


def check_gpus(device: str, present: Sequence[str]) -> list[str]:
    """Return the GPUs of this machine that a device names, "gpu:0" and on; none for "auto" and "cpu".

    Args:
        device: What a config says, of this machine.
        present: Ids of the GPUs that are there, such as "gpu:0".

    Raises:
        SegcoreError: It has another form, names a GPU twice, or names one that is not there.
    """
    if device in ("auto", "cpu"):
        return []
    names = [name.strip() for name in device.split(",")]
    if not all(re.fullmatch(r"gpu:\d+", name) for name in names) or len(set(names)) != len(names):
        raise SegcoreError(
            "Expected a device as 'auto', 'cpu', 'gpu:0' or 'gpu:0,gpu:1', received "
            f"{device!r}: write it in that form."
        )
    listed = ", ".join(present)
    for name in names:
        if name not in present:
            raise SegcoreError(
                f"Expected {f'one of {listed}' if present else 'no GPU, as there is none'}, received "
                f"the device {name!r}: choose 'auto' or 'cpu', or ask segscope doctor what is missing."
            )
    return names


def check_batch(batch_size: int, devices: int) -> None:
    """Refuse a batch that does not divide among some devices.

    Raises:
        SegcoreError: It does not.
    """
    if batch_size % devices:
        near = batch_size // devices * devices or devices
        raise SegcoreError(
            f"Expected a batch size that divides by {devices} devices, received "
            f"{batch_size}: take {near}."
        )


def no_cluster() -> SegcoreError:
    """Return the error for a run on a cluster whose address is not known."""
    return SegcoreError(
        "Expected the address of a cluster for this run, found none: name it by "
        "`segscope cluster ADDRESS`, or choose 'auto'."
    )


def job_fields(device: str) -> dict[str, str]:
    """Return what a scheduler's request says, by field: {"gpus": "2", "time": "8:00:00"}.

    Raises:
        SegcoreError: A field is unknown, named twice, or has another form.
    """
    place, _, rest = device.partition(":")
    forms, fields = JOB_FIELDS[place], {}
    for part in rest.split(",") if rest else ():
        name, equals, value = (word.strip() for word in part.partition("="))
        if name not in forms:
            raise unknown(f"field of a job of {place}", name, forms)
        form, example = forms[name]
        if not equals or not re.fullmatch(form, value, re.ASCII) or name in fields:
            raise SegcoreError(
                f"Expected {name} of a {place} job once, in the form {name}={example}, received "
                f"{part.strip()!r}: correct the device."
            )
        fields[name] = value
    return fields


def job_request(place: str, fields: dict[str, str]) -> str:
    """Return the device that asks a scheduler for these fields; empty ones are left out."""
    words = [f"{name}={value}" for name, value in fields.items() if value]
    return f"{place}:{','.join(words)}" if words else place
