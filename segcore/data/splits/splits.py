"""Train, validation and test splits: random, stratified, or by whole groups."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import SPLITS, Dataset, Sample
from segcore.data.splits.blocks import Blocks, groups_by_block, scene_of, without_gap
from segcore.errors import SegcoreError, unknown

Assigned = dict[str, str]
TRIES = 3000
PARTNERS = 256


def group_by_folder(sample: Sample) -> str:
    """The folder part of a sample's id ("Tile 1"), or its recorded group."""
    return sample.group or sample.id.rpartition("/")[0]


def group_by_prefix(sample: Sample) -> str:
    """The name before the last number: the drive of a video frame ("0016E5" of "0016E5_07959")."""
    folder, _, stem = sample.id.rpartition("/")
    found = re.fullmatch(r"(.*?)[_\-. ]*(?:frame)?[_\-. ]*\d+", stem)
    return f"{folder}/{found[1] if found else stem}".strip("/")


def group_by_scene(sample: Sample) -> str:
    """The raster that a window is a part of; else the folder part of a sample's id."""
    return scene_of(sample) or group_by_folder(sample)


GROUPINGS: dict[str, Callable[[Sample], str]] = {
    "folder": group_by_folder,
    "prefix": group_by_prefix,
    "scene": group_by_scene,
}
"""What may group samples."""


def make_splits(
    dataset: Dataset,
    method: str = "random",
    fractions: Mapping[str, float] | None = None,
    seed: int = 0,
    *,
    counts: npt.NDArray[Any] | None = None,
    group_by: str = "",
    blocks: Blocks | None = None,
) -> Assigned:
    """Assign every sample to one split.

    Args:
        dataset: The dataset; its present splits are not looked at.
        method: A name in :data:`METHODS`: "random", "stratified" (every split gets its share of
            every class's pixels and images), or "grouped" (samples of one folder or name prefix
            stay together; shares of classes are kept where groups allow), or "blocks" (the same
            for neighbouring windows of rasters).
        fractions: Split to share; must sum to 1. None for train .7, validation .15, test .15.
        seed: Seed of the draw; the same seed gives the same splits.
        counts: (N, C) pixels of each class by sample, in the dataset's order; needed by
            "stratified", used by "grouped".
        group_by: A name in :data:`GROUPINGS`; "" takes folders where there is more than one, else
            name prefixes.
        blocks: For "blocks": their size, and the gap between splits. None for those of the import.

    Returns:
        Sample id to split (windows within a gap have none), for :meth:`Dataset.with_splits`.

    Raises:
        SegcoreError: An unknown method, fractions that do not sum to 1, counts that do not fit, or
            too few samples or groups.
    """
    if method not in METHODS:
        raise unknown("split method", method, METHODS)
    shares = _shares(fractions or {"train": 0.7, "validation": 0.15, "test": 0.15})
    groups = _kept_together(dataset, method, group_by, blocks)
    if len(groups) < len(shares):
        what = {"grouped": "groups", "blocks": "blocks"}.get(method, "samples")
        raise SegcoreError(
            f"Expected at least {len(shares)} {what} for as many splits, received "
            f"{len(groups)}: ask for fewer splits."
        )
    if method == "stratified" and counts is None:
        raise SegcoreError(
            "Expected class counts for stratified splits, received none: collect the "
            "statistics first."
        )
    features = _features(len(dataset.samples), None if method == "random" else counts)
    of_group = _assign(
        groups, features, np.array(list(shares.values())), np.random.default_rng(seed)
    )
    names = list(shares)
    assigned = {
        dataset.samples[i].id: names[of_group[g]] for g, group in enumerate(groups) for i in group
    }
    gap = blocks.gap if blocks and method == "blocks" else 0
    return without_gap(dataset.samples, assigned, gap)


def _kept_together(
    dataset: Dataset, method: str, group_by: str, blocks: Blocks | None
) -> list[list[int]]:
    """Return the samples that a method never parts, as indices of the dataset's order."""
    if method == "grouped":
        return groups_of(dataset, group_by)
    if method == "blocks":
        return _alike(groups_by_block(dataset.samples, blocks.size if blocks else 0))
    return [[i] for i in range(len(dataset.samples))]


