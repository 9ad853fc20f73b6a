"""A training run, from its config to ``model.keras``; interrupted runs continue where they were."""

import math
import time
from collections import deque
from collections.abc import Generator
from contextlib import closing
from itertools import islice
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from segcore.config import TrainConfig
from segcore.config.requests import check_batch
from segcore.data.bands.learned import NAME as LEARNED_BANDS
from segcore.data.bands.learned import LearnedBands, load_learned
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.files.bands import load_look
from segcore.data.statistics.band_statistics import learn_bands
from segcore.errors import SegcoreError
from segcore.models.build import build_and_report
from segcore.models.encoders.stem import stem_sentence
from segcore.models.engines.engine import ENGINE
from segcore.models.split import split_network
from segcore.runs.folder.environment import engine_reason
from segcore.runs.folder.run_folder import RunFolder, note_device, replacing
from segcore.runs.folder.seen_samples import note_seen
from segcore.runs.machine.engines import AUTO
from segcore.runs.machine.processor import SLOW_BFLOAT16, has_bfloat16
from segcore.runs.queue.stopping import Stopped
from segcore.training.engines.engine import devices
from segcore.training.input.crops import CropReader
from segcore.training.input.features import FeatureReader, cache_features
from segcore.training.input.pipeline import (
    Batch,
    EpochDraw,
    ordered_batches,
    planned_samples,
    training_batches,
    with_masks,
)
from segcore.training.input.reader import SampleReader
from segcore.training.loop.checkpoint import (
    TrainState,
    diverged,
    learning_rate_factor,
    load_checkpoint,
    save_checkpoint,
)
from segcore.training.loop.distillation import (
    lesson_fingerprint,
    student_loss,
    student_reader,
    unlabelled_samples,
)
from segcore.training.loop.learner import Learner, Outcome
from segcore.training.loop.mask_history import SAMPLES, MaskHistory
from segcore.training.loop.metrics import EpochScores
from segcore.training.loop.normalisation import REESTIMATION_BATCHES, fit_momentum, synchronise
from segcore.training.loop.optimizers import averaged_weights, build_optimizer
from segcore.training.loop.progress import Progress, TrainingTime, epoch_line
from segcore.training.loop.schedules import learning_rate, plateau_factor
from segcore.training.losses.class_weights import class_weights, count_classes
from segcore.training.losses.losses import build_loss
from segcore.training.strategy import (
    configure,
    explain,
    joining,
    together,
)


def train(run: RunFolder, dataset: Dataset, task: int = 0) -> None:
    """Train a network as the run's config says, from its last checkpoint if there is one.

    Writes one line an epoch to the history (``epoch, loss, mean_iou, val_loss, val_mean_iou,
    learning_rate, seconds, images_per_second, class_iou``), a checkpoint after it, and the network
    of the best epoch. The same config and seed give the same data in the same order, interrupted or
    not.

    Args:
        run: A run whose config is a :class:`TrainConfig`.
        dataset: The dataset that the config names.
        task: Which of the config's hosts this process is; all but the first write nothing.

    Raises:
        SegcoreError: Something that the user can fix.
        Stopped: The run was asked to stop; its checkpoint is written.
    """
    config = run.config
    if not isinstance(config, TrainConfig):
        raise SegcoreError(
            f"Expected a training run, received a run of kind {config.kind!r}: choose a "
            "training run."
        )
    fields = {"epochs": config.recipe.epochs, "message": "Preparing", "diverged": False}
    with Progress(run, silent=task > 0, **fields) as progress, together(config.hosts):
        Training(run, config, dataset, progress, task).go()


def _check_engine(run: RunFolder, config: TrainConfig) -> None:
    """Raise where this process computes with another engine than the run's."""
    if config.engine not in (ENGINE, AUTO):
        raise SegcoreError(
            f"Expected a process that computes with {config.engine}, received one that "
            f"computes with {ENGINE}: start python -m segcore.worker {run.folder}."
        )


