"""Weights files that lie or are damaged end in a sentence and take little memory."""

import json
import resource
import shutil
import zipfile
from contextlib import contextmanager

import h5py
import keras
import numpy as np
import psutil
import pytest

from segcore.config import ModelConfig
from segcore.errors import SegcoreError
from segcore.models.build import build_model, load_network
from segcore.models.encoders.encoders import build_encoder
from segcore.models.weights.torch_pickle import read_state_dict
from segcore.models.weights.weights import load_weights, variables_of
from segcore.training.loop.checkpoint import TrainState, load_checkpoint, save_checkpoint
from tests.models.weights.torch_writer import (
    Tensor,
    dump,
    torch_modules,
    write_pth,
    write_safetensors,
)

__all__ = ["torch_modules"]

pytestmark = pytest.mark.tensorflow

ROOM = 768 << 20
"""Bytes beyond what is in use that reading a small file may take: all lies below are larger."""

ENDINGS = [".npz", ".h5", ".weights.h5", ".keras", ".safetensors", ".pth"]


@contextmanager
def little_memory():
    """Limit the address space of this process to a little more than it uses."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def refuses(message, read):
    """The file is refused for what it says, not because memory ran out."""
    with little_memory(), pytest.raises(SegcoreError, match=message) as caught:
        read()
    assert str(caught.value).startswith("Expected ") and str(caught.value).endswith(".")
    assert "alloc" not in str(caught.value).lower() and "Memory" not in str(caught.value)


@pytest.fixture(scope="module")
def network():
    """A small network with its encoder, which files are read into."""
    model = build_model(ModelConfig("fcn_8s", "tiny", "none"), 3, (32, 32))
    names = {layer.name for layer in model.layers}
    encoder, _ = build_encoder("tiny", keras.Input((32, 32, 3)))
    inside = keras.Model(
        model.input, [model.get_layer(n.name).output for n in encoder.layers if n.name in names][-1]
    )
    return model, keras.Model(inside.input, inside.output, name="resnet18")


@pytest.fixture(scope="module")
def sound(network, tmp_path_factory):
    """The folder of one sound file of each kind, all of the same network."""
    folder = tmp_path_factory.mktemp("sound")
    model, _ = network
    arrays = {name: np.asarray(v) for name, v in variables_of(model).items()}
    np.savez(folder / "w.npz", **arrays)
    model.save(folder / "w.h5")
    model.save(folder / "w.keras")
    model.save_weights(folder / "w.weights.h5")
    write_safetensors(folder / "w.safetensors", arrays)
    with pytest.MonkeyPatch.context() as patch:
        torch_modules.__wrapped__(patch)
        write_pth(folder / "w.pth", arrays)
        write_pth(folder / "old.pth", arrays, legacy=True)
    return folder


def load(network, path):
    return load_weights(*network, path)


@pytest.mark.parametrize("name", [*(f"w{ending}" for ending in ENDINGS), "old.pth"])
def test_the_sound_files_are_read(name, network, sound):
    assert len(load(network, sound / name).filled) == len(network[0].weights)


def test_a_torch_tensor_cannot_repeat_its_data(network, torch_modules, tmp_path):
    """Strides of 0 make one stored value a tensor of any size: 8 GB from under a kilobyte."""

    class Repeated(Tensor):
        def __reduce__(self):
            rebuild, (storage, *_) = super().__reduce__()
            return rebuild, (storage, 0, (1 << 31,), (0,))

    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("a/data.pkl", dump({"x": Repeated(np.zeros(1, "f4"), 0)}))
        archive.writestr("a/data/0", bytes(4))
    refuses("more values than are stored", lambda: load(network, tmp_path / "w.pth"))


def test_tensors_of_one_storage_take_no_memory_of_their_own(torch_modules, tmp_path):
    data = np.arange(1 << 20, dtype="f4")
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("a/data.pkl", dump({f"x{i}": Tensor(data, 0) for i in range(2000)}))
        archive.writestr("a/data/0", data.tobytes())
    with little_memory():
        arrays = read_state_dict(tmp_path / "w.pth")
    assert len(arrays) == 2000 and all(np.shares_memory(a, arrays["x0"]) for a in arrays.values())


def test_a_pickle_cannot_ask_for_memo_places(network, tmp_path):
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}r\xff\xff\xff\x7f.")
    refuses("places", lambda: load(network, tmp_path / "w.pth"))
    (tmp_path / "old.pth").write_bytes(b"\x80\x02}r\xff\xff\xff\x7f.")
    refuses("places", lambda: load(network, tmp_path / "old.pth"))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_npz_header_is_compared_with_its_file(method, network, tmp_path):
    header = str({"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)}).encode()
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "w.npz", "w", method) as archive:
        archive.writestr("logits/bias.npy", content)
    refuses("declares 4398046511104 bytes", lambda: load(network, tmp_path / "w.npz"))


def test_a_compressed_npz_of_zeros_is_refused_by_its_shape_alone(network, tmp_path):
    """One gigabyte of zeros in a megabyte is a sound file, but no array that the network needs."""
    with zipfile.ZipFile(tmp_path / "w.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        header = str({"descr": "<f4", "fortran_order": False, "shape": (1 << 28,)}).encode()
        with archive.open("tiny_1a_conv/kernel.npy", "w", force_zip64=True) as file:
            file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
            for _ in range(1 << 10):
                file.write(bytes(1 << 20))
    refuses(
        "no place in it|lacks variables|another shape", lambda: load(network, tmp_path / "w.npz")
    )


@pytest.mark.parametrize("ending", [".h5", ".weights.h5"])
def test_hdf5_values_that_were_never_written_are_refused(ending, network, sound, tmp_path):
    path = tmp_path / f"w{ending}"
    shutil.copy(sound / f"w{ending}", path)
    with h5py.File(path, "a") as file:
        names = []
        file.visititems(lambda n, v: names.append(n) if isinstance(v, h5py.Dataset) else None)
        name = next(n for n in names if "optimizer" not in n)
        del file[name]
        file.create_dataset(name, (1 << 40,), "f4")
    refuses("declares 4398046511104 bytes and holds 0", lambda: load(network, path))


def test_hdf5_values_in_another_file_are_refused(network, sound, tmp_path):
    path = tmp_path / "w.h5"
    shutil.copy(sound / "w.h5", path)
    with h5py.File(path, "a") as file:
        names = []
        file.visititems(lambda n, v: names.append(n) if isinstance(v, h5py.Dataset) else None)
        name = next(n for n in names if n.startswith("model_weights/"))
        del file[name]
        file[name] = h5py.ExternalLink(sound / "w.h5", name)
    refuses("another file", lambda: load(network, path))


def rewrite_config(source, path, change):
    """Copy a .keras file with a changed config."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            new.writestr(name, content)


