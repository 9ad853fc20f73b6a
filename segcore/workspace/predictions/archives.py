"""Archives that are handed out, written a file at a time."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

from segcore.runs.machine import disk


def write_archive(path: Path, files: Iterable[tuple[str, bytes]]) -> Path:
    """Write files into a zip, one at a time; tables are deflated, what is packed already is stored.

    Args:
        path: The archive.
        files: (path inside the archive, content) each; read lazily.

    Raises:
        SegcoreError: A file cannot be made, or the disk cannot be written.
    """
    with disk.replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, data in files:
            archive.writestr(
                name,
                data,
                zipfile.ZIP_DEFLATED
                if name.endswith((".csv", ".xml", ".pb"))
                else zipfile.ZIP_STORED,
            )
    return path
