"""People's files become datasets: one reader for each form, asked in the order of a table."""

import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.bands.band_set import FILE_NAME as BAND_SET
from segcore.data.bands.band_set import BandChoice
from segcore.data.bands.display import FILE_NAME as BAND_DISPLAY
from segcore.data.bands.display import read_picture
from segcore.data.dataset.dataset import POOL, SPLITS, Sample
from segcore.data.dataset.documents import check_name, name_taken
from segcore.data.dataset.staging import Staging, reserve
from segcore.data.dataset.writing import DatasetWriter
from segcore.data.files.archives import unpack
from segcore.data.files.bands import FILE_NAME as BANDS
from segcore.data.files.borders import foreign_bytes
from segcore.data.files.georeference import FILE_NAME as GEOREFERENCE
from segcore.data.files.georeference import georeferences_to_json
from segcore.data.files.images import read_image, verify_image
from segcore.data.files.png import decode_rgb
from segcore.data.files.scanning import Progress, scan
from segcore.data.files.windows import read_window
from segcore.data.formats.importers import (
    ade20k,
    coco,
    labelme,
    mapillary,
    nnunet,
    paired_folders,
    parquet,
    pascal_voc,
    road_scenes,
    vectors,
)
from segcore.data.formats.importers.annotations import (
    label_studio,
    label_studio_json,
    run_lengths,
    supervisely,
    via,
    yolo,
)
from segcore.data.formats.importers.annotations.unlabelled import part_unlabelled
from segcore.data.formats.importers.classes.agreement import agree_on_labels, spread
from segcore.data.formats.importers.classes.labelling import Labelling
from segcore.data.formats.importers.classes.mask_codes import read_codes
from segcore.data.formats.importers.classes.two_datasets import refuse_two_datasets
from segcore.data.formats.importers.conversion import convert, key_of, to_indices
from segcore.data.formats.importers.hints import describe
from segcore.data.formats.importers.paired_folders import other_tables
from segcore.data.formats.importers.pairs.pairing import Pairing
from segcore.data.formats.importers.rasters import Rasters, convert_rasters, parse_bands
from segcore.data.formats.importers.report import ImportReport, Problem, found_none
from segcore.data.formats.importers.source import Layout, Pair, Reader, Source
from segcore.data.formats.importers.windows import Windows, cut_windows
from segcore.data.splits.blocks import scene_of
from segcore.errors import SegcoreError
from segcore.labels import LabelSet, plural
from segcore.text_files import MAX_JSON_BYTES, read_text

TEXT_SUFFIXES = frozenset((".csv", ".txt", ".json"))
LOOKED_AT = 32
"""Samples that a preview reads to find the classes."""

__all__ = [
    "READERS",
    "ImportReport",
    "ImportRules",
    "Pairing",
    "Preview",
    "Problem",
    "Windows",
    "as_sent",
    "check_name",
    "import_dataset",
    "open_source",
    "parse_bands",
    "preview",
    "recognise",
]

VECTORS = "vectors"
READERS: dict[str, Reader] = {
    "cityscapes": Reader("Cityscapes", road_scenes.matches_cityscapes, road_scenes.read_cityscapes),
    "cvat": Reader("CVAT segmentation masks", pascal_voc.matches_cvat, pascal_voc.read_cvat),
    "pascal_voc": Reader("Pascal VOC", pascal_voc.matches, pascal_voc.read),
    "ade20k": Reader("ADE20K", ade20k.matches, ade20k.read),
    "camvid": Reader("CamVid colours", road_scenes.matches_camvid, road_scenes.read_camvid),
    "roboflow": Reader(
        "Roboflow masks", paired_folders.matches_roboflow, paired_folders.read_roboflow
    ),
    "supervisely": Reader("Supervisely", supervisely.matches, supervisely.read),
    "mapillary": Reader("Mapillary Vistas", mapillary.matches, mapillary.read),
    "nnunet": Reader("nnU-Net", nnunet.matches, nnunet.read, nnunet.unpack),
    "via": Reader("VIA", via.matches, via.read),
    "coco": Reader("COCO", coco.matches, coco.read),
    "labelme": Reader("LabelMe", labelme.matches, labelme.read),
    "yolo": Reader("YOLO polygons", yolo.matches, yolo.read),
    "run_lengths": Reader("run lengths in CSV", run_lengths.matches, run_lengths.read),
    "label_studio": Reader("Label Studio brush masks", label_studio.matches, label_studio.read),
    "label_studio_json": Reader(
        "Label Studio brush labels", label_studio_json.matches, label_studio_json.read
    ),
    "parquet": Reader("Parquet", parquet.matches, parquet.read, parquet.unpack),
    VECTORS: Reader("Rasters with polygons", vectors.matches, vectors.read),
    "paired_folders": Reader("Paired folders", paired_folders.matches, paired_folders.read),
}
"""Every form of dataset, most particular first: the first reader that matches is taken."""


