"""Predictions of another tool, matched by name and read without trust: masks or probabilities."""

import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Sample
from segcore.data.files.borders import foreign_bytes
from segcore.data.files.names import (
    IMAGE_SUFFIXES,
    count_endings,
    list_files,
    name_key,
    name_keys,
    plain_path,
    strip_suffixes,
)
from segcore.data.formats.importers.paired_folders import sample_id
from segcore.data.formats.importers.pairs.pairing import Pairing, Stopwatch
from segcore.data.formats.importers.pairs.places import MASK_AFFIX, bare_stem
from segcore.data.formats.importers.source import SPLIT_NAMES
from segcore.data.formats.mask_values import check_size, read_mask_indices, to_indices
from segcore.errors import SegcoreError
from segcore.labels import LabelSet, plural

ARRAY_SUFFIXES = frozenset({".npy", ".npz"})
PREDICTION_SUFFIXES = IMAGE_SUFFIXES | ARRAY_SUFFIXES
SUM_TOLERANCE = 0.02
"""How far a pixel's probabilities may be from summing to 1, as half precision leaves them."""

ASPECT_TOLERANCE = 0.03


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


def match_predictions(
    folder: Path, samples: Sequence[Sample], pairing: Pairing | None = None
) -> Matches:
    """Match the files below a folder to samples by name; see :func:`match_files`.

    Args:
        folder: A folder of masks or arrays; other files are passed over.
        samples: The samples.
        pairing: The user's own rule for names; None for the usual ones.

    Raises:
        SegcoreError: The folder is absent, holds no file that may be a prediction, or the rule
            matches none of the names.
    """
    if not folder.is_dir():
        raise SegcoreError(
            f"Expected a folder of predictions, found none at {folder}: check the path."
        )
    files = list_files(folder, PREDICTION_SUFFIXES, links=False)
    if not files:
        held = count_endings(list_files(folder, links=False))
        raise SegcoreError(
            f"Expected masks (PNG and others) or arrays (.npy, .npz) in {folder.name}, it holds "
            f"{held or 'no file'}: check the path."
        )
    return match_files(folder, files, [s.id for s in samples], pairing)


def match_files(
    folder: Path, files: Sequence[str], ids: Iterable[str], pairing: Pairing | None = None
) -> Matches:
    """Match files to ids by name.

    A file stands for the id that is its path below the folder, or the last part of it, compared by
    :func:`names.name_keys`; or whose last part begins or ends its name ("0001_pred.png" for
    "0001"), the longest such id first; or without a word for masks ("0001_pred.png" for
    "0001_gt"). With a rule, a file stands for the id with which it shares
    what the rule says.

    Args:
        folder: Where the files lie.
        files: Paths below it.
        ids: The ids, in order.
        pairing: The user's own rule; None for the usual ones.

    Raises:
        SegcoreError: The rule matches none of the names, or takes too long.
    """
    wanted = list(ids)
    find = _Finder(wanted).find if not pairing else _finder_by_rule(wanted, files, pairing)
    by_id: dict[str, list[str]] = defaultdict(list)
    extra: list[str] = []
    for file in files:
        match = find(file)
        if match is None:
            extra.append(file)
        else:
            by_id[match].append(file)
    return Matches(
        {i: folder / by_id[i][0] for i in wanted if len(by_id.get(i, ())) == 1},
        [i for i in wanted if i not in by_id],
        extra,
        {i: names for i, names in by_id.items() if len(names) > 1},
    )


