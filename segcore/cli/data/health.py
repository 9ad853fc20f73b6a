"""``segscope health``: what is wrong with a dataset, or could be."""

import argparse
from typing import Any

from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.labels import list_names, plural

SHOWN = 5
"""Samples of a finding that are named in the text; ``--json`` lists all."""


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", help="name of a dataset in the workspace")


def _health(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    found = workspace.datasets.health(options.dataset, ProgressLine("Reading images"))
    workspace.checklist.note("health", options.dataset)
    return {"dataset": options.dataset, "findings": [finding.to_json() for finding in found]}


def _show(result: dict[str, Any]) -> str:
    findings = result["findings"]
    if not findings:
        return f"{result['dataset']}: nothing found."
    lines = [f"{result['dataset']}: {plural(len(findings), 'finding')}, problems first."]
    for finding in findings:
        lines.append(f"\n{finding['level']}: {finding['what']}")
        if finding["fix"]:
            lines.append(f"  fix: {finding['fix']}")
        samples = finding["samples"]
        if samples:
            rest = len(samples) - SHOWN
            more = f" and {rest} more (--json lists all)" if rest > 0 else ""
            lines.append(f"  {plural(len(samples), 'image')}: {list_names(samples[:SHOWN])}{more}")
    return "\n".join(lines)


HEALTH_COMMANDS = {
    "health": Command(
        "look for damaged files, empty masks, duplicates, leaks between splits, missing classes",
        _arguments,
        _health,
        _show,
    )
}