def _shares(fractions: Mapping[str, float]) -> dict[str, float]:
    """Check the shares of the splits and drop those of 0."""
    shares = dict(fractions)
    whole = bool(np.isclose(sum(shares.values()), 1, atol=1e-6))
    if any(share < 0 for share in shares.values()) or not whole:
        received = ", ".join(f"{split} {100 * share:.4g} %" for split, share in shares.items())
        fix = "lower the other shares" if whole else "change some of them"
        raise SegcoreError(
            f"Expected shares of 0 % or more that sum to 100 %, received {received}: {fix}."
        )
    return {split: share for split, share in shares.items() if share > 0}


def make_folds(
    dataset: Dataset,
    folds: int,
    method: str = "random",
    seed: int = 0,
    *,
    counts: npt.NDArray[Any] | None = None,
    group_by: str = "",
    hold_out: str = "",
) -> list[Assigned]:
    """Part a dataset into k folds; in fold i the i-th part is "validation" and the rest "train".

    Args:
        dataset: The dataset.
        folds: k, 2 or more.
        method: As in :func:`make_splits`.
        seed: Seed of the draw.
        counts: As in :func:`make_splits`.
        group_by: As in :func:`make_splits`.
        hold_out: A current split ("test") whose samples stay in it in every fold; "" parts all
            samples.

    Returns:
        k assignments; every sample that is not held out is validated exactly once.

    Raises:
        SegcoreError: Fewer than 2 folds, no such split to hold out, or as :func:`make_splits`.
    """
    if folds < 2:
        raise SegcoreError(f"Expected 2 folds or more, received {folds}: 5 is usual.")
    held = {sample.id: hold_out for sample in dataset.select(hold_out)} if hold_out else {}
    free = np.array([sample.id not in held for sample in dataset.samples])
    rest = replace(
        dataset, samples=tuple(s for s, take in zip(dataset.samples, free, strict=True) if take)
    )
    counts = counts[free] if counts is not None and len(counts) == len(free) else counts
    parts = {f"fold {i}": 1 / folds for i in range(folds)}
    part_of = make_splits(rest, method, parts, seed, counts=counts, group_by=group_by)
    return [
        {**{s: "validation" if part == chosen else "train" for s, part in part_of.items()}, **held}
        for chosen in parts
    ]


@dataclass(frozen=True)
class SplitPart:
    """What one split holds.

    Attributes:
        split: Its name.
        num_samples: Its samples.
        share: Its share of all samples, 0 to 1.
        pixel_share: Share of each class in its pixels, length C.
        images: Images that hold each class, length C.
        shift: Total variation 1/2 sum_c |p_c - q_c| between its class shares and those of the whole
            dataset, 0 to 1.
    """

    split: str
    num_samples: int
    share: float
    pixel_share: list[float]
    images: list[int]
    shift: float


def split_report(
    dataset: Dataset, splits: Mapping[str, str], counts: npt.NDArray[Any]
) -> list[SplitPart]:
    """Say how alike the splits are.

    Args:
        dataset: The dataset.
        splits: Sample id to split.
        counts: (N, C) pixels of each class by sample, in the dataset's order.

    Returns:
        One part for each split: train, validation and test first, then others by name.
    """
    whole = counts.sum(0) / max(1, counts.sum())
    rows = []
    present = set(splits.values())
    for split in [s for s in SPLITS if s in present] + sorted(present - set(SPLITS)):
        chosen = np.array([splits.get(s.id) == split for s in dataset.samples])
        pixels = counts[chosen].sum(0)
        shares = pixels / max(1, pixels.sum())
        rows.append(
            SplitPart(
                split=split,
                num_samples=int(chosen.sum()),
                share=float(chosen.mean()),
                pixel_share=shares.tolist(),
                images=(counts[chosen] > 0).sum(0).tolist(),
                shift=float(abs(shares - whole).sum() / 2),
            )
        )
    return rows


def groups_of(dataset: Dataset, group_by: str) -> list[list[int]]:
    """Return the samples that are held together, as positions in the dataset's order.

    Args:
        dataset: The dataset.
        group_by: A name in :data:`GROUPINGS`; "" takes folders where there is more than one, else
            name prefixes.

    Raises:
        SegcoreError: There is no such grouping.
    """
    of = GROUPINGS[grouping_of(dataset, group_by)]
    return _alike([of(sample) for sample in dataset.samples])


