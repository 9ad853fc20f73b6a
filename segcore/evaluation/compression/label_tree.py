"""A tree of labels: classes are its leaves, groups of classes its nodes, any class its root.

Every hierarchy is a chain of label maps from fine to coarse: the cuts of a dendrogram, saved
merges, the levels of a file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.compression.dendrogram import Dendrogram
from segcore.evaluation.compression.hierarchy import Hierarchy
from segcore.labels import LabelClass, LabelMap, LabelSet

Table = npt.NDArray[np.intp]

ROOT = "anything"
"""Title of the root, the answer that says nothing and is never wrong."""


@dataclass(frozen=True)
class LabelTree:
    """Classes and the groups that a chain of label maps joins them into.

    Attributes:
        num_classes: C.
        nodes: Class indices of each node, ascending: the C classes first, then groups from fine to
            coarse, the root last.
        titles: Name of each node.
    """

    num_classes: int
    nodes: tuple[tuple[int, ...], ...]
    titles: tuple[str, ...]

    @staticmethod
    def of_chain(
        levels: Sequence[LabelMap],
        class_names: Sequence[str],
        titles: Sequence[Sequence[str]] | None = None,
    ) -> "LabelTree":
        """Build the tree of a chain of label maps.

        Args:
            levels: From fine to coarse, each a coarsening of the one before. Classes that stay
                apart in the last one meet at the root.
            class_names: Names of the C classes.
            titles: For each level the names of its groups; the names of their classes, joined by
                " + ", by default.

        Raises:
            SegcoreError: No level, another number of classes, or a level that divides a group of
                the one before.
        """
        size = len(class_names)
        if size < 2:
            raise SegcoreError(
                f"Expected two or more classes, received {size}: there is no coarser label to "
                "back off to; choose a run with more classes."
            )
        if not levels or any(level.num_classes != size for level in levels):
            raise SegcoreError(
                f"Expected label maps over {size} classes, received {len(levels)} maps over "
                f"{sorted({level.num_classes for level in levels})}: choose a hierarchy that was "
                "made for these classes."
            )
        nodes: dict[tuple[int, ...], str] = {(i,): name for i, name in enumerate(class_names)}
        before = LabelMap.identity(size)
        for number, level in enumerate(levels):
            torn = next(
                (g for g in before.groups if len(set(level.group_of[list(g)])) > 1),
                None,
            )
            if torn is not None:
                names = " + ".join(class_names[i] for i in torn)
                raise SegcoreError(
                    f"Expected levels that only join groups, received level {number + 1}, which "
                    f"divides {names!r}: order the levels from fine to coarse."
                )
            for index, group in enumerate(level.groups):
                joined = " + ".join(class_names[i] for i in group)
                nodes.setdefault(group, joined if titles is None else titles[number][index])
            before = level
        root = tuple(range(size))
        nodes.pop(root, None)
        nodes[root] = ROOT
        return LabelTree(size, tuple(nodes), tuple(nodes.values()))

    @staticmethod
    def of_dendrogram(tree: Dendrogram, class_names: Sequence[str]) -> "LabelTree":
        """Build the tree of a dendrogram: one node for each joint."""
        least = tree.num_classes - len(tree.joints)
        cuts = [tree.cut(k) for k in range(tree.num_classes - 1, least - 1, -1)]
        return LabelTree.of_chain(cuts or [LabelMap.identity(tree.num_classes)], class_names)

    @staticmethod
    def of_hierarchy(hierarchy: Hierarchy, class_names: Sequence[str]) -> "LabelTree":
        """Build the tree of a hierarchy file, with the file's own names."""
        return LabelTree.of_chain(hierarchy.levels, class_names, hierarchy.titles)

    @property
    def root(self) -> int:
        """Number of the root."""
        return len(self.nodes) - 1

    @cached_property
    def parents(self) -> Table:
        """Number of each node's parent, (nodes,); the root is its own."""
        owner = list(range(self.num_classes))
        parents = np.full(len(self.nodes), self.root)
        for number in range(self.num_classes, len(self.nodes)):
            for child in {owner[i] for i in self.nodes[number]}:
                parents[child] = number
            for i in self.nodes[number]:
                owner[i] = number
        return parents

    @cached_property
    def levels(self) -> Table:
        """Height of each node, (nodes,): 0 for a class, one more than its highest child else."""
        levels = np.zeros(len(self.nodes), np.intp)
        for number in range(self.root):
            levels[self.parents[number]] = max(levels[self.parents[number]], levels[number] + 1)
        return levels

    @cached_property
    def paths(self) -> Table:
        """Nodes from each class up to the root, (C, longest); short paths repeat the root."""
        steps = [np.arange(self.num_classes)]
        while (steps[-1] != self.root).any():
            steps.append(self.parents[steps[-1]])
        return np.stack(steps, axis=1)

    @cached_property
    def meeting(self) -> Table:
        """Step of the first node on the path of class c that holds class y, (C, C) rows c."""
        holds = self.contains[self.paths]  # (C, steps, C)
        return np.asarray(holds.argmax(axis=1), np.intp)

    @cached_property
    def contains(self) -> npt.NDArray[np.bool_]:
        """Whether a node holds a class, (nodes, C)."""
        table = np.zeros((len(self.nodes), self.num_classes), bool)
        for number, node in enumerate(self.nodes):
            table[number, list(node)] = True
        return table

    def chain(self) -> list[LabelMap]:
        """Return the maps from no merge to the last one that still tells two labels apart.

        They join one node after another, in the order of :attr:`nodes`.
        """
        maps, owner = [LabelMap.identity(self.num_classes)], list(range(self.num_classes))
        for number in range(self.num_classes, self.root):
            for i in self.nodes[number]:
                owner[i] = number
            groups: dict[int, list[int]] = {}
            for i, node in enumerate(owner):
                groups.setdefault(node, []).append(i)
            maps.append(LabelMap(tuple(tuple(g) for g in groups.values())))
        return maps

    def to_json(self, class_ids: Sequence[int]) -> list[dict[str, Any]]:
        """Return ``{"node", "title", "level", "class_ids", "parent"}`` for each node."""
        return [
            {
                "node": number,
                "title": self.titles[number],
                "level": int(self.levels[number]),
                "class_ids": [class_ids[i] for i in node],
                "parent": None if number == self.root else int(self.parents[number]),
            }
            for number, node in enumerate(self.nodes)
        ]


def node_label_set(tree: LabelTree, label_set: LabelSet) -> LabelSet:
    """Return a label set with a label for every node, to write and to draw masks of nodes.

    Classes keep id, name and colour. A group has an id above all of these, its title, and the mean
    colour of its classes; the root is grey.

    Raises:
        SegcoreError: The tree is over other classes.
    """
    if label_set.num_classes != tree.num_classes:
        raise SegcoreError(
            f"Expected a hierarchy over {label_set.num_classes} classes, received one over "
            f"{tree.num_classes}: choose one that was made for these classes."
        )
    known = [*label_set.classes, *label_set.ignored]
    number, names = max(c.id for c in known), {c.name for c in known}
    classes = list(label_set.classes)
    for node in range(tree.num_classes, len(tree.nodes)):
        title = tree.titles[node]
        while title in names:
            title += " (group)"
        names.add(title)
        red, green, blue = (int(v) for v in label_set.colors[list(tree.nodes[node])].mean(0))
        color = (128, 128, 128) if node == tree.root else (red, green, blue)
        classes.append(LabelClass(number + 1 + node - tree.num_classes, title, color))
    return LabelSet(tuple(classes), label_set.ignored)
