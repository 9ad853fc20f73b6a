"""Figures about datasets: what is drawn is what was counted; hand-worked cases."""

import ast
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from segcore.data.statistics.instances import SIZE_EDGES
from segcore.ui.dataset import charts

NAMES = ["a", "b"]


def test_charts_know_no_app() -> None:
    tree = ast.parse(Path(charts.__file__).read_text())
    imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    imported |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert not any(name.startswith("streamlit") for name in imported)


def test_the_path_starts_without_copies_and_the_floor_is_in_sight() -> None:
    figure = charts.distance_path([(0, 0.4), (5, 0.3), (9, 0.25)], 0.2)
    assert list(figure.data[0].x) == [0, 5, 9] and list(figure.data[0].y) == [0.4, 0.3, 0.25]
    (line,) = figure.layout.shapes
    low, high = figure.layout.yaxis.range
    assert line.y0 == line.y1 == 0.2 and low < 0.2 and high > 0.4
    assert not charts.distance_path([(0, 0.4)], None).layout.shapes


def test_a_row_of_cooccurrence_is_a_share_of_the_rows_own_images() -> None:
    """B stands in 4 images, 2 of them with a; a class that never occurs has a row of zeros, not of nothing."""
    counts = np.array([[2, 2, 0], [2, 4, 0], [0, 0, 0]])
    drawn, dark, white = charts.cooccurrence(counts, [*NAMES, "never"]).data
    np.testing.assert_array_equal(drawn.z, [[100, 100, 0], [50, 100, 0], [0, 0, 0]])
    np.testing.assert_array_equal(drawn.customdata[..., 0], counts)
    assert (dark.text, white.text) == (("0",) * 5, ("100", "100", "50", "100"))
    assert white.textfont.color == "white" and dark.textfont.color is None  # the page's own ink
    many = np.eye(40, dtype=int)
    assert len(charts.cooccurrence(many, [str(i) for i in range(40)]).data) == 1


def test_places_lie_as_in_the_image_with_the_first_row_on_top() -> None:
    heat = np.zeros((4, 5))
    heat[0, 4] = 0.5
    figure = charts.class_places(heat, "a")
    assert figure.layout.yaxis.autorange == "reversed"
    assert (
        figure.data[0].z[0][4] == 50 and figure.data[0].x[4] == 90 and figure.data[0].y[0] == 12.5
    )


def test_instance_sizes_end_with_the_largest_that_occurs() -> None:
    histogram = np.zeros((2, len(SIZE_EDGES) - 1), int)
    histogram[0, 0], histogram[0, 3] = 1, 3
    drawn = charts.instance_sizes(histogram, SIZE_EDGES, NAMES).data[0]
    np.testing.assert_array_equal(drawn.z, [[25, 0, 0, 75], [0, 0, 0, 0]])
    assert list(drawn.x) == ["1", "2", "4", "8"] and list(drawn.customdata[0, :, 1]) == [
        "1",
        "2 to 3",
        "4 to 7",
        "8 to 15",
    ]
    assert np.shape(
        charts.instance_sizes(np.zeros_like(histogram), SIZE_EDGES, NAMES).data[0].z
    ) == (2, 1)


def test_shifts_are_percentage_points_with_the_largest_on_top() -> None:
    drawn = charts.shift_bars(["a", "b", "c"], [0.01, -0.2, 0.0], "train", "test").data[0]
    assert list(drawn.y) == ["c", "a", "b"]  # Plotly draws bars from the bottom
    assert list(drawn.x) == pytest.approx([0, 1, -20])


def test_brightness_shares_sum_to_all_images_of_a_split() -> None:
    figure = charts.brightness({"train": [0, 255, 100, 101], "test": [12.0], "empty": []})
    assert [sum(trace.y) for trace in figure.data] == pytest.approx([100, 100, 0])


def test_sizes_put_the_width_across_and_the_height_up() -> None:
    drawn = charts.image_sizes({(360, 480): 9, (100, 200): 1}).data[0]
    assert (
        list(drawn.x) == [480, 200]
        and list(drawn.y) == [360, 100]
        and list(drawn.customdata) == [9, 1]
    )
    assert drawn.marker.size[0] > drawn.marker.size[1]


def test_splits_are_groups_of_bars() -> None:
    rows = [
        SimpleNamespace(split="train", pixel_share=[0.25, 0.75]),
        SimpleNamespace(split="test", pixel_share=[0.5, 0.5]),
    ]
    figure = charts.split_shares(NAMES, rows)
    assert [(t.name, list(t.y)) for t in figure.data] == [("train", [25, 75]), ("test", [50, 50])]
