"""Video frames by file name: neighbours in time, and splits that share them.

Numbers in names alone prove nothing (photographs are numbered too). A numbering counts as a video
when its neighbours look more alike than any two of its samples do.
"""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Sample
from segcore.data.health.image_hashes import Hashes, distances
from segcore.data.splits.splits import group_by_prefix

MIN_FRAMES = 8
MAX_RATIO = 0.85
"""Largest ratio of median distances, neighbours over all pairs, that counts as a video.

Measured by 64-bit difference hashes: CamVid's four drives .44 to .78, still aerial tiles 1.0.
"""

_MAX_PAIRED = 400


@dataclass(frozen=True)
class Sequence:
    """The frames of one video, in order.

    Attributes:
        name: What their names have in common ("0016E5").
        indices: Positions of the samples in the dataset, in the order of their frame numbers.
        numbers: Their frame numbers, ascending.
    """

    name: str
    indices: tuple[int, ...]
    numbers: tuple[int, ...]


def frame_number(sample: Sample) -> int | None:
    """The last number in a sample's name ("0016E5_07959" gives 7959), or None; none of a window."""
    if sample.window is not None:
        return None
    found = re.search(r"(\d+)\D*$", sample.id.rpartition("/")[2])
    return int(found[1]) if found else None


def find_sequences(
    samples: tuple[Sample, ...], hashes: Hashes, readable: npt.NDArray[np.bool_]
) -> list[Sequence]:
    """Find the videos among the samples.

    Args:
        samples: The samples of a dataset.
        hashes: (N,) uint64 difference hashes.
        readable: (N,) bool: which images could be hashed.

    Returns:
        The sequences, those with most frames first.
    """
    groups: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for index, sample in enumerate(samples):
        number = frame_number(sample)
        if number is not None and readable[index]:
            groups[group_by_prefix(sample)].append((number, index))
    found = []
    for name, frames in groups.items():
        frames.sort()
        order = np.array([index for _, index in frames])
        if len(order) >= MIN_FRAMES and _is_video(hashes[order]):
            found.append(
                Sequence(name, tuple(order.tolist()), tuple(number for number, _ in frames))
            )
    return sorted(found, key=lambda s: (-len(s.indices), s.name))


def _is_video(ordered: Hashes) -> bool:
    neighbours = np.bitwise_count(ordered[1:] ^ ordered[:-1])
    some = ordered[:: max(1, len(ordered) // _MAX_PAIRED)]
    pairs = distances(some, some)[np.triu_indices(len(some), 1)]
    return float(np.median(neighbours)) <= MAX_RATIO * float(np.median(pairs))


@dataclass(frozen=True)
class SharedSequence:
    """A video that two splits share.

    Attributes:
        sequence: The video.
        split: The split that is judged (validation, test).
        other: The split it shares the video with (train).
        ids: The judged split's samples in it, in order.
        num_other: The other split's samples in it.
        num_between: How many of ``ids`` have frames of the other split both before and after them.
        first: First frame number of ``ids``.
        last: Last frame number of ``ids``.
        step: The usual distance between frames of ``ids``.
        before: Nearest frame number of the other split before ``first``, or None.
        after: Nearest frame number of the other split after ``last``, or None.
    """

    sequence: Sequence
    split: str
    other: str
    ids: tuple[str, ...]
    num_other: int
    num_between: int
    first: int
    last: int
    step: int
    before: int | None
    after: int | None


def shared_sequences(
    samples: tuple[Sample, ...], sequences: list[Sequence]
) -> list[SharedSequence]:
    """Find videos that stand on both sides of a split boundary.

    Args:
        samples: The samples of a dataset.
        sequences: Its videos.

    Returns:
        One entry for each video and pair of splits; train is always the other side where it is one
        of the two.
    """
    found = []
    for sequence in sequences:
        numbers_of: dict[str, list[int]] = defaultdict(list)
        ids_of: dict[str, list[str]] = defaultdict(list)
        for index, number in zip(sequence.indices, sequence.numbers, strict=True):
            numbers_of[samples[index].split].append(number)
            ids_of[samples[index].split].append(samples[index].id)
        splits = sorted(set(numbers_of) - {""}, key=lambda s: (s != "train", s))
        for position, other in enumerate(splits):
            for split in splits[position + 1 :]:
                own, theirs = np.array(numbers_of[split]), np.array(numbers_of[other])
                between = (own > theirs.min()) & (own < theirs.max())
                steps = Counter(np.diff(own).tolist())
                first, last = int(own[0]), int(own[-1])
                earlier, later = theirs[theirs < first], theirs[theirs > last]
                found.append(
                    SharedSequence(
                        sequence,
                        split,
                        other,
                        tuple(ids_of[split]),
                        len(theirs),
                        int(between.sum()),
                        first,
                        last,
                        steps.most_common(1)[0][0] if steps else 0,
                        int(earlier.max()) if len(earlier) else None,
                        int(later.min()) if len(later) else None,
                    )
                )
    return found


def neighbours(
    samples: tuple[Sample, ...], shared: SharedSequence, most: int
) -> tuple[tuple[str, str], ...]:
    """Return pairs of frames nearest in time across two splits, the closest first.

    No frame of the other split is in two pairs, so that pairs are of different places.

    Args:
        samples: The samples of the dataset.
        shared: A video that two of its splits share.
        most: Most pairs.
    """
    frames = list(zip(shared.sequence.numbers, shared.sequence.indices, strict=True))
    own = [
        (number, samples[index].id)
        for number, index in frames
        if samples[index].split == shared.split
    ]
    theirs = [
        (number, samples[index].id)
        for number, index in frames
        if samples[index].split == shared.other
    ]
    numbers = np.array([number for number, _ in theirs])
    pairs = []
    for number, sample_id in own:
        nearest = int(abs(numbers - number).argmin())
        pairs.append((abs(int(numbers[nearest]) - number), sample_id, theirs[nearest][1]))
    chosen: dict[str, str] = {}
    for _, sample_id, other in sorted(pairs, key=lambda pair: pair[0]):
        chosen.setdefault(other, sample_id)
    return tuple((sample_id, other) for other, sample_id in chosen.items())[:most]
