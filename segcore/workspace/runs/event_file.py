"""TensorBoard's event files without TensorFlow: three protocol buffers in checked records.

    record = length (uint64), masked CRC-32C of it, data, masked CRC-32C of that (little-endian)
    data   = Event{1: wall_time double, 2: step int64, 3: file_version string,
                   5: Summary{1: Value{1: tag string, 2: float}}}

The layout is TensorFlow's ``TFRecord`` and its ``event.proto`` and ``summary.proto``; tests read
the files back with TensorFlow.
"""

import struct
from collections.abc import Iterable

_POLYNOMIAL = 0x82F63B78  # Castagnoli, reflected


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli) of some bytes, 0 to 2^32 - 1."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _varint(value: int) -> bytes:
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, data: bytes) -> bytes:
    """A field of bytes: string or message."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _event(wall_time: float, step: int, rest: bytes) -> bytes:
    data = (
        _varint(1 << 3 | 1) + struct.pack("<d", wall_time) + _varint(2 << 3) + _varint(step) + rest
    )
    length = struct.pack("<Q", len(data))
    return length + _masked(length) + data + _masked(data)


def encode_events(scalars: Iterable[tuple[float, int, str, float]], began: float) -> bytes:
    """Return an event file that holds scalars.

    Args:
        scalars: (seconds since 1970, step, tag, value) of each, in the order in which they came.
        began: When the first was about to come, seconds since 1970.
    """
    records = [_event(began, 0, _field(3, b"brain.Event:2"))]
    for wall_time, step, tag, value in scalars:
        number = _varint(2 << 3 | 5) + struct.pack("<f", value)
        records.append(
            _event(wall_time, step, _field(5, _field(1, _field(1, tag.encode()) + number)))
        )
    return b"".join(records)
