"""Names that become files and folders: ids of runs and samples, splits, stages."""

import re
from pathlib import PurePosixPath

from segcore.errors import SegcoreError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def is_run_id(text: str) -> bool:
    """Whether a text is safe as the id of a run."""
    return _ID.fullmatch(text) is not None


def check_run_id(text: str) -> str:
    """Return an id that is safe as a folder's name.

    Raises:
        SegcoreError: It has other characters than letters, digits, ".", "_" and "-", or more than
            200 of them.
    """
    if not is_run_id(text):
        raise SegcoreError(
            f"Expected a run id of letters, digits, '.', '_' and '-', no spaces, received {text!r}: "
            "choose such a name."
        )
    return text


def check_run_name(text: str) -> str:
    """Return a name that the ids of runs may begin with.

    Raises:
        SegcoreError: It has other characters, "--", or more than 60 of them.
    """
    if not is_run_id(text) or len(text) > 60 or "--" in text:
        raise SegcoreError(
            "Expected a name of up to 60 letters, digits, '.', '_' and '-', no spaces, without '--', received "
            f"{text[:80]!r}: choose such a name."
        )
    return text


def check_stage(text: str) -> str:
    """Return the name of a split or stage, which becomes one folder or file.

    Raises:
        SegcoreError: It is empty, begins with "." or has a slash.
    """
    if not text or text.startswith(".") or any(c in text for c in "/\\\0"):
        raise SegcoreError(
            f"Expected the name of a split or stage without '/', received {text!r}: choose "
            "another name."
        )
    return text


def sample_parts(sample_id: str) -> tuple[str, ...]:
    """Return the folders and the file stem that a sample's id stands for.

    Raises:
        SegcoreError: It is empty, absolute, or would lead outside.
    """
    parts = PurePosixPath(sample_id).parts
    if not parts or any(
        part in ("..", "/", "//") or "\\" in part or "\0" in part for part in parts
    ):
        raise SegcoreError(
            "Expected a sample id without '..' that is not absolute, received "
            f"{sample_id!r}: rename the sample."
        )
    return parts
