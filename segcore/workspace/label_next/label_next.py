"""Which unlabelled image to label next, and why."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import POOL, Dataset
from segcore.data.health.health import NEAR_BITS
from segcore.data.health.image_hashes import hash_images, hash_pool
from segcore.errors import SegcoreError
from segcore.evaluation.metrics.label_next import PoolMeasures, choose_batch, rarity
from segcore.runs.folder.run_folder import FEATURES, RunFolder
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.label_next.measuring import Dispute, ImageMeasures, measure_image
from segcore.workspace.label_next.reasons import plain_scores, reasons
from segcore.workspace.rights import writes
from segcore.workspace.runs.run_ids import prediction_id
from segcore.workspace.runs.runs import Runs
from segcore.workspace.scores.scenes import Scenes

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Suggestion:
    """An image to label.

    Attributes:
        sample: Its id.
        value: What it was chosen for: the order's score, or of "mix" the sum of two ranks, 0..2.
        reasons: Why, in words, without full stops.
        scores: Score of each informative order, 0..1 but for rarity; None where unknown.
    """

    sample: str
    value: float
    reasons: tuple[str, ...]
    scores: dict[str, float | None]


@dataclass(frozen=True)
class Suggestions:
    """A batch of images to label.

    Attributes:
        dataset: Name of the dataset.
        runs: The runs that were asked.
        by: The order, a name in ``evaluation.metrics.label_next.ORDERS``.
        images: The batch, the first to label first.
        pool: Unlabelled images of the dataset.
        unpredicted: How many of them one of the runs has not predicted; they are not in the batch.
        duplicates: (image left out, the image of the batch that it resembles, "" for a labelled
            one).
        features: What tells images from each other, in words.
    """

    dataset: str
    runs: tuple[str, ...]
    by: str
    images: tuple[Suggestion, ...]
    pool: int
    unpredicted: int
    duplicates: tuple[tuple[str, str], ...]
    features: str

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping with the attributes as keys."""
        return {**vars(self), "images": [vars(image) for image in self.images]}


