"""The checklist of the start page: which steps from the demo to a report were done."""

import contextlib
from pathlib import Path

from segcore.errors import SegcoreError
from segcore.runs.machine.disk import read_json, write_json
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.demo import NAME as DEMO
from segcore.workspace.demo import Demo
from segcore.workspace.runs.runs import Runs

FORMAT = 1
STEPS = (
    "demo",
    "data",
    "health",
    "splits",
    "balance",
    "train",
    "watch",
    "look",
    "judge",
    "merge",
    "report",
)
NOTED = ("health", "balance", "watch", "look", "judge", "merge", "report")
"""Steps that leave no other trace: a page or a command notes them when it shows what they ask for."""


class Checklist:
    """Return which steps were done with the user's own data; the demo counts for the first."""

    def __init__(self, workspace: Path, datasets: Datasets, runs: Runs, demo: Demo) -> None:
        self._path = workspace / "steps.json"
        self._datasets = datasets
        self._runs = runs
        self._demo = demo
        self._known: set[str] = set()

    def note(self, step: str, dataset: str) -> None:
        """Remember that a step was done with a dataset; of the demo nothing is remembered.

        A workspace that cannot be written is looked at all the same: then the step is remembered
        until the program ends.

        Args:
            step: One of ``NOTED``.
            dataset: Name of the dataset.
        """
        if step not in NOTED:
            raise ValueError(f"Expected one of {NOTED}, received {step!r}.")
        if dataset == DEMO or step in self._known:
            return
        self._known |= {step, *self._read()}
        with contextlib.suppress(SegcoreError):
            write_json(
                self._path, {"format": FORMAT, "done": [s for s in NOTED if s in self._known]}
            )

    def done(self) -> dict[str, bool]:
        """Return for each of ``STEPS`` whether it was done."""
        noted = self._known | self._read()
        facts = {
            "demo": self._demo.is_open(),
            "data": any(name != DEMO for name in self._datasets.names()),
            "splits": any(self._is_split(name) for name in self._datasets.names()),
            "train": any(row.kind == "train" and row.dataset != DEMO for row in self._runs.rows()),
        }
        return {step: facts.get(step, step in noted) for step in STEPS}

    def _is_split(self, name: str) -> bool:
        """Whether one of the user's datasets has splits; a damaged one counts as having none."""
        with contextlib.suppress(SegcoreError):
            return name != DEMO and bool(self._datasets.open(name).splits)
        return False

    def _read(self) -> set[str]:
        """Read the file; a damaged or newer one counts as empty, since only ticks are lost."""
        try:
            done = read_json(self._path).get("done") if self._path.exists() else None
        except SegcoreError:
            return set()
        return {step for step in done if step in NOTED} if isinstance(done, list) else set()