@dataclass(frozen=True)
class ImportRules:
    """How files are read where their names and their form do not say it.

    Attributes:
        pairing: Which mask belongs to which image, where their names follow a rule of their own.
        bands: Bands of GeoTIFFs that become red, green and blue, from 1, or which keep their
            values; see :func:`rasters.convert_rasters`.
        many_classes: Whether ids that look like instance numbers are classes.
        windows: How large rasters are cut into samples; None to keep images whole.
        unlabelled: Whether images without a mask come in as unlabelled images; else, and where
            bands keep their values, they are left out.
    """

    pairing: Pairing | None = None
    bands: Sequence[int] | BandChoice = ()
    many_classes: bool = False
    windows: Windows | None = None
    unlabelled: bool = False


@dataclass(frozen=True)
class Preview:
    """What an import would bring, from a look at a few samples.

    Attributes:
        layout: Which form was recognised.
        num_pairs: Images found.
        splits: Images of each split.
        label_set: The classes, as far as a look at ``samples`` and the declaration tells.
        samples: (id, image (H, W, 3) uint8 RGB, mask (H, W) class indices) of a few.
        problems: What does not fit so far.
    """

    layout: str
    num_pairs: int
    splits: dict[str, int]
    label_set: LabelSet
    samples: tuple[tuple[str, npt.NDArray[np.uint8], npt.NDArray[Any]], ...]
    problems: tuple[Problem, ...]


def recognise(
    source: Source,
    staging: Staging | None = None,
    limit: int | None = None,
    progress: Progress | None = None,
    pairing: Pairing | None = None,
    class_field: str = "",
) -> Layout:
    """Read a source with the first reader that knows its form.

    Args:
        source: The files.
        staging: Where a reader may write samples that lie inside tables.
        limit: How many samples of such tables are wanted, None for all.
        progress: Called with (done, total, what) while they are written.
        pairing: The user's own rule for names; where there is one, the source is read as paired
            folders.
        class_field: The attribute of polygons that names their class; "" to find it.

    Raises:
        SegcoreError: No reader does, or the reader finds no sample.
    """
    if pairing:
        layout = paired_folders.read(source, pairing)
        if not layout.declared and nnunet.matches(source):
            layout = nnunet.with_classes(layout, source)
        return _with_note(layout, source)
    if class_field and not vectors.matches(source):
        raise SegcoreError(
            "Expected GeoTIFFs and polygons (GeoPackage, GeoJSON, Shapefile) with --class-field, "
            f"found {describe(source)}: leave it out, or check the path."
        )
    for name, reader in READERS.items():
        if (class_field and name != VECTORS) or not reader.matches(source):
            continue
        if reader.unpack is not None and staging is not None:
            staging.unpacked.mkdir(mode=0o700, exist_ok=True)
            source = reader.unpack(source, staging.unpacked / ".tables", limit, progress)
        with foreign_bytes(
            f"The files in {source.root} look like {reader.title}, but are arranged otherwise or "
            "damaged: export them again, or name the folders (--images, --masks)."
        ):
            read = vectors.read(source, class_field) if class_field else reader.read(source)
            layout = _with_note(read, source)
        if not layout.pairs:
            what = "none that fit together"
            raise found_none(
                f"images with masks in {source.root} ({layout.title})",
                layout.problems,
                what if layout.problems else f"{what}: check the file names",
            )
        return layout
    raise SegcoreError(
        f"Expected images and masks in {source.root}, found no image file, {describe(source)}: "
        "check the path."
    )


def _with_note(layout: Layout, source: Source) -> Layout:
    """Report what was guessed of the class table: its encoding, and which of several it is."""
    file = source.root / layout.declared_in
    if not layout.declared or not file.is_file() or file.suffix.lower() not in TEXT_SUFFIXES:
        return layout
    what, _, fix = read_text(file, MAX_JSON_BYTES).note.partition(": ")
    notes = [Problem("", what, fix)] if what else []
    notes += other_tables(source, layout.declared_in)
    return replace(layout, problems=(*layout.problems, *notes))


def _origin(layout: Layout, label_set: LabelSet) -> str:
    """What declares the classes; "" where the masks hold others and win."""
    names = {row.name for row in layout.declared}
    return layout.declared_in if names & set(label_set.class_names) else ""


def open_source(source: Path, staging: Staging, progress: Progress | None = None) -> Source:
    """List a folder or a lone table, or an archive after unpacking it into the reserved folder.

    Raises:
        SegcoreError: There is no such folder or archive, it holds no file, or it is not safe to
            unpack.
    """
    if not source.is_file():
        return Source.scan(source)
    if source.suffix.lower() == ".parquet":
        return Source(source.parent, (source.name,))
    staging.unpacked.mkdir(mode=0o700)
    unpack(source, staging.unpacked, progress)
    return Source.scan(staging.unpacked)


