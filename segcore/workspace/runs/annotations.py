"""The shelf of what people do with runs that are there: say something about them, put them away, throw them away, undo that."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from segcore.errors import SegcoreError
from segcore.runs.folder import trash
from segcore.runs.folder.annotations import Annotations
from segcore.workspace.runs.runs import Runs


class RunAnnotations:
    """Notes, tags, stars and the archive of runs, and the trash.

    Attributes:
        kept_days: Days after which what was deleted is given up.
    """

    kept_days = trash.KEPT_DAYS

    def __init__(self, workspace: Path, runs: Runs) -> None:
        self._workspace = workspace
        self._runs = runs

    def notes(self, run: str) -> Annotations:
        """Return what is said about a run.

        Raises:
            SegcoreError: There is no such run.
        """
        return self._runs.open(run).annotations()

    def write(self, run: str, **changes: Any) -> Annotations:
        """Change tags, text, star or archived of a run and return the whole.

        Raises:
            SegcoreError: There is no such run, a value is refused, or the folder cannot be written.
        """
        return self._runs.open(run).write_annotations(**changes)

    def tag(
        self, runs: Iterable[str], *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> None:
        """Give some runs tags, and take others away.

        Raises:
            SegcoreError: There is no such run, or a tag is refused.
        """
        added, removed = list(add), set(remove)
        for run in runs:
            folder = self._runs.open(run)
            folder.write_annotations(
                tags=[*(tag for tag in folder.annotations().tags if tag not in removed), *added]
            )

    def delete(self, runs: Iterable[str]) -> list[str]:
        """Move runs that have ended to the trash, each with its predictions; return the ids of the deletions.

        What was deleted more than :attr:`kept_days` ago is given up at this moment. A run that went
        along with an earlier one of the list is no mistake.

        Raises:
            SegcoreError: There is no such run, or one has not ended; those before it are deleted,
                and can be restored.
        """
        trash.empty_trash(self._workspace, self.kept_days)
        deletions: list[str] = []
        for run in runs:
            if deletions and not (self._runs.folder / run).exists():
                continue
            deletions.append(self._runs.delete(run))
        return deletions

    def trash(self) -> list[dict[str, Any]]:
        """Return one mapping a deletion, the latest first: id, runs, deleted (seconds since 1970), bytes."""
        folder = trash.trash_folder(self._workspace)
        return [
            {
                "id": d.id,
                "runs": [*d.runs],
                "deleted": d.deleted,
                "bytes": trash.folder_bytes(folder / d.id),
            }
            for d in trash.list_trash(self._workspace)
        ]

    def restore(self, deletions: Iterable[str]) -> list[str]:
        """Undo deletions and return the ids of the runs that are back.

        Raises:
            SegcoreError: There is no such deletion, or a run of that id was made since.
        """
        return [run for deletion in deletions for run in trash.restore(self._workspace, deletion)]

    def restore_run(self, run: str) -> list[str]:
        """Undo the latest deletion that took a run along.

        Raises:
            SegcoreError: That run is not in the trash, or was made anew since.
        """
        found = next((d.id for d in trash.list_trash(self._workspace) if run in d.runs), None)
        if found is None:
            raise SegcoreError(
                f"Expected the run {run!r} in the trash, found it not there: it was never "
                "deleted, or was given up."
            )
        return trash.restore(self._workspace, found)

    def empty(self) -> int:
        """Give up everything in the trash and return how many deletions that were.

        Raises:
            SegcoreError: A folder cannot be removed.
        """
        return trash.empty_trash(self._workspace)

    def bytes_of(self, run: str) -> int:
        """Bytes that a run takes on disk, its predictions not counted.

        Raises:
            SegcoreError: There is no such run.
        """
        return trash.folder_bytes(self._runs.open(run).folder)
