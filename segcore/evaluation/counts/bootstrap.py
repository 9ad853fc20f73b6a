"""How sure a score is: one interval, from one way of drawing images or whole groups again.

Pixels of one image are not independent, and frames of one drive hardly are; so images (or groups of
images: drives, tiles, patients) are drawn with replacement and their counts added up (Efron 1979).
A resample is a weighted sum of the units' counts, so all resamples are one matrix product, and any
number of statistics share them.

Ends are **expanded percentiles** (Hesterberg, The American Statistician 69, 2015): percentiles of n
units are too narrow by about sqrt((n - 1) / n) and know nothing of Student's t, so the tails
``alpha / 2`` are replaced by ``Phi(-sqrt(n / (n - 1)) t_{1 - alpha / 2, n - 1})``. Both vanish as n
grows. Of a class, n is the number of units that hold it. Too few units have no interval.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy
from scipy.sparse import csr_array

from segcore import formatting
from segcore.errors import SegcoreError
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.counts.scores import Margins, Statistic

Floats = npt.NDArray[np.float64]
Part = npt.NDArray[Any] | SampleCounts | Margins
"""Counts of N images, images first: an array, sparse confusion counts, or their margins."""

METHOD = "expanded percentiles"
RESAMPLES = 1000
LEVEL = 0.95
MINIMUM = 6
"""Fewest images or groups that have an interval: 5 cover the value in 75 of 100 sets, 3 in 50."""

MINIMUM_HELD = 3
"""Fewest of them that hold a class for its own score to have one."""

_BYTES = 64 << 20
_DENSE = 256 << 20


@dataclass(frozen=True)
class Interval:
    """A number and how sure it is, given that other images of the same kind might have been drawn.

    Attributes:
        value: On the whole set; NaN where it is undefined.
        low: Lower end; NaN where there is no interval (:meth:`reason` says why).
        high: Upper end.
        level: Nominal coverage, 0..1.
        method: How the ends were found.
        unit: What was drawn again: "images" or "groups".
        groups: How many of them there are; for a class, how many hold it.
        resamples: How often the set was drawn again.
        p_value: Of a difference, two-sided: 1 - the level at which the interval would end at 0.
    """

    value: float
    low: float
    high: float
    level: float = LEVEL
    method: str = METHOD
    unit: str = "images"
    groups: int = 0
    resamples: int = RESAMPLES
    p_value: float = float("nan")

    @property
    def is_known(self) -> bool:
        """Whether there is an interval."""
        return not (np.isnan(self.low) or np.isnan(self.high))

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of 0."""
        return self.low > 0 or self.high < 0

    def ends(self) -> list[float | None]:
        """Return ``[low, high]`` for JSON, None where there is no interval."""
        return [_plain(self.low), _plain(self.high)]

    def as_difference(self) -> dict[str, Any]:
        """Return ``{"difference", "interval"}`` for JSON."""
        return {"difference": _plain(self.value), "interval": self.ends()}

    def origin(self) -> dict[str, Any]:
        """Return how the interval was made, for JSON: level, method, unit, units, resamples."""
        return {
            "level": self.level,
            "method": self.method,
            "unit": self.unit,
            "units": self.groups,
            "resamples": self.resamples,
        }

    def counted(self) -> str:
        """Say what was drawn from: "36 images", "1 group"."""
        return counted_units(self.groups, self.unit)

    def reason(self) -> str:
        """Say why there is no interval; "" where there is one."""
        if self.is_known:
            return ""
        if np.isnan(self.value):
            return "No interval: the score is undefined."
        return (
            f"No interval from {self.counted()}: at least {MINIMUM} {self.unit} are needed, and "
            f"{MINIMUM_HELD} that hold the class for a class's own score."
        )

    def how(self) -> str:
        """Say in one sentence how the interval was made, or why there is none."""
        if not self.is_known:
            return self.reason()
        made = (
            f"{100 * self.level:g} % interval by {self.method}: {self.counted()} drawn again with "
            f"replacement, {self.resamples:,} times."
        )
        if self.low == self.high:
            made += f" It has no width because all {self.unit} say the same: that is no certainty."
        return made

    def range(self, digits: int = 1, signed: bool = False) -> str:
        """Return the ends in percent or points: "55.6 to 67.1"; an en dash without an interval."""
        if not self.is_known:
            return "–"
        write = formatting.signed if signed else formatting.number
        return " to ".join(write(100 * end, digits) for end in (self.low, self.high))

    def points(self, digits: int = 1) -> str:
        """Return a difference with its ends in points: "+1.4 (+0.3 to +2.5)"."""
        change = formatting.points(self.value, digits, unit="")
        return f"{change} ({self.range(digits, signed=True)})" if self.is_known else change

    @staticmethod
    def from_difference(row: Mapping[str, Any], **origin: Any) -> "Interval":
        """Return what :meth:`as_difference` wrote.

        Args:
            row: ``{"difference", "interval"}``.
            origin: Further attributes.
        """
        value, low, high = (
            float("nan") if number is None else float(number)
            for number in (row["difference"], *row["interval"])
        )
        return Interval(value, low, high, **origin)


