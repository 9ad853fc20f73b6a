"""Batches of images for annotation tools, and their answers taken back into the dataset."""

import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import POOL
from segcore.data.dataset.staging import reserve
from segcore.data.formats.annotation_batches import write_batch
from segcore.data.formats.answers import read_answer
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.masks import MaskEdits
from segcore.workspace.rights import writes
from segcore.workspace.scores.scenes import Scenes

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class AnswerReport:
    """What an answer changed.

    Attributes:
        dataset: Name of the dataset.
        form: Which form the answer has.
        labelled: Images that had no mask before.
        changed: Images whose mask is another now.
        same: Images whose mask was the same already.
        split: What newly labelled images joined.
        problems: What was left out, and why.
    """

    dataset: str
    form: str
    labelled: tuple[str, ...]
    changed: tuple[str, ...]
    same: tuple[str, ...]
    split: str
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping with the attributes as keys."""
        return dict(vars(self))


class Annotations:
    """Sends images to annotation tools and takes masks back."""

    def __init__(self, datasets: Datasets, scenes: Scenes, masks: MaskEdits) -> None:
        self._datasets = datasets
        self._scenes = scenes
        self._masks = masks

    @writes("export images", "Exported images of {name} for {tool} to {destination}")
    def export(
        self,
        name: str,
        samples: Sequence[str],
        destination: Path,
        tool: str,
        run: str = "",
        progress: Progress | None = None,
    ) -> Path:
        """Write images, pre-annotations and class list for an annotation tool.

        Args:
            name: Name of the dataset.
            samples: Ids of the images.
            destination: A new folder.
            tool: A name in ``annotation_batches.TOOLS``.
            run: The run or ensemble whose prediction is proposed for images without a mask; ""
                proposes nothing. A mask that is there is always what is proposed.
            progress: Called with (done, total, what).

        Raises:
            SegcoreError: There is no such dataset, image, run or tool, an image was not predicted,
                or the folder exists or cannot be written. Nothing is left behind then.
        """
        dataset = self._datasets.open(name)

        def propose(one: str) -> npt.NDArray[Any] | None:
            sample = dataset.sample(one)
            if sample.mask is not None:
                return dataset.read_mask(sample)
            return self._scenes.prediction(run, POOL, one) if run else None

        return write_batch(dataset, samples, destination, tool, propose, progress)

    @writes("take answers back", "Took back answers for {name} from {source}")
    def take_back(
        self,
        name: str,
        source: Path,
        split: str = "train",
        author: str = "",
        progress: Progress | None = None,
    ) -> AnswerReport:
        """Save the masks of an answer: as first masks, or as new versions.

        Args:
            name: Name of the dataset.
            source: A folder, an archive or a JSON file, see
                :func:`segcore.data.formats.answers.read_answer`.
            split: The split that newly labelled images join.
            author: Who is named in the history; "" for the user of this computer.
            progress: Called with (done, total, what).

        Raises:
            SegcoreError: The answer is unsafe or damaged, does not fit to the dataset, or there is
                no such dataset or split. Nothing is changed then.
        """
        dataset = self._datasets.open(name)
        if dataset.splits:
            dataset.select(split)
        before = {s.id: s for s in (*dataset.samples, *dataset.pool)}
        place = Path(tempfile.gettempdir()) / f"segscope-answer-{uuid.uuid4().hex}"
        with reserve(place) as staging:
            answer = read_answer(dataset, Path(source), staging, progress)
            new: list[str] = []
            changed: list[str] = []
            same: list[str] = []
            for sample, mask in answer.masks:
                known = before[sample.id]
                if known.mask is not None and np.array_equal(mask, dataset.read_mask(known)):
                    same.append(sample.id)
                    continue
                self._masks.save(
                    name,
                    sample.id,
                    mask,
                    based_on=known.mask_digest,
                    author=author,
                    origin=f"{answer.form}, {Path(source).name}",
                    split=split,
                )
                (changed if known.mask is not None else new).append(sample.id)
        problems = tuple(problem.sentence for problem in answer.problems)
        joined = split if dataset.splits else ""
        return AnswerReport(
            name, answer.form, tuple(new), tuple(changed), tuple(same), joined, problems
        )
