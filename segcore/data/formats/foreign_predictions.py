"""Predictions that another tool wrote, matched by name to samples and read without trust: masks, or arrays of probabilities."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Sample
from segcore.data.files.images import open_image
from segcore.data.files.masks import mask_mode, read_colors, read_ids
from segcore.data.files.names import IMAGE_SUFFIXES
from segcore.errors import SegcoreError
from segcore.labels import LabelSet, color_to_hex

ARRAY_SUFFIXES = frozenset({".npy", ".npz"})
PREDICTION_SUFFIXES = IMAGE_SUFFIXES | ARRAY_SUFFIXES
SUM_TOLERANCE = 0.02
"""How far the probabilities of a pixel may be from summing to 1; half precision and rounded exports stay within it."""

ASPECT_TOLERANCE = 0.03
_BROKEN = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True)
class Matches:
    """Files matched to samples.

    Attributes:
        paths: File of each matched sample, by sample id, in the samples' order.
        missing: Ids of samples without a file.
        extra: Files of no sample, as paths below the folder.
        twice: Ids of samples with several files, each with these files.
    """

    paths: dict[str, Path]
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    twice: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Prediction:
    """One prediction, in the form in which it came.

    Attributes:
        mask: (H, W) class indices, or ``ignore_index`` where the tool gave an ignored class; None
            where probabilities came.
        probabilities: (h, w, C) float32, rows sum to 1, or None where a mask came.
    """

    mask: npt.NDArray[Any] | None = None
    probabilities: npt.NDArray[np.float32] | None = None


def match_predictions(folder: Path, samples: Sequence[Sample]) -> Matches:
    """Match the files below a folder to samples by name.

    A file stands for a sample whose id, or the last part of it, is its path below the folder
    without suffix; or whose last part begins or ends its name ("0001_pred.png" for "0001"), the
    longest such sample first.

    Args:
        folder: A folder of masks or arrays; other files are passed over.
        samples: The samples.

    Raises:
        SegcoreError: The folder is absent or holds no file that may be a prediction.
    """
    if not folder.is_dir():
        raise SegcoreError(
            f"Expected a folder of predictions, found none at {folder}: check the path."
        )
    try:
        files = sorted(
            p
            for p in folder.rglob("*")
            if p.suffix.lower() in PREDICTION_SUFFIXES and p.is_file() and not p.is_symlink()
        )
    except OSError as error:
        raise SegcoreError(
            f"Expected a folder that can be listed, but {folder} cannot "
            f"({error.strerror}): check its rights."
        ) from error
    files = [
        p
        for p in files
        if not any(part.startswith((".", "__MACOSX")) for part in p.relative_to(folder).parts)
    ]
    if not files:
        raise SegcoreError(
            f"Expected masks (PNG and others) or arrays (.npy, .npz) in {folder.name}, "
            "found none: check the path."
        )
    by_id = {s.id: s.id for s in samples}
    by_stem: dict[str, list[str]] = {}
    for sample in samples:
        by_stem.setdefault(sample.id.rsplit("/", 1)[-1], []).append(sample.id)
    found: dict[str, list[Path]] = {}
    extra = []
    for path in files:
        name = path.relative_to(folder).with_suffix("").as_posix()
        sample_id = by_id.get(name) or _by_stem(name, by_stem)
        if sample_id is None:
            extra.append(path.relative_to(folder).as_posix())
        else:
            found.setdefault(sample_id, []).append(path)
    return Matches(
        {s.id: found[s.id][0] for s in samples if len(found.get(s.id, ())) == 1},
        [s.id for s in samples if s.id not in found],
        extra,
        {
            i: [p.relative_to(folder).as_posix() for p in paths]
            for i, paths in found.items()
            if len(paths) > 1
        },
    )


def _by_stem(name: str, by_stem: dict[str, list[str]]) -> str | None:
    """The one sample that a file's last name stands for, or None."""
    last = name.rsplit("/", 1)[-1]
    stem = last if last in by_stem else ""
    for cut in range(len(last) - 1, 0, -1) if not stem else ():
        head, tail = last[:cut], last[-cut:]
        if head in by_stem and not last[cut].isalnum():
            stem = head
        elif tail in by_stem and not last[-cut - 1].isalnum():
            stem = tail
        if stem:
            break
    ids = by_stem.get(stem, [])
    if len(ids) > 1:  # the same last name in several folders: the folder must tell
        folders = name.split("/")[:-1]
        ids = [
            i
            for i in ids
            if folders and i.split("/")[:-1][-len(folders) :] == folders[-len(i.split("/")[:-1]) :]
        ]
    return ids[0] if len(ids) == 1 else None


