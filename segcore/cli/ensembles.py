"""Commands of the Ensemble page: ensemble, crf-search."""

import argparse
from dataclasses import replace
from typing import Any

from segcore.catalog import CRF_OBJECTIVES, ENSEMBLE_RULES, MASK_FILTERS
from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.cli.options import MOST, whole_number
from segcore.cli.tables import table
from segcore.config import CRFSearchConfig
from segcore.errors import SegcoreError, unknown
from segcore.evaluation.counts.bootstrap import Interval
from segcore.formatting import interval, percent, plural
from segcore.postprocess.parameters import CRFParameters
from segcore.workspace.ensembles.ensembles import DRAWS

HURTS = "The CRF hurts"
"""How the verdict on a CRF that hurts begins."""


def _ensemble_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("runs", nargs="+", metavar="RUN", help="ids of finished training runs")
    add("--split", default=None, help="default test, with --subsets or --search-weights validation")
    add("--rule", default="mean", help=f"one of {', '.join(ENSEMBLE_RULES)}")
    add(
        "--weights",
        type=float,
        nargs="+",
        default=[],
        metavar="W",
        help="one a member, for rules that take weights",
    )
    add("--crf", action="store_true", help="also refine with the dense CRF and score that")
    add(
        "--name",
        default="",
        help="save the ensemble under this name, which evaluate, report, compress and the other "
        "commands about a run then take; it cannot be a member of another ensemble",
    )
    add(
        "--subsets",
        action="store_true",
        help="score every subset of up to ten members from their stored probabilities",
    )
    add(
        "--search-weights",
        action="store_true",
        help=f"with --subsets: also try {DRAWS} weightings of all members",
    )


