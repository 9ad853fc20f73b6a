"""Folders in the making: reserved by one process, and cleared when that process has died.

While a dataset ``X`` is being made, three hidden names lie next to its place: ``.X.importing``, a
file that the maker holds locked; ``.X.partial``, what becomes the dataset; ``.X.unpacked``, an
archive's files. The system lets go of a lock when its process ends, whatever ended it, so a lock that
can be had marks leftovers of the dead. They are removed, but for a ``.X.partial`` that holds a
journal: the next import of the same continues it; after :data:`KEPT_DAYS` days it is removed
too.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from segcore.errors import SegcoreError, disk_error

JOURNAL = "journal.jsonl"
"""Name of the journal in a folder in the making, see :mod:`segcore.data.dataset.journal`."""

KEPT_DAYS = 7
LOCK_SUFFIX = ".importing"
PATIENCE = 20
"""Tries, 0.05 s apart, before a name counts as taken: clearing leftovers takes a moment."""


@dataclass(frozen=True)
class Staging:
    """The hidden folders next to a place, free to be written by whoever holds the reservation.

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

    @property
    def journal(self) -> Path:
        """What a maker that can continue with :attr:`partial` keeps in it."""
        return self.partial / JOURNAL

    def clear(self) -> None:
        """Remove both folders."""
        shutil.rmtree(self.partial, ignore_errors=True)
        shutil.rmtree(self.unpacked, ignore_errors=True)


@contextmanager
def reserve(folder: Path, resumable: bool = False) -> Iterator[Staging]:
    """Hold a place for a folder in the making; leftovers of processes that died are removed first.

    Args:
        folder: The place; its parent is made where it is absent.
        resumable: Whether the maker keeps a journal and can continue what an interrupted one left
            in :attr:`Staging.partial`.

    Yields:
        The hidden folders. Neither exists yet, unless resumable; what is left of them is removed
        afterwards, unless resumable and interrupted (by ``KeyboardInterrupt`` and the like, not by
        an error).

    Raises:
        SegcoreError: Another process or thread is making a folder of this name, or the parent
            cannot be written to.
    """
    staging = Staging(Path(folder))
    try:
        staging.folder.parent.mkdir(parents=True, exist_ok=True)
        handle = next(
            (h for h in map(_lock_patiently, [staging.lock] * PATIENCE) if h is not None), None
        )
    except OSError as error:
        raise SegcoreError(
            f"Expected a folder that can be written to, but {staging.folder.parent} cannot "
            f"({error.strerror}): choose another."
        ) from error
    if handle is None:
        raise SegcoreError(
            f"Another import is writing {staging.folder.name!r} at this moment: wait for "
            "it, or choose another name."
        )
    keep = False
    try:
        sweep(staging.folder.parent)
        shutil.rmtree(staging.unpacked, ignore_errors=True)
        if not resumable:
            staging.clear()
        yield staging
    except BaseException as error:
        keep = resumable and not isinstance(error, Exception) and staging.journal.is_file()
        raise
    finally:
        if keep:
            shutil.rmtree(staging.unpacked, ignore_errors=True)
        else:
            staging.clear()
            staging.lock.unlink(missing_ok=True)
        os.close(handle)


def broken_off(parent: Path) -> list[str]:
    """Return the names whose making broke off and can continue, sorted."""
    names = []
    for lock in parent.glob(f".*{LOCK_SUFFIX}"):
        staging = Staging(parent / lock.name.removeprefix(".").removesuffix(LOCK_SUFFIX))
        try:
            handle = _lock(lock) if staging.journal.is_file() else None
        except OSError:
            continue
        if handle is not None:
            os.close(handle)
            names.append(staging.folder.name)
    return sorted(names)


def throw_away(folder: Path) -> None:
    """Remove what was left when the making of a folder broke off.

    Raises:
        SegcoreError: Somebody is making it at this moment.
    """
    with reserve(folder):
        pass


def remove_whole(folder: Path) -> None:
    """Remove a folder that was made here.

    Raises:
        SegcoreError: The system forbids it.
    """
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise disk_error("remove", folder, error) from error


def sweep(parent: Path) -> list[str]:
    """Remove what dead processes left half made in a folder, unless it is recent and can continue.

    Returns:
        The names that they were making and that are gone.
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
        staging = Staging(parent / name)
        if _can_go_on(staging):
            shutil.rmtree(staging.unpacked, ignore_errors=True)
        else:
            staging.clear()
            lock.unlink(missing_ok=True)
            swept.append(name)
        os.close(handle)
    return swept


def _can_go_on(staging: Staging) -> bool:
    try:
        return time.time() - staging.journal.stat().st_mtime < KEPT_DAYS * 86400
    except OSError:
        return False


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
