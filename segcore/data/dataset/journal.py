"""Which samples of an import are whole on disk, so that an interrupted one can continue.

A journal lies in the folder in the making: a line with the key of what is imported and how, then a
line for each sample whose files are written, with their sizes. Half a last line, or files of
another size, are not believed.
"""

import dataclasses
import json
import shutil
import threading
from io import TextIOWrapper
from pathlib import Path

from segcore.data.dataset.dataset import Sample, sample_from_json
from segcore.data.dataset.staging import JOURNAL


class Journal:
    """The journal of one import. May be asked and written from several threads."""

    def __init__(self, folder: Path, key: str) -> None:
        """Open the journal of a folder, which is emptied first where it holds something else.

        Args:
            folder: The folder in the making.
            key: What is imported and how: the same key means the same samples.
        """
        self._folder = folder
        self._lock = threading.Lock()
        self._known = _read(folder / JOURNAL, key)
        if self._known is None:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        self._file: TextIOWrapper = open(folder / JOURNAL, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
        self._file.write(
            "\n" if self._known is not None else json.dumps({"key": key}) + "\n"
        )  # after half a line, a new one

    def known(self, sample_id: str) -> Sample | None:
        """Return a sample that is whole on disk, or None."""
        if not self._known or sample_id not in self._known:
            return None
        sample, sizes = self._known[sample_id]
        return sample if self._sizes(sample) == sizes else None

    def note(self, sample: Sample) -> None:
        """Write down that all files of a sample are on disk."""
        line = json.dumps({"sample": sample.to_json(), "sizes": self._sizes(sample)}) + "\n"
        with self._lock:
            self._file.write(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _sizes(self, sample: Sample) -> list[int]:
        """Bytes of the files that the import writes; -1 where one is absent."""
        files = [
            self._folder / place for place in (sample.image, sample.mask) if place is not None
        ]  # an absolute image stays itself
        return [file.stat().st_size if file.is_file() else -1 for file in files]


def kept(folder: Path) -> int:
    """Return how many samples an interrupted import left in a folder; 0 without a journal."""
    try:
        return max(0, (folder / JOURNAL).read_bytes().count(b'"sizes"'))
    except OSError:
        return 0


def _read(file: Path, key: str) -> dict[str, tuple[Sample, list[int]]] | None:
    """Read the samples of a journal of that key; None where there is none."""
    try:
        lines = file.read_text("utf-8").split("\n")
        if json.loads(lines[0])["key"] != key:
            return None
    except Exception:  # whatever is in a damaged journal: it is restarted
        return None
    fields = {field.name for field in dataclasses.fields(Sample)} - {"window"}
    known = {}
    for line in lines[1:]:
        try:
            row = json.loads(line)
            if set(row["sample"]) - {"window"} == fields:
                known[str(row["sample"]["id"])] = (
                    sample_from_json(row["sample"]),
                    list(row["sizes"]),
                )
        except Exception:
            continue  # the line that was being written when it broke off
    return known