def read_prediction(
    path: Path, sample: Sample, label_set: LabelSet, values: str = "auto"
) -> Prediction:
    """Read one prediction, whatever form it has.

    Args:
        path: A mask in one channel, by palette or in colours; or ``.npy``/``.npz`` with
            probabilities (h, w, C) or (C, h, w), or with a mask (H, W).
        sample: The sample that it is of.
        label_set: The classes.
        values: A name in ``catalog.MASK_VALUES``.

    Raises:
        SegcoreError: The file is damaged or needs pickle, its size is another, or a pixel stands
            for no class.
    """
    if path.suffix.lower() not in ARRAY_SUFFIXES:
        return Prediction(_read_mask(path, sample, label_set, values))
    array = _read_array(path, sample, label_set)
    if array.ndim == 2:
        if array.dtype.kind not in "iub":
            raise SegcoreError(
                f"Expected whole numbers in the mask {path.name}, received {array.dtype}: "
                "save class ids."
            )
        _check_size(array.shape, sample, path)
        return Prediction(
            _to_indices(
                array.astype(np.int64), label_set, "ids" if values == "auto" else values, path
            )
        )
    return Prediction(probabilities=_as_probabilities(array, label_set, path))


def _check_size(shape: tuple[int, ...], sample: Sample, path: Path) -> None:
    if shape[:2] != (sample.height, sample.width):
        raise SegcoreError(
            f"Expected {sample.height} x {sample.width} pixels (height x width) for "
            f"{sample.id!r}, received {shape[0]} x {shape[1]} in "
            f"{path.name}: save predictions at the images' own size."
        )


def _read_mask(path: Path, sample: Sample, label_set: LabelSet, values: str) -> npt.NDArray[Any]:
    with open_image(path) as image:
        width, height = image.size
    _check_size((height, width), sample, path)  # from the header, before a pixel is decoded
    mode = mask_mode(path)
    if values == "colors":
        return _to_indices(read_colors(path).astype(np.int64), label_set, "colors", path)
    if values != "auto":
        return _to_indices(read_ids(path).astype(np.int64), label_set, values, path)
    if mode in ("RGB", "RGBA", "LA", "CMYK", "YCbCr"):
        return _to_indices(read_colors(path).astype(np.int64), label_set, "colors", path)
    try:
        return _to_indices(read_ids(path).astype(np.int64), label_set, "ids", path)
    except SegcoreError:
        if mode != "P":
            raise
        return _to_indices(read_colors(path).astype(np.int64), label_set, "colors", path)


def _to_indices(
    codes: npt.NDArray[np.int64], label_set: LabelSet, values: str, path: Path
) -> npt.NDArray[Any]:
    """Map codes (H, W) to class indices.

    Raises:
        SegcoreError: A code stands for no class; the sentence tells which and how many pixels.
    """
    both = [(c, i) for i, c in enumerate(label_set.classes)] + [
        (c, label_set.ignore_index) for c in label_set.ignored
    ]
    if values == "colors":
        table = {int(color_to_hex(c.color)[1:], 16): i for c, i in reversed(both)}
    elif values == "ids":
        table = {c.id: i for c, i in both}
    else:
        table = {i: i for i in range(label_set.num_classes)} | {
            label_set.ignore_index: label_set.ignore_index
        }
    found, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    strange = [k for k, value in enumerate(found) if int(value) not in table]
    if strange:
        shown = ", ".join(
            f"#{int(found[k]):06x}" if values == "colors" else str(int(found[k]))
            for k in strange[:4]
        )
        what = {"colors": "colours", "ids": "ids"}.get(values, "positions")
        raise SegcoreError(
            f"Expected the {what} of the dataset's classes in {path.name}, received "
            f"{shown} in {int(counts[strange].sum())} pixels: "
            "map them, or say how pixels are to be read."
        )
    return np.array([table[int(v)] for v in found], label_set.mask_dtype)[inverse].reshape(
        codes.shape
    )


