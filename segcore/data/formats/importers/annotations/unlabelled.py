"""Images of a source that have no mask: on request they come in as unlabelled images."""

from dataclasses import replace

from segcore.data.formats.importers.annotations.label_studio import Regions
from segcore.data.formats.importers.annotations.shapes import is_about_unannotated
from segcore.data.formats.importers.paired_folders import sample_id
from segcore.data.formats.importers.pairs.places import read_place
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import Layout, Pair, Source
from segcore.labels import plural


def part_unlabelled(layout: Layout, source: Source) -> tuple[Layout, tuple[Pair, ...]]:
    """Take the images without a mask out of a layout.

    An image whose mask is doubtful (two fit, or another image has its name) is not one of them: it
    stays a problem.

    Args:
        layout: What a reader found.
        source: The files that it read.

    Returns:
        The layout of the others, with a note on how many were taken out, and those without a mask.
    """
    bare = [pair for pair in layout.pairs if _is_bare(pair)]
    kept = tuple(pair for pair in layout.pairs if not _is_bare(pair))
    left_over = _left_over(layout, source)
    problems = layout.problems
    if left_over:
        problems = tuple(one for one in problems if not is_about_unannotated(one))
    bare += left_over
    if bare:
        what = f"{plural(len(bare), 'image')} without a mask, kept as unlabelled images"
        problems = (*problems, Problem("", what, "label them on the tab Label next"))
    return replace(layout, pairs=kept, problems=problems), tuple(bare)


def _is_bare(pair: Pair) -> bool:
    """Whether an image has no mask and no doubt about it; parts of rasters are none."""
    return pair.mask is None and not pair.reason and pair.part is None


def _left_over(layout: Layout, source: Source) -> list[Pair]:
    """Images that no annotation names, where masks are drawn from annotations of listed images."""
    used = {pair.image for pair in layout.pairs}
    places = {source.root / path: path for path in source.images}
    if (
        layout.draw is None
        or not used <= places.keys()
        or any(isinstance(pair.extra, Regions) for pair in layout.pairs)
    ):
        return []
    taken = {pair.id for pair in layout.pairs}
    found = []
    for file, path in places.items():
        place = read_place(path)
        name = sample_id(place.folders, path.stem)
        if file not in used and place.role != "mask" and name not in taken:
            taken.add(name)
            found.append(Pair(name, file, None, group="/".join(place.folders)))
    return found
