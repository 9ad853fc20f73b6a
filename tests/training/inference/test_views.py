"""One network through tiles, views, backends, batch sizes and exports: what must agree agrees."""

import importlib.util

import keras
import numpy as np
import pytest
import tensorflow as tf

from segcore import catalog
from segcore.catalog import EXPORT_FORMATS
from segcore.config import ModelConfig, PredictOptions, TrainConfig
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelMap, LabelSet
from segcore.models.build import half_precision, in_float32, load_network
from segcore.models.layers.blocks import batch_norm, resize_like, transpose_conv
from segcore.models.layers.layers import ImageScaling
from segcore.runs.folder.run_folder import RunFolder
from segcore.training import export
from segcore.training.engines.tensorflow import answers
from segcore.training.inference import backends, memory
from segcore.training.inference.combine import combine_networks
from segcore.training.inference.predictor import Predictor
from segcore.training.inference.service import SPLIT, Service
from segcore.training.inference.views import predict_strips

pytestmark = pytest.mark.tensorflow
SIZE = (32, 64)


def missing(*packages):
    return [p for p in packages if importlib.util.find_spec(p) is None]


@pytest.fixture(scope="module")
def pointwise_path(tmp_path_factory):
    """A network of single pixels, to which no inference view can matter."""
    image = keras.Input((*SIZE, 3))
    hidden = keras.layers.Conv2D(
        4, 1, activation="tanh", bias_initializer=keras.initializers.RandomNormal(seed=1)
    )(image / 255.0)
    model = keras.Model(
        image,
        keras.layers.Conv2D(3, 1, kernel_initializer=keras.initializers.RandomNormal(0, 2, seed=2))(
            hidden
        ),
    )
    path = tmp_path_factory.mktemp("pointwise") / "model.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def pointwise(pointwise_path):
    return Predictor(pointwise_path, 3)


def image_of(*size):
    return np.random.default_rng(sum(size)).integers(0, 256, (*size, 3)).astype(np.uint8)


def ask(predictor, image, **options):
    strips = predict_strips(
        image, predictor.size, predictor.num_classes, PredictOptions(**options), predictor.stream
    )
    return np.concatenate(list(strips))


def plain(predictor, image):
    """The network's own answer to an image of any size: a 1x1 convolution does not mind."""
    logits = image[None] / np.float32(255)
    for layer in predictor.model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            logits = layer.activation(logits @ layer.kernel[0, 0] + layer.bias)
    return tf.nn.softmax(logits)[0].numpy()


@pytest.mark.parametrize("size", [(47, 101), (32, 64), (5, 9), (33, 64)])
def test_in_tiles_a_pointwise_network_says_what_it_says_whole(pointwise, size):
    image = image_of(*size)
    for overlap in (0.0, 0.5):
        np.testing.assert_allclose(
            ask(pointwise, image, tile=True, overlap=overlap), plain(pointwise, image), atol=1e-6
        )


@pytest.mark.parametrize("tta", ["flip", "flips", "turns"])
def test_views_do_not_matter_to_an_equivariant_network(pointwise, tta):
    image = image_of(40, 70)
    np.testing.assert_allclose(
        ask(pointwise, image, tile=True, tta=tta), plain(pointwise, image), atol=1e-6
    )
    whole = image_of(*SIZE)
    np.testing.assert_allclose(ask(pointwise, whole, tta=tta), ask(pointwise, whole), atol=1e-6)


def test_scales_keep_size_and_sum(pointwise):
    for tile, size in ((True, (41, 50)), (False, SIZE)):
        answer = ask(pointwise, image_of(41, 50), tile=tile, tta="scales")
        assert answer.shape == (*size, 3)
        np.testing.assert_allclose(answer.sum(-1), 1, atol=1e-5)


