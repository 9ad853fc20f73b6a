"""Charts of merges carry the data that they were given; no app."""

import json

from segcore.ui.compress.charts import compression_curve

PATH = [
    {"num_groups": 3, "accuracy": 0.7, "mean_iou": 0.5, "retained_entropy": 1.0},
    {"num_groups": 2, "accuracy": 0.9, "mean_iou": None, "retained_entropy": 0.4},
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
