"""A student's loss as one engine computes it: ``KERAS_BACKEND=ENGINE python soft_numbers.py IN.npz``."""

import sys

import numpy as np
from keras import ops

from segcore.training.losses.losses import build_loss
from segcore.training.losses.soft_losses import DistillationLoss

given = np.load(sys.argv[1])
weights = given["weights"].tolist()
classes, ignored = len(weights), int(given["ignored"])
hard = build_loss("dice", classes, ignored, weights)
loss = DistillationLoss(hard, float(given["label_weight"]), classes, ignored, weights)
value = loss(*(ops.convert_to_tensor(given[name]) for name in ("truth", "logits")))
print(float(ops.convert_to_numpy(value)))
