"""Folders of masks beside folders of images: a person who predicts the images does not mean them."""

from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

MASK_WORDS = frozenset(
    [
        "mask",
        "masks",
        "label",
        "labels",
        "labelids",
        "annotation",
        "annotations",
        "annot",
        "annots",
        "gt",
        "gts",
        "groundtruth",
        "truth",
        "segmentation",
        "segmentations",
        "seg",
        "segmentationclass",
        "semantic",
        "semantics",
        "target",
        "targets",
        "indices",
    ]
)
IMAGE_WORDS = frozenset(
    [
        "image",
        "images",
        "img",
        "imgs",
        "jpegimages",
        "photo",
        "photos",
        "picture",
        "pictures",
        "rgb",
        "input",
        "inputs",
        "original",
        "originals",
        "frames",
        "leftimg8bit",
    ]
)
"""Words in the names of folders, in lower case."""


def mask_folders(names: Collection[str]) -> list[str]:
    """Return the folders of masks among some files, sorted.

    A folder counts that is named like masks, and beside which a folder of images has a file of the
    same name, whatever the ending, for at least half of its own.

    Args:
        names: Paths of files below one folder, with "/".
    """
    images: set[tuple[str, str]] = set()
    masks: dict[str, list[tuple[str, str]]] = {}
    for name in names:
        for above, own, below in _cuts(name):
            if _is_named(own, IMAGE_WORDS):
                images.add((above, below))
            elif _is_named(own, MASK_WORDS):
                masks.setdefault(str(PurePosixPath(above, own)), []).append((above, below))
    return sorted(
        folder for folder, files in masks.items() if 2 * len(images & set(files)) >= len(files)
    )


def is_below(name: str, folders: Iterable[str]) -> bool:
    """Whether a path lies in one of some folders."""
    return any(PurePosixPath(name).is_relative_to(folder) for folder in folders)


def _cuts(name: str) -> Iterable[tuple[str, str, str]]:
    """Yield the path before, the name of, and the path after each folder of a file, less its ending."""
    path = PurePosixPath(name)
    parts = path.with_suffix("").parts
    for number in range(len(parts) - 1):
        yield "/".join(parts[:number]), parts[number], "/".join(parts[number + 1 :])


def _is_named(folder: str, words: Collection[str]) -> bool:
    """Whether a folder's whole name is one of some words, "ground_truth" as "groundtruth"."""
    return folder.lower().replace("_", "").replace("-", "") in words
