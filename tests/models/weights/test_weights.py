"""Weights from files: filled wholly or refused with names."""

import h5py
import keras
import numpy as np
import pytest

from segcore.config import ModelConfig
from segcore.errors import SegcoreError
from segcore.models.build import build_and_report, build_model
from segcore.models.encoders.encoders import build_encoder
from segcore.models.weights.weight_files import read_arrays
from segcore.models.weights.weights import fetch_imagenet, load_weights, variables_of

pytestmark = pytest.mark.tensorflow

SHARED = {
    "squeezenet": "squeezenet1.1_notop.npz",
    "efficientnet_lite0": "efficientnet_lite0_imagenet.npz",
    "mobilenet_v2": "mobilenet_v2_1.0_224_imagenet.npz",
    "mobilenet_025": "mobilenet_v1_0.25_128_imagenet.npz",
}


def _config(weights="none", architecture="segformer", encoder="tiny"):
    return ModelConfig(architecture, encoder, str(weights))


@pytest.fixture(scope="module")
def trained():
    """A network whose variables are all random, so that nothing agrees by chance."""
    model = build_model(_config(), 3, (32, 32))
    rng = np.random.default_rng(0)
    for variable in model.weights:
        variable.assign(rng.uniform(0.1, 1, variable.shape))
    return model


@pytest.fixture(scope="module")
def arrays(trained):
    return {name: np.asarray(v) for name, v in variables_of(trained).items()}


def _is_encoder(name):
    return name.startswith("tiny")


@pytest.mark.parametrize("ending", [".npz", ".keras", ".weights.h5", ".h5"])
def test_a_whole_network_comes_back(trained, arrays, ending, tmp_path):
    path = tmp_path / f"network{ending}"
    if ending == ".npz":
        np.savez(path, **arrays)
    elif ending in (".keras", ".h5"):
        trained.save(path)
    else:
        trained.save_weights(path)
    model, report = build_and_report(_config(path), 3, (32, 32))
    assert all(
        np.array_equal(a, b)
        for a, b in zip(model.get_weights(), trained.get_weights(), strict=True)
    )
    assert set(report.filled) == set(arrays)
    assert report.unfilled == report.unused == ()
    assert f"{len(arrays)} variables filled" in report.summary()


def test_keras_older_names_of_variables_are_understood(tmp_path):
    """Names as in files of keras.applications: "name/name/kernel:0", "depthwise_kernel"."""
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = [b"plain", b"deep", b"separable", b"relu"]
        for layer, variables in {
            "plain": ["kernel", "bias"],
            "deep": ["depthwise_kernel"],
            "relu": [],
        }.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{v}:0".encode() for v in variables]
            for v in variables:
                group[f"{layer}/{v}:0"] = np.ones(2)
        group = file.create_group("separable")
        group.attrs["weight_names"] = [
            b"separable/depthwise_kernel:0",
            b"separable/pointwise_kernel:0",
        ]
        group["separable/depthwise_kernel:0"] = group["separable/pointwise_kernel:0"] = np.ones(2)
    assert set(read_arrays(tmp_path / "w.h5", "any")) == {
        "plain/kernel",
        "plain/bias",
        "deep/kernel",
        "separable/depthwise_kernel",
        "separable/pointwise_kernel",
    }


@pytest.mark.parametrize("ending", [".npz", ".weights.h5"])
def test_an_encoder_alone_is_enough(trained, arrays, ending, tmp_path):
    path = tmp_path / f"encoder{ending}"
    if ending == ".npz":
        np.savez(
            path,
            **{n: a for n, a in arrays.items() if _is_encoder(n)},
            **{"predictions/bias": np.zeros(1000)},
        )
    else:
        encoder, _ = build_encoder("tiny", keras.Input((32, 32, 3)))
        for name, variable in variables_of(encoder).items():
            variable.assign(arrays[name])
        encoder.save_weights(path)
    model, report = build_and_report(_config(path, "unet"), 5, (32, 32))
    got = variables_of(model)
    assert set(report.filled) == {n for n in arrays if _is_encoder(n)}
    assert all(np.array_equal(got[n], arrays[n]) for n in report.filled)
    assert not any(_is_encoder(n) for n in report.unfilled)
    assert report.unused == (("predictions/bias",) if ending == ".npz" else ())


def test_a_decoder_that_looks_less_deep_leaves_the_rest_over(arrays, tmp_path):
    """Lite R-ASPP reads strides 8 and 16 only: the network has no layers of stride 32."""
    np.savez(tmp_path / "w.npz", **{n: a for n, a in arrays.items() if _is_encoder(n)})
    _, report = build_and_report(_config(tmp_path / "w.npz", "lraspp"), 3, (32, 32))
    assert report.unused
    assert all(n.startswith("tiny_32") for n in report.unused)
    assert not any(_is_encoder(n) for n in report.unfilled)