def test_views_do_matter_to_a_network_that_knows_its_left(pointwise):
    """Otherwise the tests above would pass with views that are never looked at."""

    def left_half(images):
        for _ in images:
            answer = np.full((*SIZE, 2), 0.0, np.float32)
            answer[:, :32, 0] = answer[:, 32:, 1] = 1
            yield answer

    (mean,) = predict_strips(image_of(*SIZE), SIZE, 2, PredictOptions(tta="flip"), left_half)
    np.testing.assert_allclose(mean, 0.5)


def test_an_image_that_does_not_fit_into_memory_is_refused(pointwise, monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 10**5})())
    with pytest.raises(SegcoreError, match="fits into memory whole"):
        ask(pointwise, image_of(100, 100), tile=True, tta="flip")


def test_where_memory_does_not_suffice_batches_are_halved(pointwise_path, monkeypatch):
    predictor = Predictor(pointwise_path, 8)
    tried = []
    genuine = Predictor._answer

    def answer(self, images):
        tried.append(self.batch_size)
        if self.batch_size > 2:
            raise tf.errors.ResourceExhaustedError(None, None, "no room")
        return genuine(self, images)

    images = np.stack([image_of(*SIZE)] * 5)
    images[3] //= 2
    monkeypatch.setattr(Predictor, "_answer", answer)
    answers = predictor(images)
    assert tried == [8, 4, 2, 2, 2] and predictor.batch_size == 2
    assert predictor._frozen is None  # the graph is held once, by who answers
    np.testing.assert_allclose(answers, [plain(predictor, i) for i in images], atol=1e-5)
    monkeypatch.setattr(
        Predictor, "_answer", lambda self, images: (_ for _ in ()).throw(MemoryError())
    )
    with pytest.raises(MemoryError):
        predictor(images)


def test_activations_are_counted_while_they_live():
    """10 x 10 maps of 4 bytes: input 3, a 8, b 8, c = a + b 8 channels: at most a + b + c."""
    image = keras.Input((10, 10, 3))
    a = keras.layers.Conv2D(8, 1)(image)
    b = keras.layers.Conv2D(8, 1)(a)
    model = keras.Model(image, keras.layers.Conv2D(1, 1)(keras.layers.Add()([a, b])))
    assert memory.peak_activations(model) == 400 * (8 + 8 + 8)
    assert 1 <= memory.find_batch_size(model) <= memory.MOST["cpu"]


def test_a_backend_that_disagrees_is_not_taken(pointwise, monkeypatch):
    images = np.stack([image_of(*SIZE)] * 3)
    frozen = answers.freeze(pointwise.model, 3)
    if missing("openvino"):
        assert backends.choose(frozen, "auto", images, 3).name == "tensorflow"
        with pytest.raises(SegcoreError, match=r"pip install .*\[fast\]"):
            backends.choose(frozen, "openvino", images, 3)
        pytest.skip("OPENVINO NOT TESTED: it is not installed (the extra fast)")
    expected = answers.plain(frozen)(images)
    np.testing.assert_allclose(
        answers.openvino_answer(frozen, "float32")(images), expected, atol=1e-5
    )
    asked = backends.choose(frozen, "openvino", images, 3)
    assert asked.name == "openvino" and asked.agreement >= backends.AGREEMENT
    assert np.mean(asked.answer(images).argmax(-1) == expected.argmax(-1)) == asked.agreement
    monkeypatch.setattr(answers, "has_bfloat16", lambda: True)
    monkeypatch.setattr(
        answers, "openvino_answer", lambda frozen, precision: lambda images: expected
    )
    taken = backends.choose(frozen, "auto", images, 3)
    assert (taken.name, taken.precision, taken.agreement) == ("openvino", "bfloat16", 1.0)
    wrong = expected.copy()
    wrong[0, :2] = np.roll(wrong[0, :2], 1, -1)  # another class, in under two percent of the pixels
    monkeypatch.setattr(answers, "openvino_answer", lambda frozen, precision: lambda images: wrong)
    refused = backends.choose(frozen, "auto", images, 3)
    assert refused.name == "tensorflow" and "TensorFlow's class" in refused.note
    monkeypatch.setattr(answers, "has_bfloat16", lambda: False)
    assert backends.choose(frozen, "auto", images, 3).name == "tensorflow"
    assert backends.choose(frozen, "tensorflow", images, 3).agreement is None
    with pytest.raises(SegcoreError, match="did you mean 'openvino'"):
        backends.choose(frozen, "openvin", images, 3)


