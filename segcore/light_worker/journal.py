"""The journal of a run: what it has counted so far, one record a step, for the next attempt.

Layout, little-endian, one record after another: "SGJ1", length of the payload (uint32), CRC-32 of
the payload (uint32), payload (a compressed npz without pickle). The first record holds the key, a
text that says what the records were made of. A record that was cut off by a kill is written again.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import disk_error
from segcore.runs.folder.run_folder import RunFolder

Arrays = dict[str, npt.NDArray[Any]]

_MAGIC = b"SGJ1"
_HEADER = struct.Struct("<4s2I")


class Journal:
    """The journal of one run; another key, or a damaged first record, restarts it.

    Args:
        run: The run.
        key: What the records are made of.
        keep: Called with each record that earlier attempts appended, in order, one in memory at a
            time.

    Raises:
        SegcoreError: In the constructor and :meth:`append`: the folder cannot be written.
    """

    def __init__(self, run: RunFolder, key: str, keep: Callable[[Arrays], None]) -> None:
        self._path = run.checkpoints / "journal.bin"
        self._end = 0
        for arrays, end in self._read():
            if self._end:
                keep(arrays)
            elif str(arrays.get("key")) != key:
                break
            self._end = end
        if not self._end:
            self.append({"key": np.array(key)})

    def append(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Append one record."""
        packed = io.BytesIO()
        np.savez_compressed(packed, allow_pickle=False, **arrays)
        payload = packed.getvalue()
        record = _HEADER.pack(_MAGIC, len(payload), zlib.crc32(payload)) + payload
        try:
            with self._path.open("r+b" if self._path.exists() else "w+b") as file:
                file.seek(self._end)
                file.truncate()
                file.write(record)
        except OSError as error:
            raise disk_error("write", self._path, error) from error
        self._end += len(record)

    def clear(self) -> None:
        """Remove the journal."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> Iterator[tuple[Arrays, int]]:
        """Yield the whole records, each with the position of its end."""
        try:
            data = memoryview(self._path.read_bytes())
        except OSError:
            return
        place = 0
        while place + _HEADER.size <= len(data):
            magic, length, checksum = _HEADER.unpack_from(data, place)
            payload = data[place + _HEADER.size : place + _HEADER.size + length]
            if magic != _MAGIC or len(payload) < length or zlib.crc32(payload) != checksum:
                return
            try:
                with np.load(io.BytesIO(payload), allow_pickle=False) as stored:
                    arrays = {name: stored[name] for name in stored.files}
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
                return
            place += _HEADER.size + length
            yield arrays, place
