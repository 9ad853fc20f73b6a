"""Bands end to end: what only a fourth band tells is learned, kept with the network, and predicted."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from segcore.config import (
    ModelConfig,
    PredictConfig,
    PredictOptions,
    RecipeConfig,
    RobustnessConfig,
    TrainConfig,
)
from segcore.data.bands.learned import NAME, load_learned
from segcore.data.dataset.dataset import Dataset
from segcore.errors import SegcoreError
from segcore.evaluation.counts import scores
from segcore.models.build import build_model, load_network, normalising_of
from segcore.models.engines.engine import ENGINE
from segcore.runs.folder.run_folder import RunFolder
from segcore.training.export import export
from segcore.training.inference.predict import predict
from segcore.training.inference.predictor import Predictor
from segcore.training.inference.robustness import measure_robustness
from segcore.training.inference.service import Service
from segcore.training.input.reader import SampleReader
from segcore.training.loop.averaging import Averaging
from segcore.training.loop.train import train
from segcore.workspace.predictions.batches import Batches
from tests.data.bands.band_rasters import make_dataset, planted, write_bands

pytestmark = pytest.mark.tensorflow

SIZE = (32, 32)
RECIPE = RecipeConfig(
    loss="dice_focal", learning_rate=0.01, epochs=16, batch_size=2, augmentation="aerial"
)


def new_run(folder, name, **changes):
    config = TrainConfig(
        "fields",
        ModelConfig("lraspp", "tiny", "none"),
        dataclasses.replace(RECIPE, **changes),
        SIZE,
        seed=1,
        device="cpu",
        engine=ENGINE,
    )
    return RunFolder.create(folder / "runs", name, config)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bands")
    make_dataset(folder, SIZE, indices="ndvi")
    return folder


@pytest.fixture(scope="module")
def dataset(workspace):
    return Dataset.open(workspace / "datasets" / "fields")


@pytest.fixture(scope="module")
def learned(workspace, dataset):
    run = new_run(workspace, "learned")
    train(run, dataset)
    return run


def prediction(workspace, source):
    options = PredictOptions(backend=ENGINE)
    config = PredictConfig("fields", source.id, "test", 2, device="cpu", options=options)
    return RunFolder.create(workspace / "runs", f"{source.id}--test", config)


def test_what_only_one_band_tells_is_learned_and_predicted(workspace, dataset, learned):
    bands = load_learned(learned.folder)
    assert bands is not None and bands.bands == dataset.bands
    run = prediction(workspace, learned)
    predict(run, learned, dataset)
    counts = run.read_counts("test", "prediction")[1]
    assert float(scores.iou(counts.total)[1]) > 0.7


def test_the_network_itself_normalises_by_the_training_split(learned, dataset):
    bands = load_learned(learned.folder)
    model = load_network(learned.model_path)
    layer = normalising_of(model)
    assert layer.names == dataset.bands.channels
    assert (layer.mean, layer.std) == (bands.mean, bands.std)
    pixels = np.concatenate(
        [dataset.read_values(s).reshape(-1, 6) for s in dataset.select("train")]
    )
    given = np.asarray(layer(pixels[None, None]))[0, 0]
    np.testing.assert_allclose(given.mean(0), 114.5, atol=0.01)
    np.testing.assert_allclose(given.std(0), 57.4, atol=0.01)


@pytest.mark.slow
def test_own_rasters_are_predicted_as_the_dataset_is(workspace, dataset, learned, tmp_path):
    batches = Batches(tmp_path / "predictions")
    batch = batches.accept_folder(workspace / "source" / "test" / "images")
    bands, service = load_learned(learned.folder), Service()
    sample = next(s for s in dataset.samples if s.id.endswith("test1"))
    path = batches.values_path(batch, "test1", bands.bands)
    answer = RunFolder.create(tmp_path, "answer", learned.config)
    service.predict(
        {
            "runs": [str(learned.folder)],
            "options": {"backend": ENGINE},
            "image": str(path),
            "folder": str(answer.folder),
            "id": "test1",
        }
    )
    reader = SampleReader(dataset, SIZE, bands=bands)
    expected = Predictor(learned.model_path, 1)(reader.read(sample)[0][None])[0]
    got = answer.read_probabilities("images", "test1")[0]
    np.testing.assert_allclose(got, expected, atol=2e-3)


def test_images_of_other_bands_are_refused_everywhere(workspace, dataset, learned, tmp_path):
    bands = load_learned(learned.folder)
    with pytest.raises(SegcoreError, match=r"Expected images of 6 channels.*received 3 of uint8"):
        Predictor(learned.model_path, 1)(np.zeros((1, *SIZE, 3), np.uint8))
    with pytest.raises(SegcoreError, match="Expected pictures of red, green and blue"):
        SampleReader(dataset, SIZE)
    other = make_dataset(tmp_path, SIZE)
    with pytest.raises(SegcoreError, match=r"Expected images of 6 channels.*with 5 channels"):
        SampleReader(other, SIZE, bands=bands)
    with pytest.raises(SegcoreError, match="evens the lightness of pictures"):
        SampleReader(dataset, SIZE, preprocessing="clahe", bands=bands)
    batches = Batches(tmp_path / "predictions")
    write_bands(tmp_path / "own" / "few.tif", planted(0, SIZE)[0][:3])
    batch = batches.accept_folder(tmp_path / "own")
    with pytest.raises(SegcoreError, match=r"Expected 5 bands of uint16.*few.tif with 3 bands"):
        batches.values_path(batch, "few", bands.bands)


@pytest.mark.slow
def test_an_export_takes_the_rasters_own_units(learned, tmp_path):
    exported = export(learned.model_path, "keras", tmp_path / "out")
    assert exported.difference <= 1e-5
    assert normalising_of(load_network(exported.path)) is not None


@pytest.mark.slow
def test_a_robustness_test_takes_all_bands(workspace, dataset, learned):
    config = RobustnessConfig("fields", learned.id, "test", ("noise",), images=1, device="cpu")
    run = RunFolder.create(workspace / "runs", f"{learned.id}--test-robustness", config)
    measure_robustness(run, [learned], dataset)
    counts = [run.read_counts("test", stage)[1] for stage in run.stages("test")]
    assert len(counts) == 6 and {int(c.total.sum()) for c in counts} == {SIZE[0] * SIZE[1]}


def test_an_average_has_one_normalisation(learned):
    network = load_network(learned.model_path)
    bands = load_learned(learned.folder)
    other = dataclasses.replace(bands, mean=tuple(v + 1 for v in bands.mean))
    config = ModelConfig("unet", "tiny", "none")
    networks = [build_model(config, 3, SIZE, one) for one in (other, None)]
    averaging = SimpleNamespace(learner=SimpleNamespace(model=network))
    Averaging._check_bands(averaging, "itself", network)
    for one in networks:
        with pytest.raises(SegcoreError, match="normalise the same bands alike, received 'b'"):
            Averaging._check_bands(averaging, "b", one)


@pytest.mark.slow
def test_a_run_keeps_what_it_learned_when_it_is_resumed(workspace, dataset):
    run = new_run(workspace, "resumed", epochs=1, augmentation="none")
    bands = load_learned(workspace / "runs" / "learned")
    other = dataclasses.replace(bands, mean=tuple(v + 1 for v in bands.mean))
    run.write_json(NAME, other.to_json())
    train(run, dataset)
    assert load_learned(run.folder) == other
    assert normalising_of(load_network(run.model_path)).mean == other.mean


@pytest.mark.slow
def test_without_that_band_it_cannot_be_learned(workspace, tmp_path):
    """The twin of the test above that takes longer: the signal is in the fourth band alone."""
    dataset = make_dataset(tmp_path, SIZE, bands="1,2,3,5")
    run = new_run(tmp_path, "blind")
    train(run, dataset)
    blind = prediction(tmp_path, run)
    predict(blind, run, dataset)
    counts = blind.read_counts("test", "prediction")[1]
    assert float(scores.iou(counts.total)[1]) < 0.5
