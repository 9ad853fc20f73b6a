"""Probabilities on disk: small, quick to read, with a stated error; whole, in strips, or top-k.

A pixel's probabilities are whole numbers of steps 1 / L, L = 2**bits - 1, that sum to exactly L.
Cumulative rounding finds them in one pass, q_c = round(L * (p_0 + ... + p_c)) - round(L * (p_0 +
... + p_(c-1))), so each is less than one step from the truth whatever the number of classes
(rounding each class alone and dividing by the sum errs by up to C / 2 steps). Where rounding
changed the most probable class, the two values change places (which keeps the bound), and a tie is
broken by one step: argmax is always float32's.

    |decoded - p / sum(p)| < 1 / L, and < 2 / L on the rare ties;  L = 4095 for the default 12 bits

Layout, little-endian: a header, "SGP1", bits (uint8), h, w, C, H, W (uint32 each), then one zlib
stream of two planes, the low bytes of all classes (C, h, w) and then the high bytes (absent up to 8
bits). The high bytes are nearly constant over regions, which is what zlib finds once they stand
together.

Strips, for an image that is not held in memory whole: the header with "SGP2", then for each strip
of rows, from top to bottom, its number of rows and the bytes of its stream (uint32 each) and the
stream of its planes.

Top-k: "SGT1", or "SGT2" in strips; after the header k (uint16) and its CRC-32 (uint32), for no
stream would notice another C; and streams of planes (k, h, w): the classes, the most probable first
(low bytes, high bytes), then their steps (low bytes, high bytes). What is missing to L is the rest.
Read back, these k values are those of a whole file, and each other class has an equal share of the
rest.
"""

import math
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.runs.machine.disk import inflate

WHOLE, STRIPS, TOP, TOP_STRIPS = b"SGP1", b"SGP2", b"SGT1", b"SGT2"
BITS = 12
LEVEL = 1
TOP_CLASSES = 5
MAX_VALUES = 1 << 31
MAX_PIXELS = 1 << 30
BYTES_A_VALUE = 0.77
"""Bytes of one stored probability (measured on the demo, 12 classes); real splits take .6 to .8."""
_HEADER = struct.Struct("<4sB5I")
_STRIP = struct.Struct("<2I")
_TOP = struct.Struct("<HI")

FloatArray = npt.NDArray[np.float32]
Steps = npt.NDArray[np.uint16]


def expected_bytes(kind: str, images: int, pixels: int, num_classes: int) -> int:
    """Estimate the disk space of a split's probabilities.

    Args:
        kind: A name in ``catalog.PROBABILITY_STORAGE``.
        images: Number of images.
        pixels: Pixels of each, at the resolution at which they are stored.
        num_classes: C.
    """
    if kind == "none":
        return 0
    values = num_classes if kind == "whole" else min(2 * TOP_CLASSES, num_classes)
    return round(images * pixels * values * BYTES_A_VALUE)


def encode(
    probabilities: FloatArray, size: tuple[int, int], bits: int = BITS, top: int = 0
) -> bytes:
    """Pack the probabilities of one image.

    Args:
        probabilities: (h, w, C) float32, at least 0; a pixel's values are divided by their sum.
        size: (H, W) of the sample itself, kept with them for the reader to resize to.
        bits: Precision, 2 to 16; 12 suits viewing, averaging and the CRF.
        top: Classes to keep of each pixel, the most probable ones, with the sum of the rest; 0, or
            C and more, keeps all.

    Returns:
        The packed bytes, for :func:`decode`.

    Raises:
        SegcoreError: The array has other axes, a negative or non-finite value, or a pixel without
            any probability.
    """
    values = _check(probabilities, bits)
    top = top if top < values.shape[2] else 0
    header = _header((WHOLE, TOP)[top > 0], bits, top, values.shape, size)
    return header + _pack(values, bits, top)


def encode_strips(
    strips: Iterable[FloatArray],
    shape: tuple[int, int, int],
    size: tuple[int, int],
    bits: int = BITS,
    top: int = 0,
) -> Iterator[bytes]:
    """Pack the probabilities of one image strip by strip, so that it is never in memory whole.

    Args:
        strips: (rows, w, C) each, from top to bottom; otherwise as in :func:`encode`.
        shape: (h, w, C) of all of them together.
        size: As in :func:`encode`.
        bits: As in :func:`encode`.
        top: As in :func:`encode`.

    Yields:
        Parts of the packed bytes, for :func:`decode` and :func:`decode_strips`.

    Raises:
        SegcoreError: As in :func:`encode`, or the strips do not make up the shape.
    """
    top = top if top < shape[2] else 0
    yield _header((STRIPS, TOP_STRIPS)[top > 0], bits, top, shape, size)
    rows = 0
    for strip in strips:
        values = _check(strip, bits)
        rows += len(values)
        if values.shape[1:] != shape[1:] or rows > shape[0]:
            raise SegcoreError(f"Expected strips of {shape}, received {values.shape}: check them.")
        stream = _pack(values, bits, top)
        yield _STRIP.pack(len(values), len(stream)) + stream
    if rows != shape[0]:
        raise SegcoreError(f"Expected strips of {shape[0]} rows, received {rows}: check them.")


