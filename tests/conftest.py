"""Fixtures that every test may ask for."""

import ctypes
import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from segcore.config import EvaluateConfig, ModelConfig, PredictConfig, RecipeConfig, TrainConfig
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.data.files.images import read_image
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.counts.scores import mean_iou
from segcore.labels import LabelClass, LabelSet
from segcore.postprocess.ensemble import combine_to_size, resize_probabilities
from segcore.postprocess.parameters import CRFParameters
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.machine import processes
from segcore.workspace import Workspace
from segcore.workspace.runs.runs import evaluation_id, prediction_id
from tests.local_slurm import LocalSlurm, missing

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("SEGSCOPE_SHARED", ROOT.parent / "shared"))

TINY = "tiny"
TINY_LABELS = LabelSet(
    (
        LabelClass(3, "field", (230, 159, 0)),
        LabelClass(5, "forest", (0, 158, 115)),
        LabelClass(8, "road", (128, 128, 128)),
        LabelClass(11, "roof", (213, 94, 0)),
    ),
    (LabelClass(0, "void", (0, 0, 0)),),
)
"""Four classes whose ids are no indices, so that the two cannot be mistaken for each other."""
TINY_SPLITS = {"train": 6, "validation": 3, "test": 3}
TINY_SIZE = (32, 48)
TINY_MEMBERS = ("tiny-unet-tiny-made-1", "tiny-unet-tiny-made-2")
NETWORK_SIZE = (16, 24)
MADE_AT = 1_700_000_000.0
ENGINE = os.environ.get("KERAS_BACKEND", "tensorflow")
"""What Keras computes with; importing ``segcore`` names another one where TensorFlow is missing."""


class OtherEngine(pytest.Module):
    """A file that is skipped, because another engine than TensorFlow computes."""

    def collect(self) -> list[pytest.Item]:
        reason = f"COMPUTES WITH TENSORFLOW BESIDE KERAS, WHICH RUNS ON {ENGINE}"
        raise pytest.skip.Exception(reason, allow_module_level=True)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    """Skip what imports TensorFlow where Keras runs on another engine."""
    if ENGINE != "tensorflow" and re.search(
        r"^(import|from) tensorflow", module_path.read_text(), re.MULTILINE
    ):
        return OtherEngine.from_parent(parent, path=module_path)
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that need TensorFlow or a browser go first, then those of many tests.

    Two processes that take whole files then end together: what is left for the end is short.
    """
    counts = Counter(item.path for item in items)
    heavy = {
        item.path
        for item in items
        if item.get_closest_marker("tensorflow") or item.get_closest_marker("browser")
    }
    items.sort(key=lambda item: (item.path not in heavy, -counts[item.path], str(item.path)))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Name the signal that ended a test process of pytest-xdist: its own line says only that it ended."""
    process = node.gateway._io.popen
    if error and (code := process.wait(10)):
        cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        print(f"\n{node.gateway.id} ended by {cause}", file=sys.stderr)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Spare the garbage collector what is imported for the tests: half a million objects that stay to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def _shared(*parts: str) -> Path:
    folder = SHARED.joinpath(*parts)
    if not folder.is_dir():
        pytest.skip(
            f"REAL DATA ABSENT: {'/'.join(parts)} does not lie beside the checkout (or in "
            "$SEGSCOPE_SHARED)"
        )
    return folder


@pytest.fixture(scope="session")
def camvid_folder() -> Path:
    """CamVid, 11 classes, 360 x 480: images/, masks/, classes.csv."""
    return _shared("data", "camvid")


@pytest.fixture(scope="session")
def aerial_folder() -> Path:
    """Aerial tiles with colour-coded masks."""
    return _shared("data", "aerial")


@pytest.fixture(scope="session")
def weights_folder() -> Path:
    """Small pretrained encoders as .npz files."""
    return _shared("weights")


def tiny_samples():
    """Scenes of a field with a forest, a road, sometimes a roof, and a void edge; the colours give the classes away."""
    rng = np.random.default_rng(7)
    height, width = TINY_SIZE
    for split, count in TINY_SPLITS.items():
        for number in range(count):
            mask = np.zeros(TINY_SIZE, np.uint8)
            mask[: rng.integers(8, 20), : rng.integers(12, 30)] = 1
            row = int(rng.integers(20, 27))
            mask[row : row + 4] = 2
            if number != 1:
                mask[4:12, 34:44] = 3
            mask[:, -1] = TINY_LABELS.ignore_index
            colors = np.vstack([TINY_LABELS.colors, np.zeros((1, 3), np.uint8)])[
                np.minimum(mask, 4)
            ]
            image = np.clip(colors + rng.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)
            yield ArraySample(f"{split}/scene_{number}", image, mask, split)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A temporary workspace that holds the dataset "tiny": 32 x 48, four classes, 6 + 3 + 3 samples."""
    return make_workspace(tmp_path / "workspace")


def make_workspace(folder: Path) -> Workspace:
    """Make a workspace that holds the dataset "tiny"."""
    made = Workspace(folder)
    write_dataset(made.datasets.folder / TINY, TINY, TINY_LABELS, tiny_samples())
    return made


def guess(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Probabilities (16, 24, 4) of a made-up network: the truth, seen through noise."""
    small = mask[::2, ::2]
    logits = rng.normal(0, 1.2, (*NETWORK_SIZE, 4)) + 2.0 * (small[..., None] == np.arange(4))
    powers = np.exp(logits)
    return (powers / powers.sum(-1, keepdims=True)).astype(np.float32)