def _ensemble(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    if options.subsets or options.search_weights:
        draws = DRAWS if options.search_weights else 0
        run = workspace.ensembles.score_subsets(
            options.runs, options.split or "validation", draws=draws
        )
        workspace.runs.wait([run], progress=ProgressLine("Scoring subsets"))
        return workspace.ensembles.subsets(run).to_json()
    run = workspace.ensembles.combine(
        options.runs,
        options.split or "test",
        rule=options.rule,
        weights=options.weights,
        crf=CRFParameters() if options.crf else None,
        name=options.name,
    )
    workspace.runs.wait([run], progress=ProgressLine("Combining"))
    split = options.split or "test"
    outdated = [r for r in (run, *options.runs) if workspace.recounts.outdated(r, split)]
    verdict = workspace.crf.verdict(run, split).sentence if options.crf else ""
    return {
        **workspace.scores.ensemble(run).to_json(),
        "outdated": outdated,
        "name": getattr(workspace.runs.open(run).config, "name", ""),
        "twin": workspace.ensembles.unnamed_twin(run),
        "crf_verdict": verdict,
    }


def _show_ensemble(result: dict[str, Any]) -> str:
    if "subsets" in result:
        return _show_subsets(result)
    rows = [_scored(m["run"], m) for m in result["members"]]
    rows += [_scored(name, result[name]) for name in ("ensemble", "crf") if result.get(name)]
    shown = table(["on " + result["split"], "mean IoU", "95 % interval", "pixel accuracy"], rows)
    if how := result["ensemble"].get("how_sure"):
        shown += f"\n{how}"
    if result["crf_verdict"]:
        shown += f"\n{result['crf_verdict']}"
        if result["crf_verdict"].startswith(HURTS):
            members = " ".join(m["run"] for m in result["members"])
            shown += f" Search for one that helps: segscope crf-search {members}"
    if result.get("outdated"):
        shown += (
            f"\nMasks changed after {', '.join(result['outdated'])} counted: these scores are of other "
            f"masks; count each anew: segscope recount RUN --split {result['split']}"
        )
    saved, split = result.get("name"), result["split"]
    if saved:
        shown += f"\nSaved as {saved}; next: segscope evaluate {saved} --split {split}"
    if twin := result.get("twin"):
        shown += (
            f"\nThe same ensemble is also listed without a name, as {twin}; to remove that entry: "
            f"segscope runs delete {twin}"
        )
    return f"{shown}\n{result['views']}".rstrip()


def _scored(name: str, scores: dict[str, Any]) -> list[str]:
    """Return a line of the table: the name, the mean IoU with its interval, the pixel accuracy."""
    ends = interval(*scores["interval"]["mean_iou"])
    return [name, percent(scores["mean_iou"]), ends, percent(scores["pixel_accuracy"])]


def _show_subsets(result: dict[str, Any]) -> str:
    ranked = sorted(result["subsets"], key=lambda s: -(s["mean_iou"] or 0.0))[:12]
    rows = [
        [
            " ".join(str(m + 1) for m in s["members"]),
            percent(s["mean_iou"]),
            percent(s["pixel_accuracy"]),
        ]
        for s in ranked
    ]
    values = [
        [
            i + 1,
            v["run"],
            percent(v["mean_iou"]),
            f"{_points(v['gain'], v['gain_interval'])} {v.get('gain_verdict', '')}".strip(),
            f"{_points(**v['leaving'])} {v.get('leaving_verdict', '')}".strip(),
        ]
        for i, v in enumerate(result["values"])
    ]
    low, high = result["best"]["interval"]
    share = result["chosen_share"]
    often = "" if share is None else f"; the best in {percent(share, 0)} of the resamples"
    parts = [
        table(["members", "mean IoU", "pixel accuracy"], rows),
        table(["no", "member", "alone", "adds, points", "all lose without it"], values),
        f"Best: {', '.join(result['best']['members'])}, mean IoU "
        f"{percent(result['best']['mean_iou'])} ({interval(low, high)}){often}. {result.get('how_sure', '')}",
    ]
    weights = result["weights"]
    if weights:
        shown = " ".join(f"{w:.3f}" for w in weights["weights"])
        parts.append(
            f"Best of {weights['tried']} weightings: {shown}; against equal weights "
            f"{_points(**weights['over_equal'])} points."
        )
    return (
        "\n\n".join(parts)
        + "\n\n"
        + "\n".join([*result["sentences"], *filter(None, [result.get("many")])])
    )


def _points(difference: float | None, interval: list[float | None]) -> str:
    """Write a difference in points with its interval."""
    if difference is None:
        return "-"
    return Interval.from_difference({"difference": difference, "interval": interval}).points(2)


def _search_arguments(parser: argparse.ArgumentParser) -> None:
    config = CRFSearchConfig("-", ("-",))
    add = parser.add_argument
    add(
        "runs",
        nargs="+",
        metavar="RUN",
        help="ids of finished training runs, one or the members of an ensemble",
    )
    add("--split", default=config.split, help="the split to search on (default %(default)s)")
    add("--rule", default=config.rule, help=f"one of {', '.join(ENSEMBLE_RULES)}")
    add(
        "--weights",
        type=float,
        nargs="+",
        default=[],
        metavar="W",
        help="one a member, for rules that take weights",
    )
    add(
        "--candidates",
        type=int,
        default=config.candidates,
        help="how many CRFs are drawn besides the default one (default %(default)s)",
    )
    add(
        "--objective",
        default=config.objective,
        help=f"one of {', '.join(CRF_OBJECTIVES)} (default %(default)s)",
    )
    add(
        "--iterations",
        type=int,
        default=config.start.iterations,
        help="mean-field steps of every CRF (default %(default)s)",
    )
    add(
        "--seed",
        type=whole_number("--seed", 0, MOST),
        default=config.seed,
        help="random seed of the candidates (default: %(default)s)",
    )
    add(
        "--apply",
        metavar="SPLIT",
        default="",
        help="then put the chosen CRF on this split and say whether it helps there",
    )

    add(
        "--also",
        metavar="STEP",
        default="",
        help="with --apply: also judge the best such alternative of the search there; one of "
        + ", ".join(MASK_FILTERS),
    )


def _search(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    if options.also and options.also not in MASK_FILTERS:
        raise unknown("alternative to the CRF", options.also, MASK_FILTERS)
    if options.also and not options.apply:
        raise SegcoreError("Expected --apply SPLIT with --also, received none: name the split.")
    start = replace(CRFParameters(relative=True), iterations=options.iterations)
    config = CRFSearchConfig(
        workspace.runs.dataset_of(options.runs),
        tuple(options.runs),
        options.split,
        options.rule,
        tuple(options.weights),
        options.candidates,
        options.objective,
        start,
        options.seed,
    )
    run = workspace.crf.start(config)
    workspace.runs.wait([run], progress=ProgressLine("Searching"))
    found = workspace.crf.search(run)
    result = found.to_json()
    if options.apply:
        rows = [a for a in found.alternatives if a.filter.kind == options.also]
        also = max(rows, key=lambda a: a.scores.mean_iou or 0.0).filter if rows else None
        applied = workspace.crf.apply(run, options.apply, filter=also)
        workspace.runs.wait([applied], progress=ProgressLine("Applying"))
        result["applied"] = {
            "run": applied,
            "split": options.apply,
            **workspace.crf.verdict(applied, options.apply).to_json(),
        }
        if also is not None:
            judged = workspace.crf.verdict(applied, options.apply, "filter").to_json()
            result["applied"]["also"] = {
                **judged,
                "title": also.describe(),
                "sentence": judged["sentence"].replace("The CRF", also.describe(), 1),
            }
    return result


def _show_search(result: dict[str, Any]) -> str:
    off, crf = result["off"], result["crf"]
    rows = [["off", percent(off["mean_iou"]), percent(off["boundary_iou"]), "", ""]]
    for title, scores in [("best CRF", crf), *((a["title"], a) for a in result["alternatives"])]:
        gain = scores["gain"]
        cells = [
            percent(scores["mean_iou"]),
            percent(scores["boundary_iou"]),
            _points(**gain["mean_iou"]),
            _points(**gain["boundary_iou"]),
        ]
        rows.append([title, *cells])
    parameters = ", ".join(f"{name} {value}" for name, value in crf["parameters"].items())
    classes = [
        [
            c["name"],
            percent(c["before"]),
            percent(c["after"]),
            _points(c["difference"], c["interval"]),
        ]
        for c in crf["classes"]
    ]
    parts = [
        f"{plural(result['num_samples'], 'image')} of {result['split']}; temperature "
        f"{result['temperature']:.3f}. "
        f"Preferred: {'off' if result['best'] is None else 'the best CRF'}.",
        table(["", "mean IoU", "boundary IoU", "mean IoU, points", "boundary IoU, points"], rows),
        table(["class", "before", "after", "points"], classes),
        f"Best CRF: {parameters}",
        "\n".join(result["verdict"]),
    ]
    if "applied" in result:
        parts.append(f"On {result['applied']['split']}: {result['applied']['sentence']}")
        if "also" in result["applied"]:
            parts.append(result["applied"]["also"]["sentence"])
    return "\n\n".join(parts)


ENSEMBLE_COMMANDS: dict[str, Command] = {
    "ensemble": Command(
        "score members, their combination, every subset, the dense CRF",
        _ensemble_arguments,
        _ensemble,
        _show_ensemble,
    ),
    "crf-search": Command(
        "search the parameters of the dense CRF and ask whether it helps",
        _search_arguments,
        _search,
        _show_search,
    ),
}
