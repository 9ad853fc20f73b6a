"""A student or an average of weights against its ensemble and its best member."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from segcore import formatting
from segcore.config import EvaluateConfig, TrainConfig
from segcore.evaluation.comparison.comparison import Comparison
from segcore.evaluation.counts.bootstrap import Interval
from segcore.evaluation.counts.verdicts import judge_many, many_of
from segcore.evaluation.metrics.report import plain
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace.ensembles.one_network import OneNetworks
from segcore.workspace.rights import writes
from segcore.workspace.runs.run_ids import evaluation_id
from segcore.workspace.runs.runs import Runs
from segcore.workspace.scores.pixel_metrics import RunPixelMetrics
from segcore.workspace.scores.scores import Scores

Progress = Callable[[int, int, str], None]

ALONE = (
    "The average is the best member itself: with any other member added it scores lower on "
    "validation."
)


@dataclass(frozen=True)
class NetworkRow:
    """One line of the card.

    Attributes:
        role: "student" or "average", "ensemble", "best member".
        run: Id of the run.
        mean_iou: On the split, with its interval.
        ece: Expected calibration error, 0 to 1; None where it was not measured.
        milliseconds: For one image, one at a time; of an ensemble the sum of its members'. None
            where it was not measured.
        megabytes: Of the saved network, 10**6 bytes; of an ensemble all of them.
    """

    role: str
    run: str
    mean_iou: Interval
    ece: float | None
    milliseconds: float | None
    megabytes: float | None

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        interval = {"mean_iou": plain(self.mean_iou.value), "interval": self.mean_iou.ends()}
        return {**vars(self), **interval}


@dataclass(frozen=True)
class NetworkVerdict:
    """A network made from several against them, on one split.

    Attributes:
        run: Id of the student or average.
        split: Where all were scored.
        chosen_on: Where the best member was chosen.
        rows: The network, the ensemble of its members' mean, and the best member.
        against_ensemble: The network minus the ensemble, paired by image or group.
        against_best: The network minus the best member.
        device: What speed was measured on; "" where it was not.
        kept: Of an average the members in it; () of a student.
        sentences: The findings in words.
    """

    run: str
    split: str
    chosen_on: str
    rows: tuple[NetworkRow, ...]
    against_ensemble: Comparison
    against_best: Comparison
    device: str
    kept: tuple[str, ...]
    sentences: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {
            **vars(self),
            "rows": [row.to_json() for row in self.rows],
            "against_ensemble": self.against_ensemble.to_json(),
            "against_best": self.against_best.to_json(),
        }


class NetworkVerdicts:
    """What students and averages are worth."""

    def __init__(
        self, runs: Runs, scores: Scores, pixel_metrics: RunPixelMetrics, networks: OneNetworks
    ) -> None:
        self._runs = runs
        self._scores = scores
        self._pixel_metrics = pixel_metrics
        self._networks = networks

    @writes("start predictions")
    def prepare(self, run: str, split: str) -> list[str]:
        """Predict and combine what the verdict on a split needs; return the runs to wait for.

        Raises:
            SegcoreError: The run is no student or average, is not finished, or the split does not
                exist.
        """
        members = self._networks.sources(run)
        return [self._runs.predict_whole(run, split), self._runs.ensemble(members, split)]

    def is_ready(self, run: str, split: str) -> bool:
        """Whether all that :meth:`verdict` compares is counted.

        Raises:
            SegcoreError: The run is no student or average.
        """
        return all(self._scores.has_counts(name, split) for name in self._compared(run, split))

    def calibrate(self, run: str, split: str, progress: Progress | None = None) -> None:
        """Measure the calibration of the network, the ensemble and the best member on a split.

        Raises:
            SegcoreError: One has no whole probabilities of the split on disk.
        """
        for name in self._compared(run, split):
            self._pixel_metrics.measure(name, split, progress=progress)

    def is_calibrated(self, run: str, split: str) -> bool:
        """Whether :meth:`calibrate` was done for the predictions as they are now."""
        return all(self._pixel_metrics.cached(name, split) for name in self._compared(run, split))

    def verdict(self, run: str, split: str) -> NetworkVerdict:
        """Compare a student or average with its ensemble and its best member on a split.

        The best member is the one that scored best while it was trained, on validation; it is
        compared on ``split``. Calibration is shown where it was measured.

        Raises:
            SegcoreError: Something was not predicted yet (see :meth:`prepare`).
        """
        own, ensemble, best = self._compared(run, split)
        config = self._runs.open(run).config
        student = isinstance(config, TrainConfig) and config.distillation is not None
        speed = self._document(run, "speed")
        roles = ("student" if student else "average", "ensemble", "best member")
        rows = tuple(
            self._row(role, name, split, speed.get("milliseconds", {}))
            for role, name in zip(roles, (own, ensemble, best), strict=True)
        )
        against_ensemble = self._scores.compare(own, ensemble, split)
        against_best = self._scores.compare(own, best, split)
        kept = tuple(self._document(run, "averaging").get("kept", ()))
        chosen_on = config.validation_split if isinstance(config, TrainConfig) else ""
        return NetworkVerdict(
            run=run,
            split=split,
            chosen_on=chosen_on or "the training images",
            rows=rows,
            against_ensemble=against_ensemble,
            against_best=against_best,
            device=str(speed.get("device", "")),
            kept=kept,
            sentences=_sentences(roles[0], against_ensemble, against_best, kept == (best,)),
        )

    def _compared(self, run: str, split: str) -> tuple[str, str, str]:
        """Return the ids of the network, the ensemble and the best member."""
        members = self._networks.sources(run)
        best = max(members, key=lambda name: self._runs.open(name).status().mean_iou or 0.0)
        ensemble = EvaluateConfig(self._runs.dataset_of(members), members, split)
        return run, evaluation_id(ensemble), best

    def _row(
        self, role: str, run: str, split: str, milliseconds: Mapping[str, float]
    ) -> NetworkRow:
        measured = self._pixel_metrics.cached(run, split)
        confidence = measured.measures.confidence() if measured is not None else None
        parts = self._runs.members(run)
        times = [milliseconds.get(part) for part in parts]
        sizes = [_bytes(self._runs.open(part)) for part in parts]
        return NetworkRow(
            role=role,
            run=run,
            mean_iou=self._scores.report(run, split).interval(),
            ece=None if confidence is None else confidence.ece,
            milliseconds=None if None in times else sum(t for t in times if t is not None),
            megabytes=None if None in sizes else sum(s for s in sizes if s is not None) / 1e6,
        )

    def _document(self, run: str, name: str) -> dict[str, Any]:
        """Return a document of a run, {} where it was not written."""
        folder = self._runs.open(run)
        return folder.read_json(name) if (folder.folder / f"{name}.json").is_file() else {}


def _bytes(run: RunFolder) -> int | None:
    try:
        return run.model_path.stat().st_size
    except OSError:
        return None


def _sentences(role: str, ensemble: Comparison, best: Comparison, alone: bool) -> tuple[str, ...]:
    """Say how the network compares with both; what is judged is judged together."""
    both = [ensemble] if alone else [ensemble, best]
    judged = [c for c in both if not (c.reasons or c.chosen) and c.difference.is_known]
    words = dict(zip(map(id, judged), judge_many([c.difference for c in judged]), strict=True))
    first = _sentence(role, "the ensemble", ensemble, words.get(id(ensemble), ""))
    if alone:
        return first, ALONE
    second = _sentence(role, "the best member", best, words.get(id(best), ""))
    note = many_of([c.difference for c in judged])
    return (first, second, note) if note else (first, second)


def _sentence(role: str, other: str, comparison: Comparison, judged: str) -> str:
    """Say in one sentence how the network compares with another."""
    if comparison.reasons:
        return f"The {role} and {other} cannot be compared: {' '.join(comparison.reasons)}"
    gain = comparison.difference
    if comparison.chosen:
        return f"The {role} against {other} is not judged. {comparison.chosen}"
    words = {"helps": "better than", "hurts": "worse than"}
    verdict = words.get(judged, "not significantly different from")
    points = f"{formatting.points(gain.value, 2, unit=' points')} of mean IoU"
    within = f" ({gain.range(2, signed=True)})" if gain.is_known else ""
    return f"The {role} is {verdict} {other}: {points}{within}. {gain.how()}"
