"""nnU-Net's raw layout: ``imagesTr/x_0000.png``, ``labelsTr/x.png``, ``dataset.json``; NIfTI too.

Files of one channel of ordinary pictures are taken where they lie. Cases of several channels become
pictures of their first three, and NIfTI volumes are cut into slices along their last axis; both are
reported. NIfTI needs nibabel, the optional extra ``nifti``.
"""

import importlib
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.files.bands import limits_of, to_bytes
from segcore.data.files.borders import foreign_bytes
from segcore.data.files.images import encode_png, open_image
from segcore.data.files.masks import read_ids
from segcore.data.files.names import IMAGE_SUFFIXES, strip_suffixes
from segcore.data.files.scanning import Progress
from segcore.data.formats.importers.class_tables import DeclaredClass
from segcore.data.formats.importers.paired_folders import sample_id, unique_ids
from segcore.data.formats.importers.report import Problem, found_none
from segcore.data.formats.importers.source import Layout, Pair, Source
from segcore.errors import SegcoreError
from segcore.installing import extra_command
from segcore.labels import plural
from segcore.text_files import read_json
from segcore.whole_files import write_bytes

SPLITS = {"Tr": "train", "Ts": "test", "Val": "validation", "Va": "validation"}
LISTING = "nnunet.json"
"""What :func:`unpack` did, next to the files that it wrote."""

MAX_VOXELS = 1_000_000_000
MAX_RATIO = 1000
PROBES = 16
_FOLDER = re.compile(r"(images|labels)(Tr|Ts|Val|Va)")
_NIFTI = (".nii", ".nii.gz")
_CHANNEL = re.compile(r"(.+)_(\d{4})")


Slice = tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]
"""An image (H, W, 3) or (H, W), and its mask (H, W)."""

Limits = tuple[tuple[float, float], ...]
"""For each channel the values that become 0 and 255."""


def matches(source: Source) -> bool:
    """Whether there is a ``dataset.json`` next to folders ``imagesTr`` and ``labelsTr``."""
    return bool(_documents(source))


def _documents(source: Source) -> list[str]:
    """The files ``dataset.json`` that stand next to both folders, the uppermost first."""
    folders = {PurePosixPath(name).parent for name in source.files}
    return sorted(
        (
            name
            for name in source.named(r"(.*/)?dataset\.json")
            if {PurePosixPath(name).parent / f for f in ("imagesTr", "labelsTr")} <= folders
        ),
        key=lambda name: (name.count("/"), name),
    )


def _suffix(path: PurePosixPath) -> str:
    return ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix.lower()


def _cases(source: Source) -> dict[tuple[str, str], dict[str, PurePosixPath]]:
    """Return the files of each (split, case): its label under "", channels under their number."""
    cases: dict[tuple[str, str], dict[str, PurePosixPath]] = defaultdict(dict)
    for name in source.files:
        path = PurePosixPath(name)
        folder = _FOLDER.fullmatch(path.parent.name)
        if not folder or _suffix(path) not in {*IMAGE_SUFFIXES, *_NIFTI}:
            continue
        stem, split = strip_suffixes(path.name), SPLITS[folder[2]]
        if folder[1] == "labels":
            cases[split, stem][""] = path
            continue
        channel = _CHANNEL.fullmatch(stem)
        case, number = (channel[1], channel[2]) if channel else (stem, "0000")
        cases[split, case][number] = path
    return dict(cases)


def unpack(source: Source, folder: Path, limit: int | None, progress: Progress | None) -> Source:
    """Write cases of several channels, and slices of volumes, as PNGs into a folder.

    Args:
        source: The files.
        folder: Where PNGs are written, under nnU-Net's own names.
        limit: How many cases are wanted; None for all.
        progress: Called with (done, total, what).

    Returns:
        The source itself where every case is one ordinary picture, else one over the folder.

    Raises:
        SegcoreError: A volume cannot be read, or nibabel is absent.
    """
    cases = {key: files for key, files in _cases(source).items() if "" in files and len(files) > 1}
    volumes = [p for f in cases.values() for p in f.values() if _suffix(p) in _NIFTI]
    several = any(len(files) > 2 for files in cases.values())
    if not volumes and not several:
        return source
    if volumes:
        load_nibabel()
    chosen = dict(list(cases.items())[:limit])
    limits = _limits(source, chosen) if volumes else None
    problems: list[Problem] = []
    written = 0
    for done, ((split, case), files) in enumerate(chosen.items(), 1):
        try:
            written += _write_case(folder, split, case, _slices(source.root, files, limits))
        except SegcoreError as error:
            problems.append(Problem.of(case, error))
        if progress:
            progress(done, len(chosen), "reading cases")
    if several:
        problems.append(_about_channels(max(len(files) - 1 for files in chosen.values())))
    if volumes and limits:
        problems.append(_about_slices(len(chosen), written, limits))
    if not written:
        raise found_none("at least one case that can be read", problems)
    write_bytes(folder / "dataset.json", (source.root / _documents(source)[0]).read_bytes())
    listing = {"problems": [[p.sample, p.sentence] for p in problems]}
    write_bytes(folder / LISTING, json.dumps(listing).encode())
    return Source.scan(folder)


