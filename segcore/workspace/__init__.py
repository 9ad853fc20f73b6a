"""One object for everything that pages and the shell ask of a workspace folder.

A workspace is a folder: datasets, runs and a queue (``docs/formats.md`` draws it). Every question
goes through one of its parts, so that a page reads no pixel or file itself, and the shell gives the
same answers as the pages.
"""

import os
from functools import partial
from pathlib import Path

from segcore.errors import SegcoreError
from segcore.workspace.ablations.ablations import Ablations
from segcore.workspace.checklist import Checklist
from segcore.workspace.compression.back_offs import BackOffs
from segcore.workspace.compression.merges import Merges
from segcore.workspace.compression.tiers import Tiers
from segcore.workspace.datasets.bands import DatasetBands
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.datasets.label_maps import LabelMaps
from segcore.workspace.datasets.pool import UnlabelledPool
from segcore.workspace.datasets.tags import DatasetTags
from segcore.workspace.demo import Demo
from segcore.workspace.ensembles.crf import CRFEffects
from segcore.workspace.ensembles.ensembles import Ensembles
from segcore.workspace.ensembles.network_verdict import NetworkVerdicts
from segcore.workspace.ensembles.one_network import OneNetworks
from segcore.workspace.fixes import LabelFixes
from segcore.workspace.history import History
from segcore.workspace.label_next.annotations import Annotations
from segcore.workspace.label_next.label_next import LabelNext
from segcore.workspace.launch.configs import Configs
from segcore.workspace.launch.doctor import Doctor
from segcore.workspace.launch.preflight import Launches
from segcore.workspace.launch.throughput import Throughputs
from segcore.workspace.learning_curves import LearningCurves
from segcore.workspace.mask_changes import MaskChanges
from segcore.workspace.masks import MaskEdits
from segcore.workspace.predictions.batches import Batches
from segcore.workspace.predictions.imported import Imports
from segcore.workspace.predictions.predictions import Predictions
from segcore.workspace.predictions.scenes import ScenePredictions
from segcore.workspace.proposals import MaskProposals
from segcore.workspace.retraining import Retrainings
from segcore.workspace.rights import note_in
from segcore.workspace.runs.annotations import RunAnnotations
from segcore.workspace.runs.exports import Exports
from segcore.workspace.runs.monitor import Monitors
from segcore.workspace.runs.queue import QueuedRuns
from segcore.workspace.runs.runs import Runs
from segcore.workspace.runs.schedulers import Schedulers
from segcore.workspace.runs.storage import ProbabilityStorage
from segcore.workspace.scores.measurements import depth_of
from segcore.workspace.scores.pixel_metrics import RunPixelMetrics
from segcore.workspace.scores.rankings import Rankings
from segcore.workspace.scores.recounts import Recounts
from segcore.workspace.scores.reports import Reports
from segcore.workspace.scores.robustness import RobustnessTests
from segcore.workspace.scores.scenes import Scenes
from segcore.workspace.scores.scores import Scores
from segcore.workspace.searches import Searches
from segcore.workspace.splits import Splits
from segcore.workspace.version import open_version

__all__ = ["Workspace"]


def workspace_folder(folder: str | Path | None = None) -> Path:
    """Return the path of a workspace; None takes ``$SEGCORE_WORKSPACE``, else ``./workspace``."""
    path = Path(folder or os.environ.get("SEGCORE_WORKSPACE") or "workspace")
    return path.expanduser().resolve()


