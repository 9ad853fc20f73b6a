"""The trials of a search: Optuna's storage in the run's folder, and ``study.json`` for pages.

One process at a time writes, under ``study.lock``; nobody else opens the database. A killed writer
leaves running trials, which the next one finds with their runs.
"""

import math
import statistics
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from segcore.config import TuneConfig
from segcore.errors import SegcoreError
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine.disk import locked
from segcore.tuning.proposals import build_pruner, build_sampler, fixed_values, propose, rounded

FORMAT = 1
STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}
LOCK_SECONDS = 60.0
"""How long one turn of another process on the same search may take."""
MIN_IMPORTANCE = 5
"""Finished trials below which no importance is shown."""


class TrialStore:
    """The trials of one search.

    Args:
        run: The folder of the tune run.
        config: The search.

    Raises:
        SegcoreError: In the constructor and every method: the storage is damaged, newer or cannot
            be written.
    """

    def __init__(self, run: RunFolder, config: TuneConfig) -> None:
        self.run = run
        self.config = config
        self._ids: dict[int, int] = {}
        self._report: dict[str, Any] | None = None
        self._weighed: tuple[int, dict[str, float]] = (-1, {})
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with self.writing():
            url = URL.create("sqlite", database=str(run.folder / "study.sqlite")).render_as_string(
                hide_password=False
            )
            storage = RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 30}})
            self.study = optuna.create_study(
                study_name=run.id,
                storage=storage,
                direction="maximize",
                pruner=build_pruner(config),
                load_if_exists=True,
            )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the search for some changes; not to be nested."""
        with locked(self.run.folder / "study.lock", LOCK_SECONDS), self._sentences():
            yield

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        path = self.run.folder / "study.sqlite"
        try:
            yield
        except RuntimeError as error:  # Optuna's word for a storage of another version
            if "version" not in str(error):
                raise
            raise SegcoreError(
                f"Expected {path} of this version of Optuna, found another: update, or "
                "start a new search."
            ) from error
        except (optuna.exceptions.StorageInternalError, SQLAlchemyError) as error:
            text = str(error.__cause__ or error).splitlines()[0].lower()
            if "full" in text:
                fix = "the disk is full: free some space, then resume the search"
            elif "readonly" in text or "unable to open" in text:
                fix = "it cannot be written: change its permissions, then resume the search"
            else:
                fix = (
                    f"it may be damaged ({text}): its trials are still among the runs; start a "
                    "new search"
                )
            raise SegcoreError(f"Could not use {path}: {fix}.") from error

    def trials(self) -> list[FrozenTrial]:
        """All trials in order; do not change them."""
        trials = [trial for trial in self.study.get_trials(deepcopy=False) if trial.state in STATES]
        self._ids.update((trial.number, trial._trial_id) for trial in trials)
        return trials

    def draw(self) -> tuple[int, dict[str, Any]]:
        """Begin one more trial; return its number, from 0, and its values."""
        number = len(self.trials())
        self.study.sampler = build_sampler(self.config, number)
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if (values := fixed_values(self.config, number)) and not waiting:
            self.study.enqueue_trial(values)
        trial = self.study.ask()
        self._ids[trial.number] = trial._trial_id
        return number, propose(trial, self.config.space)

    def values(self, trial: FrozenTrial) -> dict[str, Any]:
        """Return the values of a running trial; one that was cut while drawn is completed."""
        self.study.sampler = build_sampler(self.config, trial.number)
        return propose(optuna.trial.Trial(self.study, trial._trial_id), self.config.space)

    def note(self, number: int, name: str, value: Any) -> None:
        """Store a fact about a running trial: its "run", or why it was "pruned"."""
        self._open(number).set_user_attr(name, value)

    def report(self, number: int, epoch: int, score: float) -> str:
        """Report the score of an epoch; return why the trial should end there, else ""."""
        trial = self._open(number)
        trial.report(score, epoch)
        return self._verdict(number, epoch) if trial.should_prune() else ""

    def _verdict(self, number: int, epoch: int) -> str:
        trials = self.trials()
        mine = max(
            score
            for trial in trials
            if trial.number == number
            for score in trial.intermediate_values.values()
        )
        if self.config.pruner == "hyperband":
            return (
                f"Not among the best third at epoch {epoch}: its mean IoU was {100 * mine:.1f} "
                "% at best."
            )
        others = [
            t.intermediate_values.get(epoch) for t in trials if t.state is TrialState.COMPLETE
        ]
        middle = statistics.median(score for score in others if score is not None)
        return (
            f"Its best mean IoU after epoch {epoch} was {100 * mine:.1f} %, the others' median "
            f"{100 * middle:.1f} %."
        )

    def _open(self, number: int) -> optuna.trial.Trial:
        return optuna.trial.Trial(self.study, self._ids[number])

    def end(
        self, number: int, state: TrialState, score: float | None = None, cause: str = ""
    ) -> None:
        """Record how a trial ended, with its cause."""
        if cause:
            self.note(number, "cause", cause)
        self.study.tell(number, score, state)

    def importances(self) -> dict[str, float]:
        """Return each parameter's share in reaching the better trials, largest first.

        Empty below five finished trials.

        By PED-ANOVA (Watanabe, Bansal, Hutter, IJCAI 2023): how far the values of the better half
        lie from an even spread over the space, one parameter at a time. Shares sum to 1. A sampler
        that has converged on a value makes it look important.
        """
        finished = sum(trial.state is TrialState.COMPLETE for trial in self.trials())
        if finished < MIN_IMPORTANCE:
            return {}
        if self._weighed[0] != finished:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                evaluator = PedAnovaImportanceEvaluator(
                    target_quantile=0.5, evaluate_on_local=False
                )
                shares = get_param_importances(self.study, evaluator=evaluator)
            known = {name: float(share) for name, share in shares.items() if math.isfinite(share)}
            self._weighed = (finished, known)
        return self._weighed[1]

    def publish(self) -> dict[str, Any]:
        """Write ``study.json`` where something has changed, and return its content."""
        trials = [self._row(trial) for trial in self.trials()]
        complete = [row for row in trials if row["state"] == "complete"]
        best = max(complete, key=lambda row: row["score"], default=None)
        report = {
            "format": FORMAT,
            "planned": self.config.planned,
            "names": self.config.space.names,
            "trials": trials,
            "best": best["trial"] if best else None,
            "importances": self.importances(),
        }
        if report != self._report:
            self.run.write_json("study", report)
            self._report = report
        return report

    def _row(self, trial: FrozenTrial) -> dict[str, Any]:
        scores = trial.intermediate_values
        finite = [score for score in scores.values() if math.isfinite(score)]
        return {
            "trial": trial.number + 1,
            "run": trial.user_attrs.get("run", ""),
            "state": STATES[trial.state],
            "values": self._shown(trial),
            "score": max(finite, default=None),
            "scores": {str(epoch): scores[epoch] for epoch in sorted(scores)},
            "cause": trial.user_attrs.get("cause", ""),
            "began": trial.datetime_start.timestamp() if trial.datetime_start else None,
            "ended": trial.datetime_complete.timestamp() if trial.datetime_complete else None,
        }

    def _shown(self, trial: FrozenTrial) -> dict[str, Any]:
        values = {
            name: trial.params[name] for name in self.config.space.names if name in trial.params
        }
        for name, span in self.config.space.ranges.items():
            if name in values:
                values[name] = rounded(values[name], span)
        return values
