"""Predictions of the user's own images by a trained network or an ensemble.

    predictions/<batch>/
        batch.json  images/                            see ``batches.py``
        answers/<model>/probabilities/images/<id>.prob as in a run's folder
        answers/<model>/masks/images/<stage>/<id>.mask after the dense CRF
        answers/<model>/answer-<id>.json                  how long it took, and who computed

A network predicts in a warm process, which ends after some idle minutes.
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.catalog import FROM_TENSORFLOW, kind_words
from segcore.config import (
    EvaluateConfig,
    ImportedConfig,
    PredictOptions,
    TrainConfig,
    shared_labels,
    to_json,
)
from segcore.data.bands.display import BandDisplay, load_display, usual_channels
from segcore.data.bands.learned import LearnedBands, check_alike, load_learned
from segcore.data.files.bands import FILE_NAME as BANDS
from segcore.data.files.bands import RasterLook, holds_converted_rasters, load_look
from segcore.data.files.images import read_image
from segcore.errors import SegcoreError
from segcore.labels import LabelSet
from segcore.postprocess.parameters import CRFParameters
from segcore.postprocess.pixels import PixelSummary, summarise_strips
from segcore.runs.dispatch.warm_process import WarmProcess
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine import disk
from segcore.runs.machine.engines import AUTO, is_installed, prediction_engine
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.predictions.archives import write_archive
from segcore.workspace.predictions.batches import Batch, Batches, Progress
from segcore.workspace.rights import writes
from segcore.workspace.runs.runs import Runs

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[Any]
Probabilities = npt.NDArray[np.float32]

SPLIT = "images"
NETWORKS_COMMAND = ("-m", "segcore.runs.dispatch.quiet_start", "segcore.worker", "--serve")
IDLE_SECONDS = 300.0
LOAD_SECONDS = 600.0
ANSWER_SECONDS = 900.0
CRF_PREVIEW_PIXELS = 2_000_000
CRF_PIXELS = 12_000_000
"""Above the first the CRF is computed at half the size, above the second not at all."""


@dataclass(frozen=True)
class Model:
    """What predicts: a training run, or the members of an ensemble and their rule."""

    members: tuple[str, ...]
    rule: str = "mean"
    weights: tuple[float, ...] = ()
    crf: CRFParameters | None = None


@dataclass(frozen=True)
class Loaded:
    """What the warm process loaded.

    Attributes:
        networks: How many were not loaded yet.
        seconds: How long that took.
    """

    networks: int
    seconds: float


@dataclass(frozen=True)
class Answer:
    """How the prediction of one image went.

    Attributes:
        seconds: Time of the networks; 0 where that was not noted.
        backend: What computed it, in words; "" where that was not noted.
    """

    seconds: float = 0.0
    backend: str = ""


@dataclass(frozen=True)
class ExportedNetwork:
    """A network written in another form.

    Attributes:
        path: The file or folder.
        form: A name in ``catalog.EXPORT_FORMATS``.
        difference: Largest difference of its probabilities from the network's, read back.
        bytes: Its size on disk.
        size: (height, width) of its input, pixels.
        sentence: All of that for people.
    """

    path: str
    form: str
    difference: float
    bytes: int
    size: tuple[int, int]
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON-ready mapping."""
        return {**vars(self), "size": list(self.size)}


@dataclass(frozen=True)
class ClassShare:
    """How much of a mask one class covers.

    Attributes:
        id: The user's id of the class.
        name: Its name.
        index: Its index in the mask.
        pixels: Pixels of the class.
        share: Pixels of the class / all pixels, 0 to 1.
    """

    id: int
    name: str
    index: int
    pixels: int
    share: float


