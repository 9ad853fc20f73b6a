"""A promptable network by file: what it is asked, what it answers, and files that are none."""

import numpy as np
import onnx
import pytest
from onnx import parser

from segcore.errors import SegcoreError
from segcore.light_worker import promptable
from segcore.light_worker.promptable import answer_object, embed, load, reduced
from tests.promptable_files import DECODER, ENCODER, SIDE, write_promptable


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_promptable(tmp_path_factory.mktemp("promptable"))


@pytest.fixture
def image():
    """A red rectangle on blue, 40 x 80: the network sees it at 32 x 64."""
    image = np.zeros((40, 80, 3), np.uint8)
    image[..., 2] = 200
    image[10:30, 20:60] = (220, 0, 0)
    return image


def ask(files, image, points, name="one", **values):
    request = {
        "encoder": str(files[0]),
        "decoder": str(files[1]),
        "image": name,
        "size": list(image.shape[:2]),
        "points": points,
        **values,
    }
    return answer_object(request, {"image": image})


@pytest.mark.parametrize("runtime", promptable.RUNTIMES)
def test_clicks_and_boxes_find_what_they_mean_with_each_runtime(files, image, monkeypatch, runtime):
    pytest.importorskip(runtime)
    monkeypatch.setattr(promptable, "RUNTIMES", (runtime,))
    monkeypatch.setattr(promptable, "_loaded", {})
    answer, arrays = ask(files, image, [[40, 20, 1]], name=runtime)
    inside = arrays["logits"] > 0
    expected = np.zeros((32, 64), bool)
    expected[8:24, 16:48] = True
    assert inside.shape == (32, 64) and answer["score"] == pytest.approx(0.9)
    assert np.array_equal(inside[9:23, 17:47], expected[9:23, 17:47])
    assert not inside[:7].any() and not inside[25:].any()

    _, arrays = ask(files, image, [[40, 20, 1], [50, 25, 0]], name=runtime)
    less = arrays["logits"] > 0
    assert not less[20, 40] and less[10, 20] and (less <= inside).all()

    _, arrays = ask(files, image, [[10, 5, 2], [30, 25, 3]], name=runtime)
    box = np.zeros((32, 64), bool)
    box[4:20, 8:24] = True
    assert np.array_equal(arrays["logits"] > 0, box)


def test_an_image_is_embedded_once_and_need_not_be_sent_again(files, image, monkeypatch):
    ask(files, image, [[40, 20, 1]], name="kept")
    monkeypatch.setattr(promptable, "embed", None)  # asked again, it would fail
    request = {"encoder": str(files[0]), "decoder": str(files[1]), "size": [40, 80]}
    points = [[40, 20, 1]]
    answer, arrays = answer_object({**request, "image": "kept", "points": points}, {})
    assert not answer["missing"] and arrays["logits"].any()
    answer, arrays = answer_object({**request, "image": "another", "points": points}, {})
    assert answer["missing"] and not arrays


def test_what_the_encoder_sees_is_normalised_and_padded(files):
    network = load(*files)
    image = np.full((8, 16, 3), (255, 0, 128), np.uint8)
    small = reduced(8, 16, SIDE)
    seen = embed(network, image, small)  # the stand-in averages 2 x 2 pixels
    expected = ((255, 0, 128) - promptable.MEAN) / promptable.DEVIATION
    assert small == (32, 64)
    assert np.allclose(seen[0, :, :16], expected[:, None, None], atol=1e-5)
    assert not seen[0, :, 16:].any()


def _write(path, text):
    onnx.save(parser.parse_model(text), str(path))
    return path


def test_files_that_are_no_such_network_are_refused_in_a_sentence(files, image, tmp_path):
    encoder, decoder = files
    noise = tmp_path / "noise.onnx"
    noise.write_bytes(b"\x08\x07" + bytes(range(256)))
    empty = tmp_path / "empty.onnx"
    empty.write_bytes(b"")
    two = _write(
        tmp_path / "two.onnx",
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1, 3, 64, 64] a, float[1] b) => '
        "(float[1, 3, 64, 64] c) { c = Add (a, b) }",
    )
    small = _write(
        tmp_path / "small.onnx", ENCODER.replace("64, 64", "8, 8").replace("32, 32", "4, 4")
    )
    less = _write(tmp_path / "less.onnx", DECODER.replace("has_mask_input", "has_mask"))
    for pair, message in (
        ((tmp_path / "gone.onnx", decoder), "found none at"),
        ((empty, decoder), "found another at"),
        ((noise, decoder), "Expected an ONNX file as the encoder"),
        ((encoder, noise), "Expected an ONNX file as the decoder"),
        ((two, decoder), "Expected an encoder with one image"),
        ((decoder, decoder), "Expected an encoder with one image"),
        ((small, decoder), "pixels a side"),
        ((encoder, encoder), "Expected a decoder with the inputs"),
        ((encoder, less), "Expected a decoder with the inputs"),
    ):
        with pytest.raises(SegcoreError, match=message):
            ask(pair, image, [[1, 1, 1]])


def test_answers_that_do_not_fit_are_refused_in_a_sentence(files, image, tmp_path):
    encoder, decoder = files
    flat = _write(
        tmp_path / "flat.onnx",
        ENCODER.replace("float[1, 3, 32, 32]", "float[1, 3, 31, 31]").replace(
            "kernel_shape = [2, 2]", "kernel_shape = [4, 4]"
        ),
    )
    with pytest.raises(SegcoreError, match="one export"):
        ask((flat, decoder), image, [[1, 1, 1]])
    endless = _write(
        tmp_path / "endless.onnx",
        DECODER.replace(
            "masks = Concat <axis = 1> (other, mask)",
            "big = Concat <axis = 1> (other, mask)\n  masks = Div (big, nought)",
        ),
    )
    with pytest.raises(SegcoreError, match="choose another decoder"):
        ask((encoder, endless), image, [[1, 1, 1]])
    with pytest.raises(SegcoreError, match="at most 64 points"):
        ask(files, image, [[1, 1, 1]] * 65)
