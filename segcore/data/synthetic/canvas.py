"""The canvas of a scene: a picture and its labels, painted together so that they stay in step."""

import cv2
import numpy as np
import numpy.typing as npt

from segcore.data.synthetic.layout import Points
from segcore.data.synthetic.textures import FloatImage, Rgb, spread

FIELD, GRASSLAND, FOREST, SHRUB, WATER, ROAD, TRACK, ROOF, GREENHOUSE, VEHICLE, SOIL, ORCHARD = (
    range(12)
)
VOID = 255


class Canvas:
    """A picture and its labels, painted together.

    Attributes:
        size: (H, W).
        picture: (H, W, 3) float32 RGB, about 0..255.
        labels: (H, W) uint8 class indices.
        taken: (H, W) bool, where roads, water or buildings already stand.
        origin: (2,) x, y of this canvas's corner in the whole frame.
    """

    def __init__(
        self,
        picture: FloatImage,
        labels: npt.NDArray[np.uint8],
        taken: npt.NDArray[np.bool_],
        origin: Points,
    ) -> None:
        """Keep the given arrays; they are painted in place."""
        self.size = (labels.shape[0], labels.shape[1])
        self.picture, self.labels, self.taken, self.origin = picture, labels, taken, origin

    @staticmethod
    def blank(size: tuple[int, int]) -> "Canvas":
        """Begin with an empty frame of grassland, (H, W) pixels."""
        labels = np.full(size, GRASSLAND, np.uint8)
        return Canvas(
            np.zeros((*size, 3), np.float32),
            labels,
            np.zeros(size, np.bool_),
            np.zeros(2, np.float32),
        )

    def window(self, points: Points, margin: float) -> "Canvas":
        """Return the part around some points as a canvas of its own that paints into this one.

        Args:
            points: (N, 2) x, y in this canvas.
            margin: Pixels around them.

        Returns:
            The part, cut at this canvas's rim; its size has a 0 when the points lie outside.
        """
        height, width = self.size
        low = np.clip(np.floor(points.min(0) - margin), 0, [width, height]).astype(int)
        high = np.clip(np.ceil(points.max(0) + margin) + 1, low, [width, height]).astype(int)
        part = (slice(low[1], high[1]), slice(low[0], high[0]))
        return Canvas(
            self.picture[part],
            self.labels[part],
            self.taken[part],
            self.origin + low.astype(np.float32),
        )

    def paint(
        self, cover: FloatImage, surface: FloatImage | Rgb, label: int | None, take: bool = False
    ) -> None:
        """Draw a surface where ``cover`` (H, W, 0..1) says; labels where it exceeds half."""
        self.picture += spread(cover) * (np.asarray(surface, np.float32) - self.picture)
        if label is not None:
            self.labels[cover > 0.5] = label
        if take:
            self.taken |= cover > 0.05

    def darken(self, shadow: FloatImage, strength: float) -> None:
        """Multiply the picture by a shadow, bluish as skylight is; ``shadow`` is (H, W) in 0..1."""
        red, green, blue = (
            1 - shadow * np.float32(strength * share) for share in (1.0, 0.95, 0.82)
        )
        self.picture *= np.asarray(cv2.merge([red, green, blue]), np.float32)
