"""The command ``study``: recipes that differ from a base in one thing each, run with several seeds and set side by side."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from segcore.cli.command import Command, Options, ProgressLine, parse_pairs, workspace_of
from segcore.cli.tables import table
from segcore.errors import SegcoreError
from segcore.workspace import Workspace
from segcore.workspace.ablations.ablations import Ablations
from segcore.workspace.ablations.rows import CELLS, csv_table, markdown_table, row_cells
from segcore.workspace.ablations.table import Plan, set_beside, study_page
from segcore.workspace.launch.grid import rebase


def _arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    known = ", ".join(Ablations.shipped())
    add(
        "study",
        metavar="FILE",
        help=(
            f"a study file, one that comes with Segscope ({known}), or one that was started "
            "here, by its name"
        ),
    )
    add(
        "--dataset",
        action="append",
        default=[],
        metavar="NAME",
        help="dataset to run it on; repeat it for folds of one",
    )
    add(
        "--weights",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="a weights file that recipes name as {NAME}",
    )
    add(
        "--seeds",
        default="",
        metavar="0,1,2",
        help="seeds instead of the file's; more seeds extend a study",
    )
    add(
        "--base",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="another value in the base of a file: epochs=60, size=192x256",
    )
    add(
        "--rows",
        default="",
        metavar="A,B",
        help="start only these rows, the base, and what they are compared with",
    )
    add("--show", action="store_true", help="start nothing: print how it stands")
    add(
        "--wait",
        action="store_true",
        help="return when all has ended; without it the runs go on by themselves",
    )
    add(
        "--beside",
        action="append",
        default=[],
        metavar="NAME",
        help="set the same study on other data, started before, beside it",
    )
    add("--csv", metavar="FILE", help="also write the table, ';' between cells")
    add("--html", metavar="FILE", help="also write one page with charts that opens offline")
    add("--out", metavar="FILE", help="also write the table as Markdown")


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read whole numbers of 0 or more between commas.

    Raises:
        SegcoreError: One is none.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdigit() for part in parts):
        raise SegcoreError(
            f"Expected seeds as whole numbers between commas, received {text!r}: write for "
            "example 0,1,2."
        )
    return tuple(dict.fromkeys(map(int, parts)))


def _plan(workspace: Workspace, options: Options) -> Plan:
    """Return the study that the options name, with what was kept of it; what is given anew goes first."""
    shelf = workspace.ablations
    base = parse_pairs(options.base, "a field of the base as FIELD=VALUE", "epochs=60")
    kept = (
        "" if options.dataset or base or Path(options.study).exists() else shelf.find(options.study)
    )
    if kept:
        plan = shelf.open(kept)
        study, datasets, weights = plan.study, list(plan.datasets), plan.weights
    else:
        study, datasets, weights = rebase(shelf.read(options.study), base), options.dataset, {}
        before = Plan(study, tuple(dict.fromkeys(datasets)), {}).name
        weights = shelf.open(before).weights if before in shelf.names() else {}
    if options.seeds:
        study = dataclasses.replace(study, seeds=parse_seeds(options.seeds))
    given = parse_pairs(
        options.weights, "a weights file as NAME=PATH", "squeezenet=weights/squeezenet.npz"
    )
    return shelf.plan(study, datasets, {**weights, **given})


def _study(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    shelf, plan = workspace.ablations, _plan(workspace, options)
    rows = [name.strip() for name in options.rows.split(",") if name.strip()]
    queued = [] if options.show else shelf.start(plan, rows)
    pending = shelf.progress(plan).pending
    while options.wait and pending:
        try:
            workspace.runs.wait(pending, progress=ProgressLine("Study"))
        except SegcoreError:
            break  # the table names what failed; the rest is there
        if not options.show:
            queued += shelf.start(
                plan, rows
            )  # what could not be asked for before the trainings had ended
        pending = shelf.progress(plan).pending
    found = shelf.table(plan)
    files = []
    if options.csv:
        files.append(Path(options.csv))
        workspace.reports.write(files[-1], csv_table([row.to_json() for row in found.rows]))
    if options.html:
        files.append(Path(options.html))
        facts = workspace.reports.facts([run for row in found.rows for run in row.runs][:1])
        workspace.reports.write(files[-1], study_page(found, facts))
    if options.out:
        files.append(Path(options.out))
        workspace.reports.write(files[-1], markdown_table(found.rows))
    others = [shelf.table(shelf.open(shelf.find(name) or name)) for name in options.beside]
    beside = {"beside": set_beside([found, *others])} if others else {}
    return {
        **found.to_json(),
        **beside,
        "queued": queued,
        "pending": list(shelf.progress(plan).pending),
        "files": [str(file) for file in files],
    }


def _show(result: dict[str, Any]) -> str:
    lines = [table(CELLS, [row_cells(row) for row in result["rows"]]), ""]
    causes = [f"{row['row']}: {row['cause']}" for row in result["rows"] if row["cause"]]
    lines += [*causes, *([""] if causes else [])]
    lines += [line for line in (result["protocol"], *result["sentences"]) if line]
    if "beside" in result:
        names = list(result["beside"][0]["on"])
        lines += [
            "",
            table(
                ["points", *names],
                [
                    [row["row"], *(_told(row["on"][name]) for name in names)]
                    for row in result["beside"]
                ],
            ),
        ]
    if result["queued"]:
        lines.append(f"Queued {len(result['queued'])} runs.")
    if result["pending"]:
        lines.append(
            f"{len(result['pending'])} runs wait or work; see them by: segscope runs; the "
            "table again by the same command with --show."
        )
    lines += [f"Wrote {file}" for file in result["files"]]
    return "\n".join(lines)


def _told(found: dict[str, Any]) -> str:
    if found["points"] is None or found["interval"][0] is None:
        return str(found["verdict"])
    return "{:+.1f} ({:+.1f} to {:+.1f}), {}".format(
        found["points"], *found["interval"], found["verdict"]
    )


ABLATION_COMMANDS: dict[str, Command] = {
    "study": Command(
        "run recipes that differ in one thing each with several seeds, and say which help",
        _arguments,
        _study,
        _show,
    ),
}
