"""Zip and tar archives: hostile until checked, then unpacked.

Everything is judged from the listing before a byte is written, and sizes are counted again while
unpacking, since a listing can lie.
"""

import bz2
import gzip
import lzma
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from segcore.errors import SegcoreError

MAX_ENTRIES = 100_000
MAX_BYTES = 10_000_000_000
MAX_RATIO = 200
"""Largest unpacked size over packed size, counted above :data:`FREE_BYTES` (masks pack well)."""

FREE_BYTES = 100_000_000
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_NESTED = (*ARCHIVE_SUFFIXES, ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst")
MAX_HEADER = 1 << 22
"""Largest piece of a tar that is read at once; a header may ask for gigabytes."""

BYTES_PER_ENTRY = 512
"""Room for one line of a zip's listing; a listing larger than all lines together is not read."""

_UNPACKERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    OverflowError,
    MemoryError,
    IndexError,
    KeyError,
)

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Entry:
    """One line of an archive's listing.

    Attributes:
        name: Path as the archive writes it.
        size: Declared bytes when unpacked.
        kind: "file", "folder", "link" or "other".
    """

    name: str
    size: int
    kind: str


def is_archive(path: Path) -> bool:
    """Whether a file is named like a zip or tar archive."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


def check_entries(entries: Sequence[Entry], packed_bytes: int, archive: str) -> None:
    """Refuse a listing that would write outside the target, follow links, or fill the disk.

    Args:
        entries: The listing.
        packed_bytes: Size of the archive file.
        archive: Its name, for messages.

    Raises:
        SegcoreError: An entry is absolute, climbs out, is a link, a device or an archive; there are
            too many; or they are too large.
    """
    if len(entries) > MAX_ENTRIES:
        raise SegcoreError(
            f"Expected at most {MAX_ENTRIES} entries in {archive}, received "
            f"{len(entries)}: import it unpacked."
        )
    seen: set[str] = set()
    for entry in entries:
        path = PurePosixPath(entry.name.replace("\\", "/"))
        _check_entry(entry, path, archive)
        if entry.kind == "file" and str(path) in seen:
            raise SegcoreError(
                f"Expected each file once in {archive}, received {entry.name[:80]!r} twice: pack "
                "the data again."
            )
        seen.add(str(path))
    total = sum(entry.size for entry in entries)
    if total > MAX_BYTES:
        raise SegcoreError(
            f"Expected at most {MAX_BYTES // 10**9} GB in {archive}, its listing says "
            f"{total / 1e9:.1f} GB: import it unpacked."
        )
    if total > FREE_BYTES and total > MAX_RATIO * packed_bytes:
        raise SegcoreError(
            f"Expected data packed at most {MAX_RATIO} to 1, {archive} unpacks "
            f"{total / max(1, packed_bytes):.0f} to 1, as a bomb does: "
            "import it unpacked."
        )


def _check_entry(entry: Entry, path: PurePosixPath, archive: str) -> None:
    """Refuse one entry that climbs out, or is a link, a device or an archive."""
    shown = repr(entry.name[:80])
    outside = path.is_absolute() or ".." in path.parts or "\x00" in entry.name
    if outside or (path.parts and ":" in path.parts[0]):
        raise SegcoreError(
            f"Expected paths inside the archive {archive}, received {shown}: do not trust it."
        )
    if entry.kind == "link":
        raise SegcoreError(
            f"Expected plain files in {archive}, received the link {shown}: pack the "
            "data without links."
        )
    if entry.kind == "other":
        raise SegcoreError(
            f"Expected plain files in {archive}, received the device {shown}: pack the data again."
        )
    nested = path.name.lower().endswith(_NESTED) and not path.name.startswith(".")
    if entry.kind == "file" and nested:
        raise SegcoreError(
            f"Expected no archive inside {archive}, received {shown}: unpack the inner one first."
        )


def unpack(archive: Path, target: Path, progress: Progress | None = None) -> None:
    """Check an archive and unpack it.

    Args:
        archive: A zip or tar file (tar may be packed by gzip, bzip2 or xz).
        target: A new or empty folder.
        progress: Called with (done, total, what).

    Raises:
        SegcoreError: It is no archive, damaged, locked by a password, or refused by
            :func:`check_entries`.
    """
    try:
        with _open(archive) as (entries, files):
            check_entries(entries, archive.stat().st_size, archive.name)
            free = shutil.disk_usage(target.parent if not target.exists() else target).free
            total = sum(entry.size for entry in entries)
            if total > free:
                raise SegcoreError(
                    f"Expected {total / 1e9:.1f} GB of free space for {archive.name}, "
                    f"found {free / 1e9:.1f}: make room."
                )
            for done, (entry, stream) in enumerate(files(), start=1):
                _write(entry, stream, target, archive.name)
                if progress:
                    progress(done, len(entries), "unpacking")
    except _BROKEN as error:
        reason = getattr(error, "strerror", None) or "it is damaged"
        raise SegcoreError(
            f"{archive.name} cannot be unpacked ({reason}): "
            "pack the data again as a plain zip or tar."
        ) from error


def _write(entry: Entry, stream: IO[bytes], target: Path, archive: str) -> None:
    place = target.joinpath(*PurePosixPath(entry.name.replace("\\", "/")).parts)
    place.parent.mkdir(parents=True, exist_ok=True)
    left = entry.size
    with open(place, "xb") as out:
        while block := stream.read(1 << 20):
            left -= len(block)
            if left < 0:
                raise SegcoreError(
                    f"{archive} holds more than its listing says ({entry.name[:80]!r}): do "
                    "not trust it."
                )
            out.write(block)


_Files = Callable[[], Iterator[tuple[Entry, IO[bytes]]]]


@contextmanager
def _open(archive: Path) -> Iterator[tuple[list[Entry], _Files]]:
    if not archive.is_file():
        raise SegcoreError(
            f"Expected a zip or tar archive, found no file at {archive}: check the path."
        )
    if zipfile.is_zipfile(archive):
        if _listing_bytes(archive) > MAX_ENTRIES * BYTES_PER_ENTRY:
            raise SegcoreError(
                f"Expected at most {MAX_ENTRIES} entries in {archive.name}, received many "
                "more: import it unpacked."
            )
        with zipfile.ZipFile(archive) as packed:
            yield _list_zip(packed)
        return
    with open(archive, "rb") as file:
        start = file.read(8)
        file.seek(0)
        stream = next(
            (make(file) for magic, make in _UNPACKERS.items() if start.startswith(magic)), file
        )
        try:
            tar = tarfile.open(fileobj=_Sips(stream), mode="r:")  # type: ignore[call-overload]  # noqa: SIM115
        except tarfile.TarError as error:
            raise SegcoreError(
                f"Expected a zip or tar archive, received {archive.name}: pack the data as "
                "zip or tar, or give a folder."
            ) from error
        with tar:
            yield _list_tar(tar, archive.name, archive.stat().st_size)


class _Sips:
    """A stream that gives no more than a sip at a time, for a reader that trusts sizes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_HEADER:
            raise tarfile.ReadError(f"a header asks for {size} bytes")
        return self._stream.read(size)


