"""What `segscope runs show` says of one run: state, cause, config, epochs, log, what comes next."""

from typing import Any

from segcore.catalog import RUN_KINDS, RUN_STATES
from segcore.cli.tables import table
from segcore.config import (
    CRFSearchConfig,
    EvaluateConfig,
    PredictConfig,
    RobustnessConfig,
    RunConfig,
    SubsetsConfig,
    TrainConfig,
    to_json,
)
from segcore.formatting import duration, interval, number, percent
from segcore.runs.folder.history import without_chatter
from segcore.runs.folder.status import Status
from segcore.workspace import Workspace
from segcore.workspace.scores.reports import output_title

EPOCHS = 5
"""How many of the last epochs are shown."""
LOG_LINES = 8
_CURVES = ("loss", "mean_iou", "val_loss", "val_mean_iou", "learning_rate", "seconds")
_HEADS = ("epoch", "loss", "mean IoU", "val loss", "val mean IoU", "learning rate", "seconds")


def run_details(workspace: Workspace, run: str) -> dict[str, Any]:
    """Return what is known of a run, as ``segscope runs show --json`` prints it.

    Raises:
        SegcoreError: There is no such run, or its config cannot be read.
    """
    folder = workspace.runs.open(run)
    config, status = folder.config, folder.status()
    row = next(row for row in workspace.runs.rows() if row.run == run)
    output, scores = _own_scores(workspace, run, config, status)
    epochs = [line for line in folder.metrics() if isinstance(line.get("epoch"), int)]
    return {
        **row.to_json(),
        "config": to_json(config),
        "in_short": _in_short(workspace, config),
        "output": output,
        "interval": scores,
        "best_epoch": workspace.monitor.best_epoch(run),
        "last_epochs": [
            {"epoch": line["epoch"], **{key: line.get(key) for key in _CURVES}}
            for line in epochs[-EPOCHS:]
        ],
        "log": without_chatter(folder.log_tail(LOG_LINES * 20))[-LOG_LINES:],
        "log_file": str(folder.log_path),
        "next": _next(run, config, status),
    }


def _own_scores(
    workspace: Workspace, run: str, config: RunConfig, status: Status
) -> tuple[str, list[float | None] | None]:
    """Return what the scored output is called and the interval of its mean IoU; None without counts."""
    if status.state != "finished" or not isinstance(config, (PredictConfig, EvaluateConfig)):
        return "", None
    stages = workspace.scores.stages(run, config.split)
    stage = "crf" if "crf" in stages else stages[0]
    if not workspace.scores.has_counts(run, config.split, stage):
        return "", None
    report = workspace.scores.report(run, config.split, stage)
    return output_title(stages[0], stage) if len(stages) > 1 else "", report.interval().ends()


def _in_short(workspace: Workspace, config: RunConfig) -> str:
    """Say what a run does: the command that starts a training like it, else its parts."""
    if isinstance(config, TrainConfig):
        return workspace.configs.command(config)
    if isinstance(config, (PredictConfig, RobustnessConfig)):
        return f"{config.run} on {config.split}"
    if isinstance(config, EvaluateConfig):
        crf = ", then the dense CRF" if config.crf else ""
        return f"{config.rule} of {', '.join(config.members)} on {config.split}{crf}"
    if isinstance(config, (CRFSearchConfig, SubsetsConfig)):
        return f"{', '.join(config.members)} on {config.split}"
    return f"on {config.dataset}"


def _next(run: str, config: RunConfig, status: Status) -> list[str]:
    """Return the commands that make sense for a run in its state."""
    if not status.has_ended:
        return [f"segscope runs stop {run}"]
    if status.state != "finished":
        slower = " --slower 0.5" if status.diverged else ""
        return [f"segscope runs resume {run}{slower}", f"segscope runs delete {run}"]
    if isinstance(config, TrainConfig):
        return [
            f"segscope evaluate {run} --split test",
            f"segscope predict {run} --images FOLDER",
            f"segscope report {run} --out report.html",
        ]
    if isinstance(config, PredictConfig):
        return [f"segscope evaluate {config.run} --split {config.split}"]
    if isinstance(config, EvaluateConfig):
        return [
            f"segscope evaluate {run} --split {config.split}",
            f"segscope report {run} --split {config.split} --out report.html",
        ]
    return []


def show_details(details: dict[str, Any]) -> str:
    """Lay out what :func:`run_details` returned."""
    kind = RUN_KINDS[details["kind"]].title if details["kind"] in RUN_KINDS else details["kind"]
    state = RUN_STATES[details["state"]].title
    began, ended = details["started"], details["finished"]
    took = f" after {duration(ended - began)}" if began and ended and ended > began else ""
    lines = [f"{details['run']}: {kind.lower()}, {state.lower()}{took}"]
    if details["cause"]:
        lines.append(f"Cause: {details['cause']}")
    elif details["message"] and ended is None:
        lines.append(f"Now: {details['message']} ({percent(details['progress'], 0)})")
    lines.append(f"Config: {details['in_short']}")
    if details["interval"]:
        low, high = details["interval"]
        split, score = details["scored_split"], percent(details["mean_iou"])
        output = f" ({details['output']})" if details["output"] else ""
        lines.append(f"Mean IoU on {split}{output}: {score}, 95 % interval {interval(low, high)}")
    if details["best_epoch"] is not None:
        score = details["mean_iou"]
        known = f", mean IoU {percent(score)} on {details['scored_split']}" if score else ""
        lines.append(f"Best epoch: {details['best_epoch']} of {details['epochs']}{known}")
    parts = ["\n".join(lines)]
    if details["last_epochs"]:
        parts.append(_curves(details["last_epochs"]))
    if details["log"]:
        parts.append("\n".join([f"End of {details['log_file']}:", *details["log"]]))
    if details["next"]:
        parts.append("\n".join(["Next:", *(f"  {command}" for command in details["next"])]))
    return "\n\n".join(parts)


def _curves(epochs: list[dict[str, Any]]) -> str:
    """Return a table of the last epochs; columns that no epoch has are left out."""
    kept = [i for i, key in enumerate(_CURVES) if any(line[key] is not None for line in epochs)]
    rows = [
        [line["epoch"], *(_cell(_CURVES[i], line[_CURVES[i]]) for i in kept)] for line in epochs
    ]
    return table([_HEADS[0], *(_HEADS[i + 1] for i in kept)], rows)


def _cell(key: str, value: float | None) -> str:
    if value is None:
        return "–"
    if key == "learning_rate":
        return f"{value:.2g}"
    return number(value, 1 if key == "seconds" else 4)
