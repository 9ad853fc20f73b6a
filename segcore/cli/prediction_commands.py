"""Commands about predictions of other tools: import-predictions."""

import argparse
from pathlib import Path
from typing import Any

from segcore.catalog import MASK_VALUES
from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.cli.tables import number, table
from segcore.errors import SegcoreError

LISTED = 20


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", help="name of a dataset in the workspace")
    parser.add_argument(
        "source",
        help=(
            "folder, zip or tar of masks, or of probabilities as .npy or .npz, named like the "
            "images"
        ),
    )
    parser.add_argument("--name", help="id of the new run (default: the name of the folder)")
    parser.add_argument("--split", default="test")
    parser.add_argument(
        "--values",
        default="auto",
        help=f"what a pixel of a mask holds: {', '.join(MASK_VALUES)} (default auto)",
    )
    parser.add_argument(
        "--partial", action="store_true", help="leave out images without a prediction that fits"
    )
    parser.add_argument("--check", action="store_true", help="only tell what fits; nothing is kept")


def _import(options: Options) -> dict[str, Any]:
    if options.values not in MASK_VALUES:
        raise SegcoreError(
            f"Expected one of {', '.join(MASK_VALUES)} for --values, received "
            f"{options.values!r}: choose one."
        )
    imports, source = workspace_of(options).imports, Path(options.source).expanduser()
    if options.check:
        return imports.check(
            options.dataset, source, options.split, options.values, ProgressLine("Checking")
        ).to_json()
    name = options.name or source.name.split(".")[0]
    progress = ProgressLine("Importing")
    return imports.import_(
        options.dataset,
        source,
        name,
        options.split,
        values=options.values,
        partial=options.partial,
        progress=progress,
    ).to_json()


def _show(result: dict[str, Any]) -> str:
    rows = [[r["sample"], r["file"], r["why"]] for r in result["refused"]]
    rows += [[name, "-", "no file of that name"] for name in result["missing"]]
    rows += [
        ["-", name, "stands for no image of this split; passed over"] for name in result["extra"]
    ]
    lines = [
        (
            f"{len(result['fits'])} of {result['samples']} images of {result['split']} have a "
            "prediction that fits."
        )
    ]
    if rows:
        lines += ["", table(["image", "file", "what"], rows[:LISTED])]
        lines += (
            [f"... and {len(rows) - LISTED} more (--json lists all)"] if len(rows) > LISTED else []
        )
    if result["run"]:
        lines += ["", f"Imported as {result['run']}: mean IoU {number(result['mean_iou'])}."]
    return "\n".join(lines)


PREDICTION_COMMANDS: dict[str, Command] = {
    "import-predictions": Command(
        "bring in masks or probabilities of any other tool as a run", _arguments, _import, _show
    ),
}