def test_another_number_of_classes_leaves_only_the_scores_random(arrays, tmp_path):
    np.savez(tmp_path / "w.npz", **arrays)
    _, report = build_and_report(_config(tmp_path / "w.npz"), 7, (32, 32))
    assert {n.split("/")[0] for n in report.unfilled} == {"logits"}


def _without(arrays, name):
    return {n: a for n, a in arrays.items() if n != name}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda a: _without(a, "tiny_4b_bn/moving_mean"),
            "lacks variables of it .tiny_4b_bn/moving_mean",
        ),
        (lambda a: _without(a, "decoder_16/kernel"), "lacks variables of it .decoder_16/kernel"),
        (lambda a: a | {"tiny_9b_bn/gamma": np.ones(3)}, "no place in it .tiny_9b_bn/gamma"),
        (
            lambda a: a | {"tiny_4b_bn/gamma": np.ones(3)},
            r"another shape .tiny_4b_bn/gamma is \(3,\), not \(32,\)",
        ),
        (lambda a: {}, "lacks variables of it .tiny_1b_conv/kernel, .* more"),
    ],
)
def test_what_does_not_fit_is_refused_with_names(arrays, change, words, tmp_path):
    np.savez(tmp_path / "w.npz", **change(arrays))
    with pytest.raises(SegcoreError, match=words):
        build_model(_config(tmp_path / "w.npz"), 3, (32, 32))


def test_files_that_cannot_be_read_are_refused(trained, arrays, tmp_path):
    np.savez(tmp_path / "whole.npz", **arrays)
    half = (tmp_path / "whole.npz").read_bytes()[:-500]
    for name, content in (
        ("half.npz", half),
        ("text.npz", b"hello"),
        ("text.keras", b"hello"),
        ("text.weights.h5", b"hello"),
        ("text.h5", b"hello"),
        ("text.pth", b"hello"),
        ("text.safetensors", b"hello, this is not a header"),
        ("text.txt", b"hello"),
        ("empty.npz", b""),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SegcoreError, match=r"Expected .*, received"):
            load_weights(trained, trained, tmp_path / name)
    with pytest.raises(SegcoreError, match="which is no file"):
        load_weights(trained, trained, tmp_path / "absent.npz")


def test_pickled_objects_in_an_npz_are_refused(tmp_path):
    np.savez(tmp_path / "w.npz", **{"tiny_1b_conv/kernel": np.array([{"a": 1}], object)})
    with pytest.raises(SegcoreError, match=r"sound \.npz"):
        build_model(_config(tmp_path / "w.npz"), 3, (32, 32))


def test_weights_of_another_network_in_keras_own_form_are_refused(trained, tmp_path):
    trained.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(SegcoreError, match="saved from another network"):
        build_model(_config(tmp_path / "w.weights.h5", "linknet"), 3, (32, 32))


def test_layers_that_keras_numbers_itself_match_in_any_process(tmp_path):
    """Two EfficientNets in one process have other automatic names; either file fills either."""
    for _ in range(2):
        second = keras.applications.EfficientNetB0(
            weights=None, include_top=False, input_shape=(32, 32, 3)
        )
    arrays = {w.path: np.full(w.shape, i + 1, np.float32) for i, w in enumerate(second.weights)}
    assert any(n.startswith("normalization_") for n in arrays)
    np.savez(tmp_path / "w.npz", **arrays)
    model, report = build_and_report(
        _config(tmp_path / "w.npz", encoder="efficientnet_b0"), 3, (32, 32)
    )
    assert len(report.filled) == len(arrays)
    assert np.all(np.asarray(variables_of(model)["normalization/mean"]) == 1)


def test_a_download_without_a_network_says_what_to_do():
    def build():
        raise Exception(
            "URL fetch failure on https://host/file: None -- [Errno -2] Name or service not known"
        )

    with pytest.raises(
        SegcoreError, match=r"choose random weights \('none'\) or a weights file \(its path\)"
    ):
        fetch_imagenet("resnet50", build)


def test_another_failure_of_a_download_is_not_hidden():
    def build():
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        fetch_imagenet("resnet50", build)


@pytest.mark.shared
@pytest.mark.parametrize("encoder", SHARED)
def test_published_weights_fill_every_variable(encoder, weights_folder):
    path = weights_folder / SHARED[encoder]
    model, report = build_and_report(_config(path, encoder=encoder), 3, (32, 32))
    assert not [n for n in report.unfilled if not n.startswith(("decoder", "logits"))]
    assert {n.split("/")[0] for n in report.unused} <= {"predictions", "conv_preds"}
    variables = variables_of(model)
    with np.load(path) as archive:
        assert all(np.array_equal(variables[n], archive[n]) for n in report.filled)
