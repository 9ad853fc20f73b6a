"""The first chunks of a PNG, read without Pillow: an import asks thousands of files for no more than their size."""

from dataclasses import dataclass
from pathlib import Path

MAX_PIXELS = 100_000_000
"""Largest height times width that is decoded."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LOOKED_AT = 2048
_MODES = {(8, 0): "L", (16, 0): "I;16", (8, 2): "RGB", (8, 4): "LA", (8, 6): "RGBA"} | {(bits, 3): "P" for bits in (1, 2, 4, 8)}


@dataclass(frozen=True)
class PngHeader:
    """What the header says.

    Attributes:
        height: Rows.
        width: Columns.
        mode: Pillow's word for the kind of its pixels: "L", "P", "RGB", "I;16".
    """

    height: int
    width: int
    mode: str


def read_png_header(path: Path) -> PngHeader | None:
    """Read the header of a plain PNG.

    Args:
        path: The file.

    Returns:
        The header; None for whatever else (absence, damage, excess, unusual pixels, a note on how to turn it), for Pillow to judge.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            start = file.read(_LOOKED_AT)
    except OSError:
        return None
    mode = _MODES.get((start[24], start[25])) if len(start) > 33 else None
    if mode is None or not start.startswith(_SIGNATURE) or start[8:16] != b"\x00\x00\x00\rIHDR":
        return None
    at = 33
    while (kind := start[at + 4 : at + 8]) != b"IDAT":
        if len(kind) < 4 or kind in (b"eXIf", b"IEND"):
            return None
        at += 12 + int.from_bytes(start[at : at + 4], "big")
    width, height = int.from_bytes(start[16:20], "big"), int.from_bytes(start[20:24], "big")
    return PngHeader(height, width, mode) if 0 < width * height <= MAX_PIXELS else None