def counted_units(count: int, unit: str) -> str:
    """Write how many of a unit ("images", "groups") there are: "36 images", "1 group"."""
    return f"{count:,} {unit if count != 1 else unit[:-1]}"


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def expanded_tail(level: float, units: npt.NDArray[Any]) -> Floats:
    """Return the share of draws below the lower end for each number of units (see the module)."""
    n = np.maximum(np.asarray(units, np.float64), 2.0)
    return np.asarray(
        scipy.special.ndtr(-np.sqrt(n / (n - 1)) * scipy.special.stdtrit(n - 1, (1 + level) / 2))
    )


def zero_p_value(draws: Floats, units: npt.NDArray[Any]) -> Floats:
    """Return 1 - the level at which an interval would end at 0: (R, K) draws to (K,)."""
    known = (~np.isnan(draws)).sum(0)
    below = (draws < 0).sum(0) + 0.5 * (draws == 0).sum(0)
    share = (np.minimum(below, known - below) + 0.5) / (known + 1)
    n = np.maximum(np.asarray(units, np.float64), 2.0)
    return np.minimum(
        1.0, 2 * scipy.special.stdtr(n - 1, np.sqrt((n - 1) / n) * scipy.special.ndtri(share))
    )


def percentiles(values: Floats, shares: Floats) -> Floats:
    """Quantiles of each column without its NaN, by linear interpolation; NaN for an empty one.

    Args:
        values: (R, K).
        shares: (Q, K) or (Q, 1), 0..1.

    Returns:
        (Q, K).
    """
    ordered = np.sort(values, axis=0)  # NaN last
    known = (~np.isnan(ordered)).sum(0)
    place = np.clip(shares, 0, 1) * np.maximum(known - 1, 0)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(known - 1, 0))
    low, high = (np.take_along_axis(ordered, i, 0) for i in (below, above))
    return np.where(known, low + (high - low) * (place - below), np.nan)


