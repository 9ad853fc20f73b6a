"""The command ``back-off``: labels with a promised error, coarser where the finest is unsure."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.cli.tables import table
from segcore.errors import SegcoreError
from segcore.evaluation.compression.back_off_report import ALTERNATIVES, threshold_words
from segcore.evaluation.counts.bootstrap import counted_units
from segcore.formatting import interval, number, percent
from segcore.workspace.compression.back_offs import BackOffOptions
from segcore.workspace.predictions.files import write_folder


def _arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", help="id of a training run, an ensemble or an import with probabilities")
    add(
        "--promise",
        default="5%",
        metavar="SHARE",
        help="the most pixels that may be wrong, on average over images. Default: %(default)s.",
    )
    add("--by-class", action="store_true", help="promise it of the pixels of each class")
    add("--split", default="test", help="split that is reported. Default: %(default)s.")
    add_calibration(add)
    add("--tiers", action="store_true", help="also sum the probabilities of the compared merge")
    add("--export", metavar="FOLDER", help="also write the reported split's masks and a legend")


def add_calibration(add: Callable[..., object]) -> None:
    """Add what the threshold is chosen from."""
    add(
        "--calibrate",
        default="validation",
        metavar="SPLIT",
        help="split that chooses the threshold. Default: %(default)s.",
    )
    add(
        "--hierarchy",
        default="",
        metavar="FILE",
        help="hierarchy of the classes, CSV or JSON, or the name of a saved merge whose versions "
        "form a chain. Default: the merge tree of the calibration split.",
    )


def parse_promise(text: str) -> float:
    """Read "5%" or "0.05".

    Raises:
        SegcoreError: It is neither.
    """
    digits = text.strip()
    try:
        share = float(digits.rstrip("% "))
    except ValueError:
        raise SegcoreError(
            f"Expected a promise like 5% or 0.05, received {text!r}: write a share of the pixels."
        ) from None
    return share / 100 if digits.endswith("%") else share


def back_off_options(options: Options, promise: str, by_class: bool = False) -> BackOffOptions:
    """Return what is promised.

    Raises:
        SegcoreError: The promise is no share, or the hierarchy file cannot be read.
    """
    path, name, data = Path(options.hierarchy).expanduser(), options.hierarchy, b""
    if name and path.is_file():
        try:
            name, data = "", path.read_bytes()
        except OSError as error:
            raise SegcoreError(
                f"Expected a hierarchy file at {path}, but it cannot be read ({error.strerror}): "
                "check the path."
            ) from error
    return BackOffOptions(parse_promise(promise), options.calibrate, by_class, name, data)


def _run(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    chosen = back_off_options(options, options.promise, options.by_class)
    folder = Path(options.export).expanduser() if options.export else None
    if folder is not None and folder.exists():
        raise SegcoreError(
            f"Expected a new folder for the masks, received {folder}, which exists: choose another."
        )
    for split in (chosen.calibrate, options.split):
        workspace.scores.ensure_predictions(
            [options.run], split, progress=ProgressLine("Predicting")
        )
    result = workspace.back_offs.report(
        options.run, options.split, chosen, ProgressLine("Counting"), summed=options.tiers
    ).to_json()
    if folder is not None:
        progress = ProgressLine("Writing")
        write_folder(
            folder, workspace.back_offs.files(options.run, options.split, chosen, progress)
        )
    return {**result, "folder": None if folder is None else str(folder)}


def _show(result: dict[str, Any]) -> str:
    calibration = result["calibration"]
    levels = [
        [
            level["level"],
            percent(level["share"]),
            percent(level["right"]),
            ", ".join(level["titles"]) if level["level"] else "the classes",
        ]
        for level in result["levels"]
    ]
    rows = [
        [
            ALTERNATIVES[one["name"]],
            one["labels"] or "-",
            percent(one["risk"]["value"]),
            interval(*one["risk"]["interval"]),
            number(one["bits"], 3),
        ]
        for one in result["alternatives"]
    ]
    parts = [
        result["headline"],
        result["outcome"],
        f"Threshold {threshold_words(result['threshold'])}, chosen on "
        f"{counted_units(calibration['units'], calibration['unit'])} of {result['calibrate']} (wrong there: "
        f"{percent(calibration['risk'][0])}). So many allow promises from "
        f"{percent(calibration['smallest_promise'])} on."
        if not result["by_class"]
        else f"Threshold {threshold_words(result['threshold'])}, chosen on {result['calibrate']}.",
        table(["level", "share", "right", "labels"], levels),
        table(["on " + result["split"], "labels", "wrong", "95 %", "bits kept"], rows)
        + f"\nAll right answers would keep {number(result['whole_bits'], 3)} bits a pixel.",
    ]
    if result["by_class"]:
        parts.insert(3, _classes(result))
    parts += ["\n".join(result["notes"])]
    if result["folder"]:
        parts.append(f"Masks, levels and legend.json: {result['folder']}")
    return "\n\n".join(parts)


def _classes(result: dict[str, Any]) -> str:
    promised = result["calibration"]["promised"]
    rows = [
        [
            node["title"],
            "yes" if has else "no: in too few images",
            percent(risk["value"]),
            interval(*risk["interval"]),
        ]
        for node, has, risk in zip(result["nodes"], promised, result["class_risk"], strict=False)
    ]
    return table(["class", "promised", "wrong", "95 %"], rows)


BACK_OFF = Command(
    "label with a promised error: a coarser label where the finest is unsure",
    _arguments,
    _run,
    _show,
)
