"""The words for classes: a label set, and a map that merges labels.

Inside Segscope a mask holds **indices** 0..C-1, the positions of the classes in the label set,
and one ignored value. Class **ids** are the numbers the user's own files and tables use; they are
kept for display and for files, and are turned into indices at the border, once.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError, unknown

Color = tuple[int, int, int]
"""Red, green, blue; 0..255 each."""

MAX_CLASSES = 1000
MAX_NAMES = 20
"""Names that a sentence lists."""


def plural(number: int, noun: str, ending: str = "s") -> str:
    """Write a number with its noun: "1 mask", "3 masks", "1,200 images"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{ending}"


def list_names(names: Sequence[str], most: int = MAX_NAMES) -> str:
    """Join names for a sentence, quoted where one holds a comma; of very many, the first ones."""
    quoted = [f"'{n}'" for n in names] if any("," in n or ";" in n for n in names) else list(names)
    return ", ".join(quoted[:most]) + (
        f" and {len(names) - most} more" if len(names) > most else ""
    )


def near_twins(names: Sequence[str]) -> list[str]:
    """Return the names that differ from another one in case or spaces only."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(" ".join(name.casefold().split()), []).append(name)
    return [name for twins in alike.values() if len(twins) > 1 for name in twins]


def color_to_hex(color: Sequence[int]) -> str:
    """Write a colour as ``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*(int(v) for v in color))


def hex_to_color(text: str) -> Color:
    """Read ``#rrggbb`` (or ``#rgb``) as (red, green, blue), 0..255.

    Raises:
        SegcoreError: The text is not a hexadecimal colour.
    """
    digits = text.strip().lstrip("#")
    if len(digits) == 3:
        digits = "".join(2 * d for d in digits)
    if not re.fullmatch(r"[0-9a-fA-F]{6}", digits):
        raise SegcoreError(
            f"Expected a colour like '#8429f6', received {text[:40]!r}: write six hexadecimal digits."
        )
    red, green, blue = (int(digits[i : i + 2], 16) for i in (0, 2, 4))
    return (red, green, blue)


@dataclass(frozen=True)
class LabelClass:
    """One class as the user knows it.

    Attributes:
        id: The number that the user's files use for it (not its position).
        name: Display name.
        color: Display colour, (red, green, blue), 0..255.
    """

    id: int
    name: str
    color: Color

    def to_json(self) -> dict[str, Any]:
        """Return ``{"id", "name", "color": "#rrggbb"}``."""
        return {"id": self.id, "name": self.name, "color": color_to_hex(self.color)}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "LabelClass":
        """Rebuild what :meth:`to_json` returned."""
        return LabelClass(int(data["id"]), str(data["name"]), hex_to_color(str(data["color"])))


