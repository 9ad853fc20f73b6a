"""The command about what was done in a workspace, and by whom."""

import argparse
from datetime import datetime
from typing import Any

from segcore.cli.command import Command, Options, parse_count, workspace_of
from segcore.cli.tables import table


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--last", default="50", metavar="N", help="how many actions at most (default: 50)"
    )
    parser.add_argument(
        "--find",
        default="",
        metavar="TEXT",
        help="only actions whose person or words hold this text, such as a name or a run",
    )


def _run(options: Options) -> dict[str, Any]:
    most = parse_count(options.last, "--last", 1, 1_000_000)
    actions = workspace_of(options).history.actions(most, options.find)
    return {"actions": [action.to_json() for action in actions]}


def _show(result: dict[str, Any]) -> str:
    if not result["actions"]:
        return ""
    rows = [
        (datetime.fromtimestamp(row["time"]).strftime("%Y-%m-%d %H:%M"), row["who"], row["what"])
        for row in result["actions"]
    ]
    return table(("time", "who", "what"), rows)


HISTORY_COMMANDS = {
    "history": Command(
        "show what was done in the workspace, and by whom",
        _arguments,
        _run,
        _show,
        nothing="Nothing was noted in {workspace}; another folder: --workspace DIR",
    )
}
