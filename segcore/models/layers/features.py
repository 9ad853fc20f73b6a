"""What an encoder passes to a decoder."""

from dataclasses import dataclass
from typing import Any

STRIDES = (2, 4, 8, 16, 32)


@dataclass(frozen=True, eq=False)
class Features:
    """An image seen at every scale.

    Attributes:
        image: The scaled image as the encoder saw it, (B, H, W, 3) float32.
        taps: Stride to tensor (B, H/stride, W/stride, D), fine to coarse. The strides 2, 4, 8, 16
            and 32 are always there (:func:`segcore.models.encoders.encoders.build_encoder` states
            how a gap is filled); 1 is there only where the encoder works at full resolution.
    """

    image: Any
    taps: dict[int, Any]

    def __getitem__(self, stride: int) -> Any:
        """Return the tensor at a stride."""
        return self.taps[stride]

    def get(self, stride: int) -> Any | None:
        """Return the tensor at a stride, or None where the encoder has none (stride 1 only)."""
        return self.taps.get(stride)

    def at_most(self, filters: int) -> int:
        """Return ``filters``, capped by the encoder's width at stride 16."""
        return min(filters, self.taps[16].shape[-1])
