"""The command runs: list runs; stop, resume, delete, restore or export them."""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from segcore.catalog import RUN_EXPORTS
from segcore.cli.command import Command, Options, workspace_of
from segcore.cli.tables import table
from segcore.errors import SegcoreError
from segcore.formatting import percent
from segcore.labels import plural
from segcore.workspace.runs.rows import OWN_SIZE


def _runs_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        nargs="?",
        choices=["list", "stop", "resume", "delete", "restore", "export"],
        default="list",
    )
    parser.add_argument(
        "run",
        nargs="*",
        help="ids of the runs to stop, resume, delete, restore from the trash, or export",
    )
    parser.add_argument(
        "--to", choices=[*RUN_EXPORTS], default="tensorboard", help="export: which tracker"
    )
    parser.add_argument(
        "--into",
        default="",
        help="export: a folder (tensorboard), a tracking address (mlflow), a project (wandb)",
    )
    parser.add_argument(
        "--slower",
        type=float,
        default=1.0,
        help="resume a training at this fraction of its learning rate, such as 0.5",
    )


def _runs(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    resume = partial(workspace.runs.resume, learning_rate_factor=options.slower)
    actions: dict[str, Callable[[str], Any]] = {
        "stop": workspace.runs.stop,
        "resume": resume,
        "delete": workspace.runs.delete,
    }
    actions["restore"] = workspace.annotations.restore_run
    actions["export"] = partial(workspace.exports.export, tracker=options.to, target=options.into)
    exported = []
    if options.action in actions:
        if not options.run:
            raise SegcoreError(
                f"Expected the run to {options.action}, received none: name it, for "
                f"example segscope runs {options.action} RUN."
            )
        for run in options.run:
            answer = actions[options.action](run)
            exported += [answer] if options.action == "export" else []
    rows = workspace.runs.rows()
    changed = workspace.mask_changes.since(rows)
    return {
        "runs": [{**row.to_json(), "masks_changed": changed.get(row.run, 0)} for row in rows],
        **({"exported": exported} if exported else {}),
    }


def _show_runs(result: dict[str, Any]) -> str:
    if "exported" in result:
        return "\n".join(result["exported"])
    if not result["runs"]:
        return ""
    rows = [
        [
            r["run"],
            r["kind"],
            r["state"],
            r["dataset"],
            percent(r["progress"], 0),
            *_scores(r),
            f"changed since: {plural(r['masks_changed'], 'mask')}" if r["masks_changed"] else "",
        ]
        for r in result["runs"]
    ]
    heads = [
        "run",
        "kind",
        "state",
        "dataset",
        "done",
        "mean IoU",
        "in training",
        "scored on",
        "data",
    ]
    if not any(row[-1] for row in rows):
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    return table(heads, rows)


def _scores(row: dict[str, Any]) -> list[str]:
    """Return the mean IoU at own size, that at the training size, and what either belongs to."""
    score, own = percent(row["mean_iou"]), row["scored_size"] == OWN_SIZE
    known = row["mean_iou"] is not None
    place = ", ".join(p for p in (row["scored_split"], row["scored_size"]) if p)
    return [score if own else "–", "–" if own else score, place if known else "–"]


RUN_COMMANDS: dict[str, Command] = {
    "runs": Command(
        "list runs; stop, resume, delete, restore or export some",
        _runs_arguments,
        _runs,
        _show_runs,
        nothing=(
            "There are no runs yet in {workspace}. Start one with: segscope train DATASET; another "
            "folder: --workspace DIR"
        ),
    ),
}
