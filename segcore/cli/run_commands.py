"""Commands about runs: train, predict, runs, stop, resume."""

import argparse
import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

from segcore.catalog import (
    ARCHITECTURES,
    AUGMENTATIONS,
    BATCH_NORMS,
    CLASS_WEIGHTS,
    ENCODERS,
    LOSSES,
    MEMBERS_BY,
    OPTIMIZERS,
    PRECISIONS,
    PREPROCESSING,
    RUN_EXPORTS,
    SCHEDULES,
    SUBMODEL_RULES,
    resolve,
)
from segcore.cli.command import Command, Options, ProgressLine, parse_size, workspace_of
from segcore.cli.predict_commands import PREDICT_COMMANDS
from segcore.cli.tables import number, percent, table
from segcore.cli.work_commands import WORK_COMMANDS
from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.workspace.runs.rows import OWN_SIZE


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    model, recipe, run = ModelConfig(), RecipeConfig(), TrainConfig("-")
    add = parser.add_argument
    add("dataset", help="name of a dataset in the workspace")
    add(
        "--architecture",
        default=model.architecture,
        help=(
            f"one of {len(ARCHITECTURES)}: {_some(ARCHITECTURES)}, or a pair such as "
            f"resnet50_unet (default {model.architecture})"
        ),
    )
    add(
        "--encoder",
        default=model.encoder,
        help=f"one of {len(ENCODERS)}: {_some(ENCODERS)} (default {model.encoder})",
    )
    add(
        "--weights",
        default=model.weights,
        help="imagenet, none, or a weights file (default imagenet)",
    )
    add(
        "--preprocessing",
        default=model.preprocessing,
        help=f"one of {_some(PREPROCESSING)} (default {model.preprocessing})",
    )
    add(
        "--size",
        default="x".join(map(str, run.size)),
        help="HEIGHTxWIDTH in pixels that images are resized to (default %(default)s)",
    )
    add(
        "--loss",
        default=recipe.loss,
        help=f"one of {_some(LOSSES)}, or a sum such as 'dice + 0.5*focal' (default {recipe.loss})",
    )
    add("--optimizer", default=recipe.optimizer, help=f"one of {_some(OPTIMIZERS)}")
    add(
        "--learning-rate",
        type=float,
        default=recipe.learning_rate,
        help="first learning rate (default %(default)s)",
    )
    add("--schedule", default=recipe.schedule, help=f"one of {_some(SCHEDULES)}")
    add("--epochs", type=int, default=recipe.epochs)
    add("--batch-size", type=int, default=recipe.batch_size)
    add(
        "--patience",
        type=int,
        default=recipe.patience,
        help="epochs without a better validation mean IoU before stopping; 0 never stops",
    )
    add("--augmentation", default=recipe.augmentation, help=f"one of {_some(AUGMENTATIONS)}")
    add("--precision", default=recipe.precision, help=f"one of {_some(PRECISIONS)}")
    add("--class-weights", default=recipe.class_weights, help=f"one of {_some(CLASS_WEIGHTS)}")
    add(
        "--warmup-epochs",
        type=float,
        default=recipe.warmup_epochs,
        help="epochs over which the learning rate first climbs from 0",
    )
    add(
        "--weight-decay",
        type=float,
        default=recipe.weight_decay,
        help="of AdamW (default %(default)s)",
    )
    add(
        "--clip-norm",
        type=float,
        default=recipe.clip_norm,
        help="largest norm of the gradient; 0 never clips",
    )
    add(
        "--average",
        type=float,
        default=recipe.average,
        help="momentum of averaged weights; 0 for none",
    )
    add("--monitor", default=recipe.monitor, help="what chooses the best epoch: mean_iou or loss")
    add(
        "--freeze-epochs",
        type=int,
        default=recipe.freeze_epochs,
        help="first epochs that leave the encoder as it is; 0 for none",
    )
    add(
        "--batch-norm",
        default=recipe.batch_norm,
        help=f"one of {_some(BATCH_NORMS)}; where evaluation takes its means from",
    )
    add(
        "--cut-mix",
        type=float,
        default=recipe.cut_mix,
        help="share of images that get a rectangle of another, 0 to 1",
    )
    add(
        "--jit",
        action="store_true",
        help="compile the steps with XLA: may pay on a GPU, seldom on a CPU",
    )
    add("--train-split", default=run.train_split)
    add("--validation-split", default=run.validation_split)
    add("--label-map", default=run.label_map, help="name of a label map saved with the dataset")
    add(
        "--balance-plan",
        default=run.balance_plan,
        help="name of a balance plan saved with the dataset",
    )
    add(
        "--device",
        default=run.device,
        help="auto, cpu, gpu:0, or gpu:0,gpu:1; cluster, cluster:2 (GPUs) or cluster:cpu",
    )
    add(
        "--submodels",
        default="",
        help=(
            "one network a group of the label map, combined by one of "
            f"{_some(SUBMODEL_RULES)}; empty for no"
        ),
    )
    add(
        "--hosts",
        default="",
        help=(
            "machines that train one network together: address:port,address:port; the first is "
            "this one"
        ),
    )
    add("--seed", type=int, default=run.seed)
    add("--deterministic", action="store_true", help="bit-identical repeats")
    add(
        "--members",
        type=int,
        default=1,
        help="how many members of an ensemble to launch, each with its own seed",
    )
    add(
        "--members-by",
        default=run.members_by,
        help=f"how members differ besides: one of {_some(MEMBERS_BY)} (default {run.members_by})",
    )
    add(
        "--wait",
        action="store_true",
        help="return when the runs have ended; without it they go on by themselves",
    )
    add(
        "--measure",
        action="store_true",
        help="start nothing: make a few steps and say how long an epoch takes, and how much memory",
    )


