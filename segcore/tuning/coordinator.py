"""The loop of a search: follow running trials, end the poor ones, begin new ones, report.

Nothing is remembered between two rounds but in the store and in the runs' own folders. So a
coordinator may be killed at any moment, and two that work on one search do what one would: each
round of each is one turn under the search's lock.
"""

from typing import Any, Protocol

from optuna.trial import FrozenTrial, TrialState

from segcore.config import TrainConfig, TuneConfig
from segcore.config.tuning import trial_config
from segcore.errors import SegcoreError
from segcore.runs.queue.crash_recovery import DIED
from segcore.tuning.store import TrialStore
from segcore.tuning.trainer import TrialProgress

MAX_RETRIES = 1
"""How often a trial whose process died is taken up again from its checkpoint."""
HOPELESS = 3
"""A search whose first trials all fail ends after this many: the next would, too."""


class Trainer(Protocol):
    """What a search asks of those who train (see :class:`segcore.tuning.trainer.QueueTrainer`)."""

    def start(self, id: str, config: TrainConfig) -> None:
        """Make a run and queue it, unless that was done before."""

    def look(self, id: str) -> TrialProgress:
        """Return how a run is going."""

    def stop(self, id: str) -> None:
        """Ask a run to save and end."""

    def resume(self, id: str) -> None:
        """Queue a run again."""

    def explain(self, id: str, cause: str) -> None:
        """Say in an interrupted run why it was ended."""


class Coordinator:
    """One worker on a search.

    Args:
        store: The search's trials.
        trainer: Who trains them.
        parallel: Trials running at a time.

    Attributes:
        report: The content of ``study.json`` after the last turn.
    """

    def __init__(self, store: TrialStore, trainer: Trainer, parallel: int) -> None:
        self.store = store
        self.trainer = trainer
        self.parallel = parallel
        self.report: dict[str, Any] = {}
        self._failures: list[str] = []
        self._progress: dict[int, float] = {}

    @property
    def config(self) -> TuneConfig:
        """The search."""
        return self.store.config

    def run_of(self, number: int) -> str:
        """Return the id of a trial's run; trials are counted from 0, runs from 1."""
        return f"{self.store.run.id}-{number + 1}"

    def turn(self) -> bool:
        """Do one round; return whether anything is left to do.

        Raises:
            SegcoreError: Every trial fails, or the workspace cannot be written.
        """
        with self.store.writing():
            for trial in self.store.trials():
                if trial.state is TrialState.RUNNING:
                    self._follow(trial)
            trials = self.store.trials()
            active = sum(trial.state is TrialState.RUNNING for trial in trials)
            for _ in range(max(0, min(self.parallel - active, self.config.planned - len(trials)))):
                if not self._is_hopeless(trials):
                    number, values = self.store.draw()
                    self._begin(number, values)
                    active += 1
            self.report = self.store.publish()
            if not active and self._is_hopeless(trials):
                raise SegcoreError(
                    f"The first {len(self._failures)} trials all failed, the last so: "
                    f"{self._failures[-1]}"
                )
            return active > 0

    def hold(self) -> None:
        """Stop the running trials because the search stops; the next coordinator resumes them."""
        with self.store.writing():
            for trial in self.store.trials():
                if trial.state is TrialState.RUNNING:
                    self.store.note(trial.number, "held", True)
                    self.trainer.stop(self.run_of(trial.number))
            self.report = self.store.publish()

    def _begin(self, number: int, values: dict[str, Any]) -> None:
        id = self.run_of(number)
        self.trainer.start(
            id, trial_config(self.config.base, values, group=self.store.run.id, member=number)
        )
        self.store.note(number, "run", id)

    def _is_hopeless(self, trials: list[FrozenTrial]) -> bool:
        return len(self._failures) >= HOPELESS and not any(
            trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in trials
        )

    def _follow(self, trial: FrozenTrial) -> None:
        """Take over what is new about a trial's run."""
        number, id = trial.number, self.run_of(trial.number)
        if "run" not in trial.user_attrs:  # a coordinator was killed while it began this trial
            self._begin(number, self.store.values(trial))
            return
        sight = self.trainer.look(id)
        status = sight.status
        if status is None:
            self._fail(number, "Its run was deleted.")
            return
        self._progress[number] = status.progress
        cause = trial.user_attrs.get("pruned", "")
        for epoch in sorted(set(sight.scores) - set(trial.intermediate_values)):
            verdict = self.store.report(number, epoch, sight.scores[epoch])
            if (
                verdict
                and not cause
                and not status.has_ended
                and epoch < self.config.base.recipe.epochs
            ):
                cause = verdict
                self.store.note(number, "pruned", cause)
        if status.state == "finished":
            self._finish(number, sight)
        elif status.state == "failed":
            self._fail(number, status.cause)
        elif status.state == "interrupted":
            self._interrupted(trial, status.cause, cause)
        elif cause:
            self.trainer.stop(id)

    def _finish(self, number: int, sight: TrialProgress) -> None:
        if sight.scores:
            self.store.end(number, TrialState.COMPLETE, max(sight.scores.values()))
        else:
            self._fail(
                number,
                (
                    "It ended without a validation score: the validation split may hold no "
                    "labelled pixel."
                ),
            )

    def _fail(self, number: int, cause: str) -> None:
        self._failures.append(cause)
        self.store.end(number, TrialState.FAIL, cause=cause or "It failed: see its log.")

    def _interrupted(self, trial: FrozenTrial, why: str, pruned: str) -> None:
        number, id = trial.number, self.run_of(trial.number)
        retries = trial.user_attrs.get("retries", 0)
        if pruned:
            self.store.end(number, TrialState.PRUNED, cause=pruned)
            self.trainer.explain(
                id, f"Ended early by its search. {pruned} Resume it to train it to its end."
            )
        elif trial.user_attrs.get("held"):
            self.store.note(number, "held", False)
            self.trainer.resume(id)
        elif why.startswith(DIED[:17]) and retries < MAX_RETRIES:
            self.store.note(number, "retries", retries + 1)
            self.trainer.resume(id)
        else:
            self._fail(number, why if why == DIED else "Its run was stopped by hand.")

    def fields(self) -> dict[str, Any]:
        """Return the fields of the search's status after a turn."""
        report = self.report
        trials = report["trials"]
        ended = [row for row in trials if row["state"] != "running"]
        running = [
            self._progress.get(row["trial"] - 1, 0.0) for row in trials if row["state"] == "running"
        ]
        best = next((row for row in trials if row["trial"] == report["best"]), None)
        message = f"Trial {len(trials)} of {report['planned']}"
        return {
            "progress": min(1.0, (len(ended) + sum(running)) / report["planned"]),
            "message": message
            + (f", best {100 * best['score']:.1f} % (trial {best['trial']})" if best else ""),
            "mean_iou": best["score"] if best else None,
            "seconds_left": self._seconds_left(ended, running, report["planned"]),
        }

    def _seconds_left(
        self, ended: list[dict[str, Any]], running: list[float], planned: int
    ) -> float | None:
        """Estimate from the mean length of ended trials, without those that failed."""
        lengths = [
            row["ended"] - row["began"]
            for row in ended
            if row["state"] != "failed" and row["ended"] and row["began"]
        ]
        if not lengths:
            return None
        left = planned - len(ended) - sum(running)
        return sum(lengths) / len(lengths) * left / max(1, min(self.parallel, planned))
