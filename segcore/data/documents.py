"""The small files of a data set, which tell what it is and what was decided about it: written whole, or an error that can be mended."""

from pathlib import Path

from segcore.data.image_files import write_bytes
from segcore.errors import disk_error


def write_document(path: Path, data: bytes) -> None:
    """Write a file whole: to a temporary name in the same folder, then renamed.

    Raises:
        SegcoreError: The folder cannot be written or the disk is full; an older file stays as it was.
    """
    try:
        write_bytes(path, data)
    except OSError as error:
        raise disk_error("write", path, error) from error
