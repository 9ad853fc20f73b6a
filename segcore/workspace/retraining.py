"""What fixing masks and labelling more images bought: a clone of a run, and both on the same masks."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from segcore import formatting
from segcore.catalog.hub import is_hub
from segcore.config import TrainConfig
from segcore.data.editing.differences import class_changes
from segcore.data.editing.versions import mask_history, read_version, used_at
from segcore.errors import SegcoreError
from segcore.evaluation.comparison.comparison import Comparison
from segcore.evaluation.counts import scores as formulas
from segcore.evaluation.counts.bootstrap import Interval, bootstrap, paired
from segcore.evaluation.counts.scores import Margins
from segcore.runs.folder.environment import read_environment
from segcore.runs.machine.diagnosis import ENGINES
from segcore.runs.machine.engines import with_engine_here
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.masks import MaskEdits
from segcore.workspace.rights import writes
from segcore.workspace.runs.runs import Runs
from segcore.workspace.scores.recounts import Recounts
from segcore.workspace.scores.scores import Scores

Progress = Callable[[int, int, str], None]
LINK = "retrained_of"
"""The document of a training run that says of which run it is a clone, and what it starts from."""


@dataclass(frozen=True)
class Retrained:
    """Of which run another is a clone.

    Attributes:
        run: The clone.
        of: The run before.
        warm: Whether the clone starts from the weights of that run; else from the same start.
        engine: What trains the clone, where it is not what trained that run; else "".
    """

    run: str
    of: str
    warm: bool
    engine: str = ""

    @property
    def note(self) -> str:
        """The sentence about the clone's engine; "" where it is that of the run before."""
        name = ENGINES.get(self.engine, self.engine)
        return f"{name} trains it, as that run's engine is not installed here." if name else ""


@dataclass(frozen=True)
class MaskWork:
    """What changed between two runs in the masks of a split.

    Attributes:
        split: The split.
        masks: Images whose mask is another now.
        pixels: Their changed pixels.
        labelled: Images that had no mask before.
    """

    split: str
    masks: int
    pixels: int
    labelled: int


@dataclass(frozen=True, eq=False)
class RetrainingReport:
    """A clone against the run before, both on the masks of today.

    Attributes:
        retrained: The two runs.
        split: Where they are compared.
        images: Images of the split that were scored.
        work: What changed, by split, in the dataset's order.
        recounted: Images of the split that were counted anew for one of the runs.
        comparison: The clone as A, the run before as B.
        touched: Names of the classes that lost or gained pixels.
        touched_gain: Difference of the mean IoU over those; None where all or none are touched.
    """

    retrained: Retrained
    split: str
    images: int
    work: tuple[MaskWork, ...]
    recounted: int
    comparison: Comparison
    touched: tuple[str, ...]
    touched_gain: Interval | None

    @property
    def sentence(self) -> str:
        """The gain in one sentence, in points of mean IoU."""
        gain = self.comparison.difference
        if self.comparison.reasons:
            return " ".join(self.comparison.reasons)
        change = formatting.points(gain.value, unit=" points")
        said = f"This work changed mean IoU on {self.split} by {change}"
        if not gain.is_known:
            return f"{said}; {gain.reason()}"
        sure = "" if gain.excludes_zero else ", which holds 0: no change was shown"
        return f"{said} ({gain.range(signed=True)}){sure}."

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {
            **vars(self.retrained),
            "note": self.retrained.note,
            "split": self.split,
            "images": self.images,
            "work": [vars(one) for one in self.work],
            "recounted": self.recounted,
            "comparison": self.comparison.to_json(),
            "touched": list(self.touched),
            "touched_gain": self.touched_gain.as_difference() if self.touched_gain else None,
            "sentence": self.sentence,
        }


