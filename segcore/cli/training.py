"""The commands of training: recommend, encoders, and train, which starts runs or measures their time."""

import argparse
import dataclasses
import sys
from typing import Any

from segcore.catalog import ALL_ENCODERS, Encoder, resolve
from segcore.catalog.hub import PREFIX, is_class, is_hub
from segcore.cli.command import Command, Options, ProgressLine, parse_count, workspace_of
from segcore.cli.options import add_settings, given
from segcore.cli.tables import WIDTH, table
from segcore.config import TrainConfig
from segcore.config.schema import settings
from segcore.config.tuning import trial_config
from segcore.formatting import duration, gib, percent, plural
from segcore.installing import extra_command, shell_command, with_program
from segcore.runs.machine.engines import new_config
from segcore.workspace import Workspace
from segcore.workspace.launch.command_line import command_line
from segcore.workspace.launch.predictions import predicted_splits
from segcore.workspace.launch.suggestions import Suggestion

DOWNLOADS = {
    "imagenet": "Keras downloads the encoder's ImageNet weights once, when the run starts; "
    "--weights none or a file needs no internet.",
    "preset": "KerasHub downloads the encoder's weights once, when the run starts; --weights none or "
    "a folder needs no internet.",
}
"""What a choice of weights fetches from the internet."""


def add_train_settings(parser: argparse.ArgumentParser) -> None:
    """Add the dataset and every declared field of a training run."""
    parser.add_argument("dataset", help="name of a dataset in the workspace")
    add_settings(parser, TrainConfig)


def add_recommended(parser: argparse.ArgumentParser, page: str) -> None:
    """Add the option to start from the recommendation, as a page does."""
    parser.add_argument(
        "--recommended",
        action="store_true",
        help="start from what is recommended for this dataset and machine, as the "
        f"{page} page does, and not from the defaults; other options override it. See: segscope "
        "recommend",
    )


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    add_train_settings(parser)
    add_recommended(parser, "Train")
    add = parser.add_argument
    add(
        "--members",
        default="1",
        metavar="N",
        help="size of the ensemble, 1 to 100; each member has its own seed. Default: 1.",
    )
    add(
        "--name",
        default="",
        help="what the runs' ids begin with. Default: dataset, architecture and encoder.",
    )
    add("--tag", action="append", default=[], help="a tag for the runs; repeat for several")
    add("--note", default="", help="a note for the runs")
    add(
        "--wait",
        action="store_true",
        help="wait until the runs have ended and print their scores; otherwise they run in the "
        "background",
    )
    add(
        "--measure",
        action="store_true",
        help="start nothing: time a few real steps and print the time and memory an epoch takes",
    )


def train_config(options: Options, base: TrainConfig | None = None) -> TrainConfig:
    """Return the training config that the flags of ``train`` give.

    Args:
        options: The parsed flags.
        base: What holds where no flag is given; None for the defaults.

    Raises:
        SegcoreError: A value is refused; the field is named.
    """
    begun = base or new_config(options.dataset)
    values, usual = given(options, TrainConfig), begun.model
    values["architecture"], values["encoder"] = resolve(
        values.get("architecture", usual.architecture), values.get("encoder", usual.encoder)
    )
    return trial_config(begun, values)


def note_download(config: TrainConfig) -> None:
    """Say on standard error that a queued run will fetch weights from the internet."""
    if config.model.weights in DOWNLOADS:
        print(DOWNLOADS[config.model.weights], file=sys.stderr, flush=True)


def _warn(warnings: list[str]) -> None:
    """Print warnings on standard error, before a wait that they may make needless."""
    for sentence in warnings:
        print(with_program(f"Warning: {sentence}"), file=sys.stderr, flush=True)


def suggested(workspace: Workspace, dataset: str) -> Suggestion:
    """Return what the Train page recommends, once the classes are counted."""
    workspace.datasets.statistics(dataset, progress=ProgressLine("Counting classes"))
    return workspace.launch.suggest(dataset)


