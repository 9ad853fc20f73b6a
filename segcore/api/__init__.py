"""The notebook API: balance, train, predict and evaluate in six lines.

    from segcore.api import *

    params = read_params("params.yaml")
    images, classes = mlos(params, "Count", write_balance=True)
    model = train_model(params, loss_func=jaccard_distance)
    results = predict_model(params, model)
    scores = evaluate(model, params)

Training runs in background processes, which the app shows too. ``Train_Model`` and
``Predict_Model`` are aliases. ``pd`` is pandas, so that a first cell needs no other import.
"""

import pandas as pd

from segcore.api.balancing import mlos, write_segment_data
from segcore.api.learning import TrainedModel, train_model
from segcore.api.losses import Loss
from segcore.api.params import read_params
from segcore.api.results import Predictions, back_off, evaluate, predict_model
from segcore.catalog import LOSSES

Train_Model = train_model
Predict_Model = predict_model

__all__ = [
    "Loss",
    "Predict_Model",
    "Predictions",
    "Train_Model",
    "TrainedModel",
    "back_off",
    "evaluate",
    "mlos",
    "pd",
    "predict_model",
    "read_params",
    "train_model",
    "write_segment_data",
    *LOSSES,
]


def __getattr__(name: str) -> Loss:
    """Return a loss of the catalogue by its name, such as ``dice``."""
    if name in LOSSES:
        return Loss(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
