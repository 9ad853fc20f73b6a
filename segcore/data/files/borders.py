"""The border at which bytes of strangers are read: whatever fails there becomes a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

from segcore.errors import SegcoreError


@contextmanager
def foreign_bytes(sentence: str) -> Iterator[None]:
    """Turn any failure of reading what somebody else wrote into one sentence.

    Decoders raise whatever their authors thought of, so no list of exceptions is complete. Only a
    :class:`SegcoreError`, which is a sentence already, and what is no ``Exception`` (an interrupt)
    pass.

    Args:
        sentence: Message for the user: what cannot be read, and what to do.

    Raises:
        SegcoreError: In the place of any exception, which stays as its cause.
    """
    try:
        yield
    except SegcoreError:
        raise
    except Exception as error:
        raise SegcoreError(sentence) from error
