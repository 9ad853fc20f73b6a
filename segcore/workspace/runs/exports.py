"""Export of runs to TensorBoard, and to MLflow and Weights & Biases if installed."""

import importlib
import importlib.util
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segcore.catalog import RUN_EXPORTS
from segcore.config import to_json
from segcore.errors import SegcoreError, unknown
from segcore.installing import extra_command
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine import disk
from segcore.workspace.rights import writes
from segcore.workspace.runs.event_file import encode_events
from segcore.workspace.runs.monitor import EpochRow, Monitors
from segcore.workspace.runs.runs import Runs


class Exports:
    """Hands the history and config of runs to other trackers."""

    def __init__(self, workspace: Path, runs: Runs, monitors: Monitors) -> None:
        self._workspace = workspace
        self._runs = runs
        self._monitors = monitors

    def missing(self, tracker: str) -> str:
        """Return what to install before a tracker can be used; "" where all is there.

        Raises:
            SegcoreError: The tracker is unknown.
        """
        if tracker not in RUN_EXPORTS:
            raise unknown("tracker", tracker, RUN_EXPORTS)
        return (
            ""
            if tracker == "tensorboard" or importlib.util.find_spec(tracker)
            else extra_command(tracker)
        )

    @writes("export a run", "Exported the run {run} to {tracker}")
    def export(self, run: str, tracker: str, target: str = "") -> str:
        """Hand a run to a tracker.

        Args:
            run: A run with a history.
            tracker: "tensorboard", "mlflow" or "wandb".
            target: TensorBoard: a folder (by default ``<workspace>/tensorboard``). MLflow: a
                tracking address (by default ``$MLFLOW_TRACKING_URI``, else ``<workspace>/mlruns``).
                Weights & Biases: the project (by default "segscope"); without ``$WANDB_API_KEY``
                the run is written offline into ``<workspace>/wandb``.

        Returns:
            A sentence that says where it went and how to look at it.

        Raises:
            SegcoreError: There is no such run or tracker, the run has no history, the package is
                missing, or the tracker refuses.
        """
        missing = self.missing(tracker)
        if missing:
            raise SegcoreError(
                f"Expected the package of {RUN_EXPORTS[tracker].title}, found none: "
                f"install it with `{missing}`."
            )
        folder = self._runs.open(run)
        rows = self._monitors.table(run)
        if not rows:
            raise SegcoreError(
                f"Expected a run with a history, but {run!r} has finished no epoch: wait "
                "for its first one."
            )
        if tracker == "tensorboard":
            return self._to_tensorboard(folder, rows, target)
        module = importlib.import_module(tracker)
        try:
            if tracker == "mlflow":
                return self._to_mlflow(module, folder, rows, target)
            return self._to_wandb(module, folder, rows, target)
        except SegcoreError:
            raise
        except Exception as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
            raise SegcoreError(
                f"{RUN_EXPORTS[tracker].title} refused the run {run!r}: {first.rstrip('.')}."
            ) from error

    def _to_tensorboard(self, run: RunFolder, rows: Sequence[EpochRow], target: str) -> str:
        root = Path(target).expanduser() if target else self._workspace / "tensorboard"
        began = run.status().started or run.status().created or 0.0
        points = [
            (began + at, epoch, tag, value)
            for at, epoch, row in _timed(rows)
            for tag, value in _scalars(row).items()
        ]
        # One name for ever: exporting again replaces the file instead of drawing every curve twice.
        disk.write_bytes(
            root / run.id / "events.out.tfevents.0000000000.segscope", encode_events(points, began)
        )
        return f"Written to {root / run.id}; look at it with: tensorboard --logdir {root}"

    def _to_mlflow(self, mlflow: Any, run: RunFolder, rows: Sequence[EpochRow], target: str) -> str:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        address = target or os.environ.get("MLFLOW_TRACKING_URI", "")
        if not address:
            os.environ.setdefault(
                "MLFLOW_ALLOW_FILE_STORE", "true"
            )  # newer versions keep plain folders behind this switch
            address = (self._workspace / "mlruns").as_uri()
        client = mlflow.MlflowClient(tracking_uri=address)
        name = run.config.dataset
        existing = client.get_experiment_by_name(name)
        experiment = existing.experiment_id if existing else client.create_experiment(name)
        began = run.status().started or run.status().created or 0.0
        started = client.create_run(
            experiment, start_time=int(1000 * began), run_name=run.id, tags=_tags(run)
        )
        number = started.info.run_id
        entities = importlib.import_module("mlflow.entities")
        parameters = [
            entities.Param(key, str(value)[:500])
            for key, value in _flat(to_json(run.config)).items()
        ]
        client.log_batch(number, params=parameters[:100])
        points = [
            entities.Metric(_plain_name(tag), value, int(1000 * (began + at)), epoch)
            for at, epoch, row in _timed(rows)
            for tag, value in _scalars(row).items()
        ]
        for first in range(0, len(points), 500):
            client.log_batch(number, metrics=points[first : first + 500])
        ended = run.status().finished
        client.set_terminated(
            number,
            "FINISHED" if run.status().state == "finished" else "KILLED",
            int(1000 * ended) if ended else None,
        )
        return (
            f"Logged to the experiment {name!r} as run {number}; look at it with: mlflow ui "
            f"--backend-store-uri {address}"
        )

    def _to_wandb(self, wandb: Any, run: RunFolder, rows: Sequence[EpochRow], target: str) -> str:
        online = bool(os.environ.get("WANDB_API_KEY"))
        started = wandb.init(
            project=target or "segscope",
            name=run.id,
            id=run.id,
            group=getattr(run.config, "group", "") or None,
            dir=str(self._workspace),
            config=to_json(run.config),
            tags=list(run.annotations().tags),
            mode="online" if online else "offline",
            reinit=True,
        )
        for row in rows:
            started.log(_scalars(row), step=row.epoch)
        started.finish()
        if online:
            return f"Sent to the project {target or 'segscope'!r} as {run.id}."
        return (
            f"Written offline to {self._workspace / 'wandb'}; send it with: wandb sync "
            f"{self._workspace / 'wandb'}/offline-run-*"
        )


def _timed(rows: Sequence[EpochRow]) -> list[tuple[float, int, EpochRow]]:
    """Return the seconds of work until the end of each epoch, its number, and its row."""
    timed, total = [], 0.0
    for row in rows:
        total += row.seconds
        if row.epoch is not None:
            timed.append((total, row.epoch, row))
    return timed


def _scalars(row: EpochRow) -> dict[str, float]:
    """Return the finite numbers of an epoch by tag: "loss/train", "loss/validation"."""
    names = {
        "loss": "loss/train",
        "val_loss": "loss/validation",
        "mean_iou": "mean_iou/train",
        "val_mean_iou": "mean_iou/validation",
    }
    numbers = {}
    for key, value in row.values.items():
        if (
            key == "epoch"
            or isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not math.isfinite(value)
        ):
            continue
        tag = f"class_iou/{key[4:]}" if key.startswith("iou ") else names.get(key, key)
        numbers[tag] = float(value)
    return numbers


def _plain_name(tag: str) -> str:
    """A tag in the characters that MLflow takes."""
    return "".join(c if c.isalnum() or c in "_-./ " else "_" for c in tag)


def _flat(data: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= (
            _flat(value, f"{before}{key}.")
            if isinstance(value, dict)
            else {f"{before}{key}": value}
        )
    return flat


def _tags(run: RunFolder) -> dict[str, str]:
    notes = run.annotations()
    return {
        "segscope.run": run.id,
        "segscope.tags": ", ".join(notes.tags),
        "mlflow.note.content": notes.text,
    }
