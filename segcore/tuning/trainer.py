"""Who trains a trial: the queue of the workspace, as it trains every other run."""

from dataclasses import dataclass
from pathlib import Path

from segcore.config import TrainConfig
from segcore.runs.folder.environment import note_engine
from segcore.runs.folder.run_folder import RunFolder, Status
from segcore.runs.machine.engines import settle_engine
from segcore.runs.queue import jobs


@dataclass(frozen=True)
class TrialProgress:
    """What is to be seen of a trial's run.

    Attributes:
        status: How it is going; None where its folder is gone.
        scores: Validation mean IoU by epoch, from 1.
    """

    status: Status | None
    scores: dict[int, float]


class QueueTrainer:
    """Trials as runs of the workspace, started by its queue.

    Args:
        workspace: Folder of the workspace.
    """

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace

    def _run(self, id: str) -> RunFolder:
        return RunFolder(jobs.runs_folder(self.workspace) / id)

    def start(self, id: str, config: TrainConfig) -> None:
        """Make a run and queue it, unless that was done before."""
        run = self._run(id)
        if not run.folder.is_dir():
            config, engine = settle_engine(config, self.workspace)
            RunFolder.create(run.folder.parent, id, config).write_status(
                epochs=config.recipe.epochs
            )
            note_engine(run.folder, engine)
        if run.status().state == "queued":
            jobs.submit(self.workspace, [id])

    def look(self, id: str) -> TrialProgress:
        """Return how a run is going; the scores are at least those that belong to the status."""
        run = self._run(id)
        if not run.folder.is_dir():
            return TrialProgress(None, {})
        status = run.status()
        lines = run.metrics() if status.started else []
        known = [(line.get("epoch"), line.get("val_mean_iou")) for line in lines]
        return TrialProgress(
            status,
            {
                epoch: float(score)
                for epoch, score in known
                if isinstance(epoch, int) and isinstance(score, (int, float))
            },
        )

    def stop(self, id: str) -> None:
        """Ask a run to save and end; one that is ending already is left to do so."""
        if self._run(id).status().state in ("queued", "starting", "running"):
            jobs.stop(self.workspace, id)

    def resume(self, id: str) -> None:
        """Queue a run again, to continue from its last checkpoint."""
        jobs.resume(self.workspace, id)

    def explain(self, id: str, cause: str) -> None:
        """Say in an interrupted run why it was ended, where the reason was not a person's."""
        self._run(id).write_status(only_if=("interrupted",), cause=cause)

    def refresh(self) -> None:
        """Notice workers that died, and a dispatcher that did."""
        jobs.refresh(self.workspace)
