"""The left wing's door: one object for all that pages and the shell ask of a workspace folder.

A workspace is a folder: data sets, runs and a queue (``docs/formats.md`` draws it). Every question
goes through one of its shelves, so that a page never reads a pixel or a file itself, and the shell
gives the same answers as the pages.
"""

import os
from functools import partial
from pathlib import Path

from segcore.errors import SegcoreError
from segcore.workspace.ablations.ablations import RecipeStudyShelf
from segcore.workspace.checklist import StepShelf
from segcore.workspace.compression.merges import MergeShelf
from segcore.workspace.compression.tiers import TierShelf
from segcore.workspace.datasets.datasets import DatasetShelf
from segcore.workspace.datasets.tags import TagShelf
from segcore.workspace.demo import Demo
from segcore.workspace.ensembles.crf import CRFShelf
from segcore.workspace.ensembles.ensembles import EnsembleShelf
from segcore.workspace.launch.configs import ConfigShelf
from segcore.workspace.launch.preflight import LaunchShelf
from segcore.workspace.predictions.imported import ImportShelf
from segcore.workspace.predictions.predictions import PredictionShelf
from segcore.workspace.runs.annotations import KeepingShelf
from segcore.workspace.runs.exports import ExportShelf
from segcore.workspace.runs.monitor import WatchShelf
from segcore.workspace.runs.queue import QueueShelf
from segcore.workspace.runs.runs import RunShelf
from segcore.workspace.scores.pixel_metrics import MeasureShelf
from segcore.workspace.scores.rankings import RankingShelf
from segcore.workspace.scores.reports import ReportShelf, depth_of
from segcore.workspace.scores.robustness import RobustnessShelf
from segcore.workspace.scores.scenes import SceneShelf
from segcore.workspace.scores.scores import ScoreShelf
from segcore.workspace.searches import StudyShelf
from segcore.workspace.splits import SplitShelf
from segcore.workspace.version import open_version

__all__ = ["Workspace"]


class Workspace:
    """A workspace folder, opened.

    Attributes:
        folder: Its absolute path; made on first use.
        datasets: What lies in it to learn from.
        tags: What is said about single images.
        splits: What the splits of a data set hold, the way back, and folds.
        runs: What was trained, predicted and evaluated, and what is under way.
        queue: The order in which runs go, and what is held back.
        keeping: What is said about runs, and the trash.
        watch: What runs say while they work.
        configs: Configs by name.
        exports: Runs for other trackers.
        launch: What comes before a start: a suggested plan, estimates, conflicts, many runs at
            once.
        imports: Predictions of other tools, brought in as runs.
        scores: Reports, ensembles and the label-compression what-if.
        scenes: One sample with its masks and probabilities, for looking at.
        rankings: Images in the order of any score, and what one run mends of another.
        reports: What a reviewer is handed, one run against another, and scores of parts of a split.
        measures: What needs every pixel's probabilities: borders, confidence, likely label errors.
        robustness: What corrupted images do to a network's scores.
        merges: One label map, judged on the counts of a run.
        tiers: A merge as promised from counts, with summed probabilities, and retrained.
        ensembles: Who may be a member, what every subset scores, ensembles under a name.
        crf: Whether a CRF helps: one image, a whole split, another split.
        predictions: The user's own images, seen by a trained network or an ensemble.
        studies: Settings searched by trials, each a training run of its own.
        recipe_studies: Recipes that were chosen beforehand, compared with a base over several
            seeds.
        demo: The synthetic set that comes with Segscope.
        steps: Which steps from the demo to a report were done; the start page ticks them.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        """Open a workspace.

        Args:
            folder: Its path; None takes ``$SEGCORE_WORKSPACE``, else ``./workspace``.

        Raises:
            SegcoreError: The path is a file, the folder cannot be made, or a newer version wrote
                what is in it.
        """
        self.folder = (
            Path(folder or os.environ.get("SEGCORE_WORKSPACE") or "workspace")
            .expanduser()
            .resolve()
        )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SegcoreError(
                f"Expected a folder for the workspace, but {self.folder} cannot be made "
                f"({error.strerror}): choose another with --workspace."
            ) from error
        open_version(self.folder)
        self.datasets = DatasetShelf(self.folder / "datasets")
        self.runs = RunShelf(self.folder, self.datasets)
        self.tags = TagShelf(self.datasets)
        self.splits = SplitShelf(self.datasets, self.runs)
        self.queue = QueueShelf(self.folder)
        self.keeping = KeepingShelf(self.folder, self.runs)
        self.launch = LaunchShelf(self.folder, self.datasets, self.runs)
        self.configs = ConfigShelf(self.folder, self.runs)
        self.watch = WatchShelf(self.datasets, self.runs)
        self.exports = ExportShelf(self.folder, self.runs, self.watch)
        self.imports = ImportShelf(self.datasets, self.runs)
        self.scores = ScoreShelf(self.datasets, self.runs)
        self.scenes = SceneShelf(self.datasets, self.runs)
        self.rankings = RankingShelf(self.runs, self.scores, self.scenes)
        self.measures = MeasureShelf(self.scores, self.scenes)
        self.robustness = RobustnessShelf(self.runs, self.scores, self.scenes)
        depth = partial(depth_of, self.measures, self.robustness)
        self.reports = ReportShelf(self.datasets, self.runs, self.scores, self.scenes, depth)
        self.merges = MergeShelf(self.scores, self.reports, self.scenes)
        self.tiers = TierShelf(self.datasets, self.runs, self.scores, self.scenes, self.merges)
        self.ensembles = EnsembleShelf(self.runs, self.scores)
        self.crf = CRFShelf(self.runs, self.scores, self.scenes, self.ensembles)
        self.predictions = PredictionShelf(self.folder / "predictions", self.datasets, self.runs)
        self.studies = StudyShelf(self.folder, self.datasets, self.runs)
        self.recipe_studies = RecipeStudyShelf(self.folder, self.datasets, self.runs, self.scores)
        self.demo = Demo(self.datasets, self.runs)
        self.steps = StepShelf(self.folder, self.datasets, self.runs, self.demo)
