"""Label Studio's run lengths of brush masks: bits that count equal bytes of an RGBA picture.

Layout, as the encoder of label-studio-converter (``brush.py``) and @thi.ng/rle-pack write it: 32 bits
number of values, 5 bits word size less 1, four times 4 bits run size less 1; then for each run one
bit (1: one value that repeats, 0: values one by one), 2 bits which run size, so many bits length less
1, and the value or values. A mask of one channel stands four times in each pixel.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.statistics.mask_runs import runs_of
from segcore.errors import SegcoreError

WORD = 8
RUN_SIZES = (3, 4, 8, 16)
CHANNELS = 4
ON = 255


def encode_brush(region: npt.NDArray[np.bool_]) -> list[int]:
    """Encode a region (H, W) as the list of bytes that Label Studio calls ``rle``."""
    values, lengths = runs_of(region.astype(np.uint8) * np.uint8(ON))
    bits = [f"{CHANNELS * region.size:032b}{WORD - 1:05b}"]
    bits += [f"{size - 1:04b}" for size in RUN_SIZES]
    for value, length in zip(values.tolist(), lengths.tolist(), strict=True):
        left = CHANNELS * length
        while left:
            run = min(left, 1 << RUN_SIZES[-1])
            which = next(n for n, size in enumerate(RUN_SIZES) if run <= 1 << size)
            bits.append(f"1{which:02b}{run - 1:0{RUN_SIZES[which]}b}{value:0{WORD}b}")
            left -= run
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def decode_brush(rle: Any, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Decode ``rle`` to a region (H, W): where the fourth channel is not 0.

    Raises:
        SegcoreError: It is of another size, damaged, or no list of bytes.
    """
    if not isinstance(rle, list):
        raise _damaged()
    try:
        bits = np.unpackbits(np.frombuffer(bytes(rle), np.uint8))
    except (TypeError, ValueError) as error:
        raise _damaged() from error
    text = bits.tobytes().translate(_DIGITS).decode("ascii")
    reader = _Bits(text)
    total, word = reader.take(32), reader.take(5) + 1
    sizes = [reader.take(4) + 1 for _ in RUN_SIZES]
    if total != CHANNELS * height * width:
        raise SegcoreError(
            f"Expected a brush mask of {height} x {width} pixels (height x width), received one "
            f"of {total // CHANNELS:,} pixels: export again."
        )
    values: list[int] = []
    lengths: list[int] = []
    done = 0
    while done < total:
        repeats = reader.take(1)
        length = 1 + reader.take(sizes[reader.take(2)])
        own = [reader.take(word)] if repeats else [reader.take(word) for _ in range(length)]
        values += own
        lengths += [length] if repeats else [1] * length
        done += length
    if done > total:
        raise _damaged()
    pixels = np.repeat(np.array(values, np.int64) > 0, lengths)
    return pixels.reshape(height, width, CHANNELS)[..., CHANNELS - 1]


_DIGITS = bytes.maketrans(b"\x00\x01", b"01")


class _Bits:
    """Numbers from a text of 0 and 1."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def take(self, count: int) -> int:
        """Return the next number of so many bits.

        Raises:
            SegcoreError: There are not so many left.
        """
        end = self._at + count
        if end > len(self._text):
            raise _damaged()
        number = int(self._text[self._at : end], 2)
        self._at = end
        return number


def _damaged() -> SegcoreError:
    return SegcoreError("The run lengths of a brush mask are damaged: export again.")
