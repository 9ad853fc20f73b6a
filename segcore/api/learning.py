"""Training from a notebook: every member is an ordinary run, which the app shows too."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import pandas as pd

from segcore.api.balancing import latest_plan
from segcore.api.losses import Loss
from segcore.api.params import Settings, settings
from segcore.api.waiting import ProgressLine
from segcore.errors import SegcoreError
from segcore.labels import LabelMap
from segcore.training.inference.predictor import load_network
from segcore.workspace import Workspace


@dataclass(frozen=True)
class TrainedModel:
    """What :func:`train_model` returns: the finished runs of one or more members.

    Attributes:
        runs: Ids of the training runs, one a member.
        workspace: Where they lie.
    """

    runs: tuple[str, ...]
    workspace: Workspace

    def history(self, member: int = 0) -> pd.DataFrame:
        """Return a member's history, one row per epoch: loss, mean_iou, val_loss, ..."""
        return pd.DataFrame(self.workspace.runs.open(self.runs[member]).metrics()).set_index(
            "epoch"
        )

    def network(self, member: int = 0) -> keras.Model:
        """Load a member's best model: (B, H, W, 3) float32 RGB 0..255 to logits (B, H, W, C)."""
        return load_network(self.workspace.runs.open(self.runs[member]).model_path)


def train_model(
    params: Mapping[str, Any], loss_func: Loss | str | None = None, reduce_map: bool = False
) -> TrainedModel:
    """Train in background processes as params say, and wait for the end.

    The balance plan that :func:`mlos` wrote last is used unless ``balance_plan`` names another or
    is "none"; the best epoch is selected on the validation split.

    Args:
        params: The params; ``members`` is the number of models, each with its own seed;
            ``members_by`` says what else differs.
        loss_func: A loss (``jaccard_distance``, ``dice + 0.5 * focal``) or its name; None takes
            ``loss`` of the params.
        reduce_map: Whether to train on merged labels: ``merge`` of the params, saved as the label
            map ``label_map``, or that map.

    Raises:
        SegcoreError: The params are refused, or a run failed; the sentence carries its cause.
    """
    chosen = settings(params)
    config = chosen.config
    recipe = (
        config.recipe
        if loss_func is None
        else dataclasses.replace(config.recipe, loss=str(loss_func))
    )
    label_map = _label_map(chosen) if reduce_map else ""
    config = dataclasses.replace(
        config, recipe=recipe, label_map=label_map, balance_plan=latest_plan(chosen)
    )
    runs = chosen.workspace.runs.train(config, chosen.own.members)
    with ProgressLine(f"Training {len(runs)} member{'s' * (len(runs) > 1)}") as progress:
        chosen.workspace.runs.wait(runs, progress)
    return TrainedModel(tuple(runs), chosen.workspace)


def _label_map(chosen: Settings) -> str:
    """Return the name of the label map to train on; ``merge`` of the params is saved first."""
    name = chosen.config.label_map
    dataset = chosen.workspace.datasets.open(chosen.own.dataset)
    if chosen.own.merge:
        labels = dataset.label_set
        merges = [[labels.index_of(label) for label in group] for group in chosen.own.merge]
        name = name or "reduced"
        dataset.save_label_map(LabelMap.merging(labels.num_classes, merges, name))
    if not name:
        raise SegcoreError(
            "Expected a label map for reduce_map=True, found none: set 'merge' (groups of "
            "class names) or 'label_map' in params."
        )
    dataset.load_label_map(name)
    return name
