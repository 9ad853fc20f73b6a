"""Commands about training again on fixed masks, and what that bought."""

import argparse
from typing import Any

from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.formatting import points
from segcore.labels import list_names, plural


def _retrain_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="a training run; its dataset's masks were edited since")
    parser.add_argument(
        "--from-scratch",
        action="store_true",
        help="start as that run did (default: from its weights)",
    )
    parser.add_argument(
        "--wait", action="store_true", help="wait, then predict --split and say what it bought"
    )
    _add_split(parser)


def _retrained_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="a run of segscope retrain")
    _add_split(parser)


def _add_split(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--split", default="test", help="where the two runs are compared (default: test)"
    )


def _retrain(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    made = workspace.retrainings.start(options.run, warm=not options.from_scratch)
    if not options.wait:
        return {**vars(made), "note": made.note, "split": options.split}
    workspace.runs.wait([made.run], ProgressLine("Training"))
    return _gain(workspace_of(options), made.run, options.split)


def _gain(workspace: Any, run: str, split: str) -> dict[str, Any]:
    workspace.runs.wait(workspace.retrainings.predict(run, split), ProgressLine("Predicting"))
    gain: dict[str, Any] = workspace.retrainings.gain(
        run, split, ProgressLine("Counting")
    ).to_json()
    return gain


def _retrained(options: Options) -> dict[str, Any]:
    return _gain(workspace_of(options), options.run, options.split)


def _show(result: dict[str, Any]) -> str:
    start = "its weights" if result["warm"] else "the same start as that run"
    head = f"{result['run']}: {result['of']} trained again from {start}. {result['note']}".strip()
    if "sentence" not in result:
        return f"{head}\nWhen it has finished: segscope retrained {result['run']} --split {result['split']}"
    lines = [head, result["sentence"]]
    for row in result["work"]:
        said = f"  {row['split'] or 'no split'}: {plural(row['masks'], 'mask')} fixed, {row['pixels']:,} pixels"
        lines.append(said + (f", {row['labelled']} newly labelled" if row["labelled"] else ""))
    apart = result["touched_gain"]
    if apart:
        low, high = apart["interval"]
        ends = "" if low is None else f" ({points(low, unit='')} to {points(high, unit='')})"
        lines.append(
            f"Over the classes touched ({list_names(result['touched'], 6)}): "
            f"{points(apart['difference'], unit='')} points{ends}."
        )
    lines.append(
        f"Both runs are scored against the masks of today, {plural(result['images'], 'image')}; "
        f"{plural(result['recounted'], 'image')} counted anew."
    )
    return "\n".join(lines)


RETRAINING_COMMANDS: dict[str, Command] = {
    "retrain": Command(
        "train a run again on the masks of today", _retrain_arguments, _retrain, _show
    ),
    "retrained": Command(
        "say what training again on fixed masks bought",
        _retrained_arguments,
        _retrained,
        _show,
    ),
}
