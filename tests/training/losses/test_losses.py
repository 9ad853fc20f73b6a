"""Losses agree with plain-numpy twins and with each other, and never see an ignored pixel."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from segcore.catalog import LOSSES
from segcore.errors import SegcoreError
from segcore.training.losses.losses import _BUILDERS, _SUMS, build_loss
from segcore.training.losses.pixel_losses import PixelLoss, cross_entropy, focal, jaccard_distance
from segcore.training.losses.region_losses import RegionLoss

pytestmark = pytest.mark.tensorflow

C, IGNORE = 4, 255
NAMES = sorted(LOSSES)


@pytest.fixture
def batch():
    rng = np.random.default_rng(7)
    masks = rng.integers(0, C - 1, (2, 6, 8)).astype(np.uint8)  # class 3 does not occur
    masks[rng.random(masks.shape) < 0.2] = IGNORE
    return masks, rng.normal(0, 2, (2, 6, 8, C)).astype(np.float32)


def softmax(logits):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def valid_pixels(masks, logits):
    """(P,) labels and (P, C) probabilities in float64, ignored pixels gone."""
    keep = masks != IGNORE
    return masks[keep].astype(int), softmax(logits.astype(np.float64))[keep]


def tversky(labels, p, c, a, b, s=1.0):
    hit = p[labels == c, c].sum()
    return (hit + s) / (hit + a * p[labels != c, c].sum() + b * (1 - p[labels == c, c]).sum() + s)


def mean_over_present(labels, weights, value):
    present = [c for c in range(C) if (labels == c).any()]
    return sum(weights[c] * value(c) for c in present) / sum(weights[c] for c in present)


def pixel_mean(labels, weights, losses):
    return (weights[labels] * losses).sum() / weights[labels].sum()


def jaccard_set_loss(wrong, truth):
    """1 - intersection / union when the pixels in ``wrong`` (a set) are mispredicted."""
    hits = {i for i in range(len(truth)) if truth[i] and i not in wrong}
    union = {i for i in range(len(truth)) if truth[i] or i in wrong}
    return 1 - len(hits) / len(union) if union else 0.0


def lovasz(labels, p, c):
    """The Lovasz extension by its definition: a sum of set function values over level sets."""
    truth = labels == c
    errors = np.where(truth, 1 - p[:, c], p[:, c])
    order = np.argsort(-errors, kind="stable")
    return sum(
        errors[i]
        * (jaccard_set_loss(set(order[: k + 1]), truth) - jaccard_set_loss(set(order[:k]), truth))
        for k, i in enumerate(order)
    )


def hard(labels, p, weights):
    losses = -np.log(p[np.arange(len(labels)), labels])
    threshold = min(np.sort(losses)[::-1][int(np.ceil(len(losses) / 16)) - 1], -np.log(0.7))
    kept = losses >= threshold - 1e-7
    return pixel_mean(labels[kept], weights, losses[kept])


def neighbourhood_max(a, reach):
    out = np.full_like(a, -np.inf)
    for y, x in np.ndindex(a.shape):
        out[y, x] = a[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1].max()
    return out


def boundary(masks, logits, weights):
    p, keep = softmax(logits.astype(np.float64)), masks != IGNORE
    total = top = 0.0
    for c in range(C):
        sums = np.zeros(4)
        for mask, member, valid in zip(masks, p[..., c], keep, strict=True):
            edges = []
            for y in ((mask == c).astype(float), member):
                outside = np.where(valid, 1 - y, 0)
                edges.append((neighbourhood_max(outside, 1) - outside) * valid)
            t, e = edges
            sums += [
                (e * neighbourhood_max(t, 2)).sum(),
                e.sum(),
                (t * neighbourhood_max(e, 2)).sum(),
                t.sum(),
            ]
        if sums[3] > 0:
            precision, recall = sums[0] / sums[1], sums[2] / sums[3]
            total += weights[c] * (1 - 2 * precision * recall / (precision + recall))
            top += weights[c]
    return total / top


def reference(name, masks, logits, weights):
    labels, p = valid_pixels(masks, logits)
    true = p[np.arange(len(labels)), labels]

    def region(a, b, power=1.0):
        return mean_over_present(
            labels, weights, lambda c: (1 - tversky(labels, p, c, a, b)) ** power
        )

    one_hot = np.eye(C)[labels]
    intersection, cardinality = (one_hot * p).sum(-1), (one_hot + p).sum(-1)
    return {
        "cross_entropy": lambda: pixel_mean(labels, weights, -np.log(true)),
        "smoothed_cross_entropy": lambda: pixel_mean(
            labels, weights, -((0.9 * one_hot + 0.1 / C) * np.log(p)).sum(-1)
        ),
        "focal": lambda: pixel_mean(labels, weights, -((1 - true) ** 2) * np.log(true)),
        "jaccard_distance": lambda: pixel_mean(
            labels, weights, 100 * (1 - (intersection + 100) / (cardinality - intersection + 100))
        ),
        "hard_cross_entropy": lambda: hard(labels, p, weights),
        "soft_jaccard": lambda: region(1, 1),
        "dice": lambda: region(0.5, 0.5),
        "tversky": lambda: region(0.3, 0.7),
        "focal_tversky": lambda: region(0.3, 0.7, 0.75),
        "dice_focal": lambda: (
            region(0.5, 0.5) + pixel_mean(labels, weights, -((1 - true) ** 2) * np.log(true))
        ),
        "lovasz_softmax": lambda: mean_over_present(
            labels, weights, lambda c: lovasz(labels, p, c)
        ),
        "boundary": lambda: boundary(masks, logits, weights),
    }[name]()


def value_and_gradient(loss, masks, logits):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(masks, logits)
    return float(value), tape.gradient(value, logits).numpy()


def test_every_name_of_the_catalogue_has_a_builder():
    assert sorted([*_BUILDERS, *_SUMS]) == NAMES


@pytest.mark.parametrize("weights", [None, (1.0, 3.0, 0.5, 2.0)], ids=["equal", "weighted"])
@pytest.mark.parametrize("name", NAMES)
def test_value_agrees_with_a_plain_twin(name, weights, batch):
    got = build_loss(name, C, IGNORE, weights)(*batch)
    assert got.shape == () and got.dtype == tf.float32
    assert float(got) == pytest.approx(
        reference(name, *batch, np.array(weights or [1.0] * C)), rel=2e-5
    )


@pytest.mark.parametrize("name", NAMES)
def test_ignored_pixels_change_nothing(name, batch):
    masks, logits = batch
    loss = build_loss(name, C, IGNORE)
    value, gradient = value_and_gradient(loss, masks, logits)
    ignored = masks == IGNORE
    assert (gradient[ignored] == 0).all() and np.abs(gradient[~ignored]).max() > 0
    for other in (1e4, -1e4, np.nan, np.inf):
        changed = np.where(ignored[..., None], np.float32(other), logits)
        value2, gradient2 = value_and_gradient(loss, masks, changed)
        assert value2 == value
        np.testing.assert_array_equal(gradient2, gradient)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_points_along_finite_differences(name, batch):
    masks, logits = batch
    loss = build_loss(name, C, IGNORE)
    _, gradient = value_and_gradient(loss, masks, logits)
    step = 1e-2 * np.random.default_rng(1).normal(size=logits.shape).astype(np.float32)
    difference = (
        (float(loss(masks, logits + step / 2)) - float(loss(masks, logits - step / 2)))
        if name != "hard_cross_entropy"
        else None
    )
    if difference is not None:  # hard pixels change places, so that loss jumps
        assert difference == pytest.approx(float((gradient * step).sum()), rel=0.05, abs=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_extremes_stay_finite(name, batch):
    masks, logits = batch
    loss = build_loss(name, C, IGNORE)
    right = np.where(np.eye(C, dtype=bool)[np.minimum(masks, C - 1)], 1e4, -1e4).astype(np.float32)
    one_class = np.zeros_like(masks)
    cases = [
        (masks, right),
        (masks, -right),
        (masks, np.zeros_like(right)),
        (one_class, right),
        (one_class, 1e-30 * right),
    ]
    for labels, values in cases:
        value, gradient = value_and_gradient(loss, labels, values)
        assert np.isfinite(value) and value >= -1e-6
        assert np.isfinite(gradient).all()
    value, gradient = value_and_gradient(loss, np.full_like(masks, IGNORE), logits)
    assert value == 0 and (gradient == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_right_is_less_than_wrong_and_a_right_answer_costs_nothing(name):
    # Half the image each: every class has its boundary.
    masks = np.zeros((1, 8, 8), np.uint8)
    masks[:, :, 4:] = 1
    right = np.where(np.eye(C, dtype=bool)[masks], 50.0, 0.0).astype(np.float32)
    wrong = np.roll(right, 1, axis=-1)
    loss = build_loss(name, C, IGNORE)
    floor = (
        0.1 * 50 * (C - 1) / C if name == "smoothed_cross_entropy" else 0.0
    )  # smoothing punishes certainty
    slack = 1e-4 if name == "focal_tversky" else 1e-5  # (1e-6) ** 0.75
    assert float(loss(masks, right)) == pytest.approx(floor, abs=slack)
    assert float(loss(masks, wrong)) > 0.5


@pytest.mark.parametrize("name", NAMES)
def test_classes_may_be_renamed_and_images_swapped(name, batch):
    masks, logits = batch
    loss = build_loss(name, C, IGNORE)
    value = float(loss(masks, logits))
    order = np.array([2, 0, 3, 1])
    renamed = np.where(masks == IGNORE, IGNORE, np.argsort(order)[np.minimum(masks, C - 1)]).astype(
        np.uint8
    )
    assert float(loss(renamed, logits[..., order])) == pytest.approx(value, rel=1e-5)
    assert float(loss(masks[::-1], logits[::-1])) == pytest.approx(value, rel=1e-5)


def test_identities(batch):
    masks, logits = batch

    def region(a, b, power=1.0):
        return float(RegionLoss(a, b, power, C, IGNORE)(masks, logits))

    def by_name(name, weights=None):
        return float(build_loss(name, C, IGNORE, weights)(masks, logits))

    assert by_name("dice") == region(0.5, 0.5)
    assert by_name("soft_jaccard") == region(1.0, 1.0)
    assert by_name("focal_tversky") != by_name("tversky") == region(0.3, 0.7)
    gamma_zero = PixelLoss(lambda log_p, y: focal(log_p, y, gamma=0), C, IGNORE)
    assert float(gamma_zero(masks, logits)) == by_name("cross_entropy")
    unsmoothed = PixelLoss(lambda log_p, y: cross_entropy(log_p, y, smoothing=0.0), C, IGNORE)
    assert float(unsmoothed(masks, logits)) == by_name("cross_entropy")
    keras_twin = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=IGNORE)
    assert by_name("cross_entropy") == pytest.approx(
        float(keras_twin(masks.astype(np.int32), logits)), rel=1e-6
    )
    assert by_name("dice + 0.5*focal") == pytest.approx(
        by_name("dice") + 0.5 * by_name("focal"), rel=1e-6
    )
    assert by_name("dice_focal + boundary") == pytest.approx(
        by_name("dice") + by_name("focal") + by_name("boundary"), rel=1e-6
    )
    assert by_name("dice", (2.0,) * C) == pytest.approx(by_name("dice"), rel=1e-6)


def test_jaccard_of_a_hard_prediction_follows_dice():
    """J = D / (2 - D) by class where probabilities are 0 or 1; smoothing s of J is 2 s of D."""
    labels, p = np.array([0, 0, 1, 1, 1]), np.eye(C)[[0, 1, 1, 1, 0]]
    dice, jaccard = tversky(labels, p, 1, 0.5, 0.5, 0), tversky(labels, p, 1, 1, 1, 0)
    assert (dice, jaccard) == pytest.approx((2 / 3, 1 / 2)) and jaccard == pytest.approx(
        dice / (2 - dice)
    )


def test_lovasz_meets_the_jaccard_loss_at_the_corners():
    """The extension equals the set function on all 2^6 hard predictions of six pixels."""
    truth = np.array([0, 0, 1, 1, 1, 0])
    loss = build_loss("lovasz_softmax", 2, IGNORE)
    for bits in itertools.product([0, 1], repeat=6):
        logits = 200.0 * np.eye(2, dtype=np.float32)[list(bits)]
        predicted = np.array(bits)
        expected = np.mean(
            [
                1
                - ((truth == c) & (predicted == c)).sum() / ((truth == c) | (predicted == c)).sum()
                for c in (0, 1)
            ]
        )
        assert float(
            loss(truth.reshape(1, 1, 6).astype(np.uint8), logits.reshape(1, 1, 6, 2))
        ) == pytest.approx(expected, abs=1e-6)


def test_classic_jaccard_is_worked_by_hand():
    log_p = tf.math.log(tf.constant([[0.5, 0.5], [0.25, 0.75]]))
    # I = .5, U = 2: 100 (1 - 100.5 / 101.5) = 100 / 101.5; I = .75: 100 (1 - 100.75 / 101.25) = 50
    # / 101.25
    np.testing.assert_allclose(
        jaccard_distance(log_p, tf.constant([0, 1])), [100 / 101.5, 50 / 101.25], rtol=1e-5
    )


def test_half_precision_logits_and_wide_masks_are_taken(batch):
    masks, logits = batch
    loss = build_loss("dice_focal", C, 65535)
    wide = np.where(masks == IGNORE, 65535, masks).astype(np.uint16)
    expected = float(build_loss("dice_focal", C, IGNORE)(masks, logits))
    assert float(loss(wide, logits)) == pytest.approx(expected, rel=1e-6)
    assert float(loss(wide[..., None], tf.cast(logits, tf.bfloat16))) == pytest.approx(
        expected, rel=0.02
    )


def test_wrong_words_are_refused():
    with pytest.raises(SegcoreError, match="did you mean 'dice'"):
        build_loss("dices", C, IGNORE)
    with pytest.raises(SegcoreError, match="4 class weights"):
        build_loss("dice", C, IGNORE, [1.0, 2.0])
    with pytest.raises(SegcoreError, match="sum such as"):
        build_loss("dice + zero*focal", C, IGNORE)
