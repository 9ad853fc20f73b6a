"""The runs of a workspace: launch, list, wait, stop, resume, delete, and derived runs."""

import dataclasses
import math
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from segcore.catalog import PROBABILITY_STORAGE, kind_words
from segcore.config import (
    EvaluateConfig,
    ImportedConfig,
    PredictConfig,
    PredictOptions,
    RobustnessConfig,
    RunConfig,
    TrainConfig,
    shared_labels,
    to_json,
)
from segcore.data.bands.learned import check_alike, load_learned
from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.labelled import with_masks
from segcore.data.splits.folds import folds_of, parent_of
from segcore.errors import SegcoreError, unknown, unknown_split
from segcore.formatting import plural
from segcore.labels import LabelMap, list_names
from segcore.postprocess.ensemble import check_weights
from segcore.postprocess.parameters import CRFParameters, MaskFilter
from segcore.postprocess.submodels import needs_router, part_maps
from segcore.runs.folder import work_lock
from segcore.runs.folder.environment import note_engine
from segcore.runs.folder.listing import list_runs
from segcore.runs.folder.names import check_run_name, is_run_id
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.trash import move_to_trash
from segcore.runs.machine.devices import Device, list_devices
from segcore.runs.machine.doctor import last_diagnosis
from segcore.runs.machine.engines import (
    installed_engines,
    refuse_without_engine,
    settle_engine,
    usable_backends,
)
from segcore.runs.machine.settings import cluster_address
from segcore.runs.queue import jobs
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.rights import writes
from segcore.workspace.runs.members import line_up
from segcore.workspace.runs.refusals import (
    not_finished,
    refuse,
    refuse_absent_device,
    refuse_bands,
    refuse_changed_classes,
    refuse_device,
    refuse_plan,
)
from segcore.workspace.runs.rows import RunRow, run_row
from segcore.workspace.runs.run_ids import evaluation_id as evaluation_id
from segcore.workspace.runs.run_ids import prediction_id as prediction_id
from segcore.workspace.runs.scored_images import ScoredImages
from segcore.workspace.runs.waiting import Progress, Watcher, wait_for

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


