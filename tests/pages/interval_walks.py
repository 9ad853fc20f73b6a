"""Walks over the scores that have an interval: what each surface shows of them."""

import base64
import json
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from segcore import formatting
from segcore.api.results import evaluate
from segcore.evaluation.metrics.robustness import stage_name
from segcore.evaluation.metrics.slices import score_slices, slice_by_class
from segcore.runs.folder.environment import note_environment
from segcore.workspace.retraining import LINK
from tests.workspace.ablations import test_ablations as by_hand

Numbers = tuple[float, float, float]
Found = tuple[str, Any]
"""Where, and what stands there: (value, low, high), or a text and the words that it must hold."""


def row(value: float, ends: Any) -> Numbers:
    """A number and its ends; what has no interval is NaN in all of them."""
    low, high = (float("nan") if end is None else end for end in ends)
    return value, low, high


def numbers(drawn: Any) -> np.ndarray:
    """Numbers of a Plotly figure, which packs arrays."""
    if isinstance(drawn, dict):
        flat = np.frombuffer(base64.b64decode(drawn["bdata"]), np.dtype(drawn["dtype"]))
        return flat.reshape([int(n) for n in str(drawn.get("shape", "-1")).split(",")])
    return np.asarray(drawn, float)


def in_points(figure: dict[str, Any]) -> dict[str, Numbers]:
    """Differences that a chart of intervals shows, by name; an interval without length is none."""
    shown = {}
    for trace in figure["data"]:
        ends = numbers(trace["customdata"])
        for name, value, (low, high) in zip(trace["y"], numbers(trace["x"]), ends, strict=True):
            known = (value, low, high) if low < high else (value, np.nan, np.nan)
            shown[name] = tuple(number / 100 for number in known)
    return shown


def in_text(text: str, *words: str) -> tuple[str, tuple[str, ...]]:
    return text, words


def headline_and_classes(on: SimpleNamespace) -> Iterator[tuple[str, Numbers, list[Found]]]:
    wanted = on.workspace.scores.report(on.run, "test")
    shown = on.page("evaluate", run=on.run, split="test")
    shell = on.shell("evaluate", on.run, "--split", "test")
    page = on.shell("report", on.run, on.other, "--out", on.out)["reports"][on.run]
    html = on.out.read_text()
    api = evaluate(on.model, on.params)
    for name in ("mean_iou", "mean_iou_in_truth", "pixel_accuracy"):
        one = wanted.interval(name)
        found: list[Found] = [
            ("shell", row(shell["scores"][name], shell["interval"][name])),
            ("report", row(page["scores"][name], page["interval"][name])),
        ]
        if name == "mean_iou":
            ends = f"[{100 * one.low:.1f}, {100 * one.high:.1f}]"
            both = f"{formatting.percent(one.low)} to {formatting.percent(one.high)}"
            score = formatting.percent(one.value)
            found += [
                ("page", in_text(shown.text, f"### Mean IoU {score}", ends)),
                ("API", row(api.attrs["mean_iou"], api.attrs["interval"])),
                ("report's page", in_text(html, score, both)),
            ]
        yield name, row(one.value, one.ends()), found
    table = shown.table("IoU").set_index("class")
    for i, one in enumerate(wanted.intervals["iou"]):
        name = wanted.label_set.class_names[i]
        mine, theirs = shell["classes"][i], page["classes"][i]
        ours = api.set_index("name").loc[name]
        cells = [table.loc[name][key] / 100 for key in ("IoU", "from", "to")]
        yield (
            f"IoU of {name}",
            row(one.value, one.ends()),
            [
                ("page", tuple(cells)),
                ("shell", row(mine["iou"], mine["interval"])),
                ("report", row(theirs["iou"], theirs["interval"])),
                ("API", tuple(ours[["iou", "iou_low", "iou_high"]])),
            ],
        )


def differences(on: SimpleNamespace) -> Iterator[tuple[str, Numbers, list[Found]]]:
    wanted = on.workspace.scores.compare(on.run, on.other, "test").difference
    shown = on.page("evaluate", run=on.run, split="test", tab="A/B test", against=on.other)
    made = on.shell("report", on.run, on.other, "--out", on.out)
    (pair,) = made["against_first"].values()
    text = f"{shown.metrics['A minus B, mean IoU']} {shown.metrics['95 % CI']}"
    span = formatting.points_interval(wanted.low, wanted.high)
    found: list[Found] = [("page", in_text(text, formatting.points(wanted.value), span))]
    # a report sets B against A: the same number with the other sign
    backwards = on.workspace.scores.compare(on.other, on.run, "test").difference
    turned = (-backwards.value, -backwards.high, -backwards.low)
    found.append(("report", (-pair["difference"], -pair["interval"][1], -pair["interval"][0])))
    found.append(("turned round", turned))
    words = f"{formatting.points(backwards.value, unit='')} ({backwards.range(signed=True)})"
    found.append(("report's page", in_text(on.out.read_text(), words)))
    compared = on.page("compare", run=on.run, beside=on.other, split="test", view_of="Scores")
    cells = compared.table("first minus this, pp").iloc[1]
    table = f"{formatting.points(cells['first minus this, pp'] / 100)} {cells['interval']}"
    found.append(("page's table", in_text(table, formatting.points(wanted.value), span)))
    yield "A minus B", row(wanted.value, wanted.ends()), found
    drawn = in_points(shown.figure("against_classes"))
    comparison = on.workspace.scores.compare(on.run, on.other, "test")
    classes = zip(comparison.class_names, comparison.class_difference, pair["classes"], strict=True)
    for name, one, mine in classes:
        low, high = (np.nan if end is None else -end for end in mine["interval"][::-1])
        yield (
            f"A minus B, IoU of {name}",
            row(one.value, one.ends()),
            [("page", drawn[name]), ("report", (-mine["difference"], low, high))],
        )


