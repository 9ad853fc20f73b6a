"""The tree of labels next to the confusion matrix, as a Plotly figure."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from segcore.evaluation.compression.dendrogram import Dendrogram
from segcore.ui.compress.charts import Groups
from segcore.ui.shared.charts.layout import QUIET, WARM
from segcore.ui.shared.charts.matrices import CELLS, MANY, write_shares

FEW = 24
"""Up to so many classes the columns are named too, and the cells say their share; their order is that of the rows."""


def tree_and_matrix(
    tree: Dendrogram,
    counts: npt.NDArray[np.int64],
    names: Sequence[str],
    groups: Groups,
) -> go.Figure:
    """Draw the tree of labels next to the confusion matrix; joints inside a group stand out.

    Args:
        tree: The tree; its leaves stand from top to bottom.
        counts: (C, C) pixels, rows true.
        names: C class names.
        groups: The chosen groups.
    """
    order = tree.order
    figure = make_subplots(
        1, 2, shared_yaxes=True, column_widths=[0.3, 0.7], horizontal_spacing=0.01
    )
    for inside, (xs, ys) in tree_lines(tree, groups).items():
        line = {"color": WARM if inside else QUIET, "width": 3 if inside else 1.5}
        figure.add_trace(
            go.Scatter(x=xs, y=ys, mode="lines", line=line, showlegend=False, hoverinfo="skip"),
            1,
            1,
        )
    ordered = counts[np.ix_(order, order)]
    rows = ordered.sum(1, keepdims=True)
    share = 100 * np.divide(ordered, rows, out=np.zeros(ordered.shape), where=rows > 0)
    labels = [names[i] for i in order]
    figure.add_trace(_shares(share, labels), 1, 2)
    if len(names) <= FEW:
        write_shares(figure, share, list(range(len(order))), row=1, col=2)
    _frame_groups(figure, order, groups)
    _lay_out_tree_and_matrix(figure, labels)
    return figure


Lines = tuple[list[float | None], list[float | None]]
"""x and y of connected lines, with None between two of them."""


def tree_lines(tree: Dendrogram, groups: Groups) -> dict[bool, Lines]:
    """Return the lines of a tree: x is the height in bits, y the row of a leaf.

    Returns:
        The lines of joints whose leaves are all of one group (True), and of all others (False).
    """
    group_of = {index: number for number, group in enumerate(groups) for index in group}
    nodes: dict[tuple[int, ...], tuple[float, float]] = {
        (leaf,): (float(row), 0.0) for row, leaf in enumerate(tree.order)
    }
    lines: dict[bool, Lines] = {True: ([], []), False: ([], [])}
    for joint in tree.joints:
        height = joint.height_bits
        (y1, x1), (y2, x2) = nodes[tuple(sorted(joint.left))], nodes[tuple(sorted(joint.right))]
        members = tuple(sorted([*joint.left, *joint.right]))
        nodes[members] = ((y1 + y2) / 2, height)
        xs, ys = lines[len({group_of[i] for i in members}) == 1]
        xs += [x1, height, height, x2, None]
        ys += [y1, y1, y2, y2, None]
    return lines


def _shares(share: npt.NDArray[np.float64], labels: Sequence[str]) -> go.Heatmap:
    """Return the cells of a confusion matrix: (C, C) per cent of the true class."""
    places = list(range(len(labels)))
    return go.Heatmap(
        z=np.sqrt(share),
        x=places,
        y=places,
        customdata=[
            [[t, p, s] for p, s in zip(labels, row, strict=True)]
            for t, row in zip(labels, share, strict=True)
        ],
        colorscale=CELLS,
        zmin=0,
        showscale=False,
        xgap=1,
        ygap=1,
        hovertemplate=(
            "true %{customdata[0]}, predicted %{customdata[1]}: %{customdata[2]:.1f} "
            "%<extra></extra>"
        ),
    )


def _frame_groups(figure: go.Figure, order: Sequence[int], groups: Groups) -> None:
    """Frame the cells of each group in the matrix."""
    place = {leaf: row for row, leaf in enumerate(order)}
    for group in groups:
        for rows, columns in frames(sorted(place[i] for i in group)):
            ends = {
                "x0": columns[0] - 0.5,
                "x1": columns[1] + 0.5,
                "y0": rows[0] - 0.5,
                "y1": rows[1] + 0.5,
            }
            figure.add_shape(type="rect", line={"color": WARM, "width": 2}, row=1, col=2, **ends)


def _lay_out_tree_and_matrix(figure: go.Figure, labels: Sequence[str]) -> None:
    """Set axes and height: bits to the left below the tree, names around the matrix."""
    ticks = {"tickvals": list(range(len(labels))), "ticktext": labels}
    figure.update_xaxes(
        title={"text": "information lost, bits"},
        autorange="reversed",
        rangemode="tozero",
        row=1,
        col=1,
    )
    few = len(labels) <= FEW
    figure.update_xaxes(
        **ticks, side="top", showticklabels=few, tickangle=-40, showgrid=False, row=1, col=2
    )
    figure.update_yaxes(showticklabels=False, showgrid=False, zeroline=False, row=1, col=1)
    named = len(labels) <= MANY
    figure.update_yaxes(**ticks, side="right", showticklabels=named, showgrid=False, row=1, col=2)
    figure.update_yaxes(range=[len(labels) - 0.5, -0.5])
    height = 150 + 30 * len(labels) if few else 860
    figure.update_layout(height=height, margin={"l": 8, "r": 8, "t": 8, "b": 8})


def frames(places: Sequence[int]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return the frames around the cells of a group, as (first, last) rows and columns.

    Args:
        places: Rows of the group's labels, ascending.
    """
    if len(places) < 2:
        return []
    runs: list[tuple[int, int]] = []
    for place in places:
        if runs and runs[-1][1] == place - 1:
            runs[-1] = (runs[-1][0], place)
        else:
            runs.append((place, place))
    return [(rows, columns) for rows in runs for columns in runs]