class Runs:
    """The runs of a workspace and the queue that starts them.

    Attributes:
        folder: The folder of all runs.
    """

    def __init__(self, workspace: Path, datasets: Datasets) -> None:
        self._workspace = workspace
        self._datasets = datasets
        self.folder = workspace / "runs"
        self.scored_images = ScoredImages(datasets, self.folder)

    def ids(self) -> list[str]:
        """Return the ids of all runs, newest first."""
        return [summary.id for summary in list_runs(self.folder)]

    def open(self, run: str) -> RunFolder:
        """Open a run by id.

        Raises:
            SegcoreError: There is none of that id, or its config cannot be read.
        """
        if not run or "/" in run or run.startswith(".") or not (self.folder / run).is_dir():
            raise self._unknown(run)
        return RunFolder.open(self.folder / run)

    def _unknown(self, run: str) -> SegcoreError:
        """Build the error for an id that no run has."""
        if run in self._datasets.names():
            rows = sorted(
                (row for row in self.rows() if row.dataset == run),
                key=lambda row: row.kind != "train",
            )  # trainings first, each kind newest first
            own = [row.run for row in rows]
            fix = (
                f"name one of its runs, such as {list_names(own, 3)}"
                if own
                else f"train on it first (segscope train {run})"
            )
            return SegcoreError(f"Expected a run, received {run!r}, which is a dataset: {fix}.")
        if group := self._group(run):
            return group
        known = self.ids()
        if not known:
            return SegcoreError(
                f"Expected the run {run!r}, found no run in {self._workspace}: train one first, or "
                "name another folder (--workspace DIR)."
            )
        names = [name for _, name in self._saved()]
        known.sort(key=lambda one: "--" in one)  # predictions last
        return unknown("run", run, [*names, *known], ordered=True)

    def _group(self, name: str) -> SegcoreError | None:
        """Build the error for the name of trainings that were started together; None for another name."""
        listed = list_runs(self.folder)
        trainings = sorted(
            (one for one in listed if one.kind == "train" and one.config.get("group") == name),
            key=lambda one: one.config.get("member", 0),
        )
        if not name or not trainings:
            return None
        members = [one.id for one in trainings if one.status.state == "finished"]
        ensembles = [
            one.config.get("name") or one.id
            for one in listed
            if one.kind == "evaluate" and set(one.config.get("members", ())) == set(members)
        ]
        if len(members) < 2:
            fix = f"name one of its runs, such as {trainings[0].id}"
        elif ensembles:
            fix = f"name its runs ({' '.join(members)}), or their ensemble {ensembles[0]}"
        else:
            fix = f"name one of its runs, or combine them (segscope ensemble {' '.join(members)})"
        return SegcoreError(
            f"Expected a run, received {name!r}, which is a group of {plural(len(trainings), 'run')}: "
            f"{fix}."
        )

    def resolve(self, name: str) -> str:
        """Return the id of the run that a name means: a saved ensemble's on its newest split.

        Args:
            name: Id of a run, or the name that an ensemble was saved under.

        Returns:
            The id; the name itself where no ensemble has it.
        """
        return next(iter(self.saved_as(name)), name)

    def saved_as(self, name: str) -> list[str]:
        """Return the runs of an ensemble, one a split, by the name it was saved under; newest first.

        Args:
            name: The name; where it is the id of a run, no ensemble has it.
        """
        if not name or (self.folder / name).exists():
            return []
        return [run for run, own in self._saved() if own == name]

    def _saved(self) -> Iterator[tuple[str, str]]:
        """Yield each run of a saved ensemble with the ensemble's name, newest first."""
        for summary in list_runs(self.folder):
            name = summary.config.get("name")
            if summary.kind == "evaluate" and isinstance(name, str) and name:
                yield summary.id, name

    def check_classes(self, run: str) -> None:
        """Refuse a run whose dataset has other classes, or another order of them, than it had.

        Raises:
            SegcoreError: The classes changed after the run, or after a member of the ensemble;
                there is no such run, or its dataset is gone.
        """
        folder = self.open(run)
        config = folder.config
        if isinstance(config, EvaluateConfig):
            sources = [self.open(member) for member in config.members]
        elif isinstance(config, (PredictConfig, RobustnessConfig)):
            self.check_classes(config.run)
            return
        else:
            sources = [folder]
        for source in sources:
            refuse_changed_classes(source, self._datasets.open(source.config.dataset))

    def rows(self) -> list[RunRow]:
        """Return every run at a glance, newest first."""
        rows = [run_row(summary) for summary in jobs.refresh(self._workspace)]
        return self.scored_images.mark_earlier(rows)

    @writes("start a training", "Started the training {result}")
    def train(self, config: TrainConfig, members: int = 1, name: str = "") -> list[str]:
        """Queue one or more training runs and return their ids; of submodels one run a part each.

        Args:
            config: What to train; ``member`` and ``group`` are filled in, and member m gets ``seed
                + m``. ``members_by`` says how members differ besides: by fold each gets a dataset
                of its own, which is written if need be, by architecture a decoder. With
                ``submodels`` the parts of its label map are saved with the dataset, and each run
                gets one of them.
            members: How many, 1 to 100.
            name: What the ids begin with; "" for dataset, architecture and encoder.

        Raises:
            SegcoreError: The dataset, a split, the label map or the balance plan does not exist,
                the number is out of range, members cannot differ so, or a run could only fail (see
                :mod:`segcore.workspace.runs.refusals`). Nothing is queued then.
        """
        if not 1 <= members <= 100:
            raise SegcoreError(
                f"Expected 1 to 100 members, received {members}: choose a number in that range."
            )
        if name:
            check_run_name(name)
        if config.distillation or config.averaging:
            raise SegcoreError(
                "Expected a config that trains on labels, received that of a "
                f"{'student' if config.distillation else 'network of averaged weights'}: do the "
                "same with the runs that it is made of, then distil or average these."
            )
        self.check(config)
        config, engine = settle_engine(config, self._workspace)
        lined_up = line_up(config, members, self._datasets)
        checked = {
            one: self.check(one) for one in dict.fromkeys(lined_up)
        }  # those that differ by seed are one config still
        parts = {one: _label_maps(dataset, one) for one, dataset in checked.items()}
        network = (
            "architectures" if config.members_by == "architecture" else config.model.architecture
        )
        folds = "-folds" if config.members_by == "fold" else ""
        stem = f"{config.dataset}{folds}-{network}-{config.model.encoder.replace(':', '-')}"
        group = self._new_id(name or stem)
        runs: list[str] = []
        for number, (one, part) in enumerate(
            (member, part) for member in lined_up for part in parts[member]
        ):
            run = f"{group}-{number + 1}"
            member_config = dataclasses.replace(
                one, member=number, group=group, seed=config.seed + number, label_map=part
            )
            folder = RunFolder.create(self.folder, run, member_config)
            folder.write_status(epochs=config.recipe.epochs)
            note_engine(folder.folder, engine)
            runs.append(run)
        jobs.submit(self._workspace, runs)
        return runs

    def check(self, config: TrainConfig) -> Dataset:
        """Return the dataset of a config, after a look whether all that it names is there.

        Raises:
            SegcoreError: The dataset, a split, the label map or the balance plan does not exist,
                or the run could only fail.
        """
        dataset = self._datasets.open(config.dataset)
        if not dataset.splits or dataset.splits == [""]:
            raise unknown_split(config.dataset, "", ())
        for split in (config.train_split, config.validation_split):
            if split:
                with_masks(dataset, split)
        labels = dataset.label_set
        if config.label_map:
            labels = dataset.load_label_map(config.label_map).merge_label_set(labels)
        if config.balance_plan:
            refuse_plan(config, dataset)
        refuse(config, labels.num_classes, self.devices())
        refuse_bands(config, dataset)
        refuse_without_engine(config)
        refuse_device(config, last_diagnosis(self._workspace))
        refuse_absent_device(
            config,
            [device.id for device in self.devices()] + jobs.devices(self._workspace),
            jobs.is_left_to_others(),
            cluster_address(self._workspace),
        )
        return dataset

    def refusal(self, config: TrainConfig) -> str:
        """Return the sentence that would refuse a config before it is queued; "" if none would."""
        try:
            self.check(config)
        except SegcoreError as error:
            return str(error)
        return ""

    def refresh(self) -> None:
        """Notice workers that died, and start what waits."""
        jobs.refresh(self._workspace)

    def devices(self) -> list[Device]:
        """Return what can be trained on here: the GPUs, then the CPU."""
        return list_devices()

    def engines(self) -> list[str]:
        """Return the engines that are installed here, TensorFlow first."""
        return installed_engines()

    def backends(self) -> list[str]:
        """Return the backends that can predict here, "auto" first."""
        return usable_backends()

    def wait(self, runs: Sequence[str], progress: Progress | Watcher | None = None) -> None:
        """Return when every run has ended; a dispatcher that died meanwhile is started again.

        Raises:
            SegcoreError: One of them failed or was interrupted; the sentence carries its cause. Or
                nothing has worked on them for a while and nothing will.
            WaitStopped: Ctrl-C was pressed meanwhile; the runs continue.
        """
        wait_for(self._workspace, runs, progress)

    @writes("stop a run", "Stopped the run {run}")
    def stop(self, run: str) -> None:
        """Stop a run: a queued one at once, a running one after a checkpoint; twice kills it.

        Raises:
            SegcoreError: There is no such run.
        """
        self.open(run)
        jobs.stop(self._workspace, run)

    @writes("resume a run", "Resumed the run {run}")
    def resume(self, run: str, learning_rate_factor: float = 1.0) -> None:
        """Queue a failed or interrupted run again; it continues from its last checkpoint.

        Args:
            run: Its id.
            learning_rate_factor: What its learning rate is multiplied by from here on, above 0 and
                up to 1; asked for again, it is multiplied again. For a run whose loss was no number
                any more.

        Raises:
            SegcoreError: There is no such run, it has nothing to resume, its engine is not
                installed, or the factor is out of range or no factor of a training.
        """
        folder = self.open(run)
        if not 0 < learning_rate_factor <= 1:
            raise SegcoreError(
                "Expected a factor above 0 and up to 1, received "
                f"{learning_rate_factor:g}: take 0.5 for half."
            )
        refuse_without_engine(folder.config, begun=True)
        if learning_rate_factor < 1:
            if not isinstance(folder.config, TrainConfig):
                raise SegcoreError(
                    f"Expected a training run to slow down, received {run!r}: resume it "
                    "without a factor."
                )
            if not folder.status().has_ended:
                raise SegcoreError(
                    f"Expected a run that failed or was interrupted, received {run!r}, which is "
                    f"{folder.status().state}: stop it first, then resume it with the factor."
                )
            before = folder.read_json("resume") if (folder.folder / "resume.json").exists() else {}
            if folder.status().state != "finished":
                folder.write_json(
                    "resume",
                    {
                        "learning_rate_factor": learning_rate_factor
                        * before.get("learning_rate_factor", 1.0)
                    },
                )
        jobs.resume(self._workspace, run)

    @writes("delete a run", "Deleted the run {run}")
    def delete(self, run: str) -> str:
        """Move a run that has ended, with its predictions, to the trash; return the deletion id.

        Args:
            run: Id of a run, or the name of a saved ensemble, which is deleted on all splits.

        Raises:
            SegcoreError: There is no such run, or it is still active.
        """
        together = self.saved_as(run)
        if not together:
            if not is_run_id(run) or not (self.folder / run).is_dir():
                self.open(run)  # says what is wrong; a damaged config is no reason to keep a run
            derived = [s.id for s in list_runs(self.folder) if s.id.startswith(f"{run}--")]
            together = [run, *derived]
        for name in together:
            folder = RunFolder(self.folder / name)
            if not folder.status().has_ended or work_lock.is_held(folder.folder):
                raise SegcoreError(
                    f"Expected a run that has ended, but {name!r} has not: stop it first."
                )
        return move_to_trash(self._workspace, together).id

    @writes("start a prediction")
    def predict(
        self,
        run: str,
        split: str,
        options: PredictOptions | None = None,
        probabilities: str = "",
    ) -> str:
        """Start predicting a split unless that is done or running; return the predict run's id.

        A split is predicted in one way at a time: options other than those it was predicted with
        predict it again, and so does asking for more probabilities than were kept.

        Args:
            run: Id of a training run.
            split: Name of a split.
            options: Tiles and views; None uses existing predictions, whatever their options.
            probabilities: A name in ``catalog.PROBABILITY_STORAGE``; "" leaves what is there, and
                keeps them whole in a new prediction.

        Raises:
            SegcoreError: The run is no finished training run, the split or the name of a storage
                does not exist, or the backend's engine is not installed.
        """
        source, config = self._member(run)
        wanted_ids = [s.id for s in self._datasets.open(config.dataset).predictable(split)]
        if isinstance(config, ImportedConfig):
            return self._imported(source, split)
        made_from = source.status().finished or 0.0
        name = prediction_id(run, split)
        wanted = PredictConfig(
            config.dataset,
            run,
            split,
            device=config.device,
            options=options or PredictOptions(),
            probabilities=probabilities or "whole",
        )
        self._drop_unlike(name, wanted, options is not None, bool(probabilities))
        self.ensure(name, wanted, made_from)
        folder = RunFolder(self.folder / name)
        if folder.status().state == "finished":
            done = folder.ids_with_probabilities(split) | folder.ids_with_mask(split, "prediction")
            if not done.issuperset(wanted_ids):  # added to the dataset since
                self._continue(folder, "Images were added.")
            elif not self.is_current(folder, split):
                self._continue(folder, "The split has other images now.")
        return name

    def is_current(self, folder: RunFolder, split: str) -> bool:
        """Return whether every stage that a run has counted stands for a split's images of today."""
        return not any(
            self.scored_images.unlike_split(folder, split, stage) for stage in folder.stages(split)
        )

    def _continue(self, folder: RunFolder, cause: str) -> None:
        """Queue a finished prediction again; it predicts the images that are not on disk."""
        refuse_without_engine(folder.config, begun=True)
        folder.write_status(state="interrupted", cause=cause, finished=time.time())
        jobs.resume(self._workspace, folder.id)

    def _drop_unlike(
        self, name: str, wanted: PredictConfig, by_options: bool, by_probabilities: bool
    ) -> None:
        """Remove finished predictions made with other options, or with fewer probabilities."""
        folder = RunFolder(self.folder / name)
        if not folder.folder.exists() or not folder.status().has_ended:
            return
        config = folder.config
        if not isinstance(config, PredictConfig):
            return
        richest_first = list(PROBABILITY_STORAGE)
        stored, asked = map(richest_first.index, (config.probabilities, wanted.probabilities))
        if (by_options and config.options != wanted.options) or (
            by_probabilities and stored > asked
        ):
            refuse_without_engine(wanted)
            shutil.rmtree(folder.folder)

    @writes("start a prediction")
    def predict_whole(self, run: str, split: str) -> str:
        """As :meth:`predict`; predicts again where probabilities are not all on disk.

        Raises:
            SegcoreError: As :meth:`predict`.
        """
        name = self.predict(run, split)
        if name == run:
            self._check_whole(self.open(run), split)
            return run
        folder, samples = (
            RunFolder(self.folder / name),
            self._datasets.open(self.open(run).config.dataset).predictable(split),
        )
        config = folder.config
        if isinstance(config, PredictConfig) and config.probabilities != "whole":
            kept = PROBABILITY_STORAGE[config.probabilities].title.lower()
            raise SegcoreError(
                f"Expected whole probabilities of {run!r} on {split!r}, received a prediction that "
                f"kept {kept}: run 'segscope predict {run} --split {split} --probabilities whole' "
                "first."
            )
        if folder.status().state == "finished" and not all(
            folder.has_probabilities(split, s.id) for s in samples
        ):
            self._continue(folder, "Probabilities of some images are not on disk.")
        return name

    def prediction_of(self, run: str, split: str) -> str:
        """Return the id of the run that holds a member's predictions of a split: an import itself.

        Raises:
            SegcoreError: There is no such run.
        """
        config = self.open(run).config
        return run if isinstance(config, ImportedConfig) else prediction_id(run, split)

    @staticmethod
    def _imported(source: RunFolder, split: str) -> str:
        """Return the id of an import that holds predictions of a split."""
        if not source.stages(split):
            raise SegcoreError(
                f"Expected predictions of {split!r} in the import {source.id!r}, found none: "
                f"import them under the same name (segscope import-predictions ... --split {split} "
                f"--name {source.id})."
            )
        return source.id

    def _check_whole(self, source: RunFolder, split: str) -> None:
        """Refuse an import that has no probabilities of some images of a split."""
        samples = self._datasets.open(source.config.dataset).select(split)
        bare = [s.id for s in samples if s.mask and not source.has_probabilities(split, s.id)]
        if bare:
            raise SegcoreError(
                f"Expected probabilities of every image of {split!r} in the import {source.id!r}, "
                f"{len(bare)} have none, for example {bare[0]!r}: ensembles and the CRF combine "
                "probabilities, import them as .npy."
            )

    def _member(self, run: str) -> tuple[RunFolder, TrainConfig | ImportedConfig]:
        """Return a training run that can predict, or an import, with its config."""
        source = self.open(run)
        config = source.config
        if isinstance(config, ImportedConfig):
            self.check_classes(run)
            return source, config
        if not isinstance(config, TrainConfig):
            raise SegcoreError(
                f"Expected a training run or an import, received {run!r}, which is "
                f"{kind_words(config.kind)}: name the run that was trained."
            )
        status = source.status()
        if status.state != "finished" and not source.model_path.exists():
            raise not_finished(run, status)
        self.check_classes(run)
        return source, config

    def _refuse_ensemble(self, run: str) -> None:
        """Refuse an ensemble as a member of another, and name its members."""
        config = self.open(run).config
        if isinstance(config, EvaluateConfig):
            raise SegcoreError(
                f"Expected training runs or imports as members, received the ensemble {run!r}, and "
                "an ensemble cannot be a member of another: name its members instead "
                f"({' '.join(config.members)})."
            )

    @writes("combine runs")
    def ensemble(
        self,
        members: Sequence[str],
        split: str,
        *,
        rule: str = "mean",
        crf: CRFParameters | None = None,
        weights: Sequence[float] = (),
        filter: MaskFilter | None = None,
        name: str = "",
    ) -> str:
        """Combine members over a split unless that is done or running; return the run id.

        Nothing is queued where something is refused.

        Raises:
            SegcoreError: There is no member or one stands twice, one is no finished training run,
                the members are of unlike datasets or label maps, the split or rule does not exist,
                the weights do not fit, or the name is another ensemble's.
        """
        dataset = self.dataset_of(members)
        check_weights(weights or None, rule, len(members))
        return self._evaluate(
            EvaluateConfig(dataset, tuple(members), split, rule, crf, tuple(weights), filter, name)
        )

    def members(self, run: str) -> tuple[str, ...]:
        """Return the members of an ensemble, or a training run itself.

        Raises:
            SegcoreError: There is no such run.
        """
        config = self.open(run).config
        return config.members if isinstance(config, EvaluateConfig) else (run,)

    def dataset_of(self, members: Sequence[str]) -> str:
        """Return the common dataset of some training runs; of folds that of their parent.

        Raises:
            SegcoreError: There is none, one is no finished training run, or their datasets
                 differ, or label maps, or the bands that they take.
        """
        for run in members:
            self._refuse_ensemble(run)
        configs = [self._member(run)[1] for run in members]
        datasets = {config.dataset for config in configs}
        if len(datasets) > 1:
            datasets = {parent_of(self._datasets.open(name)) or name for name in datasets}
        if len(datasets) > 1:
            raise SegcoreError(
                f"Expected members of one dataset, received {sorted(datasets)}: combine "
                "runs that share it."
            )
        if configs:
            shared_labels(configs)
        learned = [
            load_learned(self.folder / run)
            for run, config in zip(members, configs, strict=True)
            if isinstance(config, TrainConfig)
        ]
        for other in learned[1:]:
            check_alike(learned[0], other)
        return datasets.pop() if datasets else ""

    def kin(self, dataset: str) -> list[str]:
        """Return a dataset and its folds: their runs can be members of one ensemble."""
        return [dataset, *folds_of(dataset, self._datasets.folder)]

    def splits_of(self, dataset: str) -> list[str]:
        """Return the names of a dataset's splits.

        Raises:
            SegcoreError: There is no such dataset.
        """
        return [split for split in self._datasets.open(dataset).splits if split]

    def check_split(self, members: Sequence[str], split: str) -> None:
        """Refuse a split on which members by fold cannot be scored, as some were trained on it.

        Raises:
            SegcoreError: A member was trained on images of the split, or knows the split with
                other images; or as :meth:`dataset_of`.
        """
        name = self.dataset_of(members)
        images = {sample.id for sample in self._datasets.open(name).select(split)}
        for member in members:
            config = self._member(member)[1]
            if config.dataset == name or not isinstance(config, TrainConfig):
                continue
            own = self._datasets.open(config.dataset).samples
            learned = sum(
                s.id in images and s.split in (config.train_split, config.validation_split)
                for s in own
            )
            if learned:
                raise SegcoreError(
                    "Expected a split that no member was trained on, received "
                    f"{split!r}: {member} of {config.dataset} saw {learned} of "
                    f"its {len(images)} images in training; combine members by fold on 'test'."
                )
            if {s.id for s in own if s.split == split} != images:
                raise SegcoreError(
                    f"Expected the same images in {split!r} of {name} and "
                    f"{config.dataset}, received others: the splits of {name} were "
                    "changed after the folds were made; take that back, or train the members again."
                )

    def _evaluate(self, config: EvaluateConfig) -> str:
        run, split = evaluation_id(config), config.split
        self.check_split(config.members, split)
        self._check_name(config)
        for member in config.members:
            if isinstance(self.open(member).config, ImportedConfig):
                self._imported(self.open(member), split)
                self._check_whole(self.open(member), split)
        predictions = [self.predict(member, split) for member in config.members]
        newest = self.newest(predictions)
        folder = RunFolder(self.folder / run)
        status = folder.status()
        if status.state == "finished" and not self.is_current(folder, split):
            newest = math.inf
        if status.state != "finished" or (status.started or 0.0) < newest:
            predictions = [self.predict_whole(member, split) for member in config.members]
            newest = max(newest, self.newest(predictions))
        self.ensure(run, config, newest, after=predictions)
        return run

    def newest(self, runs: Sequence[str]) -> float:
        """Return when the last of some runs was finished; infinity while one is not."""
        statuses = [RunFolder(self.folder / run).status() for run in runs]
        return max(s.finished or 0.0 if s.state == "finished" else math.inf for s in statuses)

    def _check_name(self, config: EvaluateConfig) -> None:
        """Refuse a name that is taken by another ensemble or run."""
        if not config.name:
            return
        wanted = {**to_json(config), "split": ""}
        taken = [
            s
            for s in list_runs(self.folder)
            if s.id == config.name or s.config.get("name") == config.name
        ]
        if any(s.id == config.name or {**s.config, "split": ""} != wanted for s in taken):
            raise SegcoreError(
                f"Expected a new name for these members, received {config.name!r}, which "
                "is taken: choose another."
            )

    def derived(self, run: str, split: str) -> list[str]:
        """Return the ids of the runs that must end before a run has counts of a split.

        Raises:
            SegcoreError: There is no such run.
        """
        config = self.open(run).config
        if isinstance(config, EvaluateConfig):
            return [
                run,
                *(self.prediction_of(m, split) for m in config.members),
                evaluation_id(dataclasses.replace(config, split=split)),
            ]
        return [self.prediction_of(run, split)]

    @writes("start a prediction")
    def predict_any(self, run: str, split: str, options: PredictOptions | None = None) -> str:
        """Predict a split with a run or ensemble unless that is done; return the run to wait for.

        Raises:
            SegcoreError: As :meth:`predict` and :meth:`ensemble`.
        """
        config = self.open(run).config
        if isinstance(config, EvaluateConfig):
            self.check_split(config.members, split)
            for member in config.members:
                self.predict(member, split, options)
            return self._evaluate(dataclasses.replace(config, split=split))
        return self.predict(run, split, options)

    def on_split(self, run: str, split: str) -> str:
        """Return the id of an ensemble on another split; a training run's id is unchanged.

        Raises:
            SegcoreError: There is no such run.
        """
        config = self.open(run).config
        if not isinstance(config, EvaluateConfig) or config.split == split:
            return run
        return evaluation_id(dataclasses.replace(config, split=split))

    @writes("start a run")
    def ensure(
        self,
        run: str,
        config: RunConfig,
        made_from: float,
        after: Sequence[str] = (),
        priority: int = 0,
    ) -> None:
        """Queue a derived run unless it exists and is newer than what it is made from.

        Raises:
            SegcoreError: It needs an engine that is not installed.
        """
        if (self.folder / run).exists():
            status = RunFolder(self.folder / run).status()
            if status.state == "finished" and (status.started or 0.0) >= made_from:
                return
            if not status.has_ended:
                return
            if status.state != "finished":
                jobs.resume(self._workspace, run)
                return
        refuse_without_engine(config)
        if (self.folder / run).exists():
            shutil.rmtree(self.folder / run)
        self._queue(run, config, after, priority)

    @writes("start a run", "Queued the run {run}")
    def _queue(self, run: str, config: RunConfig, after: Sequence[str], priority: int) -> None:
        RunFolder.create(self.folder, run, config)
        jobs.submit(self._workspace, [run], after={run: list(after)}, priority=priority)

    def _new_id(self, stem: str) -> str:
        while True:
            candidate = f"{stem}-{''.join(secrets.choice(_LETTERS) for _ in range(4))}"
            if not any(self.folder.glob(f"{candidate}-*")):
                return candidate


def _label_maps(dataset: Dataset, config: TrainConfig) -> list[str]:
    """Return the label map of each run of a config; those of new submodels are saved."""
    if not config.submodels:
        return [config.label_map]
    classes = dataset.label_set.num_classes
    whole = (
        dataset.load_label_map(config.label_map)
        if config.label_map
        else LabelMap(LabelMap.identity(classes).groups, "class")
    )
    parts = part_maps(whole)
    for part in parts:
        if (
            part.name not in dataset.label_maps()
            or dataset.load_label_map(part.name).groups != part.groups
        ):
            dataset.save_label_map(part)
    router = [config.label_map] if config.submodels == "routed" and needs_router(whole) else []
    if config.submodels == "routed" and not router:
        raise SegcoreError(
            "Expected a label map with a group of two classes or more for a router, "
            "received none: choose one_vs_rest."
        )
    return [*(part.name for part in parts), *router]
