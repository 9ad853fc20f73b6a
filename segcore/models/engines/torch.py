"""Operations as PyTorch has them: batch normalisation is Keras', sums are over the whole batch."""

from contextlib import nullcontext
from typing import Any

import torch

fused_batch_norm = None
add_bias = None
first_weights = nullcontext


def over_replicas(sums: Any) -> Any:
    """Return an array as it is: PyTorch trains on one device here."""
    return sums


def count_cells(codes: Any, cells: int) -> Any:
    """Count how often each of ``cells`` numbers occurs: (P,) int32 to (cells,) int32.

    Numbers from ``cells`` on are not counted.
    """
    return torch.bincount(codes, minlength=cells + 1)[:cells].to(torch.int32)


def argmax(scores: Any) -> Any:
    """Return the position of the largest of (..., C) scores, the first of equal ones; int32."""
    return torch.argmax(scores, dim=-1).to(torch.int32)


def resize(x: Any, size: tuple[Any, Any], interpolation: str) -> Any:
    """Resize maps (B, h, w, D) with half-pixel centres and without antialiasing.

    Args:
        x: Any floating type.
        size: (H, W).
        interpolation: "bilinear" or "nearest".

    Returns:
        (B, H, W, D).
    """
    planes = x.permute(0, 3, 1, 2)
    if interpolation == "nearest":
        planes = torch.nn.functional.interpolate(planes, size, mode="nearest-exact")
    else:
        planes = torch.nn.functional.interpolate(planes, size, mode="bilinear")
    return planes.permute(0, 2, 3, 1)