def _train(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    base = suggested(workspace, options.dataset).config if options.recommended else None
    config = train_config(options, base)
    members = parse_count(options.members, "--members", 1, 100)
    if options.measure:
        workspace.throughput.start(config)
        throughput = workspace.throughput.wait(config, progress=ProgressLine("Measuring"))
        return {"pace": dataclasses.asdict(throughput), "epochs": config.recipe.epochs}
    workspace.runs.check(config)
    workspace.datasets.statistics(config.dataset, progress=ProgressLine("Counting classes"))
    notice = workspace.doctor.notice(config, workspace.runs.devices())
    warnings = [*[notice] * bool(notice), *workspace.launch.conflicts(config, members)]
    runs = workspace.launch.start(
        config, members, name=options.name, tags=options.tag, note=options.note
    )
    note_download(config)
    if not options.json:
        _warn(warnings)
    dataset = workspace.datasets.open(config.dataset)
    predicted = predicted_splits(config, dataset)
    result: dict[str, Any] = {
        "runs": runs,
        "warnings": warnings,
        "predicted": predicted,
        **({"command": command_line(config, members)} if base else {}),
    }
    if options.wait:
        workspace.runs.wait(runs, progress=ProgressLine("Training"))
        statuses = {run: workspace.runs.open(run).status() for run in runs}
        result["scores"] = [
            {"run": run, "mean_iou": status.mean_iou, "epochs": status.epoch}
            for run, status in statuses.items()
        ]
    return result


def _show_train(result: dict[str, Any]) -> str:
    if "pace" in result:
        return _show_throughput(result["pace"], result["epochs"])
    lines = []
    if "command" in result:
        lines.append(f"Recommended, with your options: {result['command']}")
    if "scores" not in result:
        lines.append(f"Started {plural(len(result['runs']), 'run')}: {', '.join(result['runs'])}")
        if result["predicted"]:
            splits = " and ".join(result["predicted"])
            lines.append(f"Afterwards {splits} are predicted; --no-predict-after leaves that out.")
        return "\n".join([*lines, "List them with: segscope runs"])
    rows = [[r["run"], percent(r["mean_iou"]), r["epochs"]] for r in result["scores"]]
    lines.append(table(["run", "validation mean IoU", "epochs"], rows))
    lines.append(f"Score the test split with: segscope evaluate {rows[0][0]}")
    if len(rows) > 1:
        members = " ".join(row[0] for row in rows)
        lines.append(f"Average the members with: segscope ensemble {members} --split test")
    return "\n".join(lines)


def _show_throughput(throughput: dict[str, Any], epochs: int) -> str:
    seconds, beside = throughput["epoch_seconds"], len(throughput["beside"])
    lines = [
        f"One epoch with validation takes {seconds:.1f} s; {plural(epochs, 'epoch')} take "
        f"{duration(epochs * seconds)}.",
        f"{throughput['images_per_second']:.1f} images/s, peak memory {gib(throughput['memory'])}; "
        f"{plural(throughput['steps'], 'step')} on {throughput['device']}.",
    ]
    if beside:
        lines.append(f"{plural(beside, 'other run')} ran meanwhile: alone it is faster.")
    return "\n".join(lines)


def _recommend(options: Options) -> dict[str, Any]:
    found = suggested(workspace_of(options), options.dataset)
    return {
        "dataset": options.dataset,
        "options": [
            {"option": one.flag, "value": one.write(one.get(found.config)), "reason": reason}
            for name, one in settings(TrainConfig).items()
            if (reason := found.reasons.get(name))
        ],
        "weights": found.config.model.weights,
        "command": command_line(found.config),
    }


def _show_recommend(result: dict[str, Any]) -> str:
    first: dict[str, str] = {}
    rows = []
    for row in result["options"]:
        earlier = first.setdefault(row["reason"], row["option"])
        why = row["reason"] if earlier == row["option"] else f"As {earlier}."
        rows.append([row["option"], row["value"] or "none", why])
    short = shell_command("train", result["dataset"], "--recommended")
    lines = [table(["option", "value", "why"], rows, WIDTH), "", f"Train with it: {short}"]
    lines.append(f"The same in full: {result['command']}")
    return "\n".join([*lines, *[DOWNLOADS[result["weights"]]] * (result["weights"] in DOWNLOADS)])


def _encoders(options: Options) -> list[dict[str, Any]]:
    return [
        {
            "encoder": name,
            "title": row.title,
            "year": row.year,
            "parameters": row.parameters,
            "weights": _published(name, row),
            "summary": row.summary,
        }
        for name, row in ALL_ENCODERS.items()
        if options.name in name
    ]


def _published(name: str, row: Encoder) -> str:
    """Return which published weights an encoder can start from: a value of --weights, or "file"."""
    if is_hub(name):
        return "folder" if is_class(name) else "preset"
    return "imagenet" if row.imagenet else "file"


def _show_encoders(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "No encoder has that in its name."
    shown = [
        [
            r["encoder"],
            r["year"],
            f"{r['parameters']:.1f}" if r["parameters"] else "–",
            r["weights"],
        ]
        for r in rows
    ]
    lines = [table(["encoder", "year", "million parameters", "weights"], shown)]
    if not any(is_hub(name) for name in ALL_ENCODERS):
        lines.append(f"KerasHub has more ({PREFIX}...): {extra_command('hub')}")
    return "\n".join(lines)


def _encoder_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", default="", help="only those with this in their name")


def _recommend_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", help="name of a dataset in the workspace")


TRAINING_COMMANDS: dict[str, Command] = {
    "recommend": Command(
        "what to train on a dataset on this machine, with reasons, as the Train page begins",
        _recommend_arguments,
        _recommend,
        _show_recommend,
    ),
    "encoders": Command("list the encoders", _encoder_arguments, _encoders, _show_encoders),
    "train": Command("start training runs", _train_arguments, _train, _show_train),
}
