"""Which images a training has read, kept with its run: ``samples.json``, sorted ids by use.

The splits of a dataset may change after a training. Only this note says then whether an image of
today's test split was trained on.
"""

from collections.abc import Iterable

from segcore.errors import SegcoreError
from segcore.runs.folder.run_folder import RunFolder

NAME = "samples"
USES = ("train", "validation")


def note_seen(run: RunFolder, train: Iterable[str], validation: Iterable[str]) -> None:
    """Add the ids of the images that a training reads to those that it read before."""
    before = read_seen(run) or {use: set() for use in USES}
    now = dict(zip(USES, (set(train), set(validation)), strict=True))
    run.write_json(NAME, {use: sorted(before[use] | now[use]) for use in USES})


def read_seen(run: RunFolder) -> dict[str, set[str]] | None:
    """Return the ids by use, "train" and "validation"; None for a training older than this note."""
    try:
        noted = run.read_json(NAME)
        return {use: {str(sample) for sample in noted[use]} for use in USES}
    except (SegcoreError, KeyError, TypeError):
        return None
