"""The doctor: what this machine can train on, and why a device was used or refused."""

from pathlib import Path

from segcore.runs.machine.doctor import STATES, Check, Diagnosis, examine, last_diagnosis

__all__ = ["STATES", "Check", "Diagnosis", "Doctor"]


class Doctor:
    """Checks the machine, and remembers the answer until the driver or a package changes."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace

    def examine(self) -> Diagnosis:
        """Check everything now; takes as long as importing every engine once."""
        return examine(self._workspace)

    def last(self) -> Diagnosis | None:
        """Return the last diagnosis; None where there is none, or where it is out of date."""
        return last_diagnosis(self._workspace)
