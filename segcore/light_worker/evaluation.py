"""An evaluate run, carried out: combine the members of each sample, refine by CRF, count. One sample in memory for each process."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.config import EvaluateConfig, TrainConfig
from segcore.data.dataset import Dataset, Sample
from segcore.errors import SegcoreError
from segcore.evaluation.confusion import count_confusion
from segcore.evaluation.scores import mean_iou
from segcore.labels import LabelMap
from segcore.light_worker.pool import map_ahead
from segcore.postprocess.dense_crf import CRFParameters, DenseCRF, require_available
from segcore.postprocess.ensemble import combine_to_size
from segcore.runs.store import RunFolder

Matrix = npt.NDArray[np.int64]

BEAT_SECONDS = 1.0
SAVE_SECONDS = 10.0
PARTIAL = "partial"


class Stopped(Exception):
    """Someone asked the run to stop; what was done so far is on disk."""


@dataclass(frozen=True)
class SampleTask:
    """All that one sample needs, small enough to send to another process.

    Attributes:
        dataset: The data set cut down to this one sample.
        run: Folder of the evaluate run, for the CRF's mask.
        predictions: Folders of the members' predict runs, in the order of the members.
        config: What to do.
        label_map: Merge of labels that the members were trained with, or None.
        reuse: Whether a CRF mask on disk was made from the same predictions and need not be made again.
    """

    dataset: Dataset
    run: Path
    predictions: tuple[Path, ...]
    config: EvaluateConfig
    label_map: LabelMap | None = None
    reuse: bool = False

    @property
    def sample(self) -> Sample:
        """The one sample."""
        return self.dataset.samples[0]


@dataclass(frozen=True)
class SampleCounts:
    """What one sample was counted as.

    Attributes:
        sample: Its id.
        stages: (C, C) int64 pixels by stage ("ensemble", "crf"), rows true, columns predicted; empty without a true mask.
    """

    sample: str
    stages: dict[str, Matrix]


def read_members(task: SampleTask) -> Iterator[npt.NDArray[np.float32]]:
    """Yield each member's probabilities, (h, w, C) float32, at its network's resolution; one is in memory at a time.

    Raises:
        SegcoreError: A member has none of this sample, or its number of classes is not the data set's.
    """
    classes = task.label_map.num_groups if task.label_map else task.dataset.label_set.num_classes
    for folder in task.predictions:
        probabilities, _ = RunFolder(folder).read_probabilities(task.config.split, task.sample.id)
        if probabilities.shape[2] != classes:
            raise SegcoreError(
                f"Expected {classes} classes in the predictions of {folder.name!r}, received {probabilities.shape[2]}: "
                "the data set's classes changed after it was trained; train the member again."
            )
        yield probabilities


def count_sample(task: SampleTask) -> SampleCounts:
    """Combine, refine and count one sample; the CRF's mask goes to the run's folder.

    Raises:
        SegcoreError: Something on disk is missing or damaged, or pydensecrf is not installed.
    """
    sample, config = task.sample, task.config
    label_set = task.label_map.merge_label_set(task.dataset.label_set) if task.label_map else task.dataset.label_set
    probabilities = combine_to_size(read_members(task), (sample.height, sample.width), config.rule)
    masks = {"ensemble": probabilities.argmax(axis=-1).astype(label_set.mask_dtype)}
    if config.crf is not None:
        masks["crf"] = _refined(task, config.crf, probabilities, label_set.mask_dtype)
    if sample.mask is None:
        return SampleCounts(sample.id, {})
    true = task.dataset.read_mask(sample)
    if task.label_map:
        true = task.label_map.apply(true, task.dataset.label_set)
    counted = {stage: count_confusion(true, mask, label_set.num_classes, label_set.ignore_index) for stage, mask in masks.items()}
    return SampleCounts(sample.id, counted)


def _refined(
    task: SampleTask, parameters: CRFParameters, probabilities: npt.NDArray[np.float32], dtype: np.dtype[Any]
) -> npt.NDArray[np.integer]:
    run, split, sample = RunFolder(task.run), task.config.split, task.sample
    if task.reuse:
        try:
            mask = run.read_mask(split, "crf", sample.id)
            if mask.shape == (sample.height, sample.width):
                return mask
        except SegcoreError:
            pass  # not made yet, or cut: make it
    refined = DenseCRF(parameters).refine(probabilities, task.dataset.read_image(sample))
    mask = refined.argmax(axis=-1).astype(dtype)
    run.write_mask(split, "crf", sample.id, mask)
    return mask


def plan_tasks(run: RunFolder) -> list[SampleTask]:
    """Return one task for each sample of the run's split, in the data set's order.

    Raises:
        SegcoreError: The run is of another kind, or the data set, a member or its predictions are missing or do not fit.
    """
    config = run.config
    if not isinstance(config, EvaluateConfig):
        raise SegcoreError(f"Expected an evaluate run, received {run.id!r} of kind {config.kind!r}: the worker with a network runs those.")
    if config.crf is not None:
        require_available()
    runs = run.folder.parent
    dataset = Dataset.open(runs.parent / "datasets" / config.dataset)
    label_maps = set()
    for member in config.members:
        trained = RunFolder.open(runs / member).config
        if not isinstance(trained, TrainConfig):
            raise SegcoreError(f"Expected training runs as members, received {member!r} of kind {trained.kind!r}: name what was trained.")
        label_maps.add(trained.label_map)
    if len(label_maps) != 1:
        raise SegcoreError(f"Expected members trained with one label map, received {sorted(label_maps)}: combine runs that share it.")
    name = label_maps.pop()
    predictions = tuple(runs / f"{member}--{config.split}" for member in config.members)
    made_from = {folder.name: RunFolder(folder).status().finished for folder in predictions}
    label_map = dataset.load_label_map(name) if name else None
    task = SampleTask(dataset, run.folder, predictions, config, label_map, _same_source(run, made_from))
    return [dataclasses.replace(task, dataset=dataclasses.replace(dataset, samples=(s,))) for s in dataset.select(config.split)]


def _same_source(run: RunFolder, made_from: dict[str, float | None]) -> bool:
    """Whether what an earlier attempt left was made from these predictions; notes them for the next attempt."""
    try:
        before = run.read_json("made_from")
    except SegcoreError:
        before = {}
    run.write_json("made_from", made_from)
    return before == made_from


def evaluate_run(run: RunFolder, executor: Executor | None = None, should_stop: Callable[[], bool] = lambda: False, ahead: int = 4) -> None:
    """Carry out an evaluate run and keep its status; a run that was cut goes on where it was.

    Args:
        run: The run; its config says what to do.
        executor: Where samples are worked on; None works on them here, with the same result.
        should_stop: Asked between samples and every half second.
        ahead: Samples under way at a time.

    Raises:
        Stopped: ``should_stop`` said so.
        SegcoreError: As :func:`plan_tasks` and :func:`count_sample`.
    """
    tasks = plan_tasks(run)
    config = tasks[0].config
    stages = ["ensemble"] if config.crf is None else ["ensemble", "crf"]
    counts = _load_partial(run, config.split, stages) if tasks[0].reuse else {}
    todo = [task for task in tasks if task.sample.id not in counts]
    began = saved = time.monotonic()
    beaten = 0.0
    done = 0

    def tick() -> None:
        nonlocal beaten
        if should_stop():
            raise Stopped
        if time.monotonic() - beaten >= BEAT_SECONDS:
            beaten = time.monotonic()
            left = (beaten - began) / done * (len(todo) - done) if done else None
            finished = len(tasks) - len(todo) + done
            run.beat(progress=finished / len(tasks), message=f"{finished} of {len(tasks)} images", seconds_left=left)

    try:
        for result in map_ahead(count_sample, todo, executor, ahead, tick):
            done += 1
            if result.stages:
                counts[result.sample] = result.stages
            if time.monotonic() - saved >= SAVE_SECONDS:
                saved = time.monotonic()
                _save(run, config.split, stages, counts, f"{PARTIAL}/")
    except BaseException:
        _save(run, config.split, stages, counts, f"{PARTIAL}/")
        raise
    ordered = {task.sample.id: counts[task.sample.id] for task in tasks if task.sample.id in counts}
    _save(run, config.split, stages, ordered, "")
    _save(run, config.split, stages, {}, f"{PARTIAL}/")
    if ordered:
        score = float(mean_iou(np.sum([c[stages[-1]] for c in ordered.values()], axis=0)))
        run.write_status(mean_iou=score if np.isfinite(score) else None)


def _save(run: RunFolder, split: str, stages: list[str], counts: dict[str, dict[str, Matrix]], prefix: str) -> None:
    if not counts and not prefix:
        return
    for stage in stages:
        matrices = [c[stage] for c in counts.values()]
        run.write_counts(split, prefix + stage, list(counts), np.stack(matrices) if matrices else np.zeros((0, 1, 1), np.int64))


def _load_partial(run: RunFolder, split: str, stages: list[str]) -> dict[str, dict[str, Matrix]]:
    """What an earlier attempt counted; whatever cannot be read is counted again."""
    found: dict[str, dict[str, Matrix]] = {}
    try:
        for stage in stages:
            for sample, matrix in zip(*run.read_counts(split, f"{PARTIAL}/{stage}"), strict=True):
                found.setdefault(sample, {})[stage] = matrix
    except SegcoreError:
        return {}
    return {sample: matrices for sample, matrices in found.items() if len(matrices) == len(stages)}
