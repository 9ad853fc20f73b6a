"""Files of a workspace: written whole or not at all, by one process at a time."""

import fcntl
import json
import math
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from segcore import whole_files
from segcore.errors import SegcoreError, disk_error

LOCK_SECONDS = 10.0

_NETWORK_DRIVES = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "fuse.sshfs",
    "fuse.glusterfs",
    "ceph",
    "fuse.ceph",
    "lustre",
    "beegfs",
)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Lend a temporary name as :func:`segcore.whole_files.replacing` does.

    Raises:
        SegcoreError: The folder cannot be written or the disk is full.
    """
    try:
        with whole_files.replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise disk_error("write", path, error) from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file by a temporary name, making its folder where needed.

    Raises:
        SegcoreError: The folder cannot be written or the disk is full; an older file stays as it
            was.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def read_bytes(path: Path) -> bytes:
    """Read a whole file.

    Raises:
        SegcoreError: It is absent or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SegcoreError(
            f"Expected the file {path}, found none: run the step that makes it first."
        ) from error
    except OSError as error:
        raise disk_error("read", path, error) from error


def inflate(payload: bytes | memoryview, expected: int) -> bytes | None:
    """Inflate a zlib stream of exactly ``expected`` bytes; None where it is damaged or differs.

    Nothing is allocated on the word of the one who wrote ``expected``: deflate cannot do better
    than about 1032 to 1, so a payload too short for it is refused at once, and no more than one
    byte beyond it is ever inflated.
    """
    if not 0 < expected <= len(payload) * 1100:
        return None
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(payload, expected + 1)
        # A stream may end in a few bytes that hold no data but the checksum.
        data += stream.decompress(stream.unconsumed_tail, 1) if stream.unconsumed_tail else b""
    except (zlib.error, MemoryError):
        return None
    return data if len(data) == expected and stream.eof and not stream.unused_data else None


def plain(value: Any) -> Any:
    """Return ``value`` as JSON can hold it.

    Numpy scalars and arrays become numbers and lists; NaN and infinity become null.
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value


def write_json(path: Path, data: Any) -> None:
    """Write one JSON document as a whole file; values as in :func:`plain`.

    Raises:
        SegcoreError: As in :func:`write_bytes`.
    """
    write_bytes(
        path,
        (json.dumps(plain(data), ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode(),
    )


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON mapping.

    Raises:
        SegcoreError: The file is absent, cannot be read, or is no JSON mapping.
    """
    try:
        data = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise SegcoreError(
            f"Expected JSON in {path}, found something else: the file is damaged; restore "
            "or remove it."
        ) from error
    if not isinstance(data, dict):
        raise SegcoreError(
            f"Expected a JSON mapping in {path}, found a {type(data).__name__}: the file "
            "is damaged; restore or remove it."
        )
    return data


def is_network_drive(folder: Path, mounts: Path = Path("/proc/mounts")) -> bool:
    """Whether a folder lies on another machine's disk, as far as the system says.

    Args:
        folder: An existing folder.
        mounts: The system's list: a line a drive, of which the second word is where it appears and
            the third its kind.
    """
    try:
        lines = [line.split() for line in mounts.read_text().splitlines()]
        place = folder.resolve()
    except OSError:
        return False
    below = [
        (len(words[1]), words[2])
        for words in lines
        if len(words) > 2 and place.is_relative_to(words[1].replace("\\040", " "))
    ]
    return bool(below) and max(below)[1] in _NETWORK_DRIVES


class Locked(SegcoreError):
    """A lock was not free before its deadline."""


@contextmanager
def locked(path: Path, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold an exclusive lock on a small file; the kernel frees it if the process dies.

    Never take one inside a database transaction: whoever waits for it would hold up the queue.

    Args:
        path: The lock file, made where absent.
        seconds: How long to wait for another process that holds it, which may be frozen.

    Raises:
        Locked: Another process held it all that time.
        SegcoreError: The lock file cannot be opened for writing.
    """
    handle = try_lock(path, seconds)
    if handle is None:
        raise Locked(
            f"Expected to lock {path} within {seconds:g} seconds, found it held by another "
            "process, "
            "which may be frozen: continue or end that process, then try again."
        )
    try:
        yield
    finally:
        os.close(handle)


def try_lock(path: Path, seconds: float = 0.0) -> int | None:
    """Return an open file that holds an exclusive lock, None where it was not free in time.

    Raises:
        SegcoreError: The lock file cannot be opened for writing.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise disk_error("write", path, error) from error
    end, pause = time.monotonic() + seconds, 0.001
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if time.monotonic() >= end:
                os.close(handle)
                return None
        except OSError as error:
            os.close(handle)
            raise disk_error("lock", path, error) from error
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
