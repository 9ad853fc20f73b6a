"""Imports of predictions: those of any other tool become a run that is scored like the others."""

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from segcore.config import ImportedConfig
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.files.archives import is_archive, unpack
from segcore.data.formats.foreign_predictions import Prediction, match_predictions, read_prediction
from segcore.data.formats.importers.pairs.pairing import Pairing
from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.counts.scores import mean_iou
from segcore.postprocess.ensemble import resize_probabilities
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes
from segcore.workspace.runs.runs import Runs

Progress = Callable[[int, int, str], None]
_NAME = re.compile(r"(?!.*--)[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


@dataclass(frozen=True)
class RefusedFile:
    """A prediction that does not fit.

    Attributes:
        sample: Id of the sample it stands for.
        file: Its path below the folder; several with commas between them.
        why: One sentence.
    """

    sample: str
    file: str
    why: str


@dataclass(frozen=True)
class PredictionReport:
    """What of a folder of predictions fits a split.

    Attributes:
        split: The split.
        samples: How many samples it has.
        fits: Ids of those with a prediction that fits.
        missing: Ids of samples without a file.
        extra: Files of no sample.
        refused: Files that do not fit.
        run: Id of the run that was made, "" where none was.
        mean_iou: Its mean IoU, or None.
    """

    split: str
    samples: int
    fits: Sequence[str]
    missing: Sequence[str]
    extra: Sequence[str]
    refused: Sequence[RefusedFile]
    run: str = ""
    mean_iou: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {**vars(self), "refused": [vars(one) for one in self.refused]}


@dataclass(frozen=True)
class HowToImport:
    """How predictions are matched and read.

    Attributes:
        split: Split whose samples they are matched to.
        values: A name in ``catalog.MASK_VALUES``.
        partial: Whether samples without a prediction that fits may be left out; then fewer images
            are scored than elsewhere.
        match: A regular expression with one group, the part of a name that an image and its
            prediction share; "" for the usual rules.
    """

    split: str = "test"
    values: str = "auto"
    partial: bool = False
    match: str = ""


class Imports:
    """Imports predictions of other tools as runs."""

    def __init__(self, datasets: Datasets, runs: Runs) -> None:
        self._datasets = datasets
        self._runs = runs

    @writes("look at files of this machine")
    def check(
        self,
        dataset: str,
        source: Path,
        how: HowToImport | None = None,
        progress: Progress | None = None,
    ) -> PredictionReport:
        """Read every prediction and report what fits; nothing is kept.

        Raises:
            SegcoreError: As :meth:`import_`, except for what the report lists.
        """
        opened = self._datasets.open(dataset)
        with _unpacked(source) as folder:
            return self._read(opened, folder, how or HowToImport(), None, progress)[0]

    @writes("import predictions", "Imported predictions of {dataset} from {source} as {name}")
    def import_(
        self,
        dataset: str,
        source: Path,
        name: str,
        how: HowToImport | None = None,
        progress: Progress | None = None,
    ) -> PredictionReport:
        """Make a run of predictions: masks, counts, and probabilities where they came.

        An import of the same name and dataset that has no predictions of the split yet gets them
        too, so that one model may hold several splits.

        Args:
            dataset: Name of a dataset.
            source: Folder, zip or tar of masks or arrays (see
                :mod:`segcore.data.formats.foreign_predictions`).
            name: Id of the run.
            how: Split, way to read pixels and names, and what may be left out.
            progress: Called with (done, total, what).

        Raises:
            SegcoreError: The name is unsafe or taken, the dataset, split or folder does not exist,
                the archive is hostile, nothing fits, or something does not fit while ``partial`` is
                false.
        """
        how = how or HowToImport()
        if not _NAME.fullmatch(name):
            raise SegcoreError(
                "Expected a name of up to 60 letters, digits, '.', '_' and '-', no spaces, without "
                f"'--', received {name!r}: choose such a name."
            )
        further = self._further(name, dataset, how.split)
        opened = self._datasets.open(dataset)
        self._runs.folder.mkdir(parents=True, exist_ok=True)
        with (
            _unpacked(source) as folder,
            tempfile.TemporaryDirectory(prefix=".import.", dir=self._runs.folder) as place,
        ):
            draft = RunFolder(Path(place) / name)
            report, counts = self._read(opened, folder, how, draft, progress)
            left_out = report.samples - len(report.fits)
            if not report.fits or (left_out and not how.partial):
                raise SegcoreError(_complaint(report))
            report = replace(report, run=name, mean_iou=float(mean_iou(counts.sum(0))))
            draft.write_counts(how.split, "prediction", report.fits, counts)
            if further is None:
                config = ImportedConfig(dataset, how.split, source.name, how.values, left_out)
                run = RunFolder.create(Path(place) / "made", name, config)
                draft.write_json("labels", {"label_set": opened.label_set.to_json()})
                for part in list(draft.folder.iterdir()):
                    shutil.move(str(part), run.folder / part.name)
                _finish(run, report)
                run.folder.rename(self._runs.folder / name)
            else:
                self._runs.check_classes(name)
                _add_split(draft, further, how.split)
        return report

    def _further(self, name: str, dataset: str, split: str) -> RunFolder | None:
        """Return the import that may take a further split; None where the name is free."""
        if not (self._runs.folder / name).exists():
            return None
        run = self._runs.open(name)
        config = run.config
        if not isinstance(config, ImportedConfig):
            raise SegcoreError(
                f"Expected a new run id, received {name!r}, which exists: choose another "
                f"name, or delete that run (segscope runs delete {name})."
            )
        if config.dataset != dataset:
            raise SegcoreError(
                f"Expected predictions of {config.dataset!r}, which the import {name!r} is about, "
                f"received those of {dataset!r}: choose another name."
            )
        if run.stages(split):
            raise SegcoreError(
                f"Expected a split that {name!r} does not hold yet, received {split!r}, which "
                f"exists there: choose another name, or delete that run (segscope runs delete {name})."
            )
        return run

    def _read(
        self,
        dataset: Dataset,
        folder: Path,
        how: HowToImport,
        run: RunFolder | None,
        progress: Progress | None,
    ) -> tuple[PredictionReport, SampleCounts]:
        """Read what is matched; write it into ``run`` where one is given."""
        split = how.split
        samples = [s for s in dataset.select(split) if s.mask is not None]
        matches = match_predictions(folder, samples, Pairing(match=how.match))
        fits: list[str] = []
        refused = [
            RefusedFile(sample, ", ".join(files), f"{len(files)} files stand for it: keep one")
            for sample, files in matches.twice.items()
        ]
        counts: list[SampleCounts] = []
        for done, (sample_id, path) in enumerate(matches.paths.items(), start=1):
            sample = dataset.sample(sample_id)
            try:
                counts.append(
                    _take(
                        dataset,
                        sample,
                        read_prediction(path, sample, dataset.label_set, how.values),
                        split,
                        run,
                    )
                )
                fits.append(sample_id)
            except SegcoreError as error:
                file = path.relative_to(folder).as_posix()
                refused.append(RefusedFile(sample_id, file, str(error)))
            if progress:
                progress(done, len(matches.paths), sample_id)
        size = dataset.label_set.num_classes
        none = SampleCounts.of(np.zeros((0, size, size), np.int64))
        report = PredictionReport(
            split, len(samples), fits, matches.missing, matches.extra, refused
        )
        return report, SampleCounts.join(counts) if counts else none


def _take(
    dataset: Dataset, sample: Sample, read: Prediction, split: str, run: RunFolder | None
) -> SampleCounts:
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
    matrix = count_confusion(
        dataset.read_mask(sample), mask, label_set.num_classes, label_set.ignore_index
    )
    if run:
        run.write_mask(split, "prediction", sample.id, mask)
        if read.probabilities is not None:
            run.write_probabilities(
                split, sample.id, read.probabilities, (sample.height, sample.width)
            )
    return SampleCounts.stack([matrix])


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
            f"{len(report.refused)} refused (for example {report.refused[0].file!r}: "
            f"{report.refused[0].why.rstrip('.')})"
        )
    if not report.missing and not report.refused:
        parts.append("the split has no image with a mask")
    if report.extra:
        parts.append(f"{len(report.extra)} files of no image (for example {report.extra[0]!r})")
    if report.fits:
        fix = "correct them, or leave them out (--partial)."
    elif report.missing and not report.refused:
        fix = "give predictions the names of their images, or say what they share (--match)."
    else:
        fix = "correct the predictions, or say how pixels are to be read (--values)."
    return (
        f"Expected predictions of all {report.samples} images of {report.split!r}, received "
        f"{'; '.join(parts)}: {fix}"
    )


def _add_split(draft: RunFolder, run: RunFolder, split: str) -> None:
    """Move the predictions of a split into an import; the counts, by which it is known, last."""
    for part in ("probabilities", "masks", "counts"):
        source, target = draft.folder / part / split, run.folder / part / split
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)


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
