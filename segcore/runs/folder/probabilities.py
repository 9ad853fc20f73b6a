"""Probabilities on disk: small, quick to read, with a stated error.

A pixel's probabilities are whole numbers of steps 1 / L, L = 2**bits - 1, that sum to exactly L.
Cumulative rounding finds them in one pass, q_c = round(L * (p_0 + ... + p_c)) - round(L * (p_0 +
... + p_(c-1))), so each is less than one step from the truth whatever the number of classes
(rounding each class alone and dividing by the sum errs by up to C / 2 steps). Where rounding
changed the most probable class, the two values change places (which keeps the bound), and a tie is
broken by one step: argmax is always float32's.

    |decoded - p / sum(p)| < 1 / L, and < 2 / L on the rare ties;  L = 4095 for the default 12 bits

Layout, little-endian: "SGP1", bits (uint8), h, w, C, H, W (uint32 each), then one zlib stream of
two planes, the low bytes of all classes (C, h, w) and then the high bytes (absent up to 8 bits).
The high bytes are nearly constant over regions, which is what zlib finds once they stand together.
"""

import struct
import zlib

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.runs.machine.disk import inflate

MAGIC = b"SGP1"
BITS = 12
LEVEL = 1
MAX_VALUES = 1 << 31
MAX_PIXELS = 1 << 30
_HEADER = struct.Struct("<4sB5I")

FloatArray = npt.NDArray[np.float32]


def encode(probabilities: FloatArray, size: tuple[int, int], bits: int = BITS) -> bytes:
    """Pack the probabilities of one image.

    Args:
        probabilities: (h, w, C) float32, at least 0; a pixel's values are divided by their sum.
        size: (H, W) of the sample itself, kept beside them for the reader to resize to.
        bits: Precision, 2 to 16; 12 suits looking, averaging and the CRF.

    Returns:
        The packed bytes, for :func:`decode`.

    Raises:
        SegcoreError: The array has other axes, a negative or non-finite value, or a pixel without
            any probability.
    """
    values = np.asarray(probabilities)
    if values.ndim != 3 or 0 in values.shape or values.dtype.kind != "f":
        raise SegcoreError(
            f"Expected probabilities (h, w, C) as floats, received {values.dtype} "
            f"{values.shape}: give one image's softmax."
        )
    if not 2 <= bits <= 16:
        raise SegcoreError(f"Expected 2 to 16 bits, received {bits}: take 12.")
    h, w, num_classes = values.shape
    height, width = size
    if not 0 < height * width <= MAX_PIXELS or min(size) < 1 or values.size > MAX_VALUES:
        raise SegcoreError(
            f"Expected an image of at most 2**30 pixels, received {height} x {width}: cut "
            "it into tiles."
        )
    total = values.sum(axis=2, dtype=np.float64)
    if not np.isfinite(total).all() or values.min() < 0 or total.min() <= 0:
        raise SegcoreError(
            "Expected finite probabilities of at least 0 with a positive sum, received "
            "others: check the model."
        )
    steps = 2**bits - 1
    scale = steps / total
    quantised = np.empty((num_classes, h, w), np.uint16)
    running = np.zeros((h, w), np.float64)
    before = np.zeros((h, w), np.int32)
    for c in range(num_classes):
        running += values[:, :, c]
        now = np.rint(running * scale).astype(np.int32)
        quantised[c] = now - before
        before = now
    _keep_argmax(quantised, values)
    planes = quantised.view(np.uint8).reshape(-1, 2)
    data = planes[:, 0].tobytes() + (planes[:, 1].tobytes() if bits > 8 else b"")
    return _HEADER.pack(MAGIC, bits, h, w, num_classes, height, width) + zlib.compress(data, LEVEL)


def _keep_argmax(quantised: npt.NDArray[np.uint16], values: FloatArray) -> None:
    """Make the first maximum over classes of ``quantised`` (C, h, w) that of ``values`` (h, w, C), in place."""
    winner, truth = quantised.argmax(axis=0), values.argmax(axis=2)
    y, x = np.nonzero(winner != truth)
    if not len(y):
        return
    winner, truth = winner[y, x], truth[y, x]
    high, low = quantised[winner, y, x], quantised[truth, y, x]
    tie = (high == low).astype(np.uint16)
    quantised[truth, y, x] = high + tie
    quantised[winner, y, x] = low - tie
    # A swapped value may still tie with a class that comes earlier: one step, from the class that
    # was lowered.
    left = np.nonzero(quantised[:, y, x].argmax(axis=0) != truth)[0]
    y, x, winner, truth = y[left], x[left], winner[left], truth[left]
    taken = quantised[:, y, x].argmax(axis=0)
    quantised[truth, y, x] += 1
    quantised[taken, y, x] -= 1


def decode(data: bytes) -> tuple[FloatArray, tuple[int, int]]:
    """Unpack what :func:`encode` packed.

    Returns:
        Probabilities (h, w, C) float32 in 0..1 that sum to 1 in each pixel, and the sample's own
        (H, W).

    Raises:
        SegcoreError: The bytes are cut, damaged, or no probabilities. Nothing is allocated on the
            word of a header alone.
    """
    damaged = SegcoreError(
        "Expected packed probabilities, received damaged data: predict that split again."
    )
    if len(data) < _HEADER.size:
        raise damaged
    magic, bits, h, w, num_classes, height, width = _HEADER.unpack_from(data)
    count = h * w * num_classes
    expected = count * (2 if bits > 8 else 1)
    payload = memoryview(data)[_HEADER.size :]
    if (
        magic != MAGIC
        or not 2 <= bits <= 16
        or not 0 < count <= MAX_VALUES
        or not 0 < height * width <= MAX_PIXELS
    ):
        raise damaged
    raw = inflate(payload, expected)
    if raw is None:
        raise damaged
    planes = np.frombuffer(raw, np.uint8).reshape(-1, num_classes, h * w)
    quantised = planes[0].astype(np.uint16)
    if bits > 8:
        quantised |= planes[1].astype(np.uint16) << np.uint16(8)
    steps = 2**bits - 1
    if (quantised.sum(axis=0, dtype=np.uint32) != steps).any():
        raise damaged
    probabilities = np.empty((h * w, num_classes), np.float32)
    np.multiply(quantised.T, np.float32(1 / steps), out=probabilities)
    return probabilities.reshape(h, w, num_classes), (height, width)
