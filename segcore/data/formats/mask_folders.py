"""Two folders of masks, true and predicted, as any tool may have written them, matched by name."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.images import open_image, read_image, read_indices
from segcore.data.files.names import IMAGE_SUFFIXES
from segcore.data.formats.importers.class_tables import read_class_table
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet, color_to_hex
from segcore.palette import default_colors

_INDEX_MODES = ("L", "P", "1", "I", "I;16", "I;16B")


def read_label_set(path: Path) -> LabelSet:
    """Read a class table as a label set; ids that it does not give count up from 0.

    Args:
        path: A file as :func:`segcore.data.formats.importers.class_tables.read_class_table` takes
            it.

    Raises:
        SegcoreError: It is absent, is no class table, or declares no class that is scored.
    """
    if not path.is_file():
        raise SegcoreError(
            f"Expected a class table at {path}, found no file: name a CSV with the columns "
            "id and name."
        )
    rows = read_class_table(path)
    colors = default_colors(len(rows))
    classes = [
        (LabelClass(i if row.id is None else row.id, row.name, row.color or colors[i]), row.ignore)
        for i, row in enumerate(rows)
    ]
    return LabelSet(
        tuple(c for c, ignored in classes if not ignored),
        tuple(c for c, ignored in classes if ignored),
    )


@dataclass(frozen=True)
class MaskFolders:
    """Pairs of true and predicted masks.

    Attributes:
        label_set: The classes whose ids the masks hold.
        true_paths: Path of each true mask by name (its path below the folder without suffix).
        predicted_paths: Path of each predicted mask by name; the same names.
    """

    label_set: LabelSet
    true_paths: dict[str, Path]
    predicted_paths: dict[str, Path]

    @property
    def names(self) -> list[str]:
        """The names, in order."""
        return list(self.true_paths)

    def read(self, name: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Read one pair: (H, W) class indices or ``ignore_index``, true and predicted, of one size.

        Raises:
            SegcoreError: A file is damaged, the sizes differ, or a value is the id or colour of no
                class.
        """
        true, predicted = (
            self._indices(self.true_paths[name]),
            self._indices(self.predicted_paths[name]),
        )
        if true.shape != predicted.shape:
            raise SegcoreError(
                f"Expected a predicted mask of {true.shape[0]} x {true.shape[1]} pixels "
                f"(height x width) for {name!r}, received "
                f"{predicted.shape[0]} x {predicted.shape[1]}: save predictions at the "
                "true masks' size."
            )
        return true, predicted

    def _index_of_class(self) -> list[tuple[LabelClass, int]]:
        scored = list(zip(self.label_set.classes, range(self.label_set.num_classes), strict=True))
        return scored + [(c, self.label_set.ignore_index) for c in self.label_set.ignored]

    @cached_property
    def _by_id(self) -> npt.NDArray[np.int32]:
        """Class index of each id 0..65535, -1 for none."""
        return self._table(
            1 << 16, [(c.id, index) for c, index in self._index_of_class() if 0 <= c.id < 1 << 16]
        )

    @cached_property
    def _by_color(self) -> npt.NDArray[np.int32]:
        """Class index of each colour 0xrrggbb, -1 for none."""
        return self._table(
            1 << 24,
            [(int(color_to_hex(c.color)[1:], 16), index) for c, index in self._index_of_class()],
        )

    @staticmethod
    def _table(length: int, entries: list[tuple[int, int]]) -> npt.NDArray[np.int32]:
        table = np.full(length, -1, np.int32)
        for value, index in entries:
            table[value] = index
        return table

    def _indices(self, path: Path) -> npt.NDArray[Any]:
        with open_image(path) as image:
            single = image.mode in _INDEX_MODES
        if single:
            values, table, what = read_indices(path), self._by_id, "id"
        else:
            red, green, blue = np.moveaxis(read_image(path).astype(np.int32), -1, 0)
            values, table, what = (red << 16) | (green << 8) | blue, self._by_color, "colour"
        indices = table[values]
        if indices.min(initial=0) < 0:
            strange = int(values[indices < 0][0])
            shown = f"#{strange:06x}" if what == "colour" else str(strange)
            raise SegcoreError(
                f"Expected {what}s that the class table declares in {path.name}, received "
                f"{shown}: declare it or map it."
            )
        return indices.astype(self.label_set.mask_dtype)


def pair_mask_folders(truth: Path, prediction: Path, classes: Path) -> MaskFolders:
    """Match the masks of two folders by their paths below them, without suffix.

    Args:
        truth: Folder of true masks: class ids in one channel, palette PNGs, or the class table's
            colours.
        prediction: Folder of predicted masks, likewise.
        classes: The class table.

    Raises:
        SegcoreError: A folder is absent or empty, or a true mask has no prediction.
    """
    label_set = read_label_set(classes)
    true, predicted = _masks_below(truth), _masks_below(prediction)
    missing = [name for name in true if name not in predicted]
    if missing:
        raise SegcoreError(
            f"Expected a predicted mask for each of {len(true)} true masks, {len(missing)} "
            f"are missing in {prediction}, "
            f"for example {missing[0]!r}: predict them, or leave them out of {truth}."
        )
    return MaskFolders(label_set, true, {name: predicted[name] for name in true})


def _masks_below(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise SegcoreError(f"Expected a folder of masks, found none at {folder}: check the path.")
    files = sorted(
        p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()
    )
    if not files:
        raise SegcoreError(f"Expected masks in {folder}, found no image file: check the path.")
    found: dict[str, Path] = {}
    for path in files:
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise SegcoreError(
                f"Expected one mask of each name in {folder}, found {found[name].name} and "
                f"{path.name}: remove one."
            )
        found[name] = path
    return found
