"""Members of an ensemble: one config each, which differ by seed, fold or architecture."""

import dataclasses
from collections.abc import Sequence

from segcore.catalog import ALL_ENCODERS, ARCHITECTURES, MEMBER_ARCHITECTURES
from segcore.config import TrainConfig
from segcore.data.splits.member_folds import MemberFolds, find_member_folds
from segcore.errors import SegcoreError
from segcore.workspace.datasets.datasets import Datasets


def line_up(config: TrainConfig, members: int, datasets: Datasets) -> list[TrainConfig]:
    """Return the members' configs, before each gets its number, group and seed.

    Args:
        config: What all have in common.
        members: How many.
        datasets: The datasets of the workspace.

    Raises:
        SegcoreError: Members cannot differ in that way; the sentence says why.
    """
    if config.members_by == "architecture":
        return [_with_architecture(config, name) for name in architectures(config, members)]
    if config.members_by == "fold":
        folds = find_folds(config, members, datasets)
        if not folds.are_written:
            folds.write(datasets.folder, datasets.counts_by_sample(config.dataset))
        _hand_on(config, folds.names, datasets)
        return [dataclasses.replace(config, dataset=name) for name in folds.names]
    return [config] * members


def describe(config: TrainConfig, members: int, datasets: Datasets) -> str:
    """Say in a sentence what the members will be; nothing is written.

    Raises:
        SegcoreError: As :func:`line_up`.
    """
    if config.members_by == "architecture":
        configs: Sequence[TrainConfig] = [
            _with_architecture(config, name) for name in architectures(config, members)
        ]
        titles = ", ".join(ARCHITECTURES[one.model.architecture].title for one in configs)
        return f"{titles}; each over {ALL_ENCODERS[config.model.encoder].title}, with its own seed."
    if config.members_by == "fold":
        known = (
            " The balance plan repeats the images that it knows; the others stand once."
            if config.balance_plan
            else ""
        )
        return find_folds(config, members, datasets).sentence + known
    last = config.seed + members - 1
    return f"Seeds {config.seed} to {last}." if members > 1 else f"Seed {config.seed}."


def architectures(config: TrainConfig, members: int) -> list[str]:
    """Return the chosen architecture, then others of ``catalog.MEMBER_ARCHITECTURES``.

    Raises:
        SegcoreError: There are fewer architectures than members.
    """
    first = config.model.architecture
    names = [first, *(name for name in MEMBER_ARCHITECTURES if name != first)]
    if members > len(names):
        raise SegcoreError(
            f"Expected up to {len(names)} members that differ by architecture, received "
            f"{members}: ask for {len(names)}."
        )
    return names[:members]


def find_folds(config: TrainConfig, members: int, datasets: Datasets) -> MemberFolds:
    """Return the folds that members would learn on; they may still have to be written.

    Raises:
        SegcoreError: The config trains or validates on other splits than the folds', or as
            :func:`segcore.data.splits.member_folds.find_member_folds`.
    """
    if (config.train_split, config.validation_split) != ("train", "validation"):
        raise SegcoreError(
            "Expected members by fold to train on train and validate on validation, "
            f"received {config.train_split!r} and "
            f"{config.validation_split!r}: choose these two, or let members differ by seed."
        )
    return find_member_folds(datasets.open(config.dataset), members, datasets.folder)


def _with_architecture(config: TrainConfig, name: str) -> TrainConfig:
    """The config with another decoder; it refuses a size that the decoder cannot take."""
    return dataclasses.replace(config, model=dataclasses.replace(config.model, architecture=name))


def _hand_on(config: TrainConfig, names: Sequence[str], datasets: Datasets) -> None:
    """Save the label map and the balance plan of a config with each fold, where it lacks them."""
    source = datasets.open(config.dataset)
    for name in names:
        fold = datasets.open(name)
        if config.label_map:
            merge = source.load_label_map(config.label_map)
            if fold.label_maps().get(config.label_map) != merge:
                fold.save_label_map(merge)
        if config.balance_plan:
            plan = source.load_plan(config.balance_plan)
            if (
                config.balance_plan not in fold.plans()
                or fold.load_plan(config.balance_plan) != plan
            ):
                fold.save_plan(config.balance_plan, plan)