def test_the_forms_are_the_catalogues():
    assert list(export.FORMS) == list(EXPORT_FORMATS)
    assert set(catalog.BACKENDS) == {"openvino", *catalog.ENGINES}


@pytest.fixture(scope="module")
def network_path(tmp_path_factory):
    """A few layers that converters stumble over: strides, batch norm, resizing, our own layer."""
    image = keras.Input((*SIZE, 3), name="image")
    x = ImageScaling((127.5,) * 3, (127.5,) * 3)(image)
    x = batch_norm(keras.layers.Conv2D(4, 3, strides=2, padding="same")(x), "norm")
    x = transpose_conv(keras.layers.MaxPooling2D(2)(keras.layers.ReLU()(x)), 4, "up")
    path = tmp_path_factory.mktemp("network") / "model.keras"
    keras.Model(image, keras.layers.Conv2D(3, 1)(resize_like(x, image, "resize"))).save(path)
    return path


NEEDS = {"onnx": ("tf2onnx", "onnx", "onnxruntime"), "openvino": ("openvino",)}


@pytest.mark.parametrize("form", EXPORT_FORMATS)
def test_a_network_is_written_and_read_back(network_path, tmp_path, form):
    absent = missing(*NEEDS.get(form, ()))
    if absent:
        with pytest.raises(SegcoreError, match="pip install"):
            export.export(network_path, form, tmp_path / "out")
        assert not list(tmp_path.iterdir())
        pytest.skip(f"FORM NOT TESTED: {form} needs {', '.join(absent)} (the extra export)")
    report = export.export(network_path, form, tmp_path / "deep" / "out")
    assert report.difference < 1e-4 and report.size == SIZE and report.bytes > 1000
    assert report.path.exists() and not list(tmp_path.rglob("*partial*"))
    assert f"{report.difference:.1e}" in report.to_json()["sentence"]
    with pytest.raises(SegcoreError, match="which exists"):
        export.export(network_path, form, tmp_path / "deep" / "out")


