"""Normalised differences of two bands, such as NDVI and NDWI, computed when an image is read.

    nd(a, b) = (a - b) / (a + b),   0 where a + b = 0,   cut to -1..1

NDVI = nd(near infrared, red): Rouse, Haas, Schell, Deering, "Monitoring vegetation systems in the
Great Plains with ERTS", 3rd ERTS Symposium, NASA SP-351, 1974. NDWI = nd(green, near infrared):
McFeeters, "The use of the Normalized Difference Water Index (NDWI) in the delineation of open water
features", Int. J. Remote Sensing 17(7), 1996. Values of light are never negative, so that no index
leaves -1..1 by itself; bands with negative values would, and are cut.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segcore.errors import SegcoreError

FloatArray = npt.NDArray[np.float32]

KNOWN: dict[str, tuple[str, str]] = {"ndvi": ("nir", "red"), "ndwi": ("green", "nir")}
"""Index name -> names of its two bands."""

NAME_RULE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


@dataclass(frozen=True)
class Index:
    """A normalised difference of two of the kept bands.

    Attributes:
        name: What it is called.
        first: Position of the first band among those kept, from 0.
        second: Position of the second.
    """

    name: str
    first: int
    second: int


def normalised_difference(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return (first - second) / (first + second), 0 where the sum is 0, cut to -1..1.

    Args:
        first: (H, W) float32; NaN where it has no value.
        second: The same of the other band.

    Returns:
        (H, W) float32; NaN where either has no value.
    """
    total = first + second
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(total == 0, np.float32(0), (first - second) / total)
    return np.clip(ratio, -1, 1).astype(np.float32, copy=False)


def parse_indices(text: str) -> tuple[tuple[str, str, str], ...]:
    """Read indices as people write them: "ndvi,ndwi", "ndvi=8:4", "moisture=nir:swir".

    Returns:
        (name, first band, second band) of each; bands by name or by their number in the file.

    Raises:
        SegcoreError: An index is unknown and says no bands, or stands twice.
    """
    found: list[tuple[str, str, str]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, formula = (piece.strip() for piece in part.partition("="))
        if not formula:
            if name.casefold() not in KNOWN:
                raise SegcoreError(
                    f"Expected an index like {', '.join(KNOWN)} or name=first:second, received "
                    f"{part[:60]!r}: name the two bands, for example moisture=nir:swir."
                )
            found.append((name.casefold(), *KNOWN[name.casefold()]))
            continue
        first, _, second = (piece.strip() for piece in formula.partition(":"))
        if not NAME_RULE.fullmatch(name) or not first or not second or ":" in second:
            raise SegcoreError(
                f"Expected an index as name=first:second, received {part[:60]!r}: give it a name "
                "of letters and the two bands, for example moisture=nir:swir."
            )
        found.append((name, first, second))
    names = [name.casefold() for name, _, _ in found]
    if len(set(names)) < len(names):
        raise SegcoreError("Expected each index once, received one twice: leave one out.")
    return tuple(found)


def place_indices(
    wanted: Sequence[tuple[str, str, str]], numbers: Sequence[int], names: Sequence[str]
) -> tuple[Index, ...]:
    """Find the bands of indices among those that are kept.

    Args:
        wanted: From :func:`parse_indices`.
        numbers: The kept bands' numbers in the file, from 1.
        names: Their names.

    Raises:
        SegcoreError: A band is not kept, or an index has the name of a band.
    """
    known = [name.casefold() for name in names]

    def place(band: str, index: str) -> int:
        if band.casefold() in known:
            return known.index(band.casefold())
        if band.isascii() and band.isdigit() and int(band) in numbers:
            return list(numbers).index(int(band))
        raise SegcoreError(
            f"Expected the band {band!r} for the index {index!r}, received the bands "
            f"{', '.join(names)}: name the bands (--bands red=1,nir=4), or give the index by "
            f"numbers ({index}=4:1)."
        )

    for name, first, second in wanted:
        if name.casefold() in known:
            raise SegcoreError(
                f"Expected an index named otherwise than the bands, received {name!r}: rename one."
            )
        if first == second:
            raise SegcoreError(
                f"Expected two different bands for the index {name!r}, received {first} twice: "
                "name another."
            )
    return tuple(Index(name, place(a, name), place(b, name)) for name, a, b in wanted)
