"""A promptable network in two ONNX files: a click or a box gives the mask of an object.

The layout is that of the exports of Segment Anything (Kirillov et al.: Segment Anything, ICCV 2023):

    encoder   one image (1, 3, S, S) float32, the longer side resized to S, normalised by ImageNet's
              mean and deviation, padded with zeros at the right and at the bottom; or (H, W, 3) float32 of
              0..255, resized alike, where the file holds the normalisation
              -> one tensor (1, C, h, w)
    decoder   image_embeddings (1, C, h, w), point_coords (1, N, 2) in pixels of the resized image,
              point_labels (1, N): 1 object, 0 not the object, 2 and 3 corners of a box, -1 no
              point, mask_input (1, 1, 4 h, 4 w), has_mask_input (1), orig_im_size (2)
              -> masks (1, M, H, W) logits, iou_predictions (1, M), low_res_masks

Both files are anybody's until checked: size, inputs, outputs and what comes out. OpenVINO runs them
where it is installed, onnxruntime otherwise; both stay in the warm process, never in the app's.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.runs.dispatch.warm_process import Answer, Arrays
from segcore.training.optional import install_hint, is_installed, require

FloatArray = npt.NDArray[np.float32]
Shape = tuple[int | None, ...]

RUNTIMES = ("openvino", "onnxruntime")
"""What can run the files, in the order of preference."""

LARGEST_FILE = 3 << 30
SIDE = 1024
"""Side of the encoder's input where the file leaves it open."""

SIDES = (32, 2048)
"""Sides of an input that are taken."""

MEAN = np.array([123.675, 116.28, 103.53], np.float32)
DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)
INPUTS = {
    "image_embeddings": 4,
    "point_coords": 3,
    "point_labels": 2,
    "mask_input": 4,
    "has_mask_input": 1,
    "orig_im_size": 1,
}
"""The decoder's inputs and how many axes each has."""

OUTPUTS = ("masks", "iou_predictions")
LARGEST_EMBEDDING = 64 << 20
KEPT_EMBEDDINGS = 8
MAX_POINTS = 64


@dataclass(frozen=True)
class Network:
    """One file, loaded.

    Attributes:
        inputs: Shape of every input by name; None for an axis that is open.
        outputs: Shape of every output by name.
        run: Gives the outputs for the inputs.
    """

    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    run: Callable[[Mapping[str, npt.NDArray[Any]]], dict[str, npt.NDArray[Any]]]


@dataclass(frozen=True)
class Promptable:
    """Encoder and decoder, checked.

    Attributes:
        encoder: Image to embedding.
        decoder: Embedding and prompts to masks.
        image: Name of the encoder's input.
        side: S of this module's docstring.
        raw: Whether the encoder takes (H, W, 3) of 0..255.
    """

    encoder: Network
    decoder: Network
    image: str
    side: int
    raw: bool


_loaded: dict[tuple[object, ...], Promptable] = {}
_embeddings: OrderedDict[tuple[object, ...], FloatArray] = OrderedDict()


def answer_object(request: dict[str, Any], arrays: Arrays) -> Answer:
    """Find the object under a click or in a box.

    Args:
        request: ``encoder`` and ``decoder`` (paths), ``image`` (a name of the image by content),
            ``size`` ([height, width]), ``points`` ([[x, y, label], ...] in pixels of the image;
            labels as of the decoder); none to check the files alone.
        arrays: ``image`` (h, w, 3) uint8, the image itself or reduced to :data:`SIDE`; may be
            absent where the same image was sent before.

    Returns:
        ``{"missing": True}`` where the image is needed; else ``{"missing": False, "side": ...,
        "score": the decoder's own estimate of its IoU}`` and ``logits`` (h, w) float32 at the resized
        image.

    Raises:
        SegcoreError: A file is no such network, or what it answers is no mask.
    """
    encoder, decoder = Path(str(request["encoder"])), Path(str(request["decoder"]))
    network = load(encoder, decoder)
    points = np.asarray(request.get("points") or [], np.float32).reshape(-1, 3)
    if not len(points):
        return {"missing": False, "side": network.side}, {}
    name = (*_stamps(encoder, decoder), str(request["image"]))
    if name not in _embeddings and "image" not in arrays:
        return {"missing": True, "side": network.side}, {}
    height, width = (int(n) for n in request["size"])
    small = reduced(height, width, network.side)
    if name not in _embeddings:
        _embeddings[name] = embed(network, arrays["image"], small)
        while len(_embeddings) > KEPT_EMBEDDINGS:
            _embeddings.popitem(last=False)
    _embeddings.move_to_end(name)
    scale = np.array([small[1] / width, small[0] / height, 1], np.float32)
    logits, score = decode(network, _embeddings[name], points * scale, small)
    return {"missing": False, "side": network.side, "score": score}, {"logits": logits}


