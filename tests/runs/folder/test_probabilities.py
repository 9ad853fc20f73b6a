"""The compact codec: its stated bound, argmax, size, and what it does with hostile bytes."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segcore.errors import SegcoreError
from segcore.runs.folder.codecs import decode_mask, encode_mask
from segcore.runs.folder.probabilities import (
    decode,
    decode_strips,
    encode,
    encode_strips,
    is_top,
    rounded,
)


def softmax(seed, shape=(48, 64, 12), sharpness=3.0):
    rng = np.random.default_rng(seed)
    h, w, c = shape
    coarse = rng.normal(size=(-(-h // 8), -(-w // 8), c)).repeat(8, 0).repeat(8, 1)[:h, :w]
    logits = coarse * sharpness + rng.normal(size=shape)
    exponents = np.exp(logits - logits.max(-1, keepdims=True))
    return (exponents / exponents.sum(-1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("bits", [2, 8, 9, 12, 16])
@pytest.mark.parametrize("shape", [(48, 64, 12), (5, 7, 150), (1, 1, 1), (3, 4, 2)])
def test_the_bound_and_argmax_hold(bits, shape):
    probabilities = softmax(bits, shape)
    decoded, size = decode(encode(probabilities, (97, 101), bits))
    assert (
        size == (97, 101)
        and decoded.shape == shape
        and decoded.dtype == np.float32
        and decoded.flags.c_contiguous
    )
    truth = probabilities.astype(np.float64) / probabilities.sum(
        -1, keepdims=True, dtype=np.float64
    )
    error = np.abs(decoded - truth) * (2**bits - 1)
    assert error.max() < 2 + 0.01 and np.quantile(error, 0.9) < 1 + 0.01
    assert (decoded.argmax(-1) == probabilities.argmax(-1)).all()
    assert np.abs(decoded.sum(-1, dtype=np.float64) - 1).max() < 1e-5


@settings(max_examples=80, deadline=None)
@given(arrays(np.float32, (2, 3, 5), elements=st.floats(0, 1, width=32)), st.integers(2, 16))
def test_any_values_keep_their_argmax(values, bits):
    values = values + np.float32(1e-3) * np.eye(5, dtype=np.float32)[0]
    decoded, _ = decode(encode(values, (2, 3), bits))
    truth = values.astype(np.float64) / values.sum(-1, keepdims=True, dtype=np.float64)
    assert (decoded.argmax(-1) == values.argmax(-1)).all()
    assert np.abs(decoded - truth).max() * (2**bits - 1) < 2.01
    assert decoded.min() >= 0


def test_ties_go_to_the_first_class():
    even = np.full((4, 4, 6), 1 / 6, np.float32)
    assert (decode(encode(even, (4, 4)))[0].argmax(-1) == 0).all()


def test_certainty_is_exact():
    certain = np.eye(3, dtype=np.float32)[np.array([[0, 1], [2, 0]])]
    assert (decode(encode(certain, (2, 2)))[0] == certain).all()


def test_unnormalised_rows_are_normalised():
    probabilities = softmax(1)
    ours, _ = decode(encode(probabilities * np.float32(3), (1, 1)))
    assert np.abs(ours - probabilities).max() < 2.1 / 4095


def test_it_is_small():
    probabilities = softmax(2, (96, 128, 12), 6.0)
    assert len(encode(probabilities, (96, 128))) < probabilities.nbytes / 3


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((2, 2), np.float32),
        np.zeros((2, 2, 0), np.float32),
        np.ones((2, 2, 2), np.int64),
        np.zeros((2, 2, 2), np.float32),
        np.full((2, 2, 2), np.nan, np.float32),
        np.array([[[2.0, -1.0]]], np.float32),
    ],
)
def test_what_is_no_probability_is_refused(bad):
    with pytest.raises(SegcoreError):
        encode(bad, (2, 2))


@pytest.fixture(scope="module")
def packed():
    return encode(softmax(3, (16, 16, 4)), (32, 32))


def test_every_cut_is_refused(packed):
    for cut in range(0, len(packed), 7):
        with pytest.raises(SegcoreError, match="damaged"):
            decode(packed[:cut])
    with pytest.raises(SegcoreError):
        decode(packed + b"x")


def test_every_flipped_byte_is_refused_or_harmless(packed):
    whole, _ = decode(packed)
    rng = np.random.default_rng(0)
    for place in range(len(packed)):
        bad = bytearray(packed)
        bad[place] ^= int(rng.integers(1, 256))
        try:
            decoded, _ = decode(bytes(bad))
        except SegcoreError:
            continue
        assert (decoded == whole).all()  # the sample's own size, or a bit that deflate does not use


def test_a_boastful_header_allocates_nothing():
    bomb = zlib.compress(bytes(50_000_000), 9)
    headers = [
        (12, 1 << 20, 1 << 10, 1),
        (12, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        (8, 0, 5, 5),
        (0, 1, 1, 1),
        (12, 10, 10, 3),
    ]
    for bits, h, w, c in headers:
        for payload in (b"", bytes(100), bomb):
            data = struct.pack("<4sB5I", b"SGP1", bits, h, w, c, 1, 1) + payload
            tracemalloc.start()
            with pytest.raises(SegcoreError):
                decode(data)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 2_000_000


def test_masks_refuse_damage():
    mask = np.random.default_rng(0).integers(0, 5, (20, 30)).astype(np.uint8)
    packed = encode_mask(mask)
    for cut in range(0, len(packed), 5):
        with pytest.raises(SegcoreError):
            decode_mask(packed[:cut])
    with pytest.raises(SegcoreError):
        decode_mask(struct.pack("<4sB2I", b"SGM1", 1, 30_000, 30_000) + bytes(1000))
    for bad in (mask.astype(np.int64), mask[0], mask[:0]):
        with pytest.raises(SegcoreError):
            encode_mask(bad)


@pytest.mark.parametrize("top", [0, 1, 5])
@pytest.mark.parametrize("cuts", [[], [7], [1, 2, 40], [16, 32]])
def test_strips_hold_what_a_whole_file_holds(top, cuts):
    probabilities = softmax(3)
    strips = np.split(probabilities, cuts)
    data = b"".join(encode_strips(strips, probabilities.shape, (97, 101), top=top))
    expected, size = decode(encode(probabilities, (97, 101), top=top))
    np.testing.assert_array_equal(decode(data)[0], expected)
    assert decode(data)[1] == size and is_top(data) == (top > 0)
    assert [len(strip) for strip in decode_strips(data)] == [len(strip) for strip in strips]


def test_rounded_is_what_is_read_back():
    probabilities = softmax(4)
    np.testing.assert_array_equal(rounded(probabilities), decode(encode(probabilities, (1, 1)))[0])


@pytest.mark.parametrize(("classes", "top"), [(12, 5), (6, 5), (300, 3), (2, 1)])
def test_the_top_classes_are_those_of_a_whole_file(classes, top):
    probabilities = softmax(5, (20, 30, classes))
    whole = decode(encode(probabilities, (20, 30)))[0]
    decoded = decode(encode(probabilities, (20, 30), top=top))[0]
    order = np.argsort(-whole, axis=-1, kind="stable")
    best, others = order[..., :top], order[..., top:]
    take = np.take_along_axis
    np.testing.assert_array_equal(take(decoded, best, -1), take(whole, best, -1))
    rest = take(whole, others, -1).mean(-1, keepdims=True)
    np.testing.assert_allclose(take(decoded, others, -1), rest.repeat(classes - top, -1), atol=1e-6)
    assert (decoded.argmax(-1) == probabilities.argmax(-1)).all()
    np.testing.assert_allclose(decoded.sum(-1), 1, atol=1e-5)


def test_top_classes_of_equal_ones_are_the_first():
    even = np.full((3, 4, 15), 1 / 15, np.float32)
    assert (decode(encode(even, (3, 4), top=5))[0].argmax(-1) == 0).all()


def test_as_many_top_classes_as_classes_is_a_whole_file():
    probabilities = softmax(6, (5, 6, 5))
    assert encode(probabilities, (5, 6), top=5) == encode(probabilities, (5, 6))


def test_top_classes_are_small():
    probabilities = softmax(7, (64, 64, 150), 6.0)
    whole, top = encode(probabilities, (64, 64)), encode(probabilities, (64, 64), top=5)
    assert len(top) < len(whole) / 3


def test_strips_that_do_not_make_up_the_image_are_refused():
    strip = softmax(8, (8, 6, 3))
    for shape in ((17, 6, 3), (9, 6, 3), (16, 5, 3)):
        with pytest.raises(SegcoreError, match="Expected strips"):
            list(encode_strips([strip, strip], shape, (1, 1)))


@pytest.mark.parametrize("top", [0, 2])
def test_damaged_strips_and_top_classes_are_refused_or_read(top):
    probabilities = softmax(9, (12, 10, 6))
    data = b"".join(encode_strips(np.split(probabilities, 3), (12, 10, 6), (12, 10), top=top))
    rng = np.random.default_rng(0)
    for position in rng.integers(len(data), size=300):
        for damaged in (data[:position], _flip(data, position, rng)):
            try:
                decoded, _ = decode(damaged)
            except SegcoreError:
                continue
            assert decoded.shape[0] * decoded.shape[1] * decoded.shape[2] == 720
            np.testing.assert_allclose(decoded.sum(-1), 1, atol=1e-4)


def _flip(data, position, rng):
    changed = bytearray(data)
    changed[position] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def test_no_flipped_bit_of_a_mask_passes_and_masks_without_a_checksum_are_read():
    mask = np.random.default_rng(0).integers(0, 5, (12, 9)).astype(np.uint8)
    data = encode_mask(mask)
    for place in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[place // 8] ^= 1 << place % 8
        with pytest.raises(SegcoreError, match="damaged"):
            decode_mask(bytes(damaged))
    old = struct.pack("<4sB2I", b"SGM1", 1, 12, 9) + zlib.compress(mask.tobytes(), 6)
    np.testing.assert_array_equal(decode_mask(old), mask)