class MadeUpRuns:
    """Writes runs as workers would have left them, without a worker; each is one second younger than the one before."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._clock = MADE_AT

    def write(self, id: str, config, **status) -> RunFolder:
        """A finished run, to be filled by the caller."""
        self._clock += 1.0
        run = RunFolder.create(self.workspace.runs.folder, id, config)
        times = {
            "created": self._clock,
            "started": self._clock + 0.25,
            "finished": self._clock + 0.5,
        }
        run.write_status(
            **{"state": "finished", "progress": 1.0, "device": "cpu", **times, **status}
        )
        run.log_path.write_text(f"{id} was made up\n")
        return run

    def train(self, id: str, label_map: str = "", **status) -> RunFolder:
        """A training run of two epochs."""
        recipe = RecipeConfig(epochs=2, batch_size=2)
        run = self.write(
            id,
            TrainConfig(
                TINY, ModelConfig("unet", "tiny", "none"), recipe, (32, 64), label_map=label_map
            ),
            **status,
        )
        for epoch, loss in ((1, 0.9), (2, 0.5)):
            scores = {
                "mean_iou": 0.9 - loss,
                "val_mean_iou": 0.8 - loss,
                "learning_rate": 1e-3,
                "seconds": 2.0,
                "images_per_second": 3.0,
            }
            run.append_metrics({"epoch": epoch, "loss": loss, "val_loss": loss + 0.1, **scores})
        run.write_status(**{"epoch": 2, "epochs": 2, "mean_iou": 0.8 - 0.5, **status})
        return run

    def predict(self, member: str, split: str, seed: int) -> RunFolder:
        """A predict run: probabilities, and the counts of their argmax at the masks' own size."""
        dataset = self.workspace.datasets.open(TINY)
        run = self.write(prediction_id(member, split), PredictConfig(TINY, member, split))
        rng = np.random.default_rng(seed)
        ids, counts = [], []
        for sample in dataset.select(split):
            mask = dataset.read_mask(sample)
            run.write_probabilities(split, sample.id, guess(mask, rng), mask.shape)
            probabilities, size = run.read_probabilities(split, sample.id)
            ids.append(sample.id)
            counts.append(
                count_confusion(mask, resize_probabilities(probabilities, size).argmax(-1), 4, 255)
            )
        run.write_counts(split, "prediction", ids, np.stack(counts))
        run.write_status(mean_iou=float(mean_iou(np.sum(counts, 0))))
        return run

    def evaluate(
        self, members: tuple[str, ...], split: str, crf: CRFParameters | None
    ) -> RunFolder:
        """An evaluate run; its CRF masks are the ensemble's with every third row as it truly is."""
        dataset = self.workspace.datasets.open(TINY)
        config = EvaluateConfig(TINY, members, split, "mean", crf)
        run = self.write(evaluation_id(config), config)
        stages: dict[str, list[np.ndarray]] = {"ensemble": [], **({"crf": []} if crf else {})}
        samples = dataset.select(split)
        for sample in samples:
            mask = dataset.read_mask(sample)
            folders = [
                RunFolder(self.workspace.runs.folder / prediction_id(m, split)) for m in members
            ]
            read = (folder.read_probabilities(split, sample.id)[0] for folder in folders)
            prediction = combine_to_size(read, mask.shape).argmax(-1).astype(np.uint8)
            stages["ensemble"].append(count_confusion(mask, prediction, 4, 255))
            if crf:
                prediction[::3] = np.where(mask[::3] == 255, prediction[::3], mask[::3])
                run.write_mask(split, "crf", sample.id, prediction)
                stages["crf"].append(count_confusion(mask, prediction, 4, 255))
        for stage, counts in stages.items():
            run.write_counts(split, stage, [s.id for s in samples], np.stack(counts))
        run.write_status(mean_iou=float(mean_iou(np.sum(list(stages.values())[-1], 0))))
        return run


@pytest.fixture
def made_up(workspace: Workspace) -> MadeUpRuns:
    """Writes runs into the workspace."""
    return MadeUpRuns(workspace)


@pytest.fixture
def trained(made_up: MadeUpRuns) -> SimpleNamespace:
    """The workspace after two training runs, predictions of validation and test by both, and their ensemble with CRF on test.

    Made up on disk and the same every time: ``workspace``, ``members`` (ids), ``ensemble`` (id),
    ``samples`` (ids by split).
    """
    return make_trained(made_up)


