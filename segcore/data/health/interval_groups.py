"""What the images of a dataset are drawn by for intervals: each alone, or with its drive or tile.

Frames of one drive are alike, so intervals over single images are too narrow for new drives. The
choice goes with the dataset (``interval_groups.json`` next to it): made by a person, or found once
from recorded groups, folders, and names whose neighbours look alike.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.dataset.documents import write_document
from segcore.data.health.image_hashes import hash_sample
from segcore.data.health.sequences import MIN_FRAMES, find_sequences, frame_number
from segcore.data.splits.folds import parent_of
from segcore.data.splits.splits import GROUPINGS, group_by_prefix
from segcore.errors import SegcoreError, unknown
from segcore.formatting import plural

FILE_NAME = "interval_groups.json"
VERSION = 1
IMAGES = "images"
FEWEST = 6
"""Groups from which on they are drawn without being asked for: fewer have no interval."""

WINDOWS = 3
"""Stretches of neighbouring frames that are looked at in one drive to recognise it as one."""

DRIVES = 4
"""Drives that are looked at."""


@dataclass(frozen=True)
class IntervalGroups:
    """What a dataset's images are drawn by.

    Attributes:
        by: "images", or a name in :data:`segcore.data.splits.splits.GROUPINGS`.
        chosen: Whether a person chose it.
    """

    by: str
    chosen: bool


@dataclass(frozen=True)
class DrawnBy:
    """The groups of some images, for their intervals.

    Attributes:
        by: "images", or the name of the grouping that is drawn.
        groups: Group of each image; None where single images are drawn.
        note: One sentence on what was decided and why; "" where images simply stand alone.
    """

    by: str
    groups: tuple[str, ...] | None
    note: str


def choose_groups(dataset: Dataset, by: str) -> IntervalGroups:
    """Keep what a person chose.

    Args:
        dataset: The dataset.
        by: "images", or a name in :data:`segcore.data.splits.splits.GROUPINGS`.

    Raises:
        SegcoreError: There is no such grouping, or the folder cannot be written.
    """
    if by != IMAGES and by not in GROUPINGS:
        raise unknown("grouping", by, [IMAGES, *GROUPINGS])
    choice = IntervalGroups(by, True)
    _write(dataset.folder, choice)
    return choice


def interval_groups(dataset: Dataset) -> IntervalGroups:
    """Return what was chosen, else what the dataset looks like, which is found once and kept."""
    parent = parent_of(dataset)
    folders = [dataset.folder, *([dataset.folder.parent / parent] if parent else [])]
    for folder in folders:
        kept = _read(folder)
        if kept is not None:
            return kept
    key = dataset.folder, dataset.fingerprint
    if key in _unwritten:
        return _unwritten[key]
    found = IntervalGroups(_recognise(dataset), False)
    try:
        _write(dataset.folder, found)
    except SegcoreError:  # a folder that cannot be written can still be evaluated
        _unwritten[key] = found
    return found


_unwritten: dict[tuple[Path, str], IntervalGroups] = {}
"""What was recognised for datasets whose folder cannot be written, by folder and fingerprint."""


def drawn_by(dataset: Dataset, sample_ids: Sequence[str], by: str | None = None) -> DrawnBy:
    """Return what some images of a dataset are drawn by.

    Args:
        dataset: The dataset.
        sample_ids: The images.
        by: Something else than the dataset's own choice; as a person's choice.

    Raises:
        SegcoreError: There is no such sample or grouping.
    """
    choice = interval_groups(dataset) if by is None else IntervalGroups(by, True)
    if choice.by == IMAGES:
        return DrawnBy(IMAGES, None, "")
    if choice.by not in GROUPINGS:
        raise unknown("grouping", choice.by, [IMAGES, *GROUPINGS])
    groups = tuple(GROUPINGS[choice.by](dataset.sample(name)) or name for name in sample_ids)
    number = len(set(groups))
    if number == len(groups):
        return DrawnBy(IMAGES, None, "")
    if not choice.chosen and number < FEWEST:
        return DrawnBy(
            IMAGES,
            None,
            f"These images come from {plural(number, 'group')}, too few to draw whole ones ({FEWEST} "
            "are needed): single images are drawn, so the intervals say nothing about other groups.",
        )
    kind = "groups" if choice.by == "folder" else "groups of like names"
    return DrawnBy(choice.by, groups, f"Whole {kind} are drawn, since images of one are alike.")


def drawn_by_name(names: Sequence[str], by: str | None) -> DrawnBy:
    """Return what images of no dataset are drawn by; each alone unless something else is asked for.

    Args:
        names: Their paths without suffix.
        by: "images", or a name in :data:`segcore.data.splits.splits.GROUPINGS`.

    Raises:
        SegcoreError: There is no such grouping.
    """
    if by in (None, IMAGES):
        return DrawnBy(IMAGES, None, "")
    if by not in GROUPINGS:
        raise unknown("grouping", str(by), [IMAGES, *GROUPINGS])
    samples = (Sample(name, "", None, "", 1, 1) for name in names)
    groups = tuple(GROUPINGS[by](sample) or sample.id for sample in samples)
    return DrawnBy(by, groups, "")


def _read(folder: Path) -> IntervalGroups | None:
    try:
        return _parse(folder / FILE_NAME, (folder / FILE_NAME).stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=64)
def _parse(file: Path, modified: int) -> IntervalGroups | None:
    """Read a choice; the time of its last change is part of the key."""
    try:
        data = json.loads(file.read_bytes())
        by, chosen = str(data["by"]), bool(data["chosen"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return IntervalGroups(by, chosen) if by == IMAGES or by in GROUPINGS else None


def _write(folder: Path, choice: IntervalGroups) -> None:
    data = {"version": VERSION, "by": choice.by, "chosen": choice.chosen}
    write_document(folder / FILE_NAME, json.dumps(data, indent=1).encode())


def _recognise(dataset: Dataset) -> str:
    """Name the grouping that holds alike images together, from recorded groups or from looks."""
    samples = dataset.samples
    recorded = {sample.group for sample in samples}
    if 1 < len(recorded) < len(samples) and "" not in recorded:
        return "folder"
    return "prefix" if _has_drives(dataset) else IMAGES


def _has_drives(dataset: Dataset) -> bool:
    """Whether neighbours by name look alike, in some stretches of the longest drives."""
    drives: dict[str, list[Sample]] = defaultdict(list)
    for sample in dataset.samples:
        if frame_number(sample) is not None:
            drives[group_by_prefix(sample)].append(sample)
    longest = sorted(drives.values(), key=lambda frames: -len(frames))[:DRIVES]
    looked = [
        frame for frames in longest if len(frames) >= MIN_FRAMES for frame in _stretches(frames)
    ]
    hashes, readable = np.zeros(len(looked), np.uint64), np.zeros(len(looked), bool)
    for index, sample in enumerate(looked):
        with suppress(SegcoreError):
            hashes[index] = hash_sample(dataset, sample)
            readable[index] = True
    return bool(looked) and bool(find_sequences(tuple(looked), hashes, readable))


def _stretches(frames: list[Sample]) -> list[Sample]:
    """Some stretches of neighbouring frames of one drive."""
    ordered = sorted(frames, key=lambda sample: frame_number(sample) or 0)
    chosen: set[int] = set()
    for start in np.linspace(0, len(ordered) - MIN_FRAMES, WINDOWS).astype(int).tolist():
        chosen.update(range(start, start + MIN_FRAMES))
    return [ordered[i] for i in sorted(chosen)]