@pytest.fixture(scope="module", params=["mixed_bfloat16"])
def half_path(tmp_path_factory, request):
    """A network trained in half precision, with a layer that takes its type from another."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    try:
        image = keras.Input((*SIZE, 3), name="image")
        x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(
            ImageScaling((127.5,) * 3, (127.5,) * 3)(image)
        )
        path = tmp_path_factory.mktemp("half") / "model.keras"
        keras.Model(
            image, keras.layers.Conv2D(3, 1, dtype="float32")(resize_like(x, image, "resize"))
        ).save(path)
    finally:
        keras.config.set_dtype_policy(before)
    return path


def test_half_precision_is_undone_with_the_same_weights(half_path):
    half = load_network(half_path)
    plain = in_float32(half)
    assert half_precision(half) in ("bfloat16", "float16") and half_precision(plain) == ""
    assert {layer.compute_dtype for layer in plain.layers} == {"float32"} and in_float32(
        plain
    ) is plain
    images = np.random.default_rng(0).uniform(0, 255, (2, *SIZE, 3)).astype(np.float32)
    for ours, theirs in zip(plain.get_weights(), half.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(plain(images), np.asarray(half(images), np.float32), atol=0.05)


@pytest.mark.parametrize("form", EXPORT_FORMATS)
def test_a_network_of_half_precision_takes_every_form(half_path, tmp_path, form):
    absent = missing(*NEEDS.get(form, ()))
    if absent:
        pytest.skip(f"FORM NOT TESTED: {form} needs {', '.join(absent)} (the extra export)")
    report = export.export(half_path, form, tmp_path / "out")
    assert report.difference < 1e-4
    assert ("it computes in float32 there" in report.to_json()["sentence"]) == (form != "keras")


def test_openvino_takes_a_network_of_half_precision(half_path):
    if missing("openvino"):
        pytest.skip("OPENVINO NOT TESTED: it is not installed (the extra fast)")
    images = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    asked = Predictor(half_path, 2, "openvino")
    answers = asked(images)
    assert (
        asked.chosen.name == "openvino"
        and "float16, given to OpenVINO in float32" in asked.chosen.note
    )
    np.testing.assert_allclose(answers, Predictor(half_path, 2, "tensorflow")(images), atol=0.03)


def test_a_form_that_answers_otherwise_is_not_kept(network_path, tmp_path, monkeypatch):
    wrong = export.Form(
        ".keras",
        export._write_keras,
        lambda path, images: -export._read_keras(path, images),
        "a liar",
    )
    monkeypatch.setitem(export.FORMS, "keras", wrong)
    with pytest.raises(SegcoreError, match="received others"):
        export.export(network_path, "keras", tmp_path / "out")
    with pytest.raises(SegcoreError, match="did you mean 'onnx'"):
        export.export(network_path, "onxx", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_the_service_keeps_networks_and_combines_members(pointwise_path, tmp_path):
    trained = RunFolder.create(
        tmp_path / "runs",
        "trained",
        TrainConfig("shapes", ModelConfig("unet", "tiny", "none"), size=SIZE),
    )
    trained.model_path.write_bytes(pointwise_path.read_bytes())
    service, run = Service(), {"runs": [str(trained.folder)], "options": {"backend": "tensorflow"}}
    assert service.load(run)["loaded"] == 1
    assert service.load(run)["loaded"] == 0
    path = tmp_path / "image.png"
    keras.utils.save_img(path, image_of(50, 41), scale=False)
    place = {"image": str(path), "folder": str(tmp_path / "answers"), "id": "one"}
    report = service.predict({**run, **place})
    alone, size = RunFolder(tmp_path / "answers").read_probabilities(SPLIT, "one")
    assert size == (50, 41) and report["size"] == [*SIZE] and report["backend"]
    twice = {**run, "runs": run["runs"] * 2, "rule": "geometric"}
    service.predict({**twice, **place, "id": "two"})
    np.testing.assert_allclose(
        RunFolder(tmp_path / "answers").read_probabilities(SPLIT, "two")[0], alone, atol=1e-3
    )
    service.predict(
        {
            **run,
            **place,
            "id": "three",
            "options": {"tile": True, "overlap": 0.25, "backend": "tensorflow"},
        }
    )
    assert RunFolder(tmp_path / "answers").read_probabilities(SPLIT, "three")[0].shape[:2] == (
        50,
        41,
    )
    with pytest.raises(SegcoreError, match="at least one network"):
        service.load({})


def test_submodels_are_combined_by_their_own_rule(tmp_path):
    """Three binary networks of three classes, one against the rest: p(c) = s(c) / sum of s."""
    said, runs = [], []
    for part, share in enumerate((0.6, 0.3, 0.1)):
        config = TrainConfig(
            "set",
            ModelConfig("unet", "tiny", "none"),
            size=SIZE,
            label_map=f"m.{part}",
            submodels="one_vs_rest",
        )
        runs.append(RunFolder.create(tmp_path, f"part{part}", config))
        groups = LabelMap(((part,), tuple(c for c in range(3) if c != part)), f"m.{part}")
        said.append(
            np.where(np.arange(2) == groups.group_of[part], share, 1 - share)
            * np.ones((2, 2, 1), np.float32)
        )
        labels = LabelSet((LabelClass(0, "one", (0, 0, 0)), LabelClass(1, "rest", (9, 9, 9))))
        runs[-1].write_json(
            "labels", {"label_set": labels.to_json(), "label_map": groups.to_json()}
        )
    np.testing.assert_allclose(
        combine_networks(said, runs, "mean", None), np.full((2, 2, 3), [0.6, 0.3, 0.1]), atol=1e-6
    )
