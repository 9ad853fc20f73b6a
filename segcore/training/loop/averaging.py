"""The average of several networks' weights ("model soup"), chosen greedily on validation.

Wortsman et al.: Model soups: averaging weights of multiple fine-tuned models improves accuracy
without increasing inference time, ICML 2022, arXiv 2203.05482 (their greedy soup): members are
sorted by their validation score; each is added to the average if the average with it scores at
least as well as without. The result is never worse than the best member on validation.

The means and variances of batch normalisation belong to the weights that made the activations, and
those of an average are not the average of its members'. So they are recomputed over training
images, as after stochastic weight averaging (Izmailov et al., UAI 2018, arXiv 1803.05407).
"""

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from segcore.config import TrainConfig
from segcore.data.dataset.dataset import Dataset
from segcore.errors import SegcoreError
from segcore.models.build import load_network, normalising_of
from segcore.models.weights.weights import variables_of
from segcore.runs.folder.run_folder import RunFolder, replacing
from segcore.training.loop.normalisation import normalisations
from segcore.training.loop.progress import Progress
from segcore.training.loop.train import Training

Arrays = dict[str, npt.NDArray[Any]]


def average(run: RunFolder, dataset: Dataset) -> None:
    """Average the weights of a run's members and write the network and ``averaging.json``.

    Args:
        run: A run whose config names the members to average.
        dataset: The dataset that the config names.

    Raises:
        SegcoreError: Something that the user can fix.
        Stopped: The run was asked to stop; resumed, it begins anew.
    """
    config = run.config
    if not isinstance(config, TrainConfig) or config.averaging is None:
        raise SegcoreError(
            f"Expected a run that averages weights, received {run.id!r}: choose another."
        )
    with Progress(run, message="Preparing") as progress:
        Averaging(run, config, dataset, progress, 0).average(config.averaging.members)


def mean_of(members: Mapping[str, Arrays]) -> Arrays:
    """Return the mean of each array over networks of one architecture, in its own dtype."""
    first, *rest = members.values()
    return {
        name: np.mean([array, *(other[name] for other in rest)], axis=0, dtype=np.float64).astype(
            array.dtype
        )
        for name, array in first.items()
    }


class Averaging(Training):
    """One call of :func:`average`: a training without steps, its network filled from members."""

    def average(self, members: tuple[str, ...]) -> None:
        """Choose members greedily, average them, and keep the network."""
        weights = {name: self._read(name) for name in members}
        scores = {}
        for done, (name, arrays) in enumerate(weights.items()):
            scores[name] = self._score(arrays, done / (2 * len(members)))
            self.progress.log(f"{name}: validation mean IoU {scores[name]:.4f}")
        first, *rest = sorted(members, key=lambda name: -scores[name])
        kept, best, score = [first], weights[first], scores[first]
        tried: dict[str, float] = {first: score}
        for done, name in enumerate(rest, start=len(members)):
            candidate = mean_of({one: weights[one] for one in (*kept, name)})
            if all(np.array_equal(candidate[key], best[key]) for key in candidate):
                tried[name] = score  # nothing changes, neither do the means
            else:
                tried[name] = self._score(candidate, done / (2 * len(members)), anew=True)
                candidate = _values(self.learner.model)
            takes = tried[name] >= score
            self.progress.log(
                f"{'Added' if takes else 'Left out'} {name}: with it {tried[name]:.4f}"
            )
            if takes:
                kept, best, score = [*kept, name], candidate, tried[name]
        self._assign(best)
        with replacing(self.run.model_path) as path:
            self.learner.model.save(path)
        self._write(members, kept, scores, tried)
        self.progress.update(
            mean_iou=score, progress=1.0, message=f"Averaged {len(kept)} of {len(members)} members"
        )

    def _announce(self, phase: str, message: str) -> bool:
        """Leave the message as it is: there are no epochs to name."""
        return False

    def _estimate(self, steps: int, validated: int = 0) -> None:
        """Leave the progress as it is: it counts members."""

    def _read(self, name: str) -> Arrays:
        network = load_network(RunFolder(self.run.folder.parent / name).model_path)
        arrays = _values(network)
        expected = {key: tuple(v.shape) for key, v in variables_of(self.learner.model).items()}
        if {key: array.shape for key, array in arrays.items()} != expected:
            raise SegcoreError(
                f"Expected members of one architecture and size, received {name!r}, whose network "
                "has other weights: choose members that differ in their training alone."
            )
        self._check_bands(name, network)
        return arrays

    def _check_bands(self, name: str, network: keras.Model) -> None:
        """Refuse a member that normalises its bands otherwise: an average has one normalisation.

        Raises:
            SegcoreError: It was trained on other images, or on pictures.
        """
        own, other = normalising_of(self.learner.model), normalising_of(network)
        if (own is None) != (other is None) or (
            own is not None
            and other is not None
            and (
                own.names != other.names
                or not np.allclose((own.mean, own.std), (other.mean, other.std), rtol=1e-5)
            )
        ):
            raise SegcoreError(
                f"Expected members that normalise the same bands alike, received {name!r}, which "
                "was trained on other bands or other training images: combine their answers "
                "instead, in an ensemble."
            )

    def _score(self, arrays: Arrays, progress: float, anew: bool = False) -> float:
        """Return the validation mean IoU of some weights; ``anew`` recomputes the means first."""
        self.progress.update(progress=progress, message="Scoring on validation")
        self._assign(arrays)
        if anew and normalisations(self.learner.model):
            self._reestimate()
        score = self._validate().mean_iou
        return -math.inf if math.isnan(score) else score

    def _assign(self, arrays: Arrays) -> None:
        for key, variable in variables_of(self.learner.model).items():
            variable.assign(arrays[key])

    def _write(
        self,
        members: tuple[str, ...],
        kept: list[str],
        scores: Mapping[str, float],
        tried: Mapping[str, float],
    ) -> None:
        self.run.write_json(
            "averaging",
            {
                "format": 1,
                "split": self.config.validation_split,
                "kept": kept,
                "members": [
                    {"run": name, "mean_iou": scores[name], "with_it": tried[name]}
                    for name in members
                ],
            },
        )


def _values(network: keras.Model) -> Arrays:
    """Return the weights of a network by name, copied."""
    return {
        name: np.array(keras.ops.convert_to_numpy(variable))
        for name, variable in variables_of(network).items()
    }
