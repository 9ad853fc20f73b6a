"""The one exception a user can mend, and how an unknown name is answered."""

from collections.abc import Iterable
from difflib import get_close_matches


class SegcoreError(Exception):
    """A mistake or condition that the user can mend.

    The message is one sentence a person can act on: what was expected, what was
    received, how to mend it. Doors (shell, pages, worker) print it without a traceback.
    """


def unknown(kind: str, name: object, known: Iterable[str]) -> SegcoreError:
    """Build the error for a name that is in no table.

    Args:
        kind: What the name should have been, in the singular ("architecture").
        name: What was received.
        known: The names that would have been accepted.

    Returns:
        An error, to be raised by the caller, that suggests the nearest known name, or lists
        the known names when none is near.
    """
    names = sorted(known)
    near = get_close_matches(str(name), names, n=1, cutoff=0.5)
    if near:
        return SegcoreError(f"Unknown {kind} {name!r}: did you mean {near[0]!r}?")
    if not names:
        return SegcoreError(f"Unknown {kind} {name!r}: there is none yet, make one first.")
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return SegcoreError(f"Unknown {kind} {name!r}: expected one of {shown}.")