class _Finder:
    """Finds the id that a file's name stands for."""

    def __init__(self, ids: Sequence[str]) -> None:
        keys = [name_keys(_plain(i)) for i in ids]
        levels = list(zip(*keys, strict=True)) if keys else [(), (), ()]
        self._whole = [_grouped(ids, level) for level in levels]
        self._last = [_grouped(ids, [key.rsplit("/", 1)[-1] for key in level]) for level in levels]
        self._bare = _grouped(ids, [bare_stem(k[1].rsplit("/", 1)[-1], MASK_AFFIX) for k in keys])

    def find(self, file: str) -> str | None:
        keys = name_keys(_plain(file))
        for known, key in zip(self._whole, keys, strict=True):
            if len(known.get(key, ())) == 1:
                return known[key][0]
        for known, key in zip(self._last, keys, strict=True):
            last = key.rsplit("/", 1)[-1]
            if last in known:
                return _in_folder(known[last], key)
        for known, key in zip(self._last[1:], keys[1:], strict=True):
            match = _by_affix(key, known)
            if match is not None:
                return match
        last = keys[1].rsplit("/", 1)[-1]
        if last in self._bare:
            return _in_folder(self._bare[last], keys[1])
        return _by_affix(keys[1], self._bare)


def _plain(name: str) -> str:
    """A path as sample ids are written: without what no file name may hold everywhere."""
    folders = plain_path(strip_suffixes(name)).split("/")
    return sample_id(tuple(folders[:-1]), folders[-1])


def _grouped(ids: Iterable[str], keys: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for i, key in zip(ids, keys, strict=True):
        groups[key].append(i)
    return dict(groups)


def _by_affix(name: str, by_stem: Mapping[str, list[str]]) -> str | None:
    """The one id whose last part begins or ends a file's last name, the longest first, or None."""
    last = name.rsplit("/", 1)[-1]
    for cut in range(len(last) - 1, 0, -1):
        head, tail = last[:cut], last[-cut:]
        if head in by_stem and not last[cut].isalnum():
            return _in_folder(by_stem[head], name)
        if tail in by_stem and not last[-cut - 1].isalnum():
            return _in_folder(by_stem[tail], name)
    return None


def _in_folder(ids: Sequence[str], name: str) -> str | None:
    """Of ids with one last part, the one whose folders fit those of a file; None if none does."""
    if len(ids) == 1:
        return None if _split_of(name) not in ("", _split_of(ids[0]) or _split_of(name)) else ids[0]
    folders = [part.casefold() for part in name.split("/")[:-1]]
    fits = []
    for i in ids:
        own = [part.casefold() for part in _plain(i).split("/")[:-1]]
        if folders and own[-len(folders) :] == folders[-len(own) :]:
            fits.append(i)
    return fits[0] if len(fits) == 1 else None


def _split_of(name: str) -> str:
    """The split that the folders of a path name, or ""."""
    words = (part.casefold() for part in name.split("/")[:-1])
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "")


def _finder_by_rule(
    ids: Sequence[str], files: Sequence[str], pairing: Pairing
) -> Callable[[str], str | None]:
    """Return what finds an id by the user's rule.

    Raises:
        SegcoreError: The rule matches no id or no file, or takes too long.
    """
    watch = Stopwatch.start()
    keys: dict[str, str | None] = {}
    for name in (*ids, *files):
        watch.check()
        keys[name] = pairing.key(name_key(name).rsplit("/", 1)[-1])
    matched = [(i, key) for i in ids if (key := keys[i]) is not None]
    known = _grouped([i for i, _ in matched], [key for _, key in matched])
    if not known or all(keys[file] is None for file in files):
        shown = (ids if not known else files)[:1]
        raise SegcoreError(
            "Expected names of images and predictions that the rule matches, but it fits none "
            f"of the {'images' if not known else 'predictions'}, such as "
            f"{''.join(shown)!r}: correct --match."
        )

    def find(file: str) -> str | None:
        key = keys[file]
        return None if key is None else _in_folder(known.get(key, ()) or (), name_key(file))

    return find


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
        check_size(path, sample.height, sample.width, sample.id)
        return Prediction(read_mask_indices(path, label_set, values))
    array = _read_array(path, sample, label_set)
    if array.ndim == 2:
        return Prediction(_mask_of(array, label_set, values, path))
    return Prediction(probabilities=_as_probabilities(array, sample, label_set, path))


