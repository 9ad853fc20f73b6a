"""Submodels: networks that each distinguish some classes, combined into one over all classes.

Each network answers over the groups of a label map. A class stands alone in a network where its
group has no other member. Two rules:

    one_vs_rest   p(c) = s(c) / sum_c' s(c'), s(c) the mean over networks in which c is alone
    routed        p(c) = r(G) q(c | G), r(G) what the router (a network over groups) gives G, and
                  q(c | G) = s(c) / sum_{c' in G} s(c') from one network in which every class of G
                  stands alone

Both give back a distribution exactly when every network is a merge of it. The first lets networks
compete that never saw each other; the second leaves the choice among groups to one network, and to
each specialist only what it was trained for.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from segcore.catalog import SUBMODEL_RULES
from segcore.errors import SegcoreError, unknown
from segcore.labels import LabelMap
from segcore.postprocess.ensemble import resize_probabilities

FloatArray = npt.NDArray[np.float32]

NOTHING = 1e-12
"""Sums below this say nothing: the pixel is shared evenly."""


def part_maps(label_map: LabelMap) -> list[LabelMap]:
    """Return one label map a group: its classes stay apart, and all others are one.

    Args:
        label_map: Groups of classes, two or more. Of the map that merges nothing come binary
            networks, one a class.

    Returns:
        Maps named "<name>.1", "<name>.2" and so on.

    Raises:
        SegcoreError: There is one group only.
    """
    if label_map.num_groups < 2:
        raise SegcoreError(
            "Expected a label map with two groups or more for submodels, received one with "
            "a single group: split it."
        )
    everything = set(range(label_map.num_classes))
    return [
        LabelMap(
            (*((c,) for c in group), tuple(sorted(everything - set(group)))),
            f"{label_map.name}.{i}",
        )
        for i, group in enumerate(label_map.groups, 1)
    ]


def needs_router(label_map: LabelMap) -> bool:
    """Whether a router adds to what the parts say: some group has two classes or more."""
    return any(len(group) > 1 for group in label_map.groups)


def combine_submodels(
    members: Sequence[FloatArray], maps: Sequence[LabelMap], rule: str = "one_vs_rest"
) -> FloatArray:
    """Combine submodels into probabilities of every class.

    Args:
        members: One array (H, W, K_m) float32 a network, 0..1, rows sum to 1; those of another
            resolution than the first are resized to the first's.
        maps: Each network's groups, K_m of them, over the same C classes.
        rule: A name in ``catalog.SUBMODEL_RULES``; the router of "routed" is found by
            :func:`find_router`.

    Returns:
        (H, W, C) float32, 0..1, rows sum to 1.

    Raises:
        SegcoreError: The rule is unknown, arrays and maps do not fit, a class stands alone nowhere,
            or there is no router.
    """
    if rule not in SUBMODEL_RULES:
        raise unknown("rule for submodels", rule, SUBMODEL_RULES)
    _check(members, maps)
    grid = (members[0].shape[0], members[0].shape[1])
    members = [m if m.shape[:2] == grid else resize_probabilities(m, grid) for m in members]
    if rule == "one_vs_rest":
        return _shares(_alone(members, maps, range(maps[0].num_classes)))
    router = find_router(maps)
    out = np.empty((*members[0].shape[:2], maps[0].num_classes), np.float32)
    for index, group in enumerate(maps[router].groups):
        chosen = members[router][..., index, None]
        if len(group) == 1:
            out[..., group[0]] = chosen[..., 0]
            continue
        expert = next((i for i, m in enumerate(maps) if all((c,) in m.groups for c in group)), None)
        if expert is None:
            raise SegcoreError(
                f"Expected a submodel that distinguishes the classes {list(group)}, found "
                "none: train the missing one."
            )
        out[..., list(group)] = chosen * _shares(_alone([members[expert]], [maps[expert]], group))
    return _shares(out)


def find_router(maps: Sequence[LabelMap]) -> int:
    """Return which map is the router's: each of its larger groups is split by another map.

    Of several such maps it is the one with the fewest groups (where there are two groups, a part
    also fits), then the last.

    Raises:
        SegcoreError: There is none.
    """
    for index in sorted(range(len(maps)), key=lambda i: (maps[i].num_groups, -i)):
        others = [m for i, m in enumerate(maps) if i != index]
        larger = [group for group in maps[index].groups if len(group) > 1]
        if larger and all(
            any(all((c,) in m.groups for c in group) for m in others) for group in larger
        ):
            return index
    raise SegcoreError(
        "Expected a router among the submodels, found none: train one over the whole "
        "groups, or choose one_vs_rest."
    )


def _check(members: Sequence[FloatArray], maps: Sequence[LabelMap]) -> None:
    if not members or len(members) != len(maps):
        raise SegcoreError(
            f"Expected one label map a submodel, received {len(members)} and {len(maps)}: "
            "name each submodel's map."
        )
    for member, label_map in zip(members, maps, strict=True):
        if (
            member.ndim != 3
            or member.shape[-1] != label_map.num_groups
            or label_map.num_classes != maps[0].num_classes
        ):
            raise SegcoreError(
                f"Expected probabilities of {label_map.num_groups} groups over "
                f"{maps[0].num_classes} classes, received shape "
                f"{member.shape} over {label_map.num_classes}: combine submodels of one "
                "dataset with the maps they were trained with."
            )


def _alone(
    members: Sequence[FloatArray], maps: Sequence[LabelMap], classes: Sequence[int] | range
) -> FloatArray:
    """Mean of the networks' probability of each class where it is alone, (H, W, len(classes))."""
    out = np.zeros((*members[0].shape[:2], len(classes)), np.float32)
    for position, c in enumerate(classes):
        said = [
            member[..., m.groups.index((c,))]
            for member, m in zip(members, maps, strict=True)
            if (c,) in m.groups
        ]
        if not said:
            raise SegcoreError(
                f"Expected a submodel in which the class with index {c} stands alone, "
                "found none: train the missing one."
            )
        out[..., position] = np.mean(said, axis=0)
    return out


def _shares(values: FloatArray) -> FloatArray:
    """Divide each row by its sum; rows that sum to nothing become even."""
    total = values.sum(axis=-1, keepdims=True)
    return np.where(
        total > NOTHING, values / np.maximum(total, NOTHING), np.float32(1 / values.shape[-1])
    ).astype(np.float32)
