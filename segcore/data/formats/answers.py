"""Masks that come back from an annotation tool, matched by name to the images of a dataset.

The answer is read by the importers. Where it holds masks alone, the dataset's own images are laid
beside it. Nothing is written to the dataset here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.dataset.staging import Staging
from segcore.data.files.images import encode_png, image_size
from segcore.data.files.names import name_key
from segcore.data.formats.exporters import flat_name
from segcore.data.formats.importers import as_sent, open_source, recognise
from segcore.data.formats.importers.class_tables import DeclaredClass
from segcore.data.formats.importers.classes.agreement import agree_on_labels
from segcore.data.formats.importers.classes.labelling import Labelling
from segcore.data.formats.importers.classes.mask_codes import read_codes
from segcore.data.formats.importers.conversion import to_indices
from segcore.data.formats.importers.pairs.places import read_place
from segcore.data.formats.importers.report import Problem, found_none
from segcore.data.formats.importers.source import Layout, Pair, Source
from segcore.errors import SegcoreError, disk_error
from segcore.labels import list_names, plural
from segcore.text_files import MAX_JSON_BYTES, read_bytes

Progress = Callable[[int, int, str], None]

NOT_A_CLASS = frozenset(
    ("background", "void", "unlabeled", "unlabelled", "ignore", "ignored", "__ignore__")
)
"""Names that annotation tools give to pixels nobody drew; ignored unless they are classes."""

_NAMES = re.compile(rb'([^"/\\]{1,200}\.(?:png|jpe?g|tiff?|bmp|webp))\\?"', re.IGNORECASE)
_MOST_TEXTS = 8


@dataclass(frozen=True, eq=False)
class Answer:
    """What an annotation tool answered.

    Attributes:
        form: Which form it has, for people.
        masks: (sample, (H, W) class indices of the dataset or ``ignore_index``), in the answer's
            order.
        problems: What was left out, and why.
    """

    form: str
    masks: tuple[tuple[Sample, npt.NDArray[Any]], ...]
    problems: tuple[Problem, ...]


def read_answer(
    dataset: Dataset, source: Path, staging: Staging, progress: Progress | None = None
) -> Answer:
    """Read the masks of an answer in the classes of a dataset.

    Args:
        dataset: The dataset; images are matched by their exported names, classes by their names.
        source: A folder, an archive or a JSON file, in a form that the importers read; masks
            without images will do, and without a class table they hold the dataset's ids or
            colours.
        staging: A reservation for files that are needed meanwhile.
        progress: Called with (done, total, what).

    Returns:
        Masks of images of the dataset. Images of the answer that have no mask, and masks of no
        image of the dataset, are problems.

    Raises:
        SegcoreError: It is in no known form or unsafe, no mask belongs to an image of the dataset,
            or a mask is damaged, of another size than its image, or holds a class that the
            dataset lacks.
    """
    try:
        with as_sent(source, staging):
            laid = _lay_out(dataset, source, staging, progress)
            layout = recognise(laid, staging, None, progress)
            if not layout.declared:
                layout = replace(layout, declared=_own_classes(dataset), declared_in="the dataset")
            return _read(dataset, layout, progress)
    except SegcoreError as error:  # which names the links, not the answer
        if str(staging.partial) not in str(error):
            raise
        raise SegcoreError(str(error).replace(str(staging.partial), source.name)) from error
    except OSError as error:
        raise disk_error("read", source, error) from error


def _lay_out(dataset: Dataset, source: Path, staging: Staging, progress: Progress | None) -> Source:
    """Link the answer's files into the reservation, with the images of the dataset it lacks."""
    folder = staging.partial
    folder.mkdir(mode=0o700)
    if source.is_file() and source.suffix.lower() == ".json":
        opened = Source(source.parent, (source.name,))
    else:
        opened = open_source(source, staging, progress)
    named = {_stem(path.name) for path in opened.images if not _is_mask(path)}
    bare = not named and not any(_is_mask(path) for path in opened.images)
    plain = not any(_is_mask(path) for path in opened.images) and not _texts(opened)
    masks_alone = plain and not bare and not opened.named(r"(.*/)?images?/.*")
    for name in opened.files:
        target = folder / ("masks" if masks_alone else "") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to((opened.root / name).absolute())
    wanted = {_stem(path.name) for path in opened.images} | _named_in(opened)
    voc = any("SegmentationClass" in PurePosixPath(name).parts for name in opened.files)
    home = "JPEGImages" if voc else "images"
    for sample in (*dataset.samples, *dataset.pool):
        stem = _stem(flat_name(sample))
        if stem in wanted and (masks_alone or stem not in named):
            image = dataset.image_path(sample)
            ending = image.suffix.lower() if sample.window is None else ".png"
            target = folder / home / f"{flat_name(sample)}{ending}"
            target.parent.mkdir(parents=True, exist_ok=True)
            if sample.window is None:
                target.symlink_to(image.absolute())
            else:  # what was sent is the window, not the raster that it is a part of
                target.write_bytes(encode_png(dataset.read_image(sample)))
    return Source.scan(folder)


