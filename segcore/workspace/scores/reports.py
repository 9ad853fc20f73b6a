"""Reports for reviewers, comparisons of runs, and scores of slices of a split."""

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segcore import __version__, formatting
from segcore.config import EvaluateConfig, RunConfig, TrainConfig, to_json
from segcore.data.files.images import encode_png
from segcore.data.splits.splits import GROUPINGS
from segcore.errors import SegcoreError, unknown
from segcore.evaluation.comparison.comparison import Comparison, compare_reports
from segcore.evaluation.metrics.report import Report
from segcore.evaluation.metrics.slices import SIZE_EDGES, brightness, count_by_size
from segcore.evaluation.metrics.spread import Reliability, reliability
from segcore.evaluation.pages.report_page import Picture, build_page
from segcore.labels import LabelSet
from segcore.postprocess.components import apply_filter
from segcore.runs.machine.disk import replacing
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes
from segcore.workspace.runs.runs import Runs
from segcore.workspace.scores.measurements import Measurements, MeasurementsOf
from segcore.workspace.scores.member_views import mixed_views
from segcore.workspace.scores.recounts import Recounts
from segcore.workspace.scores.scenes import Scenes
from segcore.workspace.scores.scores import Scores


@dataclass(frozen=True)
class ReportDocument:
    """What a report shows.

    Attributes:
        split: Name of the split.
        facts: Versions, datasets and devices.
        configs: Config of each run.
        reports: Scores of each run and stage, by title.
        measurements: What else was measured of it, by title; absent where nothing was.
        against_first: Comparison of each other report with the first.
    """

    split: str
    facts: dict[str, str]
    configs: dict[str, RunConfig]
    reports: dict[str, Report]
    measurements: dict[str, Measurements]
    against_first: dict[str, Comparison]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; ``depth`` holds the measurements."""
        return {
            "split": self.split,
            "facts": self.facts,
            "configs": {run: to_json(config) for run, config in self.configs.items()},
            "reports": {name: report.to_json() for name, report in self.reports.items()},
            "depth": {name: one.to_json() for name, one in self.measurements.items()},
            "against_first": {
                name: comparison.to_json() for name, comparison in self.against_first.items()
            },
        }


Progress = Callable[[int, int, str], None]

LIBRARIES = (
    "numpy",
    "scipy",
    "pandas",
    "Pillow",
    "opencv-python-headless",
    "tensorflow",
    "keras",
    "pydensecrf2",
)
PICTURES = 6
"""Hardest images that a page shows."""

PICTURE_WIDTH = 320

STAGE_TITLES = {
    "prediction": "Prediction",
    "ensemble": "Ensemble",
    "crf": "+ CRF",
    "filter": "+ Filter",
}
"""What the stages of a run are called, by name."""


def output_title(first: str, stage: str) -> str:
    """Return what a stage's output is called: "Ensemble + CRF", "Prediction".

    Args:
        first: The first stage of the run.
        stage: The stage.
    """
    return " ".join(STAGE_TITLES.get(one, one) for one in dict.fromkeys([first, stage]))


class Reports:
    """Reports made from the scores, the scenes and the configs of a workspace."""

    def __init__(
        self,
        datasets: Datasets,
        runs: Runs,
        scores: Scores,
        scenes: Scenes,
        recounts: Recounts,
        measured: MeasurementsOf,
    ) -> None:
        self._datasets = datasets
        self._runs = runs
        self._scores = scores
        self._scenes = scenes
        self._recounts = recounts
        self._measured = measured

    def facts(self, runs: Sequence[str], split: str = "") -> dict[str, str]:
        """Return what a reviewer needs to repeat a report: dataset, masks, devices, versions.

        Args:
            runs: Ids of runs.
            split: The split whose scored masks are named; "" names none.

        Raises:
            SegcoreError: There is no such run or dataset, or one has no counts of the split.
        """
        facts = {"Segscope": __version__, "Python": platform.python_version()}
        for name in LIBRARIES:
            try:
                facts[name] = version(name)
            except PackageNotFoundError:
                continue
        for run in runs:
            folder = self._runs.open(run)
            dataset = self._datasets.open(folder.config.dataset)
            facts.setdefault(f"Dataset {dataset.name}, fingerprint", dataset.fingerprint)
            if split:
                facts[f"{run}, scored masks"] = self._recounts.scored_masks(run, split).sentence
            facts[f"{run}, device"] = folder.status().device or "unknown"
            if isinstance(folder.config, EvaluateConfig):
                views = mixed_views(self._runs, folder.config.members, folder.config.split)
                facts |= {f"{run}, views": views} if views else {}
        return facts

    def reports(self, runs: Sequence[str], split: str) -> dict[str, Report]:
        """Return the reports of all outputs of runs over a split, by title.

        Raises:
            SegcoreError: No run, or one has no counts of that split yet.
        """
        return self._reports_of(self._outputs(list(_headings(runs)), split, ""), split)

    def _outputs(self, runs: Sequence[str], split: str, stage: str) -> dict[str, tuple[str, str]]:
        """All outputs of some runs as (run, stage) by title; of each run the chosen one first."""
        outputs = {}
        for run in runs:
            stages = self._scores.stages(run, split)
            lead = stage if stage in stages else self._scores.usual_stage(run, split)
            for one in sorted(stages, key=lambda s: s != lead):
                outputs[self._title(run, one)] = run, one
        return outputs

    def page(self, runs: Sequence[str], split: str, stage: str = "") -> str:
        """Return a self-contained HTML page about runs; the first is compared with the others.

        Args:
            runs: Ids of runs.
            split: Name of the split.
            stage: The output of each run that leads its others; "" takes the one that the run is
                named for.

        Raises:
            SegcoreError: No run, or one has no counts of that split yet.
        """
        headings = _headings(runs)
        outputs = {
            title.replace(run, headings[run], 1): (run, one)
            for title, (run, one) in self._outputs(runs, split, stage).items()
        }
        lead = next(iter(outputs.values()))[1]
        first = self._scores.stages(runs[0], split)[0]
        configs = {run: to_json(self._runs.open(run).config) for run in runs}
        dataset = self._scenes.dataset_of(runs[0]).name
        return build_page(
            self._reports_of(outputs, split),
            title=f"{', '.join(headings.values())}: evaluation on {dataset}, split {split}",
            output=output_title(first, lead),
            facts=self.facts(runs, split),
            config=configs,
            pictures=self._pictures(runs[0], split, lead),
            depth={name: one.for_page() for name, one in self._depths(outputs, split).items()},
        )

    def _reports_of(self, outputs: Mapping[str, tuple[str, str]], split: str) -> dict[str, Report]:
        return {
            title: self._scores.report(run, split, one) for title, (run, one) in outputs.items()
        }

    def _depths(
        self, outputs: Mapping[str, tuple[str, str]], split: str
    ) -> dict[str, Measurements]:
        measured = {title: self._measured(run, split, one) for title, (run, one) in outputs.items()}
        return {title: depth for title, depth in measured.items() if depth != Measurements()}

    @staticmethod
    def _title(run: str, one: str) -> str:
        return run if one == "prediction" else f"{run} ({one})"

    def document(self, runs: Sequence[str], split: str, stage: str = "") -> ReportDocument:
        """Return what :meth:`page` shows; arguments and errors as there."""
        outputs = self._outputs(list(_headings(runs)), split, stage)
        reports = self._reports_of(outputs, split)
        (_, first), *others = reports.items()
        return ReportDocument(
            split,
            self.facts(runs, split),
            {run: self._runs.open(run).config for run in runs},
            reports,
            self._depths(outputs, split),
            {name: compare_reports(report, first) for name, report in others},
        )

    @staticmethod
    @writes("write a report")
    def write(path: Path, text: str) -> None:
        """Write a text file whole or not at all.

        Raises:
            SegcoreError: The folder cannot be written.
        """
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def compare(
        self, run: str, other: str, split: str, stage: str = "", other_stage: str = ""
    ) -> Comparison:
        """Compare two runs on a split.

        Raises:
            SegcoreError: One has no counts of that split yet.
        """
        return self._scores.compare(run, other, split, stage, other_stage)

    def spread(self, run: str, split: str) -> tuple[list[str], Reliability] | None:
        """Return an ensemble's members and the spread of their scores; None for one network.

        Raises:
            SegcoreError: A member has no counts of that split.
        """
        config = self._runs.open(run).config
        if not isinstance(config, EvaluateConfig) or len(config.members) < 2:
            return None
        return list(config.members), self.reliability(config.members, split)[0]

    def repetitions(self, run: str, split: str) -> list[str]:
        """Return the runs of the same recipe, or an ensemble's members, that were scored."""
        config = self._runs.open(run).config
        if isinstance(config, EvaluateConfig):
            runs = list(config.members)
        elif (
            isinstance(config, TrainConfig) and config.group and config.members_by != "architecture"
        ):  # another network repeats nothing
            runs = [
                r.run for r in self._runs.rows() if r.kind == "train" and r.group == config.group
            ]
        else:
            runs = [run]
        return sorted(name for name in runs if self._scores.has_counts(name, split))

    def reliability(self, runs: Sequence[str], split: str) -> tuple[Reliability, list[str]]:
        """Return the spread of some runs' scores, and why they may not be compared, if so.

        Raises:
            SegcoreError: No run, one has no counts of the split, or their classes are others.
        """
        reports = list(self.reports(runs, split).values())
        if len({report.label_set.num_classes for report in reports}) > 1:
            raise SegcoreError(
                "Expected runs with the same classes, received others: choose runs of one "
                "label set."
            )
        reasons = [
            reason
            for report in reports[1:]
            for reason in reports[0].protocol.differences(report.protocol)
        ]
        return reliability(np.stack([report.counts.total for report in reports])), list(
            dict.fromkeys(reasons)
        )

    def grouping(self, run: str, split: str, stage: str = "", by: str = "") -> list[str]:
        """Return the group of each scored image where groups part them, for clustered intervals.

        Args:
            run: Id of a run.
            split: Name of a split.
            stage: What was scored.
            by: A name in :data:`segcore.data.splits.splits.GROUPINGS`: "folder" (or the recorded
                group) or "prefix" (the name before its number: a drive); "" takes the first of them
                that parts the images.

        Returns:
            One name an image; [] where all images would be in one group, or each in its own.

        Raises:
            SegcoreError: The run has no counts of that split yet, or there is no such grouping.
        """
        if by and by not in GROUPINGS:
            raise unknown("grouping", by, GROUPINGS)
        dataset = self._scenes.dataset_of(run)
        samples = [dataset.sample(name) for name in self._scores.sample_ids(run, split, stage)]
        for grouping in [by] if by else GROUPINGS:
            groups = [GROUPINGS[grouping](sample) for sample in samples]
            if 1 < len(set(groups)) < len(groups):
                return groups
        return []

    def brightness(
        self, run: str, split: str, stage: str = "", progress: Progress | None = None
    ) -> list[float]:
        """Return the mean luma of each scored image, 0..255; reads every image.

        Raises:
            SegcoreError: The run has no counts of that split yet, or an image cannot be read.
        """
        dataset = self._scenes.dataset_of(run)
        names = self._scores.sample_ids(run, split, stage)
        values = []
        for number, name in enumerate(names):
            values.append(brightness(dataset.read_image(dataset.sample(name))))
            if progress:
                progress(number + 1, len(names), name)
        return values

    def sizes(
        self, run: str, split: str, stage: str = "", progress: Progress | None = None
    ) -> tuple[npt.NDArray[np.int64], int]:
        """Count the correct pixels by the size of their true object; reads every mask.

        Returns:
            (C, 3, 3) int64 as :func:`segcore.evaluation.metrics.slices.count_by_size` gives, and
            how many images were looked at (those whose probabilities are on disk).

        Raises:
            SegcoreError: There is no such run, or a file cannot be read.
        """
        dataset, label_map = self._scenes.dataset_of(run), self._scenes.label_map_of(run)
        label_set = self._scores.label_set(run)
        samples = self._scenes.predicted_samples(run, split)
        total = np.zeros((label_set.num_classes, len(SIZE_EDGES) + 1, 3), np.int64)
        for number, sample in enumerate(samples):
            true = self._scenes.truth(dataset.name, sample.id, label_map)
            total += count_by_size(
                true,
                self.predicted(run, split, sample.id, stage),
                label_set.num_classes,
                label_set.ignore_index,
            )
            if progress:
                progress(number + 1, len(samples), sample.id)
        return total, len(samples)

    def predicted(self, run: str, split: str, sample: str, stage: str = "") -> npt.NDArray[Any]:
        """Return the mask of one output of a run, (H, W) uint8 or uint16 indices.

        Args:
            run: Id of the run.
            split: Name of the split.
            sample: Id of the image.
            stage: What was scored.

        Raises:
            SegcoreError: The mask is neither on disk nor can it be computed.
        """
        config = self._runs.open(run).config
        if stage == "crf" and isinstance(config, EvaluateConfig):
            return self._scenes.crf_mask(run, split, sample, config.crf)
        if stage == "filter" and isinstance(config, EvaluateConfig) and config.filter:
            return apply_filter(config.filter, self._scenes.probabilities(run, split, sample))
        return self._scenes.prediction(run, split, sample)

    def _pictures(self, run: str, split: str, stage: str) -> list[Picture]:
        """Return pictures of the hardest images of an output: it is stacked under the others."""
        report = self._scores.report(run, split, stage)
        before = self._scores.stages(run, split)[0]
        stages = list(dict.fromkeys([before, stage]))
        titles = ["image", "ground truth", *(STAGE_TITLES.get(s, s) for s in stages)]
        dataset, label_map, label_set = (
            self._scenes.dataset_of(run),
            self._scenes.label_map_of(run),
            self._scores.label_set(run),
        )
        shown = {sample.id for sample in self._scenes.predicted_samples(run, split)}
        scored = report.image_scores()["mean_iou"]
        pictures: list[Picture] = []
        for position in report.hardest():
            name = report.sample_ids[position]
            if len(pictures) == PICTURES:
                break
            if name not in shown:
                continue
            panels = [
                self._scenes.image(dataset.name, name),
                colored(self._scenes.truth(dataset.name, name, label_map), label_set),
                *(colored(self.predicted(run, split, name, s), label_set) for s in stages),
            ]
            caption = (
                f"{name}: mean IoU {formatting.percent(scored[position])}. "
                f"From above: {', '.join(titles)}."
            )
            pictures.append(
                Picture(caption, encode_png(np.concatenate([_shrunk(panel) for panel in panels])))
            )
        return pictures