def planned_and_covered(on: SimpleNamespace) -> Iterator[tuple[str, Numbers, list[Found]]]:
    """How many images a difference needs, and how often the intervals cover: sentences."""
    scores = on.workspace.scores
    for other, where in (("", {}), (on.other, {"tab": "A/B test", "against": on.other})):
        plan = scores.plan_test(on.run, "test", other=other)
        shown = on.page("evaluate", run=on.run, split="test", **where)
        shell = on.shell("plan-test", on.run, *filter(None, [other]))
        wanted = plan.to_json()["sentence"]
        surfaces = [("shell", shell["sentence"]), ("page", shown.text)]
        yield (
            f"images to plan for against {other or 'any'}",
            (float(plan.to_json()["needed"]), np.nan, np.nan),
            [(name, in_text(text, wanted)) for name, text in surfaces],
        )
    coverage = scores.coverage(on.run, "test")
    shell = on.shell("evaluate", on.run, "--coverage")["coverage"]
    at = on.page("evaluate", run=on.run, split="test").at
    (switch,) = [t for t in at.toggle if t.label == "Check the intervals by simulation"]
    at = switch.set_value(True).run()
    text = " ".join(e.value for kind in (at.caption, at.warning) for e in kind)
    table = next(d.value for d in at.dataframe if "coverage" in d.value)
    for i, one in enumerate(coverage.scores["iou"]):
        mine, cell = (
            np.nan if value is None else float(value)
            for value in (shell["scores"]["iou"][i]["share"], table["coverage"][i])
        )
        yield (
            f"coverage of class {i}",
            (one.share, np.nan, np.nan),
            [
                ("shell", (mine, np.nan, np.nan)),
                ("page's table", (cell / 100, np.nan, np.nan)),
                ("page", in_text(text, shell["sentence"])),
            ],
        )


def pixels(on: SimpleNamespace) -> Iterator[tuple[str, Numbers, list[Found]]]:
    measured = on.workspace.pixel_metrics.measure(on.run, "test")
    wanted = on.workspace.pixel_metrics.borders(on.run, "test", measured)
    shell = on.shell("measure", on.run)["borders"]
    shown = on.page("evaluate", run=on.run, split="test", tab="Overview")
    text = f"{shown.metrics['Mean boundary IoU']} {shown.metrics['95 % CI']}"
    span = formatting.interval(*wanted.interval)
    yield (
        "boundary IoU",
        row(wanted.mean_boundary, wanted.interval),
        [
            ("shell", row(shell["mean_boundary"], shell["interval"])),
            ("page", in_text(text, formatting.percent(wanted.mean_boundary), span)),
        ],
    )


def of_slices_and_corruptions(on: SimpleNamespace) -> Iterator[tuple[str, Numbers, list[Found]]]:
    counts = on.workspace.scores.counts(on.run, "test")[1]
    names = on.workspace.scores.label_set(on.run).class_names
    wanted = score_slices(counts, slice_by_class(counts, names))
    shown = on.page("evaluate", run=on.run, split="test", tab="Slices and robustness")
    (drawn,) = [t for t in shown.figure("parts")["data"] if t.get("error_x")]
    for i, one in enumerate(wanted):
        x, bars = numbers(drawn["x"])[i], drawn["error_x"]
        low, high = (numbers(bars[side])[i] for side in ("arrayminus", "array"))
        none = low == high == 0  # a bar without length is not seen
        ends = (np.nan, np.nan) if none else (x - low, x + high)
        yield (
            f"slice {one.name}",
            row(one.mean_iou, one.interval),
            [("page", (x / 100, ends[0] / 100, ends[1] / 100))],
        )
    on.workspace.runs.open(on.run).model_path.touch()
    shown.click("robust_start")
    (name,) = on.workspace.robustness.started(on.run, "test")
    folder, (ids, counts) = (
        on.workspace.runs.open(name),
        on.workspace.scores.counts(on.other, "test"),
    )
    folder.write_counts("test", "clean", *on.workspace.scores.counts(on.run, "test"))
    for corruption in folder.config.corruptions:
        for severity in range(1, 6):
            folder.write_counts("test", stage_name(corruption, severity), ids, counts)
    now = time.time()
    folder.write_status(state="finished", started=now + 2, finished=now + 3)
    curve = on.workspace.robustness.result(name).summary.curves[0]
    images = folder.config.images  # the page takes all of a small split
    found = on.shell("robustness", on.run, "--images", images)["curves"][0]
    shown = on.page("evaluate", run=on.run, split="test", tab="Slices and robustness")
    band = next(t for t in shown.figure("corruption_curves")["data"] if t.get("fill") == "toself")
    clean = on.workspace.robustness.result(name).summary.clean.mean_iou
    edge = numbers(band["y"]) / 100  # the upper ends by severity, and the lower ones back again
    drawn = clean - edge[-1], clean - edge[0]
    yield (
        "drop under a corruption",
        row(curve.drop, curve.interval),
        [
            ("shell", row(found["drop"], found["interval"])),
            ("page", (curve.drop, *drawn)),
        ],
    )