@pytest.mark.parametrize("read", ["weights", "network"])
def test_a_keras_config_cannot_ask_for_more_than_its_weights(read, network, sound, tmp_path):
    """A convolution of 200 million filters: 4 GB for a file of a few kilobytes."""
    path = tmp_path / "w.keras"

    def enlarge(config):
        layers = config["config"]["layers"]
        next(x for x in layers if x["class_name"] == "Conv2D")["config"]["filters"] = 200_000_000

    rewrite_config(sound / "w.keras", path, enlarge)
    refuses(
        "layers need|cannot be read",
        lambda: load(network, path) if read == "weights" else load_network(path),
    )
    assert keras.config.dtype_policy().name == "float32"
    load_network(sound / "w.keras")  # what was refused waits for no memory later


def test_a_dense_layer_of_200_million_units_is_refused(sound, tmp_path):
    image = keras.Input((8,))
    keras.Model(image, keras.layers.Dense(2)(image)).save(tmp_path / "small.keras")

    def enlarge(config):
        config["config"]["layers"][1]["config"]["units"] = 200_000_000

    rewrite_config(tmp_path / "small.keras", tmp_path / "w.keras", enlarge)
    refuses(
        "layers need 1800000000 values and it holds 18", lambda: load_network(tmp_path / "w.keras")
    )