def _write_case(folder: Path, split: str, case: str, slices: Sequence[Slice]) -> int:
    """Write a case as PNGs under nnU-Net's own names, and return how many slices it has."""
    short = next(key for key, value in SPLITS.items() if value == split)
    for number, (image, mask) in enumerate(slices):
        stem = case if len(slices) == 1 else f"{case}_s{number:04}"
        write_bytes(folder / f"images{short}" / f"{stem}_0000.png", encode_png(image))
        write_bytes(folder / f"labels{short}" / f"{stem}.png", encode_png(mask))
    return len(slices)


def _about_channels(count: int) -> Problem:
    """Say which channels of a case become which colours."""
    what = f"cases have {count} channels; the first three become red, green and blue"
    if count < 3:
        what = f"cases have {count} channels; the first is shown grey"
    return Problem("", what, "write pictures of your own to have it otherwise")


def _about_slices(volumes: int, slices: int, limits: Limits) -> Problem:
    """Say how volumes were cut, and which values became black and white."""
    between = "; ".join(f"{low:.6g} to {high:.6g}" for low, high in limits)
    what = (
        f"{volumes} volumes were cut into {slices} slices along their last axis; values {between} "
        "of all volumes became 0 to 255"
    )
    return Problem("", what, "cut the volumes yourself to have it otherwise")


def read(source: Source) -> Layout:
    """Read cases with their labels; names of classes are those of ``dataset.json``.

    Raises:
        SegcoreError: ``dataset.json`` is damaged.
    """
    document = _documents(source)[0]
    problems = _noted(source)
    declared = _declared(source, document, problems)
    pairs: list[Pair] = []
    unlabelled = 0
    for (split, case), files in _cases(source).items():
        image = files.get("0000") or next((p for n, p in sorted(files.items()) if n), None)
        if image is None:
            problems.append(
                Problem(case, "this label has no image", f"add {case}_0000 to the images")
            )
            continue
        if "" not in files:
            unlabelled += 1
            continue
        mask = source.root / files[""]
        group = re.sub(r"_s\d{4}$", "", case)
        group = group if group != case else ""
        pairs.append(Pair(sample_id((), case), source.root / image, mask, split, group))
    if unlabelled:
        what = f"{plural(unlabelled, 'case')} without labels, left out"
        problems.append(Problem("", what, "add their labels, as in labelsTs"))
    kept = unique_ids(pairs, problems)
    return Layout("nnU-Net", tuple(kept), declared, document, tuple(problems), by="index")


def with_classes(layout: Layout, source: Source) -> Layout:
    """Give a layout that was read by a rule of the user's the classes of ``dataset.json``.

    Raises:
        SegcoreError: ``dataset.json`` is damaged.
    """
    document, problems = _documents(source)[0], list(layout.problems)
    declared = _declared(source, document, problems)
    return replace(layout, declared=declared, declared_in=document, problems=tuple(problems))


def _noted(source: Source) -> list[Problem]:
    """The problems that :func:`unpack` found."""
    file = source.root / LISTING
    if not file.is_file():
        return []
    rows = json.loads(file.read_bytes())["problems"]
    problems = []
    for sample, sentence in rows:
        what, _, fix = str(sentence).removeprefix(f"{sample}: ").rpartition(": ")
        problems.append(Problem(str(sample), what or fix, fix if what else ""))
    return problems


def _declared(source: Source, document: str, problems: list[Problem]) -> tuple[DeclaredClass, ...]:
    """The classes of ``dataset.json``: ``{name: id}``, or ``{"id": name}`` as of version 1."""
    with foreign_bytes(f"Expected 'labels' in {document}, it is damaged: correct it."):
        labels = dict(read_json(source.root / document)["labels"])
        rows: dict[int, str] = {}
        for key, value in labels.items():
            if isinstance(value, list):  # a region: several ids in one
                what = f"the region {str(key)[:60]!r} is several ids at once and is no class here"
                problems.append(Problem("", what, "merge its ids by a label map"))
                for number in value:
                    rows.setdefault(int(number), f"class {int(number)}")
            elif isinstance(value, str):
                rows[int(key)] = value
            else:
                rows[int(value)] = str(key)
    if not rows or not all(0 <= number <= 65535 for number in rows):
        raise SegcoreError(f"Expected ids from 0 to 65535 as labels in {document}: correct them.")
    names = list(rows.values())
    return tuple(
        DeclaredClass(
            name if names.count(name) == 1 else f"{name} {number}",
            number,
            ignore=name.lower() == "ignore",
        )
        for number, name in sorted(rows.items())
    )