class Predictions:
    """What networks predict for batches of the user's own images.

    Attributes:
        batches: The images.
    """

    def __init__(self, batches: Batches, datasets: Datasets, runs: Runs) -> None:
        self.batches = batches
        self._datasets = datasets
        self._runs = runs
        self._networks: dict[str, WarmProcess] = {}
        self._light = WarmProcess(idle_seconds=IDLE_SECONDS)

    def model(self, run: str) -> Model:
        """Return what a finished training run or an ensemble predicts with.

        Raises:
            SegcoreError: There is no such run, it predicts nothing, or a member has no network.
        """
        config = self._runs.open(run).config
        if isinstance(config, EvaluateConfig):
            model = Model(config.members, config.rule, config.weights, config.crf)
        elif isinstance(config, TrainConfig):
            model = Model((run,))
        else:
            raise SegcoreError(
                f"Expected a training run or an ensemble, received {run!r}, which is "
                f"{kind_words(config.kind)}: choose another."
            )
        for member in model.members:
            if isinstance(self._runs.open(member).config, ImportedConfig):
                raise SegcoreError(
                    f"Expected networks that can predict, but {member!r} is an import, which holds "
                    "predictions alone: predict with the members that were trained here."
                )
            if not self._runs.open(member).model_path.is_file():
                raise SegcoreError(
                    f"Expected the trained network of {member!r}, found none: wait for its "
                    "first epoch, or train it again."
                )
        return model

    def can_predict(self, run: str) -> bool:
        """Whether :meth:`model` and :meth:`label_set` would succeed."""
        try:
            self.label_set(run)
        except SegcoreError:
            return False
        return True

    def label_set(self, run: str) -> LabelSet:
        """Return the classes that a run or ensemble answers with.

        Raises:
            SegcoreError: There is no such run, or it has not begun.
        """
        members = self.model(run).members
        configs = [
            config for m in members if isinstance(config := self._runs.open(m).config, TrainConfig)
        ]
        if (
            len(members) > 1 and shared_labels(configs)[1]
        ):  # submodels each know a part; together they know all classes
            return self._datasets.open(configs[0].dataset).label_set
        return LabelSet.from_json(self._runs.open(members[0]).read_json("labels")["label_set"])

    def key(self, run: str, options: PredictOptions) -> tuple[Any, ...]:
        """Return what decides how an image is predicted; a retrained model has another."""
        model = self.model(run)
        changed = [self._changed(member) for member in model.members]
        rule = model.rule if len(changed) > 1 else ""
        return model.members, rule, model.weights, to_json(options), changed

    def answer_folder(self, run: str, batch: Batch, options: PredictOptions) -> RunFolder:
        """Return the folder of a model's predictions of a batch; a retrained model has another."""
        key = repr((*self.key(run, options), *self._looks_in(batch, run)))
        return RunFolder(batch.folder / "answers" / hashlib.sha256(key.encode()).hexdigest()[:16])

    def raster_look(self, run: str) -> RasterLook | None:
        """Return how the images that a model was trained on were shown; None for ordinary pictures.

        Raises:
            SegcoreError: Its members were trained on images shown in different ways, or the
                dataset was imported by a version that did not keep how.
        """
        looks = {member: self._look_of(member) for member in self.model(run).members}
        (member, look), *others = looks.items()
        for other, differs in others:
            if differs != look:
                raise SegcoreError(
                    f"Expected members trained on images shown alike, but {member!r} and "
                    f"{other!r} saw other bands or limits: predict with each alone."
                )
        return look

    def _look_of(self, member: str) -> RasterLook | None:
        run = self._runs.open(member)
        if (run.folder / BANDS).is_file():
            return load_look(run.folder)
        config = run.config
        try:
            folder = self._datasets.open(getattr(config, "dataset", "")).folder
        except SegcoreError:
            return None
        look = load_look(folder)
        if look is None and holds_converted_rasters(folder):
            raise SegcoreError(
                f"The dataset of {member!r} was imported by an older version, which did not keep "
                "which bands and values its images show, so that a TIFF cannot be shown alike: "
                "import the dataset again and train on it."
            )
        return look

    def _looks_in(self, batch: Batch, run: str) -> tuple[RasterLook, ...]:
        """How the rasters of a batch are shown to a model, where there are any and it matters."""
        if not any(image.is_raster for image in batch.images):
            return ()
        look = self.raster_look(run)
        return () if look is None else (look,)

    def learned_bands(self, run: str) -> LearnedBands | None:
        """Return the channels that a model takes; None for pictures.

        Raises:
            SegcoreError: Its members take different ones.
        """
        first, *others = (load_learned(self._runs.open(m).folder) for m in self.model(run).members)
        for other in others:
            check_alike(first, other)
        return first

    def display(self, run: str) -> BandDisplay | None:
        """Return how a model's dataset shows bands that keep their values; None for pictures.

        Where the dataset is gone, two deviations around each channel's mean are shown.

        Raises:
            SegcoreError: As :meth:`learned_bands`.
        """
        learned = self.learned_bands(run)
        if learned is None:
            return None
        try:
            config = self._runs.open(self.model(run).members[0]).config
            dataset = self._datasets.open(getattr(config, "dataset", ""))
            if dataset.bands is not None and learned.bands.fits(dataset.bands):
                return load_display(dataset.folder)
        except SegcoreError:
            pass  # it was deleted
        pairs = zip(learned.mean, learned.std, strict=True)
        limits = tuple((mean - 2 * std, mean + 2 * std) for mean, std in pairs)
        return BandDisplay(usual_channels(learned.bands), limits)

    def shown_image(self, run: str, batch: Batch, image: str) -> Image:
        """Return an image as it is shown beside the model's answer, (H, W, 3) uint8 RGB.

        That is what the model sees, at its own size; of bands that keep their values those that
        its dataset shows.

        Raises:
            SegcoreError: It is gone, or a raster that cannot be shown as the training images were.
        """
        learned, display = self.learned_bands(run), self.display(run)
        if learned is not None and display is not None:
            values = np.load(self.batches.values_path(batch, image, learned.bands))
            return display.show(values)
        return read_image(self._shown_path(run, batch, image))

    def _input_path(self, run: str, batch: Batch, image: str) -> Path:
        """Return the file that the model takes: a picture, or the channels of a raster."""
        learned = self.learned_bands(run)
        if learned is not None:
            return self.batches.values_path(batch, image, learned.bands)
        return self._shown_path(run, batch, image)

    def _shown_path(self, run: str, batch: Batch, image: str) -> Path:
        """Return the file of an image as the model's training images were shown."""
        if not batch.image(image).is_raster:
            return self.batches.image_path(batch, image)
        return self.batches.shown_path(batch, image, self.raster_look(run))

    def _changed(self, member: str) -> int:
        """Return when a member's network was last written, nanoseconds since 1970."""
        try:
            return self._runs.open(member).model_path.stat().st_mtime_ns
        except OSError as error:
            raise SegcoreError(
                f"Expected the trained network of {member!r}, found none: it was deleted; choose "
                "another model."
            ) from error

    def is_predicted(self, run: str, batch: Batch, image: str, options: PredictOptions) -> bool:
        """Whether an image was predicted already."""
        return self.answer_folder(run, batch, options).has_probabilities(SPLIT, image)

    def warm(self, run: str, options: PredictOptions) -> Loaded:
        """Load a model's networks in the warm process, which is started if need be.

        Raises:
            SegcoreError: A network cannot be read, or the process fails.
        """
        model = self.model(run)
        answer, _ = self._process(model, options.backend).ask(
            "load", timeout=LOAD_SECONDS, **self._request(model, options)
        )
        return Loaded(int(answer["loaded"]), float(answer["seconds"]))

    def predict(self, run: str, batch: Batch, image: str, options: PredictOptions) -> Answer:
        """Make sure that an image is predicted; return how it went.

        Raises:
            SegcoreError: A network or the image cannot be read, the memory does not suffice, or the
                process fails.
        """
        folder = self.answer_folder(run, batch, options)
        if not folder.has_probabilities(SPLIT, image):
            model = self.model(run)
            request = self._request(model, options) | {
                "image": str(self._input_path(run, batch, image)),
                "folder": str(folder.folder),
                "id": image,
            }
            if len(model.members) > 1:
                request |= {"rule": model.rule, "weights": list(model.weights)}
            process = self._process(model, options.backend)
            answer, _ = process.ask("predict", timeout=ANSWER_SECONDS, **request)
            folder.write_json(f"answer-{image}", answer)
        try:
            noted = folder.read_json(f"answer-{image}")
            return Answer(float(noted["seconds"]), str(noted["backend"]))
        except (SegcoreError, KeyError, TypeError, ValueError):
            return Answer()

    def training_scale(self, run: str) -> float:
        """Return how many times a model's training images were shrunk to its network's size.

        It is the greatest among members; 1 where they were cropped or had that size, less where
        they were enlarged, and 1 where the dataset is gone.

        Raises:
            SegcoreError: There is no such run, or it predicts nothing.
        """
        scales = []
        for member in self.model(run).members:
            config = self._runs.open(member).config
            if not isinstance(config, TrainConfig) or config.recipe.crops:
                scales.append(1.0)
                continue
            try:
                samples = self._datasets.open(config.dataset).samples
            except SegcoreError:
                samples = ()
            sides = [(s.height * s.width) ** 0.5 for s in samples]
            own = (config.size[0] * config.size[1]) ** 0.5
            scales.append(float(np.median(sides)) / own if sides else 1.0)
        return max(scales, key=lambda scale: max(scale, 1 / scale))

    def scene_rows(
        self, run: str, image: Path, look: RasterLook | None, options: PredictOptions
    ) -> Callable[[bool], tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]]:
        """Return a function that predicts the next rows of a scene of any size.

        Args:
            run: A training run or an ensemble.
            image: A GeoTIFF.
            look: How its bands become a picture.
            options: How to predict.

        Returns:
            A function that is called with True for the first rows and False for the next ones; see
            :meth:`segcore.training.inference.service.Service.scene`.

        Raises:
            SegcoreError: A network is missing.
        """
        model = self.model(run)
        request = self._request(model, options) | {
            "image": str(image.resolve()),
            "look": look.to_json() if look else None,
            "rule": model.rule,
            "weights": list(model.weights),
        }
        process = self._process(model, options.backend)

        def ask(begin: bool) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
            return process.ask("scene", timeout=ANSWER_SECONDS, begin=begin, **request)

        return ask

    def _process(self, model: Model, backend: str) -> WarmProcess:
        """Return the warm process of the engine that predicts with a model.

        Raises:
            SegcoreError: The backend needs an engine that is not installed.
        """
        configs = (self._runs.open(member).config for member in model.members)
        trained = [config.engine for config in configs if isinstance(config, TrainConfig)]
        engine = prediction_engine(backend, trained)
        if engine not in self._networks:
            self._networks[engine] = WarmProcess((*NETWORKS_COMMAND, engine), IDLE_SECONDS)
        return self._networks[engine]

    def _request(self, model: Model, options: PredictOptions) -> dict[str, Any]:
        return {
            "runs": [str(self._runs.open(m).folder) for m in model.members],
            "options": to_json(options),
        }

    def probabilities(
        self, run: str, batch: Batch, image: str, options: PredictOptions
    ) -> Probabilities:
        """Return an image's probabilities, (h, w, C) float32, at the network's resolution.

        Raises:
            SegcoreError: It was not predicted.
        """
        return self.answer_folder(run, batch, options).read_probabilities(SPLIT, image)[0]

    def summary(self, run: str, batch: Batch, image: str, options: PredictOptions) -> PixelSummary:
        """Return mask, confidence and entropy at the image's own size.

        Raises:
            SegcoreError: It was not predicted.
        """
        stored = batch.image(image)
        strips = self.answer_folder(run, batch, options).read_probability_strips(SPLIT, image)
        return summarise_strips(strips, (stored.height, stored.width))

    def crf_mask(
        self, run: str, batch: Batch, image: str, options: PredictOptions
    ) -> tuple[Mask, bool]:
        """Return the mask after the dense CRF, with the ensemble's own parameters if it has any.

        Returns:
            (H, W) indices, and whether it is only a preview at half the size, because the image is
            large.

        Raises:
            SegcoreError: It was not predicted, the image is too large, or pydensecrf is missing.
        """
        stored, folder = batch.image(image), self.answer_folder(run, batch, options)
        pixels = stored.height * stored.width
        if pixels > CRF_PIXELS:
            raise SegcoreError(
                f"Expected an image of at most {CRF_PIXELS // 1_000_000} megapixels for "
                f"the CRF, received {pixels / 1e6:.0f}: "
                "leave the CRF off, or cut the image."
            )
        preview = pixels > CRF_PREVIEW_PIXELS
        parameters = dataclasses.asdict(self.model(run).crf or CRFParameters())
        stage = (
            "crf-"
            + hashlib.sha256(
                json.dumps([parameters, preview], sort_keys=True).encode()
            ).hexdigest()[:8]
        )
        try:
            return folder.read_mask(SPLIT, stage, image), preview
        except SegcoreError:
            pass  # not made yet
        arrays: dict[str, npt.NDArray[Any]] = {
            "probabilities": self.probabilities(run, batch, image, options),
            "image": self.shown_image(run, batch, image),
        }
        _, results = self._light.ask(
            "crf", arrays, timeout=ANSWER_SECONDS, parameters=parameters, preview=preview
        )
        folder.write_mask(SPLIT, stage, image, results["mask"])
        return results["mask"], preview

    def predict_all(
        self, run: str, batch: Batch, options: PredictOptions, progress: Progress | None = None
    ) -> None:
        """Predict every image of a batch that is not predicted yet.

        Raises:
            SegcoreError: As :meth:`predict`.
        """
        for done, image in enumerate(batch.images):
            if progress:
                progress(done, len(batch.images), image.name)
            self.predict(run, batch, image.id, options)
        if progress:
            progress(len(batch.images), len(batch.images), "")

    @writes("export a network", "Exported the network of {run} as {to}")
    def export(self, run: str, to: str, out: Path) -> ExportedNetwork:
        """Write a training run's network in another form, checked by reading it back.

        Args:
            run: Id of a training run.
            to: A name in ``catalog.EXPORT_FORMATS``.
            out: A new file or folder.

        Raises:
            SegcoreError: The run is an ensemble or has no network, a package is missing, or the
                form cannot hold the network.
        """
        model = self.model(run)
        if len(model.members) != 1:
            raise SegcoreError(
                f"Expected a training run, received the ensemble {run!r}: export its "
                "members one by one."
            )
        place = str(Path(out).expanduser().resolve())
        request = self._request(model, PredictOptions()) | {"to": to, "out": place}
        needed = "tensorflow" if to in FROM_TENSORFLOW and is_installed("tensorflow") else AUTO
        process = self._process(model, needed)
        answer, _ = process.ask("export", timeout=LOAD_SECONDS, **request)
        return ExportedNetwork(**answer | {"size": tuple(answer["size"])})

    def exported(self, run: str, to: str) -> tuple[Path, str]:
        """Return a file with a network in another form, and the sentence about it; made once.

        A form of several files comes as a zip.

        Raises:
            SegcoreError: As :meth:`export`.
        """
        self.model(run)
        changed = self._changed(run)
        folder = self.batches.folder.with_name("exports") / f"{run}-{to}-{changed:x}"
        note = folder.with_suffix(".json")
        if not note.is_file():
            shutil.rmtree(folder, ignore_errors=True)
            network = self.export(run, to, folder / run)
            files = [p for p in folder.rglob("*") if p.is_file()]
            path = files[0]
            if len(files) > 1:
                path = folder / f"{run}-{to}.zip"
                write_archive(
                    path, ((p.relative_to(folder).as_posix(), p.read_bytes()) for p in files)
                )
            disk.write_json(
                note,
                {
                    "path": str(path),
                    "sentence": network.sentence.replace(network.path, path.name),
                },
            )
        data = disk.read_json(note)
        return Path(data["path"]), str(data["sentence"])

    def close(self) -> None:
        """End the warm processes; the next question starts them again."""
        for process in self._networks.values():
            process.close()
        self._light.close()


def shares(mask: Mask, label_set: LabelSet) -> list[ClassShare]:
    """Return the share of each class that occurs in a mask (H, W) of indices, the largest first."""
    counts = np.bincount(mask.ravel(), minlength=label_set.num_classes)[: label_set.num_classes]
    order: Sequence[int] = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
    return [
        ClassShare(
            id=label_set.classes[i].id,
            name=label_set.classes[i].name,
            index=i,
            pixels=int(counts[i]),
            share=float(counts[i] / mask.size),
        )
        for i in order
    ]
