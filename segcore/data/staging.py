"""Folders in the making: reserved by one process under one name, and cleared when that process died.

While a data set ``X`` is being made, three hidden names lie beside its place: ``.X.importing``, a file
that the maker holds locked; ``.X.partial``, what becomes the data set; ``.X.unpacked``, an archive's files.
The system lets go of a lock when its process ends in whatever way, so a lock that can be had marks
leftovers of the dead.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from segcore.errors import SegcoreError

LOCK_SUFFIX = ".importing"
PATIENCE = 20
"""Tries, a twentieth of a second apart, before a name counts as taken: clearing what the dead left takes a moment."""


@dataclass(frozen=True)
class Staging:
    """The hidden folders beside a place, free to be written by whoever holds the reservation.

    Attributes:
        folder: The place.
    """

    folder: Path

    @property
    def partial(self) -> Path:
        """What becomes :attr:`folder`."""
        return self.folder.with_name(f".{self.folder.name}.partial")

    @property
    def unpacked(self) -> Path:
        """Files that are needed meanwhile only."""
        return self.folder.with_name(f".{self.folder.name}.unpacked")

    @property
    def lock(self) -> Path:
        """The file whose lock is the reservation."""
        return self.folder.with_name(f".{self.folder.name}{LOCK_SUFFIX}")

    def clear(self) -> None:
        """Remove both folders."""
        shutil.rmtree(self.partial, ignore_errors=True)
        shutil.rmtree(self.unpacked, ignore_errors=True)


@contextmanager
def reserve(folder: Path) -> Iterator[Staging]:
    """Hold a place for a folder in the making; what the dead left here, under this or another name, is removed first.

    Args:
        folder: The place; its parent is made where it is absent.

    Yields:
        The hidden folders, neither of which exists yet; what is left of them is removed afterwards.

    Raises:
        SegcoreError: Another process or thread is making a folder of this name, or the parent cannot be written to.
    """
    staging = Staging(Path(folder))
    try:
        staging.folder.parent.mkdir(parents=True, exist_ok=True)
        handle = next((h for h in map(_lock_patiently, [staging.lock] * PATIENCE) if h is not None), None)
    except OSError as error:
        raise SegcoreError(
            f"Expected a folder that can be written to, but {staging.folder.parent} cannot ({error.strerror}): choose another."
        ) from error
    if handle is None:
        raise SegcoreError(f"Another import is writing {staging.folder.name!r} at this moment: wait for it, or choose another name.")
    try:
        sweep(staging.folder.parent)
        staging.clear()
        yield staging
    finally:
        staging.clear()
        staging.lock.unlink(missing_ok=True)
        os.close(handle)


def sweep(parent: Path) -> list[str]:
    """Remove what processes that have died left half made in a folder.

    Returns:
        The names that they were making.
    """
    swept = []
    for lock in sorted(parent.glob(f".*{LOCK_SUFFIX}")):
        name = lock.name.removeprefix(".").removesuffix(LOCK_SUFFIX)
        try:
            handle = _lock(lock)
        except OSError:  # another user's, or gone meanwhile
            continue
        if handle is None:
            continue
        Staging(parent / name).clear()
        lock.unlink(missing_ok=True)
        os.close(handle)
        swept.append(name)
    return swept


def _lock_patiently(path: Path) -> int | None:
    handle = _lock(path, os.O_CREAT)
    if handle is None:
        time.sleep(0.05)
    return handle


def _lock(path: Path, create: int = 0) -> int | None:
    """Lock a file and return its handle; None while somebody else holds it."""
    while True:
        handle = os.open(path, os.O_RDWR | create, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is(path, handle):
                return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError:
            os.close(handle)
            raise
        os.close(handle)  # its holder removed the file between opening and locking: try the new one


def _is(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
