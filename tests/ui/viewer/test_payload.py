"""What is packed can be read back: masks exactly, scalars to half a level, and no class is invented."""

import json
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet
from segcore.ui.viewer import MAX_SIDE, Panel, Scene, TopClasses, pack
from segcore.ui.viewer.payload import LEVELS


def label_set(count: int) -> LabelSet:
    classes = tuple(
        LabelClass(10 * i, f"class {i}", (i % 256, 255 - i % 256, 7)) for i in range(count)
    )
    return LabelSet(classes, (LabelClass(-1, "nothing", (0, 0, 0)),))


def unpack(data: bytes) -> tuple[dict, list[bytes]]:
    (length,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + length])
    body = data[4 + length :]
    assert sum(size for _, size in header["blobs"]) == len(body)
    return header, [body[start : start + size] for start, size in header["blobs"]]


def read_plane(blob: bytes, height: int, width: int, dtype: str) -> np.ndarray:
    rows = np.frombuffer(zlib.decompress(blob), dtype).reshape(height, width)
    return np.cumsum(
        rows, axis=0, dtype=rows.dtype
    )  # the sum of differences wraps as the differences did


def image_of(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@settings(max_examples=40, deadline=None)
@given(
    classes=st.sampled_from([2, 12, 255, 256, 1000]),
    shape=hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40),
    seed=st.integers(0, 99),
)
def test_a_mask_comes_back_exactly(classes, shape, seed) -> None:
    labels = label_set(classes)
    rng = np.random.default_rng(seed)
    mask = rng.integers(0, classes, shape).astype(labels.mask_dtype)
    mask[rng.random(shape) < 0.2] = labels.ignore_index
    header, blobs = unpack(
        pack(Scene("s", image_of(*shape), (Panel("T", mask=mask),), labels, truth=0))
    )
    dtype = "u1" if header["ignore"] == 255 else "<u2"
    np.testing.assert_array_equal(
        read_plane(blobs[header["panels"][0]["mask"]], *shape, dtype), mask
    )
    values, counts = np.unique(mask, return_counts=True)
    assert header["panels"][0]["counts"] == [
        [int(v), int(n)] for v, n in zip(values, counts, strict=True)
    ]


def test_a_scalar_comes_back_to_half_a_level() -> None:
    scalar = np.random.default_rng(1).random((30, 41), np.float32)
    scalar[0, :2] = 0, 1
    header, blobs = unpack(
        pack(Scene("s", image_of(60, 82), (Panel("E", "scalar", scalar=scalar),), label_set(3)))
    )
    entry = header["panels"][0]["scalar"]
    assert (entry["height"], entry["width"]) == (30, 41)  # its own resolution, not the image's
    read = read_plane(blobs[entry["blob"]], 30, 41, "u1") / (LEVELS - 1)
    assert np.abs(read - scalar).max() <= 0.5 / (LEVELS - 1) + 1e-6
    assert read[0, 0] == 0
    assert read[0, 1] == 1


def test_what_panels_share_is_sent_once() -> None:
    mask = np.random.default_rng(2).integers(0, 3, (50, 50)).astype(np.uint8)
    alone = Scene(
        "s",
        image_of(50, 50),
        (Panel("T", mask=mask), Panel("P", mask=mask[::-1].copy())),
        label_set(3),
        truth=0,
    )
    more = Scene(
        "s",
        alone.image,
        (*alone.panels, Panel("E", "error", mask=mask[::-1].copy())),
        label_set(3),
        truth=0,
    )
    assert len(unpack(pack(more))[1]) == len(unpack(pack(alone))[1])


def test_the_digest_tells_scenes_apart_and_nothing_else() -> None:
    def digest(image, mask, title="T"):
        return unpack(pack(Scene("s", image, (Panel(title, mask=mask),), label_set(2))))[0][
            "digest"
        ]

    image, mask = image_of(20, 20), np.zeros((20, 20), np.uint8)
    other = mask.copy()
    other[3, 4] = 1
    assert digest(image, mask) == digest(image.copy(), mask.astype(np.int64))
    assert (
        len(
            {
                digest(image, mask),
                digest(image, other),
                digest(image, mask, "U"),
                digest(255 - image, mask),
            }
        )
        == 4
    )


