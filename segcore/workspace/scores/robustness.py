"""Robustness tests: what corrupted images do to a network's scores, counted in the background."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from segcore.catalog import CORRUPTIONS, kind_words
from segcore.config import EvaluateConfig, RobustnessConfig, TrainConfig
from segcore.data.augmentation.corruptions import BAND_CORRUPTIONS, SEVERITIES, corrupt
from segcore.errors import SegcoreError
from segcore.evaluation.metrics.robustness import CLEAN, RobustnessSummary, stage_name, summarise
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace.rights import writes
from segcore.workspace.runs.refusals import not_finished
from segcore.workspace.runs.run_ids import robustness_id
from segcore.workspace.runs.runs import Runs
from segcore.workspace.scores.scenes import Image, Scenes
from segcore.workspace.scores.scores import Scores


@dataclass(frozen=True)
class RobustnessResult:
    """What a finished robustness run measured.

    Attributes:
        run: Id of the network or ensemble.
        split: Name of the split.
        seed: Of the noise.
        class_names: Names of the classes.
        summary: The scores, clean and corrupted.
    """

    run: str
    split: str
    seed: int
    class_names: list[str]
    summary: RobustnessSummary

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping: the summary's keys next to the run's."""
        return {
            "run": self.run,
            "split": self.split,
            "seed": self.seed,
            "class_names": self.class_names,
            **self.summary.to_json(),
        }


class RobustnessTests:
    """Robustness runs of a workspace: one a network or ensemble, split and question."""

    def __init__(self, runs: Runs, scores: Scores, scenes: Scenes) -> None:
        self._runs = runs
        self._scores = scores
        self._scenes = scenes

    @writes("start a robustness test")
    def start(
        self,
        run: str,
        split: str,
        corruptions: Sequence[str] = (),
        images: int = 32,
        seed: int = 0,
    ) -> str:
        """Start a robustness test unless it is done or running; return the id of its run.

        Predictions of an ensemble's members for each corrupted image are combined by its rule; its
        CRF or filter is left out.

        Args:
            run: Id of a finished training run, or of an ensemble.
            split: Name of a split.
            corruptions: Names in ``catalog.CORRUPTIONS``; () for all that :meth:`corruptions` has.
            images: How many images, spread evenly over the split; 0 takes all.
            seed: Of the noise.

        Raises:
            SegcoreError: The run is neither, a member is not finished, the split does not exist, or
                a value is refused.
        """
        self._scenes.dataset_of(run).select(split)
        usable = self.corruptions(run)
        for name in corruptions:
            if name in CORRUPTIONS and name not in usable:
                raise SegcoreError(
                    f"Expected {' or '.join(usable)} for bands that keep their values, received "
                    f"{name}, which is of pictures: choose one of these."
                )
        config = self._config(run, split, corruptions or usable, images, seed)
        changed = 0.0
        for member in config.members or (run,):
            source = self._runs.open(member)
            if not source.model_path.exists():
                raise not_finished(member, source.status())
            changed = max(changed, source.status().finished or 0.0)
        name = robustness_id(config)
        self._runs.ensure(name, config, changed)
        return name

    def corruptions(self, run: str) -> tuple[str, ...]:
        """Return the corruptions that mean something for the images of a run.

        Raises:
            SegcoreError: There is no such run.
        """
        of_bands = self._scenes.dataset_of(run).bands is not None
        return BAND_CORRUPTIONS if of_bands else tuple(CORRUPTIONS)

    def _config(
        self, run: str, split: str, corruptions: Sequence[str], images: int, seed: int
    ) -> RobustnessConfig:
        config, asked = self._runs.open(run).config, (split, tuple(corruptions), images, seed)
        if isinstance(config, TrainConfig):
            return RobustnessConfig(config.dataset, run, *asked, config.device)
        if not isinstance(config, EvaluateConfig):
            raise SegcoreError(
                f"Expected a training run or an ensemble, received {run!r}, which is "
                f"{kind_words(config.kind)}: choose another."
            )
        device = next(
            (
                own.device
                for m in config.members
                if isinstance(own := self._runs.open(m).config, TrainConfig)
            ),
            "auto",
        )
        return RobustnessConfig(
            config.dataset, run, *asked, device, config.members, config.rule, config.weights
        )

    def started(self, run: str, split: str) -> list[str]:
        """Return the ids of the robustness runs of a run or ensemble on a split, newest first."""
        stem = (
            run.rsplit("--", 1)[0]
            if isinstance(self._runs.open(run).config, EvaluateConfig)
            else run
        )
        names = []
        for row in self._runs.rows():
            if row.kind != "robustness" or not row.run.startswith(f"{stem}--"):
                continue
            with suppress(SegcoreError):  # a damaged run hides no other
                if self._asked(self._runs.open(row.run)).split == split:
                    names.append(row.run)
        return names

    def result(self, name: str) -> RobustnessResult:
        """Return what a finished robustness run measured.

        Raises:
            SegcoreError: It is no robustness run, or not finished.
        """
        folder = self._runs.open(name)
        config, status = self._asked(folder), folder.status()
        if status.state != "finished":
            raise not_finished(name, status, "robustness run")
        counts = {
            (corruption, severity): folder.read_counts(
                config.split, stage_name(corruption, severity)
            )[1]
            for corruption in config.corruptions
            for severity in SEVERITIES
        }
        ids, clean = folder.read_counts(config.split, CLEAN)
        summary = summarise(clean, counts, groups=self._scores.drawn_by(config.run, ids).groups)
        names = self._scores.label_set(config.run).class_names
        return RobustnessResult(config.run, config.split, config.seed, names, summary)

    def stamp(self, name: str) -> str:
        """Return a cache key that changes whenever :meth:`result` may return something else."""
        folder = self._runs.open(name)
        drawn = self._scores.choice(self._asked(folder).run)
        return f"{name} {folder.status().finished} {drawn}"

    def example(
        self, run: str, sample: str, corruption: str, severity: int, seed: int = 0
    ) -> Image:
        """Return a sample's image under a corruption, (H, W, 3) uint8 RGB; severity 0 is none.

        Raises:
            SegcoreError: There is no such run, sample or corruption.
        """
        image = self._scenes.image(self._scenes.dataset_of(run).name, sample)
        return corrupt(image, corruption, severity, sample, seed) if severity else image

    @staticmethod
    def _asked(folder: RunFolder) -> RobustnessConfig:
        config = folder.config
        if not isinstance(config, RobustnessConfig):
            raise SegcoreError(
                f"Expected a robustness run, received {folder.id!r}, which is {kind_words(config.kind)}: "
                "choose a robustness run."
            )
        return config
