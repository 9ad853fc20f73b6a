"""The dense CRF against a mean field written out pixel by pixel.

Two things separate the library from the formula. It normalises each kernel symmetrically and counts
a pixel as its own neighbour, which the twin does too, exactly. And it filters on a permutohedral
lattice, which only approximates a Gaussian. So the kernel matrix that the library really applies is
read off by probing it; with that matrix the twin must agree to the precision of float32, which
proves unary, weights, iterations and updates; and the matrix itself must be near the Gaussian's,
which proves widths and colours.
"""

import math
import pickle

import numpy as np
import pytest

from segcore.config import EvaluateConfig, config_from_json, to_json
from segcore.errors import SegcoreError
from segcore.postprocess import dense_crf
from segcore.postprocess.dense_crf import MIN_PROBABILITY, DenseCRF, is_available, kept_classes
from segcore.postprocess.parameters import CRFParameters

needs_pydensecrf = pytest.mark.skipif(not is_available(), reason="pydensecrf is not installed")

SPATIAL = CRFParameters(spatial_width=3, spatial_weight=1, bilateral_weight=0, iterations=1)
BILATERAL = CRFParameters(
    spatial_weight=0, bilateral_width=5, color_width=40, bilateral_weight=1, iterations=1
)


def temper(probabilities, temperature):
    """softmax(logits / T) from probabilities: p^(1/T) / sum p^(1/T)."""
    powered = np.clip(probabilities, MIN_PROBABILITY, 1.0) ** np.float32(1.0 / temperature)
    return powered / powered.sum(axis=-1, keepdims=True)


