"""Scores after masks were edited: which counts are older than the masks, and counting those anew.

A score belongs to the masks it was counted with. When a mask of a scored split is edited, the counts
of that image are out of date until they are made again from the prediction on disk; nothing is
predicted anew.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Dataset
from segcore.data.editing.versions import edited_samples, last_saves, mask_history, used_at
from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.labels import plural
from segcore.runs.folder.environment import read_environment
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes
from segcore.workspace.runs.runs import Runs
from segcore.workspace.scores.scenes import Scenes
from segcore.workspace.scores.scores import Scores

Progress = Callable[[int, int, str], None]
FILE = "recounted"
"""Name, among a run's measures, of what was counted anew: ids and digests of their masks."""


@dataclass(frozen=True)
class ScoredMasks:
    """Which versions of the masks a score was counted against.

    Attributes:
        fingerprint: Hash of the scored images and their masks, 12 hexadecimal digits: the same
            masks, the same fingerprint.
        images: Scored images.
        edited: Those whose mask was not the imported one.
        outdated: Those whose mask was edited after they were counted.
    """

    fingerprint: str
    images: int
    edited: int
    outdated: int

    @property
    def sentence(self) -> str:
        """What a report says of them."""
        said = f"{self.fingerprint} ({plural(self.images, 'mask')}, {self.edited} edited"
        if self.outdated:
            said += f"; {self.outdated} edited again after this score, which is that of before"
        return f"{said})"


class Recounts:
    """Brings the counts of runs up to edited masks."""

    def __init__(self, datasets: Datasets, runs: Runs, scores: Scores, scenes: Scenes) -> None:
        self._datasets = datasets
        self._runs = runs
        self._scores = scores
        self._scenes = scenes

    def outdated(self, run: str, split: str) -> list[str]:
        """Return the scored images whose mask was edited after a run's counts were made.

        Raises:
            SegcoreError: There is no such run, or a history is damaged.
        """
        folder = self._scores.holder(run, split)
        dataset = self._datasets.open(folder.config.dataset)
        edited = edited_samples(dataset, _counted_at(folder))
        if not edited:
            return []
        known = _recounted(folder, split)
        scored = set(self._scores.sample_ids(run, split))
        return [s for s in edited if s in scored and known.get(s) != dataset.sample(s).mask_digest]

    def scored_masks(self, run: str, split: str) -> ScoredMasks:
        """Return which versions of the masks a run's scores of a split were counted against.

        Raises:
            SegcoreError: The run has no counts of that split, or a history is damaged.
        """
        folder = self._scores.holder(run, split)
        dataset = self._datasets.open(folder.config.dataset)
        counted, recounted = _counted_at(folder), _recounted(folder, split)
        saves, outdated = last_saves(dataset), set(self.outdated(run, split))
        hashed, edited = hashlib.sha256(), 0
        names = sorted(self._scores.sample_ids(run, split))
        for name in names:
            digest = dataset.sample(name).mask_digest
            if name in saves:
                versions = mask_history(dataset, name)
                if name in outdated:
                    used = used_at(versions, counted)
                    digest = recounted.get(name) or (used.digest if used else "")
                edited += digest != versions[0].digest
            hashed.update(f"{name} {digest}\n".encode())
        return ScoredMasks(hashed.hexdigest()[:12], len(names), edited, len(outdated))

    @writes("count a run anew", "Counted the run {run} on {split} anew")
    def recount(self, run: str, split: str, progress: Progress | None = None) -> list[str]:
        """Count the outdated images of a run anew, every stage of it, and return their ids.

        Raises:
            SegcoreError: A prediction is no longer on disk; nothing is changed then.
        """
        outdated = self.outdated(run, split)
        if not outdated:
            return []
        folder = self._scores.holder(run, split)
        dataset = self._datasets.open(folder.config.dataset)
        stages = self._scores.stages(run, split)
        made = {}
        for done, stage in enumerate(stages, 1):
            made[stage] = self._count(run, split, stage, outdated)
            if progress:
                progress(done, len(stages), "outputs counted anew")
        for stage, (ids, counts) in made.items():
            folder.write_counts(split, stage, ids, counts)
        _note(folder, split, dataset, {**_recounted(folder, split), **dict.fromkeys(outdated, "")})
        return outdated

    def _count(
        self, run: str, split: str, stage: str, outdated: list[str]
    ) -> tuple[list[str], SampleCounts]:
        ids, counts = self._scores.counts(run, split, stage)
        labels, place = self._scores.label_set(run), {s: i for i, s in enumerate(ids)}
        name, label_map = self._scenes.dataset_of(run).name, self._scenes.label_map_of(run)
        new = SampleCounts.stack(
            count_confusion(
                self._scenes.truth(name, sample, label_map),
                self._predicted(run, split, stage, sample),
                labels.num_classes,
                labels.ignore_index,
            )
            for sample in outdated
        )
        order = np.arange(len(ids))
        order[[place[sample] for sample in outdated]] = len(ids) + np.arange(len(outdated))
        return ids, SampleCounts.join([counts, new]).select(order)

    def _predicted(self, run: str, split: str, stage: str, sample: str) -> npt.NDArray[Any]:
        folder = self._scores.holder(run, split)
        if folder.has_mask(split, stage, sample):
            return folder.read_mask(split, stage, sample)
        if stage in ("prediction", "ensemble"):
            return self._scenes.prediction(run, split, sample)
        raise SegcoreError(
            f"Expected the {stage} masks of {run!r} on disk, found none of {sample!r}: evaluate "
            f"the {split} split again."
        )


def _counted_at(folder: RunFolder) -> float:
    """Return when a run began to read the masks that it scored, seconds since 1970."""
    starts = read_environment(folder.folder)
    return (starts[-1].time or 0.0) if starts else float(folder.status().created or 0.0)


def _recounted(folder: RunFolder, split: str) -> dict[str, str]:
    kept = folder.read_arrays(split, FILE)
    if kept is None or "digests" not in kept:
        return {}
    return dict(zip(kept["ids"].tolist(), kept["digests"].tolist(), strict=True))


def _note(folder: RunFolder, split: str, dataset: Dataset, samples: dict[str, str]) -> None:
    """Remember with which masks images were counted: those in use now, where none is given."""
    known = {s: digest or dataset.sample(s).mask_digest for s, digest in samples.items()}
    arrays = {
        "ids": np.array(list(known), np.str_),
        "digests": np.array(list(known.values()), np.str_),
    }
    folder.write_arrays(split, FILE, arrays)
