"""Features of whole images: the encoder's deepest maps, averaged; computed once, for what is new."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from segcore.config import ModelConfig, PredictConfig
from segcore.data.dataset.dataset import POOL, Dataset
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.data.formats.pool import add_to_pool
from segcore.labels import LabelClass, LabelSet
from segcore.models.build import build_model
from segcore.models.split import pooled_encoder, split_network
from segcore.runs.folder.run_folder import FEATURES, RunFolder
from segcore.training.inference.pool_features import write_features
from segcore.training.input.reader import SampleReader

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def network(tmp_path):
    model = build_model(ModelConfig("unet", "tiny", "none"), 4, (32, 64))
    model.save(tmp_path / "model.keras")
    return model, tmp_path / "model.keras"


def test_features_are_the_means_of_the_deepest_maps_and_known_ones_stay(network, tmp_path):
    model, file = network
    rng = np.random.default_rng(0)
    pixels, other = rng.integers(0, 255, (2, 32, 64, 3), np.uint8)
    classes = LabelSet(tuple(LabelClass(n, f"class {n}", (n, 0, 0)) for n in range(4)))
    labelled = [ArraySample("known", other, np.zeros((32, 64), np.uint8), "train")]
    folder = tmp_path / "datasets" / "tiny"
    write_dataset(folder, "tiny", classes, labelled)
    (tmp_path / "photos").mkdir()
    Image.fromarray(pixels).save(tmp_path / "photos" / "new.png")
    add_to_pool(folder, tmp_path / "photos")
    dataset = Dataset.open(folder)
    run = RunFolder.create(tmp_path / "runs", "m1--unlabelled", PredictConfig("tiny", "m1", POOL))
    said = SimpleNamespace(stop_asked=False, say=lambda text: None, log=lambda text: None)
    reader = SampleReader(dataset, (1, 1))
    known = dataset.samples[0]
    write_features(run, file, reader, [known], said)
    first = run.read_arrays(POOL, FEATURES)
    run.write_arrays(POOL, FEATURES, {"ids": first["ids"], "rows": first["rows"] + 1})
    write_features(run, file, reader, [*dataset.pool, known], said)
    kept = run.read_arrays(POOL, FEATURES)
    assert kept["ids"].tolist() == [known.id, "new"]
    assert np.array_equal(kept["rows"][0], first["rows"][0] + 1)  # was not computed again
    maps = split_network(model).encoder.predict_on_batch(pixels[None].astype(np.float32))
    deepest = min(maps, key=lambda one: one.shape[1] * one.shape[2])
    assert np.allclose(kept["rows"][1], np.asarray(deepest)[0].mean((0, 1)), atol=1e-4)
    assert pooled_encoder(model).output_shape == (None, deepest.shape[-1])