class Retrainings:
    """Trains runs again on fixed masks, and says what that bought."""

    def __init__(
        self, datasets: Datasets, runs: Runs, scores: Scores, masks: MaskEdits, recounts: Recounts
    ) -> None:
        self._datasets = datasets
        self._runs = runs
        self._scores = scores
        self._masks = masks
        self._recounts = recounts

    @writes("retrain a run", "Retrained the run {run}")
    def start(self, run: str, warm: bool = True) -> Retrained:
        """Queue a clone of a run on the masks of today; everything but its start is the same.

        Where the run's engine is not installed any more, another one trains the clone.

        Args:
            run: A finished training run.
            warm: Whether it starts from the weights of that run; else as that run started.

        Raises:
            SegcoreError: It is no finished training run on labels, or it cannot start from its own
                weights.
        """
        folder = self._runs.open(run)
        config = folder.config
        if not isinstance(config, TrainConfig) or config.distillation or config.averaging:
            raise SegcoreError(
                f"Expected a run that was trained on labels, received {run!r}: retrain the runs that "
                "it is made of."
            )
        if warm and not folder.model_path.is_file():
            raise SegcoreError(
                f"Expected the network of {run!r} to start from, found none: wait until it has "
                "finished, or train from scratch."
            )
        if warm and is_hub(config.model.encoder):
            raise SegcoreError(
                f"Expected an encoder that takes a weights file, {run!r} has "
                f"{config.model.encoder}: train from scratch."
            )
        model = config.model
        if warm:
            model = dataclasses.replace(model, weights=str(folder.model_path))
        clone = with_engine_here(
            dataclasses.replace(config, model=model, member=0, group="", submodels="")
        )
        engine = clone.engine if clone.engine != config.engine else ""
        (made,) = self._runs.train(clone)
        self._runs.open(made).write_json(LINK, {"of": run, "warm": warm, "engine": engine})
        return Retrained(made, run, warm, engine)

    def of(self, run: str) -> Retrained | None:
        """Return of which run another is a clone; None for one that is none.

        Raises:
            SegcoreError: There is no such run.
        """
        folder = self._runs.open(run)
        if not (folder.folder / f"{LINK}.json").is_file():
            return None
        kept = folder.read_json(LINK)
        return Retrained(run, str(kept["of"]), bool(kept["warm"]), str(kept.get("engine", "")))

    @writes("start predictions", "Predicted {split} with {run} and the run before it")
    def predict(self, run: str, split: str) -> list[str]:
        """Start predicting a split with a clone and the run before; return the runs to wait for.

        Raises:
            SegcoreError: The run is no clone, or a run is gone or not finished.
        """
        retrained = self._clone(run)
        return [self._runs.predict(one, split) for one in (retrained.of, run)]

    def work(self, run: str) -> tuple[MaskWork, ...]:
        """Return what changed in the masks since a run read them, by split.

        Raises:
            SegcoreError: There is no such run or dataset, or a history is damaged.
        """
        return self._changes(run)[0]

    def gain(self, run: str, split: str, progress: Progress | None = None) -> RetrainingReport:
        """Compare a clone with the run before on a split, both counted against the masks of today.

        Args:
            run: The clone.
            split: A split that both have predicted.
            progress: Called with (done, total, what).

        Raises:
            SegcoreError: The run is no clone, a run is gone, or one has not predicted the split.
        """
        retrained = self._clone(run)
        recounted = []
        for one in (retrained.of, run):
            if self._recounts.outdated(one, split):
                recounted += self._recounts.recount(one, split, progress)
        comparison = self._scores.compare(run, retrained.of, split)
        work, touched = self._changes(retrained.of)
        labels = self._scores.label_set(run)
        own = self._as_predicted(run, touched)
        names = tuple(labels.class_names[n] for n in own)
        apart = None
        if names and len(names) < labels.num_classes and not comparison.reasons:
            apart = self._apart(retrained, split, own)
        images = len(self._scores.sample_ids(run, split))
        return RetrainingReport(
            retrained, split, images, work, len(set(recounted)), comparison, names, apart
        )

    def _clone(self, run: str) -> Retrained:
        retrained = self.of(run)
        if retrained is None:
            raise SegcoreError(
                f"Expected a run that was trained again on fixed masks, received {run!r}, which is "
                f"none: make one (segscope retrain {run})."
            )
        self._runs.open(retrained.of)
        return retrained

    def _as_predicted(self, run: str, touched: set[int]) -> list[int]:
        """Return the classes that a run predicts, by those of its dataset; the void is none."""
        config = self._runs.open(run).config
        dataset = self._datasets.open(config.dataset)
        classes = [n for n in sorted(touched) if n < dataset.label_set.num_classes]
        name = getattr(config, "label_map", "")
        if not name:
            return classes
        group_of = dataset.load_label_map(name).group_of
        return sorted({int(group_of[n]) for n in classes})

    def _apart(self, retrained: Retrained, split: str, touched: list[int]) -> Interval:
        """Return the difference of the mean IoU over some classes, images drawn in pairs."""
        ids, mine = self._scores.counts(retrained.run, split)
        names, theirs = self._scores.counts(retrained.of, split)
        place = {name: n for n, name in enumerate(names)}
        parts = [mine.margins(), theirs.select([place[name] for name in ids]).margins()]
        few = [Margins(*(x[:, touched] for x in vars(part).values())) for part in parts]
        groups = self._scores.drawn_by(retrained.run, ids).groups
        mean_iou = formulas.mean_by_class(formulas.iou, mine.held[touched])
        found = bootstrap(few, {"mean": paired(mean_iou)}, groups=groups)
        return found["mean"][0]

    def _changes(self, run: str) -> tuple[tuple[MaskWork, ...], set[int]]:
        """Return the work by split, and the indices of the classes in it."""
        folder = self._runs.open(run)
        dataset = self._datasets.open(folder.config.dataset)
        starts = read_environment(folder.folder)
        began = (starts[-1].time or 0.0) if starts else float(folder.status().created or 0.0)
        work: dict[str, list[int]] = {split: [0, 0, 0] for split in dataset.splits or [""]}
        touched: set[int] = set()
        for name in self._masks.edited_since(run):
            sample = dataset.sample(name)
            used = used_at(mask_history(dataset, name), began)
            row = work[sample.split]
            if used is None:
                row[2] += 1
                continue
            changes = class_changes(
                read_version(dataset, name, used.number), dataset.read_mask(sample)
            )
            row[0] += bool(changes)
            row[1] += sum(change.pixels for change in changes)
            touched |= {index for change in changes for index in (change.before, change.after)}
        rows = tuple(MaskWork(split, *counts) for split, counts in work.items() if any(counts))
        return rows, touched
