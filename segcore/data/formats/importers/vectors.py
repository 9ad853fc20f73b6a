"""Rasters whose labels are polygons: GeoPackage, GeoJSON or Shapefile beside the GeoTIFFs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from segcore.data.files.georeference import RASTER_SUFFIXES, Georeference, georeference_of, same_crs
from segcore.data.files.polygons import VECTOR_SUFFIXES, Polygons, classes_of, read_polygons
from segcore.data.files.windows import Window, shared_raster
from segcore.data.formats.importers.class_tables import DeclaredClass
from segcore.data.formats.importers.paired_folders import find_class_table, sample_id, unique_ids
from segcore.data.formats.importers.pairs.places import read_place, roles_in_company
from segcore.data.formats.importers.pairs.roles import split_roles
from segcore.data.formats.importers.polygons import BACKGROUND
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import Layout, Pair, Source
from segcore.data.formats.importers.split_lists import with_listed_splits
from segcore.errors import SegcoreError
from segcore.labels import list_names, plural


@dataclass(frozen=True)
class Burning:
    """What is drawn over one raster.

    Attributes:
        files: Polygons, those of later files on top.
        values: One more than what the pixels of each polygon become, by file; 0 for nothing.
        place: Where the raster lies.
        whole: The raster as a window.
    """

    files: tuple[Polygons, ...]
    values: tuple[tuple[int, ...], ...]
    place: Georeference
    whole: Window


def matches(source: Source) -> bool:
    """Whether there are GeoTIFFs and polygons, and no image is a mask."""
    vectors, rasters = _vectors(source), _rasters(source)
    return bool(vectors and rasters) and not split_roles(source)[1]


def _vectors(source: Source) -> list[PurePosixPath]:
    paths = (PurePosixPath(name) for name in source.files)
    return [path for path in paths if path.suffix.lower() in VECTOR_SUFFIXES]


def _rasters(source: Source) -> list[PurePosixPath]:
    return [path for path in source.images if path.suffix.lower() in RASTER_SUFFIXES]


def read(source: Source, class_field: str = "") -> Layout:
    """Pair each GeoTIFF with the polygons of its name, or with those that belong to no other.

    Args:
        source: The files.
        class_field: The attribute that names the class; "" to find it.

    Raises:
        SegcoreError: pyogrio, shapely or rasterio is missing, a file cannot be read, or the class
            of polygons is in doubt.
    """
    vectors, rasters = _vectors(source), _rasters(source)
    read_files = {path: read_polygons(source.root / path, class_field) for path in vectors}
    table, table_name = find_class_table(source)
    labels = [label for polygons in read_files.values() for label in polygons.labels]
    numbers, declared = _classes(labels, table, table_name, vectors[0].name)
    problems: list[Problem] = []
    stems = {path.stem.casefold() for path in rasters}
    shared = [path for path in vectors if path.stem.casefold() not in stems]
    roles = roles_in_company(source.images)
    pairs = []
    for path in rasters:
        own = [v for v in vectors if v.stem.casefold() == path.stem.casefold()] or shared
        place = read_place(path, roles)
        pair = Pair(
            sample_id(place.folders, place.stem), source.root / path, None, place.split,
            "/".join(place.folders),
        )  # fmt: skip
        try:
            files = tuple(read_files[v] for v in own)
            if not files:
                raise SegcoreError(
                    f"Expected polygons for {path.name}, found none of its name: name the file "
                    "like the raster, or have one file for all."
                )
            burned = _burned(pair, source.root / own[0], files, numbers)
            problems += _about_places(burned)
            pairs.append(burned)
        except SegcoreError as error:
            problems.append(Problem.of(pair.id, error))
    problems += [problem for polygons in read_files.values() for problem in _about(polygons)]
    pairs = with_listed_splits(source, pairs, problems)
    return Layout(
        "rasters with polygons",
        tuple(unique_ids(pairs, problems)),
        declared,
        table_name or vectors[0].name,
        tuple(problems),
        draw,
        "index",
        True,
    )


def draw(pair: Pair) -> npt.NDArray[np.uint16]:
    """Draw the :class:`Burning` of a pair, of its part or of the whole raster.

    Returns:
        (h, w) uint16: 0 for background, else the numbers of the classes.

    Raises:
        SegcoreError: The polygons cannot be brought into the raster's coordinates.
    """
    burning: Burning = pair.extra
    window = burning.whole if pair.part is None else pair.part.window
    mask = np.zeros((window.height, window.width), np.uint16)
    for polygons, values in zip(burning.files, burning.values, strict=True):
        drawn = polygons.burn(values, window, burning.place)
        np.copyto(mask, drawn - 1, where=drawn > 0)
    return mask


def _burned(pair: Pair, mask: Path, files: tuple[Polygons, ...], numbers: dict[str, int]) -> Pair:
    with shared_raster(pair.image) as raster:
        place = georeference_of(raster)
        whole = Window(0, 0, int(raster.height), int(raster.width))
    if place is None:
        raise SegcoreError(
            f"Expected a georeference in {pair.image.name}, which places the polygons, found none: "
            "give it a coordinate reference system (gdal_edit.py -a_srs)."
        )
    values = tuple(tuple(numbers.get(label, -1) + 1 for label in one.labels) for one in files)
    return Pair(
        pair.id, pair.image, mask, pair.split, pair.group, Burning(files, values, place, whole)
    )


def _classes(
    labels: Sequence[str], table: tuple[DeclaredClass, ...], table_name: str, file: str
) -> tuple[dict[str, int], tuple[DeclaredClass, ...]]:
    """Return the number of each text, and the classes; a table's names and ids come first.

    Raises:
        SegcoreError: A text is no class of the table, or there are too many.
    """
    found = classes_of(labels, file)
    if not table:
        rows = [DeclaredClass(name, number) for name, number in found.items()]
        empty = BACKGROUND if BACKGROUND not in found else f"no {BACKGROUND}"
        return found, (DeclaredClass(empty, 0, (0, 0, 0)), *rows)
    numbered = [
        (row, row.id if row.id is not None else position) for position, row in enumerate(table)
    ]
    by_name = {row.name.casefold(): number for row, number in numbered}
    by_id = {str(number): number for _, number in numbered}
    numbers = {text: by_name.get(text.casefold(), by_id.get(text, -1)) for text in found}
    strange = [text for text, number in numbers.items() if number < 0]
    if strange:
        raise SegcoreError(
            f"Expected only classes that {table_name} declares, the polygons name "
            f"{list_names(strange, 6)}: declare them there, or name another attribute "
            "(--class-field)."
        )
    declared = tuple(
        DeclaredClass(row.name, number, row.color, row.ignore) for row, number in numbered
    )
    if 0 not in by_id.values():
        declared = (DeclaredClass(BACKGROUND, 0, (0, 0, 0)), *declared)
    return numbers, declared


def _about(polygons: Polygons) -> list[Problem]:
    """Say what was left out of a file, and which attribute names its classes."""
    problems = []
    what = f"{polygons.name}: {plural(len(polygons.shapes), 'polygon')}, what none covers is background"
    if polygons.attribute:
        what += f"; their class is the attribute {polygons.attribute!r}"
    problems.append(Problem("", what, "name another one if that is wrong (--class-field)"))
    unnamed = polygons.labels.count("")
    if unnamed:
        what = f"{polygons.name}: {plural(unnamed, 'polygon')} without a class"
        problems.append(Problem("", what, "give them one: they were left out"))
    if polygons.left_out:
        what = f"{polygons.name}: {plural(polygons.left_out, 'shape')} without area (points, lines)"
        problems.append(Problem("", what, "draw outlines: they were left out"))
    return problems


def _about_places(pair: Pair) -> list[Problem]:
    """Say where polygons are brought into a raster's coordinates, or name none of their own."""
    problems = []
    for one in pair.extra.files:
        if not one.crs:
            what = f"{one.name} names no coordinate reference system, that of the raster is taken"
            problems.append(Problem(pair.id, what, "set it if the polygons lie elsewhere"))
        elif not same_crs(one.crs, pair.extra.place.crs):
            what = f"{one.name} has another coordinate reference system and is reprojected"
            problems.append(Problem(pair.id, what, "compare a window with its mask"))
    return problems