def _some(table_of_names: dict[str, Any]) -> str:
    names = list(table_of_names)
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


def train_config(options: Options) -> TrainConfig:
    """Return the config of a training run that the options of ``train`` say.

    Raises:
        SegcoreError: A choice is unknown or out of range.
    """
    architecture, encoder = resolve(options.architecture, options.encoder)
    return TrainConfig(
        dataset=options.dataset,
        model=ModelConfig(architecture, encoder, options.weights, options.preprocessing),
        recipe=RecipeConfig(
            loss=options.loss,
            optimizer=options.optimizer,
            learning_rate=options.learning_rate,
            schedule=options.schedule,
            epochs=options.epochs,
            batch_size=options.batch_size,
            patience=options.patience,
            augmentation=options.augmentation,
            precision=options.precision,
            class_weights=options.class_weights,
            warmup_epochs=options.warmup_epochs,
            weight_decay=options.weight_decay,
            clip_norm=options.clip_norm,
            average=options.average,
            monitor=options.monitor,
            freeze_epochs=options.freeze_epochs,
            batch_norm=options.batch_norm,
            cut_mix=options.cut_mix,
            jit=options.jit,
        ),
        size=parse_size(options.size),
        train_split=options.train_split,
        validation_split=options.validation_split,
        seed=options.seed,
        device=options.device,
        label_map=options.label_map,
        balance_plan=options.balance_plan,
        deterministic=options.deterministic,
        submodels=options.submodels,
        members_by=options.members_by,
        hosts=tuple(host.strip() for host in options.hosts.split(",") if host.strip()),
    )


def _train(options: Options) -> dict[str, Any]:
    config = train_config(options)
    workspace = workspace_of(options)
    if options.measure:
        workspace.throughput.start(config)
        pace = workspace.throughput.wait(config, progress=ProgressLine("Measuring"))
        return {"pace": dataclasses.asdict(pace), "epochs": config.recipe.epochs}
    runs = workspace.runs.train(config, members=options.members)
    if options.wait:
        workspace.runs.wait(runs, progress=ProgressLine("Training"))
    return {"runs": runs}


