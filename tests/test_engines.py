"""The whole way without TensorFlow, through the shell: demo, import, train, predict, combine, score, export.

Where TensorFlow is installed, a package of its name that ends whoever imports it stands before it.
"""

import json
import sys

import cv2
import numpy as np
import pytest

from segcore.cli import main
from segcore.config import PredictOptions
from segcore.errors import SegcoreError
from segcore.runs.machine.engines import is_installed
from segcore.workspace import Workspace
from tests.conftest import TINY_LABELS, tiny_samples
from tests.shells import end_processes_of

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

MODEL = (
    *("--architecture", "unet", "--encoder", "tiny", "--weights", "none", "--size", "32x64"),
    *("--batch-size", "3", "--device", "cpu", "--epochs", "2", "--learning-rate", "0.01"),
)
TITLES = {"jax": "JAX", "torch": "PyTorch"}


@pytest.fixture
def shell(tmp_path, capsys):
    """Run a command in a fresh workspace and return its JSON."""
    folder = tmp_path / "workspace"

    def run(*words: object) -> dict:
        main([*map(str, words), "--workspace", str(folder), "--json"])
        return json.loads(capsys.readouterr().out)

    yield run
    end_processes_of(folder)


@pytest.fixture
def forbidden(tmp_path, monkeypatch):
    """A package named tensorflow that leaves a mark when it is imported, on the workers' path."""
    mark = tmp_path / "imported"
    package = tmp_path / "path" / "tensorflow"
    package.mkdir(parents=True)
    text = f"open({str(mark)!r}, 'w').close()\nraise RuntimeError('TensorFlow was imported')\n"
    (package / "__init__.py").write_text(text)
    if is_installed("tensorflow"):
        monkeypatch.setenv("PYTHONPATH", str(package.parent))
    return mark


def write_images(folder):
    """Images and masks of the tiny dataset as PNG files, as a person would bring them."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    ids = np.array([*TINY_LABELS.class_ids, *[0] * (256 - len(TINY_LABELS.class_ids))], np.uint8)
    for number, sample in enumerate(tiny_samples()):
        name = f"scene_{number:02d}.png"
        cv2.imwrite(str(folder / "images" / name), sample.image[..., ::-1])
        cv2.imwrite(str(folder / "masks" / name), ids[sample.mask])
    return folder


@pytest.mark.parametrize("engine", TITLES)
def test_the_whole_way_without_tensorflow(engine, shell, forbidden, tmp_path) -> None:
    if not is_installed(engine):
        pytest.skip(f"ENGINE NOT TESTED: {engine} is not installed")
    source = write_images(tmp_path / "source")
    shell("import", source, "--name", "brought")
    shell("split", "brought")
    workspace = Workspace(tmp_path / "workspace")
    run, other = shell("train", "brought", *MODEL, "--engine", engine, "--members", 2, "--wait")[
        "runs"
    ]
    folder = workspace.runs.open(run)
    assert folder.config.engine == engine and f"{TITLES[engine]}, float32" in folder.log_tail()
    assert [record["epoch"] for record in folder.metrics()] == [1, 2]
    for member in (run, other):
        shell("predict", member, "--split", "test", "--backend", engine)
    predicted = workspace.runs.open(f"{run}--test")
    assert predicted.read_json("backend")["name"] == engine
    combined = shell("ensemble", run, other, "--split", "test")
    assert 0 <= combined["ensemble"]["mean_iou"] <= 1
    score = shell("evaluate", run, "--split", "test")
    assert score["num_samples"] == len(predicted.read_counts("test", "prediction")[0]) > 0
    answer = tmp_path / "answer"
    image = source / "images" / "scene_00.png"
    shell("predict", run, "--images", image, "--out", answer, "--backend", engine)
    assert any(answer.rglob("*.png"))
    assert not forbidden.exists()


@pytest.mark.parametrize("engine", TITLES)
def test_an_engine_predicts_what_tensorflow_did(engine, shell, forbidden, tmp_path) -> None:
    """The demo's networks and their probabilities were written by TensorFlow."""
    if not is_installed(engine):
        pytest.skip(f"ENGINE NOT TESTED: {engine} is not installed")
    shell("demo")
    workspace = Workspace(tmp_path / "workspace")
    member = next(row.run for row in workspace.runs.rows() if row.kind == "train")
    samples = [s.id for s in workspace.datasets.open("demo").select("test")][:8]

    def probabilities():
        run = workspace.runs.open(f"{member}--test")
        return np.stack([run.read_probabilities("test", name)[0] for name in samples])

    stored, before = probabilities(), shell("evaluate", member, "--split", "test")["mean_iou"]
    shell("predict", member, "--split", "test", "--backend", engine)
    ours = probabilities()
    assert workspace.runs.open(f"{member}--test").read_json("backend")["name"] == engine
    assert np.abs(ours - stored).mean() < 2e-3, "stored with 8 bits, perhaps from bfloat16"
    assert np.mean(ours.argmax(-1) == stored.argmax(-1)) > 0.995
    after = shell("evaluate", member, "--split", "test")["mean_iou"]
    assert after == pytest.approx(before, abs=2e-3)
    assert not forbidden.exists()


def test_without_tensorflow_what_needs_it_is_refused_in_a_sentence(shell, tmp_path) -> None:
    if is_installed("tensorflow"):
        pytest.skip("TensorFlow is installed")
    shell("demo")
    workspace = Workspace(tmp_path / "workspace")
    member = next(row.run for row in workspace.runs.rows() if row.kind == "train")
    with pytest.raises(SegcoreError, match="from whose graph the form onnx is written"):
        workspace.predictions.export(member, "onnx", tmp_path / "network")
    exported = workspace.predictions.export(member, "keras", tmp_path / "network")
    assert exported.path.endswith(".keras")
    with pytest.raises(SegcoreError, match="received 'tensorflow', which is not"):
        workspace.runs.train(workspace.configs.clone(member))
    for backend in ("openvino", "tensorflow"):
        with pytest.raises(SegcoreError, match="received 'tensorflow', which is not"):
            workspace.predictions.warm(member, PredictOptions(backend=backend))
    workspace.predictions.close()
    assert "tensorflow" not in sys.modules
