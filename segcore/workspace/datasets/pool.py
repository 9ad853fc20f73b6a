"""Images of a dataset that wait for a mask: added, listed, removed."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from segcore.data.dataset.dataset import Sample
from segcore.data.formats.pool import PoolReport, add_to_pool, remove_from_pool
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Unlabelled:
    """An image without a mask.

    Attributes:
        sample: Its id.
        height: Rows.
        width: Columns.
    """

    sample: str
    height: int
    width: int


class UnlabelledPool:
    """The images without masks of a workspace's datasets."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets

    def images(self, name: str) -> list[Unlabelled]:
        """Return the unlabelled images of a dataset, in order.

        Raises:
            SegcoreError: There is no such dataset.
        """
        return [_row(sample) for sample in self._datasets.open(name).pool]

    @writes("add unlabelled images", "Added unlabelled images of {source} to the dataset {name}")
    def add(
        self, name: str, source: Path, copy: bool = True, progress: Progress | None = None
    ) -> PoolReport:
        """Add images without masks from a folder or an archive; see :func:`add_to_pool`.

        Raises:
            SegcoreError: There is no such dataset or source, or no new image is sound. Nothing is
                changed then.
        """
        return add_to_pool(self._datasets.open(name).folder, source, copy, progress)

    @writes("remove unlabelled images", "Removed unlabelled images {ids} of the dataset {name}")
    def remove(self, name: str, ids: Collection[str]) -> int:
        """Take unlabelled images out of a dataset; return how many are left.

        Raises:
            SegcoreError: There is no such dataset, or one of them is no unlabelled image of it.
        """
        return remove_from_pool(self._datasets.open(name).folder, ids)


def _row(sample: Sample) -> Unlabelled:
    return Unlabelled(sample.id, sample.height, sample.width)
