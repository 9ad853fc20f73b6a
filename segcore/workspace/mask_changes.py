"""Which of the listed runs are older than the masks of today: trained, or scored, before some were edited."""

from collections.abc import Sequence

from segcore.data.editing.versions import last_saves
from segcore.errors import SegcoreError
from segcore.runs.folder.environment import read_environment
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.runs.rows import OWN_SIZE, RunRow
from segcore.workspace.runs.runs import Runs
from segcore.workspace.scores.recounts import Recounts


class MaskChanges:
    """Compares runs with the masks of their datasets."""

    def __init__(self, datasets: Datasets, runs: Runs, recounts: Recounts) -> None:
        self._datasets = datasets
        self._runs = runs
        self._recounts = recounts

    def since(self, rows: Sequence[RunRow]) -> dict[str, int]:
        """Return how many masks changed since each run, by its id; unchanged ones are left out.

        Of a run with scores at the images' own size these are the scored masks that were edited
        after they were counted, of any other the masks of its dataset that were saved after it
        read them. A damaged run or history says nothing.
        """
        known = set(self._datasets.names())
        saves = {name: self._saves(name) for name in {row.dataset for row in rows} & known}
        changed = {
            row.run: self._count(row, saves[row.dataset])
            for row in rows
            if saves.get(row.dataset)
            and (row.status.started or row.status.created or 0.0) < saves[row.dataset][-1]
        }
        return {run: masks for run, masks in changed.items() if masks}

    def _saves(self, dataset: str) -> list[float]:
        try:
            return sorted(last_saves(self._datasets.open(dataset)).values())
        except SegcoreError:
            return []

    def _count(self, row: RunRow, saves: Sequence[float]) -> int:
        try:
            if row.scored_size == OWN_SIZE:
                return len(self._recounts.outdated(row.run, row.scored_split))
            starts = read_environment(self._runs.open(row.run).folder)
        except SegcoreError:
            return 0
        began = starts[-1].time if starts else None
        return 0 if began is None else sum(moment > began for moment in saves)
