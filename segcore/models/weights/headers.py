"""What the header of a weights file shows before a network is built: that it is another encoder's.

Reads names and shapes only, and needs no engine.
"""

import math
from functools import lru_cache
from pathlib import Path

from segcore.errors import SegcoreError
from segcore.models.weights.stems import STEMS
from segcore.models.weights.weight_files import Arrays, check_ending, foreign_file, read_arrays

NAMED = (".npz", ".h5")
"""Endings of files whose header has our names; PyTorch's names mean something only once converted."""


def check_header(path: Path, encoder: str) -> None:
    """Refuse a weights file that cannot fit an encoder; one that passes may still not fit.

    Args:
        path: The file, which exists.
        encoder: A name in ``catalog.ENCODERS``.

    Raises:
        SegcoreError: The ending is unknown, the file is damaged, or its first layer is not the
            encoder's.
    """
    found = path.stat()
    refusal = _refusal(path, encoder, (found.st_ino, found.st_mtime_ns, found.st_size))
    if refusal:
        raise SegcoreError(refusal)


@lru_cache(maxsize=256)
def _refusal(path: Path, encoder: str, stamp: tuple[int, int, int]) -> str:
    """Return why a file is refused, "" if it is not; the stamp makes it read a changed file again."""
    try:
        if path.suffix == ".keras" or path.name.endswith(".weights.h5"):
            return ""
        check_ending(path)
        if path.suffix not in NAMED or encoder not in STEMS:
            return ""
        with foreign_file(path, f"weights for {encoder!r}", "save or download it again"):
            return _compare(read_arrays(path, encoder), path.name, encoder)
    except SegcoreError as error:
        return str(error)


def _compare(arrays: Arrays, name: str, encoder: str) -> str:
    """Return why the arrays of a file cannot be those of an encoder; "" if they may be."""
    stem, expected = STEMS[encoder]
    fix = "choose the encoder and architecture that the file was made for."
    received = f"Expected weights for {encoder!r}, received {name!r}, which"
    if stem not in arrays:
        shown = ", ".join(sorted(arrays, key=lambda n: -math.prod(arrays[n].shape))[:3])
        return f"{received} lacks variables of it ({stem}; it holds {shown}): {fix}"
    shape = tuple(arrays[stem].shape)
    if (*shape[:-2], *shape[-1:]) != expected:  # all but the channels of the image
        wanted = " x ".join(map(str, expected))
        held = " x ".join(map(str, (*shape[:-2], *shape[-1:])))
        return f"{received} holds arrays of another shape ({stem} is {held}, not {wanted}): {fix}"
    return ""
