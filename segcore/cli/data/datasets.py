"""Commands about datasets: list and delete, stats, balance, export, the demo."""

import argparse
from pathlib import Path
from typing import Any

from segcore.catalog import BALANCE_RULES
from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.cli.data.balance_text import BY, imbalance_table, plan_tables
from segcore.cli.data.bands import band_table
from segcore.cli.data.splits import SPLIT
from segcore.cli.options import MOST, refuse_unused, whole_number
from segcore.cli.tables import table
from segcore.data.balance.planner import parse_target
from segcore.data.dataset.documents import check_name
from segcore.data.formats.exporters import FORMS
from segcore.errors import SegcoreError, unknown
from segcore.formatting import frequency, percent
from segcore.labels import list_names, plural


def _dataset_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", help="name of a dataset in the workspace")


def _stats_arguments(parser: argparse.ArgumentParser) -> None:
    _dataset_arguments(parser)
    parser.add_argument("--split", help="train, validation or test (default: everything)")


def _stats(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    statistics = workspace.datasets.statistics(options.dataset, progress=ProgressLine("Counting"))
    result = statistics.summary(options.split).to_json()
    if workspace.bands.channels(options.dataset):
        figures = workspace.bands.figures(
            options.dataset, options.split, ProgressLine("Measuring bands")
        )
        result["bands"] = [one.to_json() for one in figures]
    return result


def _show_stats(result: dict[str, Any]) -> str:
    lines = [
        f"{result['dataset']}, split {result['split'] or 'all'}: {result['num_samples']} images, "
        f"{percent(result['ignored_share'])} of the pixels ignored.",
        "",
        table(
            ["id", "class", "pixels", "share", "images"],
            [
                [c["id"], c["name"], c["pixels"], frequency(c["pixel_share"]), c["images"]]
                for c in result["classes"]
            ],
        ),
        "",
    ]
    lines.append(imbalance_table(result["imbalance"]))
    if "bands" in result:
        lines += ["", band_table(result["bands"])]
    return "\n".join(lines)


def _balance_arguments(parser: argparse.ArgumentParser) -> None:
    _dataset_arguments(parser)
    parser.add_argument(
        "--split", default="train", help="split whose images are repeated (default: train)"
    )
    parser.add_argument(
        "--mode",
        default="pixel",
        help="balance shares of pixels (pixel) or of images (image, also written count); default: "
        "pixel",
    )
    parser.add_argument(
        "--target",
        default="uniform",
        help="uniform, tempered (partly balanced), or one share per class: 3,2,2,1 "
        "(default: uniform)",
    )
    parser.add_argument(
        "--rule",
        default="nearest",
        help=f"{', '.join(BALANCE_RULES)} (default: nearest to the target)",
    )
    parser.add_argument(
        "--amount",
        type=float,
        help="threshold t of lvis (default: 0.5), or share of copies of ml_ros (default: 0.25)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number("--seed", 0, MOST),
        help="random seed of lvis and ml_ros (default: 0)",
    )
    parser.add_argument(
        "--ground",
        default="nominal",
        help="distance between classes: nominal (all equal) or ordered (number of steps between "
        "them); default: nominal",
    )
    parser.add_argument(
        "--temper",
        type=float,
        help="exponent of the shares with --target tempered, 0 to 1 (default: 0.5)",
    )
    parser.add_argument(
        "--max-repeats",
        type=int,
        default=5,
        metavar="R",
        help="how often an image may occur at most (default: 5)",
    )
    parser.add_argument(
        "--budget",
        type=int,
        metavar="B",
        help="maximum number of copies in total (default: no limit)",
    )
    parser.add_argument(
        "--save",
        metavar="PLAN",
        help="save the plan under this name, for segscope train --balance-plan PLAN",
    )


def _balance(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    datasets = workspace.datasets
    if options.save:
        check_name(options.save, "plan")
    if options.target != "tempered":
        refuse_unused(options, ("--temper",), "without --target tempered")
    if options.rule == "nearest":
        refuse_unused(options, ("--amount", "--seed"), "with --rule nearest")
    mode = "count" if options.mode == "image" else options.mode
    asked = (options.dataset, options.split, mode, options.max_repeats, options.budget)
    how: dict[str, Any] = {
        "target": parse_target(options.target),
        "temper": 0.5 if options.temper is None else options.temper,
        "ground": options.ground,
        "rule": options.rule,
    }
    if options.rule != "nearest":
        how |= {"amount": options.amount, "seed": options.seed or 0}
    plan = datasets.plan_balance(*asked, **how)
    if options.save:
        datasets.save_plan(options.dataset, options.save, plan)
    workspace.checklist.note("balance", options.dataset)
    classes = datasets.open(options.dataset).label_set.class_names
    return {
        "dataset": options.dataset,
        "saved_as": options.save,
        "classes": classes,
        "rarer": plan.rarer(classes),
        **plan.to_json(),
    }


def _show_balance(result: dict[str, Any]) -> str:
    repeats = result["repeats"].values()
    again = sum(r > 1 for r in repeats)
    lines = [
        (
            f"{result['dataset']}, split {result['split']}, by {BY[result['mode']]}: "
            f"{len(repeats)} images, {result['copies']} copies of {again} of them."
        ),
        "",
        plan_tables(result),
        "",
        result["verdict"],
        *([result["rarer"]] if result["rarer"] else []),
    ]
    if result["saved_as"]:
        lines.append(
            f"Saved as {result['saved_as']!r}: segscope train {result['dataset']} "
            f"--balance-plan {result['saved_as']}"
        )
    return "\n".join(lines)


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    _dataset_arguments(parser)
    parser.add_argument("folder", help="a new folder to write into")
    parser.add_argument("--form", default="index", help=f"{', '.join(FORMS)} (default: index)")


def _export(options: Options) -> dict[str, Any]:
    folder = workspace_of(options).datasets.export(
        options.dataset, Path(options.folder), options.form, progress=ProgressLine("Exporting")
    )
    return {"dataset": options.dataset, "form": options.form, "folder": str(folder)}


def _show_export(result: dict[str, Any]) -> str:
    return f"Wrote {result['dataset']} to {result['folder']} ({FORMS[result['form']].title})."


def _datasets_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", default="list", help="list or delete. Default: list.")
    parser.add_argument("dataset", nargs="*", help="names of the datasets to delete, for good")
    parser.add_argument(
        "--yes",
        action="store_true",
        help="delete even datasets of runs, which then can only be listed and deleted",
    )


def _datasets(options: Options) -> list[dict[str, Any]] | dict[str, list[str]]:
    workspace = workspace_of(options)
    if options.action != "delete":
        names = [*[options.action] * (options.action != "list"), *options.dataset]
        if names:
            if options.action != "list" and options.dataset:
                raise unknown("action", options.action, ("list", "delete"))
            raise SegcoreError(
                f"Expected datasets list or datasets delete DATASET, received {' '.join(names)}: "
                f"see segscope stats {names[0]} for one dataset."
            )
        return [row.to_json() for row in workspace.datasets.rows()]
    if not options.dataset:
        raise SegcoreError(
            "Expected the dataset to delete, received none: name it, for example segscope datasets "
            "delete DATASET."
        )
    names = list(dict.fromkeys(options.dataset))
    for name in names:
        workspace.datasets.check_is_there(name)
        runs = [] if options.yes else [r.run for r in workspace.runs.rows() if r.dataset == name]
        if runs:
            raise SegcoreError(
                f"Expected a dataset without runs, received {name!r}, without which "
                f"{plural(len(runs), 'run')} ({list_names(runs, 3)}) could no longer be shown, "
                "predicted or resumed: delete these first (segscope runs delete RUN), or add --yes."
            )
    for name in names:
        workspace.datasets.delete(name)
    return {"deleted": names}


def _show_datasets(result: list[dict[str, Any]] | dict[str, list[str]]) -> str:
    if isinstance(result, dict):
        return f"Deleted {list_names(result['deleted'])}."
    if not result:
        return ""
    rows = [
        [
            d["name"],
            d["num_samples"],
            d["num_classes"],
            d.get("problem") or ", ".join(f"{k or 'no split'} {v}" for k, v in d["splits"].items()),
            d["num_unlabelled"],
        ]
        for d in result
    ]
    return table(["dataset", "samples", "classes", "splits", "unlabelled"], rows)


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rebuild",
        metavar="FOLDER",
        help="retrain the demo's models and write them to FOLDER (assets/demo)",
    )


def _demo(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    if options.rebuild:
        return workspace.demo.rebuild(
            Path(options.rebuild), progress=ProgressLine("Training")
        ).to_json()
    return workspace.demo.open(progress=ProgressLine("Drawing scenes")).to_json()


def _show_demo(result: dict[str, Any]) -> str:
    run = result["runs"][0]
    return "\n".join(
        [
            f"The demo is dataset {result['dataset']!r} with {plural(len(result['runs']), 'member')}:",
            *(f"  {one}" for one in result["runs"]),
            f"Next, see its scores: segscope evaluate {run} --split test",
            f"and what merging labels would bring: segscope compress {run} --split validation",
        ]
    )


DATASET_COMMANDS: dict[str, Command] = {
    "datasets": Command(
        "list the datasets; delete some",
        _datasets_arguments,
        _datasets,
        _show_datasets,
        nothing=(
            "No dataset yet in {workspace}: segscope import FOLDER --name NAME, or segscope demo; "
            "another folder: --workspace DIR"
        ),
    ),
    "stats": Command(
        "show class balance by pixel and by image, and imbalance measures",
        _stats_arguments,
        _stats,
        _show_stats,
    ),
    "split": SPLIT,
    "balance": Command(
        "choose images to repeat so that classes are more balanced",
        _balance_arguments,
        _balance,
        _show_balance,
    ),
    "export": Command("export a dataset for other tools", _export_arguments, _export, _show_export),
    "demo": Command(
        "open the synthetic demo with its five trained models", _demo_arguments, _demo, _show_demo
    ),
}
