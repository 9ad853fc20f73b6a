"""Label maps of datasets: named merges of classes, each version kept with who saved it."""

from segcore.data.dataset.changes import changing
from segcore.labels import LabelMap
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes


class LabelMaps:
    """Saves label maps and takes versions of them back."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets

    @writes("save a merge", "Saved the merge {label_map} of the dataset {name}")
    def save(self, name: str, label_map: LabelMap) -> None:
        """Save a label map as the newest version of its name.

        Raises:
            SegcoreError: There is no such dataset, the map's name cannot be a file name, or it is
                over another number of classes.
        """
        with changing(self._datasets.open(name).folder) as dataset:
            dataset.save_label_map(label_map)

    @writes("take a merge back", "Took back the last version of the merge {map_name} of {name}")
    def undo(self, name: str, map_name: str) -> None:
        """Drop the newest version of a label map; one without versions is gone.

        Raises:
            SegcoreError: There is no such dataset or map.
        """
        with changing(self._datasets.open(name).folder) as dataset:
            dataset.undo_label_map(map_name)