def reduced(height: int, width: int, side: int) -> tuple[int, int]:
    """Return the size of an image whose longer side is ``side``, enlarged or reduced."""
    ratio = side / max(height, width)
    return max(1, int(height * ratio + 0.5)), max(1, int(width * ratio + 0.5))


def embed(network: Promptable, image: npt.NDArray[np.uint8], small: tuple[int, int]) -> FloatArray:
    """Return an image's embedding, (1, C, h, w) float32.

    Args:
        network: The network.
        image: (H, W, 3) uint8 RGB.
        small: (height, width) that it is resized to.

    Raises:
        SegcoreError: The file answers something else.
    """
    resized = cv2.resize(image, small[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)
    if not network.raw:
        padded = np.zeros((1, 3, network.side, network.side), np.float32)
        padded[0, :, : small[0], : small[1]] = ((resized - MEAN) / DEVIATION).transpose(2, 0, 1)
        resized = padded
    (answer,) = _run("encoder", network.encoder, {network.image: resized}).values()
    wanted = network.decoder.inputs["image_embeddings"]
    fits = answer.ndim == 4 and all(
        w in (None, n) for w, n in zip(wanted, answer.shape, strict=True)
    )
    if not fits or answer.nbytes > LARGEST_EMBEDDING or not np.isfinite(answer).all():
        raise SegcoreError(
            f"Expected an embedding of {_shown(wanted)} from the encoder, received "
            f"{_shown(answer.shape)}: choose an encoder and a decoder of one export."
        )
    return np.ascontiguousarray(answer, np.float32)


def decode(
    network: Promptable, embedding: FloatArray, points: FloatArray, small: tuple[int, int]
) -> tuple[FloatArray, float]:
    """Return the best mask and the decoder's estimate of its IoU.

    Args:
        network: The network.
        embedding: Of the image.
        points: (N, 3): x, y in pixels of the resized image, and a label.
        small: (height, width) of the resized image.

    Returns:
        (h, w) float32 logits at the resized image; above 0 is the object. And the estimate.

    Raises:
        SegcoreError: There are too many points, or the file answers no such masks.
    """
    if len(points) > MAX_POINTS:
        raise SegcoreError(f"Expected at most {MAX_POINTS} points, received {len(points)}.")
    if not (points[:, 2] >= 2).any():  # the export wants a padding point where there is no box
        points = np.concatenate([points, np.array([[0, 0, -1]], np.float32)])
    sides = [4 * n for n in embedding.shape[2:]]
    given: dict[str, npt.NDArray[Any]] = {
        "image_embeddings": embedding,
        "point_coords": np.ascontiguousarray(points[None, :, :2], np.float32),
        "point_labels": np.ascontiguousarray(points[None, :, 2], np.float32),
        "mask_input": np.zeros((1, 1, *sides), np.float32),
        "has_mask_input": np.zeros(1, np.float32),
        "orig_im_size": np.array(small, np.float32),
    }
    answers = _run("decoder", network.decoder, given)
    masks, scores = answers["masks"], answers["iou_predictions"].reshape(-1)
    fits = masks.ndim == 4 and masks.shape[0] == 1 and masks.shape[2:] == small
    if not fits or len(scores) != masks.shape[1] or not np.isfinite(masks).all():
        raise SegcoreError(
            f"Expected masks of 1 x M x {small[0]} x {small[1]} from the decoder, each with its "
            f"estimate, received {_shown(masks.shape)} and {len(scores)}: choose another decoder."
        )
    best = int(np.nan_to_num(scores, nan=-1.0).argmax())
    return np.ascontiguousarray(masks[0, best], np.float32), float(scores[best])


def load(encoder: Path, decoder: Path) -> Promptable:
    """Load both files, or return them as loaded before.

    Raises:
        SegcoreError: A file is missing, too large, no ONNX, or has other inputs and outputs; or
            nothing that runs ONNX is installed.
    """
    key = _stamps(encoder, decoder)
    if key not in _loaded:
        _loaded.clear()
        _embeddings.clear()
        _loaded[key] = _checked(_read("encoder", encoder), _read("decoder", decoder))
    return _loaded[key]


def _checked(encoder: Network, decoder: Network) -> Promptable:
    shapes = list(encoder.inputs.values())
    plain = len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][:2] in ((1, 3), (None, 3))
    raw = len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][2] == 3
    if not (plain or raw) or len(encoder.outputs) != 1:
        raise SegcoreError(
            "Expected an encoder with one image of 1 x 3 x S x S (or H x W x 3) in and one tensor "
            f"out, received {_listed(encoder.inputs)} in and {_listed(encoder.outputs)} out: "
            "choose the encoder of a Segment Anything export."
        )
    wrong = [name for name, axes in INPUTS.items() if len(decoder.inputs.get(name, ())) != axes] + [
        name for name in OUTPUTS if name not in decoder.outputs
    ]
    if wrong or set(decoder.inputs) != set(INPUTS):
        raise SegcoreError(
            f"Expected a decoder with the inputs {', '.join(INPUTS)} and the outputs "
            f"{', '.join(OUTPUTS)}, received {_listed(decoder.inputs)} in and "
            f"{_listed(decoder.outputs)} out: choose the decoder of a Segment Anything export."
        )
    sides = [n for n in shapes[0] if n not in (None, 1, 3)]
    side = max(sides, default=SIDE)
    if not SIDES[0] <= side <= SIDES[1] or (plain and len(set(sides)) > 1):
        raise SegcoreError(
            f"Expected an encoder of {SIDES[0]} to {SIDES[1]} pixels a side, received "
            f"{_listed(encoder.inputs)}: choose another."
        )
    return Promptable(encoder, decoder, next(iter(encoder.inputs)), side, raw)


