"""PyTorch's files: read without PyTorch, never run, mapped by name."""

import os
import pickle
import zipfile

import keras
import numpy as np
import pytest

from segcore.config import ModelConfig
from segcore.errors import SegcoreError
from segcore.models.build import build_and_report
from segcore.models.encoders.encoders import build_encoder
from segcore.models.encoders.recipe import CAFFE, TORCH
from segcore.models.weights.torch_names import from_state_dict
from segcore.models.weights.torch_pickle import read_state_dict
from segcore.models.weights.weight_files import read_arrays
from segcore.models.weights.weights import variables_of
from tests.models.weights.torch_writer import (
    Tensor,
    dump,
    torch_modules,
    write_pth,
    write_safetensors,
)

__all__ = ["torch_modules"]

pytestmark = pytest.mark.tensorflow


def resnet18_state(seed=0):
    """A state dict with the names and shapes of torchvision's resnet18, random values."""
    rng = np.random.default_rng(seed)
    state = {}

    def convolution(name, out, into, kernel):
        state[f"{name}.weight"] = rng.normal(size=(out, into, kernel, kernel)).astype("f4")

    def norm(name, width):
        for kind in ("weight", "bias", "running_mean", "running_var"):
            state[f"{name}.{kind}"] = rng.uniform(0.5, 1.5, width).astype("f4")
        state[f"{name}.num_batches_tracked"] = np.array(3, "i8")

    convolution("conv1", 64, 3, 7)
    norm("bn1", 64)
    into = 64
    for stage, width in enumerate((64, 128, 256, 512), 1):
        for block in range(2):
            name = f"layer{stage}.{block}"
            convolution(f"{name}.conv1", width, into, 3)
            norm(f"{name}.bn1", width)
            convolution(f"{name}.conv2", width, width, 3)
            norm(f"{name}.bn2", width)
            if into != width:
                convolution(f"{name}.downsample.0", width, into, 1)
                norm(f"{name}.downsample.1", width)
            into = width
    state["fc.weight"] = rng.normal(size=(1000, 512)).astype("f4")
    state["fc.bias"] = np.zeros(1000, "f4")
    return state


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_a_resnet_state_dict_fills_the_encoder(form, torch_modules, tmp_path):
    state = resnet18_state()
    path = tmp_path / ("w.safetensors" if form == "safetensors" else "w.pth")
    if form == "safetensors":
        write_safetensors(path, state)
    else:
        write_pth(path, {f"module.{n}": a for n, a in state.items()}, legacy=form == "legacy")
    model, report = build_and_report(ModelConfig("segformer", "resnet18", str(path)), 3, (32, 32))
    assert set(report.unused) == {"fc/kernel", "fc/bias"}
    assert not [n for n in report.unfilled if not n.startswith(("decoder", "logits"))]
    got = variables_of(model)
    np.testing.assert_array_equal(
        got["layer2_0_conv1/kernel"], state["layer2.0.conv1.weight"].transpose(2, 3, 1, 0)
    )
    np.testing.assert_array_equal(
        got["layer4_0_downsample_1/moving_variance"], state["layer4.0.downsample.1.running_var"]
    )
    np.testing.assert_array_equal(got["bn1/gamma"], state["bn1.weight"])


def test_a_strided_convolution_pads_both_sides_as_pytorch_does():
    """The first convolution at one position by hand: padding 3, stride 2, RGB (x - mean) / std."""
    image = keras.Input((32, 32, 3))
    encoder, _ = build_encoder("resnet18", image)
    pixels = np.random.default_rng(1).uniform(0, 255, (32, 32, 3)).astype("f4")
    got = keras.Model(image, encoder.get_layer("conv1").output)(pixels[None])[0]
    scaled = np.pad((pixels - TORCH[0]) / TORCH[1], ((3, 3), (3, 3), (0, 0)))
    kernel = np.asarray(encoder.get_layer("conv1").kernel)
    for y, x in ((0, 0), (15, 15), (7, 3)):
        expected = np.einsum("hwi,hwio->o", scaled[2 * y : 2 * y + 7, 2 * x : 2 * x + 7], kernel)
        np.testing.assert_allclose(got[y, x], expected, atol=1e-3)


