"""Mask history: a few validation samples, predicted after every epoch."""

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

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
    """

    def __init__(
        self, run: RunFolder, reader: SampleReader, split: str, samples: list[Sample]
    ) -> None:
        self._run = run
        self._reader = reader
        self._split = split
        self._samples = spread(samples)
        if self._samples:
            run.write_json(
                "evolution",
                {
                    "split": split,
                    "samples": [s.id for s in self._samples],
                    "size": list(reader.size),
                },
            )

    def keep(self, model: keras.Model, epoch: int) -> None:
        """Store what the network says of the samples after an epoch, counted from 1.

        The model is called as it is, without a graph of its own, which would take longer to build
        than all its uses. Where the masks cannot be written none are kept from then on: no training
        ends over them.
        """
        if not keeps_epoch(epoch):
            return
        try:
            self._predict(model, mask_history_stage(epoch))
        except SegcoreError:
            self._samples = []

    def _predict(self, model: keras.Model, stage: str) -> None:
        for sample in self._samples:
            image = self._reader.read(sample)[0]
            logits = model(tf.constant(image[None], tf.float32), training=False)
            mask: npt.NDArray[np.integer] = (
                tf.argmax(logits[0], axis=-1).numpy().astype(self._reader.label_set.mask_dtype)
            )
            self._run.write_mask(self._split, stage, sample.id, mask)
