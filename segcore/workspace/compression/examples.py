"""Pictures of confused labels, cut out of the images that hold most of them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError
from segcore.evaluation.pages.confused_pixels import confused, densest_box, outline
from segcore.workspace.scores.scenes import Scenes
from segcore.workspace.scores.scores import Scores

SIDE = 128
"""Height and width of a cut-out, pixels of the image."""

PICTURE_SIDE = 384
"""Cut-outs are enlarged by a whole number up to this many pixels."""

FORWARD = (255, 149, 0)
BACKWARD = (0, 229, 255)
"""Outlines: orange for the first label taken for the second, cyan for the reverse."""


@dataclass(frozen=True, eq=False)
class Example:
    """One cut-out.

    Attributes:
        sample: Id of the image.
        picture: (h, w, 3) uint8 RGB, enlarged, confused pixels outlined in :data:`FORWARD` and
            :data:`BACKWARD`.
        forward: Pixels of the first label taken for the second, in the whole image.
        backward: Pixels of the second label taken for the first.
    """

    sample: str
    picture: npt.NDArray[np.uint8]
    forward: int
    backward: int


def confused_pairs(
    scores: Scores, run: str, split: str, groups: list[list[int]]
) -> list[tuple[int, int, int]]:
    """Return the confused pairs inside the groups as (id, id, pixels), most pixels first.

    Raises:
        SegcoreError: The run has no counts of that split, or an id is unknown.
    """
    label_set, counts = scores.label_set(run), scores.counts(run, split)[1].total
    pairs = []
    for group in groups:
        places = [label_set.index_of(i) for i in group]
        for position, a in enumerate(places):
            for b in places[position + 1 :]:
                if pixels := int(counts[a, b] + counts[b, a]):
                    pairs.append((label_set.class_ids[a], label_set.class_ids[b], pixels))
    return sorted(pairs, key=lambda pair: -pair[2])


def find_examples(
    scores: Scores,
    scenes: Scenes,
    run: str,
    split: str,
    pair: tuple[int, int],
    count: int = 8,
) -> tuple[list[Example], int]:
    """Cut out the places where two labels are confused most, one for each image.

    Args:
        scores: The scores of the workspace.
        scenes: The scenes of the workspace.
        run: Id of a run.
        split: Name of a split.
        pair: Two class ids.
        count: At most so many images.

    Returns:
        The examples, most confused pixels first, and how many images confuse the pair.

    Raises:
        SegcoreError: The run has no counts of that split, an id is unknown, or a file cannot be
            read.
    """
    label_set = scores.label_set(run)
    first, second = (label_set.index_of(i) for i in pair)
    if first == second:
        raise SegcoreError(f"Expected two different classes, received {pair[0]} twice: name two.")
    ids, counts = scores.counts(run, split)
    pixels = counts[:, first, second] + counts[:, second, first]
    on_disk = {sample.id for sample in scenes.predicted_samples(run, split)}
    order = [i for i in np.argsort(-pixels, kind="stable") if pixels[i] and ids[i] in on_disk][
        :count
    ]
    dataset, label_map = scenes.dataset_of(run), scenes.label_map_of(run)
    examples = []
    for position in order:
        sample = ids[position]
        truth = scenes.truth(dataset.name, sample, label_map)
        marked = confused(truth, scenes.probabilities(run, split, sample).argmax(-1), first, second)
        top, left, height, width = densest_box(marked[0] | marked[1], SIDE)
        cut = np.s_[top : top + height, left : left + width]
        scale = max(1, PICTURE_SIDE // max(height, width))
        picture = outline(
            scenes.image(dataset.name, sample)[cut],
            [m[cut] for m in marked],
            (FORWARD, BACKWARD),
            scale,
        )
        examples.append(
            Example(
                sample,
                picture,
                int(counts[position, first, second]),
                int(counts[position, second, first]),
            )
        )
    return examples, int((pixels > 0).sum())
