"""The search for a balance plan, and the lower bound (floor) of its distance.

With contributions H (N, C) (pixels, or 0 and 1), repeats r and mass M = sum of H^T r, the classes
get shares p = H^T r / M, and the search lowers the distance of p from the target t.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy
from scipy.sparse import csr_array, eye_array, hstack, vstack

from segcore.data.statistics.imbalance import Distance, Floats, LinearDistance, TransportDistance
from segcore.errors import SegcoreError

Repeats = npt.NDArray[np.int64]
GAIN = 1e-10
"""A step must lower the distance by more than this."""

_EXACT_CELLS = 200_000
_PAIR_CELLS = 100_000
_SLOW_TRIES = 8


@dataclass
class Search:
    """Repeats in progress.

    Attributes:
        contributions: (N, C) float64, H.
        distance: Distance of shares from the target.
        repeats: (N,) int64, r, 1 or more each.
    """

    contributions: Floats
    distance: Distance
    repeats: Repeats

    def __post_init__(self) -> None:
        """Sum up what the repeats give."""
        self.sparse = csr_array(self.contributions)  # most images hold few of many classes
        self.weights = self.contributions.sum(1)
        self.sums = self.repeats @ self.sparse
        self.value = float(self.distance.values(self.shares[None])[0])

    @property
    def shares(self) -> Floats:
        """Shares of the classes under the repeats, (C,)."""
        return self.sums / self.sums.sum()

    @property
    def copies(self) -> int:
        """Copies added: the sum of r - 1."""
        return int(self.repeats.sum()) - len(self.repeats)

    def scores(self) -> Floats:
        """Rate at which one more copy of each image changes the distance, (N,)."""
        slopes = self.distance.slopes(self.shares)
        return self.sparse @ slopes - self.weights * float(slopes @ self.shares)

    def _values(self, sums: Floats) -> Floats:
        return self.distance.values(sums / sums.sum(1, keepdims=True))

    def _tries(self, limit: int) -> int:
        return limit if isinstance(self.distance, LinearDistance) else _SLOW_TRIES

    def grow(
        self, caps: Repeats, budget: int, block: int = 1, singles: int | None = None
    ) -> Iterator[tuple[int, float]]:
        """Add copies, many at a time, then one by one, until none lowers the distance.

        Args:
            caps: (N,) int64, largest repeats of each image.
            budget: Most copies in all.
            block: Copies that are added at a time at first.
            singles: Most copies that are added one by one; None for no limit.

        Yields:
            (copies, distance) after each addition.
        """
        count, classes = self.contributions.shape
        while self.copies < budget and not (block <= 1 and singles == 0):
            scores = np.where(self.repeats < caps, self.scores(), np.inf)
            if block > 1:
                steps = self._block(scores, min(block, budget - self.copies))
                if len(steps) <= block // 2:
                    block = max(1, block // 2)
                yield from steps
                continue
            most = self._tries(max(1, _EXACT_CELLS // classes))
            tried = np.arange(count) if count <= most else np.argpartition(scores, most)[:most]
            tried = tried[self.repeats[tried] < caps[tried]]
            if not len(tried):
                return
            values = self._values(self.sums + self.contributions[tried])
            best = int(values.argmin())
            if values[best] >= self.value - GAIN:
                return
            self._add(tried[best : best + 1], float(values[best]))
            singles = None if singles is None else singles - 1
            yield self.copies, self.value

    def _block(self, scores: Floats, size: int) -> list[tuple[int, float]]:
        """Add the longest useful run of the ``size`` best images; return each distance."""
        order = np.argpartition(scores, size - 1)[:size]
        order = order[np.argsort(scores[order], kind="stable")]
        order = order[scores[order] < 0]
        if not len(order):
            return []
        sums = self.sums + np.cumsum(self.contributions[order], 0)
        ends = np.unique(np.geomspace(1, len(order), self._tries(len(order))).astype(int)) - 1
        values = self._values(sums[ends])
        best = int(values.argmin())
        if values[best] >= self.value - GAIN:
            return []
        before = self.copies
        self._add(order[: ends[best] + 1], float(values[best]))
        return [
            (before + int(end) + 1, float(value))
            for end, value in zip(ends[: best + 1], values, strict=False)
        ]

    def _add(self, images: npt.NDArray[np.intp], value: float) -> None:
        self.repeats[images] += 1
        self.sums = self.repeats @ self.sparse
        self.value = value

    def jump(self, repeats: Repeats) -> None:
        """Set all repeats at once."""
        self.repeats = repeats.copy()
        self.sums = self.repeats @ self.sparse
        self.value = float(self.distance.values(self.shares[None])[0])

    def swap(self, caps: Repeats, rounds: int = 200) -> None:
        """FixedBroken one copy of an image for one of another while that lowers the distance."""
        classes = self.contributions.shape[1]
        reach = max(2, int((self._tries(_PAIR_CELLS // classes)) ** 0.5))
        for _ in range(rounds):
            scores = self.scores()
            ins, outs = np.flatnonzero(self.repeats < caps), np.flatnonzero(self.repeats > 1)
            ins = ins[np.argsort(scores[ins], kind="stable")[:reach]]
            outs = outs[np.argsort(-scores[outs], kind="stable")[:reach]]
            if not len(ins) or not len(outs):
                return
            sums = self.sums + self.contributions[ins][:, None] - self.contributions[outs][None]
            values = self._values(sums.reshape(-1, classes))
            best = int(values.argmin())
            if values[best] >= self.value - GAIN:
                return
            put, take = ins[best // len(outs)], outs[best % len(outs)]
            self.repeats[put] += 1
            self.repeats[take] -= 1
            self.sums, self.value = self.repeats @ self.sparse, float(values[best])


@dataclass(frozen=True)
class Floor:
    """What no integer plan can beat.

    Attributes:
        value: A lower bound of the distance, within about 1e-6 of the best fractional plan.
        repeats: (N,) float64, the best fractional repeats found.
    """

    value: float
    repeats: Floats


def _carriers(distance: Distance, classes: int) -> tuple[csr_array, Floats]:
    """Return the ways to carry shares from class to class (C, X), and the cost of each (X,)."""
    if isinstance(distance, TransportDistance):
        start, end = np.nonzero(~np.eye(classes, dtype=bool))
        costs = distance.ground[start, end]
    elif (
        isinstance(distance, LinearDistance) and len(distance.matrix) == classes
    ):  # nominal: to and from anywhere, half the price each
        both = hstack([eye_array(classes), -eye_array(classes)])
        return csr_array(both), np.full(2 * classes, 0.5)
    else:  # ordered: to the neighbours
        low = np.arange(classes - 1)
        start, end = np.concatenate([low, low + 1]), np.concatenate([low + 1, low])
        costs = np.full(len(start), 1 / max(classes - 1, 1))
    arcs = np.arange(len(start))
    ones = np.ones(len(start))
    return csr_array(
        (np.concatenate([ones, -ones]), (np.concatenate([start, end]), np.tile(arcs, 2))),
        (classes, len(start)),
    ), costs


def find_floor(
    contributions: Floats, distance: Distance, cap: int, budget: int | None, start: float
) -> Floor:
    """Find the lowest distance that fractional repeats between 1 and ``cap`` reach.

    The distance is a cost over a mass; Dinkelbach's method (1967) finds its minimum by linear
    programs: at a guess d, the program gives v = min (cost - d * mass), then every plan satisfies
    distance >= d + v / (mass without copies), and the program's own plan is the next guess. Ground
    distances that break the triangle inequality are shortened first, so the floor stays a floor.

    Args:
        contributions: (N, C) float64.
        distance: Distance from the target.
        cap: Largest repeats, at least 1.
        budget: Most copies in all; None for no limit.
        start: A distance that some plan reaches.

    Returns:
        The floor.

    Raises:
        SegcoreError: The solver gave up.
    """
    count, classes = contributions.shape
    scaled = contributions / contributions.sum(1).mean()
    weights = scaled.sum(1)
    ways, costs = _carriers(distance, classes)
    target = csr_array(-distance.target[:, None])
    balance = hstack([csr_array(scaled.T), target, -ways])
    mass = hstack([csr_array(-weights[None]), csr_array([[1.0]]), csr_array((1, len(costs)))])
    equal = vstack([balance, mass]).tocsc()
    limits: dict[str, Any] = {"A_eq": equal, "b_eq": np.zeros(classes + 1)}
    limits["bounds"] = np.vstack(
        [np.tile([1.0, cap], (count, 1)), np.tile([0.0, np.inf], (1 + len(costs), 1))]
    )
    if budget is not None:
        spent = hstack([csr_array(np.ones((1, count))), csr_array((1, 1 + len(costs)))])
        limits |= {"A_ub": spent.tocsc(), "b_ub": [count + budget]}
    guess, floor, repeats = start, 0.0, np.ones(count)
    for _ in range(20):
        prices = np.concatenate([np.zeros(count), [-guess], costs])
        solved = scipy.optimize.linprog(prices, **limits, method="highs")
        if solved.status != 0:
            raise SegcoreError(
                f"The floor of the balance plan could not be computed ({solved.message}): try "
                "another cap or target."
            )
        repeats = solved.x[:count]
        floor = max(floor, guess + min(0.0, float(solved.fun)) / float(weights.sum()))
        reached = float(costs @ solved.x[count + 1 :]) / float(weights @ repeats)
        guess = min(guess, reached)
        if guess - floor < 1e-6:
            break
    return Floor(min(floor, guess), repeats)
