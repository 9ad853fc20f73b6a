"""Configs to JSON and back; a wrong key or value is refused by name."""

import dataclasses
from functools import lru_cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from segcore.errors import SegcoreError, unknown

T = TypeVar("T")


def to_json(config: Any) -> dict[str, Any]:
    """Return a config as a JSON-ready mapping; nested dataclasses become mappings, tuples lists."""
    return _plain(dataclasses.asdict(config))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


def from_json(cls: type[T], data: dict[str, Any]) -> T:
    """Build a dataclass from a mapping, as :func:`to_json` wrote it or as a person did.

    Raises:
        SegcoreError: A key is unknown, missing, or has a value of the wrong type.
    """
    if not isinstance(data, dict):
        raise SegcoreError(
            f"Expected a mapping for {cls.__name__}, received {data!r}: write it as {{...}}."
        )
    hints = _hints_of(cls)  # type: ignore[arg-type]
    names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for key in data:
        if key not in names:
            raise unknown(f"key of {cls.__name__}", key, names)
    values = {
        key: _convert(f"{cls.__name__}.{key}", hints[key], value) for key, value in data.items()
    }
    try:
        return cls(**values)
    except TypeError as error:
        raise SegcoreError(f"{cls.__name__} lacks a key: {error}.") from error


@lru_cache(maxsize=256)
def _hints_of(cls: type) -> dict[str, Any]:
    """Return the types of a dataclass's fields; resolving them is most of what reading a config costs."""
    return get_type_hints(cls)


def _convert(where: str, hint: Any, value: Any) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None and type(None) in args:
            return None
        (hint,) = [a for a in args if a is not type(None)]
        return _convert(where, hint, value)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else from_json(hint, value)
    if origin is tuple and isinstance(value, (list, tuple)):
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        if len(kinds) == len(value):
            return tuple(_convert(where, k, v) for k, v in zip(kinds, value, strict=True))
    elif hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    elif (
        isinstance(hint, type)
        and isinstance(value, hint)
        and (hint is bool) == isinstance(value, bool)
    ):
        return value
    raise SegcoreError(
        f"Expected {getattr(hint, '__name__', hint)} for {where}, received {value!r}: "
        "change that value."
    )
