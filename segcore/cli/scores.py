"""Commands about scores: evaluate, report, recount, plan-test, interval-groups, compress."""

import argparse
from pathlib import Path
from typing import Any

from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.cli.compression.back_off import BACK_OFF
from segcore.cli.compression.compress import COMPRESS
from segcore.cli.tables import table
from segcore.data.health.interval_groups import IMAGES
from segcore.data.splits.splits import GROUPINGS
from segcore.errors import SegcoreError
from segcore.evaluation.counts.bootstrap import MINIMUM
from segcore.evaluation.counts.coverage import score_coverage
from segcore.formatting import interval, percent
from segcore.labels import plural
from segcore.workspace.scores.reports import STAGE_TITLES, output_title

FEW_GROUPS = f" A split of fewer than {MINIMUM} groups resamples single images."
OVER = (IMAGES, *GROUPINGS)
"""What intervals may draw."""


def _add_split(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--split", default="test", help="split that is scored (default: %(default)s)"
    )


def _add_stage(parser: argparse.ArgumentParser, does: str) -> None:
    """Add the choice of a run's output; the default is the one whose score the list of runs shows."""
    parser.add_argument(
        "--stage",
        choices=STAGE_TITLES,
        default="",
        help=f"output that {does} (default: with CRF or filter where the run has one)",
    )


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", help="id of a training run or of an ensemble")
    _add_split(parser)
    parser.add_argument(
        "--truth",
        metavar="DIR",
        help="folder of ground-truth masks (with --prediction and --classes)",
    )
    parser.add_argument(
        "--prediction",
        metavar="DIR",
        help="folder of predicted masks from any tool, matched by name",
    )
    parser.add_argument(
        "--classes",
        metavar="CSV",
        help="classes.csv with the columns id, name and optionally color, ignore",
    )
    _add_stage(parser, "is scored")
    parser.add_argument(
        "--over",
        choices=OVER,
        help="what is resampled for intervals this time: images, or whole groups by folder or name "
        "prefix (default: as chosen for the dataset)",
    )
    parser.add_argument(
        "--coverage",
        action="store_true",
        help="also simulate how often such intervals contain the true value",
    )


def _evaluate(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    folders = (options.truth, options.prediction, options.classes)
    if options.run and not any(folders):
        workspace.scores.ensure_counts(
            [options.run], options.split, progress=ProgressLine("Predicting")
        )
        stages = workspace.scores.stages(options.run, options.split)
        stage = options.stage or workspace.scores.usual_stage(options.run, options.split)
        scored = workspace.scores.report(options.run, options.split, stage, by=options.over)
        result = scored.to_json()
        result |= {"stage": stage, "stages": stages, "output": output_title(stages[0], stage)}
        if options.coverage:
            table = workspace.scores.coverage(options.run, options.split, stage, by=options.over)
            result["coverage"] = table.to_json()
        result["outdated"] = workspace.recounts.outdated(options.run, options.split)
        workspace.checklist.note("judge", workspace.runs.open(options.run).config.dataset)
        return result
    if not options.run and all(folders):
        truth, prediction, classes = map(Path, folders)
        report = workspace.scores.evaluate_folders(
            truth, prediction, classes, ProgressLine("Counting"), options.over
        )
        result = report.to_json()
        if options.coverage:
            result["coverage"] = score_coverage(report.counts, groups=report.groups).to_json()
        return result
    raise SegcoreError(
        "Expected either a run, or all of --truth, --prediction and --classes: give one or "
        "the other."
    )


def _show_evaluate(result: dict[str, Any]) -> str:
    low, high = result["interval"]["mean_iou"]
    rows = [
        [
            c["id"],
            c["name"],
            percent(c["iou"]),
            interval(*c["interval"]),
            c["units"],
            percent(c["dice"]),
            percent(c["precision"]),
            percent(c["recall"]),
            c["support"],
        ]
        for c in result["classes"]
    ]
    unit, size = result["protocol"]["unit"], result["size"]
    heads = ["id", "class", "IoU", "95 %", unit, "Dice", "precision", "recall", "pixels"]
    tail = []
    if result.get("outdated"):
        masks = plural(len(result["outdated"]), "mask")
        tail = [
            "",
            f"{masks} changed after this was counted; count anew: segscope recount RUN --split "
            f"{result['split']}",
        ]
    if "coverage" in result:
        shares = zip(result["classes"], result["coverage"]["scores"]["iou"], strict=True)
        classes = [
            [c["name"], c["units"], percent(one["share"], 0), percent(one["known"], 0)]
            for c, one in shares
        ]
        tail += [
            "",
            result["coverage"]["sentence"],
            table(
                ["class", unit, "intervals that contain the IoU", "sets with an interval"], classes
            ),
        ]
    return "\n".join(
        [
            f"Split {result['split']}, {plural(result['num_samples'], 'image')} at "
            f"{'mixed sizes' if not size else f'{size[0]} x {size[1]}'}, "
            f"{percent(result['ignored_share'])} of the pixels ignored.",
            *_output(result),
            f"Mean IoU {percent(result['mean_iou'])} ({interval(low, high)}), "
            f"pixel accuracy {percent(result['pixel_accuracy'])}.",
            result["how_sure"],
            "",
            table(heads, rows),
            *tail,
        ]
    )


def _output(result: dict[str, Any]) -> list[str]:
    """Say which of several outputs of a run is scored, and how to score another."""
    others = [f"--stage {one}" for one in result.get("stages", []) if one != result["stage"]]
    return [f"Output: {result['output']}; another by {' or '.join(others)}."] if others else []


def _recount_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="id of a training run or of an ensemble")
    _add_split(parser)


