"""PyTorch's ``.pth`` files read without PyTorch and without running what is pickled in them."""

import io
import math
import pickle
import pickletools
import sys
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""First pickle of the form that PyTorch wrote before 1.6."""

MAX_MEMO = 1 << 20
"""More places than any state dict needs in its pickle's memo."""

STORAGE_TYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


@dataclass
class _Storage:
    kind: str
    key: str
    count: int
    data: npt.NDArray[Any] | None = None

    def fill(self, raw: bytes) -> None:
        if self.kind == "bfloat16":
            self.data = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            self.data = np.frombuffer(raw, self.kind)

    @property
    def bytes_each(self) -> int:
        return 2 if self.kind == "bfloat16" else np.dtype(self.kind).itemsize


@dataclass
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> npt.NDArray[Any]:
        data = self.storage.data
        if data is None:
            raise ValueError("a tensor's data is missing")
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        if min((self.offset, *self.shape, *self.strides)) < 0 or (
            0 not in self.shape and last >= data.size
        ):
            raise ValueError("a tensor reaches outside its data")
        if math.prod(self.shape) > data.size:
            raise ValueError("a tensor declares more values than are stored")
        strides = tuple(s * data.itemsize for s in self.strides)
        return np.lib.stride_tricks.as_strided(
            data[self.offset :], self.shape, strides, writeable=False
        )


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise pickle.UnpicklingError("a tensor without a storage")
    return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", name): kind for name, kind in STORAGE_TYPES.items()},
}
"""All that a pickle may name; any other name is refused before it can be called."""


class _AllowListUnpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="latin1")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise ValueError(
                f"it asks for {module}.{name}, which a file of plain weights has no use for"
            )
        return ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        if (
            not isinstance(pid, tuple)
            or len(pid) < 5
            or pid[0] != "storage"
            or pid[1] not in STORAGE_TYPES.values()
        ):
            raise ValueError("it refers to something that is no storage")
        key = str(pid[2])
        return self.storages.setdefault(key, _Storage(pid[1], key, int(pid[4])))


def _unpickle(content: BinaryIO) -> tuple[Any, dict[str, _Storage]]:
    """Unpickle the next pickle of a stream in memory; return it and the storages that it names.

    The operations are read first without carrying them out: a memo index takes memory in proportion
    to its value, not to the size of the file.
    """
    start = content.tell()
    for operation, value, _ in pickletools.genops(content):
        if "PUT" in operation.name and int(str(value)) > MAX_MEMO:
            raise ValueError(f"its pickle asks for {value} places")
    content.seek(start)
    unpickler = _AllowListUnpickler(content)
    try:
        return unpickler.load(), unpickler.storages
    except (pickle.UnpicklingError, AttributeError, ImportError) as error:
        raise ValueError(f"it is no sound pickle ({error})") from error


def _read_zip(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError("it has no data.pkl")
        folder, room = pickles[0].removesuffix("data.pkl"), path.stat().st_size
        if archive.getinfo(pickles[0]).file_size > room:
            raise ValueError("its pickle is longer than the file")
        content, storages = _unpickle(io.BytesIO(archive.read(pickles[0])))
        names = {f"{folder}data/{storage.key}": storage for storage in storages.values()}
        if sum(archive.getinfo(name).file_size for name in names) > room:
            raise ValueError("its tensors declare more bytes than the file has")
        for name, storage in names.items():
            storage.fill(archive.read(name))
    return content


def _read_legacy(path: Path) -> Any:
    file = io.BytesIO(path.read_bytes())
    if _unpickle(file)[0] != LEGACY_MAGIC:
        raise ValueError("it is no PyTorch file")
    for _ in range(2):  # protocol version, sizes of the writer's integers
        _unpickle(file)
    content, storages = _unpickle(file)
    for key in _unpickle(file)[0]:
        storage = storages[str(key)]
        count = int.from_bytes(file.read(8), sys.byteorder)
        if count != storage.count:
            raise ValueError("a tensor's data has another length than announced")
        storage.fill(file.read(count * storage.bytes_each))
    return content


def read_state_dict(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read a PyTorch state dict.

    Args:
        path: A file that ``torch.save`` wrote, in the zip form (since 1.6) or the older one. The
            state dict may be inside a mapping under "state_dict", "model" or "model_state_dict".

    Returns:
        PyTorch's names ("layer1.0.conv1.weight"; a leading "module." dropped) to arrays in
        PyTorch's layout: read-only views of the file's data, so that none takes memory of its own.

    Raises:
        ValueError: The file is damaged, declares more than it holds, or names anything but tensors.
        OSError: The file cannot be read.
    """
    content = _read_zip(path) if zipfile.is_zipfile(path) else _read_legacy(path)
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict):
        raise ValueError("it holds no state dict")
    arrays = {
        str(k).removeprefix("module."): v.array()
        for k, v in content.items()
        if isinstance(v, _Tensor)
    }
    if not arrays:
        raise ValueError("it holds no tensors")
    return arrays