def _stamps(*files: Path) -> tuple[object, ...]:
    found = [file.stat() if file.is_file() else None for file in files]
    return tuple(
        (str(f), s and (s.st_mtime_ns, s.st_size)) for f, s in zip(files, found, strict=True)
    )


def _read(role: str, file: Path) -> Network:
    if not file.is_file() or not 0 < file.stat().st_size <= LARGEST_FILE:
        raise SegcoreError(
            f"Expected an ONNX file of at most {LARGEST_FILE >> 30} GiB as the {role}, found "
            f"{'another' if file.is_file() else 'none'} at {file}: choose the file of the export."
        )
    runtimes = [name for name in RUNTIMES if is_installed(name)]
    if not runtimes:
        raise SegcoreError(
            "Expected the package openvino or onnxruntime to run a promptable network, found "
            f"neither: {install_hint('openvino')}."
        )
    problem = ""
    for name in runtimes:
        try:
            return _READERS[name](file)
        except Exception as error:  # whatever a runtime raises about a file that is anybody's
            problem = str(error).strip().splitlines()[-1][:200]
    raise SegcoreError(
        f"Expected an ONNX file as the {role}, received {file.name}, which {' and '.join(runtimes)} "
        f"cannot read ({problem}): choose the file of the export."
    )


def _read_openvino(file: Path) -> Network:
    openvino = require("openvino")
    core = openvino.Core()
    compiled = core.compile_model(str(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def shape(port: Any) -> Shape:
        return tuple(None if n.is_dynamic else n.get_length() for n in port.get_partial_shape())

    inputs = {port.get_any_name(): shape(port) for port in compiled.inputs}
    outputs = {port.get_any_name(): shape(port) for port in compiled.outputs}

    def run(given: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        answers = compiled(dict(given))
        return {port.get_any_name(): np.array(answers[port]) for port in compiled.outputs}

    return Network(inputs, outputs, run)


def _read_onnxruntime(file: Path) -> Network:
    session = require("onnxruntime").InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def shapes(ports: Any) -> dict[str, Shape]:
        return {p.name: tuple(n if isinstance(n, int) else None for n in p.shape) for p in ports}

    outputs = shapes(session.get_outputs())

    def run(given: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        answers = session.run(list(outputs), dict(given))
        return dict(zip(outputs, map(np.asarray, answers), strict=True))

    return Network(shapes(session.get_inputs()), outputs, run)


_READERS: dict[str, Callable[[Path], Network]] = {
    "openvino": _read_openvino,
    "onnxruntime": _read_onnxruntime,
}


def _run(
    role: str, network: Network, given: Mapping[str, npt.NDArray[Any]]
) -> dict[str, npt.NDArray[Any]]:
    try:
        return network.run(given)
    except Exception as error:  # whatever a runtime raises about a file that is anybody's
        problem = (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
        raise SegcoreError(
            f"Expected an answer of the {role}, received an error ({problem}): choose the "
            f"{role} of a Segment Anything export."
        ) from error


def _shown(shape: Shape) -> str:
    return " x ".join("any" if n is None else str(n) for n in shape) or "a number"


def _listed(ports: Mapping[str, Shape]) -> str:
    return ", ".join(f"{name} ({_shown(shape)})" for name, shape in ports.items()) or "nothing"
