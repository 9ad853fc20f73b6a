"""Two folders of masks, true and predicted, as any tool may have written them, matched by name."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.names import count_endings, list_files, list_images, name_key
from segcore.data.formats.foreign_predictions import match_files
from segcore.data.formats.importers.class_tables import read_class_table
from segcore.data.formats.mask_values import read_mask_indices
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet
from segcore.palette import class_colors


def read_label_set(path: Path) -> LabelSet:
    """Read a class table as a label set; ids that it does not give count up from 0.

    Args:
        path: A file as :func:`segcore.data.formats.importers.class_tables.read_class_table` reads
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
    colors = class_colors([row.name for row in rows])
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
        true_paths: Path of each ground-truth mask by name (its path below the folder, no suffix).
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
        true = read_mask_indices(self.true_paths[name], self.label_set)
        predicted = read_mask_indices(self.predicted_paths[name], self.label_set)
        if true.shape != predicted.shape:
            raise SegcoreError(
                f"Expected a predicted mask of {true.shape[0]} x {true.shape[1]} pixels "
                f"(height x width) for {name!r}, received {predicted.shape[0]} x "
                f"{predicted.shape[1]} in {self.predicted_paths[name].name}: save predictions at "
                "the ground-truth masks' size."
            )
        ignore = self.label_set.ignore_index
        bare = int(np.count_nonzero((predicted == ignore) & (true != ignore)))
        if bare:
            raise SegcoreError(
                f"Expected a class at every scored pixel in {self.predicted_paths[name].name}, it "
                f"holds none at {bare} of them: predict a class there, or ignore these pixels in "
                "the truth."
            )
        return true, predicted

    def check_void(self, classes_held: int, ignored: int) -> None:
        """Refuse ground truth in which 255, taken for void, seems to be the foreground.

        Args:
            classes_held: How many scored classes the truth holds.
            ignored: Pixels of it that are not scored.

        Raises:
            SegcoreError: It holds one class at most beside pixels that no class table ignores.
        """
        declared = self.label_set.ignored or self.label_set.num_classes < 2
        if ignored and classes_held < 2 and not declared:
            raise SegcoreError(
                f"Expected ground truth of the ids that the class table declares, received masks "
                f"of {classes_held} of its {self.label_set.num_classes} classes and of 255 (or no "
                f"data) in {ignored} pixels: declare 255 in the class table, as a class if it is "
                "the foreground or as ignored if it is void."
            )


def pair_mask_folders(truth: Path, prediction: Path, classes: Path) -> MaskFolders:
    """Match the masks of two folders by name, as import-predictions does.

    Args:
        truth: Folder of ground-truth masks: class ids in one channel, palettes, or the class table's
            colours.
        prediction: Folder of predicted masks, likewise.
        classes: The class table.

    Raises:
        SegcoreError: A folder is absent or empty, a mask has no prediction or several, or two
            ground-truth masks have one name.
    """
    label_set = read_label_set(classes)
    true = _true_masks(truth)
    matches = match_files(prediction, _masks_below(prediction), true)
    if matches.twice:
        name, files = next(iter(matches.twice.items()))
        raise SegcoreError(
            f"Expected one predicted mask for {name!r} in {prediction}, received "
            f"{' and '.join(files[:4])}: keep one."
        )
    if matches.missing:
        extra = f"; {matches.extra[0]} belongs to none of them" if matches.extra else ""
        raise SegcoreError(
            f"Expected a predicted mask for each of {len(true)} ground-truth masks, "
            f"{len(matches.missing)} "
            f"are missing in {prediction}, for example {matches.missing[0]!r}{extra}: give "
            f"predictions the names of their masks, or leave those masks out of {truth}."
        )
    return MaskFolders(label_set, true, {name: matches.paths[name] for name in true})


def _masks_below(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise SegcoreError(f"Expected a folder of masks, found none at {folder}: check the path.")
    names = list_images(folder)
    if not names:
        held = count_endings(list_files(folder))
        raise SegcoreError(
            f"Expected masks in {folder}, found no image file, only {held or 'nothing'}: check "
            "the path."
        )
    return names


def _true_masks(folder: Path) -> dict[str, Path]:
    """The masks of a folder by their keys; a lone folder within it is no part of a name."""
    files: dict[str, list[str]] = defaultdict(list)
    for name in _masks_below(folder):
        files[name_key(name)].append(name)
    for names in files.values():
        if len(names) > 1:
            raise SegcoreError(
                f"Expected one mask of each name in {folder}, found {' and '.join(names[:4])}: "
                "remove one."
            )
    return {key: folder / names[0] for key, names in files.items()}