def _listing_bytes(archive: Path) -> int:
    """Size of a zip's listing as its last record says (above 4 GB, the record before that)."""
    with open(archive, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 66_000))
        tail = file.read()
    at, far = tail.rfind(b"PK\5\6"), tail.rfind(b"PK\6\6")
    if far >= 0 and len(tail) >= far + 48:
        return int.from_bytes(tail[far + 40 : far + 48], "little")
    return int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0


def _list_zip(packed: zipfile.ZipFile) -> tuple[list[Entry], _Files]:
    entries = []
    for info in packed.infolist():
        kinds = {0: "file", stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
        kind = (
            "folder" if info.is_dir() else kinds.get(stat.S_IFMT(info.external_attr >> 16), "other")
        )
        entries.append(Entry(info.filename, info.file_size, kind))

    def files() -> Iterator[tuple[Entry, IO[bytes]]]:
        for entry, info in zip(entries, packed.infolist(), strict=True):
            if entry.kind == "file":
                with packed.open(info) as stream:
                    yield entry, stream

    return entries, files


def _list_tar(tar: tarfile.TarFile, archive: str, packed_bytes: int) -> tuple[list[Entry], _Files]:
    entries, members, total = [], [], 0
    for member in tar:  # a packed tar is read through here: stop at the limits, not after them
        kind = (
            "file"
            if member.isfile()
            else "folder"
            if member.isdir()
            else "link"
            if member.issym() or member.islnk()
            else "other"
        )
        entries.append(Entry(member.name, member.size if member.isfile() else 0, kind))
        members.append(member)
        total += member.size
        bomb = total > FREE_BYTES and total > MAX_RATIO * packed_bytes
        if len(entries) > MAX_ENTRIES or total > MAX_BYTES or bomb:
            check_entries(entries, packed_bytes, archive)

    def files() -> Iterator[tuple[Entry, IO[bytes]]]:
        for entry, member in zip(entries, members, strict=True):
            stream = tar.extractfile(member) if entry.kind == "file" else None
            if stream is not None:
                yield entry, stream

    return entries, files
