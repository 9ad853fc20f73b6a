"""Which parameters suit a dataset, if any: a search over CRFs in which "no CRF" always takes part.

Candidates are judged by what the caller counts and scores (mean IoU, boundary IoU), never by the
CRF's own energy, which falls without the masks getting better. The search halves (Jamieson,
Talwalkar: Non-stochastic best arm identification, AISTATS 2016): all candidates see a few images,
the better half sees as many more, and so on; those that are left have seen every image, and so has
"no CRF".
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.postprocess.parameters import CRFParameters

Counts = npt.NDArray[np.int64]
Choice = CRFParameters | None
"""Parameters, or None for no CRF."""

SEARCH_RANGES: dict[str, tuple[float, float]] = {
    "spatial_width": (1.0, 6.0),
    "spatial_weight": (0.5, 8.0),
    "bilateral_width": (10.0, 160.0),
    "color_width": (3.0, 40.0),
    "bilateral_weight": (0.5, 15.0),
    "temperature": (0.7, 4.0),
}
"""What is drawn, log-uniformly; widths are those of 600 px of image diagonal (``relative``)."""


@dataclass(frozen=True)
class Candidate:
    """One choice and what was counted with it.

    Attributes:
        parameters: The CRF, or None for no CRF.
        samples: Indices of the images it has seen, in the order they were counted.
        total: Int64 sum over these images of what the caller's function counted.
        score: Of ``total``; higher is better. Scores compare between candidates that saw the same
            images.
    """

    parameters: Choice
    samples: tuple[int, ...]
    total: Counts
    score: float


def draw_candidates(
    count: int, generator: np.random.Generator, start: CRFParameters | None = None
) -> list[Choice]:
    """Draw candidates from ``SEARCH_RANGES``.

    Args:
        count: How many CRFs, besides no CRF and the starting point.
        generator: Source of randomness.
        start: A CRF that takes part as it is and gives what is not drawn (iterations,
            ``drop_below``); None takes the defaults.

    Returns:
        ``[None, start, drawn, ...]``.
    """
    start = start or CRFParameters(relative=True)
    drawn: list[Choice] = []
    for _ in range(count):
        values: dict[str, Any] = {
            name: round(math.exp(generator.uniform(math.log(low), math.log(high))), 3)
            for name, (low, high) in SEARCH_RANGES.items()
        }
        drawn.append(replace(start, relative=True, **values))
    return [None, start, *drawn]


def search_parameters(
    candidates: Sequence[Choice],
    num_samples: int,
    count: Callable[[Sequence[int], Sequence[Choice]], Iterable[Iterable[Counts]]],
    score: Callable[[Counts], float],
    generator: np.random.Generator,
    rounds: int = 3,
) -> list[Candidate]:
    """Search by halving.

    Args:
        candidates: What to try; no CRF is added where it is missing, and a repeated one is tried
            once.
        num_samples: Number of images; they are seen in an order that is drawn once.
        count: For some images and some candidates, the counts [image][candidate], each an int64
            array of one shape (a confusion matrix, say); read each image once for all candidates,
            and spread images over processes. Rows are summed one at a time.
        score: Of summed counts, higher is better; NaN ranks last.
        generator: Source of randomness.
        rounds: Number of halvings; 0 shows every image to every candidate.

    Returns:
        Every candidate: first those that saw every image, best first, then those that left, the
        last to leave first.

    Raises:
        SegcoreError: There is no image.
    """
    if num_samples < 1:
        raise SegcoreError(
            "Expected at least one image to search on, received none: choose a split that "
            "has images with masks."
        )
    alive: list[Choice] = [None, *dict.fromkeys(c for c in candidates if c is not None)]
    order = [int(i) for i in generator.permutation(num_samples)]
    found: dict[Choice, Counts] = {}
    left: list[Candidate] = []
    seen = 0
    for number in range(rounds + 1):
        until = max(1, math.ceil(num_samples / 2 ** (rounds - number)))  # of the last round: all
        batch = order[seen:until]
        for row in count(batch, alive) if batch else ():
            for choice, counts in zip(alive, row, strict=True):
                found[choice] = np.asarray(counts, np.int64) + found.get(choice, 0)
        seen = max(seen, until)
        ranked = sorted(
            (
                Candidate(choice, tuple(order[:seen]), found[choice], float(score(found[choice])))
                for choice in alive
            ),
            key=_rank,
        )
        if number == rounds:
            return [*ranked, *left]
        crfs = [c for c in ranked if c.parameters is not None]
        kept = crfs[: max(1, math.ceil(len(crfs) / 2))]
        left = [*crfs[len(kept) :], *left]
        alive = [None, *(c.parameters for c in kept)]
    return left


def _rank(candidate: Candidate) -> tuple[float, bool]:
    """Best first; in a tie no CRF goes before any."""
    return (
        math.inf if math.isnan(candidate.score) else -candidate.score,
        candidate.parameters is not None,
    )
