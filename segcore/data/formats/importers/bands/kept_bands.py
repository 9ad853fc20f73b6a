"""GeoTIFF images whose bands keep their values: which kind the set is of, and what is left out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segcore.data.bands.band_set import BandChoice, BandSet, settle
from segcore.data.bands.display import BandDisplay, measure_display
from segcore.data.bands.reading import check_kind, described_bands
from segcore.data.files.georeference import (
    RASTER_SUFFIXES,
    Georeference,
    georeference_of,
    load_rasterio,
)
from segcore.data.files.images import frame_of
from segcore.data.files.png import MAX_PIXELS
from segcore.data.files.scanning import Progress, scan
from segcore.data.files.windows import shared_raster
from segcore.data.formats.importers.report import Problem, found_none
from segcore.data.formats.importers.source import Layout, Pair
from segcore.errors import SegcoreError
from segcore.labels import list_names


@dataclass(frozen=True)
class KeptBands:
    """The bands of a set of rasters.

    Attributes:
        bands: Which are kept.
        display: How they are shown at first.
    """

    bands: BandSet
    display: BandDisplay


@dataclass(frozen=True)
class _Header:
    """What a raster says of itself."""

    count: int
    dtypes: tuple[str, ...]
    described: tuple[str, ...]
    place: Georeference | None


def keep_bands(
    layout: Layout, choice: BandChoice, progress: Progress | None = None
) -> tuple[Layout, dict[str, Georeference], KeptBands]:
    """Settle which bands of a source's images are kept, and leave out images of another kind.

    The kind of the most images is that of the set: their number of bands, their values, and what
    their files call the bands.

    Args:
        layout: What a reader found.
        choice: Which bands are asked for.
        progress: Called with (done, total, what).

    Returns:
        The layout without the images that do not fit, where each of the others lies, and the bands.

    Raises:
        SegcoreError: rasterio is absent, no image fits, or none has the bands asked for.
    """
    load_rasterio()
    headers: dict[str, _Header] = {}
    problems: list[Problem] = []
    for pair, read in zip(
        layout.pairs, scan(_header, layout.pairs, None, progress, "reading bands"), strict=True
    ):
        if isinstance(read, Problem):
            problems.append(read)
        else:
            headers[pair.id] = read
    if not headers:
        raise found_none("GeoTIFF images whose bands keep their values", problems)
    usual = Counter((h.count, h.dtypes, h.described) for h in headers.values()).most_common(1)
    (count, dtypes, described), _ = usual[0]
    pairs = {pair.id: pair for pair in layout.pairs}
    first = next(i for i, h in headers.items() if (h.count, h.dtypes) == (count, dtypes))
    kinds = sorted(set(dtypes))
    bands = settle(
        choice,
        count,
        kinds[0] if len(kinds) == 1 else " and ".join(kinds),
        described,
        pairs[first].image.name,
    )
    kept: list[Pair] = []
    for name, header in headers.items():
        try:
            _check(bands, described if not choice.names else (), header, pairs[name].image)
        except SegcoreError as error:
            problems.append(Problem.of(name, error))
        else:
            kept.append(pairs[name])
    display = measure_display([pair.image for pair in kept], bands)
    places = {pair.id: place for pair in kept if (place := headers[pair.id].place)}
    layout = replace(layout, pairs=tuple(kept), problems=(*layout.problems, *problems))
    return layout, places, KeptBands(bands, display)


def _header(pair: Pair) -> _Header | Problem:
    try:
        if pair.image.suffix.lower() not in RASTER_SUFFIXES:
            raise SegcoreError(
                "Expected a GeoTIFF, whose bands can keep their values, received "
                f"{pair.image.name}: save it as TIFF, or import it as a picture."
            )
        with shared_raster(pair.image) as raster:
            header = _Header(
                int(raster.count),
                tuple(raster.dtypes),
                described_bands(raster),
                georeference_of(raster),
            )
            whole = raster.height * raster.width <= MAX_PIXELS
        if whole and frame_of(pair.image).orientation != 1:
            raise SegcoreError(
                f"Expected an upright raster, {pair.image.name} carries a note on how to turn it: "
                "save it without."
            )
    except SegcoreError as error:
        return Problem.of(pair.id, error)
    return header


def _check(bands: BandSet, described: Sequence[str], header: _Header, image: Path) -> None:
    """Refuse a raster of another kind, or whose file calls the bands otherwise.

    Raises:
        SegcoreError: It is.
    """
    check_kind(bands, header.count, header.dtypes, image.name)
    for number, usual, own in zip(range(1, 9999), described, header.described, strict=False):
        if number in bands.numbers and usual and own and usual.casefold() != own.casefold():
            raise SegcoreError(
                f"Expected the bands {list_names(list(described), 8)} as in the other images, "
                f"{image.name} calls band {number} {own!r}: name the bands yourself (--bands "
                f"{bands.names[0]}={bands.numbers[0]},...) if only the words differ, else bring "
                "them in one order."
            )