def is_top(data: bytes) -> bool:
    """Whether packed probabilities hold the most probable classes only."""
    return data[:4] in (TOP, TOP_STRIPS)


def rounded(probabilities: FloatArray, bits: int = BITS) -> FloatArray:
    """Return probabilities (h, w, C) as :func:`decode` returns them after :func:`encode`.

    Raises:
        SegcoreError: As in :func:`encode`.
    """
    return _from_steps(_quantise(_check(probabilities, bits), bits), bits)


def _pack(values: FloatArray, bits: int, top: int) -> bytes:
    """Return the zlib stream of probabilities (h, w, C), of all classes or the top ones."""
    quantised = _quantise(values, bits)
    if not top:
        return zlib.compress(_planes(quantised, bits), LEVEL)
    # One number orders by steps, the earlier class first where they tie, and names the class.
    num_classes = len(quantised)
    keys = quantised.astype(np.int64) * num_classes
    keys += np.arange(num_classes - 1, -1, -1)[:, None, None]
    keys = -np.sort(-np.partition(keys, num_classes - top, axis=0)[-top:], axis=0)
    steps = (keys // num_classes).astype(np.uint16)
    classes = (num_classes - 1 - keys % num_classes).astype(np.uint16)
    return zlib.compress(_planes(classes, 16) + _planes(steps, 16), LEVEL)


def _check(probabilities: FloatArray, bits: int) -> FloatArray:
    values = np.asarray(probabilities)
    if values.ndim != 3 or 0 in values.shape or values.dtype.kind != "f":
        raise SegcoreError(
            f"Expected probabilities (h, w, C) as floats, received {values.dtype} "
            f"{values.shape}: give one image's softmax."
        )
    if not 2 <= bits <= 16:
        raise SegcoreError(f"Expected 2 to 16 bits, received {bits}: use 12.")
    if values.size > MAX_VALUES:
        raise SegcoreError(
            f"Expected at most 2**31 probabilities at once, received {values.shape}: keep "
            "the counts and masks only, or cut the image into parts."
        )
    return values


def _header(
    magic: bytes, bits: int, top: int, shape: tuple[int, ...], size: tuple[int, int]
) -> bytes:
    height, width = size
    if not 0 < height * width <= MAX_PIXELS or min(size) < 1:
        raise SegcoreError(
            f"Expected an image of at most 2**30 pixels, received {height} x {width}: cut "
            "it into tiles."
        )
    header = _HEADER.pack(magic, bits, *shape, height, width)
    return header + (_TOP.pack(top, zlib.crc32(header)) if top else b"")


def _quantise(values: FloatArray, bits: int) -> Steps:
    """Return the steps (C, h, w) of probabilities (h, w, C) by cumulative rounding."""
    h, w, num_classes = values.shape
    total = values.sum(axis=2, dtype=np.float64)
    if not np.isfinite(total).all() or values.min() < 0 or total.min() <= 0:
        raise SegcoreError(
            "Expected finite probabilities of at least 0 with a positive sum, received "
            "others: check the model."
        )
    scale = (2**bits - 1) / total
    quantised = np.empty((num_classes, h, w), np.uint16)
    running = np.zeros((h, w), np.float64)
    before = np.zeros((h, w), np.int32)
    for c in range(num_classes):
        running += values[:, :, c]
        now = np.rint(running * scale).astype(np.int32)
        quantised[c] = now - before
        before = now
    _keep_argmax(quantised, values)
    return quantised


def _planes(quantised: Steps, bits: int) -> bytes:
    planes = quantised.view(np.uint8).reshape(-1, 2)
    return planes[:, 0].tobytes() + (planes[:, 1].tobytes() if bits > 8 else b"")


def _keep_argmax(quantised: Steps, values: FloatArray) -> None:
    """Give ``quantised`` (C, h, w) the first maxima over classes of ``values`` (h, w, C)."""
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
    """Unpack what :func:`encode` or :func:`encode_strips` packed.

    Returns:
        Probabilities (h, w, C) float32 in 0..1 that sum to 1 in each pixel, and the sample's own
        (H, W).

    Raises:
        SegcoreError: The bytes are truncated, damaged, or no probabilities. Nothing is allocated on
            the word of a header alone.
    """
    header = _read_header(data)
    if math.prod(header.shape) > MAX_VALUES:
        raise SegcoreError(
            f"Expected probabilities that fit into memory at once, received {header.shape}: use "
            "the mask, or predict the image in parts."
        )
    strips = list(decode_strips(data))
    return strips[0] if len(strips) == 1 else np.concatenate(strips), header.size


def decode_strips(data: bytes) -> Iterator[FloatArray]:
    """Yield packed probabilities as strips (rows, w, C) from top to bottom; one for a whole image.

    Raises:
        SegcoreError: As in :func:`decode`.
    """
    header = _read_header(data)
    h = header.shape[0]
    payload = memoryview(data)[header.length :]
    if not header.in_strips:
        yield _unpack(payload, header, h)
        return
    done = 0
    while done < h:
        if len(payload) < _STRIP.size:
            raise _damaged()
        rows, length = _STRIP.unpack_from(payload)
        stream, payload = payload[_STRIP.size :][:length], payload[_STRIP.size + length :]
        if not 0 < rows <= h - done or len(stream) != length:
            raise _damaged()
        done += rows
        yield _unpack(stream, header, rows)
    if len(payload):
        raise _damaged()


@dataclass(frozen=True)
class _Header:
    """What stands before the streams: bits, k (0 for all classes), (h, w, C), (H, W), its bytes."""

    bits: int
    top: int
    shape: tuple[int, int, int]
    size: tuple[int, int]
    in_strips: bool
    length: int


def _read_header(data: bytes) -> _Header:
    of_top = is_top(data)
    length = _HEADER.size + (_TOP.size if of_top else 0)
    if len(data) < length:
        raise _damaged()
    magic, bits, h, w, num_classes, height, width = _HEADER.unpack_from(data)
    top, checksum = _TOP.unpack_from(data, _HEADER.size) if of_top else (0, None)
    if (
        magic not in (WHOLE, STRIPS, TOP, TOP_STRIPS)
        or not 2 <= bits <= 16
        or not h * w * num_classes > 0
        or (of_top and (checksum != zlib.crc32(data[: _HEADER.size]) or not 0 < top < num_classes))
        or not 0 < height * width <= MAX_PIXELS
    ):
        raise _damaged()
    in_strips = magic in (STRIPS, TOP_STRIPS)
    return _Header(bits, top, (h, w, num_classes), (height, width), in_strips, length)


def _unpack(stream: memoryview, header: _Header, h: int) -> FloatArray:
    """Return the probabilities (h, w, C) of one stream."""
    _, w, num_classes = header.shape
    if h * w * num_classes > MAX_VALUES:
        raise _damaged()
    if header.top:
        return _unpack_top(stream, header, h)
    raw = inflate(stream, h * w * num_classes * (2 if header.bits > 8 else 1))
    if raw is None:
        raise _damaged()
    quantised = _join(np.frombuffer(raw, np.uint8).reshape(-1, num_classes, h * w))
    if (quantised.sum(axis=0, dtype=np.uint32) != 2**header.bits - 1).any():
        raise _damaged()
    return _from_steps(quantised.reshape(num_classes, h, w), header.bits)


def _unpack_top(stream: memoryview, header: _Header, h: int) -> FloatArray:
    _, w, num_classes = header.shape
    raw = inflate(stream, h * w * header.top * 4)
    if raw is None:
        raise _damaged()
    planes = np.frombuffer(raw, np.uint8).reshape(4, header.top, h * w)
    classes, quantised = _join(planes[:2]).T, _join(planes[2:]).T  # (h * w, k)
    steps = 2**header.bits - 1
    rest = steps - quantised.sum(axis=1, dtype=np.int64)
    order = np.sort(classes, axis=1)
    if (rest < 0).any() or (order[:, -1] >= num_classes).any() or (np.diff(order) == 0).any():
        raise _damaged()
    values = quantised * np.float32(1 / steps)
    share = (rest / (steps * (num_classes - header.top))).astype(np.float32)
    share = np.minimum(share, values.min(axis=1))  # rounding must not put it above the top classes
    probabilities = np.repeat(share[:, None], num_classes, axis=1)
    np.put_along_axis(probabilities, classes.astype(np.int64), values, axis=1)
    return probabilities.reshape(h, w, num_classes)


def _from_steps(quantised: Steps, bits: int) -> FloatArray:
    """Return the probabilities (h, w, C) of steps (C, h, w)."""
    num_classes, h, w = quantised.shape
    probabilities = np.empty((h * w, num_classes), np.float32)
    flat = quantised.reshape(num_classes, h * w).T
    np.multiply(flat, np.float32(1 / (2**bits - 1)), out=probabilities)
    return probabilities.reshape(h, w, num_classes)


def _join(planes: npt.NDArray[np.uint8]) -> Steps:
    """Join the low bytes with the high ones, where there are any."""
    joined = planes[0].astype(np.uint16)
    if len(planes) > 1:
        joined |= planes[1].astype(np.uint16) << np.uint16(8)
    return joined


def _damaged() -> SegcoreError:
    return SegcoreError(
        "Expected packed probabilities, received damaged data: predict that split again."
    )
