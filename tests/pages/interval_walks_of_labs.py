"""Walks over the intervals of Ensemble and Compress: what each surface shows of them."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from segcore import formatting
from segcore.api.results import back_off
from segcore.config import CRFSearchConfig
from segcore.light_worker.crf_search import crf_search_run
from segcore.light_worker.evaluation import evaluate_run
from segcore.light_worker.subsets import subsets_run
from segcore.postprocess.dense_crf import is_available
from segcore.ui.compress.summary import MEASURES
from segcore.ui.ensemble.subsets import COMPARISONS
from segcore.workspace.compression.back_offs import BackOffOptions
from tests.pages.interval_walks import Found, Numbers, in_points, in_text, numbers, row

GROUPS = [[3, 5], [8], [11]]


def of_ensembles(on: SimpleNamespace) -> Iterator[tuple[str, Numbers, list[Found]]]:
    against = on.workspace.ensembles.against_members(on.ensemble, "test")
    gain = against.comparison.difference
    shown = on.page("ensemble", members=list(on.members))
    span = formatting.points_interval(gain.low, gain.high)
    low, high = (f"{100 * end:.1f}" for end in against.interval)
    report = on.workspace.scores.report(on.ensemble, "test", "ensemble").interval()
    shell = on.shell("evaluate", on.ensemble, "--split", "test", "--stage", "ensemble")
    yield (
        "an ensemble's mean IoU",
        row(report.value, report.ends()),
        [
            ("workspace", row(against.ensemble, against.interval)),
            ("shell", row(shell["scores"]["mean_iou"], shell["interval"]["mean_iou"])),
            ("page", in_text(shown.text, formatting.percent(report.value), f"[{low}, {high}]")),
        ],
    )
    yield (
        "an ensemble over its best member",
        row(gain.value, gain.ends()),
        [("page", in_text(shown.text, formatting.points(gain.value), span))],
    )
    run = on.workspace.ensembles.score_subsets(on.members, "validation")
    on.finish(run, subsets_run)
    found = on.shell("ensemble", *on.members, "--subsets")
    best = on.workspace.ensembles.subsets(run).best_score
    shown = on.page("ensemble", members=list(on.members), tab="Subsets", combine_split="validation")
    result = on.workspace.ensembles.subsets(run)
    drawn = in_points(shown.figure("member_values"))
    for number, (value, mine) in enumerate(zip(result.values, found["values"], strict=True)):
        one = value.contribution
        yield (
            f"contribution of {value.run}",
            row(one.value, one.ends()),
            [
                ("shell", row(mine["gain"], mine["gain_interval"])),
                ("page", drawn[f"{number + 1} · {value.run}"]),
            ],
        )
    for title, key, _ in COMPARISONS:
        one, mine = result.gains[key], found["gains"][key]
        words = formatting.points(one.value), formatting.points_interval(one.low, one.high)
        yield (
            f"gain of subsets, {title}",
            row(one.value, one.ends()),
            [
                ("shell", row(mine["difference"], mine["interval"])),
                ("page", in_text(f"{shown.metrics[title]} {shown.delta[title]}", *words)),
            ],
        )
    yield (
        "the best subset",
        row(best.value, best.ends()),
        [
            ("shell", row(found["best"]["mean_iou"], found["best"]["interval"])),
            (
                "page",
                in_text(shown.metrics["Best subset, mean IoU"], formatting.percent(best.value)),
            ),
        ],
    )


def of_the_crf(on: SimpleNamespace) -> Iterator[tuple[str, Numbers, list[Found]]]:
    if not is_available():
        return
    run = on.workspace.crf.start(CRFSearchConfig("tiny", on.members, candidates=1))
    on.finish(run, crf_search_run)
    wanted = on.workspace.crf.search(run)
    found = on.shell("crf-search", *on.members, "--candidates", 1)
    shown = on.page("ensemble", members=list(on.members), tab="CRF", combine_split="validation")
    table = shown.table("gain").set_index("post-processing")
    steps = [("Best CRF", wanted.crf, found["crf"])]
    steps += [
        (a.title, a.scores, row_)
        for a, row_ in zip(wanted.alternatives, found["alternatives"], strict=True)
    ]
    for title, scores, shell in steps:
        for score, column in (("mean_iou", "gain"), ("boundary_iou", "boundary gain")):
            gain, mine = getattr(scores, f"{score}_gain"), shell["gain"][score]
            yield (
                f"{column} of {title}",
                row(gain.value, gain.ends()),
                [
                    ("shell", row(mine["difference"], mine["interval"])),
                    ("page", in_text(str(table.loc[title][column]), gain.points())),
                ],
            )
    drawn = in_points(shown.figure("crf_classes"))
    for one, mine in zip(wanted.classes, found["crf"]["classes"], strict=True):
        yield (
            f"the CRF's gain of {one.name}",
            row(one.gain.value, one.gain.ends()),
            [
                ("shell", row(mine["difference"], mine["interval"])),
                ("page", drawn[one.name]),
            ],
        )
    net = next(t for t in shown.figure("crf_distances")["data"] if t.get("error_y"))
    bands = [
        b for b in zip(wanted.distances, found["crf"]["distances"], strict=True) if b[0].pixels
    ]
    for i, (one, mine) in enumerate(bands):
        low, high = numbers(net["customdata"])[i] / 100
        ends = (low, high) if low < high else (np.nan, np.nan)
        yield (
            f"the CRF's gain beyond {one.start:g} px",
            row(one.gain.value, one.gain.ends()),
            [
                ("shell", row(mine["difference"], mine["interval"])),
                ("page", (numbers(net["y"])[i] / 100, *ends)),
            ],
        )
    applied = on.workspace.crf.apply(run, "test")
    on.finish(applied, evaluate_run)
    asked = ("crf-search", *on.members, "--candidates", 1, "--apply", "test")
    mine = on.shell(*asked)["applied"]["comparison"]
    gain = on.workspace.crf.verdict(applied, "test").comparison.difference
    at = on.page("ensemble", members=list(on.members), tab="CRF", combine_split="validation").at
    said = " ".join(e.value for kind in (at.success, at.error, at.info) for e in kind)
    ends = [formatting.points(end, 2, unit="") for end in (gain.value, gain.low, gain.high)]
    yield (
        "the CRF's gain on another split",
        row(gain.value, gain.ends()),
        [
            ("shell", row(mine["difference"], mine["interval"])),
            ("page", in_text(said, "On test: ", *ends)),
        ],
    )


def of_merges(on: SimpleNamespace) -> Iterator[tuple[str, Numbers, list[Found]]]:
    wanted = on.workspace.merges.judge(on.run, "validation", GROUPS).to_json()
    found = on.shell("compress", on.run, "--merge", "3:5", "--tiers")
    lift, (low, high) = wanted["after"]["lift"], wanted["lift_interval"]
    shown = on.page("compress", run=on.run, split="validation", way="Manual")
    (choice,) = [m for m in shown.at.multiselect if "erge" in m.label]
    choice.set_value([3, 5]).run()
    at = shown.click("merge_add")
    (metric,) = [m for m in at.metric if m.label == "Lift over random"]
    yield (
        "lift of a merge",
        (lift, low, high),
        [
            ("shell", row(found["judged"]["after"]["lift"], found["judged"]["lift_interval"])),
            (
                "page",
                in_text(
                    f"{metric.value} {metric.delta}", f"{lift:.2f}", f"{low:.2f} to {high:.2f}"
                ),
            ),
        ],
    )
    table = next(d.value for d in at.dataframe if "change, 95 %" in d.value).set_index("what")
    report = on.workspace.merges.judge(on.run, "validation", GROUPS).report
    for key, title, unit in MEASURES:
        if key not in report.intervals:
            continue
        one, mine = report.intervals[key], found["judged"]["intervals"][key]
        spans = {
            "%": formatting.points_interval(one.low, one.high),
            "": f"{formatting.signed(one.low, 2)} to {formatting.signed(one.high, 2)}",
        }
        yield (
            f"change of a merge, {title}",
            row(one.value, one.ends()),
            [
                ("shell", row(one.value, mine)),
                ("page", in_text(str(table.loc[title]["change, 95 %"]), spans[unit])),
            ],
        )
    at.session_state["merge_tab"] = "Expected vs retrained"
    at.session_state["tier_split"] = "validation"
    chart = json.loads(
        next(
            e.proto for e in at.run().get("plotly_chart") if e.proto.id.endswith("tier_gains")
        ).spec
    )
    traces = iter(chart["data"])
    for tier in on.workspace.tiers.compare(on.run, "validation", GROUPS).to_json()["tiers"]:
        (mine,) = [t for t in found["tiers"]["tiers"] if t["tier"] == tier["tier"]]
        gain, own = tier["gain"]["mean_iou"], mine["gain"]["mean_iou"]
        yield (
            f"gain of the tier {tier['tier']}",
            row(gain["difference"], gain["interval"]),
            [
                ("shell", row(own["difference"], own["interval"])),
                ("page", first_bar(next(traces))),
            ],
        )


def first_bar(trace: dict[str, Any]) -> Numbers:
    """The first bar of a trace with its interval, as fractions."""
    value, error = numbers(trace["y"])[0] / 100, trace["error_y"]
    below, above = (numbers(error[side])[0] / 100 for side in ("arrayminus", "array"))
    return (value, value - below, value + above) if above + below else (value, np.nan, np.nan)


def of_backing_off(on: SimpleNamespace) -> Iterator[tuple[str, Numbers, list[Found]]]:
    wanted = on.workspace.back_offs.report(on.run, "test", BackOffOptions(0.28)).report
    found = on.shell("back-off", on.run, "--promise", "28%")
    api = back_off(on.model, on.params, 0.28)
    at = on.page("compress", run=on.run, split="validation", merge_tab="Back off").at
    at = at.slider(key="promise").set_value(28.0).run()
    table = next(d.value for d in at.dataframe if "bits kept" in d.value)
    text = " ".join(m.value for m in at.markdown)
    for place, one in enumerate(wanted.alternatives):
        mine, cells = found["alternatives"][place]["risk"], table.iloc[place]
        surfaces: list[Found] = [
            ("shell", row(mine["value"], mine["interval"])),
            (
                "page's table",
                in_text(
                    f"{formatting.percent(cells['wrong'] / 100)} {cells['95 %']}",
                    formatting.percent(one.risk.value),
                    formatting.interval(one.risk.low, one.risk.high),
                ),
            ),
        ]
        if one.name == "back_off":
            surfaces += [
                ("API", row(api.attrs["risk"], api.attrs["interval"])),
                ("page", in_text(text, formatting.percent(one.risk.value), one.risk.range())),
            ]
        yield f"risk of {one.name}", row(one.risk.value, one.risk.ends()), surfaces


def of_one_network(on: SimpleNamespace) -> Iterator[tuple[str, Numbers, list[Found]]]:
    networks, verdicts = on.workspace.one_networks, on.workspace.network_verdicts
    run = on.made_up.write("student-1", networks.student(on.members), mean_iou=0.4).id
    on.made_up.predict(run, "test", 5)
    on.finish(verdicts.prepare(run, "test")[1], evaluate_run)
    found = on.shell("distil", *on.members, "--name", run, "--wait")
    wanted = verdicts.verdict(run, "test")
    shown = on.page("ensemble", members=list(on.members), tab="One network")
    table = shown.table("ece").set_index("network")
    for one, mine, title in zip(
        wanted.rows, found["rows"], ("Distilled", "Ensemble", "Best member"), strict=True
    ):
        cells = str(table.loc[title]["interval"])
        yield (
            f"mean IoU of the {one.role}",
            row(one.mean_iou.value, one.mean_iou.ends()),
            [
                ("shell", row(mine["mean_iou"], mine["interval"])),
                ("page", in_text(cells, one.mean_iou.range())),
            ],
        )
    for title, name in (("vs. ensemble", "against_ensemble"), ("vs. best member", "against_best")):
        gain = getattr(wanted, name).difference
        mine = found[name]
        words = formatting.points(gain.value), gain.range(2, signed=True)
        yield (
            f"a student {title}",
            row(gain.value, gain.ends()),
            [
                ("shell", row(mine["difference"], mine["interval"])),
                ("page", in_text(f"{shown.metrics[title]} {shown.delta[title]}", *words)),
            ],
        )
