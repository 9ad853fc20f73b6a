"""Scenes to look at: one sample's image, masks and probabilities."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.catalog import kind_words
from segcore.config import EvaluateConfig, ImportedConfig, PredictConfig, TrainConfig, shared_labels
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.errors import SegcoreError
from segcore.labels import LabelMap
from segcore.postprocess.dense_crf import require_available
from segcore.postprocess.ensemble import combine_to_size, resize_probabilities
from segcore.postprocess.parameters import CRFParameters
from segcore.postprocess.submodels import combine_submodels
from segcore.postprocess.uncertainty import entropy, measure_uncertainty
from segcore.runs.dispatch.warm_process import WarmProcess
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.runs.runs import Runs, prediction_id

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[Any]
Probabilities = npt.NDArray[np.float32]

STAGE = "prediction"
_KEPT = 32
"""Splits of runs whose predicted samples are remembered."""


class Scenes:
    """Samples of the datasets with what the runs made of them."""

    def __init__(self, datasets: Datasets, runs: Runs) -> None:
        self._datasets = datasets
        self._runs = runs
        self._warm_process: WarmProcess | None = None
        self._predicted: dict[tuple[str, str], tuple[tuple[object, ...], list[Sample]]] = {}

    def image(self, dataset: str, sample: str) -> Image:
        """Return a sample's image, (H, W, 3) uint8 RGB.

        Raises:
            SegcoreError: There is no such sample, or its file cannot be read.
        """
        opened = self._datasets.open(dataset)
        return opened.read_image(opened.sample(sample))

    def truth(self, dataset: str, sample: str, label_map: LabelMap | None = None) -> Mask:
        """Return a sample's ground truth, (H, W) indices, merged by ``label_map`` if one is given.

        Raises:
            SegcoreError: There is no such sample, or its file cannot be read.
        """
        opened = self._datasets.open(dataset)
        mask = opened.read_mask(opened.sample(sample))
        return label_map.apply(mask, opened.label_set) if label_map else mask

    def predicted_samples(self, run: str, split: str) -> list[Sample]:
        """Return the samples of a split that a run predicted, in the dataset's order.

        Of an ensemble, those for which the probabilities of all members are on disk; of any other
        run, those with probabilities or a mask.

        Raises:
            SegcoreError: There is no such run or split.
        """
        config = self._runs.open(run).config
        dataset = self._datasets.open(config.dataset)
        is_ensemble = isinstance(config, EvaluateConfig)
        if isinstance(config, EvaluateConfig):
            members = [self._prediction(member, split) for member in config.members]
            stored = [member.ids_with_probabilities(split) for member in members]
        else:
            folder = self._prediction(run, split)
            stored = [folder.ids_with_probabilities(split), folder.ids_with_mask(split, STAGE)]
        sources = (dataset, *stored)
        known = self._predicted.get((run, split))
        if known is None or [*map(id, known[0])] != [*map(id, sources)]:
            combine = frozenset.intersection if is_ensemble else frozenset.union
            ids = combine(*stored)
            known = sources, [s for s in dataset.predictable(split) if s.id in ids]
            self._predicted[run, split] = known
            while len(self._predicted) > _KEPT:
                self._predicted.pop(next(iter(self._predicted)), None)
        return list(known[1])

    def _prediction(self, run: str, split: str) -> RunFolder:
        """The folder that holds a single run's predictions of a split; it may not exist."""
        is_holder = _is_prediction(run) or isinstance(self._runs.open(run).config, ImportedConfig)
        return RunFolder(self._runs.folder / (run if is_holder else prediction_id(run, split)))

    def probabilities(
        self,
        run: str,
        split: str,
        sample: str,
        approximate: bool = False,
        size: tuple[int, int] | None = None,
    ) -> Probabilities:
        """Return a run's probabilities; an ensemble's are combined.

        Args:
            run: Id of a run.
            split: Name of the split.
            sample: Id of the sample.
            approximate: Whether the most probable classes will do, where only these were kept.
            size: (height, width) that they are wanted at; None for the sample's own.

        Returns:
            (H, W, C) float32, 0..1, each pixel's row sums to 1.

        Raises:
            SegcoreError: They were not predicted, or not kept whole.
        """
        config = self._runs.open(run).config
        if isinstance(config, EvaluateConfig):
            stored = self._datasets.open(config.dataset).sample(sample)
            members = self._answers(config, split, sample)
            return combine_to_size(
                members, size or (stored.height, stored.width), config.rule, config.weights or None
            )
        probabilities, own = self._stored(run, split, sample, approximate)
        return resize_probabilities(probabilities, size or own)

    def _stored(
        self, run: str, split: str, sample: str, approximate: bool = False
    ) -> tuple[Probabilities, tuple[int, int]]:
        folder = self._runs.open(self._prediction(run, split).id)
        return folder.read_probabilities(split, sample, approximate)

    def _answers(self, config: EvaluateConfig, split: str, sample: str) -> list[Probabilities]:
        """Return what an ensemble combines: each member's probabilities, or submodels combined."""
        stored = [self._stored(m, split, sample)[0] for m in config.members]
        rule = shared_labels(self._trained(config))[1]
        if not rule:
            return stored
        whole = LabelMap.identity(self._datasets.open(config.dataset).label_set.num_classes)
        return [
            combine_submodels(stored, [self.label_map_of(m) or whole for m in config.members], rule)
        ]

    def _trained(self, config: EvaluateConfig) -> list[TrainConfig | ImportedConfig]:
        members = [self._runs.open(member).config for member in config.members]
        return [m for m in members if isinstance(m, (TrainConfig, ImportedConfig))]

    def has_probabilities(
        self, run: str, split: str, sample: str, approximate: bool = False
    ) -> bool:
        """Return whether :meth:`probabilities` would return any: masks alone have none.

        Args:
            run: Id of a run; an ensemble always has them.
            split: Name of the split.
            sample: Id of the sample.
            approximate: As in :meth:`probabilities`.

        Raises:
            SegcoreError: There is no such run.
        """
        if isinstance(self._runs.open(run).config, EvaluateConfig):
            return True
        folder = self._prediction(run, split)
        stored = folder.probabilities_kept(split, sample)
        if stored == "none":  # where nothing was predicted, reading says so
            return not folder.has_mask(split, STAGE, sample)
        return stored == "whole" or approximate

    def stored_mask(self, run: str, split: str, sample: str) -> Mask | None:
        """Return the predicted mask that a run keeps on disk, (H, W) indices; None if it has none.

        Raises:
            SegcoreError: There is no such run, or the mask is damaged.
        """
        if isinstance(self._runs.open(run).config, EvaluateConfig):
            return None
        folder = self._prediction(run, split)
        return (
            folder.read_mask(split, STAGE, sample)
            if folder.has_mask(split, STAGE, sample)
            else None
        )

    def prediction(self, run: str, split: str, sample: str) -> Mask:
        """Return the class that a run gives each pixel, (H, W) indices at the sample's own size.

        Raises:
            SegcoreError: It was not predicted.
        """
        stored = self.stored_mask(run, split, sample)
        if stored is not None:
            return stored
        probabilities = self.probabilities(run, split, sample)
        dtype = np.uint8 if probabilities.shape[-1] <= 255 else np.uint16
        mask: Mask = probabilities.argmax(axis=-1).astype(dtype)
        return mask

    def disagreement(self, run: str, split: str, sample: str) -> Probabilities | None:
        """Return how far an ensemble's members contradict each other, or None for a single network.

        Returns:
            (h, w) float32 at the members' own resolution, 0..1: their generalised Jensen-Shannon
            divergence as a share of the largest possible, log2 of the number of members or of
            classes, whichever is smaller.

        Raises:
            SegcoreError: A member was not predicted.
        """
        config = self._runs.open(run).config
        answers = self._answers(config, split, sample) if isinstance(config, EvaluateConfig) else []
        return _apart(answers) if len(answers) > 1 else None

    def unsureness(self, run: str, split: str, sample: str) -> tuple[float, float]:
        """Return mean entropy and disagreement of an image, as shares 0 to 1 of the most.

        What does not exist (entropy of imported masks, disagreement of one network) is NaN.

        Raises:
            SegcoreError: It was not predicted.
        """
        if not self.has_probabilities(run, split, sample):
            return float("nan"), float("nan")
        config = self._runs.open(run).config
        apart = float("nan")
        if isinstance(config, EvaluateConfig):
            members = self._answers(config, split, sample)
            grid = (members[0].shape[0], members[0].shape[1])
            probabilities = combine_to_size(members, grid, config.rule, config.weights or None)
            if len(members) > 1:
                apart = float(_apart(members).mean())
        else:
            probabilities = self._stored(run, split, sample)[0]
        return float(entropy(probabilities).mean() / np.log2(probabilities.shape[-1])), apart

    def crf_mask(
        self, run: str, split: str, sample: str, parameters: CRFParameters | None = None
    ) -> Mask:
        """Return a run's prediction after the dense CRF, (H, W) uint8 or uint16 indices.

        An evaluate run that was refined with the same parameters has it on disk; otherwise the warm
        worker computes it (the first answer waits for its start).

        Raises:
            SegcoreError: There are no probabilities, or pydensecrf is missing.
        """
        wanted = parameters or CRFParameters()
        config = self._runs.open(run).config
        if isinstance(config, EvaluateConfig) and config.crf == wanted:
            evaluation = self._runs.folder / self._runs.on_split(run, split)
            if evaluation.exists() and "crf" in RunFolder(evaluation).stages(split):
                return RunFolder(evaluation).read_mask(split, "crf", sample)
        if self._warm_process is None:
            self._warm_process = WarmProcess()
        arrays: dict[str, npt.NDArray[Any]] = {
            "probabilities": self.probabilities(run, split, sample),
            "image": self.image(config.dataset, sample),
        }
        _, results = self._warm_process.ask("crf", arrays, parameters=asdict(wanted))
        return results["mask"]

    def require_crf(self) -> None:
        """Do nothing where the dense CRF can run.

        Raises:
            SegcoreError: pydensecrf is missing; the sentence says how to install it.
        """
        require_available()

    def dataset_of(self, run: str) -> Dataset:
        """Return the dataset that a run was trained on or predicts.

        Raises:
            SegcoreError: There is no such run or dataset, or its classes changed after the run.
        """
        self._runs.check_classes(run)
        return self._datasets.open(self._runs.open(run).config.dataset)

    def label_map_of(self, run: str) -> LabelMap | None:
        """Return the label map that a run was trained with, or None.

        Raises:
            SegcoreError: There is no such run.
        """
        config = self._runs.open(run).config
        if isinstance(config, EvaluateConfig):
            shared = shared_labels(self._trained(config))[0]
            return self._datasets.open(config.dataset).load_label_map(shared) if shared else None
        if isinstance(config, PredictConfig):
            return self.label_map_of(config.run)
        if not isinstance(config, (TrainConfig, ImportedConfig)):
            raise SegcoreError(
                f"Expected a run with a label set, received {run!r}, which is {kind_words(config.kind)}: "
                "choose a training run."
            )
        return (
            self._datasets.open(config.dataset).load_label_map(config.label_map)
            if config.label_map
            else None
        )


def _apart(members: Sequence[Probabilities]) -> Probabilities:
    """Return the divergence of members as a share of the most, (h, w) as the first one."""
    grid = (members[0].shape[0], members[0].shape[1])
    same = (m if m.shape[:2] == grid else resize_probabilities(m, grid) for m in members)
    most = np.float32(np.log2(min(len(members), members[0].shape[-1])))
    share: Probabilities = np.clip(measure_uncertainty(same).disagreement / most, 0, 1)
    return share


def _is_prediction(run: str) -> bool:
    return "--" in run
