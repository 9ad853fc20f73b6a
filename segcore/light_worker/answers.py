"""What the app asks of the warm process: one CRF for one slider move, one proposal for one stroke."""

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.config import from_json
from segcore.errors import SegcoreError
from segcore.light_worker.promptable import answer_object
from segcore.postprocess.cut_out import cut_out
from segcore.postprocess.dense_crf import DenseCRF, is_available
from segcore.postprocess.ensemble import resize_probabilities
from segcore.postprocess.parameters import CRFParameters
from segcore.postprocess.scribbles import fill_strokes
from segcore.runs.dispatch.warm_process import Answer, Arrays, Handler


def answer_ping(request: dict[str, Any], arrays: Arrays) -> Answer:
    """Report that the process is ready: ``{"crf": whether pydensecrf is installed}``."""
    return {"crf": is_available()}, {}


def answer_crf(request: dict[str, Any], arrays: Arrays) -> Answer:
    """Refine one image's probabilities.

    Args:
        request: ``parameters`` (a mapping for ``CRFParameters``; absent for the defaults),
            ``preview`` (true for the approximation at half the size), ``return_probabilities``
            (true to return them with the mask).
        arrays: ``probabilities`` (h, w, C) float32, resized to the image where they are of another
            size; ``image`` (H, W, 3) uint8.

    Returns:
        ``{"preview": bool, "changed": share of the pixels whose class the CRF changed, 0..1,
        "seconds": what it took}``, and ``mask`` (H, W) uint8, or uint16 above 255 classes,
        and on request ``probabilities`` (H, W, C) float32.

    Raises:
        SegcoreError: An array is missing or does not fit, a parameter is refused, or pydensecrf is
            missing.
    """
    parameters = from_json(CRFParameters, request.get("parameters") or {})
    probabilities, image = _array(arrays, "probabilities"), _array(arrays, "image")
    if probabilities.shape[:2] != image.shape[:2]:
        probabilities = resize_probabilities(probabilities, (image.shape[0], image.shape[1]))
    crf, preview = DenseCRF(parameters), bool(request.get("preview"))
    began = time.perf_counter()
    refined = crf.preview(probabilities, image) if preview else crf.refine(probabilities, image)
    seconds = time.perf_counter() - began
    winner = refined.argmax(axis=-1)
    changed = float(np.mean(winner != probabilities.argmax(axis=-1)))
    answer = {"mask": winner.astype(np.uint8 if refined.shape[2] <= 255 else np.uint16)}
    if request.get("return_probabilities"):
        answer["probabilities"] = refined
    return {"preview": preview, "changed": changed, "seconds": seconds}, answer


def answer_scribble(request: dict[str, Any], arrays: Arrays) -> Answer:
    """Spread strokes over an image, see :func:`segcore.postprocess.scribbles.fill_strokes`.

    Args:
        request: Nothing.
        arrays: ``image`` (H, W, 3) uint8, ``strokes`` (H, W) int32, ``rest`` (H, W) bool, and
            ``probabilities`` (H, W, K + 1) float32 where a network has any.

    Returns:
        ``{}`` and ``labels`` (H, W) int32.

    Raises:
        SegcoreError: An array does not fit, or pydensecrf is missing.
    """
    strokes, rest = _plane(arrays, "strokes"), _plane(arrays, "rest")
    labels = fill_strokes(_array(arrays, "image"), strokes, rest, arrays.get("probabilities"))
    return {}, {"labels": labels}


def answer_cut(request: dict[str, Any], arrays: Arrays) -> Answer:
    """Cut an object out, see :func:`segcore.postprocess.cut_out.cut_out`.

    Args:
        request: ``around``: [[x, y], ...].
        arrays: ``image`` (H, W, 3) uint8.

    Returns:
        ``{}`` and ``inside`` (H, W) bool.

    Raises:
        SegcoreError: The line encloses no object.
    """
    around = [(float(x), float(y)) for x, y in request.get("around") or []]
    return {}, {"inside": cut_out(_array(arrays, "image"), around)}


def _plane(arrays: Arrays, name: str) -> npt.NDArray[Any]:
    if name not in arrays or arrays[name].ndim != 2:
        raise SegcoreError(
            f"Expected the array {name!r} with two axes, received {sorted(arrays)}: send it."
        )
    return arrays[name]


def _array(arrays: Arrays, name: str) -> npt.NDArray[Any]:
    if name not in arrays or arrays[name].ndim != 3:
        raise SegcoreError(
            f"Expected the array {name!r} with three axes, received {sorted(arrays)}: send "
            "probabilities and image."
        )
    return arrays[name]


HANDLERS: dict[str, Handler] = {
    "ping": answer_ping,
    "crf": answer_crf,
    "scribble": answer_scribble,
    "cut": answer_cut,
    "object": answer_object,
}
