"""Mask history: a few validation samples, predicted after every epoch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from segcore.data.dataset.dataset import Sample
from segcore.errors import SegcoreError
from segcore.runs.folder.run_folder import RunFolder, keeps_epoch, mask_history_stage
from segcore.training.input.reader import SampleReader

SAMPLES = 4


def spread(samples: list[Sample], count: int = SAMPLES) -> list[Sample]:
    """Choose a few samples at equal distances, the first and the last among them."""
    if len(samples) <= count:
        return list(samples)
    return [samples[round(i * (len(samples) - 1) / (count - 1))] for i in range(count)]


class MaskHistory:
    """Predicts the same few samples after each kept epoch and stores the masks with the run.

    Args:
        run: The training run.
        reader: Reads samples at the network's size.
        split: Name of the validation split.
        samples: The samples of that split.
        at_once: How many images the network may be shown in one call, at least 1.
    """

    def __init__(
        self,
        run: RunFolder,
        reader: SampleReader,
        split: str,
        samples: list[Sample],
        at_once: int = SAMPLES,
    ) -> None:
        self._run = run
        self._reader = reader
        self._split = split
        self._samples = spread(samples)
        # equal calls: an engine compiles the network for each shape
        self._at_once = max(n for n in range(1, at_once + 1) if len(self._samples) % n == 0)
        if self._samples:
            run.write_json(
                "evolution",
                {
                    "split": split,
                    "samples": [s.id for s in self._samples],
                    "size": list(reader.size),
                },
            )

    def keep(self, logits: Callable[[npt.NDArray[np.uint8]], Any], epoch: int) -> None:
        """Store what the network says of the samples after an epoch, counted from 1.

        Where the masks cannot be written none are kept from then on: no training ends over them.

        Args:
            logits: The network: images (B, h, w, 3) to (B, h, w, C).
            epoch: The epoch.
        """
        if not keeps_epoch(epoch):
            return
        try:
            self._predict(logits, mask_history_stage(epoch))
        except SegcoreError:
            self._samples = []

    def _predict(self, logits: Callable[[npt.NDArray[np.uint8]], Any], stage: str) -> None:
        for start in range(0, len(self._samples), self._at_once):
            samples = self._samples[start : start + self._at_once]
            images = np.stack([self._reader.read(sample)[0] for sample in samples])
            for sample, scores in zip(samples, ops.convert_to_numpy(logits(images)), strict=True):
                mask: npt.NDArray[np.integer] = scores.argmax(axis=-1).astype(
                    self._reader.label_set.mask_dtype
                )
                self._run.write_mask(self._split, stage, sample.id, mask)
