"""Class shift between two splits: distance of their shares, and how likely by chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segcore.data.statistics.imbalance import Floats, earth_mover_distance, shares_of
from segcore.data.statistics.statistics import ClassStatistics
from segcore.errors import SegcoreError

_BLOCK = 32


@dataclass(frozen=True)
class Shift:
    """How two splits differ.

    Attributes:
        first: Name of one split.
        second: Name of the other.
        mode: "pixel" or "count".
        distance: Total variation of their class shares, 0..1.
        expected: Mean distance when samples are dealt to the two splits at random.
        p_value: Share of random deals with at least this distance, the found one counted among
            them; small means that the splits differ by more than chance.
        differences: (C,) share in ``second`` minus share in ``first``.
    """

    first: str
    second: str
    mode: str
    distance: float
    expected: float
    p_value: float
    differences: tuple[float, ...]


def measure_shift(
    statistics: ClassStatistics,
    first: str,
    second: str,
    rng: np.random.Generator,
    mode: str = "pixel",
    permutations: int = 999,
    groups: dict[str, str] | None = None,
) -> Shift:
    """Measure the shift between two splits by a permutation test.

    p = (1 + deals with a distance at least as large) / (1 + deals). Frames of one drive resemble
    each other, so that samples are no independent draws and p comes out too small: give ``groups``
    to deal whole drives.

    Args:
        statistics: Counts of the dataset.
        first: Name of one split.
        second: Name of the other.
        rng: Source of randomness.
        mode: "pixel" or "count".
        permutations: Random deals.
        groups: Sample id to group; what a split holds of a group stays together and is dealt as
            one. None deals samples.

    Returns:
        The shift.

    Raises:
        SegcoreError: A split or the mode is unknown, a split is named twice, or a number is out of
            range.
    """
    if first == second:
        raise SegcoreError(
            f"Expected two different splits, received {first!r} twice: choose another one."
        )
    if permutations < 1:
        raise SegcoreError(
            f"Expected at least one permutation, received {permutations}: choose another number."
        )
    parts = [statistics.select(split) for split in (first, second)]
    shares = [shares_of(part.totals(mode)) for part in parts]
    rows = np.concatenate([part.counts for part in parts]).astype(np.float64)
    if mode == "count":
        rows = (rows > 0).astype(np.float64)
    taken = parts[0].num_samples
    if groups is not None:
        rows, taken = _by_group(rows, parts, groups)
    distance = earth_mover_distance(shares[0], shares[1])
    dealt = _deal(rows, taken, rng, permutations)
    p_value = (1 + int((dealt >= distance - 1e-12).sum())) / (1 + permutations)
    return Shift(
        first,
        second,
        mode,
        distance,
        float(dealt.mean()),
        p_value,
        tuple((shares[1] - shares[0]).tolist()),
    )


def _by_group(
    rows: Floats, parts: Sequence[ClassStatistics], groups: Mapping[str, str]
) -> tuple[Floats, int]:
    """Sum the rows of each group within its split; return them and how many are in the first."""
    names = [groups.get(sample_id, sample_id) for part in parts for sample_id in part.sample_ids]
    sides = np.repeat([0, 1], [part.num_samples for part in parts])
    units, where = np.unique(
        [f"{side} {name}" for side, name in zip(sides, names, strict=True)], return_inverse=True
    )
    summed = np.stack([np.bincount(where, column, len(units)) for column in rows.T], 1).astype(
        float
    )
    return summed, sum(unit.startswith("0 ") for unit in units)


def _deal(rows: Floats, taken: int, rng: np.random.Generator, permutations: int) -> Floats:
    total = rows.sum(0)
    out: list[npt.NDArray[np.float64]] = []
    for done in range(0, permutations, _BLOCK):
        deals = min(_BLOCK, permutations - done)
        chosen = np.argsort(rng.random((deals, len(rows))), axis=1)[:, :taken]
        side = np.zeros((deals, len(rows)))
        np.put_along_axis(side, chosen, 1.0, axis=1)
        one = side @ rows  # (deals, C)
        two = total - one
        one, two = (
            one / np.maximum(one.sum(1, keepdims=True), 1e-300),
            two / np.maximum(two.sum(1, keepdims=True), 1e-300),
        )
        out.append(np.abs(one - two).sum(1) / 2)
    return np.concatenate(out)
