"""One line of the runs table: what a run is, its status, its annotations and its score."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segcore.runs.folder.annotations import Annotations
from segcore.runs.folder.listing import RunSummary
from segcore.runs.folder.status import Status

OWN_SIZE = "own size"
"""How images are scored outside training: each at its own size."""


@dataclass(frozen=True)
class RunRow:
    """One run at a glance.

    Attributes:
        run: Its id.
        kind: What it does; "" where its config cannot be read. A newer version may have written a
            kind that this one does not know.
        dataset: Name of its dataset; "" where its config cannot be read.
        network: Architecture and encoder by name, "unet · resnet50"; "" for a run without one.
        group: Common name of runs that were launched together.
        status: How it is going; ``status.mean_iou`` is a score of ``scored_split`` at
            ``scored_size``.
        annotations: Its star, tags, note, and whether it is archived.
        scored_split: The split that its mean IoU belongs to; "" where it has none.
        scored_size: The size at which images are scored: that of training, "64 x 64" (height x
            width), or "own size"; "" where nothing is scored.
        earlier: Whether the score is of images that the split had earlier.
    """

    run: str
    kind: str
    dataset: str
    network: str
    group: str
    status: Status
    annotations: Annotations
    scored_split: str
    scored_size: str
    earlier: bool = False

    @property
    def training_mean_iou(self) -> float | None:
        """Best mean IoU of the validation split during training, 0 to 1, at the training size."""
        return None if self.scored_size == OWN_SIZE else self.status.mean_iou

    @property
    def own_size_mean_iou(self) -> float | None:
        """Mean IoU of the predicted split, 0 to 1, each image at its own size."""
        return self.status.mean_iou if self.scored_size == OWN_SIZE else None

    @property
    def scored_on(self) -> str:
        """The split and size of the score, "validation, 64 x 64"; "" without a score."""
        if self.status.mean_iou is None:
            return ""
        split = f"an earlier {self.scored_split}" if self.earlier else self.scored_split
        return ", ".join(part for part in (split, self.scored_size) if part)

    def to_json(self) -> dict[str, Any]:
        """Return the row as one flat mapping, for ``segscope runs --json``."""
        return {
            "run": self.run,
            "kind": self.kind,
            "dataset": self.dataset,
            "network": self.network,
            "group": self.group,
            **vars(self.status),
            "after": [*self.status.after],
            "tags": [*self.annotations.tags],
            "note": self.annotations.text,
            "star": self.annotations.star,
            "archived": self.annotations.archived,
            "scored_split": self.scored_split,
            "scored_size": self.scored_size,
            "earlier": self.earlier,
        }


def run_row(summary: RunSummary) -> RunRow:
    """Return the row of a run; it shares the summary's parts, since a thousand are made at once."""
    config = summary.config
    model = config.get("model")
    network = (
        f"{model.get('architecture')} · {model.get('encoder')}" if isinstance(model, dict) else ""
    )
    split, size = _scored(summary.kind, config)
    return RunRow(
        run=summary.id,
        kind=summary.kind,
        dataset=summary.dataset,
        network=network,
        group=str(config.get("group", "")),
        status=summary.status,
        annotations=summary.annotations,
        scored_split=split,
        scored_size=size,
    )


def _scored(kind: str, config: Mapping[str, Any]) -> tuple[str, str]:
    """Return the split and the size of a run's score, from its config as it is on disk."""
    training = config.get("base") if kind == "tune" else config
    if kind not in ("train", "tune") or not isinstance(training, dict):
        split = str(config.get("split", ""))
        return split, OWN_SIZE if split else ""
    split, size = str(training.get("validation_split", "")), training.get("size")
    if not split or not isinstance(size, (list, tuple)):
        return split, ""
    return split, " x ".join(map(str, size))
