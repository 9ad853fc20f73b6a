"""The table of the documentation is that of the rows beside it."""

import re
from pathlib import Path

from benchmarks.label_next_trial import read, summary

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_table_says_what_its_rows_say() -> None:
    rows = read(DOCS / "label-next-trial.csv")
    assert len(rows) == 50
    text = (DOCS / "label-next.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (\d+) \| (\S+) \| (\S+) \| (.+) \| (\d+) \|$", text, re.MULTILINE)
    lines = summary(rows).splitlines()
    assert len(table) == len(lines) == 3
    for (images, ours, drawn, apart, seeds), line in zip(table, lines, strict=True):
        if apart == "the same network":
            assert line == f"{images} images: {ours} for both, {seeds} seeds" and ours == drawn
            continue
        said = (
            f"{images} images: label-next {ours}, random {drawn}, difference {apart}, {seeds} seeds"
        )
        assert line.startswith(said)
