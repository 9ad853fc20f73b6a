"""A balance plan as it is kept: what was asked for, the repeats, and what they achieve."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from segcore.errors import SegcoreError

VERSION = 1
TOLERATED = 0.1
"""Share of a split's images by which a plan may be out of date and still be trained with."""
FALL = 0.02
"""Part of its share that a class loses before it is said to get rarer."""
MOST_NAMED = 3
"""Classes that :meth:`BalancePlan.rarer` names."""


@dataclass(frozen=True)
class Mismatch:
    """How the images that a plan was made for differ from those of a split.

    Attributes:
        message: What differs, and the fix.
        refuses: Whether too much differs to train with the plan.
    """

    message: str
    refuses: bool


@dataclass(frozen=True)
class BalancePlan:
    """Repeats for the images of a split, and what they do to its classes.

    Attributes:
        mode: "pixel" or "count".
        split: Split that it is for, "" for all.
        target: (C,) shares that were aimed at.
        ground: "nominal", "ordered" or "custom": what moving between classes costs.
        max_repeats: Largest repeats of an image (1 is itself alone).
        budget: Most copies in all, or None.
        repeats: Sample id to repeats, in the order of the samples; 0 leaves an image out.
        shares_before: (C,) shares of the classes without copies.
        shares_after: (C,) with the copies.
        before: Distance from the target without copies.
        after: With the copies.
        floor: What no plan with the same cap and budget can beat; None when it was not asked for.
        path: (copies, distance) as copies were added, thinned to some hundred points.
        labels_per_image: Mean number of classes in an image.
    """

    mode: str
    split: str
    target: tuple[float, ...]
    ground: str
    max_repeats: int
    budget: int | None
    repeats: dict[str, int]
    shares_before: tuple[float, ...]
    shares_after: tuple[float, ...]
    before: float
    after: float
    floor: float | None
    path: tuple[tuple[int, float], ...]
    labels_per_image: float

    @property
    def copies(self) -> int:
        """Copies added in all: the sum of repeats - 1, of images that are not left out."""
        return sum(max(0, repeats - 1) for repeats in self.repeats.values())

    @property
    def effective_sample_size(self) -> float:
        """Effective sample size (sum r)^2 / sum r^2 (Kish, 1965)."""
        values = self.repeats.values()
        return sum(values) ** 2 / sum(r * r for r in values)

    def expand(self, sample_ids: Sequence[str]) -> list[str]:
        """Return the ids, each repeated as planned; an id the plan does not know appears once."""
        return [
            sample_id for sample_id in sample_ids for _ in range(self.repeats.get(sample_id, 1))
        ]

    def mismatch(self, name: str, split: str, sample_ids: Sequence[str]) -> Mismatch | None:
        """Return how the plan differs from the images of a split; None where it was made for them.

        Args:
            name: The plan's name, for the message.
            split: Name of the split.
            sample_ids: Its images with masks.
        """
        if self.split not in ("", split):
            return Mismatch(
                f"Expected a balance plan for the split {split!r}, received {name!r}, which is one "
                f"for {self.split!r}: make one for this split, or choose none.",
                True,
            )
        images = set(sample_ids)
        unknown = len(images - self.repeats.keys())
        gone = len(self.repeats.keys() - images) if self.split else 0
        if not unknown and not gone:
            return None
        counts = [f"{unknown:,} of {len(images):,} are not in it"] * bool(unknown)
        counts += [f"{gone:,} of its {len(self.repeats):,} are no longer there"] * bool(gone)
        most = TOLERATED * max(len(images), len(self.repeats) if self.split else 0)
        return Mismatch(
            f"Balance plan {name!r} was made for other images of {split} ({', '.join(counts)}): "
            "plan again.",
            unknown + gone > most,
        )

    @property
    def helpless(self) -> bool:
        """Whether repeating whole images leaves nearly all of the distance.

        Then something else must help.
        """
        best = self.after if self.floor is None else self.floor
        return self.before >= 0.01 and self.before - best < 0.2 * self.before

    def verdict(self) -> str:
        """Say in words what repeating images achieves here, and what could where it cannot."""
        unit = "pixels" if self.mode == "pixel" else "images"
        if self.before < 0.01:
            return (
                f"The classes are balanced by {unit} already: their distance from the target "
                f"is {self.before:.3f}; no copies needed."
            )
        rare = sum(share == 0 for share in self.shares_before)
        missing = (
            f" {rare} of {len(self.target)} classes never occur here, and no plan can add them."
            if rare
            else ""
        )
        if self.helpless:
            best = self.after if self.floor is None else self.floor
            return (
                f"Repeating whole images cannot balance this split by {unit}: from "
                f"{self.before:.3f}, no plan with at most "
                f"{self.max_repeats} repeats{self._limit()} gets below {best:.3f}, because "
                "an image contains "
                f"{self.labels_per_image:.1f} of {len(self.target)} classes on average and "
                "repeats the frequent ones too. "
                "Class weights in the loss can, and so can class-centred crops where they are "
                f"small enough.{missing}"
            )
        bound = ""
        if self.floor is not None:
            bound = (
                f"; no plan with at most {self.max_repeats} repeats{self._limit()} gets below "
                f"{self.floor:.3f}"
            )
        return (
            f"{self.copies} copies lower the distance from the target from "
            f"{self.before:.3f} to {self.after:.3f}{bound}. "
            f"The split then counts as {self.effective_sample_size:.0f} equally repeated images.{missing}"
        )

    def rarer(self, names: Sequence[str]) -> str:
        """Say which classes below their target lose share by the plan, and what to do; "" if none.

        Args:
            names: C class names.
        """
        falls = sorted(
            (before, after, name)
            for name, before, after, target in zip(
                names, self.shares_before, self.shares_after, self.target, strict=True
            )
            if before < target and after < before * (1 - FALL)
        )
        if not falls:
            return ""
        named = [
            f"{name} (from {100 * before:.3g} % to {100 * after:.3g} %)"
            for before, after, name in falls[:MOST_NAMED]
        ]
        more = len(falls) - MOST_NAMED
        listed = ", ".join(named) + (f" and {more} more" if more > 0 else "")
        those, them = ("classes that are", "them") if len(falls) > 1 else ("a class that is", "it")
        return (
            f"The plan makes {those} below the target rarer still: {listed}; raise {them} by class "
            "weights in the loss or by class-centred crops."
        )

    def _limit(self) -> str:
        return "" if self.budget is None else f" and {self.budget} copies"

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON, with ``copies``, ``effective_sample_size`` and ``verdict``."""
        return {
            "version": VERSION,
            "mode": self.mode,
            "split": self.split,
            "target": list(self.target),
            "ground": self.ground,
            "max_repeats": self.max_repeats,
            "budget": self.budget,
            "before": self.before,
            "after": self.after,
            "floor": self.floor,
            "copies": self.copies,
            "effective_sample_size": self.effective_sample_size,
            "verdict": self.verdict(),
            "labels_per_image": self.labels_per_image,
            "shares_before": list(self.shares_before),
            "shares_after": list(self.shares_after),
            "path": [list(point) for point in self.path],
            "repeats": dict(self.repeats),
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> "BalancePlan":
        """Rebuild what :meth:`to_json` returned.

        Raises:
            SegcoreError: A key is missing or wrong, or a newer Segscope wrote it.
        """
        try:
            if int(data["version"]) > VERSION:
                raise SegcoreError(
                    f"Expected a balance plan of format {VERSION}, received "
                    f"{data['version']}: update Segscope."
                )
            repeats = {str(k): int(v) for k, v in data["repeats"].items()}
            if any(r < 0 for r in repeats.values()) or not any(repeats.values()):
                raise ValueError("repeats must be 0 or more, and not all 0")
            return BalancePlan(
                str(data["mode"]),
                str(data["split"]),
                tuple(float(v) for v in data["target"]),
                str(data["ground"]),
                int(data["max_repeats"]),
                None if data["budget"] is None else int(data["budget"]),
                repeats,
                tuple(float(v) for v in data["shares_before"]),
                tuple(float(v) for v in data["shares_after"]),
                float(data["before"]),
                float(data["after"]),
                None if data["floor"] is None else float(data["floor"]),
                tuple((int(c), float(d)) for c, d in data["path"]),
                float(data["labels_per_image"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SegcoreError(f"The balance plan is damaged ({error}): make it again.") from error
