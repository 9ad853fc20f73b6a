"""The bands that a network was trained on, with their mean and deviation in its training split."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segcore.data.bands.band_set import BandSet
from segcore.data.bands.reading import Values
from segcore.data.files.borders import foreign_bytes
from segcore.errors import SegcoreError

NAME = "learned_bands"
"""Name of its file in a run's folder, without ``.json``."""


@dataclass(frozen=True)
class LearnedBands:
    """Channels as a network takes them.

    Attributes:
        bands: Which.
        mean: Mean of each channel over the training split, in the raster's units.
        std: Its standard deviation; 1 for a channel of one value.
    """

    bands: BandSet
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def fill(self, values: Values) -> Values:
        """Put each channel's mean where it has no value, in place; return the array."""
        gaps = np.isnan(values)
        if gaps.any():
            np.copyto(values, np.asarray(self.mean, np.float32), where=gaps)
        return values

    def check(self, found: BandSet | None, what: str) -> None:
        """Refuse images of other channels than those trained on.

        Args:
            found: Their bands; None for pictures of red, green and blue.
            what: What they are, for the message ("the dataset 'fields'").

        Raises:
            SegcoreError: They are others.
        """
        if found is None or not self.bands.fits(found):
            received = "pictures of red, green and blue" if found is None else found.sentence
            raise SegcoreError(
                f"Expected images of {self.bands.sentence}, as the network was trained on, received "
                f"{what} with {received}: import the images with the same bands and indices, or "
                "train on these."
            )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {"bands": self.bands.to_json(), "mean": list(self.mean), "std": list(self.std)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "LearnedBands":
        """Read what :meth:`to_json` gave.

        Raises:
            SegcoreError: It is something else.
        """
        try:
            bands = BandSet.from_json(data["bands"])
            mean, std = (tuple(map(float, data[name])) for name in ("mean", "std"))
            if not len(mean) == len(std) == len(bands.channels) or min(std) <= 0:
                raise ValueError("a channel lacks its mean")
            return LearnedBands(bands, mean, std)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SegcoreError(
                f"Expected the bands of a network, received {str(data)[:80]}: train it again."
            ) from error


def load_learned(run_folder: Path) -> LearnedBands | None:
    """Return the bands that a run's network was trained on; None for ordinary pictures.

    Raises:
        SegcoreError: The file is damaged.
    """
    file = run_folder / f"{NAME}.json"
    if not file.is_file():
        return None
    with foreign_bytes(f"{file} is damaged: train the run again."):
        return LearnedBands.from_json(json.loads(file.read_bytes()))


def check_alike(one: LearnedBands | None, other: LearnedBands | None) -> None:
    """Refuse networks of different channels where they are to answer for the same image.

    Raises:
        SegcoreError: One takes other channels than the other.
    """
    if (one is None) != (other is None) or (one and other and not one.bands.fits(other.bands)):
        seen = [
            "pictures of red, green and blue" if bands is None else bands.bands.sentence
            for bands in (one, other)
        ]
        raise SegcoreError(
            f"Expected members that take the same channels, received one of {seen[0]} and one of "
            f"{seen[1]}: combine those that were trained on the same bands."
        )


def check_pictures(found: BandSet | None, what: str) -> None:
    """Refuse images whose bands keep their values for a network that takes pictures.

    Raises:
        SegcoreError: They keep them.
    """
    if found is not None:
        raise SegcoreError(
            "Expected pictures of red, green and blue, as the network was trained on, received "
            f"{what} with {found.sentence}: choose a network that was trained on these bands, or "
            "import the images as pictures (--bands 3,2,1)."
        )
