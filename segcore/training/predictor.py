"""A trained network as a function from images to probabilities; the one place where softmax is taken."""

from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from segcore.errors import SegcoreError
from segcore.training.strategy import rewrite_graphs


class Predictor:
    """Loads ``model.keras`` and answers batches of one size, so that its graph is built once.

    Args:
        path: The saved network.
        batch_size: Images a call; smaller calls are filled up with blank images.

    Attributes:
        size: (height, width) that images must have.
        num_classes: C.

    Raises:
        SegcoreError: There is no network, or it cannot be read.
    """

    def __init__(self, path: Path, batch_size: int) -> None:
        if not path.is_file():
            raise SegcoreError(f"Expected a trained network in {path}, found none: wait for the run's first epoch or choose another run.")
        try:
            self.model = keras.models.load_model(path, compile=False)
        except (ValueError, OSError, TypeError, KeyError) as error:
            raise SegcoreError(f"The network {path} cannot be read ({error}): train it again.") from error
        self.batch_size = batch_size
        _, height, width, _ = self.model.input_shape
        self.size: tuple[int, int] = (height, width)
        self.num_classes = int(self.model.output_shape[-1])
        rewrite_graphs(True)
        self._answer = self._freeze()

    def _freeze(self) -> Any:
        """Trace once, with the weights as constants, so that batch normalisation folds into the convolutions."""

        @partial(tf.function, autograph=False)
        def answer(images: Any) -> Any:
            logits = self.model(tf.cast(images, tf.float32), training=False)
            return tf.nn.softmax(tf.cast(logits, tf.float32))

        spec = tf.TensorSpec((self.batch_size, *self.size, 3), tf.uint8)
        return convert_variables_to_constants_v2(answer.get_concrete_function(spec))

    def __call__(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return probabilities (n, h, w, C) float32, rows sum to 1, of images (n, h, w, 3) uint8 RGB, n up to the batch size."""
        count = len(images)
        if count < self.batch_size:
            images = np.concatenate([images, np.zeros((self.batch_size - count, *images.shape[1:]), np.uint8)])
        probabilities: npt.NDArray[np.float32] = self._answer(tf.constant(images))[0].numpy()[:count]
        return probabilities
