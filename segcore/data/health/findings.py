"""What a health check looks at, and what it finds."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Dataset
from segcore.data.health.image_hashes import Hashes
from segcore.data.statistics.statistics import ClassStatistics


@dataclass(frozen=True)
class Finding:
    """One thing that the user should know.

    Attributes:
        check: Name of the check in :data:`segcore.data.health.health.CHECKS`.
        level: "problem" (scores would be wrong), "warning" (look at it) or "note".
        samples: Ids of the samples it concerns; those that belong together are adjacent.
        what: One sentence: what is the matter.
        fix: What to do about it.
        pairs: Some pairs of these samples (or one of them and its neighbour) to compare.
        split_method: Split method that would fix it, a name of ``splits.METHODS``; "" for none.
    """

    check: str
    level: str
    samples: tuple[str, ...]
    what: str
    fix: str
    pairs: tuple[tuple[str, str], ...] = ()
    split_method: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return ``{"check", "level", "samples", "what", "fix", "pairs"}``."""
        return {
            "check": self.check,
            "level": self.level,
            "samples": list(self.samples),
            "what": self.what,
            "fix": self.fix,
            "pairs": [list(pair) for pair in self.pairs],
        }


@dataclass(frozen=True)
class Evidence:
    """What the checks look at.

    Attributes:
        dataset: The dataset.
        statistics: Its class counts, a row for each of the N samples; zeros for one without a mask.
        hashes: (N,) uint64 difference hashes of the images.
        readable: (N,) bool: which images could be read.
    """

    dataset: Dataset
    statistics: ClassStatistics
    hashes: Hashes
    readable: npt.NDArray[np.bool_]

    def ids(self, chosen: npt.NDArray[np.bool_]) -> tuple[str, ...]:
        """Ids of the chosen samples, (N,) bool."""
        return tuple(
            sample.id for sample, take in zip(self.dataset.samples, chosen, strict=True) if take
        )
