"""What changes a workspace is declared so: a viewer is refused, and who did it is noted.

Every public method of the parts of a workspace either is marked by :func:`writes` or only reads;
``tests/workspace/test_rights.py`` lists which.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from segcore import acting
from segcore.errors import SegcoreError
from segcore.workspace.history import History

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

NOTED = "_history"
"""The attribute by which a part of a workspace finds the history."""

_LONGEST = 120
_NAMED = 5
_inside: ContextVar[bool] = ContextVar("inside a noted action", default=False)


def check_may_write(doing: str) -> acting.Person:
    """Return who acts, if they may change the workspace.

    Args:
        doing: What they are about to do, "delete a run".

    Raises:
        SegcoreError: They may only look and download, or nobody is logged in.
    """
    one = acting.person()
    if one.role != "editor":
        raise SegcoreError(
            f"Expected an editor to {doing}, but {one.name} is a viewer, who looks and downloads: "
            "ask an editor of your team, or for that role."
        )
    return one


def writes(
    doing: str, note: str = ""
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Mark a method of a part of the workspace that changes something.

    A viewer is refused before anything is done. What an editor did is noted in the workspace's
    history once it is done; methods that it calls add no lines of their own then. A call that
    returns an empty list had nothing to do, and is not noted. A call with ``save=False`` only
    looks, and is everyone's.

    Args:
        doing: What it does, for the refusal: "delete a run".
        note: What was done, for the history: "Deleted the run {run}", with names of parameters in
            braces, and ``{result}``; "" where the methods that it calls note it.
    """

    def mark(method: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        signature = inspect.signature(method)

        @wraps(method)
        def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            if kwargs.get("save") is False:
                return method(*args, **kwargs)
            one = check_may_write(doing)
            token = _inside.set(_inside.get() or bool(note))
            noted = bool(note) and token.old_value is not True
            try:
                result = method(*args, **kwargs)
            finally:
                _inside.reset(token)
            history = getattr(args[0], NOTED, None)
            idle = isinstance(result, list) and not result
            if noted and not idle and isinstance(history, History):
                bound = signature.bind(*args, **kwargs)
                bound.apply_defaults()
                values = {name: _said(value) for name, value in bound.arguments.items()}
                history._note(one.name, note.format(**values, result=_said(result)), _call(method))
            return result

        checked.__dict__["doing"], checked.__dict__["note"] = doing, note
        return checked

    return mark


def _call(method: Callable[..., object]) -> str:
    return ".".join(method.__qualname__.split(".")[-2:])


def _said(value: object) -> str:
    """Put a value into words for the history: names of people, files and runs, and no more."""
    if isinstance(value, Mapping):
        value = list(value)
    if isinstance(value, Path):
        text = value.name
    elif isinstance(value, str):
        text = value
    elif isinstance(value, list | tuple | set | frozenset):
        names = [_said(one) for one in list(value)[:_NAMED]]
        more = len(value) - len(names)
        text = ", ".join(names) + (f" and {more:,} more" if more else "") or "nothing"
    elif isinstance(value, Iterable):
        text = "several"  # an iterator, which the method has read
    else:
        text = str(getattr(value, "name", value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def note_in(history: History, part: object) -> None:
    """Let what is done through a part of a workspace be noted in its history."""
    if any("doing" in vars(member) for member in vars(type(part)).values() if callable(member)):
        setattr(part, NOTED, history)