@dataclass(frozen=True)
class LabelSet:
    """The classes of a dataset, in order, and the ignored ones.

    Attributes:
        classes: The scored classes; the position in this tuple is the index in masks, logits,
            probabilities and confusion matrices.
        ignored: Classes of the source that are never trained or scored; all of them are written
            as :attr:`ignore_index` in masks.
    """

    classes: tuple[LabelClass, ...]
    ignored: tuple[LabelClass, ...] = ()

    def __post_init__(self) -> None:
        """Refuse empty sets, ids or names that stand twice, and names that no file can hold."""
        if not self.classes:
            raise SegcoreError(
                "Expected at least one class that is not ignored, received none: declare one class."
            )
        if len(self.classes) > MAX_CLASSES:
            raise SegcoreError(
                f"Expected at most {MAX_CLASSES} classes, received {len(self.classes)}: is "
                "this a photograph rather than a mask?"
            )
        both = self.classes + self.ignored
        for what, values in (("id", [str(c.id) for c in both]), ("name", [c.name for c in both])):
            twice = sorted(v for v, times in Counter(values).items() if times > 1)
            if twice:
                raise SegcoreError(
                    f"Expected each class {what} once, received {twice[0]!r} more than "
                    "once: rename or remove one."
                )
        broken = next((c.name for c in both if re.search(r"[\ud800-\udfff]", c.name)), None)
        if broken is not None:
            raise SegcoreError(
                f"Expected class names of whole characters, received {broken!a}, which holds "
                "half of one: correct the name."
            )

    @property
    def num_classes(self) -> int:
        """C, the number of scored classes."""
        return len(self.classes)

    @property
    def class_names(self) -> list[str]:
        """Names in index order, length C."""
        return [c.name for c in self.classes]

    @property
    def class_ids(self) -> list[int]:
        """The user's ids in index order, length C."""
        return [c.id for c in self.classes]

    @property
    def ignore_index(self) -> int:
        """The mask value that is never trained nor scored: 255, or 65535 above 255 classes."""
        return 255 if self.num_classes <= 255 else 65535

    @property
    def mask_dtype(self) -> np.dtype[Any]:
        """The smallest dtype that holds every index and :attr:`ignore_index`: uint8 or uint16."""
        return np.dtype(np.uint8 if self.num_classes <= 255 else np.uint16)

    @cached_property
    def colors(self) -> npt.NDArray[np.uint8]:
        """Colours in index order, (C, 3) uint8."""
        return np.array([c.color for c in self.classes], np.uint8)

    def index_of(self, label: int | str) -> int:
        """Return the index of a class given by name or by id; see :func:`find_class`.

        Raises:
            SegcoreError: No class has that name or id, or one has the name and another the id.
        """
        known = find_class(self.classes, label)
        if known is None:
            raise unknown("class", label, self.class_names)
        return self.classes.index(known)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping that :meth:`from_json` reads."""
        return {
            "classes": [c.to_json() for c in self.classes],
            "ignored": [c.to_json() for c in self.ignored],
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> "LabelSet":
        """Rebuild what :meth:`to_json` returned."""
        return LabelSet(
            tuple(LabelClass.from_json(c) for c in data["classes"]),
            tuple(LabelClass.from_json(c) for c in data.get("ignored", [])),
        )


def find_class(classes: Sequence[LabelClass], label: int | str) -> LabelClass | None:
    """Return the class with a name or an id; a name wins, and text that is both is refused.

    Args:
        classes: Where to look.
        label: A whole number for an id; text for a name or an id.

    Returns:
        The class, None where there is none.

    Raises:
        SegcoreError: One class has this name and another this id.
    """
    of_id = next((c for c in classes if str(c.id) == str(label)), None)
    if not isinstance(label, str):
        return of_id
    of_name = next((c for c in classes if c.name == label), None)
    if of_name is None:  # macOS writes letters with accents in two parts
        wanted = unicodedata.normalize("NFC", label)
        of_name = next((c for c in classes if unicodedata.normalize("NFC", c.name) == wanted), None)
    if of_name and of_id and of_name is not of_id:
        raise SegcoreError(
            f"Expected one class, received {label!r}, which is the name of the class with id "
            f"{of_name.id} and the id of the class {of_id.name!r}: write {of_name.id} for the "
            f"first or {of_id.name!r} for the second."
        )
    return of_name or of_id


@dataclass(frozen=True)
class LabelMap:
    """A merge of labels: a partition of the class indices 0..C-1 into groups.

    Attributes:
        groups: Groups of class indices; each index is in exactly one group. Kept in canonical
            order: members ascending, groups by their first member.
        name: What the user calls it.
    """

    groups: tuple[tuple[int, ...], ...]
    name: str = ""

    def __post_init__(self) -> None:
        """Refuse groups that are no partition; put them in canonical order."""
        flat = sorted(i for group in self.groups for i in group)
        if flat != list(range(len(flat))) or not flat or not all(self.groups):
            raise SegcoreError(
                "Expected groups in which each class index 0..C-1 stands exactly once, "
                f"received {[list(g) for g in self.groups]}: "
                "list every class once."
            )
        canonical = tuple(sorted(tuple(sorted(group)) for group in self.groups))
        object.__setattr__(self, "groups", canonical)

    @property
    def num_classes(self) -> int:
        """C, the number of labels before the merge."""
        return sum(len(group) for group in self.groups)

    @property
    def num_groups(self) -> int:
        """K, the number of labels after the merge."""
        return len(self.groups)

    @cached_property
    def group_of(self) -> npt.NDArray[np.int64]:
        """Group index of each class index, (C,) int64."""
        out = np.empty(self.num_classes, np.int64)
        for group_index, group in enumerate(self.groups):
            out[list(group)] = group_index
        return out

    def in_ids(self, class_ids: Sequence[int]) -> list[list[int]]:
        """Return the groups in the user's class ids, which stand in index order."""
        return [[class_ids[i] for i in group] for group in self.groups]

    @staticmethod
    def identity(num_classes: int) -> "LabelMap":
        """Return the map that merges nothing."""
        return LabelMap(tuple((i,) for i in range(num_classes)), "identity")

    @staticmethod
    def merging(num_classes: int, merges: Iterable[Iterable[int]], name: str = "") -> "LabelMap":
        """Return the map that merges only the given groups of indices and leaves the rest alone."""
        merged = tuple(tuple(group) for group in merges)
        taken = {i for group in merged for i in group}
        return LabelMap(merged + tuple((i,) for i in range(num_classes) if i not in taken), name)

    def apply(self, mask: npt.NDArray[Any], label_set: LabelSet) -> npt.NDArray[Any]:
        """Map a mask of class indices to group indices; ignored pixels stay ignored.

        Args:
            mask: (H, W) integer class indices 0..C-1, or the label set's ``ignore_index``.
            label_set: The label set that the mask is in (before merging).

        Returns:
            (H, W), dtype of the merged label set, with its ``ignore_index``.
        """
        merged = self.merge_label_set(label_set)
        table = np.full(label_set.ignore_index + 1, merged.ignore_index, merged.mask_dtype)
        table[: self.num_classes] = self.group_of
        return table[mask]

    def merge_label_set(self, label_set: LabelSet) -> LabelSet:
        """Return the label set after the merge: names joined by " + ", colour of the first member.

        Raises:
            SegcoreError: The map is for another number of classes.
        """
        if label_set.num_classes != self.num_classes:
            raise SegcoreError(
                f"Expected a label map over {label_set.num_classes} classes, received one "
                f"over {self.num_classes}: "
                "choose a map that was made for this dataset."
            )
        classes = tuple(
            LabelClass(
                index,
                " + ".join(label_set.classes[i].name for i in group),
                label_set.classes[group[0]].color,
            )
            for index, group in enumerate(self.groups)
        )
        ignored = tuple(
            LabelClass(len(classes) + i, c.name, c.color) for i, c in enumerate(label_set.ignored)
        )
        return LabelSet(classes, ignored)

    def to_json(self) -> dict[str, Any]:
        """Return ``{"name", "groups"}``."""
        return {"name": self.name, "groups": [list(g) for g in self.groups]}

    @staticmethod
    def from_json(data: dict[str, Any]) -> "LabelMap":
        """Rebuild what :meth:`to_json` returned."""
        return LabelMap(
            tuple(tuple(int(i) for i in g) for g in data["groups"]), str(data.get("name", ""))
        )
