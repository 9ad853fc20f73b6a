"""A hierarchy of labels from a file: class -> parent -> grandparent; each level is a label map.

CSV: one row a class, ``class,parent,grandparent,...`` (separated by ``,``, ``;`` or tab), with or
    without a header that begins with
``class`` or ``name``. Rows may also name the parent of a parent. JSON: ``{"class": "parent"}``,
``{"class": ["parent", "grandparent"]}``, or a tree of groups, ``{"object": {"pole-like": ["pole",
"sign"]}}``. Classes are given by name or id; those left out stay alone. A class that is called like
a parent belongs to that parent's children.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segcore.errors import SegcoreError, unknown
from segcore.labels import LabelMap, LabelSet
from segcore.text_files import decode_text, parse_json, split_rows

MAX_BYTES = 1 << 20
MAX_NAMES = 20_000
MAX_DEPTH = 16
"""Longest chain from a class to its root."""

HEADERS = ("class", "name", "label", "id")


@dataclass(frozen=True)
class Hierarchy:
    """Label maps from fine to coarse.

    Attributes:
        levels: One map a level, the first merges classes by their parents; each is a coarsening of
            the one before.
        titles: For each level the names of its groups, in the order of the map's groups.
    """

    levels: tuple[LabelMap, ...]
    titles: tuple[tuple[str, ...], ...]


def read_hierarchy(data: bytes, label_set: LabelSet) -> Hierarchy:
    """Read a hierarchy for a label set.

    Args:
        data: The file's bytes, JSON or CSV, in any encoding of :mod:`segcore.text_files`.
        label_set: The classes that it is about.

    Raises:
        SegcoreError: The file is too large, no text, neither JSON nor CSV, names a class that does
            not exist or has two parents, or goes in a circle or too deep; or it merges nothing.
    """
    text = decode_text(data, "the hierarchy", MAX_BYTES).text.strip()
    if not text:
        raise SegcoreError(
            "Expected a hierarchy as JSON or CSV, received no text: write class,parent in each row."
        )
    parents: dict[str, str] = {}
    known = _known(label_set)
    if text[0] in "{[":
        _from_json(text, parents, known)
    else:
        _from_csv(text, parents, known)
    return _levels(parents, label_set)


def _known(label_set: LabelSet) -> dict[str, str]:
    """Class key by what a file may call it: its name, or its id where no class is named so."""
    named = {c.name: f"class {i}" for i, c in enumerate(label_set.classes)}
    return {**{str(c.id): f"class {i}" for i, c in enumerate(label_set.classes)}, **named}


def _link(parents: dict[str, str], child: str, parent: str) -> None:
    """Note a parent; the same one twice is no harm."""
    if len(parents) > MAX_NAMES:
        raise SegcoreError(
            f"Expected at most {MAX_NAMES} names in a hierarchy, received more: is this "
            "the right file?"
        )
    if child == parent:
        return
    if parents.setdefault(child, parent) != parent:
        shown = sorted(_shown(p) for p in (parents[child], parent))
        raise SegcoreError(
            f"Expected one parent for {_shown(child)!r}, received {shown[0]!r} and "
            f"{shown[1]!r}: keep one."
        )


def _shown(key: str) -> str:
    return key.split(" ", 1)[1] if key.startswith(("class ", "group ")) else key


def _chain(parents: dict[str, str], cells: list[str], known: Mapping[str, str]) -> None:
    """Link a class, or a group that was named before, to its ancestors."""
    first = known.get(cells[0], f"group {cells[0]}")
    for child, parent in zip([first, *(f"group {c}" for c in cells[1:])], cells[1:], strict=False):
        _link(parents, child, f"group {parent}")


def _from_csv(text: str, parents: dict[str, str], known: Mapping[str, str]) -> None:
    rows = [[cell for cell in row if cell] for row in split_rows(text, "the hierarchy")]
    if rows and rows[0][0].lower() in HEADERS and rows[0][0] not in known:
        rows = rows[1:]
    if not rows:
        raise SegcoreError(
            "Expected a row class,parent for each class, received a header alone: write the rows."
        )
    groups = {cell for row in rows for cell in row[1:]}
    for row in rows:
        if row[0] not in known and row[0] not in groups:
            raise unknown("class", row[0], [k for k, v in known.items()])
        _chain(parents, row, known)


def _from_json(text: str, parents: dict[str, str], known: Mapping[str, str]) -> None:
    data = parse_json(text, "the hierarchy", _once)
    if not isinstance(data, dict):
        raise SegcoreError(
            'Expected a mapping like {"class": "parent"}, received a list: write a mapping.'
        )
    _walk(data, None, parents, known, 0)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)
        raise SegcoreError(
            f"Expected each name once in a mapping, received {twice!r} twice: keep one."
        )
    return found


def _walk(
    node: Mapping[str, Any],
    above: str | None,
    parents: dict[str, str],
    known: Mapping[str, str],
    depth: int,
) -> None:
    if depth > MAX_DEPTH:
        raise SegcoreError(
            f"Expected a hierarchy of at most {MAX_DEPTH} levels, received a deeper one: "
            "flatten it."
        )
    for name, value in node.items():
        up = [above] if above is not None else []
        if name in known and isinstance(value, str):
            _chain(parents, [name, value, *up], known)
        elif (
            name in known
            and isinstance(value, list)
            and all(isinstance(v, str) for v in value)
            and not set(value) <= set(known)
        ):
            _chain(parents, [name, *value, *up], known)
        elif isinstance(value, list) and all(
            isinstance(v, (str, int)) and not isinstance(v, bool) for v in value
        ):
            for child in map(str, value):
                if child not in known:
                    raise unknown("class", child, known)
                _link(parents, known[child], f"group {name}")
            if above is not None:
                _link(parents, f"group {name}", f"group {above}")
        elif isinstance(value, dict):
            if above is not None:
                _link(parents, f"group {name}", f"group {above}")
            _walk(value, name, parents, known, depth + 1)
        elif isinstance(value, str):
            raise unknown("class", name, known)
        else:
            raise SegcoreError(
                f"Expected names below {name!r} in the hierarchy, received "
                f"{json.dumps(value)[:60]}: write a list of classes."
            )


def _levels(parents: Mapping[str, str], label_set: LabelSet) -> Hierarchy:
    """Turn parents into maps: at level n, classes that share their n-th ancestor form a group."""
    parents, above = dict(parents), set(parents.values())
    for index, known in enumerate(label_set.classes):
        if (own := f"group {known.name}") in above:  # a class that is called like a parent
            higher = parents.get(f"class {index}", own)
            if higher != own:
                parents.setdefault(own, higher)
            parents[f"class {index}"] = own
    chains: list[list[str]] = []
    for index in range(label_set.num_classes):
        chain = [f"class {index}"]
        while chain[-1] in parents:
            chain.append(parents[chain[-1]])
            if len(chain) > MAX_DEPTH + 1:
                circle = len(set(chain)) < len(chain)
                what = "a circle" if circle else f"more than {MAX_DEPTH} levels"
                raise SegcoreError(
                    f"Expected ancestors of {label_set.classes[index].name!r} that end, "
                    f"received {what}: fix its parents."
                )
        chains.append(chain)
    levels: list[LabelMap] = []
    titles: list[tuple[str, ...]] = []
    for depth in range(1, max(map(len, chains))):
        groups: dict[str, list[int]] = {}
        for index, chain in enumerate(chains):
            groups.setdefault(chain[min(depth, len(chain) - 1)], []).append(index)
        label_map = LabelMap(tuple(tuple(g) for g in groups.values()))
        if levels and label_map == levels[-1]:
            continue
        by_first = {group[0]: key for key, group in groups.items()}
        levels.append(label_map)
        titles.append(tuple(_title(by_first[group[0]], label_set) for group in label_map.groups))
    if not levels or all(level.num_groups == label_set.num_classes for level in levels):
        raise SegcoreError(
            "Expected a hierarchy that puts two classes under one parent, received none: "
            "share a parent between classes."
        )
    return Hierarchy(tuple(levels), tuple(titles))


def _title(key: str, label_set: LabelSet) -> str:
    kind, _, name = key.partition(" ")
    return label_set.classes[int(name)].name if kind == "class" else name
