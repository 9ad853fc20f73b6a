"""The command ablation: recipes that differ from a base in one thing each, compared over seeds."""

import argparse
import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

from segcore.cli.command import Command, Options, ProgressLine, parse_pairs, workspace_of
from segcore.cli.tables import table
from segcore.config.schema import shortened
from segcore.errors import SegcoreError
from segcore.formatting import plural, signed
from segcore.workspace import Workspace
from segcore.workspace.ablations.ablations import Ablations
from segcore.workspace.ablations.rows import CELLS, csv_table, markdown_table, row_cells
from segcore.workspace.ablations.table import Plan, ablation_html, compare_datasets
from segcore.workspace.launch.grid import rebase


def _arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    known = ", ".join(Ablations.shipped())
    add(
        "ablation",
        metavar="FILE",
        help=f"an ablation file, one that comes with Segscope ({known}), or the name of one that "
        "was started here",
    )
    add(
        "--dataset",
        action="append",
        default=[],
        metavar="NAME",
        help="dataset to train on; repeat for folds of one dataset",
    )
    add(
        "--weights",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="a weights file that recipes refer to as {NAME}",
    )
    add(
        "--seeds",
        default="",
        metavar="0,1,2",
        help="replace the file's seeds; more seeds extend an ablation",
    )
    add(
        "--base",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="change a value of the base: epochs=60, size=192x256",
    )
    add(
        "--rows",
        default="",
        metavar="A,B",
        help="start only these rows, the base and the rows they are compared with",
    )
    add("--show", action="store_true", help="start nothing: print the current results")
    add(
        "--wait",
        action="store_true",
        help="wait until all runs have ended; otherwise they run in the background",
    )
    add(
        "--beside",
        action="append",
        default=[],
        metavar="NAME",
        help="compare with the same ablation on other data, started before",
    )
    add("--csv", metavar="FILE", help="also write the table as CSV")
    add("--html", metavar="FILE", help="also write one HTML page with charts, readable offline")
    add("--out", metavar="FILE", help="also write the table as Markdown")


def parse_seeds(text: str) -> tuple[int, ...]:
    """Read whole numbers of 0 or more between commas.

    Raises:
        SegcoreError: A part is no such number.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise SegcoreError(
            "Expected seeds as whole numbers below 10^9 between commas, received "
            f"{shortened(text)}: write for example 0,1,2."
        )
    return tuple(dict.fromkeys(map(int, parts)))


def parse_rows(text: str, known: Collection[str]) -> list[str]:
    """Return the names of rows between commas; a comma may be part of a known name."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    rows = []
    while parts:
        runs = (", ".join(parts[:count]) for count in range(len(parts), 0, -1))
        rows.append(next((name for name in runs if name in known), parts[0]))
        del parts[: rows[-1].count(", ") + 1]
    return rows


def _plan(workspace: Workspace, options: Options) -> Plan:
    """Return the ablation that the options name; options override what was saved of it."""
    ablations = workspace.ablations
    base = parse_pairs(options.base, "a field of the base as FIELD=VALUE", "epochs=60")
    started = (
        ""
        if options.dataset or base or Path(options.ablation).exists()
        else ablations.find(options.ablation)
    )
    if started:
        plan = ablations.open(started)
        ablation, datasets, weights = plan.ablation, list(plan.datasets), plan.weights
    else:
        ablation, datasets, weights = (
            rebase(ablations.read(options.ablation), base),
            options.dataset,
            {},
        )
        before = Plan(ablation, tuple(dict.fromkeys(datasets)), {}).name
        weights = ablations.open(before).weights if before in ablations.names() else {}
    if options.seeds:
        ablation = dataclasses.replace(ablation, seeds=parse_seeds(options.seeds))
    given = parse_pairs(
        options.weights, "a weights file as NAME=PATH", "squeezenet=weights/squeezenet.npz"
    )
    return ablations.plan(ablation, datasets, {**weights, **given})


def _run(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    ablations, plan = workspace.ablations, _plan(workspace, options)
    rows = parse_rows(options.rows, {row.name for row in plan.ablation.rows})
    queued = [] if options.show else ablations.start(plan, rows)
    pending = ablations.progress(plan).pending
    while options.wait and pending:
        try:
            workspace.runs.wait(pending, progress=ProgressLine("Training"))
        except SegcoreError:
            break  # the table names what failed; the rest is there
        if not options.show:
            queued += ablations.start(
                plan, rows
            )  # what could not be queued before the trainings had ended
        pending = ablations.progress(plan).pending
    results = ablations.table(plan)
    files = []
    if options.csv:
        files.append(Path(options.csv))
        workspace.reports.write(files[-1], csv_table(results.rows))
    if options.html:
        files.append(Path(options.html))
        facts = workspace.reports.facts([run for row in results.rows for run in row.runs][:1])
        workspace.reports.write(files[-1], ablation_html(results, facts))
    if options.out:
        files.append(Path(options.out))
        workspace.reports.write(files[-1], markdown_table(results.rows))
    others = [
        ablations.table(ablations.open(ablations.find(name) or name)) for name in options.beside
    ]
    beside = (
        {"beside": [row.to_json() for row in compare_datasets([results, *others])]}
        if others
        else {}
    )
    return {
        **results.to_json(),
        **beside,
        "queued": queued,
        "pending": list(ablations.progress(plan).pending),
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
                    [row["row"], *(_cell(row["on"][name]) for name in names)]
                    for row in result["beside"]
                ],
            ),
        ]
    if result["queued"]:
        lines.append(f"Queued {plural(len(result['queued']), 'run')}.")
    if result["pending"]:
        lines.append(
            f"{plural(len(result['pending']), 'run')} queued or running (list them with: "
            "segscope runs); repeat the command with --show for the table."
        )
    lines += [f"Wrote {file}" for file in result["files"]]
    return "\n".join(lines)


def _cell(result: dict[str, Any]) -> str:
    if result["points"] is None or result["interval"][0] is None:
        return str(result["verdict"])
    points, low, high = (signed(value) for value in (result["points"], *result["interval"]))
    return f"{points} ({low} to {high}), {result['verdict']}"


ABLATION_COMMANDS: dict[str, Command] = {
    "ablation": Command(
        "train variants of a recipe with several seeds and compare them",
        _arguments,
        _run,
        _show,
        aliases=("study",),
    ),
}
