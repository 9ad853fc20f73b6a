"""A network with its softmax, compiled by JAX."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import keras
import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
Answer = Callable[[Images], Probabilities]

ERRORS = (RuntimeError,)
"""What a backend may raise that cannot take a network."""


def freeze(model: keras.Model, batch_size: int) -> Answer:
    """Return a network as a function of images (B, h, w, 3) uint8, compiled at its first call.

    Args:
        model: (B, h, w, 3) float32 0..255 to logits (B, h, w, C); h and w fixed.
        batch_size: B; JAX learns it from the images.
    """
    trained = [variable.value for variable in model.trainable_variables]
    fixed = [variable.value for variable in model.non_trainable_variables]

    @jax.jit
    def probabilities(trained: Any, fixed: Any, images: Any) -> Any:
        logits, _ = model.stateless_call(trained, fixed, images.astype("float32"), training=False)
        return jax.nn.softmax(logits.astype("float32"))

    return lambda images: np.array(probabilities(trained, fixed, images))


def plain(frozen: Answer) -> Answer:
    """Return the function that :func:`freeze` made."""
    return frozen


def candidates(frozen: Answer, wanted: str) -> Iterator[tuple[str, str, Callable[[], Answer]]]:
    """Yield nothing: no other backend starts from JAX here."""
    yield from ()


def note() -> str:
    """Return "": no faster backend is missing."""
    return ""
