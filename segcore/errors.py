"""The exception for what a user can fix, unknown names, and errors of the disk."""

import errno
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

_MENDS = {
    errno.ENOSPC: "the disk is full: free some space, then try again",
    errno.EDQUOT: "the disk quota is used up: free some space, then try again",
    errno.EROFS: "the disk is read-only: choose a workspace that can be written",
    errno.EACCES: (
        "permission is denied: choose a workspace that you may write to, or change its permissions"
    ),
    errno.EPERM: (
        "permission is denied: choose a workspace that you may write to, or change its permissions"
    ),
    errno.EMFILE: "too many files are open: close some runs or raise the limit (ulimit -n)",
    errno.EIO: "the disk reported a fault: check it before you continue",
}


MOST_NAMES = 12
"""Known names that an error lists."""


class SegcoreError(Exception):
    """A mistake or condition that the user can fix.

    The message is one sentence a person can act on: what was expected, what was
    received, how to fix it. Entry points (shell, pages, worker) print it without a traceback.

    Attributes:
        details: All of which the sentence names the first, such as an import's problems; the shell
            lists them before the sentence.
    """

    details: tuple[str, ...] = ()


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or one that led to it, says that the disk or the quota is used up."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def unknown(
    kind: str, name: object, known: Iterable[str], *, ordered: bool = False
) -> SegcoreError:
    """Build the error for a name that is in no table.

    Args:
        kind: What the name should have been, in the singular ("architecture").
        name: What was received.
        known: The names that would have been accepted.
        ordered: Whether they are listed in this order (newest first), not sorted.

    Returns:
        An error, to be raised by the caller, that suggests the nearest known name, or lists
        the known names when none is near: those that contain what was received first.
    """
    names = [one for one in dict.fromkeys(known) if one != name]
    if not ordered:
        names.sort()
    holding = _containing(str(name), names)
    near = get_close_matches(str(name), names, n=1, cutoff=0.5)
    if near or len(holding) == 1:
        near = near or holding
        return SegcoreError(f"Unknown {kind} {name!r}: did you mean {near[0]!r}?")
    if not names:
        return SegcoreError(f"Unknown {kind} {name!r}: none exists yet, create one first.")
    first = [*holding, *(one for one in names if one not in holding)]
    rest = f" and {len(first) - MOST_NAMES} more" if len(first) > MOST_NAMES else ""
    listed = ", ".join(first[:MOST_NAMES]) + rest
    return SegcoreError(f"Unknown {kind} {name!r}: expected one of {listed}.")


def _containing(text: str, names: Iterable[str]) -> list[str]:
    """The names that contain a text of two characters or more, whatever the case."""
    wanted = text.casefold()
    return [one for one in names if wanted in one.casefold()] if len(wanted) > 1 else []


def unknown_split(dataset: str, split: str, known: Iterable[str]) -> SegcoreError:
    """Build the error for a split that a dataset lacks.

    Args:
        dataset: Name of the dataset.
        split: What was received.
        known: The dataset's splits, "" for samples without one.
    """
    splits = [one for one in known if one]
    if not splits:
        return SegcoreError(
            f"Expected splits in the dataset {dataset!r}, found none: make them first (segscope "
            f"split {dataset})."
        )
    return unknown("split", split, splits)


def disk_error(what: str, path: Path | str, error: OSError) -> SegcoreError:
    """Turn an operating system error into one sentence with a fix.

    Args:
        what: What was tried, as a verb ("write", "read").
        path: The file or folder it was tried on.
        error: What the system said.
    """
    reason = _MENDS.get(error.errno or 0, error.strerror or str(error))
    return SegcoreError(f"Could not {what} {path}: {reason}.")
