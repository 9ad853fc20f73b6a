"""The small files of a dataset: written whole, or an error that says what to do.

Small named JSON files that lie next to a dataset: its balance plans and label maps; and what a name
may be.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcore.data.files.borders import foreign_bytes
from segcore.errors import SegcoreError, disk_error, unknown
from segcore.whole_files import write_bytes


def write_document(path: Path, data: bytes) -> None:
    """Write a file whole: to a temporary name in the same folder, then renamed.

    Raises:
        SegcoreError: The folder cannot be written or the disk is full; an older file stays as it
            was.
    """
    try:
        write_bytes(path, data)
    except OSError as error:
        raise disk_error("write", path, error) from error


NAME_RULE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


def check_name(name: str, kind: str = "dataset") -> str:
    """Return the name if it can be a file name everywhere.

    Raises:
        SegcoreError: It holds other characters, starts with a dot, or is longer than 64.
    """
    if not NAME_RULE.fullmatch(name):
        raise SegcoreError(
            f"Expected a {kind} name of 1 to 64 letters, digits, '-', '_' or '.' (no spaces, no "
            f"'.' first), received {name!r}: choose another."
        )
    return name


def name_taken(name: str) -> SegcoreError:
    """Build the error for the name of a new dataset that another one has."""
    return SegcoreError(
        f"Expected a new dataset name, received {name!r}, which exists: choose another name, or "
        f"delete the old one ({deleting([name])})."
    )


def deleting(names: Sequence[str]) -> str:
    """Return the command that deletes datasets."""
    return f"segscope datasets delete {' '.join(names)}"


@dataclass(frozen=True)
class Documents:
    """A folder of named JSON mappings.

    Attributes:
        folder: Where they lie; made when the first is written.
        kind: What one of them is, in the singular, for messages.
    """

    folder: Path
    kind: str

    def names(self) -> list[str]:
        """Return the names of the stored mappings, sorted."""
        return sorted(p.stem for p in self.folder.glob("*.json"))

    def read(self, name: str) -> dict[str, Any]:
        """Return the mapping of that name.

        Raises:
            SegcoreError: There is none, or it is damaged.
        """
        if name not in self.names():
            raise unknown(self.kind, name, self.names())
        with foreign_bytes(f"The {self.kind} {name!r} is damaged: make it again."):
            return dict(json.loads((self.folder / f"{name}.json").read_bytes()))

    def write(self, name: str, data: dict[str, Any]) -> None:
        """Write a mapping under a name, replacing the one before.

        Raises:
            SegcoreError: The name cannot be a file name, or the folder cannot be written.
        """
        check_name(name, self.kind)
        write_document(self.folder / f"{name}.json", json.dumps(data, indent=1).encode())

    def remove(self, name: str) -> None:
        """Delete the mapping of that name.

        Raises:
            SegcoreError: The folder cannot be written.
        """
        file = self.folder / f"{name}.json"
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise disk_error("remove", file, error) from error
