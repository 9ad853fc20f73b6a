"""Charts of merges carry the data that they were given; no app."""

import json

import numpy as np
import pytest

from segcore.ui.compress.charts import before_and_after, compression_curve, sankey, trade_off
from tests.evaluation.compression.made_up_scores import map_score

NAMES = ["field", "forest", "road"]

PATH = [
    map_score([[0], [1], [2]], accuracy=0.7, mean_iou=0.5, retained_entropy=1.0),
    map_score([[0, 1], [2]], accuracy=0.9, retained_entropy=0.4),
]


def test_the_compression_curve_is_its_path_and_marks_what_is_chosen() -> None:
    figure = compression_curve(PATH, 2)
    by_name = {trace.name: trace for trace in figure.data}
    assert list(by_name) == ["accuracy", "mean IoU"]
    assert (list(by_name["accuracy"].x), list(by_name["accuracy"].y)) == (
        [100.0, 40.0],
        [70.0, 90.0],
    )
    assert list(by_name["mean IoU"].y) == [50.0, None]
    first, chosen = by_name["accuracy"].marker.size
    assert chosen > first
    assert len(compression_curve(PATH, 2, front=PATH[:1]).data) == 3


def test_the_compression_curve_can_be_written_as_json() -> None:
    text = compression_curve(PATH, 3).to_json()
    assert "NaN" not in text and json.loads(text)["data"]


def row(groups, accuracy, kept):
    return map_score(groups, accuracy=accuracy, mean_iou=accuracy / 2, retained_entropy=kept)


def test_the_chosen_merge_stands_out_in_the_trade_off() -> None:
    path = [
        row([[0], [1], [2]], 0.8, 1.0),
        row([[0, 1], [2]], 0.9, 0.4),
        row([[0, 1, 2]], 1.0, 0.0),
    ]
    figure = trade_off(path, path, [(0.8, 0.8), None, (1.0, 1.0)], row([[0, 2], [1]], 0.85, 0.7))
    traces = {t.name: t for t in figure.data}
    assert (list(traces["chosen"].x), list(traces["chosen"].y)) == (
        pytest.approx([70]),
        pytest.approx([85]),
    )
    assert list(traces["95 % of random merges"].x) == pytest.approx([100, 0, 0, 100])
    assert list(traces["accuracy"].y) == pytest.approx([80, 90, 100])
    assert set(traces["accuracy"].marker.size) == {7}  # the chosen merge is not on the path


def test_every_label_flows_to_its_group() -> None:
    figure = sankey(
        NAMES, ["#0072b2", "#e69f00", "#009e73"], np.array([0.6, 0.4, np.nan]), [[0, 2], [1]]
    )
    (flow,) = figure.data
    label = flow.node.label
    assert [
        (label[s], label[t]) for s, t in zip(flow.link.source, flow.link.target, strict=True)
    ] == [
        ("field", "field + road"),
        ("road", "field + road"),
        ("forest", "forest"),
    ]
    assert list(flow.link.customdata) == pytest.approx([60, 0, 40])


def test_each_label_is_a_point_over_the_bar_of_its_group() -> None:
    before, after = np.array([0.5, np.nan, 0.2]), np.array([0.7, np.nan])
    bars, points = before_and_after(NAMES, before, after, [[0, 2], [1]]).data
    assert list(bars.y) == [70, None]
    assert list(zip(points.x, points.y, strict=True)) == [
        ("field + road", 50),
        ("field + road", 20),
    ]
