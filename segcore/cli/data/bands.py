"""The command about bands that keep their values: figures of each, and which are shown."""

import argparse
from typing import Any

from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.cli.tables import table
from segcore.formatting import percent


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", help="name of a dataset imported with --bands all, or a list")
    parser.add_argument("--split", help="train, validation or test (default: everything)")
    parser.add_argument(
        "--show",
        default="",
        metavar="NAMES",
        help="channels to show from now on, one for grey or red, green and blue: nir,red,green; "
        "networks see all channels, whatever is shown",
    )


def _run(options: Options) -> dict[str, Any]:
    bands = workspace_of(options).bands
    figures = bands.figures(options.dataset, options.split, ProgressLine("Measuring"))
    names = [name.strip() for name in options.show.split(",") if name.strip()]
    display = bands.show(options.dataset, names) if names else bands.display(options.dataset)
    channels = [one.name for one in figures]
    return {
        "dataset": options.dataset,
        "split": options.split,
        "bands": [one.to_json() for one in figures],
        "shown": [channels[place] for place in display.shown],
    }


def _show(result: dict[str, Any]) -> str:
    head = f"{result['dataset']}, split {result['split'] or 'all'}:"
    return f"{head}\n{band_table(result['bands'])}\nShown: {', '.join(result['shown'])}"


def band_table(rows: list[dict[str, Any]]) -> str:
    """Return the figures of each channel as a table for people."""
    names = ("mean", "std", "minimum", "low", "high", "maximum")
    return table(
        ["channel", "mean", "deviation", "least", "2 %", "98 %", "greatest", "no value"],
        [
            [
                row["name"],
                *("" if row[k] is None else f"{row[k]:.6g}" for k in names),
                percent(row["missing"]),
            ]
            for row in rows
        ],
    )


BAND_COMMANDS: dict[str, Command] = {
    "bands": Command(
        "figures of bands that keep their values; choose those shown", _arguments, _run, _show
    ),
}
"""What the program adds to its commands."""
