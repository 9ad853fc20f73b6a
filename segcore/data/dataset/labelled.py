"""The images of a split that have a mask."""

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.errors import SegcoreError


def with_masks(dataset: Dataset, split: str) -> list[Sample]:
    """Return the samples of a split that have a mask.

    Raises:
        SegcoreError: The split is unknown, or none of its samples has a mask.
    """
    samples = [sample for sample in dataset.select(split) if sample.mask is not None]
    if not samples:
        raise SegcoreError(
            f"Expected masks in the split {split!r} of {dataset.name}, received none: "
            "choose a split with masks, or add them."
        )
    return samples
