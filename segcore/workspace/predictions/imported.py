"""The shelf of imports: predictions of any other tool become a run that is looked at, scored and compared like the others."""

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.config import ImportedConfig
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.files.archives import is_archive, unpack
from segcore.data.formats.foreign_predictions import Prediction, match_predictions, read_prediction
from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.counts.scores import mean_iou
from segcore.postprocess.ensemble import resize_probabilities
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.runs.runs import Runs

Progress = Callable[[int, int, str], None]
_NAME = re.compile(r"(?!.*--)[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


@dataclass
class PredictionReport:
    """What of a folder of predictions fits a split.

    Attributes:
        split: The split.
        samples: How many samples it has.
        fits: Ids of those with a prediction that fits.
        missing: Ids of samples without a file.
        extra: Files of no sample.
        refused: Files that do not fit: ``{"sample", "file", "why"}``.
        run: Id of the run that was made, "" where none was.
        mean_iou: Its mean IoU, or None.
    """

    split: str
    samples: int
    fits: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)
    run: str = ""
    mean_iou: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return dict(vars(self))


class Imports:
    """Imports predictions of other tools as runs."""

    def __init__(self, datasets: Datasets, runs: Runs) -> None:
        self._datasets = datasets
        self._runs = runs

    def check(
        self,
        dataset: str,
        source: Path,
        split: str = "test",
        values: str = "auto",
        progress: Progress | None = None,
    ) -> PredictionReport:
        """Read every prediction and report what fits; nothing is saved.

        Raises:
            SegcoreError: As :meth:`import_`, but for what the report tells.
        """
        opened = self._datasets.open(dataset)
        with _unpacked(source) as folder:
            report, _ = self._read(opened, folder, split, values, None, progress)
        return report

    def import_(
        self,
        dataset: str,
        source: Path,
        name: str,
        split: str = "test",
        *,
        values: str = "auto",
        partial: bool = False,
        progress: Progress | None = None,
    ) -> PredictionReport:
        """Make a run of the predictions in a folder or archive: masks, counts, probabilities.

        Args:
            dataset: Name of a dataset.
            source: Folder, zip or tar of masks or arrays (see
                :mod:`segcore.data.formats.foreign_predictions`).
            name: Id of the new run.
            split: Split whose samples they are matched to.
            values: A name in ``catalog.MASK_VALUES``.
            partial: Whether samples without a prediction that fits may be left out; then fewer
                images are scored than elsewhere.
            progress: Called with (done, total, what).

        Raises:
            SegcoreError: The name is unsafe or taken, the dataset, split or folder does not exist,
                the archive is hostile, nothing fits, or something does not fit while ``partial`` is
                false.
        """
        self._check_name(name)
        opened = self._datasets.open(dataset)
        config = ImportedConfig(dataset, split, source.name, values)
        self._runs.folder.mkdir(parents=True, exist_ok=True)
        with (
            _unpacked(source) as folder,
            tempfile.TemporaryDirectory(prefix=".import.", dir=self._runs.folder) as place,
        ):
            draft = RunFolder(Path(place) / name)
            report, counts = self._read(opened, folder, split, values, draft, progress)
            left_out = report.samples - len(report.fits)
            if not report.fits or (left_out and not partial):
                raise SegcoreError(_complaint(report))
            config = ImportedConfig(dataset, split, source.name, values, left_out)
            draft.write_counts(split, "prediction", report.fits, counts)
            draft.write_json("labels", {"label_set": opened.label_set.to_json()})
            report.mean_iou = float(mean_iou(counts.sum(0)))
            run = RunFolder.create(Path(place) / "whole", name, config)
            for part in list(draft.folder.iterdir()):
                shutil.move(str(part), run.folder / part.name)
            _finish(run, report)
            run.folder.rename(self._runs.folder / name)
        report.run = name
        return report

    def _check_name(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise SegcoreError(
                "Expected a name of up to 60 letters, digits, '.', '_' and '-', without "
                f"'--', received {name!r}: choose such a name."
            )
        if (self._runs.folder / name).exists():
            raise SegcoreError(
                f"Expected a new run id, received {name!r}, which exists: choose another "
                "name or delete that run."
            )

    def _read(
        self,
        dataset: Dataset,
        folder: Path,
        split: str,
        values: str,
        run: RunFolder | None,
        progress: Progress | None,
    ) -> tuple[PredictionReport, npt.NDArray[np.int64]]:
        """Read what is matched; write it into ``run`` where one is given."""
        samples = [s for s in dataset.select(split) if s.mask is not None]
        matches = match_predictions(folder, samples)
        report = PredictionReport(split, len(samples), missing=matches.missing, extra=matches.extra)
        for sample_id, files in matches.twice.items():
            report.refused.append(
                {
                    "sample": sample_id,
                    "file": ", ".join(files),
                    "why": f"{len(files)} files stand for it: keep one",
                }
            )
        counts = []
        for done, (sample_id, path) in enumerate(matches.paths.items(), start=1):
            sample = dataset.sample(sample_id)
            try:
                counts.append(
                    _take(
                        dataset,
                        sample,
                        read_prediction(path, sample, dataset.label_set, values),
                        split,
                        run,
                    )
                )
                report.fits.append(sample_id)
            except SegcoreError as error:
                report.refused.append(
                    {
                        "sample": sample_id,
                        "file": path.relative_to(folder).as_posix(),
                        "why": str(error),
                    }
                )
            if progress:
                progress(done, len(matches.paths), sample_id)
        size = dataset.label_set.num_classes
        return report, np.stack(counts) if counts else np.zeros((0, size, size), np.int64)


def _take(
    dataset: Dataset, sample: Sample, read: Prediction, split: str, run: RunFolder | None
) -> npt.NDArray[np.int64]:
    """Count one prediction against the truth, and keep it where there is a run."""
    label_set, mask = dataset.label_set, read.mask
    if read.probabilities is not None:
        mask = (
            resize_probabilities(read.probabilities, (sample.height, sample.width))
            .argmax(-1)
            .astype(label_set.mask_dtype)
        )
    if mask is None:
        raise SegcoreError(
            f"Expected a mask or probabilities of {sample.id!r}, received neither: save "
            "one of the two."
        )
    counts = count_confusion(
        dataset.read_mask(sample), mask, label_set.num_classes, label_set.ignore_index
    )
    if run:
        run.write_mask(split, "prediction", sample.id, mask)
        if read.probabilities is not None:
            run.write_probabilities(
                split, sample.id, read.probabilities, (sample.height, sample.width)
            )
    return counts


def _finish(run: RunFolder, report: PredictionReport) -> None:
    """Mark an imported run as finished, with its score and how many images were left out."""
    now, left_out = time.time(), report.samples - len(report.fits)
    run.write_status(
        state="finished",
        progress=1.0,
        started=now,
        finished=now,
        mean_iou=report.mean_iou,
        message=f"{left_out} of {report.samples} images left out" if left_out else "",
    )


def _complaint(report: PredictionReport) -> str:
    parts = []
    if report.missing:
        parts.append(f"{len(report.missing)} missing (for example {report.missing[0]!r})")
    if report.refused:
        parts.append(
            f"{len(report.refused)} refused (for example {report.refused[0]['file']!r}: "
            f"{report.refused[0]['why'].rstrip('.')})"
        )
    if not report.missing and not report.refused:
        parts.append("the split has no image with a mask")
    if report.extra:
        parts.append(f"{len(report.extra)} files of no image (for example {report.extra[0]!r})")
    mend = (
        "mend them, or allow a part."
        if report.fits
        else "check the names and how pixels are to be read."
    )
    return (
        f"Expected predictions of all {report.samples} images of {report.split!r}, received "
        f"{'; '.join(parts)}: {mend}"
    )


@contextmanager
def _unpacked(source: Path) -> Iterator[Path]:
    """The folder of predictions; an archive is checked and unpacked for the while."""
    if not source.is_file():
        yield source
        return
    if not is_archive(source):
        raise SegcoreError(
            f"Expected a folder, zip or tar of predictions, received {source.name}: pack "
            "them as a zip."
        )
    with tempfile.TemporaryDirectory() as folder:
        unpack(source, Path(folder))
        yield Path(folder)
