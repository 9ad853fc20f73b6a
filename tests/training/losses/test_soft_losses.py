"""Losses of a student agree with plain-numpy twins; one-hot teachers give the losses of labels."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from segcore.runs.machine.diagnosis import ENGINES
from segcore.training.losses.losses import build_loss
from segcore.training.losses.soft_losses import DistillationLoss, SoftTargetLoss

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).resolve().parents[3]
C, IGNORE, STEPS = 4, 255, 2**16 - 1
WEIGHTS = (1.0, 3.0, 0.5, 2.0)
SHAPE = (2, 6, 8)


def softmax(logits):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.fixture
def batch():
    """Logits, teachers' probabilities, which pixels have them, and labels with ignored ones."""
    rng = np.random.default_rng(11)
    logits = rng.normal(0, 2, (*SHAPE, C)).astype(np.float32)
    targets = softmax(rng.normal(0, 2, (*SHAPE, C))).astype(np.float32)
    valid = rng.random(SHAPE) < 0.8
    targets[~valid] = 0
    labels = rng.integers(0, C, SHAPE).astype(np.uint8)
    labels[rng.random(SHAPE) < 0.2] = IGNORE
    return logits, targets, valid, labels


def soft_twin(logits, targets, valid, weights):
    p, t = softmax(logits.astype(np.float64))[valid], targets.astype(np.float64)[valid]
    total = top = 0.0
    for c in range(C):
        if t[:, c].sum() > 0.5:
            apart = np.abs(p[:, c] - t[:, c]).sum()
            both = p[:, c].sum() + t[:, c].sum()
            total += weights[c] * (1 - ((both - apart) / 2 + 1) / ((both + apart) / 2 + 1))
            top += weights[c]
    divergence = np.where(t > 0, t * np.log(np.where(t > 0, t, 1) / p), 0).sum(-1)
    w = t @ np.asarray(weights)
    return total / top + (w * divergence).sum() / w.sum()


def pack(labels, targets):
    steps = np.rint(targets * STEPS)
    return np.concatenate([labels[..., None], steps], axis=-1).astype(np.uint16)


def value_and_gradient(do, logits):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = do(logits)
    return float(value), tape.gradient(value, logits).numpy()


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_value_agrees_with_a_plain_twin(weights, batch):
    logits, targets, valid, _ = batch
    got = SoftTargetLoss(C, IGNORE, weights).value_of(logits, targets, valid)
    assert float(got) == pytest.approx(
        soft_twin(logits, targets, valid, weights or [1.0] * C), rel=2e-5
    )


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
def test_one_hot_teachers_give_the_losses_of_labels(weights, batch):
    logits, _, _, labels = batch
    targets = np.eye(C + 1, C, dtype=np.float32)[np.where(labels == IGNORE, C, labels)]
    soft = SoftTargetLoss(C, IGNORE, weights).value_of(logits, targets, labels != IGNORE)
    hard = build_loss("soft_jaccard + cross_entropy", C, IGNORE, weights)(labels, logits)
    assert float(soft) == pytest.approx(float(hard), rel=2e-5)


def test_teachers_own_answer_costs_nothing_and_moves_nothing(batch):
    logits, _, valid, _ = batch
    targets = softmax(logits) * valid[..., None]
    loss = SoftTargetLoss(C, IGNORE)
    value, _ = value_and_gradient(lambda x: loss.value_of(x, targets, valid), logits)
    assert value == pytest.approx(0, abs=2e-6)
    soft_jaccard = 1 - np.mean(
        [
            (np.square(t).sum() + 1) / (2 * t.sum() - np.square(t).sum() + 1)
            for t in np.moveaxis(targets[valid], -1, 0)
        ]
    )
    assert soft_jaccard > 0.1  # which is why it is no loss for soft labels
    for other in (0.5, 2.0):
        assert float(loss.value_of(other * logits, targets, valid)) > 0.01