class Training:
    """One call of :func:`train`: what its epochs share."""

    def __init__(
        self, run: RunFolder, config: TrainConfig, dataset: Dataset, progress: Progress, task: int
    ) -> None:
        self.run = run
        self.task = task
        self.config = config
        self.recipe = config.recipe
        self.progress = progress
        if config.hosts:
            progress.say(
                f"Waiting for {len(config.hosts)} machines; on number N run: {joining(run.folder)}"
            )
        _check_engine(run, config)
        strategy = configure(
            config.device, self.recipe.precision, config.deterministic, config.hosts, task
        )
        devices.rewrite_graphs(devices.on_gpu())
        self._report_device(strategy)
        check_batch(self.recipe.batch_size, strategy.num_replicas_in_sync)
        bands = self._learn_bands(dataset)
        self.reader = self._open_reader(dataset, bands)
        self.images = planned_samples(
            dataset, config.train_split, config.balance_plan, progress.log
        )
        self.samples = self.images * max(1, self.recipe.crops)
        if config.balance_plan:
            progress.log(
                f"Balance plan {config.balance_plan!r}: {len(self.images)} images an epoch"
            )
        if self.recipe.crops:
            progress.log(f"{len(self.samples):,} crops of {len(self.images):,} images an epoch")
        unlabelled = unlabelled_samples(config, dataset)
        if unlabelled:
            progress.log(f"{len(unlabelled):,} unlabelled images an epoch, on the teachers alone")
        self.samples += unlabelled
        self.training_reader = student_reader(run, dataset, self.reader, self.samples)
        self.scoring_reader = self.reader
        validation = with_masks(dataset, config.validation_split) if config.validation_split else []
        self.validation: list[Sample] = self.reader.parts(validation)
        watched = validation if task == 0 and not self.recipe.crops else []
        share = self.recipe.batch_size // strategy.num_replicas_in_sync
        self.mask_history = MaskHistory(
            run, self.reader, config.validation_split, watched, min(share, SAMPLES)
        )
        self.steps = -(-len(self.samples) // self.recipe.batch_size)
        if task == 0:
            run.write_json("labels", self.reader.labels())
            look = load_look(dataset.folder)
            if look is not None:
                run.write_json("bands", look.to_json())
            if bands is not None:
                run.write_json(LEARNED_BANDS, bands.to_json())
            note_seen(run, (s.id for s in self.images), (s.id for s in validation))
        self._slower = learning_rate_factor(run)
        progress.say("Building the network")
        devices.seed(config.seed)
        self.network, self.learner = self._build_network(strategy, bands)
        fit_momentum(self.network, self.steps, self.recipe.epochs)
        if devices.MOMENTS_BY_REPLICA and strategy.num_replicas_in_sync > 1:
            synchronise(self.network)
        self._traced: set[str] = set()
        self._time_left = TrainingTime(
            self.recipe.epochs, self.steps, -(-len(self.validation) // self.recipe.batch_size)
        )
        self.state = self._resume(lesson_fingerprint(dataset, unlabelled))

    def _learn_bands(self, dataset: Dataset) -> LearnedBands | None:
        """Return what the network needs to know of the images' bands, the same when resumed."""
        known = load_learned(self.run.folder)
        if known is not None:
            return known
        if dataset.bands is not None:
            self.progress.say("Measuring the bands of the training images")
        return learn_bands(dataset, self.config.train_split)

    def _open_reader(self, dataset: Dataset, bands: LearnedBands | None) -> SampleReader:
        """Return what reads samples at the network's size, or crops of them."""
        config = self.config
        label_map = dataset.load_label_map(config.label_map) if config.label_map else None
        kind = CropReader if self.recipe.crops else SampleReader
        preprocessing = config.model.preprocessing
        return kind(dataset, config.size, label_map, preprocessing=preprocessing, bands=bands)

    def _build_network(
        self, strategy: Any, bands: LearnedBands | None
    ) -> tuple[keras.Model, Learner]:
        """Build the network and what trains it, on the devices of a strategy."""
        config, recipe, classes = self.config, self.recipe, self.reader.label_set.num_classes
        with strategy.scope():
            model, report = build_and_report(config.model, classes, config.size, bands)
            trained = self._cached(model) if recipe.cache_features else model
            loss, optimizer = self._build_loss(), build_optimizer(recipe)
            learner = Learner(trained, loss, optimizer, strategy, recipe.jit)
        if bands is not None:
            stem = stem_sentence(report, bands)
            self.progress.log(f"Images of {bands.bands.sentence}. {stem}")
            if self.task == 0:
                self.run.write_json(LEARNED_BANDS, {**bands.to_json(), "stem": stem})
        return model, learner

    def _report_device(self, strategy: Any) -> None:
        """Log which device and engine train, and why, and note it in the run's folder."""
        used = devices.describe(strategy)
        reasons = engine_reason(self.run.folder), explain(self.config.device)
        why = "; ".join(filter(None, reasons))
        self.progress.log(
            f"Device: {used}, {devices.TITLE}, {self.recipe.precision}"
            + (f" ({why})" if why else "")
        )
        if used == "CPU" and self.recipe.precision == "mixed_bfloat16" and has_bfloat16() is False:
            self.progress.log(SLOW_BFLOAT16)
        if self.task == 0:
            note_device(self.run.folder, used, why)

    def _cached(self, model: keras.Model) -> keras.Model:
        """Compute the encoder's features; return the decoder, which is trained on them."""
        split = split_network(model)
        features = cache_features(
            self.run.folder.parent.parent,
            split,
            self.reader,
            [*self.samples, *self.validation],
            self.recipe.batch_size,
            self._tell_or_stop,
            self.progress.log,
        )
        self.training_reader = self.scoring_reader = FeatureReader(self.reader, features)
        return split.head

    def _tell_or_stop(self, message: str) -> None:
        """Show what is done before the first epoch; a stop ends it, and nothing is lost."""
        self.progress.update(message=message)
        if self.progress.stop_asked:
            raise Stopped

    def _logits(self, images: npt.NDArray[np.uint8]) -> Any:
        """Answer a few images, (B, H, W, C) float32."""
        if self.network is self.learner.model:
            return self.learner.logits(images)
        return self.network(ops.convert_to_tensor(images, "float32"), training=False)

    def _build_loss(self) -> Any:
        labels, weights = self.reader.label_set, None
        if self.recipe.class_weights != "none":
            self.progress.say("Counting classes")
            masks = (self.reader.read_mask(sample) for sample in self.images)
            weights = class_weights(
                self.recipe.class_weights, count_classes(masks, labels.num_classes)
            )
        loss = build_loss(self.recipe.loss, labels.num_classes, labels.ignore_index, weights)
        return student_loss(loss, self.config)

    @property
    def _variables(self) -> list[Any]:
        return [*self.learner.model.variables, *self.learner.optimizer.variables]

    def _resume(self, fingerprint: str) -> TrainState:
        state = load_checkpoint(self.run.checkpoints, self._variables)
        if state is None:
            return TrainState(self.reader.label_set.num_classes, fingerprint)
        if state.fingerprint != fingerprint:
            raise SegcoreError(
                "Expected the dataset that the run began with, received one that has changed "
                "since: start a new run."
            )
        written = {record.get("epoch") for record in self.run.metrics()}
        for record in state.history:  # a kill may have come between checkpoint and history
            if record["epoch"] not in written and self.task == 0:
                self.run.append_metrics(record)
        self.progress.log(f"Continuing after epoch {state.epoch}, step {state.step}")
        return state

    def go(self) -> None:
        """Run epochs until all are done or early stopping ends the run."""
        self._show()
        while self.state.epoch < self.recipe.epochs and not self._is_stale():
            began = time.monotonic()
            self._freeze()
            try:
                record = self._run_epoch(began)
            except Stopped:
                self._check_weights()
                self.state.seconds += time.monotonic() - began
                self._save()
                self.progress.log(
                    f"Stopped in epoch {self.state.epoch + 1}, step {self.state.step} of "
                    f"{self.steps}; checkpoint written"
                )
                raise
            self.state.end_epoch(record)
            self._save()
            if self.task == 0:
                self.run.append_metrics(record)
            self._show(record)
        if self._is_stale():
            self.progress.log(f"No better epoch in {self.recipe.patience}: stopped early")
        self.progress.update(
            progress=1.0, seconds_left=0.0, message=f"Epochs trained: {self.state.epoch}"
        )

    def _run_epoch(self, began: float) -> dict[str, Any]:
        """Train the rest of an epoch, validate, keep the best network; return its record."""
        throughput = self._train_epoch()
        self._check_weights()
        scores = self.state.scores
        record = {
            "epoch": self.state.epoch + 1,
            "loss": scores.loss,
            "mean_iou": scores.mean_iou,
            "learning_rate": self._rate(self.steps - 1),
            "images_per_second": throughput,
        }
        with averaged_weights(self.learner.optimizer, self.learner.variables):
            if self.recipe.batch_norm == "reestimate":
                self._reestimate()
            if self.validation:
                scores = self._validate()
                self.mask_history.keep(self._logits, self.state.epoch + 1)
                record |= {"val_loss": scores.loss, "val_mean_iou": scores.mean_iou}
            self._judge(scores)
        return record | {
            "class_iou": scores.class_iou,
            "seconds": self.state.seconds + time.monotonic() - began,
        }

    def _batches(self, start: int) -> Generator[Batch, None, None]:
        """Yield this epoch's batches (this machine's part of each) from ``start`` until a stop."""
        recipe = self.recipe
        batches = training_batches(
            self.training_reader,
            self.samples,
            recipe.batch_size,
            EpochDraw(self.config.seed, self.state.epoch, recipe.augmentation, recipe.cut_mix),
            start=start,
            part=self.task,
            parts=self.learner.parts,
        )
        with closing(batches):
            for batch in batches:
                if self.learner.agree(self.progress.stop_asked):
                    raise Stopped
                yield batch

    def _freeze(self) -> None:
        """Freeze the encoder in the first epochs; then train everything, the optimizer reset."""
        if self.state.epoch < self.recipe.freeze_epochs:
            self.learner.freeze(True)
        elif self.learner.frozen:
            self.progress.log("The encoder is trained from here on")
            self._traced.clear()
        if self.recipe.freeze_epochs == self.state.epoch > 0 and self.state.step == 0:
            self.learner.thaw()

    def _reestimate(self) -> None:
        """Recompute the means of batch normalisation over the first batches of this epoch."""
        self.progress.update(message="Estimating the means of batch normalisation")
        with closing(self._batches(0)) as batches:
            self.learner.reestimate(islice(batches, REESTIMATION_BATCHES))

    def _train_epoch(self) -> float | None:
        """Train the rest of an epoch; return images per second, None where nothing was timed."""
        state = self.state
        clock, images = time.monotonic(), 0
        pending: deque[Outcome] = deque()
        try:
            for batch in self._batches(state.step):
                first = self._announce("train", "Building the graph")
                pending.append(self.learner.train(batch, self._rate(state.step)))
                self._settle(pending, state.scores, keep=0 if first else 1)
                state.step += 1
                images += batch.count
                if first:
                    self.progress.log(f"First step after {time.monotonic() - clock:.1f} s")
                    clock, images = time.monotonic(), 0
                self._estimate(state.step)
        finally:
            self._settle(pending, state.scores)
        seconds = time.monotonic() - clock
        return images / seconds if images and seconds > 0 else None

    def _validate(self) -> EpochScores:
        """Score the validation split at the network's size, without learning."""
        scores = EpochScores(self.state.num_classes)
        pending: deque[Outcome] = deque()
        batches = ordered_batches(
            self.scoring_reader,
            self.validation,
            self.recipe.batch_size,
            self.task,
            self.learner.parts,
        )
        with closing(batches):
            for step, batch in enumerate(batches):
                if self.learner.agree(self.progress.stop_asked):
                    raise Stopped
                self._announce("validate", "Building the graph for validation")
                pending.append(self.learner.validate(batch))
                self._settle(pending, scores, keep=1)
                self._estimate(self.steps, step + 1)
        self._settle(pending, scores)
        return scores

    def _announce(self, phase: str, message: str) -> bool:
        """Say that a graph is being built when a phase begins for the first time; return if so."""
        if phase in self._traced:
            self.progress.update(message=f"Epoch {self.state.epoch + 1} of {self.recipe.epochs}")
            return False
        self._traced.add(phase)
        self.progress.say(message)
        return True

    def _rate(self, step: int) -> float:
        return (
            self._slower
            * self.state.plateau
            * learning_rate(self.recipe, self.state.epoch + step / self.steps)
        )

    def _settle(self, pending: deque[Outcome], scores: EpochScores, keep: int = 0) -> None:
        """Fetch outcomes from the device; the newest ``keep`` stay so that it never waits."""
        while len(pending) > keep:
            loss, confusion = map(ops.convert_to_numpy, pending.popleft())
            if not np.isfinite(loss):
                raise self._diverged(f"a finite loss, received {float(loss)}")
            scores.add(float(loss), confusion)

    def _check_weights(self) -> None:
        """Stop at weights that are not finite: the last checkpoint stays the last good one."""
        if not all(np.isfinite(variable.numpy()).all() for variable in self.learner.variables):
            raise self._diverged("finite weights, received some that are not")

    def _diverged(self, expected: str) -> SegcoreError:
        self.progress.update(diverged=True)
        return SegcoreError(f"Expected {expected} {diverged(self.state, self.steps)}")

    def _judge(self, scores: EpochScores) -> None:
        """Keep the network if this is the best epoch so far; else count the epochs since."""
        state = self.state
        score = -scores.loss if self.recipe.monitor == "loss" else scores.mean_iou
        score = -math.inf if math.isnan(score) else score
        if state.best_score is None or score > state.best_score:
            if self.task == 0:
                with replacing(self.run.model_path) as path:
                    self.network.save(path)
            state.best_score, state.epochs_since_best = score, 0
        else:
            state.epochs_since_best += 1
            state.plateau = plateau_factor(self.recipe, state.epochs_since_best, state.plateau)

    def _is_stale(self) -> bool:
        return 0 < self.recipe.patience <= self.state.epochs_since_best

    def _save(self) -> None:
        if self.task == 0:
            save_checkpoint(self.run.checkpoints, self.state, self._variables)

    def _show(self, record: dict[str, Any] | None = None) -> None:
        """Write the epochs done and their best score to the status, a record to the log."""
        self.progress.update(epoch=self.state.epoch, mean_iou=self.state.best_mean_iou)
        if record:
            self.progress.log(epoch_line(record, self.recipe.epochs))

    def _estimate(self, steps: int, validated: int = 0) -> None:
        self.progress.update(**self._time_left.at(self.state.epoch, steps, validated))
