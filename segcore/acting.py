"""Who acts: the person in front of the app, else the user of this machine.

The app sets :func:`identify_by` once; what it names is asked for at every check, so a person who
was taken off a list is refused at the next click, wherever the code runs: page, callback, fragment.
"""

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

Role = Literal["viewer", "editor"]
ROLES: tuple[Role, ...] = ("viewer", "editor")
"""What a person may do: a viewer looks and downloads, an editor does everything."""


@dataclass(frozen=True)
class Person:
    """Who acts.

    Attributes:
        name: As it is shown and noted: an address of the log-in, or the user of this machine.
        role: What this person may do.
    """

    name: str
    role: Role = "editor"


def of_this_machine() -> Person:
    """Return the user under whom this process runs, who may do everything."""
    try:
        return Person(getpass.getuser())
    except (KeyError, OSError):  # a number without a name, as in containers
        return Person("unknown")


_named: ContextVar[Person | None] = ContextVar("acting", default=None)
_identify: Callable[[], Person] = of_this_machine


def person() -> Person:
    """Return who acts now.

    Raises:
        SegcoreError: Nobody is logged in where that is needed.
    """
    return _named.get() or _identify()


def identify_by(function: Callable[[], Person] | None) -> None:
    """Set what names the person who acts; None for the user of this machine."""
    global _identify
    _identify = function or of_this_machine


@contextmanager
def acting_as(one: Person) -> Iterator[None]:
    """Let a person act in this block, as in a thread that works for them."""
    token = _named.set(one)
    try:
        yield
    finally:
        _named.reset(token)
