"""GeoTIFF images: three bands, stretched to 8 bits alike over the whole set; places are kept."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.bands.band_set import BandChoice, parse_choice
from segcore.data.bands.indices import parse_indices
from segcore.data.files.bands import (
    Limits,
    RasterLook,
    is_plain,
    limits_of,
    picked_bands,
    read_sound,
    to_bytes,
)
from segcore.data.files.georeference import (
    RASTER_SUFFIXES,
    Georeference,
    georeference_of,
    is_available,
    load_rasterio,
    open_raster,
)
from segcore.data.files.images import encode_png, open_image
from segcore.data.files.scanning import Progress, scan
from segcore.data.formats.importers.bands.kept_bands import KeptBands, keep_bands
from segcore.data.formats.importers.report import Problem, found_none
from segcore.data.formats.importers.source import Layout, Pair
from segcore.errors import SegcoreError
from segcore.installing import extra_command
from segcore.labels import plural
from segcore.whole_files import write_bytes

PROBES = 16

_GEO_TAGS = (33550, 34264, 34735)


def parse_bands(text: str, indices: str = "") -> tuple[int, ...] | BandChoice:
    """Read bands as people write them.

    Args:
        text: "4,3,2" to show as red, green and blue, "1" for grey, "" for the usual ones; or bands
            that keep their values: "all", other numbers of bands, names ("red=3,nir=4").
        indices: "ndvi,ndwi", "moisture=nir:swir"; bands keep their values then.

    Raises:
        SegcoreError: It is none of these.
    """
    choice = parse_choice(text, parse_indices(indices))
    if choice is not None:
        return choice
    if not text.strip():
        return ()
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (1, 3) or not all(
        part.isascii() and part.isdigit() and 1 <= int(part) <= 9999 for part in parts
    ):
        raise SegcoreError(
            "Expected one or three bands counted from 1, like 4,3,2, received "
            f"{text[:60]!r}: name red, green and blue."
        )
    return tuple(int(part) for part in parts)


@dataclass(frozen=True)
class _Converted:
    pair: Pair
    georeference: Georeference | None = None
    problem: Problem | None = None


@dataclass(frozen=True)
class Rasters:
    """What became of the TIFF images of a source.

    Attributes:
        layout: The source, with pictures in the place of rasters.
        places: Georeference of each sample that has one.
        look: What was done to the images; None where there is no TIFF among them.
        kept: The bands, where they keep their values and the images stay as they are.
    """

    layout: Layout
    places: Mapping[str, Georeference] = field(default_factory=dict)
    look: RasterLook | None = None
    kept: KeptBands | None = None


def convert_rasters(
    layout: Layout,
    folder: Path,
    bands: Sequence[int] | BandChoice = (),
    progress: Progress | None = None,
    like: RasterLook | None = None,
) -> Rasters:
    """Turn TIFF images of other than three bytes a pixel into PNGs, and read where each lies.

    Bands that keep their values stay in their files.

    Args:
        layout: What a reader found.
        folder: Where the PNGs are written.
        bands: The bands that become red, green and blue, from 1; one for grey; () for the first
            three (the first, of one or two); a :class:`BandChoice` where bands keep their values.
        progress: Called with (done, total, what).
        like: What was done to the images of a dataset that these are added to; its bands and
            limits are used again.

    Returns:
        The layout with those images replaced, where each lies, and what was done to them.

    Raises:
        SegcoreError: Bands were asked for and rasterio is absent, or no image has them.
    """
    if isinstance(bands, BandChoice):
        layout, places, kept = keep_bands(layout, bands, progress)
        return Rasters(layout, places, kept=kept)
    files = [pair.image for pair in layout.pairs if pair.image.suffix.lower() in RASTER_SUFFIXES]
    if bands:
        load_rasterio()
    if not files:
        return Rasters(layout)
    if not is_available():
        layout = replace(layout, problems=(*layout.problems, *_missing_rasterio(files)))
        return Rasters(layout, look=RasterLook(by_bands=False))
    bands = bands or (like.bands if like else ())
    limits = list(like.limits) if like and like.limits else choose_limits(files, bands)

    def work(pair: Pair) -> _Converted:
        return _convert(pair, folder, bands, limits)

    done = list(scan(work, layout.pairs, None, progress, "reading bands"))
    bad = [row.problem for row in done if row.problem]
    sound = tuple(row.pair for row in done if not row.problem)
    if not sound:
        raise found_none("at least one sound image", bad)
    problems = list(bad)
    if limits is not None:
        converted = sum(row.pair.image.is_relative_to(folder) for row in done)
        problems.insert(0, _about_limits(limits, converted, len(done)))
    layout = replace(layout, pairs=sound, problems=(*layout.problems, *problems))
    places = {row.pair.id: row.georeference for row in done if row.georeference}
    return Rasters(layout, places, RasterLook(tuple(bands), tuple(limits or ())))


def _about_limits(limits: Limits, converted: int, images: int) -> Problem:
    """Say how many of the images were converted, and which values became black and white."""
    shown = "; ".join(f"{low:.6g} to {high:.6g}" for low, high in limits)
    what = (
        f"{converted} of {plural(images, 'image')} "
        f"{'holds' if converted == 1 else 'hold'} other values than bytes; in "
        f"{'it' if converted == 1 else 'them'} {shown} of the bands became 0 to 255"
    )
    return Problem("", what, "convert them to bytes yourself to have it otherwise")


def _convert(pair: Pair, folder: Path, bands: Sequence[int], limits: Limits | None) -> _Converted:
    """Write the image of a pair as a PNG where it is no picture; see :func:`convert_rasters`."""
    if pair.image.suffix.lower() not in RASTER_SUFFIXES:
        return _Converted(pair)
    try:
        with open_raster(pair.image) as raster:
            lies = georeference_of(raster)
            if is_plain(raster.count, raster.dtypes, bands) and _is_picture(pair.image):
                return _Converted(pair, lies)
            pixels = to_bytes(
                raster.read(list(picked_bands(raster.count, bands, pair.image.name))),
                raster.nodata,
                limits,
            )
    except SegcoreError as error:
        return _Converted(pair, problem=Problem.of(pair.id, error))
    place = folder / f"{pair.id}.png"
    write_bytes(place, encode_png(pixels))
    return _Converted(replace(pair, image=place), lies)


def _is_picture(path: Path) -> bool:
    """Whether Pillow knows a TIFF, which it does not where three bands are declared no colours."""
    with suppress(SegcoreError), open_image(path):
        return True
    return False


def choose_limits(files: Sequence[Path], bands: Sequence[int]) -> Limits | None:
    """Percentiles of each picked band over a few images of the set; None where all are bytes."""
    values: list[list[npt.NDArray[Any]]] = []
    for file in files[:: max(1, len(files) // PROBES)][:PROBES]:
        try:
            with open_raster(file, any_size=True) as raster:
                picked = picked_bands(raster.count, bands, file.name)
                if {raster.dtypes[band - 1] for band in picked} == {"uint8"}:
                    continue
                sound = read_sound(raster, picked)
        except SegcoreError:
            continue
        values = values or [[] for _ in sound]
        for all_of_band, band in zip(values, sound, strict=False):
            all_of_band.append(band)
    joined = [np.concatenate(band) for band in values]
    return limits_of(joined) if joined else None


def _missing_rasterio(files: Sequence[Path]) -> list[Problem]:
    """Report what these TIFFs lose without rasterio."""
    for file in files[:PROBES]:
        try:
            with open_image(file) as image:
                lies = any(tag in getattr(image, "tag_v2", {}) for tag in _GEO_TAGS)
        except SegcoreError:
            return [
                Problem(
                    "",
                    f"{file.name} is a TIFF of bands that need rasterio",
                    f"{extra_command('geo')}, then import again",
                )
            ]
        if lies:
            what = "the images are GeoTIFFs, where they lie is not kept without rasterio"
            return [Problem("", what, f"{extra_command('geo')}, then import again")]
    return []
