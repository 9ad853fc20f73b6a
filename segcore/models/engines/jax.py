"""Operations as JAX has them: batch normalisation is Keras', sums are over the whole batch."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp

fused_batch_norm = None
add_bias = None


@contextmanager
def first_weights() -> Iterator[None]:
    """Let XLA compile what draws first weights without optimizing it.

    It is compiled for each shape of a kernel and runs once.
    """
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)


def over_replicas(sums: Any) -> Any:
    """Return an array as it is: one program sees the whole batch, however it is spread."""
    return sums


def count_cells(codes: Any, cells: int) -> Any:
    """Count how often each of ``cells`` numbers occurs: (P,) int32 to (cells,) int32.

    Numbers from ``cells`` on are not counted.
    """
    return jax.ops.segment_sum(jnp.ones_like(codes), codes, num_segments=cells)


def argmax(scores: Any) -> Any:
    """Return the position of the largest of (..., C) scores, the first of equal ones; int32."""
    return jnp.argmax(scores, axis=-1).astype("int32")


def resize(x: Any, size: tuple[Any, Any], interpolation: str) -> Any:
    """Resize maps (B, h, w, D) with half-pixel centres and without antialiasing.

    Args:
        x: Any floating type.
        size: (H, W).
        interpolation: "bilinear" or "nearest".

    Returns:
        (B, H, W, D).
    """
    return jax.image.resize(x, (x.shape[0], *size, x.shape[-1]), interpolation, antialias=False)
