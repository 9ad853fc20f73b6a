"""Images without masks that wait to be labelled: added to a dataset from a folder or an archive.

The images of one call lie in ``pool/<batch>/`` of the dataset's folder. They are written next to
that place, renamed into it whole, and only then named in ``dataset.json``.
"""

import dataclasses
import shutil
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcore.data.bands.band_set import FILE_NAME as BAND_SET
from segcore.data.dataset.changes import changing
from segcore.data.dataset.dataset import POOL, Dataset, Sample, check_sample_id
from segcore.data.dataset.staging import Staging, reserve
from segcore.data.files.bands import load_look
from segcore.data.files.images import image_size, verify_image
from segcore.data.files.png import decode_rgb
from segcore.data.files.scanning import Progress, scan
from segcore.data.formats.importers import as_sent, open_source
from segcore.data.formats.importers.hints import describe
from segcore.data.formats.importers.paired_folders import sample_id, unique_ids
from segcore.data.formats.importers.pairs.places import read_place
from segcore.data.formats.importers.rasters import convert_rasters
from segcore.data.formats.importers.report import Problem, found_none
from segcore.data.formats.importers.source import Layout, Pair, Source
from segcore.errors import SegcoreError, disk_error, unknown
from segcore.labels import plural

FOLDER = "pool"


