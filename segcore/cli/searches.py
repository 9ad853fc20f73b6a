"""The command tune: search hyperparameters by many trials."""

import argparse
import json
from pathlib import Path
from typing import Any

from segcore.catalog import TUNE_PRESETS
from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.cli.options import add_settings, given
from segcore.cli.tables import table
from segcore.cli.training import (
    add_recommended,
    add_train_settings,
    note_download,
    suggested,
    train_config,
)
from segcore.config import SearchSpace, TrainConfig, TuneConfig, from_json
from segcore.config.tuning import PRESETS
from segcore.errors import SegcoreError, unknown
from segcore.formatting import percent, plural
from segcore.runs.folder.status import QUEUED_OR_ACTIVE

EXAMPLE = '{"loss": ["dice", "focal"], "learning_rate": {"low": 1e-4, "high": 1e-2}}'


def _arguments(parser: argparse.ArgumentParser) -> None:
    add_train_settings(parser)  # what every trial has in common
    add_recommended(parser, "Tune")
    group = parser.add_argument_group("search")
    group.add_argument(
        "--preset",
        default="quick",
        help=f"search space: {', '.join(TUNE_PRESETS)}. Default: quick.",
    )
    group.add_argument(
        "--space", metavar="FILE.json", help=f"search space instead of a preset: {EXAMPLE}"
    )
    add_settings(group, TuneConfig, nested=False)
    group.add_argument("--wait", action="store_true", help="wait until the search has ended")
    group.add_argument(
        "--resume", action="store_true", help="resume a stopped search: tune --resume RUN"
    )
    group.add_argument("--show", action="store_true", help="print a search: tune --show RUN")


def read_space(path: str) -> SearchSpace:
    """Read a search space from a JSON file.

    Raises:
        SegcoreError: The file cannot be read, is no JSON, or holds an unknown key or value.
    """
    try:
        data = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise SegcoreError(
            f"Expected a search space in {path}, but it cannot be read ({error.strerror}): check "
            "the path."
        ) from error
    except (ValueError, RecursionError) as error:
        raise SegcoreError(
            f"Expected JSON in {path}, received something else: write it as {EXAMPLE}."
        ) from error
    return from_json(SearchSpace, data, "space")


def _tune(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    if options.show or options.resume:
        run = workspace.searches.open(options.dataset).run
        if options.resume:
            workspace.runs.resume(run)
    else:
        base = suggested(workspace, options.dataset).config if options.recommended else None
        config = search_config(options, base)
        run = workspace.searches.start(config)
        note_download(config.base)
    if options.wait:
        workspace.runs.wait([run], progress=ProgressLine("Searching"))
    return workspace.searches.open(run).to_json()


def search_config(options: Options, start: TrainConfig | None = None) -> TuneConfig:
    """Return the search that the flags of ``tune`` give.

    Args:
        options: The parsed flags.
        start: What trials have in common where no flag is given; None for the defaults.

    Raises:
        SegcoreError: A value is refused; the field is named.
    """
    if not options.space and options.preset not in PRESETS:
        raise unknown("preset", options.preset, PRESETS)
    space = read_space(options.space) if options.space else PRESETS[options.preset]
    base = train_config(options, start)
    return TuneConfig(base.dataset, base, space, **given(options, TuneConfig, nested=False))


def _show(result: dict[str, Any]) -> str:
    names = list(dict.fromkeys(name for row in result["trials"] for name in row["values"]))
    rows = [
        [
            row["trial"],
            row["state"],
            percent(row["score"]),
            *(row["values"].get(name, "–") for name in names),
            row["cause"],
        ]
        for row in result["trials"]
    ]
    lines = [table(["trial", "state", "mean IoU", *names, "cause"], rows)] if rows else []
    best = result["best"]
    lines.append(
        f"Best trial: {best['trial']}, {percent(best['score'])}, run {best['run']}"
        if best
        else "No trial has finished yet."
    )
    if result["importances"]:
        shares = (f"{name} {percent(share, 0)}" for name, share in result["importances"].items())
        lines.append("Importance: " + ", ".join(shares))
    state = f"{result['state']}. {result['cause'] or ''}".strip()
    lines.append(
        f"Search {result['run']}: {len(rows)} of {plural(result['planned'], 'trial')}, {state}"
    )
    if result["state"] in QUEUED_OR_ACTIVE:
        lines.append(f"Watch it with: segscope tune --show {result['run']}")
    return "\n".join(lines)


SEARCH_COMMANDS: dict[str, Command] = {
    "tune": Command("search hyperparameters; show or resume a search", _arguments, _tune, _show),
}
