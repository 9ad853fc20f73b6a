"""Annotations of runs, the archive, and the trash: delete, restore, empty."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcore.errors import SegcoreError
from segcore.runs.folder import trash
from segcore.runs.folder.annotations import Annotations
from segcore.workspace.rights import writes
from segcore.workspace.runs.runs import Runs


@dataclass(frozen=True)
class DeletedRuns:
    """Runs in the trash that were deleted together.

    Attributes:
        id: Name of the deletion.
        runs: Their ids, the one that was named first.
        deleted: When, seconds since 1970.
        bytes: What they take on disk.
        by: Who deleted them; "" where not noted.
    """

    id: str
    runs: tuple[str, ...]
    deleted: float
    bytes: int
    by: str = ""


class RunAnnotations:
    """Notes, tags, stars and the archive of runs, and the trash.

    Attributes:
        kept_days: Days after which deleted runs are removed for good.
    """

    kept_days = trash.KEPT_DAYS

    def __init__(self, workspace: Path, runs: Runs) -> None:
        self._workspace = workspace
        self._runs = runs

    def notes(self, run: str) -> Annotations:
        """Return the annotations of a run.

        Raises:
            SegcoreError: There is no such run.
        """
        return self._runs.open(run).annotations()

    @writes("change the notes of a run", "Changed {changes} of the run {run}")
    def write(self, run: str, **changes: Any) -> Annotations:
        """Change tags, text, star or archived of a run and return the whole.

        Raises:
            SegcoreError: There is no such run, a value is refused, or the folder cannot be written.
        """
        return self._runs.open(run).write_annotations(**changes)

    @writes("change tags of runs", "Changed tags of runs: added {add}, removed {remove}")
    def tag(
        self, runs: Iterable[str], *, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> None:
        """Add tags to some runs, and remove others.

        Raises:
            SegcoreError: There is no such run, or a tag is refused.
        """
        added, removed = list(add), set(remove)
        for run in runs:
            folder = self._runs.open(run)
            folder.write_annotations(
                tags=[*(tag for tag in folder.annotations().tags if tag not in removed), *added]
            )

    @writes("delete runs")
    def delete(self, runs: Iterable[str]) -> list[str]:
        """Move runs that have ended to the trash, with their predictions; return deletion ids.

        What was deleted more than :attr:`kept_days` ago is removed for good. A run that was deleted
        along with an earlier one of the list is passed over.

        Raises:
            SegcoreError: There is no such run, or one has not ended; those before it are deleted,
                and can be restored.
        """
        trash.empty_trash(self._workspace, self.kept_days)
        deletions: list[str] = []
        for run in runs:
            gone = not (self._runs.folder / run).exists() and not self._runs.saved_as(run)
            if deletions and gone:
                continue
            deletions.append(self._runs.delete(run))
        return deletions

    def trash(self) -> list[DeletedRuns]:
        """Return the deletions in the trash, the latest first."""
        folder = trash.trash_folder(self._workspace)
        return [
            DeletedRuns(d.id, d.runs, d.deleted, trash.folder_bytes(folder / d.id), d.by)
            for d in trash.list_trash(self._workspace)
        ]

    @writes("restore runs", "Restored the runs {result}")
    def restore(self, deletions: Iterable[str]) -> list[str]:
        """Undo deletions and return the ids of the runs that are back.

        Raises:
            SegcoreError: There is no such deletion, or a run of that id was made since.
        """
        return [run for deletion in deletions for run in trash.restore(self._workspace, deletion)]

    @writes("restore a run", "Restored the runs {result}")
    def restore_run(self, run: str) -> list[str]:
        """Undo the latest deletion that holds a run.

        Args:
            run: Id of the run, or the name that an ensemble was saved under.

        Raises:
            SegcoreError: That run is not in the trash, or was created again since.
        """
        deletion = next(
            (
                d.id
                for d in trash.list_trash(self._workspace)
                if run in d.runs or all(own.startswith(f"{run}--") for own in d.runs)
            ),
            None,
        )
        if deletion is None:
            raise SegcoreError(
                f"Expected the run {run!r} in the trash, but it is not there: it was never "
                "deleted, or was removed for good."
            )
        return trash.restore(self._workspace, deletion)

    @writes("empty the trash", "Emptied the trash of {result} deletions")
    def empty(self) -> int:
        """Empty the trash for good and return how many deletions it held.

        Raises:
            SegcoreError: A folder cannot be removed.
        """
        return trash.empty_trash(self._workspace)

    def bytes_of(self, run: str) -> int:
        """Return the bytes that a run takes on disk, its predictions not counted.

        Raises:
            SegcoreError: There is no such run.
        """
        return trash.folder_bytes(self._runs.open(run).folder)
