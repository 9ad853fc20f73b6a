"""What was decided about suspected labels, so that nobody is asked twice.

Kept with the dataset in ``label_decisions.json``, in class ids, which outlive a change of the classes.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segcore.data.dataset.changes import changing
from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.documents import write_document
from segcore.data.files.borders import foreign_bytes
from segcore.errors import SegcoreError

FILE_NAME = "label_decisions.json"
FORMAT = 1


@dataclass(frozen=True)
class LabelDecision:
    """What somebody decided about a region.

    Attributes:
        decision: "accepted": the suggested class took the place of the label; "kept": the label is
            right.
        given: Class id of the label.
        suggested: Class id that was suggested.
        rows: The region: (row, first column, column after the last).
        author: Who decided.
    """

    decision: str
    given: int
    suggested: int
    rows: tuple[tuple[int, int, int], ...]
    author: str = ""


Decisions = dict[str, tuple[LabelDecision, ...]]
"""By sample id."""


def read_decisions(dataset: Dataset) -> Decisions:
    """Return what was decided, by sample.

    Raises:
        SegcoreError: The file is damaged, or a newer Segscope wrote it.
    """
    file = dataset.folder / FILE_NAME
    if not file.is_file():
        return {}
    with foreign_bytes(
        f"{file} is damaged: remove it; you are then asked about every region again."
    ):
        data = json.loads(file.read_bytes())
        if int(data["format"]) > FORMAT:
            raise SegcoreError(
                f"{file} was written by a newer Segscope (format {data['format']}): "
                "update Segscope."
            )
        return {str(k): tuple(_decision(row) for row in v) for k, v in data["samples"].items()}


def add_decisions(folder: Path, sample: str, decided: Sequence[LabelDecision]) -> None:
    """Write down decisions about an image.

    Args:
        folder: The dataset's folder.
        sample: Id of the image.
        decided: What was decided.

    Raises:
        SegcoreError: There is no such sample, or the folder cannot be written.
    """
    with changing(folder) as dataset:
        dataset.sample(sample)
        known = read_decisions(dataset)
        known[sample] = (*known.get(sample, ()), *decided)
        data = {"format": FORMAT, "samples": {k: [asdict(d) for d in v] for k, v in known.items()}}
        write_document(folder / FILE_NAME, json.dumps(data, ensure_ascii=False).encode())


def _decision(row: dict[str, Any]) -> LabelDecision:
    rows = tuple((int(a), int(b), int(c)) for a, b, c in row["rows"])
    return LabelDecision(
        str(row["decision"]),
        int(row["given"]),
        int(row["suggested"]),
        rows,
        str(row.get("author", "")),
    )
