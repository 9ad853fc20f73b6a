"""A merge shown next to the unmerged labels: one set of classes, so one legend, for both."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from segcore.labels import LabelClass, LabelMap, LabelSet


@dataclass(frozen=True)
class Beside:
    """The labels of a dataset, and after them one for each group of several that a merge makes.

    A label that the merge leaves alone is itself in both, so its colour, its place in the legend
    and its "only" are one.

    Attributes:
        own: The labels as they are.
        merge: The merge.
        label_set: All of them: the C own ones first, then one for each group of two or more, in the
            colour of its first member.
        places: (K,) int64: index in ``label_set`` of each of the merge's K groups.
    """

    own: LabelSet
    merge: LabelMap
    label_set: LabelSet = field(init=False)
    places: npt.NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        """Put the label set together.

        Raises:
            SegcoreError: The merge is for another number of classes.
        """
        groups, named = self.merge.groups, self.merge.merge_label_set(self.own).classes
        ids = max(c.id for c in self.own.classes + self.own.ignored)
        taken = {c.name for c in self.own.classes + self.own.ignored}
        classes, places = list(self.own.classes), []
        for group, label in zip(groups, named, strict=True):
            if len(group) == 1:
                places.append(group[0])
                continue
            places.append(len(classes))
            name = label.name
            while name in taken:
                name = f"{name} (merged)"
            taken.add(name)
            classes.append(LabelClass(ids + 1 + len(classes), name, label.color))
        object.__setattr__(self, "label_set", LabelSet(tuple(classes), self.own.ignored))
        object.__setattr__(self, "places", np.array(places, np.int64))

    def plain(self, mask: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """Return an unmerged mask (H, W) in :attr:`label_set`; only the ignored value may differ."""
        if self.own.ignore_index == self.label_set.ignore_index:
            return mask
        wide = mask.astype(self.label_set.mask_dtype)
        wide[mask == self.own.ignore_index] = self.label_set.ignore_index
        return wide

    def merged(self, mask: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """Merge a mask, (H, W) in the own labels; ignored pixels stay ignored.

        Returns:
            (H, W) indices of :attr:`label_set`.
        """
        table = np.full(
            self.own.ignore_index + 1, self.label_set.ignore_index, self.label_set.mask_dtype
        )
        table[: self.own.num_classes] = self.places[self.merge.group_of]
        merged: npt.NDArray[np.integer] = table[mask]
        return merged
