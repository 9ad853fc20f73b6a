"""What another tool predicted, brought in to stand beside the runs."""

from dataclasses import dataclass

from segcore.catalog import MASK_VALUES
from segcore.config.checks import check_name


@dataclass(frozen=True)
class ImportedConfig:
    """Predictions of another tool over one split; nothing was trained here.

    Attributes:
        dataset: Name of a dataset in the workspace.
        split: Split whose samples were matched.
        source: Name of the folder or archive they were read from, for people.
        values: How pixels were read: a name in ``catalog.MASK_VALUES``.
        left_out: How many samples of the split had no prediction that fits.
        label_map: Name of the label map whose merged labels were predicted; "" for the dataset's
            own.
    """

    dataset: str
    split: str = "test"
    source: str = ""
    values: str = "auto"
    left_out: int = 0
    label_map: str = ""
    kind: str = "imported"

    def __post_init__(self) -> None:
        """Refuse a name that is in no table."""
        check_name("way to read masks", self.values, MASK_VALUES)
