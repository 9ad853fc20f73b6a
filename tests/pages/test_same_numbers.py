"""Every score that has an interval is one number: on the page, in the shell, in the API, in the report."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from segcore import formatting
from segcore.api.learning import TrainedModel
from segcore.api.results import back_off, evaluate
from segcore.cli import main
from segcore.config import CRFSearchConfig
from segcore.evaluation.metrics.robustness import stage_name
from segcore.evaluation.metrics.slices import score_slices, slice_by_class
from segcore.light_worker.crf_search import crf_search_run
from segcore.light_worker.evaluation import evaluate_run
from segcore.light_worker.subsets import subsets_run
from segcore.postprocess.dense_crf import is_available
from segcore.runs.folder.environment import note_environment
from segcore.workspace.compression.back_offs import BackOffOptions
from segcore.workspace.retraining import LINK
from tests.workspace.ablations import test_ablations as by_hand

pytestmark = pytest.mark.tensorflow

Numbers = tuple[float, float, float]
Found = tuple[str, Any]
"""Where, and what stands there: (value, low, high), or a text and the words that it must hold."""

GROUPS = [[3, 5], [8], [11]]


def row(value: float, ends: Any) -> Numbers:
    """A number and its ends; what has no interval is NaN in all of them."""
    low, high = (float("nan") if end is None else end for end in ends)
    return value, low, high


def numbers(drawn: Any) -> np.ndarray:
    """Numbers of a Plotly figure, which packs arrays."""
    if isinstance(drawn, dict):
        return np.frombuffer(base64.b64decode(drawn["bdata"]), np.dtype(drawn["dtype"]))
    return np.asarray(drawn, float)


def in_text(text: str, *words: str) -> tuple[str, tuple[str, ...]]:
    return text, words


@pytest.fixture
def all_surfaces(trained, made_up, open_page, read, capsys, tmp_path, started):
    """Page, shell, API and report over ``trained``."""
    run, other = trained.members
    workspace = trained.workspace

    def shell(*words: Any) -> Any:
        capsys.readouterr()
        main([*map(str, words), "--workspace", str(workspace.folder), "--json"])
        return json.loads(capsys.readouterr().out)

    def finish(name: str, work: Callable[..., None]) -> None:
        folder, now = workspace.runs.open(name), time.time()
        work(folder)
        folder.write_status(state="finished", started=now, finished=now + 1, progress=1.0)

    def page(name: str, **query: Any) -> SimpleNamespace:
        at = open_page(name, **query)
        return SimpleNamespace(
            at=at,
            text=" ".join(e.value for kind in (at.markdown, at.caption) for e in kind),
            metrics=read.metrics(at),
            help={m.label: m.help for m in at.metric},
            delta={m.label: m.delta for m in at.metric},
            figure=lambda key: read.figure(at, key),
            table=lambda column: next(d.value for d in at.dataframe if column in d.value),
            click=lambda key: read.check(at.button(key=key).click().run()),
        )

    params = {
        "dataset": "tiny",
        "workspace": str(workspace.folder),
        "label_scores": str(tmp_path / "scores.csv"),
        "encoder": "tiny",
        "weights": "none",
    }
    return SimpleNamespace(
        workspace=workspace,
        made_up=made_up,
        run=run,
        other=other,
        members=trained.members,
        ensemble=trained.ensemble,
        shell=shell,
        page=page,
        finish=finish,
        out=tmp_path / "report.html",
        model=TrainedModel((run,), workspace),
        params=params,
    )


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
    yield "A minus B", row(wanted.value, wanted.ends()), found


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


def of_ensembles(on: SimpleNamespace) -> Iterator[tuple[str, Numbers, list[Found]]]:
    against = on.workspace.ensembles.against_members(on.ensemble, "test")
    gain = against.comparison.difference
    shown = on.page("ensemble", members=list(on.members))
    span = formatting.points_interval(gain.low, gain.high)
    low, high = (f"{100 * end:.1f}" for end in against.interval)
    report = on.workspace.scores.report(on.ensemble, "test", "ensemble").interval()
    yield (
        "an ensemble's mean IoU",
        row(report.value, report.ends()),
        [
            ("workspace", row(against.ensemble, against.interval)),
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
    shown = on.page("ensemble", members=list(on.members), tab="Subsets")
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
    shown = on.page("ensemble", members=list(on.members), tab="CRF")
    table = shown.table("gain").set_index("post-processing")
    steps = [("Best CRF", wanted.crf, found["crf"])]
    steps += [
        (a.title, a.scores, row_)
        for a, row_ in zip(wanted.alternatives, found["alternatives"], strict=True)
    ]
    for title, scores, shell in steps:
        gain, mine = scores.mean_iou_gain, shell["gain"]["mean_iou"]
        words = (formatting.points(gain.value, unit=""), gain.range(signed=True))
        yield (
            f"gain of {title}",
            row(gain.value, gain.ends()),
            [
                ("shell", row(mine["difference"], mine["interval"])),
                ("page", in_text(str(table.loc[title]["gain"]), *words)),
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
    for tier in on.workspace.tiers.compare(on.run, "validation", GROUPS).to_json()["tiers"]:
        (mine,) = [t for t in found["tiers"]["tiers"] if t["tier"] == tier["tier"]]
        gain, own = tier["gain"]["mean_iou"], mine["gain"]["mean_iou"]
        yield (
            f"gain of the tier {tier['tier']}",
            row(gain["difference"], gain["interval"]),
            [("shell", row(own["difference"], own["interval"]))],
        )


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
    yield (
        "drop under a corruption",
        row(curve.drop, curve.interval),
        [("shell", row(found["drop"], found["interval"]))],
    )


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


WALKS = (
    headline_and_classes,
    differences,
    pixels,
    of_ensembles,
    of_the_crf,
    of_merges,
    of_backing_off,
    of_slices_and_corruptions,
    of_one_network,
    of_ablations,
    of_learning_curves,
    of_retraining,
)


def test_a_score_is_the_same_number_wherever_it_is_shown(all_surfaces) -> None:
    seen, wrong, bounded = [], [], set()
    for walk in WALKS:
        for name, wanted, found in walk(all_surfaces):
            assert found, name
            bounded |= {name} if not np.isnan(wanted).any() else set()
            for where, shown in found:
                seen.append((name, where))
                if isinstance(shown[0], str):
                    text, words = shown
                    same = all(word in text for word in words)
                else:
                    same = shown == pytest.approx(wanted, abs=1e-6, nan_ok=True)
                if not same:
                    wrong.append((name, where, wanted, shown))
    assert not wrong
    assert len(bounded) > 20  # most scores of three images have an interval here
    assert len({where for _, where in seen}) >= 5 and len(seen) > 40
