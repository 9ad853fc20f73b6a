"""Label Studio's run lengths: bytes made by hand, and there and back."""

import numpy as np
import pytest

from segcore.data.formats.brush_rle import decode_brush, encode_brush
from segcore.errors import SegcoreError

HEADER = f"{8:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"


def _bytes(bits):
    bits += "0" * (-len(bits) % 8)
    return [int(bits[n : n + 8], 2) for n in range(0, len(bits), 8)]


def test_a_run_is_a_bit_which_size_its_length_and_its_value():
    one_on_one_off = HEADER + f"1 00 {3:03b} {255:08b} 1 00 {3:03b} {0:08b}".replace(" ", "")
    assert encode_brush(np.array([[True, False]])) == _bytes(one_on_one_off)
    assert decode_brush(_bytes(one_on_one_off), 1, 2).tolist() == [[True, False]]


def test_values_one_by_one_are_read_and_the_fourth_channel_counts():
    single = "".join(f"{value:08b}" for value in (9, 9, 9, 0, 0, 0, 0, 7))
    assert decode_brush(_bytes(HEADER + f"000{7:03b}" + single), 1, 2).tolist() == [[False, True]]


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (300, 400)])
def test_what_is_written_is_read_back(shape):
    rng = np.random.default_rng(0)
    region = rng.random(shape) < 0.3
    region[: shape[0] // 2] = True  # a run beyond the longest
    assert np.array_equal(decode_brush(encode_brush(region), *shape), region)


@pytest.mark.parametrize(
    "rle",
    [[], [1, 2, 3], 10**15, "text", [300], None, _bytes(HEADER), _bytes(HEADER + "111" + "1" * 24)],
)
def test_damaged_run_lengths_are_a_sentence(rle):
    with pytest.raises(SegcoreError, match="export again"):
        decode_brush(rle, 1, 2)


def test_another_size_is_a_sentence():
    with pytest.raises(SegcoreError, match="5 x 5"):
        decode_brush(encode_brush(np.ones((4, 5), bool)), 5, 5)