def test_the_image_is_a_faithful_jpeg() -> None:
    image = cv2.GaussianBlur(image_of(64, 48), (0, 0), 4)
    header, blobs = unpack(pack(Scene("s", image, (Panel("I", "image"),), label_set(2))))
    read = cv2.imdecode(np.frombuffer(blobs[header["image"]], np.uint8), cv2.IMREAD_COLOR)[
        ..., ::-1
    ]
    assert np.abs(read.astype(int) - image).mean() < 2  # RGB in, RGB out


def test_a_huge_scene_is_reduced_and_says_so() -> None:
    labels = label_set(300)
    height, width = 40, MAX_SIDE + 1000
    mask = np.zeros((height, width), np.uint16)
    mask[:, ::2] = 299
    header, blobs = unpack(
        pack(Scene("s", np.zeros((height, width, 3), np.uint8), (Panel("T", mask=mask),), labels))
    )
    assert header["full"] == [width, height]
    assert (header["width"], header["height"]) == (MAX_SIDE, round(height * MAX_SIDE / width))
    read = read_plane(blobs[header["panels"][0]["mask"]], header["height"], header["width"], "<u2")
    assert set(np.unique(read)) == {0, 299}


def test_top_classes_are_the_sorted_ones() -> None:
    probabilities = np.random.default_rng(4).dirichlet(np.ones(6), (5, 7)).astype(np.float32)
    top = TopClasses.of(probabilities, 3)
    slow = np.argsort(-probabilities, axis=-1)[..., :3]
    np.testing.assert_array_equal(top.labels, slow)
    np.testing.assert_array_equal(top.labels[..., 0], probabilities.argmax(-1))
    assert np.all(np.diff(top.probabilities, axis=-1) <= 0)
    assert TopClasses.of(probabilities[..., :2], 3).labels.shape == (5, 7, 2)


def test_names_travel_as_text() -> None:
    name = '<img src=x onerror="alert(1)">'
    labels = LabelSet((LabelClass(0, name, (1, 2, 3)), LabelClass(1, "héron", (4, 5, 6))))
    header, _ = unpack(pack(Scene(name, image_of(8, 8), (Panel(name, "image"),), labels)))
    assert header["classes"] == [name, "héron"]
    assert header["palettes"]["own"] == ["#010203", "#040506"]
    assert header["panels"][0]["title"] == name


MASK = np.zeros((8, 8), np.uint8)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Panel("P", "picture"), "Unknown kind of panel 'picture'"),
        (lambda: Panel("P", "maks", mask=MASK), "did you mean 'mask'"),
        (lambda: Panel("P"), "Expected a mask"),
        (lambda: Panel("P", "scalar"), "Expected a scalar"),
        (lambda: Panel("P", "difference", mask=MASK), "set versus"),
        (lambda: TopClasses(np.zeros((2, 2, 3), int), np.zeros((2, 2), np.float32)), "one shape"),
        (
            lambda: Scene("s", np.zeros((8, 8), np.uint8), (Panel("I", "image"),), label_set(2)),
            "8-bit RGB",
        ),
        (lambda: Scene("s", image_of(8, 8), (), label_set(2)), "at least one visible panel"),
        (lambda: Scene("s", image_of(8, 9), (Panel("T", mask=MASK),), label_set(2)), "resize it"),
        (
            lambda: Scene("s", image_of(8, 8), (Panel("I", "image"),), label_set(2), truth=0),
            "a panel with a mask",
        ),
        (
            lambda: Scene("s", image_of(8, 8), (Panel("E", "error", mask=MASK),), label_set(2)),
            "ground-truth mask",
        ),
        (
            lambda: pack(Scene("s", image_of(8, 8), (Panel("T", mask=MASK + 2),), label_set(2))),
            "Expected class indices 0..1 or 255",
        ),
        (
            lambda: pack(
                Scene("s", image_of(8, 8), (Panel("T", mask=MASK.astype(int) - 1),), label_set(2))
            ),
            "received -1",
        ),
        (
            lambda: pack(
                Scene("s", image_of(8, 8), (Panel("E", "scalar", scalar=MASK + 3.0),), label_set(2))
            ),
            "from 0 to 1",
        ),
        (
            lambda: pack(
                Scene(
                    "s", image_of(8, 8), (Panel("E", "scalar", scalar=MASK * np.nan),), label_set(2)
                )
            ),
            "from 0 to 1",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(build, words) -> None:
    with pytest.raises(SegcoreError, match=words):
        build()
