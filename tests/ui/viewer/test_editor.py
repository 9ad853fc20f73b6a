"""A mask that a browser sends is read back exactly, or refused in a sentence whatever was sent."""

import base64
import zlib

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.ui.viewer.planes import read_plane


def pack(plane: np.ndarray) -> str:
    rows = plane.copy()
    rows[1:] -= plane[:-1]
    return base64.b64encode(zlib.compress(rows.tobytes())).decode()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_plane_is_read_back(dtype):
    rng = np.random.default_rng(0)
    plane = rng.integers(0, np.iinfo(dtype).max, (7, 11)).astype(dtype)
    read = read_plane(pack(plane), [7, 11], np.dtype(dtype).itemsize)
    assert np.array_equal(read, plane) and read.dtype == dtype


@pytest.mark.parametrize(
    ("text", "shape", "item", "told"),
    [
        (pack(np.zeros((4, 4), np.uint8)), [4, 5], 1, "another size"),
        (pack(np.zeros((4, 4), np.uint8)), [4, 3], 1, "another size"),
        (pack(np.zeros((4, 4), np.uint8)), [4, 4], 2, "another size"),
        ("!!!", [4, 4], 1, "bytes that are none"),
        (base64.b64encode(b"nothing").decode(), [4, 4], 1, "bytes that are none"),
        (None, [4, 4], 1, "bytes that are none"),
        ("", [10**6, 10**6], 1, "something else"),
        ("", [4, True], 1, "something else"),
        ("", "44", 1, "something else"),
        ("", [4, 4], 4, "something else"),
        (base64.b64encode(zlib.compress(bytes(10**7))).decode(), [4, 4], 1, "another size"),
    ],
)
def test_what_is_no_plane_is_refused(text, shape, item, told):
    with pytest.raises(SegcoreError, match=told):
        read_plane(text, shape, item)
