"""What a source holds where no masks were found, and what to do."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from segcore.data.files.mask_folders import IMAGE_WORDS, MASK_WORDS
from segcore.data.files.names import count_endings, folder_words
from segcore.data.formats.importers.source import Source

MOST_FILES = 20
PEEK_BYTES = 4096
MOST_WAYS = 4

_KNOWN: tuple[tuple[str, str], ...] = (
    (r"(.*/)?[^/]+\.nii(\.gz)?", "NIfTI is read in nnU-Net's layout"),
    (r"(.*/)?[^/]+\.(zip|tar|tgz|7z|rar|tar\.\w+)", "unpack the archives or import each"),
    (r"(.*/)?labels/(.*/)?[^/]+\.txt", "labels/*.txt must hold YOLO polygons (class x y x y ...)"),
    (r"(.*/)?[^/]+\.mat", "MATLAB files (.mat) are not read: save masks as PNG"),
    (r"(.*/)?[^/]+\.(npy|npz)", "arrays (.npy) are not read as masks: save them as PNG"),
    (r"(.*/)?[^/]+\.dcm", "DICOM is not read: save images and masks as PNG"),
    (r"(.*/)?[^/]+\.xml", "XML of boxes is not read: boxes say nothing of outlines"),
    (r"(.*/)?[^/]+\.(h5|hdf5|tfrecords?)", "HDF5 and TFRecord are not read: save PNG"),
    (
        r"(.*/)?[^/]+\.(heic|heif|avif|jp2|j2k|dng|nef|cr2|arw)",
        "HEIC, AVIF, JPEG 2000 and raw photographs are not read: convert them to PNG or JPEG",
    ),
    (r"(.*/)?[^/]+\.svg", "SVG is not read: save masks as PNG"),
    (r"(.*/)?[^/]+\.json", "the JSON is of no known form: export masks as PNG"),
    (r"(.*/)?[^/]+\.csv", "the CSV has no run lengths (EncodedPixels)"),
)  # fmt: skip


def _looked_into(source: Source) -> list[str]:
    """Hints from the first bytes of XML and JSON files."""
    hints = []
    for name in source.named(r".*\.(xml|json|csv)")[:MOST_FILES]:
        try:
            with open(source.root / name, "rb") as file:
                start = file.read(PEEK_BYTES)
        except OSError:
            continue
        if name.lower().endswith(".xml") and re.search(rb"<(polygon|mask|image) ", start):
            hints.append("CVAT's XML is not read: export 'Segmentation mask 1.1' or COCO from CVAT")
        elif b"region_shape_attributes" in start:
            hints.append("VIA's CSV is not read: export its annotations as JSON")
        elif b'"shapes"' in start and not source.images:
            hints.append(
                "its JSON are LabelMe's, whose images are not there: put them next to them"
            )
    return list(dict.fromkeys(hints))


def name_ways(images: Iterable[PurePosixPath]) -> str:
    """Name what could part masks from images where nothing else does.

    Args:
        images: All image files of the source.

    Returns:
        The options with endings that names have beyond those of others, or with folders that hold
        equal names: "--mask-suffix=_1stHO or --mask-suffix=_2ndHO"; "" for none.
    """
    stems: dict[str, set[str]] = defaultdict(set)
    for path in images:
        stems[path.stem].add(path.parent.as_posix())
    endings: Counter[str] = Counter()
    for stem in stems:
        cuts = [found.start() for found in re.finditer(r"[_\-. ]", stem)]
        cut = next((cut for cut in cuts if stem[:cut] in stems), None)
        if cut is not None and not stem[cut + 1 :].isdigit():
            endings[stem[cut:]] += 1
    common = [end for end, count in endings.most_common(MOST_WAYS) if count > 1]
    if common:
        return " or ".join(f"--mask-suffix={end}" for end in common)
    folders: Counter[str] = Counter()
    for places in stems.values():
        if len(places) > 1:
            folders.update(places)
    shown = [name for name, count in folders.most_common(MOST_WAYS) if count > 1]
    return " or ".join(f"--masks '{name}'" for name in shown)


def masks_beside(root: Path) -> str:
    """Name the folder of masks that lies beside a folder of images alone, by their names.

    Args:
        root: What was to be imported.

    Returns:
        Its name, "" where there is none or ``root`` is no folder of images.
    """
    if not (root.is_dir() and IMAGE_WORDS & set(folder_words(root.name))):
        return ""
    try:
        beside = sorted(one.name for one in root.parent.iterdir() if one.is_dir())
    except OSError:
        return ""
    return next((name for name in beside if MASK_WORDS & set(folder_words(name))), "")


def describe(source: Source) -> str:
    """Say which files a source holds besides images, and what can be done with them.

    Returns:
        Sentence parts such as "it holds 4 .jpg, 1 .csv: the CSV has ..."; "" for images alone.
    """
    hints = _looked_into(source)
    for pattern, hint in _KNOWN:
        rule = re.compile(pattern, re.IGNORECASE)
        if any(rule.fullmatch(name) for name in source.files):
            hints.append(hint)
    if any("." not in PurePosixPath(name).name for name in source.files):
        hints.append("files without an ending are not looked at: give them .png or .jpg")
    held = f"it holds {count_endings(source.files)}"
    return f"{held}; {'; '.join(hints[:3])}" if hints else held