def test_vgg_is_rewritten_for_other_pixels():
    """The first convolution of PyTorch on its own pixels equals the folded one on Keras' pixels."""
    rng = np.random.default_rng(2)
    state = {
        "features.0.weight": rng.normal(size=(4, 3, 3, 3)),
        "features.0.bias": rng.normal(size=4),
    }
    arrays = from_state_dict(state, "vgg16")
    pixels = rng.uniform(0, 255, (3, 3, 3))
    theirs = (
        np.einsum("hwi,oihw->o", (pixels - TORCH[0]) / TORCH[1], state["features.0.weight"])
        + state["features.0.bias"]
    )
    ours = (
        np.einsum("hwi,hwio->o", pixels[..., ::-1] - CAFFE[0], arrays["block1_conv1/kernel"])
        + arrays["block1_conv1/bias"]
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_vgg_layers_count_past_activations_and_pools():
    """In torchvision VGG16 has its last convolution at features.28, VGG19 at features.34."""
    for encoder, last in (
        ("vgg16", ("features.28", "block5_conv3")),
        ("vgg19", ("features.34", "block5_conv4")),
    ):
        assert list(from_state_dict({f"{last[0]}.bias": np.zeros(2)}, encoder)) == [
            f"{last[1]}/bias"
        ]


def test_other_forms_are_refused(torch_modules, tmp_path):
    write_pth(tmp_path / "w.pth", resnet18_state())
    with pytest.raises(SegcoreError, match=r"form .*resnet50_v1_5"):
        read_arrays(tmp_path / "w.pth", "resnet50")
    with pytest.raises(SegcoreError, match=r"lacks variables of it .layer1_2_conv1/kernel"):
        build_and_report(ModelConfig("segformer", "resnet34", str(tmp_path / "w.pth")), 3, (32, 32))


def spacenet4_state():
    """The published names and shapes of the SpaceNet-4 VGG16-UNet, random values."""
    rng = np.random.default_rng(4)
    state = {}

    def convolution(name, out, into, kernel=3):
        state[f"{name}.weight"] = rng.normal(size=(out, into, kernel, kernel)).astype("f4")
        state[f"{name}.bias"] = rng.normal(size=out).astype("f4")

    into, position = 3, 0
    for block, (count, width) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), 1):
        for i in range(count):
            convolution(f"encoder.{position}", width, into)
            for kind in ("weight", "bias"):  # the same module under a second name
                state[f"conv{block}.{2 * i}.{kind}"] = state[f"encoder.{position}.{kind}"]
            into, position = width, position + 2
        position += 1
    blocks = {
        "center": (512, 512, 256),
        "dec5": (768, 512, 256),
        "dec4": (768, 512, 256),
        "dec3": (512, 256, 64),
        "dec2": (192, 128, 32),
    }
    for name, (first, middle, last) in blocks.items():
        convolution(f"{name}.block.1.conv", middle, first)
        convolution(f"{name}.block.2.conv", last, middle)
    convolution("dec1.conv", 32, 96)
    convolution("final", 1, 32, 1)
    return state


@pytest.mark.parametrize("classes", [1, 4])
def test_the_published_spacenet4_unet_fits_whole(classes, tmp_path):
    state = spacenet4_state()
    write_safetensors(tmp_path / "w.safetensors", state)
    model, report = build_and_report(
        ModelConfig("unet_spacenet4", "vgg16", str(tmp_path / "w.safetensors")), classes, (32, 32)
    )
    assert set(report.unfilled) == (set() if classes == 1 else {"logits/kernel", "logits/bias"})
    assert report.unused == ()
    got = variables_of(model)
    np.testing.assert_array_equal(
        got["decoder_dec2_b/kernel"], state["dec2.block.2.conv.weight"].transpose(2, 3, 1, 0)
    )
    np.testing.assert_array_equal(
        got["block5_conv3/kernel"], state["encoder.28.weight"].transpose(2, 3, 1, 0)
    )


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("legacy", [False, True])
def test_code_in_a_pickle_is_never_run(legacy, tmp_path):
    trap = tmp_path / "trap"
    content = pickle.dumps({"state_dict": Evil(trap)}, 2)
    path = tmp_path / "evil.pth"
    if legacy:
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", content)
    with pytest.raises(ValueError, match=r"asks for \w+.mkdir"):
        read_state_dict(path)
    assert not trap.exists()
    with pytest.raises(SegcoreError, match="no use for"):
        build_and_report(ModelConfig("segformer", "resnet18", str(path)), 3, (32, 32))


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((9,), (1,), 0), ((2, 2), (4, 1), 3), ((2,), (-1,), 1), ((4,), (1,), -1)],
)
def test_a_tensor_cannot_reach_outside_its_data(shape, strides, offset, torch_modules, tmp_path):
    class Liar(Tensor):
        def __reduce__(self):
            rebuild, (storage, *_) = super().__reduce__()
            return rebuild, (storage, offset, shape, strides)

    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("a/data.pkl", dump({"x": Liar(np.zeros(5, "f4"), 0)}))
        archive.writestr("a/data/0", np.zeros(5, "f4").tobytes())
    with pytest.raises(ValueError, match="outside its data"):
        read_state_dict(tmp_path / "w.pth")