def _recount(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    images = workspace.recounts.recount(options.run, options.split, ProgressLine("Counting"))
    return {"run": options.run, "split": options.split, "recounted": images}


def _show_recount(result: dict[str, Any]) -> str:
    if not result["recounted"]:
        return f"No mask of {result['split']} changed since {result['run']} was counted."
    return f"{plural(len(result['recounted']), 'image')} of {result['split']} counted anew."


def _plan_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="id of a training run or of an ensemble")
    parser.add_argument("other", nargs="?", default="", help="another run to compare it with")
    _add_split(parser)
    parser.add_argument(
        "--points",
        type=float,
        default=1.0,
        help="difference in mean IoU to detect, in points (default: 1)",
    )


def _plan(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    runs = [run for run in (options.run, options.other) if run]
    workspace.scores.ensure_counts(runs, options.split, progress=ProgressLine("Predicting"))
    return workspace.scores.plan_test(
        options.run, options.split, other=options.other, points=options.points
    ).to_json()


def _groups_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", help="name of a dataset")
    parser.add_argument(
        "--over", choices=OVER, help="what is resampled for all intervals from now on"
    )


def _groups(options: Options) -> dict[str, Any]:
    datasets = workspace_of(options).datasets
    choice = (
        datasets.choose_interval_groups(options.dataset, options.over)
        if options.over
        else datasets.interval_groups(options.dataset)
    )
    return {"dataset": options.dataset, "by": choice.by, "chosen": choice.chosen}


def _show_groups(result: dict[str, Any]) -> str:
    how = "as chosen" if result["chosen"] else "judging by its images"
    what = "single images" if result["by"] == IMAGES else f"whole groups by {result['by']}"
    few = "" if result["by"] == IMAGES or result["chosen"] else FEW_GROUPS
    return f"Intervals of {result['dataset']} resample {what}, {how}.{few}"


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="ids of training runs or ensembles; all are compared with the first",
    )
    _add_split(parser)
    _add_stage(parser, "leads")
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE",
        help="HTML file to write; it opens offline",
    )
    parser.add_argument(
        "--csv",
        metavar="FILE",
        help="also write the first run's class scores as CSV, separated by ';'",
    )


def _report(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    workspace.scores.ensure_counts(options.runs, options.split, progress=ProgressLine("Predicting"))
    files = [Path(options.out)]
    shown = options.runs, options.split, options.stage
    workspace.reports.write(files[0], workspace.reports.page(*shown))
    document = workspace.reports.document(*shown)
    workspace.checklist.note("report", workspace.runs.open(options.runs[0]).config.dataset)
    if options.csv:
        files.append(Path(options.csv))
        first = next(iter(document.reports.values()))
        workspace.reports.write(files[1], first.label_scores())
    return {
        "files": [str(file) for file in files],
        **document.to_json(),
    }


def _show_report(result: dict[str, Any]) -> str:
    rows = [
        [name, percent(r["mean_iou"]), percent(r["pixel_accuracy"])]
        for name, r in result["reports"].items()
    ]
    reasons = [reason for other in result["against_first"].values() for reason in other["reasons"]]
    written = [f"Wrote {file}" for file in result["files"]]
    return "\n".join(
        [
            table(["on " + result["split"], "mean IoU", "pixel accuracy"], rows),
            *dict.fromkeys(reasons),
            *written,
        ]
    )


SCORE_COMMANDS: dict[str, Command] = {
    "evaluate": Command(
        "score a run, or a folder of masks from any tool",
        _evaluate_arguments,
        _evaluate,
        _show_evaluate,
    ),
    "report": Command(
        "write a report for reviewers into one file that opens offline",
        _report_arguments,
        _report,
        _show_report,
    ),
    "recount": Command(
        "bring the scores of a run up to edited masks, from the predictions on disk",
        _recount_arguments,
        _recount,
        _show_recount,
    ),
    "plan-test": Command(
        "estimate how many test images it takes to detect a difference",
        _plan_arguments,
        _plan,
        lambda result: str(result["sentence"]),
    ),
    "interval-groups": Command(
        "show or choose what intervals resample: images or whole groups",
        _groups_arguments,
        _groups,
        _show_groups,
    ),
    "compress": COMPRESS,
    "back-off": BACK_OFF,
}
