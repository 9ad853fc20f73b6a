"""Pretrained kernels of three channels widened to N: equal channels give what they gave."""

import keras
import numpy as np
import pytest

from segcore.catalog import ENCODERS
from segcore.config import ModelConfig
from segcore.data.bands.band_set import BandSet
from segcore.data.bands.learned import LearnedBands
from segcore.models.build import build_and_report, build_model
from segcore.models.encoders.encoders import recipe_of
from segcore.models.encoders.stem import inflate, stem_sentence, transfer, widen
from segcore.models.weights.weights import variables_of

pytestmark = pytest.mark.tensorflow

SIZE = (64, 64)
NAMED = BandSet((1, 2, 3, 4, 5), ("nir", "red", "green", "blue", "height"), 5, "uint16")
PLAIN = BandSet((1, 2, 3, 4, 5), ("a", "b", "c", "d", "e"), 5, "uint16")
AS_PIXELS = ((114.5,) * 5, (57.4,) * 5)
"""Means and deviations with which a network over bands normalises nothing."""

QUICK = ("tiny", "squeezenet", "mobilenet_025", "mobilenet_v3_small")
FAMILIES = (
    "plain_mini", "resnet18", "efficientnet_lite0", "mit_b0", "dinov2_small", "vgg16", "resnet50",
    "resnet50_v2", "mobilenet_v2", "efficientnet_b0", "efficientnet_v2_b0", "efficientnet_v2_s",
    "densenet121", "xception", "inception_v3", "inception_resnet_v2", "convnext_tiny",
)  # fmt: skip


def test_inflation_by_hand():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 4)).astype(np.float32)
    for rgb, bgr in ((None, False), ((1, 2, 3), False), ((1, 2, 3), True)):
        wide = inflate(kernel, 5, rgb, bgr)
        assert wide.shape == (3, 3, 5, 4) and wide.dtype == np.float32
        np.testing.assert_allclose(wide.sum(2), kernel.sum(2), atol=1e-5)
    np.testing.assert_allclose(wide[:, :, 1], 0.6 * kernel[:, :, 2], atol=1e-6)  # red is the last
    np.testing.assert_allclose(wide[:, :, 0], 0.6 * kernel.mean(2), atol=1e-6)
    np.testing.assert_allclose(inflate(kernel, 3, (0, 1, 2), False), kernel, atol=1e-6)
    np.testing.assert_allclose(inflate(kernel, 1, None, False)[:, :, 0], kernel.sum(2), atol=1e-5)


def test_a_scaling_of_three_becomes_one_of_all():
    assert widen(((1, 2, 3), (2, 4, 6), True), 4) == ((2.0,) * 4, (4.0,) * 4, False)


def pair_of(encoder, bands):
    """The network over three channels and the one over five that has its weights."""
    config = ModelConfig("lraspp", encoder, "none")
    source, report = build_and_report(config, 2, SIZE)
    target = build_model(config, 2, SIZE, LearnedBands(bands, *AS_PIXELS))
    rng = np.random.default_rng(1)
    for name, variable in variables_of(source).items():
        if "kernel" in name:
            variable.assign(rng.normal(0, 0.05, variable.shape))
    bgr = recipe_of(encoder).scaling[2]
    names = [*report.filled, *report.unfilled]
    return source, target, *transfer(source, target, names, bands.rgb, bgr)


def check(encoder):
    for bands in (PLAIN, NAMED):
        keras.backend.clear_session()
        source, target, done, inflated = pair_of(encoder, bands)
        stems = [name for name in inflated if not name.startswith(("decoder", "logits"))]
        assert len(stems) == 1, stems
        place = list(variables_of(target)).index(stems[0])
        narrow = np.asarray(list(variables_of(source).values())[place])
        wide = np.asarray(list(variables_of(target).values())[place])
        assert wide.shape[2] == 5
        np.testing.assert_allclose(wide.sum(2), narrow.sum(2), atol=1e-4)
        if bands.rgb is not None:
            order = [2, 1, 0] if recipe_of(encoder).scaling[2] else [0, 1, 2]
            np.testing.assert_allclose(wide[:, :, 1:4], 0.6 * narrow[:, :, order], atol=1e-5)
        lacking = [n for n in variables_of(target) if n not in set(done)]
        assert all(name.startswith(("decoder", "logits")) for name in lacking), lacking


@pytest.mark.parametrize("encoder", QUICK)
def test_every_variable_of_an_encoder_has_its_place(encoder):
    check(encoder)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", FAMILIES)
def test_every_variable_of_every_family_has_its_place(encoder):
    check(encoder)


def test_every_family_is_looked_at():
    looked = {ENCODERS[name].recipe for name in (*QUICK, *FAMILIES)}
    assert looked == {choice.recipe for choice in ENCODERS.values()}


def test_equal_channels_give_the_answer_of_a_grey_picture():
    source, target, _, _ = pair_of("tiny", PLAIN)
    grey = np.random.default_rng(2).uniform(0, 255, (1, *SIZE, 1)).astype(np.float32)
    one = np.asarray(source(np.repeat(grey, 3, axis=3), training=False))
    other = np.asarray(target(np.repeat(grey, 5, axis=3), training=False))
    np.testing.assert_allclose(other, one, atol=1e-3 * np.abs(one).max())


def test_a_file_of_three_channels_is_inflated_and_one_of_five_is_taken_as_it_is(tmp_path):
    bands = LearnedBands(NAMED, *AS_PIXELS)
    config = ModelConfig("lraspp", "tiny", "none")
    build_model(config, 2, SIZE).save(tmp_path / "three.keras")
    wide = build_model(config, 2, SIZE, bands)
    wide.save(tmp_path / "five.keras")
    three = ModelConfig("lraspp", "tiny", str(tmp_path / "three.keras"))
    model, report = build_and_report(three, 2, SIZE, bands)
    assert "tiny_1b_conv/kernel" in report.inflated and not model.input_shape[-1] - 5
    assert "inflated from three channels to 5" in stem_sentence(report, bands)
    assert "red, green and blue stay" in stem_sentence(report, bands)
    five = ModelConfig("lraspp", "tiny", str(tmp_path / "five.keras"))
    again, report = build_and_report(five, 2, SIZE, bands)
    assert not report.inflated and "of 5 channels" in stem_sentence(report, bands)
    for one, other in zip(wide.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
