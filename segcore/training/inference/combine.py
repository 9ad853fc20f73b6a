"""Probabilities of several networks combined, by an ensemble's rule or by that of submodels."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from segcore.config import TrainConfig, shared_labels
from segcore.labels import LabelMap
from segcore.postprocess.ensemble import combine_to_size
from segcore.postprocess.submodels import combine_submodels
from segcore.runs.folder.run_folder import RunFolder
from segcore.training.inference.predict import read_labels

Probabilities = npt.NDArray[np.float32]


def submodel_rule(runs: Sequence[RunFolder]) -> str:
    """Return the rule that combines these runs as submodels; "" for runs that know all classes.

    Raises:
        SegcoreError: Their label maps differ and they are no submodels of one rule.
    """
    return shared_labels([config for run in runs if isinstance(config := run.config, TrainConfig)])[
        1
    ]


def combine_networks(
    answers: Iterable[Probabilities],
    runs: Sequence[RunFolder],
    rule: str,
    weights: Sequence[float] | None,
) -> Probabilities:
    """Combine what networks say of one image, at the resolution of the first.

    Args:
        answers: Arrays (h, w, C) float32, 0..1, rows sum to 1, one a run; heights and widths may
            differ.
        runs: The training runs, in the order of their answers.
        rule: A name in ``catalog.ENSEMBLE_RULES``; submodels take their own in its place.
        weights: One a member, or None for equal ones.

    Returns:
        (h, w, C) float32, 0..1, rows sum to 1.

    Raises:
        SegcoreError: Classes differ, or the rule or the weights do not fit.
    """
    members, parted = list(answers), submodel_rule(runs)
    if not parted:
        return combine_to_size(members, (members[0].shape[0], members[0].shape[1]), rule, weights)
    maps = [
        read_labels(run)[1] or LabelMap.identity(member.shape[-1])
        for run, member in zip(runs, members, strict=True)
    ]
    return combine_submodels(members, maps, parted)