def _scene(height=6, width=8, classes=3, seed=0):
    """Probabilities that lean to the right classes, and a picture of two colours with a little noise."""
    rng = np.random.default_rng(seed)
    image = np.repeat(rng.integers(40, 216, (1, 2, 3)), height, 0).repeat(-(-width // 2), 1)[
        :, :width
    ]
    image = (image + rng.integers(-3, 4, image.shape)).astype(np.uint8)
    probabilities = rng.dirichlet(np.ones(classes), (height, width))
    probabilities[:, : width // 2, 0] += 0.4
    probabilities[:, width // 2 :, 1] += 0.4
    return (probabilities / probabilities.sum(-1, keepdims=True)).astype(np.float32), image


def _kernel_twin(image, parameters, bilateral):
    """(N, N) Gaussian of the formula, written out, self included, normalised by the square roots of both row sums."""
    height, width = image.shape[:2]
    pixels = [(y, x) for y in range(height) for x in range(width)]
    kernel = np.empty((len(pixels),) * 2)
    for i, (y, x) in enumerate(pixels):
        for j, (v, u) in enumerate(pixels):
            if bilateral:
                exponent = ((y - v) ** 2 + (x - u) ** 2) / (2 * parameters.bilateral_width**2)
                exponent += ((image[y, x].astype(float) - image[v, u]) ** 2).sum() / (
                    2 * parameters.color_width**2
                )
            else:
                exponent = ((y - v) ** 2 + (x - u) ** 2) / (2 * parameters.spatial_width**2)
            kernel[i, j] = math.exp(-exponent)
    norm = 1 / np.sqrt(kernel.sum(1))
    return kernel * norm[:, None] * norm


def _probe_kernel(image, parameters):
    """(N, N): the matrix that the library applies in one step with weight 1.

    One step with two classes gives log q0 / q1 = log p0 / p1 + K (p0 - p1); flipping one pixel of p
    reads one column of K.
    """
    height, width = image.shape[:2]
    count = height * width

    def message(first):
        p = np.stack([first, 1 - first], -1).reshape(height, width, 2).astype(np.float32)
        q = DenseCRF(parameters).refine(p, image).astype(np.float64)
        return (
            np.log(q[..., 0] / q[..., 1]) - np.log(p[..., 0].astype(np.float64) / p[..., 1])
        ).ravel()

    base = message(np.full(count, 0.1))
    columns = [
        (message(np.where(np.arange(count) == j, 0.9, 0.1)) - base) / 1.6 for j in range(count)
    ]
    return np.stack(columns, 1)


def _mean_field_twin(probabilities, kernels, weights, iterations, temperature=1.0):
    """Mean field in plain loops: q_i(c) proportional to p_i(c)^(1/T) exp(sum_k w_k sum_j K_k[i, j] q_j(c))."""
    height, width, classes = probabilities.shape
    p = np.maximum(probabilities.reshape(-1, classes).astype(np.float64), dense_crf.MIN_PROBABILITY)
    log_p = np.log(p) / temperature
    q = np.exp(log_p) / np.exp(log_p).sum(1, keepdims=True)
    for _ in range(iterations):
        updated = np.empty_like(q)
        for i in range(len(q)):
            energy = [
                -log_p[i, c]
                - sum(w * float(k[i] @ q[:, c]) for w, k in zip(weights, kernels, strict=True))
                for c in range(classes)
            ]
            unnormalised = [math.exp(-e) for e in energy]
            updated[i] = np.array(unnormalised) / sum(unnormalised)
        q = updated
    return q.reshape(height, width, classes)


@needs_pydensecrf
@pytest.mark.parametrize(("iterations", "temperature"), [(1, 1.0), (3, 2.0), (8, 1.0)])
def test_with_the_probed_kernels_the_twin_agrees_to_float_precision(iterations, temperature):
    probabilities, image = _scene()
    kernels = [_probe_kernel(image, SPATIAL), _probe_kernel(image, BILATERAL)]
    both = CRFParameters(3, 1.5, 5, 40, 2.5, iterations, temperature=temperature)
    twin = _mean_field_twin(probabilities, kernels, [1.5, 2.5], iterations, temperature)
    # one probe errs by about 1e-6 a column entry; 48 columns, weights 4: 2e-4 at worst in an
    # energy, half of it in a probability
    np.testing.assert_allclose(DenseCRF(both).refine(probabilities, image), twin, atol=1e-4)


@needs_pydensecrf
@pytest.mark.parametrize(
    ("parameters", "bilateral", "bound"),
    # The lattice blurs with [1 2 1] / 4 between corners of simplices whose deviation it matches: in
    # two dimensions rows then differ
    # by up to a fifth of their sum (1) where the width is near a cell, less where it is wider; in
    # five, with few neighbours, by a third.
    [
        (SPATIAL, False, 0.2),
        (CRFParameters(1, 1, bilateral_weight=0, iterations=1), False, 0.2),
        (BILATERAL, True, 0.33),
    ],
)
def test_the_probed_kernel_is_near_the_gaussian_and_nearer_than_with_another_width(
    parameters, bilateral, bound
):
    _, image = _scene()
    probed = _probe_kernel(image, parameters)

    def distance(asked):
        return np.abs(probed - _kernel_twin(image, asked, bilateral)).sum(1).max()

    assert distance(parameters) < bound
    for factor in (0.5, 2.0):
        assert distance(parameters.scaled(factor)) > 1.5 * distance(parameters)


@needs_pydensecrf
def test_agreement_with_the_exact_gaussian_stays_within_the_bound_that_the_kernel_allows():
    # softmax moves by at most half of what its argument moves (rows of its Jacobian sum to 2 p (1 -
    # p) <= 1/2), hence
    # d_t <= (w / 2) (e + k d_(t-1)) with e = |K_probed - K|, k = |K| (largest row sums) and d_0 = 0
    probabilities, image = _scene()
    exact = _kernel_twin(image, SPATIAL, False)
    error = np.abs(_probe_kernel(image, SPATIAL) - exact).sum(1).max()
    bound, iterations = 0.0, 4
    for _ in range(iterations):
        bound = 0.5 * (error + np.abs(exact).sum(1).max() * bound)
    assert bound < 0.15
    refined = DenseCRF(CRFParameters(3, 1, bilateral_weight=0, iterations=iterations)).refine(
        probabilities, image
    )
    twin = _mean_field_twin(probabilities, [exact], [1.0], iterations)
    assert np.abs(refined - twin).max() <= bound + 1e-4


@needs_pydensecrf
@pytest.mark.parametrize(
    "parameters",
    [CRFParameters(), CRFParameters(relative=True, temperature=2, drop_below=0.5, iterations=2)],
)
@pytest.mark.parametrize("method", ["refine", "preview"])
@pytest.mark.parametrize(
    ("height", "width", "classes"), [(24, 31, 4), (1, 1, 3), (5, 40, 1), (9, 8, 300)]
)
def test_marginals_are_probabilities_and_inputs_are_left_alone(
    parameters, method, height, width, classes
):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(classes), (height, width)).astype(np.float32)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    before = probabilities.copy()
    probabilities.flags.writeable = image.flags.writeable = False
    refined = getattr(DenseCRF(parameters), method)(probabilities, image)
    assert refined.shape == probabilities.shape and refined.dtype == np.float32
    assert refined.flags.c_contiguous and refined.flags.writeable and refined.min() >= 0
    np.testing.assert_allclose(refined.sum(-1), 1, atol=1e-6)
    np.testing.assert_array_equal(probabilities, before)


@needs_pydensecrf
def test_strided_views_are_taken_as_their_copies():
    probabilities, image = _scene(20, 24)
    crf = DenseCRF()
    np.testing.assert_array_equal(
        crf.refine(probabilities[:, ::-1], image[::-1, ::-1]),
        crf.refine(probabilities[:, ::-1].copy(), image[::-1, ::-1].copy()),
    )


@needs_pydensecrf
@pytest.mark.parametrize(
    "changes", [{"spatial_weight": 0, "bilateral_weight": 0}, {"iterations": 0}]
)
def test_without_weights_or_steps_only_the_temperature_remains(changes):
    probabilities, image = _scene()
    parameters = CRFParameters(temperature=1.7, **changes)
    np.testing.assert_allclose(
        DenseCRF(parameters).refine(probabilities, image), temper(probabilities, 1.7), atol=1e-6
    )


@needs_pydensecrf
def test_saturated_pixels_can_be_overruled_and_zeros_are_no_trap():
    image = np.full((21, 21, 3), 90, np.uint8)
    probabilities = np.tile(np.float32([1, 0]), (21, 21, 1))
    probabilities[10, 10] = [0, 1]
    refined = DenseCRF().refine(probabilities, image)
    assert np.isfinite(refined).all() and (refined.argmax(-1) == 0).all()


@needs_pydensecrf
def test_the_picture_s_edge_decides_between_unsure_pixels():
    probabilities, image = _scene(30, 40, classes=2)
    refined = DenseCRF().refine(probabilities, image).argmax(-1)
    truth = np.repeat([[0] * 20 + [1] * 20], 30, 0)
    assert (refined == truth).mean() > 0.99 > (probabilities.argmax(-1) == truth).mean()


@needs_pydensecrf
def test_the_order_of_classes_does_not_matter():
    probabilities, image = _scene(12, 16, classes=4)
    order = [2, 0, 3, 1]
    crf = DenseCRF()
    np.testing.assert_allclose(
        crf.refine(probabilities[..., order], image),
        crf.refine(probabilities, image)[..., order],
        atol=1e-5,
    )


@needs_pydensecrf
def test_dropping_equals_refining_the_kept_classes_alone():
    probabilities, image = _scene(12, 16, classes=6)
    probabilities[..., 4:] *= 0.01
    probabilities /= probabilities.sum(-1, keepdims=True)
    np.testing.assert_array_equal(kept_classes(probabilities.max((0, 1)), 0.1), [0, 1, 2, 3])
    dropped = DenseCRF(CRFParameters(drop_below=0.1)).refine(probabilities, image)
    np.testing.assert_array_equal(
        dropped[..., :4], DenseCRF().refine(probabilities[..., :4].copy(), image)
    )
    assert (dropped[..., 4:] == 0).all()


@pytest.mark.parametrize("drop_below", [0.0, 0.3, 1.0])
def test_kept_classes_never_lack_the_most_probable_one(drop_below):
    probabilities = np.random.default_rng(0).dirichlet(np.ones(9), (5, 5)).astype(np.float32)
    kept = kept_classes(probabilities.max((0, 1)), drop_below)
    assert np.unravel_index(probabilities.argmax(), probabilities.shape)[-1] in kept
    assert (
        len(kept) == 9
        if drop_below == 0
        else all(probabilities[..., c].max() < drop_below for c in set(range(9)) - set(kept))
    )


def test_relative_widths_grow_with_the_diagonal():
    relative = CRFParameters(relative=True)
    assert relative.for_size(360, 480) == CRFParameters()
    doubled = relative.for_size(720, 960)
    assert (doubled.spatial_width, doubled.bilateral_width, doubled.color_width) == (6, 160, 13)
    assert CRFParameters().for_size(720, 960) == CRFParameters()


@needs_pydensecrf
def test_the_preview_is_near_the_full_result():
    probabilities, image = _scene(120, 160, classes=5)
    crf = DenseCRF(CRFParameters(bilateral_width=40))
    agreement = (
        crf.preview(probabilities, image).argmax(-1) == crf.refine(probabilities, image).argmax(-1)
    ).mean()
    assert agreement > 0.98


def test_temper_is_the_softmax_of_logits_over_the_temperature():
    logits = np.random.default_rng(0).normal(size=(4, 5, 3))

    def softmax(x):
        return np.exp(x) / np.exp(x).sum(-1, keepdims=True)

    for temperature in (0.5, 1.0, 3.0):
        np.testing.assert_allclose(
            temper(softmax(logits).astype(np.float32), temperature),
            softmax(logits / temperature),
            atol=1e-5,
        )


def test_without_pydensecrf_one_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(dense_crf, "densecrf", None)
    assert not is_available()
    for method in ("refine", "preview"):
        with pytest.raises(SegcoreError, match=r"pip install .*\[crf\]"):
            getattr(DenseCRF(), method)(*_scene())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("spatial_width", 0),
        ("bilateral_weight", -1),
        ("iterations", 101),
        ("iterations", 2.5),
        ("temperature", 0),
        ("color_width", np.nan),
    ],
)
def test_parameters_out_of_range_are_refused(name, value):
    with pytest.raises(SegcoreError, match=name if value != 2.5 else "whole number"):
        CRFParameters(**{name: value})


