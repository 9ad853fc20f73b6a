"""Training on cached features: the same network as a frozen encoder gives, computed once."""

import keras
import numpy as np
import pytest

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.models.build import build_model
from segcore.models.split import split_network
from segcore.models.weights.weights import variables_of
from segcore.training.input import features
from segcore.training.loop.train import train

pytestmark = pytest.mark.tensorflow

SIZE = (32, 64)


def test_a_network_that_goes_back_and_forth_is_refused():
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(2, 1, name="decoder_first")(image)
    x = keras.layers.Conv2D(2, 1, name="encoder_late")(x)
    model = keras.Model(image, keras.layers.Conv2D(2, 1, name="logits")(x))
    with pytest.raises(SegcoreError, match="back and forth"):
        split_network(model)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The weights of some tiny encoder, as a file that stands for a pretrained one."""
    keras.utils.set_random_seed(9)
    model = build_model(ModelConfig("lraspp", "tiny", "none"), 3, SIZE)
    path = tmp_path_factory.mktemp("weights") / "tiny.npz"
    arrays = {n: np.asarray(v) for n, v in variables_of(model).items() if n.startswith("tiny")}
    np.savez(path, **arrays)
    return str(path)


def make(new_run, name, weights, **recipe):
    usual = {"augmentation": "none", "epochs": 2, "learning_rate": 0.003, "batch_size": 4}
    words = {"loss": "dice_focal"} | usual | recipe
    config = {"model": ModelConfig("lraspp", "tiny", weights), "recipe": RecipeConfig(**words)}
    return new_run(name, config)


@pytest.fixture(scope="module")
def cached(new_run, dataset, weights):
    """A run on cached features."""
    run = make(new_run, "cached", weights, cache_features=True)
    train(run, dataset)
    return run


def test_it_learns_what_a_frozen_encoder_lets_it_learn(cached, new_run, dataset, weights):
    frozen = make(new_run, "frozen", weights, freeze_epochs=2)
    train(frozen, dataset)
    for one, other in zip(cached.metrics(), frozen.metrics(), strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=0.02)
        assert one["val_mean_iou"] == pytest.approx(other["val_mean_iou"], abs=0.03)
    first, second = (keras.models.load_model(run.model_path) for run in (cached, frozen))
    given = np.load(weights)
    ours, theirs = (
        {name: np.asarray(v).ravel() for name, v in variables_of(model).items()}
        for model in (first, second)
    )
    for name in given:
        np.testing.assert_array_equal(ours[name], given[name].ravel())
    decoder = [name for name in ours if name not in given]
    one, other = (np.concatenate([values[n] for n in decoder]) for values in (ours, theirs))
    assert np.linalg.norm(one - other) < 0.03 * np.linalg.norm(other), "half precision, no more"
    image = np.random.default_rng(0).uniform(0, 255, (1, *SIZE, 3)).astype(np.float32)
    assert first(image).shape == (1, *SIZE, 3), "what is kept is the whole network"


def test_members_and_rows_read_the_same_files(cached, new_run, dataset, weights, workspace):
    folders = list((workspace / "features").iterdir())
    assert len(folders) == 1
    files = {p: p.stat().st_mtime_ns for p in folders[0].glob("*.npy")}
    assert len(files) == 11 + 5
    member = make(new_run, "member", weights, cache_features=True, loss="cross_entropy", epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "_rows", lambda *a: pytest.fail("computed again"))
        train(member, dataset)
    assert {p: p.stat().st_mtime_ns for p in folders[0].glob("*.npy")} == files


def test_other_weights_or_another_size_have_features_of_their_own(
    cached, new_run, dataset, workspace, tmp_path, weights
):
    arrays = dict(np.load(weights))
    name = next(iter(arrays))
    arrays[name] = arrays[name] + 0.5
    np.savez(tmp_path / "other.npz", **arrays)
    before = set((workspace / "features").iterdir())
    other = make(new_run, "other", str(tmp_path / "other.npz"), cache_features=True, epochs=1)
    train(other, dataset)
    assert len(set((workspace / "features").iterdir()) - before) == 1


def test_a_damaged_file_and_a_full_disk_end_in_a_sentence(
    cached, new_run, dataset, weights, workspace, monkeypatch
):
    file = next((workspace / "features").glob("*/*.npy"))
    content = file.read_bytes()
    file.write_bytes(content[:50])
    try:
        with pytest.raises(SegcoreError, match="delete that folder and resume the run"):
            train(make(new_run, "damaged", weights, cache_features=True), dataset)
    finally:
        file.write_bytes(content)
    monkeypatch.setattr(features, "SHARE", 0.0)
    file.unlink()
    try:
        with pytest.raises(SegcoreError, match="at most half of the free disk"):
            train(make(new_run, "full", weights, cache_features=True), dataset)
    finally:
        file.write_bytes(content)


def test_features_too_large_for_half_precision_are_refused(monkeypatch):
    class Large:
        def predict_on_batch(self, images):
            return [np.full((len(images), 2), 1e5, np.float32)]

    with pytest.raises(SegcoreError, match="largest number of half precision"):
        features._rows(type("S", (), {"encoder": Large()}), np.zeros((1, 4, 4, 3), np.uint8), 2)


@pytest.mark.parametrize(
    ("words", "recipe", "config"),
    [
        ("no augmentation and no CutMix", {"augmentation": "light"}, {}),
        ("no augmentation and no CutMix", {"cut_mix": 0.5}, {}),
        ("stays fixed in all epochs", {"freeze_epochs": 1}, {}),
        ("one device with cached features", {}, {"device": "gpu:0,gpu:1"}),
        ("pretrained weights", {}, {"model": ModelConfig("lraspp", "tiny", "none")}),
    ],
)
def test_what_does_not_go_together_is_refused(words, recipe, config):
    usual = {"augmentation": "none", "cache_features": True, "epochs": 3}
    with pytest.raises(SegcoreError, match=words):
        TrainConfig("a", **{"recipe": RecipeConfig(**(usual | recipe)), **config})
