"""What the images look like: sizes, brightness, contrast and channel means."""

from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.files.scanning import Progress, scan

_LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class ImageStatistics:
    """Figures of N images.

    Attributes:
        sample_ids: Ids of the N samples.
        splits: Split of each, "" for none.
        sizes: (N, 2) int64, height and width.
        means: (N, 3) float64, mean red, green and blue, 0..255.
        deviations: (N, 3) float64, their standard deviations.
    """

    sample_ids: tuple[str, ...]
    splits: tuple[str, ...]
    sizes: npt.NDArray[np.int64]
    means: npt.NDArray[np.float64]
    deviations: npt.NDArray[np.float64]

    @property
    def brightness(self) -> npt.NDArray[np.float64]:
        """Mean luma of each image, .299 R + .587 G + .114 B, (N,) float64, 0..255."""
        return self.means @ _LUMA

    def size_counts(self) -> dict[tuple[int, int], int]:
        """Return how many images have each (height, width), the most frequent first."""
        sizes, counts = np.unique(self.sizes, axis=0, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {(int(sizes[i, 0]), int(sizes[i, 1])): int(counts[i]) for i in order}


def collect_appearance(
    dataset: Dataset,
    split: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> ImageStatistics:
    """Read the images of a split once.

    Args:
        dataset: The dataset.
        split: Split; None for all.
        executor: Threads or a cluster client's executor; None for threads, one a core.
        progress: Called as ``progress(done, total, what)``.

    Returns:
        Their figures.

    Raises:
        SegcoreError: The split is unknown, or an image cannot be read.
    """
    samples = dataset.select(split)

    def measure(sample: Sample) -> npt.NDArray[np.float64]:
        image = dataset.read_image(sample)
        counts = np.stack([np.bincount(image[..., k].ravel(), minlength=256) for k in range(3)])
        mean = counts @ np.arange(256) / counts.sum(1)
        square = counts @ np.arange(256) ** 2 / counts.sum(1)
        return np.concatenate([mean, np.sqrt(np.maximum(square - mean**2, 0))])

    table = np.array(list(scan(measure, samples, executor, progress, "images measured"))).reshape(
        len(samples), 6
    )
    return ImageStatistics(
        tuple(sample.id for sample in samples),
        tuple(sample.split for sample in samples),
        np.array([(sample.height, sample.width) for sample in samples], np.int64).reshape(
            len(samples), 2
        ),
        table[:, :3],
        table[:, 3:],
    )
