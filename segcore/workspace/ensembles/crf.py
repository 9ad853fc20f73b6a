"""The CRF after an ensemble: one image, a search on a split, and its use on another split."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.catalog import kind_words
from segcore.config import CRFSearchConfig, TrainConfig
from segcore.data.dataset.dataset import Dataset
from segcore.errors import SegcoreError
from segcore.evaluation.comparison.comparison import Comparison
from segcore.evaluation.comparison.crf_effect import verdict
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.counts.scores import iou, mean_iou, mean_present
from segcore.evaluation.metrics.boundary import boundary_iou, count_boundary
from segcore.evaluation.metrics.report import plain
from segcore.labels import LabelSet
from segcore.postprocess.dense_crf import require_available
from segcore.postprocess.ensemble import combine_to_size
from segcore.postprocess.parameters import CRFParameters, MaskFilter
from segcore.runs.dispatch.warm_process import WarmProcess
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace.ensembles.ensembles import Ensembles
from segcore.workspace.ensembles.results import CRFSearchResult, read_search
from segcore.workspace.rights import writes
from segcore.workspace.runs.run_ids import crf_search_id
from segcore.workspace.runs.runs import Runs
from segcore.workspace.scores.scenes import Scenes
from segcore.workspace.scores.scores import Scores

Probabilities = npt.NDArray[np.float32]
Mask = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class ImageScore:
    """Scores of one image, 0 to 1; NaN for what is undefined.

    Attributes:
        mean_iou: Mean IoU.
        boundary_iou: Mean boundary IoU.
        iou: IoU of each class, (C,) float64.
    """

    mean_iou: float
    boundary_iou: float
    iou: npt.NDArray[np.float64]


@dataclass(frozen=True)
class CRFVerdict:
    """Whether a stage after an ensemble helps on a split.

    Attributes:
        comparison: With the stage minus without it.
        sentence: The verdict in words.
    """

    comparison: Comparison
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON-ready mapping."""
        return {"comparison": self.comparison.to_json(), "sentence": self.sentence}


@dataclass(frozen=True, eq=False)
class Scene:
    """One image with the combination of its members.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        truth: (H, W) ground truth, indices of ``label_set``; None where there is none.
        probabilities: (H, W, C) float32, the members combined.
        label_set: The classes.
    """

    image: npt.NDArray[np.uint8]
    truth: Mask | None
    probabilities: Probabilities
    label_set: LabelSet

    def score(self, mask: Mask) -> ImageScore:
        """Score a prediction of this image, (H, W) indices.

        Raises:
            SegcoreError: The image has no ground-truth mask.
        """
        if self.truth is None:
            raise SegcoreError(
                "Expected an image with a ground-truth mask to score, received one without: choose "
                "another image."
            )
        size, ignored = self.label_set.num_classes, self.label_set.ignore_index
        counts = count_confusion(self.truth, mask, size, ignored)
        near = count_boundary(self.truth, mask, size, ignored)
        boundary = float(mean_present(boundary_iou(near)))
        return ImageScore(float(mean_iou(counts)), boundary, iou(counts))


