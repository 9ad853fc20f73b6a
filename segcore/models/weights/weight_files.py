"""Weights files of every kind as arrays; nothing in a file is executed or believed unchecked.

What a file declares (shapes, lengths) is read first and compared with the size of the file. Values
are read only when asked for, so that a caller can compare the shapes with what a network needs
before anything is allocated. The memory of :func:`read_arrays` is bounded by the file: about
twice its size for formats that are read whole, next to nothing for the others.
"""

import json
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.models.weights.torch_names import from_state_dict
from segcore.models.weights.torch_pickle import read_state_dict

DEFLATE_RATIO = 1100
"""Deflate never compresses more than about 1032 to 1."""

SAFETENSORS_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "U8": "u1",
}


@dataclass(frozen=True)
class DeclaredArray:
    """An array that a file declares; its values are read when it is converted.

    Attributes:
        shape: Length of each axis, as declared and checked against the bytes that are stored.
        read: Reads the values.
    """

    shape: tuple[int, ...]
    read: Callable[[], npt.NDArray[Any]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Read the values."""
        values = self.read()
        return values if dtype is None else values.astype(dtype, copy=False)


Arrays = Mapping[str, npt.NDArray[Any] | DeclaredArray]
"""Name to array, in memory or only declared so far."""


@contextmanager
def foreign_file(path: Path, expected: str, fix: str) -> Iterator[None]:
    """Turn any failure of reading a foreign file in the block into one sentence.

    Args:
        path: The file.
        expected: What it should be ("a sound .npz weights file").
        fix: What to do ("save or download it again").

    Raises:
        SegcoreError: The block raised anything but an interrupt.
    """
    try:
        yield
    except SegcoreError:
        raise
    except Exception as error:  # damaged bytes make readers raise anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:200]
        raise SegcoreError(
            f"Expected {expected}, received {path.name!r}, which cannot be read ({reason}): {fix}."
        ) from error


def read_npz(path: Path) -> dict[str, DeclaredArray]:
    """Read the headers of a ``.npz`` of arrays; pickled objects are refused.

    Raises:
        Exception: The file is damaged, or declares more than it can hold.
    """
    arrays: dict[str, DeclaredArray] = {}
    room = path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            _check_member(info, room)
            with archive.open(info) as file:
                version = np.lib.format.read_magic(file)
                header = {
                    (1, 0): np.lib.format.read_array_header_1_0,
                    (2, 0): np.lib.format.read_array_header_2_0,
                }[version]
                shape, _, dtype = header(file)
                needed = math.prod(shape) * dtype.itemsize
                if dtype.hasobject or file.tell() + needed != info.file_size:
                    raise ValueError(f"{info.filename} declares {needed} bytes that it lacks")
            arrays[info.filename.removesuffix(".npy")] = DeclaredArray(
                tuple(shape), partial(_read_npy, path, info.filename)
            )
    return arrays


def _read_npy(path: Path, name: str) -> npt.NDArray[Any]:
    with zipfile.ZipFile(path) as archive, archive.open(name) as file:
        array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        file.read()  # to the end, where the checksum is compared
        return array


def _check_member(info: zipfile.ZipInfo, room: int) -> None:
    """Refuse a member of a zip file that declares more bytes than the file can hold."""
    ratio = 1 if info.compress_type == zipfile.ZIP_STORED else DEFLATE_RATIO
    if info.compress_size > room or info.file_size > info.compress_size * ratio:
        raise ValueError(f"{info.filename} declares {info.file_size} bytes that the file lacks")


def read_legacy_h5(path: Path) -> dict[str, DeclaredArray]:
    """Read the headers of Keras' older ``.h5`` weights: a group a layer that lists its variables.

    Raises:
        Exception: The file is damaged, or declares more than it can hold.
    """
    arrays: dict[str, DeclaredArray] = {}
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
            for variable, full in variables.items():
                dataset = root[layer][full]
                check_stored(dataset, file)
                arrays[f"{layer}/{variable}"] = DeclaredArray(
                    dataset.shape, partial(_read_dataset, path, dataset.name)
                )
    return arrays


def _read_dataset(path: Path, name: str) -> npt.NDArray[Any]:
    with h5py.File(path) as file:
        return np.asarray(file[name])


def check_stored(dataset: Any, file: h5py.File) -> None:
    """Refuse an HDF5 dataset that declares values which the file does not hold.

    HDF5 fills what was never written with zeros, and follows links into other files: either would
    give a network numbers that nobody saved.

    Raises:
        ValueError: It does, or it is no dataset of this file.
    """
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{dataset.name} is no array")
    stored, room = dataset.id.get_storage_size(), file.id.get_filesize()
    ratio = 1 if dataset.chunks is None else DEFLATE_RATIO
    if dataset.file.filename != file.filename or dataset.external or dataset.is_virtual:
        raise ValueError(f"{dataset.name} lies in another file")
    if stored > room or dataset.nbytes > stored * ratio:
        raise ValueError(f"{dataset.name} declares {dataset.nbytes} bytes and holds {stored}")


def _texts(values: Any) -> list[str]:
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values]


def read_safetensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read a ``.safetensors`` file: length, JSON header, raw arrays; bfloat16 becomes float32.

    Raises:
        Exception: The file is damaged, or declares more than it can hold.
    """
    arrays: dict[str, npt.NDArray[Any]] = {}
    content = memoryview(path.read_bytes())
    length = int.from_bytes(content[:8], "little")
    if length > len(content) - 8:
        raise ValueError("its header is longer than the file")
    header = json.loads(bytes(content[8 : 8 + length]))
    data = content[8 + length :]
    header.pop("__metadata__", None)
    spans = sorted(tuple(map(int, entry["data_offsets"])) for entry in header.values())
    ends = [0, *(end for _, end in spans)]
    if any(not before <= begin <= end for before, (begin, end) in zip(ends, spans, strict=False)):
        raise ValueError("its arrays overlap")
    for name, entry in header.items():
        if entry["dtype"] not in SAFETENSORS_TYPES:
            raise ValueError(f"it holds the unknown type {entry['dtype']}")
        begin, end = entry["data_offsets"]
        array = np.frombuffer(data[begin:end], SAFETENSORS_TYPES[entry["dtype"]])
        array = array.reshape(entry["shape"])
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


def check_ending(path: Path) -> None:
    """Refuse a file whose ending no reader of arrays knows.

    Raises:
        SegcoreError: It is unknown.
    """
    if path.suffix not in READERS:
        endings = ", ".join([".keras", ".weights.h5", *READERS])
        raise SegcoreError(
            f"Expected a weights file ending in {endings}, received {path.name!r}: convert "
            "it to one of these."
        )


def read_arrays(path: Path, encoder: str) -> Arrays:
    """Read a weights file as "layer/variable" arrays in Keras' layout.

    Args:
        path: The file; its ending says of what kind.
        encoder: Name of the encoder, which decides how PyTorch's names are read.

    Returns:
        Name to array, as the file has them; the values of some kinds are read only when converted.

    Raises:
        SegcoreError: The ending is unknown, or the file is damaged.
    """
    check_ending(path)
    reader, torch = READERS[path.suffix]
    with foreign_file(path, f"a sound {path.suffix} weights file", "save or download it again"):
        arrays = reader(path)
        if torch and not all("/" in name for name in arrays):
            return from_state_dict(
                {name: np.asarray(array) for name, array in arrays.items()}, encoder
            )
    return arrays


def keras_weight_shapes(path: Path) -> list[tuple[int, ...]]:
    """Return the sorted shapes in a Keras 3 ``.weights.h5`` file, less optimizer and seeds.

    Raises:
        SegcoreError: The file is no HDF5 file, damaged, or declares more than it holds.
    """
    shapes: list[tuple[int, ...]] = []
    with (
        foreign_file(path, "a Keras weights file", "save it again"),
        h5py.File(path) as file,
    ):

        def visit(name: str, node: Any) -> None:
            is_weight = "/vars/" in f"/{name}" and not name.startswith("optimizer")
            if is_weight and isinstance(node, h5py.Dataset):
                check_stored(node, file)
                if "seed_generator" not in name:
                    shapes.append(node.shape)

        file.visititems(visit)
    return sorted(shapes)
