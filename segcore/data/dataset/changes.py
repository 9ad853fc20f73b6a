"""One change of a dataset at a time: whoever changes it holds its lock and starts from the disk.

``dataset.json`` is replaced whole, so two who read it, change it and write it would lose the
change of the first. Everyone who saves an existing dataset does it inside :func:`changing`.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segcore.data.dataset.dataset import Dataset
from segcore.errors import SegcoreError, disk_error

LOCK = ".change.lock"
PATIENCE = 10.0
"""Seconds that a change waits for another one."""


@contextmanager
def changing(folder: Path, patience: float = PATIENCE) -> Iterator[Dataset]:
    """Hold a dataset for one change.

    Args:
        folder: The dataset's folder.
        patience: Seconds to wait for somebody else's change.

    Yields:
        The dataset as it is on disk now; save a changed copy of it before leaving.

    Raises:
        SegcoreError: It cannot be read or locked, or another change does not end.
    """
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except FileNotFoundError:
        Dataset.open(folder)  # says that there is no dataset
        raise
    except OSError as error:
        raise disk_error("change", folder, error) from error
    try:
        _lock(handle, folder, patience)
        yield Dataset.open(folder)
    finally:
        os.close(handle)  # which lets go of the lock, as the end of the process does


def _lock(handle: int, folder: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise SegcoreError(
                    f"Another change of the dataset {folder.name!r} is being written (masks, "
                    "splits or classes): nothing was changed here, try again in a moment."
                ) from None
            time.sleep(0.02)
        except OSError as error:
            raise disk_error("lock", folder / LOCK, error) from error