def _as_probabilities(
    array: npt.NDArray[Any], label_set: LabelSet, path: Path
) -> npt.NDArray[np.float32]:
    classes = label_set.num_classes
    if array.shape[-1] != classes and array.shape[0] == classes:
        array = np.moveaxis(array, 0, -1)
    if array.dtype.kind != "f":
        raise SegcoreError(
            f"Expected probabilities of a floating type in {path.name}, received "
            f"{array.dtype}: save them as float32."
        )
    probabilities = np.ascontiguousarray(array, np.float32)
    sums = probabilities.sum(axis=-1)
    low, off = float(probabilities.min()), float(np.abs(sums - 1).max())
    if not (low >= -1e-3 and off <= SUM_TOLERANCE):  # also catches NaN
        raise SegcoreError(
            f"Expected probabilities that sum to 1 in each pixel in {path.name}, received "
            f"a smallest value of {low:.3g} and sums up to "
            f"{off:.3g} away from 1: apply softmax first."
        )
    probabilities = np.maximum(probabilities, 0)
    return probabilities / probabilities.sum(axis=-1, keepdims=True)


def _read_array(path: Path, sample: Sample, label_set: LabelSet) -> npt.NDArray[Any]:
    """Read an array whose header says that it fits; nothing larger is ever allocated, and nothing is unpickled."""
    try:
        with _open_array(path) as stream:
            shape, dtype = _read_header(stream)
            _check_array(shape, dtype, sample, label_set, path)
        with _open_array(path) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)
    except _BROKEN as error:
        raise SegcoreError(
            f"{path.name} is no array that can be read without pickle ({error}): save it "
            "with numpy.save."
        ) from error


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"format version {version}")
    shape, _, dtype = readers[version](stream)
    return shape, dtype


def _check_array(
    shape: tuple[int, ...], dtype: np.dtype[Any], sample: Sample, label_set: LabelSet, path: Path
) -> None:
    if dtype.hasobject or dtype.fields or dtype.kind not in "fiub":
        raise SegcoreError(
            f"Expected an array of numbers in {path.name}, received {dtype}: save class "
            "ids or probabilities."
        )
    if len(shape) == 2:
        return _check_size(shape, sample, path)
    classes = label_set.num_classes
    if len(shape) != 3 or classes not in (shape[-1], shape[0]):
        raise SegcoreError(
            f"Expected an array (height, width, {classes}) or ({classes}, height, width) "
            f"in {path.name}, received {shape}: "
            "save one probability for each class of the dataset."
        )
    height, width = shape[:2] if shape[-1] == classes else shape[1:]
    aspect = (height / sample.height) / (width / sample.width) if min(height, width) else 0.0
    if not (1 - ASPECT_TOLERANCE <= aspect <= 1 + ASPECT_TOLERANCE) or height > 2 * sample.height:
        raise SegcoreError(
            f"Expected probabilities of the shape of {sample.id!r} ({sample.height} x "
            f"{sample.width}, or reduced alike), received "
            f"{height} x {width} in {path.name}: save them for the whole image."
        )
    return None


@contextmanager
def _open_array(path: Path) -> Iterator[IO[bytes]]:
    if path.suffix.lower() == ".npy":
        with open(path, "rb") as stream:
            yield stream
        return
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if n.endswith(".npy")]
        known = [
            n
            for n in names
            if n.removesuffix(".npy") in ("probabilities", "mask", "prediction", "arr_0")
        ]
        chosen = known if len(known) == 1 else names
        if len(chosen) != 1:
            raise ValueError(
                f"{len(names)} arrays inside, and none of them is called 'probabilities' or 'mask'"
            )
        with archive.open(chosen[0]) as inner:
            yield inner
