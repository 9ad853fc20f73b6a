"""Balance from a notebook: plan repeats, and write a split as training would see it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from segcore.api.params import NO_PLAN, Settings, settings
from segcore.config import TrainConfig
from segcore.data.augmentation.repeats import draws_of
from segcore.data.balance.plans import BalancePlan
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.dataset.writing import DatasetWriter
from segcore.data.files.bands import FILE_NAME as BANDS
from segcore.data.files.bands import load_look
from segcore.data.files.masks import resize_mask
from segcore.errors import SegcoreError
from segcore.labels import LabelSet
from segcore.training.input.reader import resize_image
from segcore.workspace.datasets.datasets import Datasets

WRITTEN = "written from "


def mlos(
    params: Mapping[str, Any], mode: str = "Pixel", write_balance: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Plan multi-label oversampling: how often each training image repeats to balance the labels.

    Minimises the earth-mover distance between the distribution of labels and the target over
    integer repeats; see :func:`segcore.data.balance.planner.plan_balance` for the formula, the
    search and the floor.

    Args:
        params: The params.
        mode: "Count" (in how many images a label occurs) or "Pixel" (how many pixels it has), in
            any case of letters.
        write_balance: Whether to save the plan with the dataset, as ``mlos_count`` or
            ``mlos_pixel`` (or as the ``balance_plan`` of the params), where :func:`train_model`
            finds it.

    Returns:
        One row an image, in the order of the split: its pixels (or 0 and 1) of each class, and
        ``repeats``; and one row a class: ``before, after, target`` shares. ``attrs`` of the second
        holds ``before, after, floor`` (distances), ``copies``, ``effective_sample_size`` and the
        ``verdict`` in words.

    Raises:
        SegcoreError: The mode is unknown, or the params, dataset or split are refused.
    """
    chosen = settings(params)
    own, split = chosen.own, chosen.config.train_split
    if not isinstance(mode, str):
        raise SegcoreError(
            f"Expected the mode 'Count' or 'Pixel', received {mode!r}: choose one of them."
        )
    kind = mode.lower()
    plan = chosen.workspace.datasets.plan_balance(
        own.dataset, split, kind, own.max_repeats, own.budget, target=own.target
    )
    part = chosen.workspace.datasets.statistics(own.dataset).select(split)
    counts = part.counts if kind == "pixel" else part.present.astype(np.int64)
    table = pd.DataFrame(
        counts, index=pd.Index(part.sample_ids, name="sample"), columns=part.label_set.class_names
    )
    table["repeats"] = [plan.repeats[sample] for sample in part.sample_ids]
    names = pd.Index(part.label_set.class_names, name="class")
    distribution = pd.DataFrame(
        {"before": plan.shares_before, "after": plan.shares_after, "target": plan.target},
        index=names,
    )
    facts = {
        name: getattr(plan, name)
        for name in ("before", "after", "floor", "copies", "effective_sample_size")
    }
    distribution.attrs.update(facts, mode=kind, split=split, verdict=plan.verdict())
    if write_balance:
        chosen.workspace.datasets.save_plan(own.dataset, plan_name(chosen, kind), plan)
    return table, distribution


def plan_name(chosen: Settings, mode: str) -> str:
    """Return the name that a plan is saved under."""
    given = chosen.config.balance_plan
    return given if given not in ("", NO_PLAN) else f"mlos_{mode}"


def latest_plan(chosen: Settings) -> str:
    """Return the plan to train with: the params' own, else the latest of :func:`mlos`, else ""."""
    given = chosen.config.balance_plan
    if given:
        return "" if given == NO_PLAN else given
    folder = chosen.workspace.datasets.open(chosen.own.dataset).folder / "plans"
    plans = [
        path for name in ("mlos_count", "mlos_pixel") if (path := folder / f"{name}.json").is_file()
    ]
    return max(plans, key=lambda path: path.stat().st_mtime_ns).stem if plans else ""