class LabelNext:
    """Ranks the unlabelled images of a workspace's datasets."""

    def __init__(self, datasets: Datasets, runs: Runs, scenes: Scenes) -> None:
        self._datasets = datasets
        self._runs = runs
        self._scenes = scenes

    def members(self, name: str, runs: Sequence[str]) -> tuple[str, ...]:
        """Return the single runs of some runs and ensembles, each once.

        Raises:
            SegcoreError: There is none, or one is of another dataset or predicts merged classes.
        """
        members = tuple(dict.fromkeys(m for run in runs for m in self._runs.members(run)))
        if not members:
            raise SegcoreError(
                "Expected a run to ask about the unlabelled images, received none: name one or "
                "more (--run)."
            )
        for member in members:
            config = self._runs.open(member).config
            if config.dataset != name:
                raise SegcoreError(
                    f"Expected runs of the dataset {name!r}, received {member!r}, which is of "
                    f"{config.dataset!r}: choose others."
                )
            if self._scenes.label_map_of(member) is not None:
                raise SegcoreError(
                    f"Expected runs over the dataset's own classes, but {member!r} merges labels: "
                    "choose others."
                )
        return members

    @writes("start predictions", "Predicted the unlabelled images of {name} with {runs}")
    def predict(self, name: str, runs: Sequence[str]) -> list[str]:
        """Start predicting the unlabelled images that are not yet; return the runs to wait for.

        Raises:
            SegcoreError: There is no such dataset or run, a run is not finished, or no image is
                unlabelled.
        """
        self._datasets.open(name).predictable(POOL)
        return [self._runs.predict_whole(member, POOL) for member in self.members(name, runs)]

    def unpredicted(self, name: str, runs: Sequence[str]) -> list[str]:
        """Return the unlabelled images without probabilities of one of the runs.

        Raises:
            SegcoreError: As :meth:`members`.
        """
        stored = [f.ids_with_probabilities(POOL) for f in self._folders(name, runs)]
        known = frozenset.intersection(*stored)
        return [s.id for s in self._datasets.open(name).pool if s.id not in known]

    def suggest(
        self,
        name: str,
        runs: Sequence[str],
        by: str = "mix",
        count: int = 20,
        progress: Progress | None = None,
    ) -> Suggestions:
        """Choose a batch of unlabelled images.

        Args:
            name: Name of the dataset.
            runs: Training runs and ensembles that predicted the unlabelled images.
            by: A name in ``evaluation.metrics.label_next.ORDERS``.
            count: Largest size of the batch.
            progress: Called with (done, total, what).

        Raises:
            SegcoreError: No image is unlabelled or predicted, the order does not exist or needs
                more runs, or as :meth:`members`.
        """
        members = self.members(name, runs)
        dataset = self._datasets.open(name)
        missing = set(self.unpredicted(name, members))
        ids = [s.id for s in dataset.predictable(POOL) if s.id not in missing]
        if not ids:
            raise SegcoreError(
                f"Expected predictions of the unlabelled images of {name!r} by {', '.join(members)}"
                f", found none: predict them first (segscope predict {members[0]} --split {POOL})."
            )
        table = self._measures(name, members, ids, progress)
        weights = rarity(self._datasets.statistics(name).pixels)
        measures, features = self._pool(dataset, members, table, weights, progress)
        chosen = choose_batch(measures, by, count)
        suggested = tuple(
            Suggestion(
                (sample := measures.ids[one.position]),
                one.value,
                reasons(table[sample], one, len(members), weights, dataset.label_set),
                plain_scores(measures, one.position),
            )
            for one in chosen.taken
        )
        return Suggestions(
            name,
            members,
            by,
            suggested,
            len(dataset.pool),
            len(missing),
            chosen.duplicates,
            features,
        )

    def _folders(self, name: str, runs: Sequence[str]) -> list[RunFolder]:
        return [
            RunFolder(self._runs.folder / prediction_id(member, POOL))
            for member in self.members(name, runs)
        ]

    def _measures(
        self, name: str, members: Sequence[str], ids: Sequence[str], progress: Progress | None
    ) -> dict[str, ImageMeasures]:
        """Measure images; what was measured before is read from disk."""
        folders = self._folders(name, members)
        key = hashlib.sha256(" ".join(members).encode()).hexdigest()[:16]
        file, stamp = f"label-next-{key}", _made(folders)
        kept = folders[0].read_arrays(POOL, file)
        table = {} if kept is None or kept["made"].tolist() != stamp else _unpacked(kept)
        missing = [one for one in ids if one not in table]
        for done, sample in enumerate(missing, 1):
            table[sample] = measure_image(
                [folder.read_probabilities(POOL, sample, True)[0] for folder in folders]
            )
            if progress:
                progress(done, len(missing), "images measured")
        if missing:
            folders[0].write_arrays(POOL, file, {**_packed(table), "made": np.array(stamp)})
        return {one: table[one] for one in ids}

    def _pool(
        self,
        dataset: Dataset,
        members: Sequence[str],
        table: dict[str, ImageMeasures],
        weights: npt.NDArray[np.float64],
        progress: Progress | None,
    ) -> tuple[PoolMeasures, str]:
        """Put together what the choice looks at."""
        ids = tuple(table)
        rows = list(table.values())
        scores = {
            "disagreement": np.array([row.disagreement for row in rows]),
            "margin": np.array([row.margin for row in rows]),
            "entropy": np.array([row.entropy for row in rows]),
            "rarity": np.array([float(row.shares @ weights) for row in rows]),
        }
        features, centres, said = self._features(dataset, members, table)
        hashes, _ = hash_pool(dataset, progress=progress)
        known = dict(zip([s.id for s in dataset.pool], hashes, strict=True))
        others, sound = hash_images(dataset, progress=progress)
        return (
            PoolMeasures(
                ids,
                scores,
                features,
                centres,
                np.array([known[one] for one in ids], np.uint64),
                others[sound],
                NEAR_BITS,
            ),
            said,
        )

    def _features(
        self, dataset: Dataset, members: Sequence[str], table: dict[str, ImageMeasures]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], str]:
        """Return features of the images and of labelled ones, and what they are, in words."""
        for member, folder in zip(members, self._folders(dataset.name, members), strict=True):
            kept = folder.read_arrays(POOL, FEATURES)
            if kept is None:
                continue
            known = dict(zip(kept["ids"].tolist(), kept["rows"].astype(np.float64), strict=True))
            if not table.keys() <= known.keys():
                continue
            learned = getattr(self._runs.open(member).config, "train_split", "train")
            centres = [known[s.id] for s in dataset.samples if s.split == learned and s.id in known]
            rows = np.stack([known[one] for one in table])
            width = rows.shape[1]
            deviation = np.maximum(rows.std(axis=0), 1e-6)
            stacked = np.stack(centres) if centres else np.empty((0, width))
            return rows / deviation, stacked / deviation, f"the encoder of {member}"
        layouts = np.stack([row.layout for row in table.values()])
        return layouts, np.empty((0, layouts.shape[1])), "where each class is predicted"


def _made(folders: Sequence[RunFolder]) -> list[float]:
    """When the runs were made whose predictions these are: other networks are measured anew."""
    return [float(folder.status().created or 0.0) for folder in folders]


def _packed(table: dict[str, ImageMeasures]) -> dict[str, npt.NDArray[Any]]:
    rows = list(table.values())
    return {
        "ids": np.array(list(table), np.str_),
        "scores": np.array([(r.disagreement, r.margin, r.entropy) for r in rows]),
        "shares": np.stack([r.shares for r in rows]),
        "layouts": np.stack([r.layout for r in rows]),
        "disputes": np.array(
            [(d.first, d.second, *d.votes, d.share) for d in (r.dispute for r in rows)]
        ),
    }


def _unpacked(kept: dict[str, npt.NDArray[Any]]) -> dict[str, ImageMeasures]:
    return {
        str(one): ImageMeasures(
            disagreement=float(kept["scores"][n, 0]),
            margin=float(kept["scores"][n, 1]),
            entropy=float(kept["scores"][n, 2]),
            shares=kept["shares"][n],
            layout=kept["layouts"][n],
            dispute=_dispute(kept["disputes"][n].tolist()),
        )
        for n, one in enumerate(kept["ids"].tolist())
    }


def _dispute(row: list[float]) -> Dispute:
    return Dispute(int(row[0]), int(row[1]), (int(row[2]), int(row[3])), row[4])