class Resampling:
    """Draws of images, or of whole groups of them, made once for any number of statistics.

    The draws depend on what the units hold and not on the order of the images. A unit without a
    count in any part (all its pixels are ignored) says nothing and is no unit.

    Attributes:
        unit: "images" or "groups".
        units: How many there are.
        drawn: Their ids where images have names; else none.
        resamples: R.
        level: Nominal coverage of intervals.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        groups: Sequence[str] | None = None,
        *,
        resamples: int = RESAMPLES,
        level: float = LEVEL,
        seed: int | np.random.Generator = 0,
        names: Sequence[str] | None = None,
    ) -> None:
        """Prepare the draws; they are made when they are first needed.

        Args:
            parts: One or more counts of the same N images.
            groups: Group of each image, length N: whole groups are drawn. None draws images.
            resamples: How often the set is drawn again.
            level: Nominal coverage, 0..1.
            seed: Seed or generator of the draws.
            names: Id of each image. Sets of the same ids (or groups) then share their draws,
                whatever they hold.

        Raises:
            SegcoreError: Lengths do not fit, or a number is out of range.
        """
        if not 0 < level < 1 or resamples < 1:
            raise SegcoreError(
                f"Expected 0 < level < 1 and resamples >= 1, received {level:g} and "
                f"{resamples}: use 0.95 and 1000."
            )
        images = _length(parts[0])
        if groups is not None and len(groups) != images:
            raise SegcoreError(
                f"Expected one group for each of {images} images, received {len(groups)}: "
                "name the group of every image."
            )
        self.unit = "images" if groups is None else "groups"
        self.resamples, self.level = resamples, level
        self._seed = np.random.default_rng(seed)
        self._ready: tuple[tuple[Part, ...], list[_Summing]] = ((), [])
        first = list(range(images)) if groups is None else list(groups)
        known = {name: index for index, name in enumerate(dict.fromkeys(first))}
        codes = np.array([known[name] for name in first], np.int64)
        filled = _filled(parts, codes, len(known))
        self.units = int(filled.sum())
        codes = np.where(filled, filled.cumsum() - 1, 0)[codes]  # the empty add nothing anywhere
        if names is not None:
            every = known if groups is not None else names
            sorted_by = [str(name) for name, full in zip(every, filled, strict=True) if full]
            order = np.argsort(sorted_by, kind="stable")
            self.drawn = frozenset(sorted_by)
            text = "\n".join(sorted(sorted_by))
            self._seed = np.random.default_rng(
                [self._seed.bit_generator.random_raw() % 2**32, zlib.crc32(text.encode())]
            )
        else:
            self.drawn = frozenset()
            order = _order(parts, codes, self.units)
        rank = np.empty(self.units, np.int64)
        rank[order] = np.arange(self.units)
        self.unit_of = rank[codes]

    @property
    def is_enough(self) -> bool:
        """Whether there are enough units for an interval."""
        return self.units >= MINIMUM

    @cached_property
    def weights(self) -> npt.NDArray[np.int32]:
        """How often each unit is drawn in each resample, (R, units); rows sum to ``units``."""
        return draw_weights(self.units, self.resamples, self._seed)

    def by_unit(self, part: Part) -> Any:
        """Add up the counts of each unit's images; units in the order of :attr:`weights`."""
        flat, rebuild = _flatten(part)
        if self.units == len(self.unit_of):
            order = np.argsort(self.unit_of)
            return rebuild(flat[order])
        entries = (
            np.ones(len(self.unit_of), np.int64),
            (self.unit_of, np.arange(len(self.unit_of))),
        )
        gather = csr_array(entries, shape=(self.units, len(self.unit_of)))
        return rebuild(gather @ flat)

    def held(self, present: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """Count the units that hold each class, from (N, C) whether an image does: (C,)."""
        if self.unit == "images":
            return present.sum(0)
        seen = np.zeros((self.units, *present.shape[1:]), bool)
        np.logical_or.at(seen, self.unit_of, present)
        return seen.sum(0)

    def sums(
        self, *parts: Part, weights: npt.NDArray[Any] | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the summed counts of the resamples in blocks of bounded memory.

        Args:
            parts: Counts of the N images.
            weights: (R, units) other weights than :attr:`weights`.

        Yields:
            For each part its sums, (B, ...) float64 (exact below 2**53), or margins of them.
        """
        drawn = self.weights if weights is None else weights
        ready = self._summing(parts)
        block = max(1, _BYTES // (8 * sum(one.width for one in ready)))
        for start in range(0, len(drawn), block):
            share = drawn[start : start + block].astype(np.float64)
            yield tuple(one.sum(share) for one in ready)

    def _summing(self, parts: tuple[Part, ...]) -> "list[_Summing]":
        """Return parts made ready for sums; asked again for the same ones, it makes nothing."""
        known, ready = self._ready
        if len(known) != len(parts) or any(a is not b for a, b in zip(known, parts, strict=True)):
            ready = [_Summing(self.by_unit(part)) for part in parts]
            self._ready = (parts, ready)
        return ready

    def intervals(
        self, value: npt.ArrayLike, draws: Floats, held: npt.NDArray[Any] | None = None
    ) -> tuple[Interval, ...]:
        """Return the interval of each number.

        Args:
            value: K numbers, of any shape, on the whole set.
            draws: (R, K) the same on each resample; NaN where undefined, and left out.
            held: (K,) units that hold what each number is about; all of them by default.
        """
        values = np.asarray(value, np.float64).reshape(-1)
        counts = np.broadcast_to(self.units if held is None else np.reshape(held, -1), values.shape)
        ends, p_values = np.full((2, len(values)), np.nan), np.full(len(values), np.nan)
        if self.is_enough and len(draws):
            flat, tail = draws.reshape(len(draws), -1), expanded_tail(self.level, counts)
            ends = percentiles(flat, np.stack([tail, 1 - tail]))
            p_values = zero_p_value(flat, counts)
            unsure = (counts < MINIMUM_HELD) | np.isnan(values)
            ends[:, unsure] = p_values[unsure] = np.nan
        made = (self.level, METHOD, self.unit)
        return tuple(
            Interval(float(v), float(low), float(high), *made, int(n), self.resamples, float(p))
            for v, low, high, n, p in zip(values, *ends, counts, p_values, strict=True)
        )


def draw_weights(
    units: int, resamples: int, seed: int | np.random.Generator
) -> npt.NDArray[np.int32]:
    """Return how often each unit is drawn in each resample, (resamples, units)."""
    generator, out = np.random.default_rng(seed), np.empty((resamples, units), np.int32)
    block = max(1, _BYTES // (8 * max(units, 1)))
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = generator.integers(0, units, (rows, units))
        places = drawn + units * np.arange(rows)[:, None]
        counted = np.bincount(places.ravel(), minlength=rows * units)
        out[start : start + rows] = counted.reshape(rows, units)
    return out


def _length(part: Part) -> int:
    return len(part.right) if isinstance(part, Margins) else len(part)


def _flatten(part: Part) -> tuple[Any, Any]:
    """Return counts as a matrix of one row an image, and what turns such a matrix back."""
    if isinstance(part, SampleCounts):
        return part.cells, lambda cells: SampleCounts(csr_array(cells), part.num_classes)
    if isinstance(part, Margins):
        arrays = [np.asarray(a) for a in (part.right, part.true, part.predicted)]
        ends = np.cumsum([a[0].size for a in arrays])[:-1]
        shapes = [a.shape[1:] for a in arrays]

        def rebuild(flat: npt.NDArray[Any]) -> Margins:
            cut = np.split(flat, ends, axis=1)
            return Margins(*(c.reshape(-1, *s) for c, s in zip(cut, shapes, strict=True)))

        return np.concatenate([a.reshape(len(a), -1) for a in arrays], axis=1), rebuild
    array = np.asarray(part)
    return array.reshape(len(array), -1), lambda flat: flat.reshape(-1, *array.shape[1:])


def _filled(
    parts: Sequence[Part], codes: npt.NDArray[np.int64], units: int
) -> npt.NDArray[np.bool_]:
    """Return which units hold a count, (units,); where none does, all of them."""
    filled = np.zeros(units, bool)
    for part in parts:
        np.logical_or.at(filled, codes, np.asarray(abs(_flatten(part)[0]).sum(1) != 0))
    return filled if filled.any() else np.ones(units, bool)


def _canonical(part: Part) -> Part:
    """Confusion counts of any form as margins, so that each form has the same hash."""
    if isinstance(part, SampleCounts):
        return part.margins()
    if isinstance(part, np.ndarray) and part.ndim == 3 and part.shape[1] == part.shape[2]:
        return Margins(np.diagonal(part, axis1=1, axis2=2), part.sum(2), part.sum(1))
    return part


def _hash(flat: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """Return a number for each row that follows from its content."""
    generator = np.random.default_rng(flat.shape[1])
    factors = generator.integers(0, 2**64, flat.shape[1], dtype=np.uint64)
    return (flat.astype(np.int64).astype(np.uint64) * factors).sum(1, dtype=np.uint64)


def _order(parts: Sequence[Part], codes: npt.NDArray[np.int64], units: int) -> npt.NDArray[np.intp]:
    """Order units by what they hold, whatever the order of the images.

    The true pixels of each class decide, so every model over the same images has the same draws;
    where they are equal, all counts do, of all parts alike (A against B and B against A).
    """
    ready = [_canonical(part) for part in parts]
    first = ready[0]
    truth, every = np.zeros(units, np.uint64), np.zeros(units, np.uint64)
    np.add.at(truth, codes, _hash(_flatten(first.true if isinstance(first, Margins) else first)[0]))
    for part in ready:
        np.add.at(every, codes, _hash(_flatten(part)[0]))
    return np.lexsort((every, truth))


class _Summing:
    """Counts of units, ready for weighted sums: only columns in use, dense where that is small."""

    def __init__(self, part: Any) -> None:
        self._flat, self._rebuild = _flatten(part)
        self.width = int(self._flat.shape[1])
        self._used: Any = slice(None)
        if isinstance(part, SampleCounts):
            used = np.unique(self._flat.indices)
            self._used, cells = used, self._flat[:, used]
            small = cells.shape[0] * cells.shape[1] * 8 <= _DENSE
            cells = cells.astype(np.float64)  # while sparse: dense, it would be copied whole
            self._flat = cells.toarray() if small else cells
        else:
            self._flat = self._flat.astype(np.float64)

        self._classes = part.num_classes if isinstance(part, SampleCounts) else 0

    def sum(self, weights: Floats) -> Any:
        """Return the sums for (B, units) weights."""
        product = (self._flat.T @ weights.T).T
        if not self._classes:
            return self._rebuild(product)
        out = np.zeros((len(weights), self.width))
        out[:, self._used] = product
        return out.reshape(-1, self._classes, self._classes)


def bootstrap(
    parts: Sequence[Part],
    statistics: Mapping[str, Statistic],
    *,
    groups: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int | np.random.Generator = 0,
    held: Mapping[str, npt.NDArray[np.bool_]] | None = None,
) -> dict[str, tuple[Interval, ...]]:
    """Return the intervals of several statistics from the same resamples.

    Args:
        parts: Counts of the same N images: one for a score; A's and B's for a difference.
        statistics: By name, a function of the summed counts of every part; one number or several.
        groups: Draw whole groups instead of images; length N.
        resamples: How often the set is drawn again.
        level: Nominal coverage, 0..1.
        seed: Seed or generator of the draws.
        held: By name, (N, K) whether an image holds what each of the K numbers is about (a class);
            an image that does not says nothing about its spread.

    Returns:
        By name, one interval for each of the statistic's numbers.

    Raises:
        SegcoreError: Lengths do not fit, or a number is out of range.
    """
    drawing = Resampling(parts, groups, resamples=resamples, level=level, seed=seed)
    whole = next(drawing.sums(*parts, weights=np.ones((1, drawing.units), np.int32)))
    values = {name: np.asarray(f(*whole), np.float64)[0] for name, f in statistics.items()}
    draws: dict[str, list[Floats]] = {name: [] for name in statistics}
    if drawing.is_enough:
        for block in drawing.sums(*parts):
            for name, function in statistics.items():
                draws[name].append(np.asarray(function(*block), np.float64))
    return {
        name: drawing.intervals(
            value,
            np.concatenate(draws[name]) if draws[name] else np.zeros((0, 1)),
            drawing.held(held[name]) if held and name in held else None,
        )
        for name, value in values.items()
    }


def swap_p_value(
    a: Part,
    b: Part,
    statistic: Statistic,
    *,
    groups: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int | np.random.Generator = 0,
) -> float:
    """Return the two-sided p value of a difference, by swapping A and B at random within each unit.

    p = (1 + #{|d*| >= |d|}) / (1 + resamples), d* the difference after a fair coin for each unit
    (Fisher's randomisation test). NaN with fewer than two units.

    Args:
        a: Counts of A over N images.
        b: Counts of B over the same images.
        statistic: One number for each sum, for example
            :func:`segcore.evaluation.counts.scores.mean_iou`.
        groups: Keep whole groups together; length N.
        resamples: How many times coins are tossed.
        seed: Seed or generator.
    """
    drawing = Resampling((a, b), groups, resamples=resamples, seed=seed)
    if drawing.units < 2:
        return float("nan")
    coins = np.random.default_rng(seed).integers(0, 2, (resamples, drawing.units), np.int32)
    ones = np.ones((1, drawing.units), np.int32)
    observed = next(statistic(x)[0] - statistic(y)[0] for x, y in drawing.sums(a, b, weights=ones))
    extreme = 0
    mine = drawing.sums(a, b, weights=coins)
    theirs = drawing.sums(a, b, weights=1 - coins)
    for (x, y), (rest_x, rest_y) in zip(mine, theirs, strict=True):
        change = statistic(_added(x, rest_y)) - statistic(_added(rest_x, y))
        extreme += int((np.abs(change) >= abs(observed) - 1e-12).sum())
    return (1 + extreme) / (1 + resamples)


def _added(one: Any, other: Any) -> Any:
    if isinstance(one, Margins):
        pairs = ((one.right, other.right), (one.true, other.true), (one.predicted, other.predicted))
        return Margins(*(x + y for x, y in pairs))
    return one + other


def paired(statistic: Statistic) -> Statistic:
    """Return the statistic of A minus that of B."""
    return lambda a, b: statistic(a) - statistic(b)