@dataclass(frozen=True)
class PoolReport:
    """What a call added.

    Attributes:
        dataset: Name of the dataset.
        added: Ids of the new images.
        total: Unlabelled images that the dataset has now.
        problems: What was left out, and why.
    """

    dataset: str
    added: tuple[str, ...]
    total: int
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping with the attributes as keys."""
        return {**vars(self), "problems": [problem.to_json() for problem in self.problems]}


def add_to_pool(
    folder: Path, source: Path, copy: bool = True, progress: Progress | None = None
) -> PoolReport:
    """Add images without masks to a dataset.

    Args:
        folder: The dataset's folder.
        source: A folder or an archive of images; files that are named as masks are left out.
        copy: Whether images are copied in; else they stay where they are (those of an archive and
            rasters that become pictures are always copied).
        progress: Called with (done, total, what).

    Returns:
        What came in and what did not. An image whose name the dataset has already is left out.

    Raises:
        SegcoreError: There is no such dataset or source, no new image is sound, or the folder
            cannot be written. Nothing is changed then.
    """
    Dataset.open(folder)
    if (folder / BAND_SET).is_file():
        raise SegcoreError(
            "Expected a dataset of pictures for unlabelled images, received one whose bands keep "
            "their values: import the images with empty masks, or make a dataset of pictures."
        )
    destination = folder / FOLDER / uuid.uuid4().hex[:12]
    try:
        with reserve(destination) as staging, as_sent(Path(source), staging):
            layout = _layout(open_source(Path(source), staging, progress))
            look = load_look(folder)
            rasters = convert_rasters(
                layout, staging.unpacked / ".bands", (), progress, like=look
            ).layout
            return _write(folder, staging, rasters, copy, progress)
    except OSError as error:
        raise disk_error("write", folder, error) from error


def remove_from_pool(folder: Path, ids: Collection[str]) -> int:
    """Take unlabelled images out of a dataset; originals that were not copied stay.

    Returns:
        How many unlabelled images are left.

    Raises:
        SegcoreError: One of them is no unlabelled image, or the folder cannot be written.
    """
    with changing(folder) as dataset:
        known = {sample.id: sample for sample in dataset.pool}
        for one in ids:
            if one not in known:
                raise unknown("unlabelled image", one, known)
        rest = tuple(sample for sample in dataset.pool if sample.id not in ids)
        dataclasses.replace(dataset, pool=rest).save()
        for one in ids:
            if not Path(known[one].image).is_absolute():
                (folder / known[one].image).unlink(missing_ok=True)
    return len(rest)


def _layout(source: Source) -> Layout:
    """List the images of a source."""
    places = [read_place(path) for path in source.images]
    masks = [place for place in places if place.role == "mask"]
    images = [place for place in places if place.role != "mask"]
    if not images:
        raise SegcoreError(
            f"Expected images without masks in {source.root}, found none, {describe(source)}: "
            "check the path."
        )
    problems = []
    if masks:
        what = f"{plural(len(masks), 'file')} named as a mask, such as {masks[0].path}, left out"
        problems.append(Problem("", what, "import images with their masks as a dataset"))
    pairs = [
        Pair(
            sample_id(place.folders, place.path.stem),
            source.root / place.path,
            None,
            group="/".join(place.folders),
        )
        for place in images
    ]
    return Layout("images", tuple(unique_ids(pairs, problems)), problems=tuple(problems))


def _write(
    folder: Path, staging: Staging, layout: Layout, copy: bool, progress: Progress | None
) -> PoolReport:
    """Copy sound images next to their place, then put them into the dataset."""
    staging.partial.mkdir(mode=0o755)

    def bring_in(pair: Pair) -> Sample | Problem:
        try:
            return _bring_in(pair, staging, copy)
        except SegcoreError as error:
            return Problem.of(pair.id, error)

    dataset = Dataset.open(folder)
    known = _known(dataset)
    fresh = [pair for pair in layout.pairs if pair.id not in known]
    problems = [*layout.problems, *(_is_there(p.id) for p in layout.pairs if p.id in known)]
    done = list(scan(bring_in, fresh, None, progress, "adding images"))
    problems += [one for one in done if isinstance(one, Problem)]
    samples = [one for one in done if isinstance(one, Sample)]
    with changing(folder) as now:
        if now.splits and POOL in now.splits:
            raise SegcoreError(
                f"Expected no split called {POOL!r}, which is what images without masks are called, "
                f"found one in {now.name!r}: make its splits anew under another name."
            )
        _sweep(now)
        known = _known(now)  # others may have added the same meanwhile
        problems += [_is_there(one.id) for one in samples if one.id in known]
        kept = [one for one in samples if one.id not in known]
        if not kept:
            raise found_none("at least one new sound image", problems)
        if any(not Path(one.image).is_absolute() for one in kept):
            staging.partial.rename(staging.folder)
        try:
            now = dataclasses.replace(now, pool=(*now.pool, *kept)).save()
        except BaseException:
            shutil.rmtree(staging.folder, ignore_errors=True)
            raise
    return PoolReport(now.name, tuple(s.id for s in kept), len(now.pool), tuple(problems))


def _sweep(dataset: Dataset) -> None:
    """Remove batches that no image is of: their process died before they were named."""
    parents = [Path(sample.image).parts for sample in (*dataset.samples, *dataset.pool)]
    used = {parts[1] for parts in parents if parts[0] == FOLDER}
    for batch in (dataset.folder / FOLDER).glob("[!.]*"):
        if batch.name not in used:
            shutil.rmtree(batch, ignore_errors=True)


def _bring_in(pair: Pair, staging: Staging, copy: bool) -> Sample:
    """Check one image and copy it; (H, W) is that of the upright image."""
    check_sample_id(pair.id)
    if decode_rgb(pair.image) is None:
        verify_image(pair.image)
    height, width = image_size(pair.image)
    if not copy and not pair.image.is_relative_to(staging.unpacked):
        return Sample(pair.id, str(pair.image.resolve()), None, POOL, height, width, pair.group)
    below = f"{pair.id}{pair.image.suffix.lower()}"
    target = staging.partial / below
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(pair.image, target)
    place = f"{FOLDER}/{staging.folder.name}/{below}"
    return Sample(pair.id, place, None, POOL, height, width, pair.group)


def _known(dataset: Dataset) -> Sequence[str] | set[str]:
    return {sample.id for sample in (*dataset.samples, *dataset.pool)}


def _is_there(name: str) -> Problem:
    what = "the dataset has an image of this name already, this one is left out"
    return Problem(name, what, "rename it if it is another image")
