"""Curves of runs: over epochs or time, smoothed or not, by class; load of devices. No app."""

import json

import numpy as np
import pytest

from segcore.runs.folder.usage import GPUUsage, Usage
from segcore.ui.runs import charts

HISTORY = [
    {"epoch": 1, "loss": 0.9, "val_loss": None, "mean_iou": 0.1},
    {"epoch": 2, "loss": 0.5, "val_loss": 0.7, "mean_iou": 0.2},
    {"message": "not an epoch", "loss": 3.0},
]
LOSS = charts.Panel("Loss", ("loss", "val_loss", "absent"))
ONE = charts.Panel("Loss", ("loss",))


def test_curves_of_one_run_leave_out_what_is_not_known() -> None:
    figure = charts.curves({"run": HISTORY}, [LOSS])
    assert {trace.name: (list(trace.x), list(trace.y)) for trace in figure.data} == {
        "training": ([1, 2], [0.9, 0.5]),
        "validation": ([2], [0.7]),
    }
    assert len({trace.line.dash for trace in figure.data}) == 2


def test_curves_of_several_runs_have_a_colour_a_run_and_a_dash_a_quantity() -> None:
    figure = charts.curves(
        {"a": HISTORY, "b": HISTORY}, [charts.Panel("Loss", LOSS.keys, logarithmic=True)]
    )
    training_a, validation_a, training_b, validation_b = figure.data
    # the legend names the runs; which line is which, its dash says
    assert [t.name for t in figure.data] == ["a", "a", "b", "b"]
    assert [t.showlegend for t in figure.data] == [True, False, True, False]
    assert training_a.line.color == validation_a.line.color != training_b.line.color
    assert training_a.line.dash == training_b.line.dash != validation_a.line.dash
    assert validation_b.line.dash == validation_a.line.dash
    assert figure.layout.yaxis.type == "log"
    assert not charts.curves({}, [LOSS]).data


def test_charts_above_each_other_share_the_horizontal_axis_and_its_pointer() -> None:
    figure = charts.curves(
        {"run": HISTORY}, [ONE, charts.Panel("Mean IoU", ("mean_iou",))], best={"run": 2}
    )
    lines = [t for t in figure.data if t.mode != "markers"]
    assert [(t.xaxis or "x", t.yaxis) for t in lines] == [("x", "y"), ("x", "y2")]
    assert (figure.layout.hovermode, figure.layout.hoversubplots) == ("x unified", "axis")
    upper, lower = figure.layout.yaxis.domain, figure.layout.yaxis2.domain
    assert lower[0] == 0 and lower[1] < upper[0] and upper[1] == 1
    assert figure.layout.yaxis2.tickformat == ".2~%"  # 0.5 %, 1 %, 1.5 %: no tick twice
    assert not figure.layout.yaxis.tickformat


def test_a_star_marks_the_epoch_whose_weights_are_kept() -> None:
    panels = [LOSS, charts.Panel("Mean IoU", ("mean_iou",))]
    figure = charts.curves({"run": HISTORY}, panels, best={"run": 2})
    stars = [t for t in figure.data if t.mode == "markers"]
    assert [(t.yaxis, list(t.x), list(t.y)) for t in stars] == [
        ("y", [2], [0.7]),
        ("y2", [2], [0.2]),
    ]
    assert not [t for t in charts.curves({"run": HISTORY}, panels).data if t.mode == "markers"]


def test_smoothing_by_hand() -> None:
    assert charts.smooth([3.0, 5.0], 0.5) == pytest.approx([3.0, (0.25 * 3 + 0.5 * 5) / 0.75])
    assert charts.smooth([3.0, 5.0, 1.0], 0.0) == [3.0, 5.0, 1.0]
    np.testing.assert_allclose(charts.smooth([7.0] * 50, 0.9), 7.0)


def test_smoothed_curves_keep_their_values_as_a_faint_line() -> None:
    figure = charts.curves({"run": HISTORY}, [ONE], smoothing=0.5)
    faint, smoothed = figure.data
    assert list(faint.y) == [0.9, 0.5] and not faint.showlegend and faint.opacity < 1
    assert list(smoothed.y) == pytest.approx(charts.smooth([0.9, 0.5], 0.5))


def test_time_is_the_work_done_until_the_end_of_each_epoch() -> None:
    lines = [{"epoch": e, "loss": 1.0, "seconds": s} for e, s in ((1, 90.0), (2, 30.0), (3, None))]
    assert list(charts.curves({"run": lines}, [ONE], by_time=True).data[0].x) == [1.5, 2.0, 2.0]


def test_each_class_has_its_colour_and_no_point_where_it_is_absent() -> None:
    lines = [
        {"epoch": 1, "class_iou": [0.1, None]},
        {"epoch": 2, "class_iou": [0.2, 0.5]},
        {"epoch": 3},
    ]
    figure = charts.class_curves(lines, ["field", "road"], ["#111111", "#222222"])
    assert {t.name: (list(t.x), list(t.y), t.line.color) for t in figure.data} == {
        "field": ([1, 2], [0.1, 0.2], "#111111"),
        "road": ([2], [0.5], "#222222"),
    }


def test_load_and_memory_of_processor_and_gpus() -> None:
    gib = 1 << 30
    gpu = GPUUsage("gpu:0", 0.9, 8 * gib, 61.0)
    records = [
        Usage(0.0, 0.5, gib, 0.75, 3 * gib),
        Usage(2.0, 1.0, 2 * gib, 1.0, 4 * gib, (gpu,)),
    ]
    assert {t.name: list(t.y) for t in charts.load(records).data} == {
        "machine, CPU": [75.0, 100.0],
        "this run, CPU": [50.0, 100.0],
        "gpu:0": [None, 90.0],
    }
    assert {t.name: list(t.y) for t in charts.memory(records).data} == {
        "machine": [3, 4],
        "this run": [1, 2],
        "gpu:0": [None, 8],
    }
    assert list(charts.temperature(records).data[0].y) == [None, 61.0]
    assert charts.temperature(records[:1]) is None
    for figure in (charts.load(records), charts.load([]), charts.memory(records)):
        assert "NaN" not in figure.to_json() and json.loads(figure.to_json())["layout"]


def test_few_epochs_have_whole_ticks_and_many_or_minutes_do_not() -> None:
    def tick(epochs: int, by_time: bool = False) -> float | None:
        lines = [{"epoch": e, "loss": 1.0, "seconds": 60.0} for e in range(1, epochs + 1)]
        return charts.curves({"run": lines}, [ONE], by_time=by_time).layout.xaxis.dtick

    assert (tick(2), tick(12), tick(13), tick(2, by_time=True)) == (1, 1, None, None)