def _headings(runs: Sequence[str]) -> dict[str, str]:
    """Return what a page calls each run: its id without the split it was first made for.

    Raises:
        SegcoreError: No run.
    """
    if not runs:
        raise SegcoreError("Expected at least one run to report on, received none: name one.")
    stems = {run: run.rsplit("--", 1)[0] for run in runs}
    return stems if len(set(stems.values())) == len(stems) else {run: run for run in stems}


def colored(mask: npt.NDArray[Any], label_set: LabelSet) -> npt.NDArray[np.uint8]:
    """Paint a mask in the colours of its classes, ignored pixels black.

    Args:
        mask: (H, W) indices 0..C-1 or ``ignore_index``.
        label_set: The classes.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    colors = np.vstack([label_set.colors, np.zeros((1, 3), np.uint8)])
    painted: npt.NDArray[np.uint8] = colors[np.minimum(mask, label_set.num_classes)]
    return painted


def _shrunk(panel: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Bring a picture to :data:`PICTURE_WIDTH` columns where it has more."""
    height, width = panel.shape[:2]
    if width <= PICTURE_WIDTH:
        return panel
    size = (PICTURE_WIDTH, max(1, round(height * PICTURE_WIDTH / width)))
    return np.asarray(cv2.resize(panel, size, interpolation=cv2.INTER_AREA), np.uint8)