def write_segment_data(
    params: Mapping[str, Any], split: str = "train", balance: bool = False
) -> Dataset:
    """Write a split as the first epoch of training sees it: repeated, augmented and resized.

    The result is a dataset of its own in the workspace (``written`` of the params), for other tools
    or for :func:`train_model`; the other splits refer to the original images. One that was written
    from the same dataset before is replaced.

    Args:
        params: The params; ``size``, ``augmentation`` and ``seed`` say how.
        split: Which split.
        balance: Whether to repeat images as the balance plan says that :func:`mlos` wrote.

    Returns:
        The dataset; a copy's id is its sample's and ``_copy_1``, ``_copy_2`` ...

    Raises:
        SegcoreError: There is no such split or plan, or another dataset has the name.
    """
    chosen = settings(params)
    own, config, datasets = chosen.own, chosen.config, chosen.workspace.datasets
    dataset = datasets.open(own.dataset)
    if dataset.bands is not None:
        raise SegcoreError(
            f"Expected a dataset of pictures to write, received {own.dataset!r}, whose bands keep "
            "their values: train on it with the balance plan instead."
        )
    name = own.written or f"{own.dataset}-written"
    if name in datasets.names():
        _delete_written(datasets, name, own.dataset)
    ids = [sample.id for sample in dataset.select(split) if sample.mask is not None]
    if balance:
        ids = _balance_plan(chosen, dataset).expand(ids)
    with DatasetWriter(
        datasets.folder / name, name, dataset.label_set, WRITTEN + own.dataset
    ) as writer:
        look = load_look(dataset.folder)
        if look is not None:
            writer.note(BANDS, look.to_json())
        rows = _write_copies(writer, dataset, config, split, ids)
        for sample in dataset.samples:
            if sample.split != split and sample.mask is not None:
                mask, path = dataset.read_mask(sample), dataset.image_path(sample)
                rows.append(
                    writer.add(sample.id, path, mask, sample.split, sample.group, copy=False)
                    if sample.window is None
                    else writer.add_window(sample, path, mask, copy=False)
                )
        return writer.finish(rows)


def _delete_written(datasets: Datasets, name: str, original: str) -> None:
    """Delete what was written from a dataset before.

    Raises:
        SegcoreError: The dataset of this name is another.
    """
    if datasets.open(name).source != WRITTEN + original:
        raise SegcoreError(
            f"Expected a new name for the written dataset, received {name!r}, which "
            "is another: set 'written' in params."
        )
    datasets.delete(name)


def _balance_plan(chosen: Settings, dataset: Dataset) -> BalancePlan:
    """Return the plan that :func:`mlos` wrote last.

    Raises:
        SegcoreError: There is none.
    """
    plan_id = latest_plan(chosen)
    if not plan_id:
        raise SegcoreError(
            "Expected a balance plan, found none: call mlos(params, ..., write_balance=True) first."
        )
    return BalancePlan.from_json(dataset.load_plan(plan_id))


def _write_copies(
    writer: DatasetWriter, dataset: Dataset, config: TrainConfig, split: str, ids: Sequence[str]
) -> list[Sample]:
    """Write the samples of a split, each copy as the first epoch draws it."""
    rows = []
    for sample in (one for one in dataset.select(split) if one.mask is not None):
        image, mask = dataset.read(sample)
        image, mask = resize_image(image, config.size), resize_mask(mask, config.size)
        draws = draws_of(ids, sample.id, config.recipe.augmentation, config.seed, 0, config.size)
        for copy, (_, drawn) in enumerate(draws, 1):
            seen, labels = drawn.apply(image, mask, dataset.label_set.ignore_index)
            rows.append(
                writer.add(
                    f"{sample.id}_copy_{copy}",
                    seen,
                    _typed(labels, dataset.label_set),
                    split,
                    sample.group,
                )
            )
    return rows


def _typed(mask: Any, label_set: LabelSet) -> Any:
    return np.ascontiguousarray(mask, label_set.mask_dtype)
