"""Writes PyTorch's files without PyTorch, for tests of what reads them."""

import io
import json
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from segcore.models.weights.torch_pickle import LEGACY_MAGIC


class Tensor:
    """Pickles itself as a PyTorch tensor does."""

    def __init__(self, array, key):
        self.array, self.key = np.ascontiguousarray(array), str(key)

    def __reduce__(self):
        strides = tuple(s // self.array.itemsize for s in self.array.strides)
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (_Storage(self), 0, self.array.shape, strides, False, OrderedDict())


class _Storage:
    def __init__(self, tensor):
        self.tensor = tensor


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        if not isinstance(obj, _Storage):
            return None
        kind = {"f4": "FloatStorage", "f2": "HalfStorage", "i8": "LongStorage"}[
            obj.tensor.array.dtype.str[1:]
        ]
        extra = (None,) if self.legacy else ()
        return (
            "storage",
            getattr(sys.modules["torch"], kind),
            obj.tensor.key,
            "cpu",
            obj.tensor.array.size,
            *extra,
        )


@pytest.fixture
def torch_modules(monkeypatch):
    """Just enough of a PyTorch for the standard pickler to find the names that its files hold."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "HalfStorage", "LongStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch", "__qualname__": name}))

    def _rebuild_tensor_v2():
        raise AssertionError("only its name is written")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = (
        "torch._utils",
        "_rebuild_tensor_v2",
    )
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def dump(content, legacy=False):
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, 2)
    pickler.legacy = legacy
    pickler.dump(content)
    return buffer.getvalue()


def write_pth(path, state, legacy=False):
    tensors = OrderedDict((name, Tensor(array, i)) for i, (name, array) in enumerate(state.items()))
    content = dump({"state_dict": tensors, "epoch": 7}, legacy)
    if legacy:
        head = [pickle.dumps(v, 2) for v in (LEGACY_MAGIC, 1001, {"little_endian": True})]
        data = [struct.pack("<q", t.array.size) + t.array.tobytes() for t in tensors.values()]
        path.write_bytes(
            b"".join([*head, content, pickle.dumps([t.key for t in tensors.values()], 2), *data])
        )
        return
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        for tensor in tensors.values():
            archive.writestr(f"archive/data/{tensor.key}", tensor.array.tobytes())


def write_safetensors(path, state):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, array in state.items():
        kind = {"f4": "F32", "f2": "F16", "i8": "I64"}[array.dtype.str[1:]]
        header[name] = {
            "dtype": kind,
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header).encode()
    path.write_bytes(
        struct.pack("<Q", len(text))
        + text
        + b"".join(np.ascontiguousarray(a).tobytes() for a in state.values())
    )
