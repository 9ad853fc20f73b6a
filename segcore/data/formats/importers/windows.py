"""Large rasters as grids of windows: each window becomes a sample, and the rasters stay whole."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from segcore.data.bands.band_set import BandChoice
from segcore.data.files.bands import RasterLook
from segcore.data.files.georeference import (
    Georeference,
    georeference_of,
    same_crs,
)
from segcore.data.files.images import frame_of
from segcore.data.files.masks import count_bands, mask_size
from segcore.data.files.scanning import Progress, scan
from segcore.data.files.windows import Window, is_raster, shared_raster
from segcore.data.formats.importers.bands.kept_bands import keep_bands
from segcore.data.formats.importers.rasters import Rasters, choose_limits
from segcore.data.formats.importers.report import Problem, found_none
from segcore.data.formats.importers.source import Layout, Pair, Part
from segcore.data.splits.blocks import block_name, choose_block_size
from segcore.errors import SegcoreError
from segcore.labels import plural

LEAST_SIZE, MOST_SIZE = 16, 8192
SLIVER = 0.25
"""A remainder narrower than this share of a window is joined to the window before it."""

SAME_PLACE = 0.01
"""Pixels that two grids may be apart and still be one."""


@dataclass(frozen=True)
class Windows:
    """How rasters are cut.

    Attributes:
        size: Height and width of a window, in pixels; 0 keeps images whole.
        overlap: Pixels that neighbouring windows share.
        class_field: The attribute of polygons that names their class; "" to find it.
    """

    size: int = 0
    overlap: int = 0
    class_field: str = ""

    def __post_init__(self) -> None:
        """Refuse sizes that cut nothing.

        Raises:
            SegcoreError: A size is out of range.
        """
        if self.size and not LEAST_SIZE <= self.size <= MOST_SIZE:
            raise SegcoreError(
                f"Expected windows of {LEAST_SIZE} to {MOST_SIZE} pixels, received {self.size}: "
                "512 is usual."
            )
        if not 0 <= self.overlap <= self.size // 2:
            raise SegcoreError(
                f"Expected an overlap of 0 to half a window ({self.size // 2} pixels), received "
                f"{self.overlap}: choose a smaller one."
            )


def spans(length: int, size: int, overlap: int = 0) -> list[tuple[int, int]]:
    """Cut a side into windows.

    Args:
        length: Pixels of the side.
        size: Pixels of a window.
        overlap: Pixels that neighbours share.

    Returns:
        (first pixel, pixels) of each, in order. The last one is smaller where the side is no
        multiple; a remainder of less than a quarter of a window makes the last one larger instead.
    """
    step = size - overlap
    starts = list(range(0, max(1, length - overlap), step))
    if len(starts) > 1 and length - starts[-1] - overlap < SLIVER * size:
        starts.pop()
    ends = [start + size for start in starts[:-1]] + [length]
    return [(start, end - start) for start, end in zip(starts, ends, strict=True)]


def window_id(scene: str, window: Window) -> str:
    """Return the id of a window: "scene/00512_01024", its first row and column."""
    return f"{scene}/{window.top:05d}_{window.left:05d}"


@dataclass(frozen=True)
class _Grid:
    """The pixels of a file, and where they lie."""

    height: int
    width: int
    place: Georeference | None = None


@dataclass(frozen=True)
class _Scene:
    """One image, and what became of it."""

    pair: Pair
    grid: _Grid | None = None
    offset: tuple[int, int] = (0, 0)
    problem: Problem | None = None
    note: str = ""


def cut_windows(
    layout: Layout,
    windows: Windows,
    bands: Sequence[int] | BandChoice = (),
    progress: Progress | None = None,
) -> Rasters:
    """Replace each image of a source by a grid of its windows.

    Args:
        layout: What a reader found; its masks are files or polygons.
        windows: How to cut.
        bands: As in :func:`segcore.data.formats.importers.rasters.convert_rasters`.
        progress: Called with (done, total, what).

    Returns:
        The layout with a pair for each window (group: its block), where each scene lies
        by its id, and how bands become pictures.

    Raises:
        SegcoreError: No image can be cut, or annotations are drawn that know no windows.
    """
    if layout.draw is not None and not layout.draws_parts:
        raise SegcoreError(
            f"Expected mask files or polygons with coordinates to cut into windows, received "
            f"{layout.title}: export masks as images, or import without windows."
        )
    files = [pair.image for pair in layout.pairs if is_raster(pair.image)]
    look, kept = None, None
    if isinstance(bands, BandChoice):
        layout, _, kept = keep_bands(layout, bands, progress)
    elif files:
        look = RasterLook(tuple(bands), tuple(choose_limits(files, bands) or ()))
    scenes = list(scan(lambda pair: _scene(layout, pair), layout.pairs, None, progress, "grids"))
    problems = [scene.problem for scene in scenes if scene.problem]
    sound = [scene for scene in scenes if scene.grid is not None]
    if not sound:
        raise found_none("at least one raster to cut", problems)
    problems += [
        Problem(s.pair.id, s.note, "compare a window with its mask") for s in sound if s.note
    ]
    cuts = {scene.pair.id: _cuts(scene.grid, windows) for scene in sound if scene.grid}
    corners = {name: [(w.top, w.left) for w in own] for name, own in cuts.items()}
    block = choose_block_size(corners, windows.size - windows.overlap)
    pairs = tuple(pair for s in sound for pair in _windows_of(s, cuts[s.pair.id], block))
    by = layout.by if layout.draw is not None else _by(sound)
    cut = replace(
        layout,
        pairs=pairs,
        by=by,
        problems=(*layout.problems, _about(sound, windows, pairs), *problems),
    )
    places = {s.pair.id: s.grid.place for s in sound if s.grid and s.grid.place}
    return Rasters(cut, places, look, kept)


def _about(scenes: Sequence[_Scene], windows: Windows, pairs: Sequence[Pair]) -> Problem:
    """Say how scenes were cut, and which of them are slow to read by windows."""
    what = (
        f"{plural(len(scenes), 'raster')} became {plural(len(pairs), 'window')} of {windows.size} "
        "pixels"
    )
    sizes = {(p.part.window.height, p.part.window.width) for p in pairs if p.part}
    other = sorted(sizes - {(windows.size, windows.size)})
    if other:
        shown = ", ".join(f"{h} x {w}" for h, w in other[:3])
        what += f"; at the borders also of {shown} (height x width)"
    fix = "choose a size that divides the rasters to have all alike" if other else ""
    slow = [s.pair.image.name for s in scenes if not is_raster(s.pair.image)]
    if slow:
        what += f"; {slow[0]} is no TIFF and is decoded whole for each window"
        fix = "convert it to a tiled GeoTIFF, which is read by parts"
    return Problem("", what, fix)


def _by(scenes: Sequence[_Scene]) -> str:
    """How masks are read: by colour where the first holds three numbers a pixel."""
    mask = next(s.pair.mask for s in scenes if s.pair.mask is not None)
    return "color" if count_bands(mask) >= 3 else "index"


def _scene(layout: Layout, pair: Pair) -> _Scene:
    try:
        if pair.mask is None:
            raise SegcoreError(
                pair.reason or f"The image {pair.image.name} has no mask: add one of that name."
            )
        if pair.more:
            raise SegcoreError(
                f"Expected one mask for {pair.image.name}, received several: join them into one."
            )
        grid = _grid(pair.image)
        if layout.draw is not None:
            return _Scene(pair, grid)
        offset, note = _offset(pair.image.name, grid, pair.mask)
        return _Scene(pair, grid, offset, note=note)
    except SegcoreError as error:
        return _Scene(pair, problem=Problem.of(pair.id, error))


def _grid(path: Path) -> _Grid:
    if is_raster(path):
        with shared_raster(path) as raster:
            return _Grid(int(raster.height), int(raster.width), georeference_of(raster))
    frame = frame_of(path)
    if frame.orientation != 1:
        raise SegcoreError(
            f"Expected an upright image to cut, {path.name} carries a note (EXIF) on how to turn "
            "it: save it upright."
        )
    return _Grid(*frame.size)


def _offset(name: str, image: _Grid, mask: Path) -> tuple[tuple[int, int], str]:
    """Return the (row, column) of an image's first pixel in its mask's pixels, and what was done.

    Raises:
        SegcoreError: The two grids do not fit.
    """
    other = _grid(mask) if is_raster(mask) else _Grid(*mask_size(mask))
    if image.place is None or other.place is None:
        if (image.height, image.width) != (other.height, other.width):
            raise SegcoreError(
                f"Expected a mask of {image.height} x {image.width} pixels (height x width) like "
                f"{name}, received {other.height} x {other.width}, and not both say where they "
                "lie: give both the same size or a georeference."
            )
        return (0, 0), ""
    if not same_crs(image.place.crs, other.place.crs):
        raise SegcoreError(
            f"Expected the mask of {name} in the same coordinate reference system, received "
            "another: reproject the mask onto the image's grid (gdalwarp)."
        )
    a, b, x, d, e, y = image.place.transform
    pixel = np.array([[a, b], [d, e]])
    turned = np.array([other.place.transform[:2], other.place.transform[3:5]])
    drift = np.abs(turned - pixel) * max(image.height, image.width)
    corner = np.linalg.solve(pixel, [x - other.place.transform[2], y - other.place.transform[5]])
    whole = np.rint(corner)
    unit = max(abs(a), abs(b), abs(d), abs(e))
    if (drift > 0.5 * unit).any():
        raise SegcoreError(
            f"Expected the mask of {name} with pixels of the same size and direction, received "
            "others: resample the mask onto the image's grid (gdalwarp -r near)."
        )
    if np.abs(corner - whole).max() > SAME_PLACE:
        raise SegcoreError(
            f"Expected the mask of {name} on the same grid, received one that lies "
            f"{corner[0] % 1:.2f} and {corner[1] % 1:.2f} pixels beside it: resample the mask onto "
            "the image's grid (gdalwarp -r near)."
        )
    column, row = (int(v) for v in whole)
    if (row, column) == (0, 0) and (image.height, image.width) == (other.height, other.width):
        return (0, 0), ""
    inside = Window(row, column, image.height, image.width).within(other.height, other.width)
    if not inside.height or not inside.width:
        raise SegcoreError(
            f"Expected a mask where {name} lies, received one of another place: check the files."
        )
    note = (
        f"its mask has another extent and lies {row} rows and {column} columns off; it was aligned"
    )
    return (row, column), note


def _cuts(grid: _Grid, windows: Windows) -> list[Window]:
    return [
        Window(top, left, height, width)
        for top, height in spans(grid.height, windows.size, windows.overlap)
        for left, width in spans(grid.width, windows.size, windows.overlap)
    ]


def _windows_of(scene: _Scene, cuts: Sequence[Window], block: int) -> list[Pair]:
    return [
        replace(
            scene.pair,
            id=window_id(scene.pair.id, window),
            group=block_name(scene.pair.id, (window.top, window.left), block),
            part=Part(window, window.moved(*scene.offset)),
        )
        for window in cuts
    ]
