"""The command runs: list and show runs; stop, resume, delete, restore or export them."""

import argparse
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from segcore.catalog import RUN_EXPORTS
from segcore.cli.command import Command, Options, workspace_of
from segcore.cli.run_details import run_details, show_details
from segcore.cli.tables import table
from segcore.errors import SegcoreError, unknown
from segcore.formatting import percent
from segcore.labels import plural
from segcore.workspace import Workspace
from segcore.workspace.runs.rows import OWN_SIZE, RunRow

ACTIONS = ("list", "show", "stop", "resume", "delete", "restore", "export")


def _runs_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        nargs="?",
        default="list",
        help=f"{', '.join(ACTIONS)}; a run's id in its place shows that run. Default: list.",
    )
    parser.add_argument(
        "run",
        nargs="*",
        help="ids of the runs: list shows only these, show says all about each, the others act on "
        "them; restore takes them from the trash",
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
    typed = options.run
    workspace = workspace_of(options)
    if options.action not in ACTIONS:
        _show_named(workspace, options)
    whole = options.action in ("delete", "restore")  # an ensemble's name means it on all splits
    named = list(dict.fromkeys(typed if whole else options.run))
    if options.action != "list" and not named:
        raise SegcoreError(
            f"Expected the run to {options.action}, received none: name it, for "
            f"example segscope runs {options.action} RUN."
        )
    if options.action == "show":
        return {"runs": [run_details(workspace, run) for run in named], "shown": True}
    done = {} if options.action == "list" else _act(workspace, options, named)
    rows = workspace.runs.rows()
    changed = workspace.mask_changes.since(rows)
    listed = _named(workspace, rows, named) if options.action == "list" else rows
    return {
        "runs": [{**row.to_json(), "masks_changed": changed.get(row.run, 0)} for row in listed],
        **done,
    }


def _show_named(workspace: Workspace, options: Options) -> None:
    """Read ``runs RUN`` as ``runs show RUN``.

    Raises:
        SegcoreError: The word is no run's and resembles an action.
    """
    run = workspace.runs.resolve(options.action)
    if run not in workspace.runs.ids() and get_close_matches(run, ACTIONS):
        raise unknown("action", run, ACTIONS)
    options.action, options.run = "show", [run, *options.run]


def _named(workspace: Workspace, rows: Sequence[RunRow], named: Sequence[str]) -> list[RunRow]:
    """Return the rows of these runs in their order, all where none is named.

    Raises:
        SegcoreError: There is no run of such a name.
    """
    known = {row.run: row for row in rows}
    for run in named:
        if run not in known:
            workspace.runs.open(run)
    return [known[run] for run in named] or list(rows)


def _act(workspace: Workspace, options: Options, named: Sequence[str]) -> dict[str, Any]:
    """Stop, resume, delete, restore or export runs; return what happened, with sentences."""
    if options.action == "export":
        exports = [workspace.exports.export(run, options.to, options.into) for run in named]
        return {"exported": exports, "messages": exports}
    if options.action == "delete":
        return _delete(workspace, named)
    if options.action == "restore":
        restored = [run for one in named for run in workspace.annotations.restore_run(one)]
        return {"restored": restored, "messages": [f"Restored {', '.join(restored)}."]}
    for run in named:
        if options.action == "stop":
            workspace.runs.stop(run)
        else:
            workspace.runs.resume(run, learning_rate_factor=options.slower)
    return {"messages": [_now(workspace, run) for run in named]}


def _delete(workspace: Workspace, named: Sequence[str]) -> dict[str, Any]:
    names = {run: name for name in named for run in workspace.runs.saved_as(name)}
    deletions = workspace.annotations.delete(named)
    trash = {entry.id: entry.runs for entry in workspace.annotations.trash()}
    messages = []
    for first, *others in (trash[deletion] for deletion in deletions):
        count = plural(len(others), "prediction") if len(others) > 1 else "prediction"
        along = f"{first} with its {count} ({', '.join(others)})" if others else first
        name = names.get(first, first)
        what = along if name == first else f"{name} ({', '.join([first, *others])})"
        messages.append(
            f"Deleted {what}. Take it back within "
            f"{workspace.annotations.kept_days:.0f} days: segscope runs restore {name}"
        )
    deleted = [run for deletion in deletions for run in trash[deletion]]
    return {"deleted": deleted, "messages": messages}


def _now(workspace: Workspace, run: str) -> str:
    """Say what became of a run that was stopped or resumed."""
    status = workspace.runs.open(run).status()
    if status.state == "stopping":
        return f"{run} stops after a checkpoint; a second stop ends it at once."
    if status.state == "interrupted":
        return f"{run} is stopped. Continue it with: segscope runs resume {run}"
    return f"{run} is {status.state}."


def _show_runs(result: dict[str, Any]) -> str:
    if "messages" in result:
        return "\n".join(result["messages"])
    if "shown" in result:
        return "\n\n\n".join(map(show_details, result["runs"]))
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
    scored = next((r["run"] for r in result["runs"] if _has_interval(r)), "")
    how = f"\nA score with its interval: segscope runs show {scored}" if scored else ""
    failed = [r for r in result["runs"] if r["state"] == "failed"]
    failed.sort(
        key=lambda r: r["kind"] in ("predict", "evaluate")
    )  # which often waited for another
    why = f"\nWhy a run failed: segscope runs show {failed[0]['run']}" if failed else ""
    return table(heads, rows) + how + why


def _has_interval(row: dict[str, Any]) -> bool:
    """Whether a row's score is one over images that were counted, of which an interval is known."""
    return row["kind"] in ("predict", "evaluate") and row["mean_iou"] is not None


def _scores(row: dict[str, Any]) -> list[str]:
    """Return the mean IoU at own size, that at the training size, and what either belongs to."""
    score, own = percent(row["mean_iou"]), row["scored_size"] == OWN_SIZE
    known = row["mean_iou"] is not None
    place = ", ".join(p for p in (row["scored_split"], row["scored_size"]) if p)
    return [score if own else "–", "–" if own else score, place if known else "–"]


RUN_COMMANDS: dict[str, Command] = {
    "runs": Command(
        "list or show runs; stop, resume, delete, restore or export some",
        _runs_arguments,
        _runs,
        _show_runs,
        nothing=(
            "There are no runs yet in {workspace}. Start one with: segscope train DATASET; another "
            "folder: --workspace DIR"
        ),
    ),
}