@contextmanager
def as_sent(source: Path, staging: Staging) -> Iterator[None]:
    """Name in errors the archive that the user gave, not the folder where its files lie."""
    try:
        yield
    except SegcoreError as error:
        if str(staging.unpacked) not in f"{error} {error.details}":
            raise

        def named(text: str) -> str:
            return text.replace(str(staging.unpacked), source.name)

        sent = SegcoreError(named(str(error)))
        sent.details = tuple(map(named, error.details))
        raise sent from error


def _in_order(totals: Mapping[str, int]) -> dict[str, int]:
    first = [s for s in SPLITS if s in totals]
    return {s: totals[s] for s in [*first, *sorted(set(totals) - {*first, ""})]}


def import_dataset(
    source: Path,
    destination: Path,
    name: str,
    rules: ImportRules | None = None,
    *,
    copy: bool = True,
    progress: Progress | None = None,
) -> ImportReport:
    """Import images and masks from a folder or an archive, in any of the forms of :data:`READERS`.

    What is sound comes in, the rest is reported; no split is made where the source has none.

    Args:
        source: A folder, a zip or tar archive, or a Parquet table.
        destination: Folder of the new dataset; must not exist.
        name: Name of the dataset.
        rules: How the files are read; None where names and form say all.
        copy: Whether images are copied in; else they stay where they are (those of an archive are
            always copied).
        progress: Called with (done, total, what).

    Returns:
        What came in and what did not.

    Raises:
        SegcoreError: The name is taken, unsafe or being imported elsewhere, nothing is sound, or
            what is meant must be asked (two folders of masks, instance numbers). Nothing is left
            then. An interrupted import is resumed by the next one of the same files and name.
    """
    source, destination, rules = Path(source), Path(destination), rules or ImportRules()
    check_name(name)
    _refuse_existing(destination, name)
    with reserve(destination, resumable=True) as staging:
        _refuse_existing(destination, name)  # made by another while this one waited
        try:
            with as_sent(source, staging):
                opened = open_source(source, staging, progress)
                layout = _recognise(opened, staging, rules, None, progress)
                rasters = _rasters(layout, staging, rules, progress)
                bare: tuple[Pair, ...] = ()
                if rules.unlabelled and rasters.kept is None:
                    labelled, bare = part_unlabelled(rasters.layout, opened)
                    rasters = replace(rasters, layout=labelled)
                labelling = agree_on_labels(rasters.layout, progress, rules.many_classes)
                target = _Target(staging, source, name, copy, bare)
                return _import_into(target, rasters, labelling, progress)
        except OSError as error:
            raise SegcoreError(
                f"The import into {destination.parent} broke off "
                f"({error.strerror or error}): fix that, then import again."
            ) from error


def _recognise(
    source: Source,
    staging: Staging,
    rules: ImportRules,
    limit: int | None = None,
    progress: Progress | None = None,
) -> Layout:
    class_field = rules.windows.class_field if rules.windows else ""
    layout = recognise(source, staging, limit, progress, rules.pairing, class_field)
    refuse_two_datasets(layout, source, unpacked=source.root == staging.unpacked)
    return layout


def _rasters(
    layout: Layout, staging: Staging, rules: ImportRules, progress: Progress | None = None
) -> Rasters:
    """Cut images into windows where that is asked for, else turn rasters into pictures."""
    if rules.windows is not None and rules.windows.size:
        return cut_windows(layout, rules.windows, rules.bands, progress)
    return convert_rasters(layout, staging.unpacked / ".bands", rules.bands, progress)


def _refuse_existing(destination: Path, name: str) -> None:
    if destination.exists():
        raise name_taken(name)


@dataclass(frozen=True)
class _Target:
    """Where an import goes."""

    staging: Staging
    source: Path
    name: str
    copy: bool
    unlabelled: tuple[Pair, ...] = ()