def make_trained(made_up: MadeUpRuns) -> SimpleNamespace:
    """Write what :func:`trained` says."""
    for member in TINY_MEMBERS:
        made_up.train(member)
    for seed, member in enumerate(TINY_MEMBERS):
        for split in ("validation", "test"):
            made_up.predict(member, split, seed)
    ensemble = made_up.evaluate(TINY_MEMBERS, "test", CRFParameters())
    samples = {
        split: [f"{split}/scene_{i}" for i in range(count)] for split, count in TINY_SPLITS.items()
    }
    return SimpleNamespace(
        workspace=made_up.workspace,
        members=TINY_MEMBERS,
        ensemble=ensemble.id,
        samples=samples,
    )


@contextmanager
def _without_override() -> Iterator[None]:
    """Make the administrator obey permissions too, as everybody else does (capabilities(7))."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    if libc.capget(header, data):
        pytest.skip("this system does not say what the administrator may do")
    before = data[0]
    data[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    libc.capset(header, data)
    yield
    data[0] = before
    libc.capset(header, data)


@pytest.fixture
def guest(trained, monkeypatch):
    """The workspace with its results, seen by a user who is not root and may write nowhere in it."""
    folder = Path(tempfile.mkdtemp(prefix="segscope-guest-"))
    folder.chmod(0o755)
    place = folder / "workspace"
    shutil.copytree(trained.workspace.folder, place)
    for path in (place, *place.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    monkeypatch.setenv("SEGCORE_WORKSPACE", str(place))
    monkeypatch.setenv("HOME", str(folder / "no-home"))
    with _without_override():
        yield trained
    for path in (place, *place.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """No process is started: the arguments of those that would have been; what is queued stays queued."""
    commands: list[list[str]] = []

    def note(arguments, *rest, **named):
        commands.append(list(arguments))
        return SimpleNamespace(pid=0)  # which is no process

    monkeypatch.setattr(processes, "start_detached", note)
    monkeypatch.setattr(processes, "forget", lambda process: None)
    return commands


@pytest.fixture
def own_images(trained: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """``trained``, whose members can predict one's own images: the process that would is made up, and ``asked`` lists its questions.

    Its network gives each pixel the class whose colour is nearest, with 0.7.
    """
    asked: list[tuple[str, dict]] = []
    for member in trained.members:
        run = trained.workspace.runs.open(member)
        run.model_path.write_bytes(b"a network")
        run.write_json("labels", {"label_set": TINY_LABELS.to_json(), "label_map": None})

    def ask(self, question, arrays=None, timeout=60.0, **values):
        asked.append((question, values))
        if question == "load":
            return {"loaded": 1, "seconds": 3.0, "sizes": [[16, 24]]}, {}
        image = read_image(Path(values["image"])).astype(int)
        nearest = np.abs(image[:, :, None] - TINY_LABELS.colors.astype(int)).sum(-1).argmin(-1)
        if question == "scene":
            head = {"left": 0, "ends": True, "done": True, "backend": "TensorFlow in float32"}
            sure = np.full(nearest.shape, 179, np.uint8)
            return head, {"mask": nearest.astype(np.uint8), "confidence": sure}
        probabilities = np.where(nearest[..., None] == np.arange(4), 0.7, 0.1).astype(np.float32)
        RunFolder(values["folder"]).write_probabilities(
            "images", values["id"], probabilities, image.shape[:2]
        )
        return {"seconds": 0.25, "size": [*image.shape[:2]], "backend": "TensorFlow in float32"}, {}

    monkeypatch.setattr("segcore.workspace.predictions.predictions.WarmProcess.ask", ask)
    return SimpleNamespace(**vars(trained), asked=asked, label_set=TINY_LABELS)


class LocalCluster:
    """A scheduler and two workers, each a process that a test can kill."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = processes.python_environment(
            {"DASK_DISTRIBUTED__WORKER__DAEMON": "False"}
        )
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"
        )
        line = next(line for line in self.scheduler.stderr if "Scheduler at:" in line)
        self.address = line.split("Scheduler at:")[1].strip()
        self._read_away(self.scheduler)
        self.workers = {name: self._worker(name) for name in ("east", "west")}

    def _worker(self, name):
        options = [
            "--name",
            name,
            "--nthreads",
            "1",
            "--no-nanny",
            "--no-dashboard",
            "--host",
            "127.0.0.1",
            "--resources",
            "CPU=1",
        ]
        process = self._start(
            "worker", self.address, *options, "--local-directory", str(self.folder)
        )
        self._read_away(process)
        return process

    def _start(self, *words):
        command = [sys.executable, "-m", "dask", *words]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    def _read_away(self, process):
        threading.Thread(target=process.stderr.read, daemon=True).start()

    def close(self):
        for process in (*self.workers.values(), self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def local_cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    """A Dask scheduler and two workers on loopback."""
    pytest.importorskip(
        "distributed",
        reason="NO CLUSTER: pip install '.[cluster]' to test work on many machines",
    )
    made = LocalCluster(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def local_slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSlurm]:
    """A real Slurm of one node on loopback."""
    if reason := missing():
        pytest.skip(reason)
    made = LocalSlurm(tmp_path_factory.mktemp("slurm"))
    yield made
    made.close()