def _show_train(result: dict[str, Any]) -> str:
    if "pace" in result:
        pace, epochs, seconds = result["pace"], result["epochs"], result["pace"]["epoch_seconds"]
        told = [
            (
                f"An epoch takes {seconds:.1f} s with its validation, {epochs} epochs "
                f"{epochs * seconds / 60:.1f} min."
            ),
            (
                f"{pace['images_per_second']:.1f} images/s, {pace['memory'] / 2**30:.1f} GiB "
                f"at most; {pace['steps']} steps, {pace['device']}."
            ),
        ]
        beside = len(pace["beside"])
        return "\n".join(
            told + [f"Runs at work meanwhile: {beside}; alone it is faster."] * bool(beside)
        )
    return "Runs: " + ", ".join(result["runs"]) + "\nWatch them with: segscope runs"


def _runs_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        nargs="?",
        choices=["list", "stop", "resume", "delete", "restore", "export"],
        default="list",
    )
    parser.add_argument(
        "run",
        nargs="*",
        help="ids of the runs to stop, resume, delete, restore from the trash, or export",
    )
    parser.add_argument(
        "--to", choices=[*RUN_EXPORTS], default="tensorboard", help="export: which tracker"
    )
    parser.add_argument(
        "--into",
        default="",
        help="export: a folder (tensorboard), a tracking address (mlflow), a project (wandb)",
    )
    parser.add_argument(
        "--slower",
        type=float,
        default=1.0,
        help="resume a training at this share of its learning rate, such as 0.5",
    )


def _runs(options: Options) -> dict[str, Any]:
    workspace = workspace_of(options)
    resume = partial(workspace.runs.resume, learning_rate_factor=options.slower)
    actions: dict[str, Callable[[str], Any]] = {
        "stop": workspace.runs.stop,
        "resume": resume,
        "delete": workspace.runs.delete,
    }
    actions["restore"] = workspace.annotations.restore_run
    actions["export"] = partial(workspace.exports.export, tracker=options.to, target=options.into)
    told = []
    if options.action in actions:
        if not options.run:
            raise SegcoreError(
                f"Expected the run to {options.action}, received none: name it, for "
                f"example segscope runs {options.action} RUN."
            )
        for run in options.run:
            answer = actions[options.action](run)
            told += [answer] if options.action == "export" else []
    return {
        "runs": [row.to_json() for row in workspace.runs.rows()],
        **({"exported": told} if told else {}),
    }


def _show_runs(result: dict[str, Any]) -> str:
    if "exported" in result:
        return "\n".join(result["exported"])
    if not result["runs"]:
        return "No run yet: segscope train DATASET."
    rows = [
        [
            r["run"],
            r["kind"],
            r["state"],
            r["dataset"],
            percent(r["progress"], 0),
            *_scores(r),
        ]
        for r in result["runs"]
    ]
    heads = ["run", "kind", "state", "dataset", "done", "mean IoU", "in training", "scored on"]
    return table(heads, rows)


def _scores(row: dict[str, Any]) -> list[str]:
    """Return the mean IoU at own size, that at the training size, and what either belongs to."""
    score, own = number(row["mean_iou"]), row["scored_size"] == OWN_SIZE
    known = row["mean_iou"] is not None
    place = ", ".join(p for p in (row["scored_split"], row["scored_size"]) if p)
    return [score if own else "-", "-" if own else score, place if known else "-"]


RUN_COMMANDS: dict[str, Command] = {
    "train": Command(
        "launch training runs in the background", _train_arguments, _train, _show_train
    ),
    **PREDICT_COMMANDS,
    **WORK_COMMANDS,
    "runs": Command(
        "list the runs; stop, resume, delete, restore or export one",
        _runs_arguments,
        _runs,
        _show_runs,
    ),
}
