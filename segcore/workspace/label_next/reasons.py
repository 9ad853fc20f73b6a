"""Why an image should be labelled, in words."""

import numpy as np
import numpy.typing as npt

from segcore.evaluation.metrics.label_next import PoolMeasures, Taken
from segcore.formatting import percent
from segcore.labels import LabelSet
from segcore.workspace.label_next.measuring import ImageMeasures

RARE = 1.5
"""Weight from which a class is named as rare: 1 is a class of the average share."""

SMALL = 0.005
"""Share of an image below which a dispute or a rare class is not named."""

FAR = 0.8
"""Share of the other images that are nearer, from which distance is named."""


def reasons(
    row: ImageMeasures,
    taken: Taken,
    members: int,
    weights: npt.NDArray[np.float64],
    labels: LabelSet,
) -> tuple[str, ...]:
    """Return what speaks for an image, without full stops; () where nothing stands out.

    Args:
        row: What was measured of it.
        taken: How it was chosen.
        members: Runs that were asked.
        weights: (C,) how rare each class is, see ``label_next.rarity``.
        labels: The classes.
    """
    said = []
    dispute, names = row.dispute, labels.class_names
    if dispute.share >= SMALL:
        first, second = names[dispute.first], names[dispute.second]
        where = f"on {percent(dispute.share)} of the image"
        one, two = dispute.votes
        said.append(
            f"{one} of {members} members {'says' if one == 1 else 'say'} {first}, {two} {second}, {where}"
            if members > 1
            else f"undecided between {first} and {second} {where}"
        )
    rare = np.where((weights >= RARE) & (row.shares >= SMALL), row.shares * weights, 0)
    if rare.max() > 0:
        name = int(rare.argmax())
        said.append(f"{percent(float(row.shares[name]))} {names[name]}, a rare class")
    if taken.away >= FAR:
        others = "all others" if taken.away == 1 else f"{percent(taken.away, 0)} of the others"
        said.append(f"farther from labelled and chosen images than {others}")
    return tuple(said)


def plain_scores(measures: PoolMeasures, position: int) -> dict[str, float | None]:
    """Return the scores of an image by order, None where unknown."""
    scores = {name: float(values[position]) for name, values in measures.scores.items()}
    return {name: value if np.isfinite(value) else None for name, value in scores.items()}
