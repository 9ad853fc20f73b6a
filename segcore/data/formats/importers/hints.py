"""What a source holds where no masks were found, and the way out."""

import re

from segcore.data.files.names import count_endings
from segcore.data.formats.importers.source import Source

_KNOWN: tuple[tuple[str, str], ...] = (
    (r"(.*/)?[^/]+\.nii(\.gz)?", "NIfTI volumes are read in nnU-Net's layout: imagesTr, labelsTr, dataset.json"),
    (r"(.*/)?[^/]+\.(zip|tar|tgz|7z|rar)|(.*/)?[^/]+\.tar\.\w+", "unpack the archives inside, or import them one by one"),
    (r"(.*/)?labels/(.*/)?[^/]+\.txt", "labels/*.txt look like YOLO's: lines of polygons are read (class x y x y ...), boxes are no masks"),
    (r"(.*/)?[^/]+\.mat", "MATLAB files (.mat) are not read: save masks as PNG"),
    (r"(.*/)?[^/]+\.(npy|npz)", "arrays (.npy) are not read as masks: save them as PNG"),
    (r"(.*/)?[^/]+\.dcm", "DICOM is not read: save images and masks as PNG"),
    (r"(.*/)?[^/]+\.xml", "XML of boxes is not read: boxes say nothing of outlines"),
    (r"(.*/)?[^/]+\.(h5|hdf5|tfrecords?)", "HDF5 and TFRecord are not read: save images and masks as PNG"),
    (r"(.*/)?[^/]+\.svg", "SVG is not read: save masks as PNG"),
    (r"(.*/)?[^/]+\.json", "the JSON is of no known form (COCO, LabelMe, VIA, Supervisely): export masks as PNG"),
    (r"(.*/)?[^/]+\.csv", "the CSV has no column of run lengths (EncodedPixels): export masks as PNG"),
)  # fmt: skip


def describe(source: Source) -> str:
    """Say which files a source holds besides images, and what can be done with them.

    Returns:
        Sentence parts such as "it holds 4 .jpg, 1 .csv: the CSV has ..."; "" for images alone.
    """
    hints = []
    for pattern, hint in _KNOWN:
        rule = re.compile(pattern, re.IGNORECASE)
        if any(rule.fullmatch(name) for name in source.files):
            hints.append(hint)
    held = f"it holds {count_endings(source.files)}"
    return f"{held}; {'; '.join(hints[:3])}" if hints else held
