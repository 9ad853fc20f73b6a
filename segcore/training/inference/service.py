"""What the warm process does for the app: predict one image, export a network.

Networks stay loaded while they are in use: the first answer waits for loading and tracing, the
next ones do not.
"""

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from segcore.config import PredictOptions, at_training_scale, from_json
from segcore.data.augmentation.preprocessing import prepare
from segcore.data.bands.learned import load_learned
from segcore.data.files.borders import foreign_bytes
from segcore.data.files.images import read_image
from segcore.errors import SegcoreError
from segcore.postprocess.ensemble import resize_probabilities
from segcore.runs.folder.run_folder import RunFolder
from segcore.training.export import export
from segcore.training.inference.combine import combine_networks
from segcore.training.inference.predict import crops_of, preprocessing_of
from segcore.training.inference.predictor import Predictor
from segcore.training.inference.scenes import rows_of_scene
from segcore.training.inference.views import check_memory, equal_strips, predict_strips
from segcore.training.input.reader import resize_image

Probabilities = npt.NDArray[np.float32]

SPLIT = "images"
MOST_NETWORKS = 12
COMBINED_ROWS = 64
"""Rows of an image that are combined at a time."""
LEAST_FREE_BYTES = 1 << 30


class Service:
    """Loaded networks, the least used first."""

    def __init__(self) -> None:
        self._networks: OrderedDict[tuple[str, int, str, bool], Predictor] = OrderedDict()
        self._scene: Iterator[tuple[dict[str, Any], dict[str, Any]]] = iter(())

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Load and trace networks, so that the next answer is immediate.

        Args:
            request: ``runs`` (folders of training runs), ``options`` (a mapping for
                ``PredictOptions``).

        Returns:
            ``{"loaded": how many were not there yet, "seconds": ..., "sizes": [[h, w], ...]}``.

        Raises:
            SegcoreError: A network is missing or cannot be read.
        """
        began, options = time.monotonic(), _options(request)
        before = set(self._networks)
        networks = [self._network(run, options) for run in _runs(request)]
        return {
            "loaded": len(set(self._networks) - before),
            "seconds": time.monotonic() - began,
            "sizes": [list(network.size) for network in networks],
        }

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Predict one image with one network or with several combined, and write the probabilities.

        Args:
            request: ``runs``, ``options``, ``image`` (path), ``folder`` and ``id`` (where the
                probabilities go, as those of the split :data:`SPLIT` of a run), and for several
                networks ``rule`` and ``weights``.

        Returns:
            ``{"seconds": of predicting and storing, "size": [h, w] of what was stored, "backend":
            sentence}``.

        Raises:
            SegcoreError: A file cannot be read, or the memory does not suffice.
        """
        options = _options(request)
        image = _read(request)
        networks = [self._network(run, options) for run in _runs(request)]
        for network in networks:
            if network.chosen is None:  # the first call chooses the backend and is not timed
                network(resize_image(image, network.size)[None])
        began = time.monotonic()
        answers = [
            predict_strips(_prepared(image, run), n.size, n.num_classes, options, n.stream)
            for run, n in zip(_runs(request), networks, strict=True)
        ]
        grid = (image.shape[0], image.shape[1]) if options.tile else networks[0].size
        if not options.tile:
            check_memory(grid, networks[0].num_classes)
            answers = [self._on_grid(answer, grid) for answer in answers]
        strips = answers[0] if len(answers) == 1 else self._combined(answers, request)
        first = next(strips)
        RunFolder(str(request["folder"])).write_probability_strips(
            SPLIT,
            str(request["id"]),
            chain([first], strips),
            (*grid, first.shape[2]),
            (image.shape[0], image.shape[1]),
        )
        seconds = time.monotonic() - began
        backends = sorted({n.chosen.title for n in networks if n.chosen})
        return {
            "seconds": seconds,
            "size": list(grid),
            "backend": " and ".join(backends),
        }

    @staticmethod
    def _on_grid(strips: Iterator[Probabilities], grid: tuple[int, int]) -> Iterator[Probabilities]:
        """Yield one strip: the whole image, resized to a grid where it is of another size."""
        answer = np.concatenate(list(strips))
        yield answer if answer.shape[:2] == grid else resize_probabilities(answer, grid)

    @staticmethod
    def _combined(
        answers: Sequence[Iterator[Probabilities]], request: dict[str, Any]
    ) -> Iterator[Probabilities]:
        """Yield the combination of several networks' answers, a few rows at a time."""
        runs, rule = _runs(request), str(request.get("rule") or "mean")
        for rows in zip(*(equal_strips(a, COMBINED_ROWS) for a in answers), strict=True):
            yield combine_networks(rows, runs, rule, request.get("weights") or None)

    def scene(self, request: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Predict the next rows of a scene of any size; the first request begins it.

        Args:
            request: ``runs``, ``options``, ``rule`` and ``weights`` as for :meth:`predict`,
                ``image`` (path of a GeoTIFF), ``look`` (how its bands become a picture, or None),
                and ``begin``: whether to begin at its first rows.

        Returns:
            ``{"left": first column of the stripe, "ends": whether these are its last rows, "done":
            whether they are the last of all, "backend": sentence}``, and the arrays ``mask`` (n, w)
            of indices and ``confidence`` (n, w) uint8, the greatest probability times 255.

        Raises:
            SegcoreError: A file cannot be read, or an option is made for whole images.
        """
        if request.get("begin"):
            options = _options(request)
            networks = [self._network(run, replace(options, tile=True)) for run in _runs(request)]
            self._scene = rows_of_scene(request, _runs(request), networks, options)
        rows = next(self._scene, None)
        if rows is None:
            raise SegcoreError(
                "Expected a scene that has begun, received a question for its next rows: begin again."
            )
        return rows

    def export(self, request: dict[str, Any]) -> dict[str, Any]:
        """Export a network and check it (see :func:`segcore.training.export.export`)."""
        (run,) = _runs(request)
        return export(run.model_path, str(request.get("to")), Path(request["out"])).to_json()

    def _network(self, run: RunFolder, options: PredictOptions) -> Predictor:
        path = run.model_path
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            changed = 0
        plain = (
            not options.tile and options.tta == "none"
        )  # one image a call: a larger batch would be filled with blank ones
        key = (str(path), changed, options.backend, plain)
        if key not in self._networks:
            while len(self._networks) >= MOST_NETWORKS or (
                self._networks and psutil.virtual_memory().available < LEAST_FREE_BYTES
            ):
                self._networks.popitem(last=False)
            self._networks[key] = Predictor(path, 0, options.backend, most=1 if plain else 4096)
        self._networks.move_to_end(key)
        return self._networks[key]


def _runs(request: dict[str, Any]) -> list[RunFolder]:
    runs = [RunFolder.open(str(folder)) for folder in request.get("runs") or []]
    if not runs:
        raise SegcoreError("Expected at least one network, received none: choose a finished run.")
    return runs


def _prepared(image: npt.NDArray[Any], run: RunFolder) -> npt.NDArray[Any]:
    """Return an image as a network takes it; bands are normalised by the network itself."""
    return image if image.dtype == np.float32 else prepare(image, preprocessing_of(run))


def _read(request: dict[str, Any]) -> npt.NDArray[Any]:
    """Read the image of a request: a picture, or the channels of a raster, gaps filled.

    Raises:
        SegcoreError: It cannot be read.
    """
    path = Path(request["image"])
    if path.suffix != ".npy":
        return read_image(path)
    with foreign_bytes(f"{path.name} is damaged: choose the image again."):
        values = np.load(path, allow_pickle=False)
    for run in _runs(request):
        bands = load_learned(run.folder)
        if bands is not None:  # the first member's means, as all take the same channels
            return bands.fill(values)
    return np.asarray(values)


def _options(request: dict[str, Any]) -> PredictOptions:
    options = from_json(PredictOptions, request.get("options") or {})
    return at_training_scale(options, max(map(crops_of, _runs(request))))
