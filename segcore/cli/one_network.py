"""Commands that make one network of several: distil, average."""

import argparse
from typing import Any

from segcore.catalog import resolve
from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.cli.options import add_setting, add_settings, destination, given
from segcore.cli.tables import table
from segcore.config import DistillationConfig, TrainConfig
from segcore.config.schema import settings
from segcore.formatting import number, percent
from segcore.workspace import Workspace

OF_TEACHERS = ("train_split", "validation_split", "label_map", "submodels", "members_by", "hosts")
"""Fields of training that a student shares with its teachers, or that it cannot have."""


def _common_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "runs",
        nargs="+",
        metavar="RUN",
        help="ids of finished training runs, or of an ensemble",
    )
    add("--name", default="", help="id of the new run. Default: made from dataset and network.")
    add(
        "--wait",
        action="store_true",
        help="wait until the run has ended and compare it with the ensemble and the best member; "
        "otherwise it runs in the background",
    )
    add("--split", default="test", help="split of that comparison (default %(default)s)")


def _distil_arguments(parser: argparse.ArgumentParser) -> None:
    _common_arguments(parser)
    add_settings(parser, DistillationConfig)
    group = parser.add_argument_group(
        "training of the student",
        "As of segscope train; what is not given is the first teacher's.",
    )
    for one in settings(TrainConfig).values():
        if one.name in OF_TEACHERS:
            parser.set_defaults(**{destination(one): None})
        else:
            add_setting(group, one)


def _distil(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    values = given(options, TrainConfig)
    if "architecture" in values or "encoder" in values:
        first = workspace.runs.open(workspace.one_networks.members(options.runs)[0]).config
        usual = first.model if isinstance(first, TrainConfig) else None
        values["architecture"], values["encoder"] = resolve(
            values.get("architecture", usual.architecture if usual else ""),
            values.get("encoder", usual.encoder if usual else ""),
        )
    config = workspace.one_networks.student(
        options.runs, values, **given(options, DistillationConfig)
    )
    run = workspace.one_networks.distil(config, options.name)
    return _result(workspace, run, options, "Distilling")


def _average(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    run = workspace.one_networks.average(options.runs, options.name)
    return _result(workspace, run, options, "Averaging")


def _result(workspace: Workspace, run: str, options: Options, what: str) -> dict[str, Any]:
    if not options.wait:
        return {"run": run}
    verdicts = workspace.network_verdicts
    workspace.runs.wait([run], progress=ProgressLine(what))
    workspace.runs.wait(
        verdicts.prepare(run, options.split), progress=ProgressLine(f"Predicting {options.split}")
    )
    verdicts.calibrate(run, options.split, progress=ProgressLine("Measuring calibration"))
    return verdicts.verdict(run, options.split).to_json()


def _show(result: dict[str, Any]) -> str:
    if "rows" not in result:
        return (
            f"Started {result['run']}\nList it with: segscope runs; the same command with --wait "
            "waits for it and compares."
        )
    rows = [
        [
            row["role"],
            row["run"],
            f"{percent(row['mean_iou'])} ({_range(row['interval'])})",
            number(row["ece"]),
            "-" if row["milliseconds"] is None else f"{row['milliseconds']:.1f}",
            "-" if row["megabytes"] is None else f"{row['megabytes']:.1f}",
        ]
        for row in result["rows"]
    ]
    heads = [f"on {result['split']}", "run", "mean IoU", "ECE", "ms an image", "MB"]
    lines = [table(heads, rows), "", *result["sentences"]]
    lines.append(f"The best member is the one that scored best on {result['chosen_on']}.")
    if result["kept"]:
        lines.append(f"In the average: {', '.join(result['kept'])}.")
    if result["device"]:
        lines.append(f"Speed: {result['device']}, one image at a time.")
    return "\n".join(lines)


def _range(ends: list[float | None]) -> str:
    low, high = ends
    return "no interval" if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f}"


ONE_NETWORK_COMMANDS: dict[str, Command] = {
    "distil": Command(
        "train one network on the mean probabilities of several",
        _distil_arguments,
        _distil,
        _show,
    ),
    "average": Command(
        "average the weights of several networks that share a start",
        _common_arguments,
        _average,
        _show,
    ),
}
