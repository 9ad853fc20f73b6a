"""Splits that text files name: ``train.txt``, ``val.txt`` with one image a line, as many tools write."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from segcore.data.files.names import name_keys
from segcore.data.formats.importers.report import Problem
from segcore.data.formats.importers.source import SPLIT_NAMES, Pair, Source
from segcore.errors import SegcoreError
from segcore.labels import list_names, plural
from segcore.text_files import MAX_BYTES, read_text

_LISTS = r"(.*/)?(train|training|val|valid|validation|dev|test|testing)([_-]?(list|set|ids|files))?\.(txt|lst|list)"


def read_list(source: Source, name: str) -> list[str]:
    """Return the lines of a list, without space around them and without empty ones.

    Raises:
        SegcoreError: The file cannot be read, or is no text.
    """
    lines = read_text(source.root / name, MAX_BYTES).text.split("\n")
    return [line.strip() for line in lines if line.strip()]


def with_listed_splits(
    source: Source, pairs: Sequence[Pair], problems: list[Problem]
) -> list[Pair]:
    """Give pairs without splits those of the source's lists, and report what these name besides.

    Args:
        source: The files.
        pairs: The samples; where any has a split already, nothing changes.
        problems: Where names without an image, and images in several lists, are reported.
    """
    names = source.named(_LISTS)
    if not names or any(pair.split for pair in pairs):
        return list(pairs)
    by_last: dict[str, list[int]] = defaultdict(list)
    for number, pair in enumerate(pairs):
        by_last[name_keys(pair.image.name)[1]].append(number)
    splits: dict[int, set[str]] = defaultdict(set)
    for name in names:
        lost = []
        for line in _lines(source, name, problems):
            found = _find(line, pairs, by_last)
            if found is None:
                lost.append(line)
            else:
                splits[found].add(_split_of(name))
        if lost:
            what = f"{plural(len(lost), 'line')} without an image, such as {lost[0][:80]!r}"
            problems.append(Problem(name, what, "correct the list if they belong to the dataset"))
    chosen = one_split_each({pairs[n].id: own for n, own in splits.items()}, problems)
    return [replace(pair, split=chosen.get(pair.id, "")) for pair in pairs]


def one_split_each(listed: Mapping[str, set[str]], problems: list[Problem]) -> dict[str, str]:
    """Return the split of each image that is in the lists of one; report those in several."""
    twice = [name for name, own in listed.items() if len(own) > 1]
    if twice:
        what = f"{plural(len(twice), 'image')} in lists of several splits ({list_names(twice, 4)})"
        problems.append(Problem("", what + ", which get none", "keep each in one list"))
    return {name: next(iter(own)) for name, own in listed.items() if len(own) == 1}


def _lines(source: Source, name: str, problems: list[Problem]) -> list[str]:
    try:
        return read_list(source, name)
    except SegcoreError as error:
        problems.append(Problem.of(name, error))
        return []


def _split_of(name: str) -> str:
    word = re.split(r"[_\-.]", PurePosixPath(name).name.lower())[0]
    word = re.sub(r"(list|set|ids|files)$", "", word)
    return SPLIT_NAMES.get(word, "")


def _find(line: str, pairs: Sequence[Pair], by_last: dict[str, list[int]]) -> int | None:
    """Return the pair that a line names, alone or first of several words; None for none or more."""
    for word in dict.fromkeys((line, re.split(r"[\s,;]", line)[0])):
        key = name_keys(word)[1]
        numbers = by_last.get(key.rsplit("/", 1)[-1], [])
        if len(numbers) > 1:
            whole = [
                n for n in numbers if f"/{name_keys(str(pairs[n].image))[1]}".endswith(f"/{key}")
            ]
            numbers = whole
        if len(numbers) == 1:
            return numbers[0]
    return None
