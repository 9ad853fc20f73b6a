"""A network with its softmax, as PyTorch computes it."""

from collections.abc import Callable, Iterator

import keras
import numpy as np
import numpy.typing as npt
import torch
from keras import ops

Images = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
Answer = Callable[[Images], Probabilities]

ERRORS = (RuntimeError,)
"""What a backend may raise that cannot take a network."""


def freeze(model: keras.Model, batch_size: int) -> Answer:
    """Return a network as a function of images (B, h, w, 3) uint8.

    Args:
        model: (B, h, w, 3) float32 0..255 to logits (B, h, w, C); h and w fixed.
        batch_size: B; PyTorch learns it from the images.
    """

    def answer(images: Images) -> Probabilities:
        with torch.no_grad():
            logits = model(ops.cast(ops.convert_to_tensor(images), "float32"), training=False)
            probabilities = ops.softmax(ops.cast(logits, "float32"))
        return np.array(ops.convert_to_numpy(probabilities))

    return answer


def plain(frozen: Answer) -> Answer:
    """Return the function that :func:`freeze` made."""
    return frozen


def candidates(frozen: Answer, wanted: str) -> Iterator[tuple[str, str, Callable[[], Answer]]]:
    """Yield nothing: no other backend starts from PyTorch here."""
    yield from ()


def note() -> str:
    """Return "": no faster backend is missing."""
    return ""
