"""A tree of labels by the agglomerative information bottleneck: labels confused most join first.

Joining true labels a and b loses I(Y; prediction) - I(mY; prediction) = (p_a + p_b) JSD_w(C_a /
r_a, C_b / r_b) bits, the weighted Jensen-Shannon divergence of what the model answers (Slonim,
Tishby, NIPS 1999). A cost near 0 means that the model cannot distinguish the two.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.compression.information import xlog2
from segcore.labels import LabelMap

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Joint:
    """One joint of the tree.

    Attributes:
        left: Class indices of one branch, in leaf order.
        right: Class indices of the other.
        cost_bits: Information lost by this joint alone.
        height_bits: Information lost by all joints so far; never falls from one joint to the next.
    """

    left: tuple[int, ...]
    right: tuple[int, ...]
    cost_bits: float
    height_bits: float


@dataclass(frozen=True)
class Dendrogram:
    """The whole tree.

    Attributes:
        num_classes: C, its leaves.
        joints: C - 1 joints (fewer where pairs are forbidden), in the order they are made.
    """

    num_classes: int
    joints: tuple[Joint, ...]

    @property
    def order(self) -> list[int]:
        """Leaves from left to right with confused labels side by side; reorders a matrix."""
        groups: dict[tuple[int, ...], list[int]] = {(i,): [i] for i in range(self.num_classes)}
        for joint in self.joints:
            left, right = (
                groups.pop(tuple(sorted(joint.left))),
                groups.pop(tuple(sorted(joint.right))),
            )
            groups[tuple(sorted(left + right))] = left + right
        return [leaf for group in groups.values() for leaf in group]

    def cut(self, num_groups: int) -> LabelMap:
        """Return the map with so many groups.

        Raises:
            SegcoreError: The tree has no such cut.
        """
        if not self.num_classes - len(self.joints) <= num_groups <= self.num_classes:
            raise SegcoreError(
                f"Expected {self.num_classes - len(self.joints)} to {self.num_classes} "
                f"groups, received {num_groups}: choose one of these."
            )
        groups: set[tuple[int, ...]] = {(i,) for i in range(self.num_classes)}
        for joint in self.joints[: self.num_classes - num_groups]:
            groups -= {tuple(sorted(joint.left)), tuple(sorted(joint.right))}
            groups.add(tuple(sorted(joint.left + joint.right)))
        return LabelMap(tuple(groups))

    def to_json(self, ids: list[int] | None = None) -> dict[str, Any]:
        """Return ``{"order", "joints": [...]}`` for JSON, in the user's ids, or in indices."""
        names = list(range(self.num_classes)) if ids is None else ids
        return {
            "order": [names[i] for i in self.order],
            "joints": [
                {
                    "groups": [[names[i] for i in joint.left], [names[i] for i in joint.right]],
                    "num_groups": self.num_classes - number - 1,
                    "cost_bits": joint.cost_bits,
                    "height_bits": joint.height_bits,
                }
                for number, joint in enumerate(self.joints)
            ],
        }


def joint_costs(rows: Floats, total: float, row: Floats) -> Floats:
    """Bits lost by joining one true label with each of many; (K, C) and (C,) counts -> (K,)."""
    if total <= 0:
        return np.zeros(len(rows))
    spread = _spread(rows) + _spread(row[None]) - _spread(rows + row)
    return np.maximum(spread, 0.0) / total


def _spread(rows: Floats) -> Floats:
    """sum_j C_j log C_j - r log r of each row: minus r times the entropy of the predictions."""
    return xlog2(rows).sum(1) - xlog2(rows.sum(1))


def build_dendrogram(
    confusion: npt.NDArray[Any], forbidden: npt.NDArray[np.bool_] | None = None
) -> Dendrogram:
    """Join the pair of true labels that loses the least information, until one is left; O(C**3).

    Args:
        confusion: (C, C) pixel counts, rows true.
        forbidden: (C, C) classes that may not share a group.
    """
    rows = np.asarray(confusion, np.float64).copy()
    size, total = len(rows), float(rows.sum())
    apart = np.zeros((size, size), bool) if forbidden is None else forbidden.copy()
    costs = np.full((size, size), np.inf)
    for a in range(size - 1):
        costs[a, a + 1 :] = joint_costs(rows[a + 1 :], total, rows[a])
    costs[apart] = np.inf
    leaves: list[tuple[int, ...]] = [(i,) for i in range(size)]
    joints: list[Joint] = []
    height = 0.0
    alive = np.ones(size, bool)
    while alive.sum() > 1:
        a, b = divmod(int(costs.argmin()), size)
        if not np.isfinite(costs[a, b]):
            break
        cost = float(costs[a, b])
        height += cost
        joints.append(Joint(leaves[a], leaves[b], cost, height))
        leaves[a] = leaves[a] + leaves[b]
        rows[a] += rows[b]
        apart[a] |= apart[b]
        apart[:, a] |= apart[:, b]
        alive[b] = False
        costs[b] = costs[:, b] = np.inf
        others = np.flatnonzero(alive & (np.arange(size) != a))
        fresh = np.where(apart[a, others], np.inf, joint_costs(rows[others], total, rows[a]))
        costs[np.minimum(a, others), np.maximum(a, others)] = fresh
    return Dendrogram(size, tuple(joints))
