"""Predictions of another tool, imported as a run."""

from dataclasses import dataclass

from segcore.catalog import MASK_VALUES
from segcore.config.schema import check, option


@dataclass(frozen=True)
class ImportedConfig:
    """Predictions of another tool for one split; nothing was trained here.

    Attributes:
        dataset: Name of a dataset in the workspace.
        split: Split whose samples were matched.
        source: Name of the folder or archive they were read from.
        left_out: Number of samples of the split without a valid prediction.
        label_map: Name of the label map whose merged labels were predicted; "" for the dataset's
            own.
        kind: Kind of run.
    """

    dataset: str
    split: str = "test"
    source: str = ""
    values: str = option(
        "auto", "Mask encoding", "What a pixel of a mask holds.", table=MASK_VALUES
    )
    left_out: int = 0
    label_map: str = ""
    kind: str = "imported"

    def __post_init__(self) -> None:
        """Refuse an unknown mask encoding."""
        check(self)