def _opened(folder: Path) -> Path:
    """Make a workspace's folder where it is new, bring it up to this version, and return it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SegcoreError(
            f"Expected a folder for the workspace, but {folder} cannot be made "
            f"({error.strerror}): choose another with --workspace."
        ) from error
    open_version(folder)
    return folder


class Workspace:
    """A workspace folder, opened.

    Attributes:
        folder: Its absolute path; created on first use.
        datasets: Its datasets.
        bands: Bands that keep their values: figures, and which are shown.
        pool: Images without masks that wait to be labelled.
        tags: Tags of single images.
        label_next: Which unlabelled images to label next, and why.
        annotation_tools: Images for annotation tools, and their answers taken back.
        label_maps: Named merges of classes.
        masks: Editing of masks, every version kept.
        proposals: Regions proposed while a mask is edited: strokes that spread, objects cut out.
        splits: Contents and history of splits, and folds.
        runs: Runs that train, predict and evaluate, finished or not.
        queue: The order of the runs, and which are held.
        schedulers: Slurm and Kubernetes, where their clients are installed.
        annotations: Stars, tags and notes of runs, and the trash.
        monitor: What runs record while they work.
        configs: Configs by name.
        exports: Export of runs to other trackers.
        launch: Before a start: a suggested config, estimates, conflicts, grids of runs.
        throughput: How fast a run will be, probed or estimated.
        doctor: What this machine can train on, checked.
        imports: Predictions of other tools, imported as runs.
        scores: Reports and ensembles.
        probability_storage: Disk space of probabilities: estimated before, freed afterwards.
        scenes: One sample with its masks and probabilities.
        recounts: Scores brought up to edited masks.
        mask_changes: Which runs are older than the masks of today.
        learning_curves: The score against the number of training images.
        retrainings: Runs trained again on fixed masks, and what that bought.
        rankings: Images in the order of any score, and what one run fixes and breaks of another.
        reports: Reports for reviewers, comparisons of runs, and scores of slices of a split.
        pixel_metrics: What needs every pixel: boundaries, calibration, likely label errors.
        fixes: A work list of suspected labels, and what was decided about them.
        robustness: What corrupted images do to a network's scores.
        merges: The label-compression what-if, and one label map judged on the counts of a run.
        tiers: A merge predicted from counts, with summed probabilities, and retrained.
        back_offs: Labels that back off to a group where the finest cannot be promised.
        ensembles: Possible members, the score of every subset, named ensembles.
        one_networks: One network in place of an ensemble: distilled, or weights averaged.
        network_verdicts: Such a network against its ensemble and its best member.
        crf: Whether a CRF helps: one image, a whole split, another split.
        predictions: Predictions of the user's own images by a network or an ensemble.
        scene_predictions: The same for rasters of any size, and their polygons.
        searches: Hyperparameter searches, each trial a training run of its own.
        ablations: Chosen recipes, compared with a base over several seeds.
        demo: The synthetic set that comes with Segscope.
        history: What was done here, and by whom.
        checklist: Which steps from the demo to a report were done; the start page ticks them.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        """Open a workspace.

        Args:
            folder: Its path; None takes ``$SEGCORE_WORKSPACE``, else ``./workspace``.

        Raises:
            SegcoreError: The folder cannot be made, or a newer version wrote what is in it.
        """
        self.folder = _opened(workspace_folder(folder))
        self.datasets = datasets = Datasets(self.folder / "datasets")
        self.runs = runs = Runs(self.folder, datasets)
        self.bands = DatasetBands(datasets)
        self.tags = DatasetTags(datasets)
        self.pool = UnlabelledPool(datasets)
        self.label_maps = LabelMaps(datasets)
        self.splits = Splits(datasets, runs)
        self.queue = QueuedRuns(self.folder)
        self.schedulers = Schedulers(self.folder)
        self.annotations = RunAnnotations(self.folder, runs)
        self.launch = Launches(self.folder, datasets, runs)
        self.throughput = Throughputs(self.folder, datasets, runs)
        self.doctor = Doctor(self.folder)
        self.configs = Configs(self.folder, runs)
        self.monitor = Monitors(datasets, runs)
        self.exports = Exports(self.folder, runs, self.monitor)
        self.imports = Imports(datasets, runs)
        self.scores = scores = Scores(datasets, runs)
        self.probability_storage = ProbabilityStorage(datasets, runs)
        self.scenes = scenes = Scenes(datasets, runs)
        self.label_next = LabelNext(datasets, runs, scenes)
        self.masks = MaskEdits(datasets, runs, scenes)
        self.proposals = MaskProposals(self.folder, datasets, scenes)
        self.annotation_tools = Annotations(datasets, scenes, self.masks)
        self.recounts = Recounts(datasets, runs, scores, scenes)
        self.mask_changes = MaskChanges(datasets, runs, self.recounts)
        self.learning_curves = LearningCurves(self.folder, datasets, runs, scores)
        self.retrainings = Retrainings(datasets, runs, scores, self.masks, self.recounts)
        self.rankings = Rankings(runs, scores, scenes)
        self.pixel_metrics = RunPixelMetrics(scores, scenes)
        self.fixes = LabelFixes(datasets, scores, scenes, self.pixel_metrics)
        self.robustness = RobustnessTests(runs, scores, scenes)
        depth = partial(depth_of, self.pixel_metrics, self.robustness)
        self.reports = Reports(datasets, runs, scores, scenes, self.recounts, depth)
        self.merges = Merges(runs, scores, scenes)
        self.tiers = Tiers(datasets, runs, scores, scenes, self.merges)
        self.ensembles = Ensembles(runs, scores)
        self.one_networks = OneNetworks(datasets, runs)
        self.network_verdicts = NetworkVerdicts(runs, scores, self.pixel_metrics, self.one_networks)
        self.crf = CRFEffects(runs, scores, scenes, self.ensembles)
        self.predictions = Predictions(Batches(self.folder / "predictions"), datasets, runs)
        self.scene_predictions = ScenePredictions(self.predictions)
        self.back_offs = BackOffs(runs, scores, scenes, self.merges, self.tiers, self.predictions)
        self.searches = Searches(self.folder, datasets, runs)
        self.ablations = Ablations(self.folder, datasets, runs, scores)
        self.demo = Demo(datasets, runs)
        self.checklist = Checklist(self.folder, datasets, runs, self.demo)
        self.history = History(self.folder)
        for part in (*vars(self).values(), self.predictions.batches):
            note_in(self.history, part)