def _is_mask(path: PurePosixPath) -> bool:
    return read_place(path).role == "mask" or "SegmentationObject" in path.parts


def _texts(source: Source) -> list[str]:
    return source.named(r".*\.json")[:_MOST_TEXTS]


def _named_in(source: Source) -> set[str]:
    """Stems of the image files that the answer's JSON files name."""
    stems = set()
    for name in _texts(source):
        for found in _NAMES.findall(read_bytes(source.root / name, MAX_JSON_BYTES)):
            last = found.decode("utf-8", "replace")
            stems |= {_stem(last), _stem(re.sub(r"^[0-9a-f]{8}-", "", last))}
    return stems


def _stem(name: str) -> str:
    return name_key(name).casefold()


def _own_classes(dataset: Dataset) -> tuple[DeclaredClass, ...]:
    labels = dataset.label_set
    return (
        *(DeclaredClass(c.name, c.id, c.color) for c in labels.classes),
        *(DeclaredClass(c.name, c.id, c.color, True) for c in labels.ignored),
    )


def _read(dataset: Dataset, layout: Layout, progress: Progress | None) -> Answer:
    known = {_stem(flat_name(s)): s for s in (*dataset.samples, *dataset.pool)}
    problems = list(layout.problems)
    matched: list[tuple[Pair, Sample]] = []
    for pair in layout.pairs:
        sample = known.get(_stem(pair.id.replace("/", "__")))
        if pair.mask is None:
            problems.append(Problem(pair.id, "it has no mask in the answer", "annotate it"))
        elif sample is None:
            what = f"{dataset.name!r} has no image of this name"
            problems.append(Problem(pair.id, what, "rename it as the exported image"))
        else:
            matched.append((pair, sample))
    if not matched:
        raise found_none(
            f"masks of images of {dataset.name!r}",
            problems,
            f"none among {plural(len(layout.pairs), 'image')} of the answer",
        )
    part = replace(layout, pairs=tuple(pair for pair, _ in matched))
    labelling = agree_on_labels(part)
    masks = []
    for done, (pair, sample) in enumerate(matched, 1):
        masks.append((sample, _mask(dataset, part, labelling, pair, sample)))
        if progress:
            progress(done, len(matched), "masks read")
    return Answer(layout.title, tuple(masks), tuple(problems))


def _mask(
    dataset: Dataset, layout: Layout, labelling: Labelling, pair: Pair, sample: Sample
) -> npt.NDArray[Any]:
    """Read one mask in the dataset's classes."""
    if image_size(pair.image) != (sample.height, sample.width):
        raise SegcoreError(
            f"Expected the image {pair.id} of {sample.height} x {sample.width} pixels (height x "
            "width) as it was exported, received another size: annotate the exported images."
        )
    indices = to_indices(layout, labelling, read_codes(layout, pair, labelling.by).codes)
    labels, theirs = dataset.label_set, labelling.label_set
    own = {name.casefold(): n for n, name in enumerate(labels.class_names)}
    ignored = NOT_A_CLASS | {one.name.casefold() for one in labels.ignored}
    table = np.full(theirs.ignore_index + 1, labels.ignore_index, labels.mask_dtype)
    lost = []
    for index in np.unique(indices).tolist():
        if index >= theirs.num_classes:
            continue
        name = theirs.class_names[index]
        if name.casefold() in own:
            table[index] = own[name.casefold()]
        elif name.casefold() not in ignored:
            lost.append(name)
    if lost:
        raise SegcoreError(
            f"Expected the classes of {dataset.name!r} ({list_names(labels.class_names, 6)}), "
            f"received {list_names(lost, 6)} in {pair.id}: rename them in the answer."
        )
    return table[indices]
