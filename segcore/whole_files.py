"""Files that are written whole or not at all: the one place that knows how."""

import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_serial = itertools.count()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Lend a temporary name next to ``path``; on leaving without an error it becomes ``path``.

    The temporary name keeps the suffix, so that writers which look at it (``model.save``) work. A
    reader meets the old file or the new one, never half of one. On an error nothing is left behind.

    Raises:
        OSError: The folder cannot be written or the disk is full.
    """
    temporary = path.with_name(
        f".{path.stem}.{os.getpid()}-{threading.get_ident()}-{next(_serial)}.tmp{path.suffix}"
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def is_temporary(name: str) -> bool:
    """Whether :func:`replacing` made a file of this name, which a killed process may have left."""
    return name.startswith(".") and ".tmp" in name


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file, making its folder where needed; on an error an older one stays.

    Raises:
        OSError: The folder cannot be written or the disk is full.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(data)
