"""Disk space of stored probabilities: estimated before a split is predicted, freed afterwards."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from segcore.catalog import kind_words
from segcore.config import ImportedConfig, PredictConfig, PredictOptions, TrainConfig
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.errors import SegcoreError
from segcore.formatting import size
from segcore.postprocess.ensemble import resize_probabilities
from segcore.runs.folder.listing import list_runs
from segcore.runs.folder.probabilities import expected_bytes
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes
from segcore.workspace.runs.refusals import not_finished
from segcore.workspace.runs.run_ids import prediction_id
from segcore.workspace.runs.runs import Runs

STAGE = "prediction"


@dataclass(frozen=True)
class DroppedProbabilities:
    """What dropping a run's probabilities freed, or would free.

    Attributes:
        runs: Ids of the runs that hold the probabilities.
        images: Number of images.
        bytes: Disk space freed.
    """

    runs: tuple[str, ...]
    images: int
    bytes: int


class ProbabilityStorage:
    """Estimates and frees the disk space of probabilities.

    Args:
        datasets: The datasets.
        runs: The runs.
    """

    def __init__(self, datasets: Datasets, runs: Runs) -> None:
        self._datasets = datasets
        self._runs = runs

    def estimate(
        self, run: str, split: str, kind: str = "whole", options: PredictOptions | None = None
    ) -> int:
        """Return the bytes that probabilities of a split will take on disk, roughly.

        Args:
            run: Id of a training run.
            split: Name of a split.
            kind: A name in ``catalog.PROBABILITY_STORAGE``.
            options: Options of the prediction; in tiles, images are stored at their own size.

        Raises:
            SegcoreError: There is no such training run or split.
        """
        config = self._runs.open(run).config
        if not isinstance(config, TrainConfig):
            raise SegcoreError(
                f"Expected a training run, received {run!r}, which is {kind_words(config.kind)}: name the run "
                "that was trained."
            )
        dataset = self._datasets.open(config.dataset)
        classes = dataset.label_set.num_classes
        if config.label_map:
            classes = dataset.load_label_map(config.label_map).num_groups
        samples = dataset.predictable(split)
        if config.recipe.crops or (options is not None and options.tile):
            return sum(expected_bytes(kind, 1, s.height * s.width, classes) for s in samples)
        return expected_bytes(kind, len(samples), config.size[0] * config.size[1], classes)

    def check_room(
        self, run: str, split: str, kind: str = "whole", options: PredictOptions | None = None
    ) -> int:
        """Return :meth:`estimate`; refuse a prediction that the free disk space cannot hold.

        A split that is predicted already takes no more space and is not refused.

        Raises:
            SegcoreError: It cannot, or as :meth:`estimate`.
        """
        needed = self.estimate(run, split, kind, options)
        free = shutil.disk_usage(self._runs.folder).free
        done = RunFolder(self._runs.folder / prediction_id(run, split))
        is_done = done.folder.exists() and done.status().state == "finished"
        if needed > free and not is_done:
            raise SegcoreError(
                f"Expected disk space for probabilities of about {size(needed)}, received "
                f"{size(free)} free: free some, or keep less with --probabilities top or "
                "none."
            )
        return needed

    @writes("remove probabilities", "Removed the probabilities of the run {run}")
    def drop(self, run: str) -> DroppedProbabilities:
        """Remove the probabilities of a run's predictions; masks and counts stay.

        Scores, masks and comparisons remain as they are. Ensembles, the CRF, calibration and label
        errors need the split predicted again.

        Args:
            run: Id of a training run (all its predictions), of one prediction, or of an import.

        Raises:
            SegcoreError: There is no such run, it has no predictions, one is not finished, or a
                file cannot be read or removed.
        """
        folders = self._predictions(run)
        if not folders:
            raise SegcoreError(
                f"Expected a run with predictions, received {run!r}: name a training run with a "
                "predicted split, one of its predictions, or an import."
            )
        for folder in folders:
            if folder.status().state != "finished":
                raise not_finished(folder.id, folder.status(), "prediction")
        freed = [size for folder in folders for size in self._drop_all(folder)]
        return DroppedProbabilities(tuple(f.id for f in folders), len(freed), sum(freed))

    def stored(self, run: str) -> DroppedProbabilities:
        """Return what :meth:`drop` would free; no runs where nothing is stored.

        Raises:
            SegcoreError: There is no such run, or its config cannot be read.
        """
        sizes = {folder.id: list(_sizes(folder)) for folder in self._predictions(run)}
        held = {name: own for name, own in sizes.items() if own}
        total = [size for own in held.values() for size in own]
        return DroppedProbabilities(tuple(held), len(total), sum(total))

    def has_any(self, run: str) -> bool:
        """Whether :meth:`drop` would free anything; looks no further than the first file.

        Raises:
            SegcoreError: There is no such run, or its config cannot be read.
        """
        return any(next(_sizes(folder), None) for folder in self._predictions(run))

    def _predictions(self, run: str) -> list[RunFolder]:
        """Return the predictions of a training run, or a prediction or an import itself."""
        folder = self._runs.open(run)
        if isinstance(folder.config, (PredictConfig, ImportedConfig)):
            return [folder]
        if not isinstance(folder.config, TrainConfig):
            return []
        summaries = list_runs(self._runs.folder)
        names = [s.id for s in summaries if s.config.get("kind") == "predict"]
        return [self._runs.open(name) for name in names if name.startswith(f"{run}--")]

    def _drop_all(self, folder: RunFolder) -> list[int]:
        """Remove a prediction's probabilities, image by image; return the bytes of each."""
        config = folder.config
        dataset: Dataset = self._datasets.open(config.dataset)
        splits = [config.split] if isinstance(config, PredictConfig) else list(dataset.splits)
        freed = []
        for split in filter(None, splits):
            for sample in (*dataset.samples, *dataset.pool):
                if folder.has_probabilities(split, sample.id):
                    _keep_mask(folder, split, sample)
                    freed.append(folder.drop_probabilities(split, sample.id))
        return freed


def _sizes(folder: RunFolder) -> Iterator[int]:
    """Yield the bytes of each file with probabilities of a prediction."""
    for path in (folder.folder / "probabilities").rglob("*.prob"):
        yield path.stat().st_size


def _keep_mask(folder: RunFolder, split: str, sample: Sample) -> None:
    """Write the mask of stored probabilities, if it is not written yet."""
    if folder.has_mask(split, STAGE, sample.id):
        return
    probabilities, size = folder.read_probabilities(split, sample.id)
    mask = resize_probabilities(probabilities, size).argmax(axis=-1)
    folder.write_mask(
        split,
        STAGE,
        sample.id,
        mask.astype(np.uint8 if probabilities.shape[-1] <= 255 else np.uint16),
    )