def test_a_checkpoint_of_other_shapes_or_damaged_is_refused(network, tmp_path):
    variables = network[0].variables
    save_checkpoint(tmp_path, TrainState(3, "f"), variables)
    assert load_checkpoint(tmp_path, variables).num_classes == 3
    with pytest.raises(SegcoreError, match="another way"):
        load_checkpoint(tmp_path, list(reversed(variables)))
    content = bytearray((tmp_path / "last.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "last.npz").write_bytes(content)
    with pytest.raises(SegcoreError, match="start a new run"):
        load_checkpoint(tmp_path, variables)


def damage(content, rng):
    """Flip bits, cut, drop, repeat or overwrite a stretch, mostly near the ends (headers)."""
    content = bytearray(content)
    at = int(rng.integers(len(content)))
    if rng.random() < 0.6:
        at = int(rng.integers(min(2000, len(content)))) * (1 if rng.random() < 0.5 else -1)
    length = int(rng.integers(1, 64))
    kind = rng.integers(5)
    if kind == 0:
        content[at] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del content[at:]
    elif kind == 2:
        del content[at : at + length]
    elif kind == 3:
        content[at:at] = content[at : at + length]
    else:
        content[at : at + length] = rng.bytes(length)
    return bytes(content)


def fuzz(network, sound, name, tmp_path, count, seed):
    """Read damaged copies; return how many were refused. Anything but a sentence fails."""
    content, rng = (sound / name).read_bytes(), np.random.default_rng(seed)
    path = tmp_path / name
    refused = 0
    for number in range(count):
        path.write_bytes(damage(content, rng))
        try:
            with little_memory():
                load(network, path)
        except SegcoreError as error:
            refused += 1
            assert str(error).startswith("Expected "), (number, error)
    return refused


@pytest.mark.parametrize("name", [*(f"w{ending}" for ending in ENDINGS), "old.pth"])
def test_damaged_files_end_in_a_sentence(name, network, sound, tmp_path):
    assert fuzz(network, sound, name, tmp_path, 4 if name == "w.keras" else 12, 0) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", [*(f"w{ending}" for ending in ENDINGS), "old.pth"])
def test_many_damaged_files_end_in_a_sentence(name, network, sound, tmp_path):
    assert fuzz(network, sound, name, tmp_path, 60 if name == "w.keras" else 500, 1) > 0


def test_no_first_weights_are_drawn_for_a_network_that_is_read(sound, monkeypatch):
    """JAX compiles a draw for every shape, which took tens of seconds."""

    def drawn(*args, **kwargs):
        raise AssertionError("weights were drawn")

    monkeypatch.setattr(keras.initializers.VarianceScaling, "__call__", drawn)
    read = variables_of(load_network(sound / "w.keras"))
    with np.load(sound / "w.npz") as stored:
        assert {*stored} == {*read}
        for name in stored:
            np.testing.assert_array_equal(np.asarray(read[name]), stored[name])


def test_a_network_in_a_packed_zip_is_read(sound, tmp_path):
    """Whoever packs a ``.keras`` again deflates it, as the demo's members are."""
    packed = tmp_path / "w.keras"
    with (
        zipfile.ZipFile(sound / "w.keras") as plain,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in plain.namelist():
            archive.writestr(name, plain.read(name))
    assert packed.stat().st_size < (sound / "w.keras").stat().st_size
    before, after = load_network(sound / "w.keras"), load_network(packed)
    for one, other in zip(before.get_weights(), after.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
