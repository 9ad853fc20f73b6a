"""The tree of labels stands next to the confusion matrix in one order; no app."""

import numpy as np
import pytest

from segcore.evaluation.compression.dendrogram import build_dendrogram
from segcore.ui.compress.tree_chart import frames, tree_and_matrix

NAMES = ["field", "forest", "road"]
COUNTS = np.array([[90, 8, 2], [12, 36, 0], [1, 0, 0]])


def test_joints_inside_a_chosen_group_stand_out() -> None:
    tree = build_dendrogram(COUNTS)
    for number, inside in ((3, 0), (2, 1), (1, 2)):
        groups = tree.cut(number).groups
        chosen, rest, heat, *_ = tree_and_matrix(tree, COUNTS, NAMES, groups).data
        assert (list(chosen.x).count(None), list(rest.x).count(None)) == (inside, 2 - inside)
    assert [c[0][0] for c in heat.customdata] == [NAMES[i] for i in tree.order]


@pytest.mark.parametrize(("count", "rows", "columns"), [(24, True, True), (59, True, False)])
def test_columns_are_named_only_where_the_names_do_not_overlap(count, rows, columns) -> None:
    counts = np.eye(count, dtype=np.int64)
    groups = [[i] for i in range(count)]
    names = [f"class {i}" for i in range(count)]
    layout = tree_and_matrix(build_dendrogram(counts), counts, names, groups).layout
    assert (layout.yaxis2.showticklabels, layout.xaxis2.showticklabels) == (rows, columns)


def test_a_group_is_framed_where_its_labels_meet() -> None:
    """Rows 0, 2, 3 of a group are the runs 0..0 and 2..3: four frames cover its nine cells."""
    boxes = frames([0, 2, 3])
    cells = {
        (r, c) for (r0, r1), (c0, c1) in boxes for r in range(r0, r1 + 1) for c in range(c0, c1 + 1)
    }
    assert len(boxes) == 4 and cells == {(r, c) for r in (0, 2, 3) for c in (0, 2, 3)}
    assert frames([4]) == []
