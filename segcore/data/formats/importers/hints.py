"""What a source holds where no masks were found, and the way out."""

import re

from segcore.data.files.names import count_endings
from segcore.data.formats.importers.source import Source

_KNOWN: tuple[tuple[str, str], ...] = (
    (r"(.*/)?[^/]+\.nii(\.gz)?", "NIfTI is read in nnU-Net's layout"),
    (r"(.*/)?[^/]+\.(zip|tar|tgz|7z|rar|tar\.\w+)", "unpack the archives or import each"),
    (r"(.*/)?labels/(.*/)?[^/]+\.txt", "labels/*.txt must hold YOLO polygons (class x y x y ...)"),
    (r"(.*/)?[^/]+\.mat", "MATLAB files (.mat) are not read: save masks as PNG"),
    (r"(.*/)?[^/]+\.(npy|npz)", "arrays (.npy) are not read as masks: save them as PNG"),
    (r"(.*/)?[^/]+\.dcm", "DICOM is not read: save images and masks as PNG"),
    (r"(.*/)?[^/]+\.xml", "XML of boxes is not read: boxes say nothing of outlines"),
    (r"(.*/)?[^/]+\.(h5|hdf5|tfrecords?)", "HDF5 and TFRecord are not read: save PNG"),
    (r"(.*/)?[^/]+\.svg", "SVG is not read: save masks as PNG"),
    (r"(.*/)?[^/]+\.json", "the JSON is of no known form: export masks as PNG"),
    (r"(.*/)?[^/]+\.csv", "the CSV has no run lengths (EncodedPixels)"),
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
