"""An evaluate run: combine the members of each sample, refine by CRF or filter, count."""

import dataclasses
import json
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segcore.config import EvaluateConfig, to_json
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.counts.scores import mean_iou
from segcore.light_worker.journal import Arrays, Journal
from segcore.light_worker.members import Members, find_members
from segcore.light_worker.pool import map_ahead
from segcore.light_worker.progress import Progress
from segcore.postprocess.components import apply_filter
from segcore.postprocess.dense_crf import DenseCRF, require_available
from segcore.postprocess.ensemble import combine_to_size
from segcore.runs.folder.run_folder import RunFolder

Matrix = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SampleTask:
    """All that one sample needs, small enough to send to another process.

    Attributes:
        members: The members, with the dataset cut down to this one sample.
        run: Folder of the evaluate run, for the masks.
        config: What to do.
        reuse: Whether a mask on disk was made from the same predictions and need not be made again.
    """

    members: Members
    run: Path
    config: EvaluateConfig
    reuse: bool = False

    @property
    def sample(self) -> Sample:
        """The one sample."""
        return self.members.dataset.samples[0]

    @property
    def dataset(self) -> Dataset:
        """The dataset cut down to the sample."""
        return self.members.dataset


@dataclass(frozen=True)
class CountedSample:
    """What one sample was counted as.

    Attributes:
        sample: Its id.
        stages: (C, C) int64 pixels by stage ("ensemble", "crf", "filter"), rows true, columns
            predicted; empty without a ground-truth mask.
    """

    sample: str
    stages: dict[str, Matrix]


def stages_of(config: EvaluateConfig) -> list[str]:
    """Return the names of what an evaluate run counts."""
    return ["ensemble", *(["crf"] if config.crf else []), *(["filter"] if config.filter else [])]


def count_sample(task: SampleTask) -> CountedSample:
    """Combine, refine, filter and count one sample; masks go to the run's folder.

    Raises:
        SegcoreError: Something on disk is missing or damaged, or pydensecrf is not installed.
    """
    sample, config, label_set = task.sample, task.config, task.members.label_set
    probabilities = combine_to_size(
        task.members.read(sample),
        (sample.height, sample.width),
        config.rule,
        config.weights or None,
    )
    masks = {"ensemble": probabilities.argmax(axis=-1).astype(label_set.mask_dtype)}
    crf, plain = config.crf, config.filter
    if crf is not None:
        masks["crf"] = _stored(
            task,
            "crf",
            lambda: (
                DenseCRF(crf).refine(probabilities, task.dataset.read_image(sample)).argmax(axis=-1)
            ),
        )
    if plain is not None:
        masks["filter"] = _stored(task, "filter", lambda: apply_filter(plain, probabilities))
    if sample.mask is None:
        return CountedSample(sample.id, {})
    true = task.members.truth(sample)
    counted = {
        stage: count_confusion(true, mask, label_set.num_classes, label_set.ignore_index)
        for stage, mask in masks.items()
    }
    return CountedSample(sample.id, counted)


def _stored(
    task: SampleTask, stage: str, make: Callable[[], npt.NDArray[np.integer]]
) -> npt.NDArray[np.integer]:
    """Return the mask of a stage: that of an earlier attempt where it may be reused, else new."""
    run, split, sample = RunFolder(task.run), task.config.split, task.sample
    if task.reuse:
        try:
            mask = run.read_mask(split, stage, sample.id)
            if mask.shape == (sample.height, sample.width):
                return mask
        except SegcoreError:
            pass  # not made yet, or cut: make it
    mask = make().astype(task.members.label_set.mask_dtype)
    run.write_mask(split, stage, sample.id, mask)
    return mask


def plan_tasks(run: RunFolder) -> list[SampleTask]:
    """Return one task for each sample of the run's split, in the dataset's order.

    Raises:
        SegcoreError: The run is of another kind, or the dataset, a member or its predictions are
            missing or do not fit.
    """
    config = run.config
    if not isinstance(config, EvaluateConfig):
        raise SegcoreError(
            f"Expected an evaluate run, received {run.id!r} of kind {config.kind!r}: the "
            "worker with a network runs those."
        )
    if config.crf is not None:
        require_available()
    members = find_members(run, config.dataset, config.members, config.split)
    reuse = _same_source(run, members.made_from())

    def alone(sample: Sample) -> Members:
        return dataclasses.replace(
            members, dataset=dataclasses.replace(members.dataset, samples=(sample,))
        )

    return [
        SampleTask(alone(sample), run.folder, config, reuse)
        for sample in members.dataset.select(config.split)
    ]


def _same_source(run: RunFolder, made_from: dict[str, float | None]) -> bool:
    """Whether an earlier attempt used the same predictions; notes these for the next attempt."""
    try:
        before = run.read_json("made_from")
    except SegcoreError:
        before = {}
    run.write_json("made_from", made_from)
    return before == made_from


def evaluate_run(
    run: RunFolder,
    executor: Executor | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    ahead: int = 4,
) -> None:
    """Carry out an evaluate run and keep its status; an interrupted run continues where it was.

    Args:
        run: The run; its config says what to do.
        executor: Where samples are worked on; None works on them here, with the same result.
        should_stop: Asked between samples and every half second.
        ahead: Samples in progress at a time.

    Raises:
        Stopped: ``should_stop`` said so.
        SegcoreError: As :func:`plan_tasks` and :func:`count_sample`.
    """
    tasks = plan_tasks(run)
    config = tasks[0].config
    stages = stages_of(config)
    counts: dict[str, dict[str, SampleCounts]] = {}

    def keep(record: Arrays) -> None:
        counts[str(record["sample"])] = {
            stage: SampleCounts.stack([record[stage]]) for stage in stages if stage in record
        }

    key = [to_json(config), tasks[0].members.made_from(), tasks[0].dataset.fingerprint]
    journal = Journal(run, json.dumps(key), keep)
    todo = [task for task in tasks if task.sample.id not in counts]
    progress = Progress(run, len(tasks), len(tasks) - len(todo), should_stop)
    for result in map_ahead(count_sample, todo, executor, ahead, progress.tick):
        counts[result.sample] = {
            stage: SampleCounts.stack([matrix]) for stage, matrix in result.stages.items()
        }
        journal.append({"sample": np.array(result.sample), **result.stages})
        progress.advance()
    scored = [task.sample.id for task in tasks if counts[task.sample.id]]
    if scored:
        for stage in stages:
            joined = SampleCounts.join([counts[sample][stage] for sample in scored])
            run.write_counts(config.split, stage, scored, joined)
        score = float(mean_iou(joined.total))
        run.write_status(mean_iou=score if np.isfinite(score) else None)
    journal.clear()