def test_gradient_points_along_finite_differences(batch):
    logits, targets, _, labels = batch
    loss = DistillationLoss(build_loss("dice_focal", C, IGNORE), 0.3, C, IGNORE)
    truth = pack(labels, targets)
    _, gradient = value_and_gradient(lambda x: loss(truth, x), logits)
    step = 1e-2 * np.random.default_rng(1).normal(size=logits.shape).astype(np.float32)
    difference = float(loss(truth, logits + step / 2)) - float(loss(truth, logits - step / 2))
    assert difference == pytest.approx(float((gradient * step).sum()), rel=0.05, abs=2e-5)


def test_labels_and_teachers_are_mixed_by_the_weight(batch):
    logits, targets, valid, labels = batch
    truth, hard = pack(labels, targets), build_loss("dice", C, IGNORE, WEIGHTS)

    def of(weight):
        return float(DistillationLoss(hard, weight, C, IGNORE, WEIGHTS)(truth, logits))

    assert of(1.0) == pytest.approx(float(hard(labels, logits)), rel=1e-6)
    assert of(0.0) == pytest.approx(soft_twin(logits, targets, valid, WEIGHTS), rel=1e-4)
    assert of(0.25) == pytest.approx(0.25 * of(1.0) + 0.75 * of(0.0), rel=1e-5)
    alone = DistillationLoss(hard, 0.25, C, IGNORE, WEIGHTS)(labels, logits)
    assert float(alone) == pytest.approx(of(1.0), rel=1e-6)  # validation knows labels only


def test_pixels_without_label_and_teachers_change_nothing(batch):
    logits, targets, valid, labels = batch
    loss = DistillationLoss(build_loss("dice_focal", C, IGNORE), 0.5, C, IGNORE)
    truth, dead = pack(labels, targets), ~valid & (labels == IGNORE)
    assert dead.any()
    value, gradient = value_and_gradient(lambda x: loss(truth, x), logits)
    assert (gradient[dead] == 0).all() and np.abs(gradient[~dead]).max() > 0
    for other in (1e4, np.nan):
        changed = np.where(dead[..., None], np.float32(other), logits)
        value2, gradient2 = value_and_gradient(lambda x: loss(truth, x), changed)
        assert value2 == value
        np.testing.assert_array_equal(gradient2, gradient)


def test_extremes_stay_finite(batch):
    logits, _, _, labels = batch
    loss = DistillationLoss(build_loss("cross_entropy", C, IGNORE), 0.5, C, IGNORE)
    one_hot = np.eye(C, dtype=np.float32)[np.minimum(labels, C - 1)]
    far = np.where(one_hot > 0, 1e4, -1e4).astype(np.float32)
    truth = pack(labels, one_hot)
    for values in (far, -far, 0 * far):
        value, gradient = value_and_gradient(lambda x: loss(truth, x), values)
        assert np.isfinite(value) and value >= 0 and np.isfinite(gradient).all()
    nothing = pack(np.full_like(labels, IGNORE), 0 * one_hot)
    value, gradient = value_and_gradient(lambda x: loss(nothing, x), logits)
    assert value == 0 and (gradient == 0).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_computes_the_twin(engine, batch, tmp_path):
    if importlib.util.find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    logits, targets, valid, labels = batch
    np.savez(
        tmp_path / "given.npz",
        truth=pack(labels, targets),
        logits=logits,
        weights=WEIGHTS,
        ignored=IGNORE,
        label_weight=0.3,
    )
    environment = {**os.environ, "KERAS_BACKEND": engine, "PYTHONPATH": str(ROOT)}
    script = Path(__file__).with_name("soft_numbers.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "given.npz")],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    hard = float(build_loss("dice", C, IGNORE, WEIGHTS)(labels, logits))
    twin = 0.3 * hard + 0.7 * soft_twin(logits, targets, valid, WEIGHTS)
    assert float(done.stdout.split()[-1]) == pytest.approx(twin, rel=1e-4)
