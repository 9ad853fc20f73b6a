"""What the viewer shows: panels over one image, as values that check themselves."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError, unknown
from segcore.labels import LabelSet

KINDS_FILE = Path(__file__).with_name("panel_kinds.json")
"""The table of kinds, which the viewer's script reads too."""


@dataclass(frozen=True)
class PanelKind:
    """One row of the table of kinds.

    Attributes:
        meaning: What a panel of the kind shows.
        plane: What it needs: "mask", "scalar" or None for the image alone.
        look: How the browser paints it: a name in ``LOOKS`` of ``kinds.js``.
        key: What the legend explains: "classes", "heat", "errors", "changes", "levels" or None.
        probe: What stands under the pointer: "class", "number" or None.
        export: How a contact sheet paints it: a name in :data:`segcore.ui.compare.contact_sheet.PAINTERS`.
        reference: What it is compared with: "truth", "versus" (another panel) or None.
    """

    meaning: str
    plane: str | None
    look: str
    key: str | None
    probe: str | None
    export: str
    reference: str | None


KINDS: dict[str, PanelKind] = {
    name: PanelKind(**row)
    for name, row in json.loads(KINDS_FILE.read_text(encoding="utf-8")).items()
}


@dataclass(frozen=True)
class TopClasses:
    """The most probable classes of every pixel, for the probe.

    Attributes:
        labels: (h, w, K) integer class indices, most probable first.
        probabilities: (h, w, K) float32, 0..1, falling along the last axis. The resolution may be
            coarser than the image's (a network's own); the probe takes the cell that holds the
            pixel.
    """

    labels: npt.NDArray[np.integer[Any]]
    probabilities: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        if self.labels.ndim != 3 or self.labels.shape != self.probabilities.shape:
            raise SegcoreError(
                "Expected labels and probabilities of one shape (h, w, K), received "
                f"{self.labels.shape} and "
                f"{self.probabilities.shape}: take both from one prediction."
            )

    @staticmethod
    def of(probabilities: npt.NDArray[np.float32], count: int = 3) -> "TopClasses":
        """Pick the ``count`` most probable classes of every pixel.

        Args:
            probabilities: (h, w, C) float32, 0..1.
            count: How many classes to keep; fewer where there are fewer.

        Returns:
            Labels and probabilities, (h, w, min(count, C)).
        """
        count = min(count, probabilities.shape[-1])
        some = np.argpartition(-probabilities, count - 1, axis=-1)[
            ..., :count
        ]  # (h, w, K), in no order
        values = np.take_along_axis(probabilities, some, axis=-1)
        order = np.argsort(-values, axis=-1, kind="stable")
        return TopClasses(
            np.take_along_axis(some, order, axis=-1), np.take_along_axis(values, order, axis=-1)
        )


@dataclass(frozen=True)
class Panel:
    """One picture in the viewer.

    Attributes:
        title: What the caption says ("Prediction").
        kind: A name in :data:`KINDS`.
        mask: (H, W) integer class indices 0..C-1, or the label set's ``ignore_index``; H and W are
            the image's. Needed by every kind but "image" and "scalar".
        scalar: (h, w) float32, 0..1, at the image's or a coarser resolution, or None.
        top: The most probable classes of each pixel, or None.
        versus: For "difference", the position of the panel whose mask came first; for "error", of
            the panel that is held to be right (the scene's truth where None).
        hidden: Whether the panel is only there for others to be held against.
    """

    title: str
    kind: str = "mask"
    mask: npt.NDArray[np.integer[Any]] | None = None
    scalar: npt.NDArray[np.float32] | None = None
    top: TopClasses | None = None
    versus: int | None = None
    hidden: bool = False

    def __post_init__(self) -> None:
        """Refuse a kind that does not exist or lacks what it shows."""
        if self.kind not in KINDS:
            raise unknown("kind of panel", self.kind, KINDS)
        needed = KINDS[self.kind].plane
        if needed and getattr(self, needed) is None:
            raise SegcoreError(
                f"Expected a {needed} for the panel {self.title!r} of kind {self.kind!r}, "
                "received none: give one."
            )
        if KINDS[self.kind].reference == "versus" and self.versus is None:
            raise SegcoreError(
                f"Expected the panel that {self.title!r} differs from, received none: set "
                "versus to its position."
            )


@dataclass(frozen=True)
class Scene:
    """Everything the viewer shows at once.

    Attributes:
        id: Name of the sample; the page and tests know a painted scene by it.
        image: (H, W, 3) uint8 RGB.
        panels: The pictures, in order; one or more.
        label_set: The classes that the masks' indices stand for.
        truth: Position of the panel with the ground truth, or None.
        facts: Lines at the top of an exported picture: model, split, scores.
        levels: Level of each class where some are groups of others, 0 for a class itself; needed by
            panels of kind "levels", empty without.
    """

    id: str
    image: npt.NDArray[np.uint8]
    panels: tuple[Panel, ...]
    label_set: LabelSet
    truth: int | None = None
    facts: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse shapes and positions that do not fit together."""
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise SegcoreError(
                f"Expected an image (H, W, 3) of uint8, received {self.image.shape} of "
                f"{self.image.dtype}: convert it to 8-bit RGB."
            )
        if all(panel.hidden for panel in self.panels):
            raise SegcoreError(
                "Expected at least one visible panel, received none: add one of kind 'image'."
            )
        hatched = any(KINDS[panel.kind].look == "levels" for panel in self.panels)
        if (hatched or self.levels) and len(self.levels) != self.label_set.num_classes:
            raise SegcoreError(
                f"Expected a level for each of {self.label_set.num_classes} classes, received "
                f"{len(self.levels)}: give 0 for classes that are no groups."
            )
        for panel in self.panels:
            if panel.mask is not None and panel.mask.shape != self.image.shape[:2]:
                raise SegcoreError(
                    f"Expected a mask of {self.image.shape[:2]} for the panel "
                    f"{panel.title!r}, received {panel.mask.shape}: "
                    "resize it to the image's height and width."
                )
            if panel.scalar is not None and panel.scalar.ndim != 2:
                raise SegcoreError(
                    f"Expected a scalar (h, w) for the panel {panel.title!r}, received "
                    f"{panel.scalar.shape}: give one number a pixel."
                )
            self._check_reference(f"the panel {panel.title!r}", panel.versus)
            if (
                KINDS[panel.kind].reference == "truth"
                and panel.versus is None
                and self.truth is None
            ):
                raise SegcoreError(
                    f"Expected a ground-truth mask to compare the panel {panel.title!r} with, "
                    "received none: set the scene's truth or the panel's versus."
                )
        self._check_reference("truth", self.truth)

    def _check_reference(self, what: str, position: int | None) -> None:
        if position is None:
            return
        if not 0 <= position < len(self.panels) or self.panels[position].mask is None:
            raise SegcoreError(
                f"Expected {what} to point at a panel with a mask, received position "
                f"{position}: choose another panel."
            )
