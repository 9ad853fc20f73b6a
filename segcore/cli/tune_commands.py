"""The command about settings: search them by a study of many training runs."""

import argparse
import json
from pathlib import Path
from typing import Any

from segcore.catalog import PRUNERS, SAMPLERS, TUNE_PRESETS
from segcore.cli.command import Command, Options, ProgressLine, workspace_of
from segcore.cli.run_commands import RUN_COMMANDS, train_config
from segcore.cli.tables import percent, table
from segcore.config import SearchSpace, TrainConfig, TuneConfig, from_json
from segcore.config.tuning import PRESETS
from segcore.errors import SegcoreError, unknown
from segcore.runs.folder.status import QUEUED_OR_ACTIVE

EXAMPLE = '{"loss": ["dice", "focal"], "learning_rate": {"low": 1e-4, "high": 1e-2}}'


def _arguments(parser: argparse.ArgumentParser) -> None:
    RUN_COMMANDS["train"].arguments(parser)  # what every trial has in common
    config = TuneConfig("-", TrainConfig("-"), PRESETS["quick"])
    add = parser.add_argument_group("the study").add_argument
    add(
        "--preset",
        default="quick",
        help=f"what is varied: {', '.join(TUNE_PRESETS)} (default quick)",
    )
    add("--space", metavar="FILE.json", help=f"what is varied, instead of a preset: {EXAMPLE}")
    add("--trials", type=int, default=config.trials, help="settings to try (default %(default)s)")
    add("--parallel", type=int, default=config.parallel, help="trials at a time; 0 for one a GPU")
    add(
        "--sampler",
        default=config.sampler,
        help=f"{', '.join(SAMPLERS)} (default {config.sampler})",
    )
    add(
        "--pruner",
        default=config.pruner,
        help=f"{', '.join(PRUNERS)}: which trials end early (default {config.pruner})",
    )
    add(
        "--grace",
        type=int,
        default=config.grace,
        help="epochs before a trial may end early (default %(default)s)",
    )
    add("--sampler-seed", type=int, default=config.seed)
    add("--resume", action="store_true", help="go on with a study that stopped: tune --resume RUN")
    add("--show", action="store_true", help="print how a study stands: tune --show RUN")


def read_space(path: str) -> SearchSpace:
    """Read a search space from a JSON file.

    Raises:
        SegcoreError: The file cannot be read, is no JSON, or holds an unknown key or value.
    """
    try:
        data = json.loads(Path(path).read_text())
    except OSError as error:
        raise SegcoreError(
            f"Expected a search space in {path}, could not read it ({error.strerror}): "
            "check the path."
        ) from error
    except ValueError as error:
        raise SegcoreError(
            f"Expected JSON in {path}, received something else: write it as {EXAMPLE}."
        ) from error
    return from_json(SearchSpace, data)


def _tune(options: Options) -> dict[str, Any]:
    studies = workspace_of(options).searches
    if options.show or options.resume:
        run = studies.open(options.dataset).run
        if options.resume:
            workspace_of(options).runs.resume(run)
    else:
        if options.members != 1:
            raise SegcoreError(
                "Expected a study of single networks, received --members: tune first, then "
                "train members with the best."
            )
        if not options.space and options.preset not in PRESETS:
            raise unknown("preset", options.preset, PRESETS)
        config = TuneConfig(
            dataset=options.dataset,
            base=train_config(options),
            space=read_space(options.space) if options.space else PRESETS[options.preset],
            trials=options.trials,
            parallel=options.parallel,
            sampler=options.sampler,
            pruner=options.pruner,
            grace=options.grace,
            seed=options.sampler_seed,
        )
        run = studies.start(config)
    if options.wait:
        workspace_of(options).runs.wait([run], progress=ProgressLine("Tuning"))
    return studies.open(run).to_json()


def _show(result: dict[str, Any]) -> str:
    names = list(dict.fromkeys(name for row in result["trials"] for name in row["values"]))
    rows = [
        [
            row["trial"],
            row["state"],
            percent(row["score"]),
            *(row["values"].get(name, "-") for name in names),
            row["cause"],
        ]
        for row in result["trials"]
    ]
    lines = [table(["trial", "state", "mean IoU", *names, "cause"], rows)] if rows else []
    best = result["best"]
    lines.append(
        f"Best so far: trial {best['trial']}, {percent(best['score'])}, run {best['run']}"
        if best
        else "No trial has finished yet."
    )
    if result["importances"]:
        lines.append(
            "What mattered: "
            + ", ".join(
                f"{name} {percent(share, 0)}" for name, share in result["importances"].items()
            )
        )
    state = (
        f"{result['state']}. {result['cause']}".strip()
        if result["cause"]
        else f"{result['state']}."
    )
    lines.append(f"Study {result['run']}: {len(rows)} of {result['planned']} trials, {state}")
    if result["state"] in QUEUED_OR_ACTIVE:
        lines.append(f"Watch it with: segscope tune --show {result['run']}")
    return "\n".join(lines)


TUNE_COMMANDS: dict[str, Command] = {
    "tune": Command(
        "search settings by many training runs; stop, resume and show a study",
        _arguments,
        _tune,
        _show,
    ),
}