def of_ablations(on: SimpleNamespace) -> Iterator[tuple[str, Numbers, list[Found]]]:
    plan = by_hand.make(on.workspace)
    by_hand.fill(on.made_up, plan, (0.9, 0.8))
    by_hand.fill(on.made_up, plan, (0.7, 0.5), "cross-entropy")
    on.workspace.ablations.start(plan)
    base, other = on.workspace.ablations.table(plan).rows
    page = on.out.with_suffix(".ablation.html")
    mine, theirs = on.shell("ablation", plan.name, "--show", "--html", page)["rows"]
    shown = on.page("ablation", recipe_study=plan.name)
    title = "Baseline mean IoU"
    words = formatting.percent(base.score), formatting.interval(*base.interval)
    yield (
        "an ablation's base",
        row(base.score, base.interval),
        [
            ("shell", row(mine["score"], mine["interval"])),
            ("page", in_text(f"{shown.metrics[title]} {shown.delta[title]}", *words)),
        ],
    )
    cells = shown.table("by fold").set_index("row").loc[other.row]
    span = formatting.points_interval(*other.difference_interval)
    low, high = (f"{100 * end:+.1f}" for end in other.difference_interval)
    yield (
        "an ablation's variant",
        row(other.difference, other.difference_interval),
        [
            ("shell", row(theirs["difference"], theirs["difference_interval"])),
            ("page", in_text(str(cells["interval"]), span)),
            ("report's page", in_text(page.read_text(), low, high)),
        ],
    )


def of_learning_curves(on: SimpleNamespace) -> Iterator[tuple[str, Numbers, list[Found]]]:
    curves, kept = on.workspace.learning_curves, []
    for number, size in enumerate((2, 2, 4, 6)):
        run = on.made_up.train(f"curve-{number}").id
        on.made_up.predict(run, "test", 10 + number)
        kept.append({"size": size, "seed": number, "run": run})
    curves.folder.mkdir(exist_ok=True)
    (curves.folder / f"{on.run}.json").write_text(json.dumps({"format": 1, "runs": kept}))
    wanted = curves.curve(on.run, "test", 6)
    found = on.shell("learning-curve", on.run, "--more", 6)
    shown = on.page("dataset", dataset="tiny", show="Label next", curve_run=on.run)
    yield (
        "what six more images should bring",
        row(wanted.gain.value, wanted.gain.ends()),
        [
            ("shell", row(found["difference"], found["interval"])),
            ("page", in_text(shown.text, wanted.sentence)),
        ],
    )


def of_retraining(on: SimpleNamespace) -> Iterator[tuple[str, Numbers, list[Found]]]:
    """The last walk: it edits a mask, and all scores follow."""
    note_environment(on.workspace.runs.open(on.run).folder)
    opened = on.workspace.masks.open("tiny", "test/scene_1")
    mask = opened.mask.copy()
    mask[:6] = 2
    on.workspace.masks.save("tiny", "test/scene_1", mask, based_on=opened.digest)
    after = on.made_up.train("after")
    after.write_json(LINK, {"of": on.run, "warm": True})
    on.made_up.predict(after.id, "test", 30)
    found = on.shell("retrained", after.id, "--split", "test")
    gain = on.workspace.retrainings.gain(after.id, "test")
    shown = on.page("runs", run=after.id)
    for name, one, mine in (
        ("what fixing bought", gain.comparison.difference, found["comparison"]),
        ("what it bought the classes touched", gain.touched_gain, found["touched_gain"]),
    ):
        words = formatting.points(one.value), f"{one.range(signed=True)} points"
        text = f"{shown.metrics['Change of mean IoU']} {shown.text}"
        yield (
            name,
            row(one.value, one.ends()),
            [
                ("shell", row(mine["difference"], mine["interval"])),
                ("page", in_text(text, *words)),
            ],
        )
