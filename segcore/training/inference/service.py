"""What the warm process does for the app: predict one image, export a network.

Networks stay loaded while they are asked for: the first answer waits for loading and tracing, the
next ones do not.
"""

import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import psutil

from segcore.config import PredictOptions, from_json
from segcore.data.augmentation.preprocessing import prepare
from segcore.data.files.images import read_image
from segcore.errors import SegcoreError
from segcore.postprocess.ensemble import resize_probabilities
from segcore.runs.folder.run_folder import RunFolder
from segcore.training.export import export
from segcore.training.inference.combine import combine_networks
from segcore.training.inference.predict import preprocessing_of
from segcore.training.inference.predictor import Predictor
from segcore.training.inference.views import predict_image
from segcore.training.input.reader import resize_image

SPLIT = "images"
MOST_NETWORKS = 12
LEAST_FREE_BYTES = 1 << 30


class Service:
    """Loaded networks, the least used first."""

    def __init__(self) -> None:
        self._networks: OrderedDict[tuple[str, int, str, bool], Predictor] = OrderedDict()

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Load and trace networks, so that the next answer comes at once.

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
            ``{"seconds": of the networks alone, "size": [h, w] of what was stored, "backend":
            sentence}``.

        Raises:
            SegcoreError: A file cannot be read, or the memory does not suffice.
        """
        options = _options(request)
        image = read_image(Path(request["image"]))
        networks = [self._network(run, options) for run in _runs(request)]
        for network in networks:
            if network.chosen is None:  # the first call chooses the backend and is not timed
                network(resize_image(image, network.size)[None])
        began = time.monotonic()
        prepared = (prepare(image, preprocessing_of(run)) for run in _runs(request))
        answers = (
            predict_image(i, n.size, n.num_classes, options, n.stream)
            for n, i in zip(networks, prepared, strict=True)
        )
        if len(networks) == 1:
            probabilities = next(answers)
        else:
            grid = networks[0].size if not options.tile else (image.shape[0], image.shape[1])
            on_grid = (a if a.shape[:2] == grid else resize_probabilities(a, grid) for a in answers)
            probabilities = combine_networks(
                on_grid,
                _runs(request),
                str(request.get("rule") or "mean"),
                request.get("weights") or None,
            )
        seconds = time.monotonic() - began
        RunFolder(str(request["folder"])).write_probabilities(
            SPLIT, str(request["id"]), probabilities, (image.shape[0], image.shape[1])
        )
        backends = sorted({n.chosen.title for n in networks if n.chosen})
        return {
            "seconds": seconds,
            "size": list(probabilities.shape[:2]),
            "backend": " and ".join(backends),
        }

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


def _options(request: dict[str, Any]) -> PredictOptions:
    return from_json(PredictOptions, request.get("options") or {})
