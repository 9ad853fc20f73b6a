"""Weights files of every kind as plain arrays; nothing that stands in a file is executed."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.models.weights.torch_names import from_state_dict
from segcore.models.weights.torch_pickle import read_state_dict

Arrays = dict[str, npt.NDArray[Any]]

SAFETENSORS_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "U8": "u1",
}


def read_npz(path: Path) -> Arrays:
    """Read a ``.npz`` of arrays named "layer/variable"; pickled objects are refused."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def read_legacy_h5(path: Path) -> Arrays:
    """Read Keras' older ``.h5`` weights, in which every layer is a group that lists its variables."""
    arrays: Arrays = {}
    with h5py.File(path) as file:
        root = file.get("model_weights", file)
        if "layer_names" not in root.attrs:
            raise ValueError("it lists no layers")
        for layer in _texts(root.attrs["layer_names"]):
            variables = {
                full.split("/")[-1].split(":")[0]: full
                for full in _texts(root[layer].attrs["weight_names"])
            }
            if "pointwise_kernel" not in variables and "depthwise_kernel" in variables:
                variables["kernel"] = variables.pop("depthwise_kernel")  # its name since Keras 3
            arrays.update(
                {
                    f"{layer}/{variable}": np.asarray(root[layer][full])
                    for variable, full in variables.items()
                }
            )
    return arrays


def _texts(values: Any) -> list[str]:
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values]


def read_safetensors(path: Path) -> Arrays:
    """Read a ``.safetensors`` file: eight bytes of length, a JSON header, raw arrays. bfloat16 becomes float32."""
    arrays: Arrays = {}
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError("its header is longer than the file")
        header = json.loads(file.read(length))
        data = file.read()
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in SAFETENSORS_TYPES:
            raise ValueError(f"it holds the unknown type {entry['dtype']}")
        begin, end = entry["data_offsets"]
        array = np.frombuffer(data[begin:end], SAFETENSORS_TYPES[entry["dtype"]]).reshape(
            entry["shape"]
        )
        if entry["dtype"] == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        arrays[name] = array
    return arrays


READERS: dict[str, tuple[Callable[[Path], Arrays], bool]] = {
    ".npz": (read_npz, False),
    ".h5": (read_legacy_h5, False),
    ".safetensors": (read_safetensors, True),
    ".pth": (read_state_dict, True),
    ".pt": (read_state_dict, True),
}
"""Ending to reader, and whether names and layouts may be PyTorch's."""


def read_arrays(path: Path, encoder: str) -> Arrays:
    """Read a weights file as "layer/variable" arrays in Keras' layout.

    Args:
        path: The file; its ending says of what kind.
        encoder: Name of the encoder, which decides how PyTorch's names are read.

    Returns:
        Name to array, as the file has them.

    Raises:
        SegcoreError: The ending is unknown, or the file is damaged.
    """
    if path.suffix not in READERS:
        endings = ", ".join([".keras", ".weights.h5", *READERS])
        raise SegcoreError(
            f"Expected a weights file ending in {endings}, received {path.name!r}: convert "
            "it to one of these."
        )
    reader, torch = READERS[path.suffix]
    try:
        arrays = reader(path)
    except (
        ValueError,
        KeyError,
        TypeError,
        OSError,
        EOFError,
        IndexError,
        zipfile.BadZipFile,
    ) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise SegcoreError(
            f"Expected a sound {path.suffix} weights file, received {path.name!r}: {reason}."
        ) from error
    if torch and not all("/" in name for name in arrays):
        return from_state_dict(arrays, encoder)
    return arrays


def count_variables(path: Path) -> int:
    """Return the number of weights in a Keras 3 ``.weights.h5`` file (optimizer and random seeds apart).

    Raises:
        SegcoreError: The file is no HDF5 file.
    """
    names: list[str] = []
    try:
        with h5py.File(path) as file:
            file.visititems(
                lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None
            )
    except OSError as error:
        raise SegcoreError(
            f"Expected a Keras weights file, received {path.name!r}, which is no HDF5 "
            "file: save it again."
        ) from error
    return sum(
        "/vars/" in n and "seed_generator" not in n and not n.startswith("optimizer") for n in names
    )