@needs_pydensecrf
@pytest.mark.parametrize(
    ("probabilities", "image", "words"),
    [
        (np.ones((4, 5, 2)) / 2, np.zeros((4, 5, 3)), "uint8"),
        (np.ones((4, 5, 2)) / 2, np.zeros((4, 5), np.uint8), "uint8"),
        (np.ones((4, 4, 2)) / 2, np.zeros((4, 5, 3), np.uint8), "image's size"),
        (np.full((4, 5, 2), np.nan), np.zeros((4, 5, 3), np.uint8), "0..1"),
        (np.full((4, 5, 2), 3.0), np.zeros((4, 5, 3), np.uint8), "softmax"),
        (np.full((4, 5, 2), -0.1), np.zeros((4, 5, 3), np.uint8), "0..1"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(probabilities, image, words):
    with pytest.raises(SegcoreError, match=words):
        DenseCRF().refine(probabilities.astype(np.float32), image)


def test_parameters_survive_json_in_a_config_and_a_crf_travels_to_another_process():
    parameters = CRFParameters(bilateral_width=40, relative=True)
    config = EvaluateConfig("camvid", ("a", "b"), crf=parameters)
    assert config_from_json(to_json(config)) == config
    assert pickle.loads(pickle.dumps(DenseCRF(parameters))).parameters == parameters