def load_nibabel() -> Any:
    """Return the module nibabel.

    Raises:
        SegcoreError: It is not installed.
    """
    try:
        return importlib.import_module("nibabel")
    except ImportError as error:
        raise SegcoreError(
            "Expected nibabel, which reads NIfTI volumes (.nii.gz), found none: "
            f"{extra_command('nifti')}, or write the slices as PNG."
        ) from error


def read_volume(path: Path) -> npt.NDArray[Any]:
    """Read a NIfTI volume as (rows, columns, slices) of its own numbers.

    Raises:
        SegcoreError: nibabel is absent, or the file is damaged, no volume, or far too large.
    """
    nibabel = load_nibabel()
    with foreign_bytes(
        f"{path.name} cannot be read as a NIfTI volume, it is damaged or breaks off: replace or "
        "remove it."
    ):
        volume = nibabel.load(path)
        shape = tuple(int(side) for side in volume.shape if side != 1) or (1,)
        voxels = int(np.prod([max(side, 0) for side in shape], dtype=np.float64))
        size = np.dtype(volume.get_data_dtype()).itemsize
        if voxels > MAX_VOXELS or voxels * size > MAX_RATIO * path.stat().st_size + 4096:
            raise SegcoreError(
                f"Expected a volume of at most {MAX_VOXELS // 1_000_000} million voxels that fill "
                f"their file, {path.name} declares {' x '.join(map(str, shape))}: replace it."
            )
        values = np.asarray(volume.dataobj).reshape(shape)
    if values.ndim not in (2, 3):
        raise SegcoreError(
            f"Expected two or three axes in {path.name}, received {values.ndim}: write one file "
            "for each point in time."
        )
    values = values if values.ndim == 3 else values[:, :, None]
    return np.ascontiguousarray(values.transpose(1, 0, 2))


def _limits(source: Source, cases: dict[tuple[str, str], dict[str, PurePosixPath]]) -> Limits:
    """Percentiles of each shown channel over a few volumes."""
    values: dict[str, list[npt.NDArray[Any]]] = defaultdict(list)
    for files in list(cases.values())[:: max(1, len(cases) // PROBES)][:PROBES]:
        for number in _shown(files):
            try:
                volume = read_volume(source.root / files[number])
            except SegcoreError:
                continue
            flat = volume.ravel()[:: max(1, volume.size // 100_000)]
            values[number].append(flat[np.isfinite(flat)])
    return tuple(limits_of([np.concatenate(values[n]) for n in sorted(values)])) or ((0.0, 1.0),)


def _shown(files: dict[str, PurePosixPath]) -> list[str]:
    """The channels that are shown: three where there are as many, else the first."""
    numbers = sorted(number for number in files if number)
    return numbers[:3] if len(numbers) >= 3 else numbers[:1]


def _slices(
    root: Path,
    files: dict[str, PurePosixPath],
    limits: Limits | None,
) -> list[Slice]:
    """Return (image, mask) of each slice of a case."""
    paths = [root / files[number] for number in _shown(files)]
    label = root / files[""]
    if limits is None:
        return [(_stack([_grey(path) for path in paths]), _small(read_ids(label), label.name))]
    channels = [read_volume(path) for path in paths]
    labels = read_volume(label)
    for channel in channels:
        if channel.shape != labels.shape:
            raise SegcoreError(
                f"Expected labels of the shape of their image, {channel.shape}, received "
                f"{labels.shape} in {label.name}: resample them."
            )
    slices = []
    for at in range(labels.shape[2]):
        bands = np.stack([channel[:, :, at] for channel in channels])
        slices.append((to_bytes(bands, None, limits), _small(labels[:, :, at], label.name)))
    return slices


def _grey(path: Path) -> npt.NDArray[np.uint8]:
    with open_image(path) as image:
        return np.asarray(image.convert("L"))


def _stack(channels: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    if len({channel.shape for channel in channels}) > 1:
        raise SegcoreError("Expected channels of one size, received several: resample them.")
    return np.ascontiguousarray(np.dstack(channels if len(channels) == 3 else channels[:1] * 3))


def _small(labels: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Return labels as uint8 or uint16."""
    whole = np.rint(labels)
    if not np.isfinite(labels).all() or (whole != labels).any() or whole.min(initial=0) < 0:
        raise SegcoreError(f"Expected whole numbers from 0 as labels in {name}: correct them.")
    top = float(whole.max(initial=0))
    if top > 65535:
        raise SegcoreError(f"Expected labels up to 65535 in {name}, received {top:.0f}.")
    return np.ascontiguousarray(whole, np.uint8 if top < 256 else np.uint16)
