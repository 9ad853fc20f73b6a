"""Whether scores stand for the images that a split has now, and whether training has seen those images."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from segcore.config import EvaluateConfig, ImportedConfig, PredictConfig, TrainConfig
from segcore.data.dataset.split_history import splits_changed
from segcore.errors import SegcoreError
from segcore.labels import plural
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.seen_samples import read_seen
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.runs.rows import OWN_SIZE, RunRow


class ScoredImages:
    """Compares the images behind scores with the splits of today."""

    def __init__(self, datasets: Datasets, folder: Path) -> None:
        self._datasets = datasets
        self._folder = folder
        self._known: dict[tuple[object, ...], str] = {}

    def unlike_split(self, run: RunFolder, split: str, stage: str) -> str:
        """Say how the images that a run has counts of differ from those of a split; "" if they do not.

        An import may hold a part of a split; any other run counts each image that has a mask.

        Raises:
            SegcoreError: There are no such counts, or they are damaged.
        """
        dataset = self._datasets.open(run.config.dataset)
        key = (run.id, split, stage, *run.counts_stamp(split, stage), dataset.fingerprint)
        if key not in self._known:
            self._known[key] = self._compare(run, split, stage)
        return self._known[key]

    def _compare(self, run: RunFolder, split: str, stage: str) -> str:
        counted = set(run.read_counted_ids(split, stage))
        try:
            samples = self._datasets.open(run.config.dataset).select(split)
        except SegcoreError:
            return f"{plural(len(counted), 'image')} of a split that is no more"
        wanted = {sample.id for sample in samples if sample.mask}
        if isinstance(run.config, ImportedConfig):
            wanted &= counted
        if counted == wanted:
            return ""
        return (
            f"{plural(len(counted), 'image')}, of which {len(counted & wanted):,} are among the "
            f"{len(wanted):,} that it has now"
        )

    def mark_earlier(self, rows: Sequence[RunRow]) -> list[RunRow]:
        """Return rows of runs with those marked whose score is of images that its split had earlier.

        Only runs that began before the last change of their dataset's splits are looked at.
        """
        folder = self._datasets.folder
        changed = {name: splits_changed(folder / name) for name in {row.dataset for row in rows}}
        return [
            replace(row, earlier=True)
            if (row.status.started or math.inf) < changed[row.dataset] and self._is_earlier(row)
            else row
            for row in rows
        ]

    def _is_earlier(self, row: RunRow) -> bool:
        if row.scored_size != OWN_SIZE or row.status.state != "finished":
            return False
        run = RunFolder(self._folder / row.run)
        try:
            return any(
                self.unlike_split(run, row.scored_split, stage)
                for stage in run.stages(row.scored_split)
            )
        except SegcoreError:
            return False

    def require_current(self, run: RunFolder, split: str, stage: str) -> None:
        """Refuse counts of other images than a split has now.

        Raises:
            SegcoreError: They are; the sentence says how to score the split as it is.
        """
        unlike = self.unlike_split(run, split, stage)
        if not unlike:
            return
        again = f"segscope predict {run.id.removesuffix('--' + split)} --split {split}"
        if isinstance(run.config, ImportedConfig):
            again = "segscope import-predictions"
        raise SegcoreError(
            f"Expected scores of the images that {split!r} of {run.config.dataset!r} has now, found "
            f"those of {unlike}: the splits were changed since, score it again ({again})."
        )

    def seen(self, run: RunFolder, holder: RunFolder, split: str, stage: str) -> str:
        """Say how many scored images the training of a run, or of its members, has seen; "" if none.

        Images that chose the best epoch count where another split than that is scored. Of a training
        older than this note nothing is known.

        Args:
            run: A training, a prediction, an ensemble.
            holder: The run that holds the counts.
            split: What is scored.
            stage: What was counted.

        Raises:
            SegcoreError: There are no such counts, or they are damaged.
        """
        key = ("seen", run.id, holder.id, split, stage, *holder.counts_stamp(split, stage))
        if key not in self._known:
            self._known[key] = self._find_seen(
                run, split, set(holder.read_counted_ids(split, stage))
            )
        return self._known[key]

    def _find_seen(self, run: RunFolder, split: str, scored: set[str]) -> str:
        trained: set[str] = set()
        chosen: set[str] = set()
        for training in self._trainings(run, set()):
            config, read = training.config, read_seen(training)
            if read is None:
                continue
            trained |= read["train"]
            if isinstance(config, TrainConfig) and config.validation_split != split:
                chosen |= read["validation"]
        both = scored & trained, (scored & chosen) - trained
        parts = [
            f"{len(one):,} {'was' if len(one) == 1 else 'were'} {what}"
            for one, what in zip(both, ("trained on", "used to choose the epoch"), strict=True)
            if one
        ]
        return f"Of these images {' and '.join(parts)}: the scores flatter." if parts else ""

    def _trainings(self, run: RunFolder, met: set[str]) -> Iterator[RunFolder]:
        """Yield the trainings behind a run, once each; runs that were deleted are left out."""
        if run.id in met or not run.folder.is_dir():
            return
        met.add(run.id)
        config = run.config
        behind: tuple[str, ...] = ()
        if isinstance(config, TrainConfig):
            yield run
            start = Path(config.model.weights).parent
            behind = config.averaging.members if config.averaging else ()
            behind += (start.name,) if start.parent == self._folder else ()
        elif isinstance(config, PredictConfig):
            behind = (config.run,)
        elif isinstance(config, EvaluateConfig):
            behind = config.members
        for name in behind:
            yield from self._trainings(RunFolder(self._folder / name), met)
