"""The shelf of scenes: one sample's image, masks and probabilities, for looking at."""

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.config import EvaluateConfig, PredictConfig, TrainConfig
from segcore.data.dataset import Dataset, Sample
from segcore.errors import SegcoreError
from segcore.labels import LabelMap
from segcore.postprocess.dense_crf import CRFParameters, require_available
from segcore.postprocess.ensemble import combine_to_size, resize_probabilities
from segcore.runs.answerer import Answerer
from segcore.runs.store import RunFolder
from segcore.workspace.datasets import DatasetShelf
from segcore.workspace.runs import RunShelf, prediction_id

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[Any]
Probabilities = npt.NDArray[np.float32]


class SceneShelf:
    """Samples of the data sets with what the runs made of them."""

    def __init__(self, datasets: DatasetShelf, runs: RunShelf) -> None:
        self._datasets = datasets
        self._runs = runs
        self._answerer: Answerer | None = None

    def image(self, dataset: str, sample: str) -> Image:
        """Return a sample's image, (H, W, 3) uint8 RGB.

        Raises:
            SegcoreError: There is no such sample, or its file cannot be read.
        """
        opened = self._datasets.open(dataset)
        return opened.read_image(opened.sample(sample))

    def truth(self, dataset: str, sample: str, label_map: LabelMap | None = None) -> Mask:
        """Return a sample's true mask, (H, W) indices, merged by ``label_map`` where one is given.

        Raises:
            SegcoreError: There is no such sample, or its file cannot be read.
        """
        opened = self._datasets.open(dataset)
        mask = opened.read_mask(opened.sample(sample))
        return label_map.apply(mask, opened.label_set) if label_map else mask

    def predicted_samples(self, run: str, split: str) -> list[Sample]:
        """Return the samples of a split for which a run's probabilities are on disk, in the data set's order.

        Raises:
            SegcoreError: There is no such run or split.
        """
        config = self._runs.open(run).config
        members = config.members if isinstance(config, EvaluateConfig) else (run,)
        folders = [self._runs.folder / (m if _is_prediction(m) else prediction_id(m, split)) for m in members]
        samples = self._datasets.open(config.dataset).select(split)
        predictions = [RunFolder(folder) for folder in folders]
        return [s for s in samples if all(p.has_probabilities(split, s.id) for p in predictions)]

    def probabilities(self, run: str, split: str, sample: str) -> Probabilities:
        """Return a run's probabilities at the sample's own size; for an evaluate run those of the combined members.

        Returns:
            (H, W, C) float32, 0..1, each pixel's row sums to 1.

        Raises:
            SegcoreError: They were not predicted.
        """
        config = self._runs.open(run).config
        if isinstance(config, EvaluateConfig):
            stored = self._datasets.open(config.dataset).sample(sample)
            members = (self._stored(m, split, sample)[0] for m in config.members)
            return combine_to_size(members, (stored.height, stored.width), config.rule)
        probabilities, size = self._stored(run, split, sample)
        return resize_probabilities(probabilities, size)

    def _stored(self, run: str, split: str, sample: str) -> tuple[Probabilities, tuple[int, int]]:
        name = run if _is_prediction(run) else prediction_id(run, split)
        return self._runs.open(name).read_probabilities(split, sample)

    def crf_mask(self, run: str, split: str, sample: str, parameters: CRFParameters | None = None) -> Mask:
        """Return a run's prediction after the dense CRF, (H, W) uint8 or uint16 indices.

        An evaluate run that was refined with the same parameters has it on disk; otherwise the warm worker computes it
        (the first answer waits for its start).

        Raises:
            SegcoreError: There are no probabilities, or pydensecrf is missing.
        """
        wanted = parameters or CRFParameters()
        config = self._runs.open(run).config
        if isinstance(config, EvaluateConfig) and config.crf == wanted:
            made = self._runs.folder / self._runs.on_split(run, split)
            if made.exists() and "crf" in RunFolder(made).stages(split):
                return RunFolder(made).read_mask(split, "crf", sample)
        if self._answerer is None:
            self._answerer = Answerer()
        arrays: dict[str, npt.NDArray[Any]] = {
            "probabilities": self.probabilities(run, split, sample),
            "image": self.image(config.dataset, sample),
        }
        _, results = self._answerer.ask("crf", arrays, parameters=asdict(wanted))
        return results["mask"]

    def require_crf(self) -> None:
        """Do nothing where the dense CRF can run.

        Raises:
            SegcoreError: pydensecrf is missing; the sentence says how to install it.
        """
        require_available()

    def dataset_of(self, run: str) -> Dataset:
        """Return the data set that a run learned from or predicts.

        Raises:
            SegcoreError: There is no such run or data set.
        """
        return self._datasets.open(self._runs.open(run).config.dataset)

    def label_map_of(self, run: str) -> LabelMap | None:
        """Return the label map that a run was trained with, or None.

        Raises:
            SegcoreError: There is no such run.
        """
        config = self._runs.open(run).config
        if isinstance(config, EvaluateConfig):
            return self.label_map_of(config.members[0])
        if isinstance(config, PredictConfig):
            return self.label_map_of(config.run)
        if not isinstance(config, TrainConfig):
            raise SegcoreError(f"Expected a run with a label set, received {run!r} of kind {config.kind}: choose a training run.")
        return self._datasets.open(config.dataset).load_label_map(config.label_map) if config.label_map else None


def _is_prediction(run: str) -> bool:
    return "--" in run
