"""The synthetic demo: drawn at first click, with five members that were trained beforehand."""

import dataclasses
import io
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.data.synthetic import make_synthetic
from segcore.errors import SegcoreError
from segcore.places import front
from segcore.postprocess.dense_crf import is_available
from segcore.postprocess.parameters import CRFParameters
from segcore.runs.machine.engines import with_engine_here
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes
from segcore.workspace.runs.runs import Runs

Progress = Callable[[int, int, str], None]

NAME = "demo"
SEED = 0
MEMBERS = 5
ASSETS = front() / "assets" / "demo"
CONFIG = TrainConfig(
    dataset=NAME,
    model=ModelConfig("unet", "tiny", "none"),
    recipe=RecipeConfig(
        loss="cross_entropy",
        class_weights="inverse_root",
        learning_rate=4e-3,
        schedule="cosine",
        epochs=40,
        batch_size=4,
        patience=0,
        augmentation="light",
    ),
    size=(96, 128),
)
SCENES_SHOWN = 8
"""Test scenes whose probabilities come with Segscope; all of them are counted."""


@dataclass(frozen=True)
class DemoRuns:
    """The demo as it was opened.

    Attributes:
        dataset: Name of its dataset.
        runs: Ids of its training runs.
        ensemble: Id of their ensemble; None where the demo has no runs.
    """

    dataset: str
    runs: tuple[str, ...]
    ensemble: str | None

    def to_json(self) -> dict[str, Any]:
        """Return it as ``segscope demo --json`` prints it."""
        return {**vars(self), "runs": [*self.runs]}


class Demo:
    """Opens and rebuilds the demo."""

    def __init__(self, datasets: Datasets, runs: Runs) -> None:
        self._datasets = datasets
        self._runs = runs

    def is_open(self) -> bool:
        """Return whether the demo's dataset and members lie in this workspace."""
        return NAME in self._datasets.names()

    @writes("open the demo")
    def open(self, progress: Progress | None = None) -> DemoRuns:
        """Draw the synthetic dataset and import its trained members; nothing is done twice.

        Returns:
            ``{"dataset": name, "runs": [ids of the training runs], "ensemble": id of the
            evaluation}``.

        Raises:
            SegcoreError: The members that come with Segscope are missing, or the workspace cannot
                be written.
        """
        stored = sorted((ASSETS / "runs").glob("*/config.json"))
        if not stored:
            raise SegcoreError(
                f"Expected the demo's members in {ASSETS}, found none: make them with "
                f"`segscope demo --rebuild {ASSETS}`."
            )
        if not self.is_open():
            self._draw(progress)
        self._runs.folder.mkdir(parents=True, exist_ok=True)
        for config in stored:
            target = self._runs.folder / config.parent.name
            if not target.exists():
                partial = target.with_name(f".{target.name}.partial")
                shutil.rmtree(partial, ignore_errors=True)
                shutil.copytree(config.parent, partial)
                partial.rename(target)
        return self.opened()

    def opened(self) -> DemoRuns:
        """Return what lies of the demo's runs in this workspace; nothing is drawn or copied."""
        stored = sorted((ASSETS / "runs").glob("*/config.json"))
        names = [c.parent.name for c in stored if (self._runs.folder / c.parent.name).is_dir()]
        ensembles = [n for n in names if f"-mean{MEMBERS}" in n]
        members = tuple(n for n in names if "--" not in n)
        return DemoRuns(NAME, members, ensembles[0] if ensembles else None)

    @writes("open the demo", "Opened the demo")
    def _draw(self, progress: Progress | None) -> None:
        make_synthetic(self._datasets.folder / NAME, seed=SEED, progress=progress)

    @writes("start a training", "Started the training {result}")
    def train_further(self) -> list[str]:
        """Queue one more member like the five, with a seed of its own, and return its id in a list.

        Raises:
            SegcoreError: The demo is not open, or the workspace cannot be written.
        """
        taken = sum(row.kind == "train" and row.dataset == NAME for row in self._runs.rows())
        return self._runs.train(with_engine_here(dataclasses.replace(CONFIG, seed=taken + 100)))

    @writes("train the demo again", "Trained the demo again")
    def rebuild(self, target: Path, progress: Progress | None = None) -> DemoRuns:
        """Retrain the members in this workspace and write the demo's runs into ``target``.

        Takes some ten minutes on two cores. Only what the demo shows is kept: configs, histories,
        weights, counts of validation and test, and probabilities and CRF masks of the first test
        scenes.

        Raises:
            SegcoreError: The workspace has a demo already, pydensecrf is missing, or a run fails.
        """
        if self.is_open():
            raise SegcoreError(
                "Expected a workspace without the demo to rebuild it in: name a new one "
                "with --workspace."
            )
        if not is_available():
            raise SegcoreError(
                "Expected pydensecrf to rebuild the demo, found none: install it first "
                "(requirements.txt)."
            )
        make_synthetic(self._datasets.folder / NAME, seed=SEED, progress=progress)
        members = self._runs.train(CONFIG, MEMBERS)
        self._runs.wait(members, progress)
        for member in members:
            _store_in_half_precision(self._runs.open(member).model_path)
        copied = [*members]
        for split in ("validation", "test"):
            run = self._runs.ensemble(members, split, crf=CRFParameters(relative=True))
            self._runs.wait([run], progress)
            copied += [run, *(self._runs.predict(m, split) for m in members)]
        self._copy(copied, target)
        return DemoRuns(NAME, tuple(members), copied[-MEMBERS - 1])

    def _copy(self, runs: list[str], target: Path) -> None:
        """Write runs into ``target/runs``, with probabilities of the first test scenes only."""
        shutil.rmtree(target / "runs", ignore_errors=True)
        shown = {s.id for s in self._datasets.open(NAME).select("test")[:SCENES_SHOWN]}
        for run in runs:
            copy = target / "runs" / run
            shutil.copytree(
                self._runs.folder / run,
                copy,
                ignore=shutil.ignore_patterns("checkpoints", "*.lock", "log.txt"),
            )
            for file in [*copy.glob("probabilities/*/*.prob"), *copy.glob("masks/*/*/*.mask")]:
                if file.stem not in shown:
                    file.unlink()


def _store_in_half_precision(model: Path) -> None:
    """Round the weights of a ``.keras`` file to float16 and pack it again at half the size.

    Done before anything is predicted, so that what comes with Segscope is what these very weights
    predict.
    """
    with zipfile.ZipFile(model) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with (
        h5py.File(io.BytesIO(parts["model.weights.h5"])) as source,
        h5py.File(packed := io.BytesIO(), "w") as halved,
    ):
        halved.attrs.update(source.attrs)

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                values = item[()]
                copy = halved.create_dataset(
                    name, data=values.astype(np.float16) if values.dtype == np.float32 else values
                )
            else:
                copy = halved.require_group(name)
            copy.attrs.update(item.attrs)

        source.visititems(copy)
    parts["model.weights.h5"] = packed.getvalue()
    partial = model.with_name(f".{model.name}.partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    partial.replace(model)