def grouping_of(dataset: Dataset, group_by: str = "") -> str:
    """Return the name in :data:`GROUPINGS` by which :func:`groups_of` groups a dataset.

    Raises:
        SegcoreError: There is no such grouping.
    """
    if group_by and group_by not in GROUPINGS:
        raise unknown("grouping", group_by, GROUPINGS)
    folders = len({group_by_folder(sample) for sample in dataset.samples})
    return group_by or ("folder" if folders > 1 else "prefix")


def _alike(names: Sequence[str]) -> list[list[int]]:
    """Return the positions of each name, in the order of their first."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        groups[name].append(index)
    return list(groups.values())


def _features(num_samples: int, counts: npt.NDArray[Any] | None) -> npt.NDArray[np.float64]:
    """What each split gets its share of, (N, F): samples, images and pixels of each class.

    Each column sums to 1.
    """
    columns = [np.ones((num_samples, 1))]
    if counts is not None:
        if counts.shape[0] != num_samples:
            raise SegcoreError(
                f"Expected class counts for {num_samples} samples, received {len(counts)}: "
                "collect the statistics again."
            )
        columns += [(counts > 0).astype(float), counts.astype(float)]
    features = np.concatenate(columns, axis=1)
    return features[:, features.any(0)] / features.sum(0)[features.any(0)]


def _assign(
    groups: Sequence[Sequence[int]],
    features: npt.NDArray[np.float64],
    shares: npt.NDArray[np.float64],
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Place groups where they are missed most, hardest first, then improve by moves and swaps.

    After Sechidis, Tsoumakas, Vlahavas: On the stratification of multi-label data, ECML PKDD 2011,
    with a squared distance to the wished shares in place of their label-by-label rule, so that
    pixels and whole groups fit in as well. The number of samples weighs as much as all classes
    together.

    Returns:
        (G,) split index of each group; every split gets at least one group.
    """
    weight = np.full(features.shape[1], 1 / max(1, features.shape[1] - 1))
    weight[0] = 4.0 if features.shape[1] > 1 else 1.0
    mass = np.stack([features[list(group)].sum(0) for group in groups]) * np.sqrt(weight)  # (G, F)
    want = shares[:, None] * mass.sum(0)  # (S, F)
    shuffled = rng.permutation(len(groups))
    order = shuffled[np.argsort(-mass[shuffled].max(1), kind="stable")]
    have = np.zeros_like(want)
    sizes = np.zeros(len(shares), np.int64)
    of_group = np.empty(len(groups), np.int64)
    for position, group in enumerate(order):
        gain = (want - have) @ mass[group]
        if len(order) - position <= (sizes == 0).sum():
            gain[sizes > 0] = -np.inf
        best = int(np.argmax(gain))
        of_group[group] = best
        have[best] += mass[group]
        sizes[best] += 1
    _mend(of_group, mass, have - want, sizes, rng)
    return of_group


def _mend(
    of_group: npt.NDArray[np.int64],
    mass: npt.NDArray[np.float64],
    excess: npt.NDArray[np.float64],
    sizes: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> None:
    """Move or swap groups in place while that lowers the squared excess, (S, F).

    A few thousand tries over a few hundred partners.
    """
    for group in rng.permutation(len(of_group))[:TRIES]:
        own = of_group[group]
        move = (
            2 * (excess - excess[own]) @ mass[group] + 2 * mass[group] @ mass[group]
        )  # change of the squared excess, (S,)
        move[own] = 0
        target = int(np.argmin(move))
        if move[target] < -1e-12 and sizes[own] > 1:
            excess[own] -= mass[group]
            excess[target] += mass[group]
            sizes[own] -= 1
            sizes[target] += 1
            of_group[group] = target
            continue
        partners = rng.permutation(len(of_group))[:PARTNERS]
        difference = mass[partners] - mass[group]  # what the own split gains by each swap
        others = of_group[partners]
        swap = 2 * ((excess[own] - excess[others]) * difference).sum(1) + 2 * (difference**2).sum(1)
        swap[others == own] = 0
        best = int(np.argmin(swap))
        if swap[best] < -1e-12:
            excess[own] += difference[best]
            excess[others[best]] -= difference[best]
            of_group[group], of_group[partners[best]] = others[best], own


METHODS: dict[str, str] = {
    "random": "Every image on its own, whatever folder it is in.",
    "stratified": "Random, with class frequencies preserved in every split.",
    "grouped": ("Keeps folders, tiles or drives in one split, so that related frames do not leak."),
    "blocks": "Keeps neighbouring windows of a raster in one split, so that the ground does not leak.",
}
"""The ways to make splits."""