class CRFEffects:
    """Questions about the dense CRF after some members."""

    def __init__(self, runs: Runs, scores: Scores, scenes: Scenes, ensembles: Ensembles) -> None:
        self._runs = runs
        self._scores = scores
        self._scenes = scenes
        self._ensembles = ensembles
        self._warm_process: WarmProcess | None = None

    def stored(self, members: Sequence[str], split: str) -> list[str]:
        """Return the ids of the samples whose members' probabilities are all on disk, in order.

        Raises:
            SegcoreError: A member or the split does not exist.
        """
        folders = [
            RunFolder(self._runs.folder / self._runs.prediction_of(m, split)) for m in members
        ]
        stored = [folder.ids_with_probabilities(split) for folder in folders]
        return [
            s.id for s in self._dataset(members).select(split) if all(s.id in ids for ids in stored)
        ]

    def member_probabilities(
        self, members: Sequence[str], split: str, sample: str
    ) -> list[Probabilities]:
        """Return each member's probabilities, (h, w, C) float32 at its network's resolution.

        Raises:
            SegcoreError: There are none, or they are damaged.
        """
        return [
            RunFolder(self._runs.folder / self._runs.prediction_of(m, split)).read_probabilities(
                split, sample
            )[0]
            for m in members
        ]

    def scene(
        self,
        members: Sequence[str],
        split: str,
        sample: str,
        rule: str = "mean",
        weights: Sequence[float] = (),
    ) -> Scene:
        """Read one image with its truth and the members' combination.

        Raises:
            SegcoreError: Something is missing or damaged.
        """
        dataset, label_map = self._dataset(members), self._scenes.label_map_of(members[0])
        stored = dataset.sample(sample)
        return Scene(
            dataset.read_image(stored),
            self._scenes.truth(dataset.name, sample, label_map)
            if stored.mask is not None
            else None,
            combine_to_size(
                self.member_probabilities(members, split, sample),
                (stored.height, stored.width),
                rule,
                weights or None,
            ),
            self._scores.label_set(members[0]),
        )

    def _dataset(self, members: Sequence[str]) -> Dataset:
        return self._scenes.dataset_of(members[0])

    def refine(
        self, scene: Scene, parameters: CRFParameters, preview: bool = False
    ) -> tuple[Mask, float]:
        """Refine one image in the warm worker; the first answer waits for its start.

        Args:
            scene: The image.
            parameters: The CRF.
            preview: Whether half the size will do; label what comes back a preview.

        Returns:
            (H, W) indices, and how many seconds the worker took.

        Raises:
            SegcoreError: pydensecrf is missing, or the worker gave no answer.
        """
        require_available()
        if self._warm_process is None:
            self._warm_process = WarmProcess()
        arrays: dict[str, npt.NDArray[Any]] = {
            "probabilities": scene.probabilities,
            "image": scene.image,
        }
        answer, results = self._warm_process.ask(
            "crf", arrays, parameters=asdict(parameters), preview=preview
        )
        return results["mask"], float(answer["seconds"])

    @writes("start a CRF search")
    def start(self, config: CRFSearchConfig) -> str:
        """Start a search unless it is done or running; return the run id.

        Raises:
            SegcoreError: Members do not fit together, the split does not exist, or pydensecrf is
                missing.
        """
        require_available()
        self._runs.check_split(config.members, config.split)
        predictions = self._ensembles.predict_missing(config.members, [config.split])
        run = crf_search_id(config)
        self._runs.ensure(run, config, self._runs.newest(predictions), after=predictions)
        return run

    def search_run(self, config: CRFSearchConfig) -> str | None:
        """Return the id of the run that :meth:`start` makes, where it exists."""
        run = crf_search_id(config)
        return run if (self._runs.folder / run).exists() else None

    def searches(self, members: Sequence[str]) -> list[str]:
        """Return the ids of the searches over exactly these members, newest first."""
        searches = []
        for row in self._runs.rows():
            if row.kind == "crf_search":
                try:
                    config = self._runs.open(row.run).config
                except SegcoreError:
                    continue
                if isinstance(config, CRFSearchConfig) and config.members == tuple(members):
                    searches.append(row.run)
        return searches

    def search(self, run: str) -> CRFSearchResult:
        """Return what a finished search found.

        Raises:
            SegcoreError: The run has not finished, or is another.
        """
        folder = self._runs.open(run)
        if not isinstance(folder.config, CRFSearchConfig):
            raise SegcoreError(
                f"Expected a CRF search, received {run!r}, which is {kind_words(folder.config.kind)}: "
                "start a search first."
            )
        return read_search(folder.read_json("crf_search"), self._ensembles.is_stale(run))

    @writes("apply a CRF")
    def apply(
        self, run: str, split: str = "test", *, filter: MaskFilter | None = None, name: str = ""
    ) -> str:
        """Apply the parameters of a search to another split as an evaluate run; return its id.

        The best CRF is applied also where "off" was better, so that the other split may be asked as
        well.

        Args:
            run: A finished search.
            split: The split to be scored.
            filter: A plain filter to be scored as well.
            name: What to call the ensemble; "" for no name.

        Raises:
            SegcoreError: The search has not finished, or the name is taken.
        """
        searched = self.search(run)
        return self._ensembles.combine(
            searched.members,
            split,
            rule=searched.rule,
            weights=searched.weights,
            crf=searched.parameters,
            filter=filter,
            name=name,
        )

    def applied(
        self, run: str, split: str = "test", *, filter: MaskFilter | None = None
    ) -> str | None:
        """Return the id of the run that :meth:`apply` makes, where it exists.

        Raises:
            SegcoreError: The search has not finished.
        """
        searched = self.search(run)
        return self._ensembles.combined(
            searched.members,
            split,
            rule=searched.rule,
            weights=searched.weights,
            crf=searched.parameters,
            filter=filter,
        )

    def verdict(self, run: str, split: str, stage: str = "crf") -> CRFVerdict:
        """Judge whether a stage of an evaluate run helps on a split, against the plain ensemble.

        Raises:
            SegcoreError: The run has no counts of that stage.
        """
        comparison = self._scores.compare(run, run, split, stage, "ensemble")
        chosen_on = split if comparison.chosen else ""
        return CRFVerdict(comparison, verdict("mean IoU", comparison.difference, chosen_on))

    def layered(self, dataset: str, split: str) -> dict[str, float | None]:
        """Return the mean IoU on a split of each scored network that ends in a trained CRF."""
        layered = {}
        for run in self._ensembles.candidates(dataset):
            config = self._runs.open(run).config
            if (
                isinstance(config, TrainConfig)
                and config.model.architecture == "unet_crf"
                and self._scores.has_counts(run, split)
            ):
                counts = self._scores.counts(run, split)[1]
                layered[run] = plain(float(mean_iou(counts.sum(0))))
        return layered
