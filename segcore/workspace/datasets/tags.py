"""Tags of single images of a dataset, and how many images have each tag."""

from collections.abc import Iterable
from pathlib import Path

from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.tags import (
    FILE_NAME,
    Tags,
    change_tags,
    matching,
    parse_tags,
    read_tags,
    write_tags,
)
from segcore.workspace.datasets.datasets import Datasets, file_stamp
from segcore.workspace.rights import writes


class DatasetTags:
    """Tags of the images of datasets."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets
        self._known: dict[Path, tuple[Dataset, tuple[int, int], Tags]] = {}

    def of(self, name: str) -> Tags:
        """Return the tags of each image of a dataset; images without one are left out.

        Raises:
            SegcoreError: There is no such dataset, or its tags are damaged.
        """
        dataset = self._datasets.open(name)
        changed = file_stamp(dataset.folder / FILE_NAME)
        known = self._known.get(dataset.folder)
        if known is None or known[0] is not dataset or known[1] != changed:
            known = dataset, changed, read_tags(dataset)
            self._known[dataset.folder] = known
        return dict(known[2])

    def counts(self, name: str) -> dict[str, int]:
        """Return how many images carry each tag, the commonest first.

        Raises:
            SegcoreError: As :meth:`of`.
        """
        counts: dict[str, int] = {}
        for own in self.of(name).values():
            for tag in own:
                counts[tag] = counts.get(tag, 0) + 1
        return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))

    @writes(
        "change tags of images",
        "Changed tags of images of the dataset {name}: added {add}, removed {remove}",
    )
    def change(
        self,
        name: str,
        samples: Iterable[str],
        *,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
    ) -> Tags:
        """Give images tags and take others from them; return the tags of all images.

        Raises:
            SegcoreError: There is no such dataset or sample, or a tag is refused.
        """
        return change_tags(self._datasets.open(name), samples, add=add, remove=remove)

    def matching(self, name: str, pattern: str) -> list[str]:
        """Return the ids of the images that a pattern of the shell fits ("0016*").

        Raises:
            SegcoreError: There is no such dataset, or the pattern fits none.
        """
        return matching(self._datasets.open(name), pattern)

    @writes("change tags of images", "Read tags of images of the dataset {name} from a table")
    def read_table(self, name: str, text: str) -> Tags:
        """Replace the tags of the images in a CSV (``sample,tags``); other images keep theirs.

        Raises:
            SegcoreError: There is no such dataset or sample, a column is missing, or a tag is
                refused.
        """
        dataset = self._datasets.open(name)
        return write_tags(dataset, {**read_tags(dataset), **parse_tags(dataset, text)})
