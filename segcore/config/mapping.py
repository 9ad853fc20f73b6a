"""Configs to JSON and back; a wrong key or value is refused by name."""

import dataclasses
from functools import lru_cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from segcore.config.schema import shortened
from segcore.errors import SegcoreError, unknown
from segcore.text_files import as_json

T = TypeVar("T")
_KINDS: dict[Any, tuple[str, str]] = {
    float: ("a number", "write for example 0.001"),
    int: ("a whole number", "write for example 8"),
    bool: ("true or false", "write one of them"),
    str: ("text", "write it in quotes"),
    dict: ("a mapping", "write it as {...}"),
    tuple[int, int]: ("two whole numbers", "write for example [256, 256]"),
}
"""What a type is called for a person, and how its values are written."""


def to_json(config: Any) -> dict[str, Any]:
    """Return a config as a JSON-ready mapping: dataclasses become mappings, tuples lists."""
    plain: dict[str, Any] = as_json(config)
    return plain


def from_json(cls: type[T], data: dict[str, Any], where: str = "") -> T:
    """Build a dataclass from a mapping, as :func:`to_json` wrote it or as a person did.

    Args:
        cls: The dataclass; one with a method ``from_mapping`` is built by that.
        data: The mapping.
        where: Key that the mapping stands under, for errors.

    Raises:
        SegcoreError: A key is unknown, missing, or has a value of the wrong type; it is named.
    """
    if not isinstance(data, dict):
        raise SegcoreError(
            f"Expected a mapping for {where or cls.__name__}, received {shortened(data)}: write "
            "it as {...}."
        )
    custom = getattr(cls, "from_mapping", None)
    if custom is not None:
        built: T = custom(data)
        return built
    declared: Any = cls
    hints, fields = _hints_of(declared), dataclasses.fields(declared)
    names = [f.name for f in fields]
    for key in data:
        if key not in names:
            raise unknown(f"key of {where or cls.__name__}", key, names)
    for f in fields:
        if (
            f.name not in data
            and f.default is dataclasses.MISSING
            and f.default_factory is dataclasses.MISSING
        ):
            raise SegcoreError(
                f"Expected the key {f.name!r} in {where or cls.__name__}, found none: add it."
            )
    prefix = f"{where}." if where else ""
    return cls(**{key: convert(f"{prefix}{key}", hints[key], value) for key, value in data.items()})


@lru_cache(maxsize=256)
def _hints_of(cls: Any) -> dict[str, Any]:
    """Return the types of a dataclass's fields; resolving them is most of the work of reading."""
    return get_type_hints(cls)


def convert(where: str, hint: Any, value: Any) -> Any:
    """Return a value read from JSON as the type that a field has.

    Args:
        where: The key, for the error.
        hint: The type.
        value: What JSON or YAML gave.

    Raises:
        SegcoreError: The value has another type.
    """
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        if value is None and type(None) in args:
            return None
        (hint,) = [a for a in args if a is not type(None)]
        return convert(where, hint, value)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else from_json(hint, value, where)
    if origin is tuple and isinstance(value, (list, tuple)):
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        if len(kinds) == len(value):
            return tuple(convert(where, k, v) for k, v in zip(kinds, value, strict=True))
    elif hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            pass
    elif (
        isinstance(hint, type)
        and isinstance(value, hint)
        and (hint is bool) == isinstance(value, bool)
    ):
        return value
    what, how = _KINDS.get(hint) or ("a list", "write it as [...]")
    if isinstance(value, str) and hint in (float, int, bool):
        how += ", without quotes"
    raise SegcoreError(f"Expected {what} for {where}, received {shortened(value)}: {how}.")