def _import_into(
    target: _Target, rasters: Rasters, labelling: Labelling, progress: Progress | None
) -> ImportReport:
    staging, name, layout = target.staging, target.name, rasters.layout
    key = key_of(target.source, layout, labelling, staging.unpacked, target.copy)
    key += f" {rasters.look.to_json()}" if rasters.look else ""
    kept = rasters.kept
    key += f" {kept.bands.to_json()}" if kept else ""
    key += f" {[pair.id for pair in target.unlabelled]}" if target.unlabelled else ""
    with DatasetWriter(
        staging.folder, name, labelling.label_set, str(target.source), staging, key
    ) as writer:
        samples, problems = convert(
            layout,
            labelling,
            writer,
            copy=target.copy,
            bands=kept.bands if kept else None,
            progress=progress,
        )
        if not samples:
            raise found_none("at least one sound sample", problems)
        pool = _add_unlabelled(target, writer, problems, progress)
        splits = _in_order(Counter(s.split for s in samples))
        loose = len(samples) - sum(splits.values())
        if splits and loose:
            what = f"{plural(loose, 'image')} without a split, unlike the others"
            problems.append(
                Problem("", what, "make splits (in the shell segscope split), or move them")
            )
        reported = (*layout.problems, *labelling.problems, *problems)
        about = kept.bands.sentence if kept else ""
        report = ImportReport(
            name,
            layout.title,
            len(samples),
            splits,
            labelling.label_set,
            reported,
            about,
            len(pool),
            _origin(layout, labelling.label_set),
        )
        writer.note("import.json", report.to_json())
        if rasters.look:
            writer.note(BANDS, rasters.look.to_json())
        if kept:
            writer.note(BAND_SET, kept.bands.to_json())
            writer.note(BAND_DISPLAY, kept.display.to_json())
        lying = {scene_of(s) or s.id for s in samples}
        places = {name: place for name, place in rasters.places.items() if name in lying}
        if places:
            writer.note(GEOREFERENCE, georeferences_to_json(places))
        writer.finish(samples, pool)
    return report


def _look_at(pair: Pair, rasters: Rasters) -> npt.NDArray[np.uint8]:
    """Read the image of a pair, or the part that it is, as the dataset would show it."""
    window = None if pair.part is None else pair.part.window
    if rasters.kept:
        return read_picture(pair.image, rasters.kept.bands, rasters.kept.display, window)
    return (
        read_image(pair.image) if window is None else read_window(pair.image, window, rasters.look)
    )


def _add_unlabelled(
    target: _Target, writer: DatasetWriter, problems: list[Problem], progress: Progress | None
) -> list[Sample]:
    """Write the images without a mask; a problem for each that is not sound."""

    def bring_in(pair: Pair) -> Sample | Problem:
        try:
            known = writer.known(pair.id, POOL, pair.group)
            if known is not None:
                return known
            if decode_rgb(pair.image) is None:
                verify_image(pair.image)
            own = target.copy or writer.is_staged(pair.image)
            return writer.add(pair.id, pair.image, None, POOL, pair.group, copy=own)
        except SegcoreError as error:
            return Problem.of(pair.id, error)

    done = list(scan(bring_in, target.unlabelled, None, progress, "importing unlabelled images"))
    problems += [one for one in done if isinstance(one, Problem)]
    return [one for one in done if isinstance(one, Sample)]


def preview(source: Path, count: int = 4, rules: ImportRules | None = None) -> Preview:
    """Look at a source without importing it: its form, its splits, its classes, a few samples.

    Args:
        source: A folder, a zip or tar archive, or a Parquet table.
        count: Samples to show.
        rules: How the files are read; images without a mask are left out.

    Returns:
        What an import would bring; the classes are those of up to :data:`LOOKED_AT` samples where
        none are declared.

    Raises:
        SegcoreError: The form is not recognised, or none of the samples looked at is sound.
    """
    source, rules = Path(source), rules or ImportRules()
    with (
        reserve(Path(tempfile.gettempdir()) / f"segscope-look-{uuid.uuid4().hex}") as staging,
        as_sent(source, staging),
    ):
        layout = _recognise(open_source(source, staging), staging, rules, LOOKED_AT)
        few = replace(layout, pairs=tuple(spread(layout.pairs, LOOKED_AT)))
        rasters = _rasters(few, staging, rules)
        cut, looked_at = len(rasters.layout.pairs), rasters.layout
        if rules.windows is not None and rules.windows.size:
            looked_at = replace(looked_at, pairs=tuple(spread(looked_at.pairs, LOOKED_AT)))
        labelling = agree_on_labels(looked_at, many=rules.many_classes)
        samples: list[tuple[str, npt.NDArray[np.uint8], npt.NDArray[Any]]] = []
        problems = [*looked_at.problems, *labelling.problems]
        for pair in looked_at.pairs:
            if len(samples) == count:
                break
            try:
                codes = read_codes(looked_at, pair, labelling.by).codes
                mask = to_indices(looked_at, labelling, codes)
                samples.append((pair.id, _look_at(pair, rasters), mask))
            except SegcoreError as error:
                problems.append(Problem.of(pair.id, error))
    totals = layout.totals or Counter(p.split for p in layout.pairs)
    return Preview(
        layout.title,
        sum(totals.values()) if looked_at.pairs[0].part is None else cut,
        _in_order(totals),
        labelling.label_set,
        tuple(samples),
        tuple(problems),
    )
