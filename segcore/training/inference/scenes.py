"""A scene of any size, read by windows and predicted in rows: neither it nor its answer is held."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.config import PredictOptions
from segcore.data.bands.learned import LearnedBands, load_learned
from segcore.data.bands.reading import read_values
from segcore.data.files.bands import RasterLook
from segcore.data.files.windows import Window, raster_size, read_window
from segcore.errors import SegcoreError
from segcore.postprocess.scenes import ReadPixels, predict_stripe, stripes
from segcore.postprocess.tiles import plan_tiles
from segcore.runs.folder.run_folder import RunFolder
from segcore.training.inference.combine import combine_networks
from segcore.training.inference.predict import preprocessing_of
from segcore.training.inference.predictor import Predictor
from segcore.training.inference.views import equal_strips

ROWS = 128
"""Rows that are answered at a time."""

Rows = tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]


def rows_of_scene(
    request: dict[str, Any],
    runs: Sequence[RunFolder],
    networks: Sequence[Predictor],
    options: PredictOptions,
) -> Iterator[Rows]:
    """Yield the answers of a scene, stripe by stripe, each from top to bottom.

    Args:
        request: As for :meth:`segcore.training.inference.service.Service.scene`.
        runs: The training runs.
        networks: The network of each.
        options: Overlap and backend; tiles are always used.

    Yields:
        What that method returns.

    Raises:
        SegcoreError: The file cannot be read, or an option or a network needs the whole image.
    """
    _check(runs, options)
    path = Path(request["image"])
    look = RasterLook.from_json(request["look"]) if request.get("look") else None
    size = raster_size(path)
    classes = max(network.num_classes for network in networks)
    tile = (max(n.size[0] for n in networks), max(n.size[1] for n in networks))
    parts = stripes(size, tile, classes * len(networks))
    rule, weights = str(request.get("rule") or "mean"), request.get("weights") or None
    for stripe in parts:
        answers = [
            equal_strips(
                predict_stripe(
                    _reader(path, look, load_learned(run.folder)),
                    plan_tiles(size, n.size, options.overlap),
                    stripe,
                    n.stream,
                ),
                ROWS,
            )
            for run, n in zip(runs, networks, strict=True)
        ]
        done = 0
        for rows in zip(*answers, strict=True):
            joined = rows[0] if len(rows) == 1 else combine_networks(rows, runs, rule, weights)
            done += len(joined)
            ends = done == size[0]
            chosen = [n.chosen.title for n in networks if n.chosen]
            head = {
                "left": stripe[0],
                "ends": ends,
                "done": ends and stripe is parts[-1],
                "backend": " and ".join(sorted(set(chosen))),
            }
            yield head, _answer(joined)


def _answer(probabilities: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[Any]]:
    """Return the mask, (h, W) class indices, and the confidence, (h, W) 0..255, of (h, W, C)."""
    kind = np.uint8 if probabilities.shape[-1] <= 255 else np.uint16
    return {
        "mask": probabilities.argmax(axis=-1).astype(kind),
        "confidence": np.rint(probabilities.max(axis=-1) * 255).astype(np.uint8),
    }


def _reader(path: Path, look: RasterLook | None, learned: LearnedBands | None) -> ReadPixels:
    """Return what reads parts of a scene as a network takes them: a picture, or its bands."""

    def read(top: int, left: int, height: int, width: int) -> npt.NDArray[Any]:
        window = Window(top, left, height, width)
        if learned is None:
            return read_window(path, window, look)
        return learned.fill(read_values(path, learned.bands, window))

    return read


def _check(runs: Sequence[RunFolder], options: PredictOptions) -> None:
    """Refuse what needs the whole image at once.

    Raises:
        SegcoreError: It does.
    """
    if options.tta != "none":
        raise SegcoreError(
            "Expected no test-time augmentation for a scene that is read by windows, received "
            f"{options.tta!r}: leave --tta out."
        )
    for run in runs:
        if preprocessing_of(run) == "clahe":
            raise SegcoreError(
                f"Expected a network without CLAHE for a scene that is read by windows, received "
                f"{run.id!r}, whose preprocessing sees an image whole: choose another network."
            )