def _mask_of(
    array: npt.NDArray[Any], label_set: LabelSet, values: str, path: Path
) -> npt.NDArray[Any]:
    if array.dtype.kind not in "iub":
        whole = np.isfinite(array) & (array == np.rint(array))
        if not whole.all():
            raise SegcoreError(
                f"Expected whole numbers in the mask {path.name}, it holds "
                f"{float(array[~whole].flat[0]):.4g}: save class ids, or probabilities of every "
                "class."
            )
    codes = array.astype(np.int64)
    return to_indices(codes, label_set, "ids" if values == "auto" else values, path.name)


def _as_probabilities(
    array: npt.NDArray[Any], sample: Sample, label_set: LabelSet, path: Path
) -> npt.NDArray[np.float32]:
    if _has_classes_first(array, sample, label_set.num_classes):
        array = np.moveaxis(array, 0, -1)
    if array.dtype.kind != "f":
        raise SegcoreError(
            f"Expected probabilities of a floating type in {path.name}, received "
            f"{array.dtype}: save them as float32."
        )
    probabilities = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(probabilities).all():
        raise SegcoreError(
            f"Expected probabilities in {path.name}, received NaN or infinity in "
            f"{plural(int((~np.isfinite(probabilities)).sum()), 'place')}: predict that image again."
        )
    sums = probabilities.sum(axis=-1)
    low, off = float(probabilities.min()), float(np.abs(sums - 1).max())
    if not (low >= -1e-3 and off <= SUM_TOLERANCE):
        raise SegcoreError(
            f"Expected probabilities that sum to 1 in each pixel in {path.name}, received "
            f"a smallest value of {low:.3g} and sums up to "
            f"{off:.3g} away from 1: apply softmax first."
        )
    probabilities = np.maximum(probabilities, 0)
    return probabilities / probabilities.sum(axis=-1, keepdims=True)


def _has_classes_first(array: npt.NDArray[Any], sample: Sample, classes: int) -> bool:
    """Whether an array is (C, h, w): by its shape, the image's, and where both fit by its sums."""
    first, last = array.shape[0] == classes, array.shape[-1] == classes
    if first != last:
        return first
    own = (sample.height, sample.width)
    first, last = array.shape[1:] == own, array.shape[:2] == own
    if first != last:
        return first
    sums = (array.sum(axis=0, dtype=np.float64), array.sum(axis=-1, dtype=np.float64))
    off = [float(np.abs(total - 1).max()) for total in sums]
    return off[0] < off[1]


def _read_array(path: Path, sample: Sample, label_set: LabelSet) -> npt.NDArray[Any]:
    """Read an array whose header says that it fits; nothing is unpickled."""
    with foreign_bytes(
        f"{path.name} is no array that can be read without pickle, or is damaged: save it with "
        "numpy.save."
    ):
        with _open_array(path) as stream:
            shape, dtype = _read_header(stream)
            _check_array(_squeezed(shape), dtype, sample, label_set, path)
        with _open_array(path) as stream:
            array = np.lib.format.read_array(stream, allow_pickle=False)
        return np.asarray(array.reshape(_squeezed(shape)))


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without the axis of a batch of one image, or of a mask's one channel."""
    if len(shape) == 4 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) == 3 and 1 in (shape[0], shape[-1]):
        return shape[1:] if shape[0] == 1 else shape[:2]
    return shape


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
        if shape != (sample.height, sample.width):
            raise SegcoreError(
                f"Expected {sample.height} x {sample.width} pixels (height x width) for "
                f"{sample.id!r}, received {shape[0]} x {shape[1]} in {path.name}: save "
                "predictions at the images' own size."
            )
        return
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
            raise SegcoreError(
                f"Expected one array in {path.name}, or one called 'probabilities' or 'mask', "
                f"it holds {len(names)}: save one."
            )
        with archive.open(chosen[0]) as inner:
            yield inner
