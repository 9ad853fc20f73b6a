"""The bands of a dataset whose values are kept: which, under which names, with which indices.

Beside the pictures of three channels and 8 bits that most datasets hold, a dataset may keep 1 to 16
bands of 8 bits, 16 bits or float as they are. Its :class:`BandSet` lies next to ``dataset.json`` and
with each network trained on it. Bands and indices together are the **channels** that a network sees.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segcore.data.bands.indices import Index, place_indices
from segcore.data.files.borders import foreign_bytes
from segcore.errors import SegcoreError
from segcore.labels import plural

FILE_NAME = "band_set.json"
MAX_CHANNELS = 16
"""Most bands and indices together."""

DTYPES = ("uint8", "uint16", "int16", "float32")
RGB = ("red", "green", "blue")

_NAME = re.compile(r"[^\x00-\x1f\x7f,=:]{1,32}")


@dataclass(frozen=True)
class BandChoice:
    """Which bands of rasters are kept, as asked for.

    Attributes:
        numbers: Numbers in the file, from 1; () for all.
        names: Name of each number, "" for the file's own; () where none is given.
        indices: (name, first band, second band) of each index.
    """

    numbers: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    indices: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class BandSet:
    """The bands that are kept of every raster of a dataset.

    Attributes:
        numbers: Their numbers in the file, from 1.
        names: Their names; "band 4" where nobody named them.
        count: How many bands each file has.
        dtype: Of the files' values, a name in :data:`DTYPES`.
        indices: What is derived from them, channels behind the bands.
    """

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    count: int
    dtype: str
    indices: tuple[Index, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        channels = self.channels
        if (
            not self.numbers
            or len(self.numbers) != len(self.names)
            or len(channels) > MAX_CHANNELS
            or self.dtype not in DTYPES
            or not all(1 <= number <= self.count for number in self.numbers)
            or not all(max(i.first, i.second) < len(self.numbers) for i in self.indices)
            or len({name.casefold() for name in channels}) < len(channels)
        ):
            raise SegcoreError(
                f"Expected 1 to {MAX_CHANNELS} different bands and indices of "
                f"{', '.join(DTYPES)}, received {', '.join(channels) or 'none'} of {self.dtype} "
                f"from {plural(self.count, 'band')}: name others."
            )

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of what a network sees, in order: bands, then indices."""
        return (*self.names, *(index.name for index in self.indices))

    @property
    def rgb(self) -> tuple[int, int, int] | None:
        """Positions of the bands named red, green and blue; None unless all three are there."""
        known = [name.casefold() for name in self.names]
        if not set(known).issuperset(RGB):
            return None
        red, green, blue = (known.index(name) for name in RGB)
        return red, green, blue

    @property
    def sentence(self) -> str:
        """What an image is, in words: "5 channels (red, green, blue, nir, ndvi) of uint16"."""
        return (
            f"{plural(len(self.channels), 'channel')} ({', '.join(self.channels)}) of {self.dtype}"
        )

    def fits(self, other: "BandSet") -> bool:
        """Whether images of another set hold the same channels in the same order and kind."""
        return (
            self.channels == other.channels
            and self.dtype == other.dtype
            and self.indices == other.indices
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping."""
        return {
            "numbers": list(self.numbers),
            "names": list(self.names),
            "count": self.count,
            "dtype": self.dtype,
            "indices": [vars(index) for index in self.indices],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "BandSet":
        """Read what :meth:`to_json` gave.

        Raises:
            SegcoreError: It is something else.
        """
        try:
            return BandSet(
                tuple(int(number) for number in data["numbers"]),
                tuple(str(name) for name in data["names"]),
                int(data["count"]),
                str(data["dtype"]),
                tuple(
                    Index(str(i["name"]), int(i["first"]), int(i["second"]))
                    for i in data["indices"]
                ),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SegcoreError(
                f"Expected the bands of a dataset, received {str(data)[:80]}: import the dataset "
                "again."
            ) from error


def load_band_set(folder: Path) -> BandSet | None:
    """Return the bands that a dataset or run folder keeps; None for ordinary pictures.

    Raises:
        SegcoreError: The file is damaged.
    """
    file = folder / FILE_NAME
    if not file.is_file():
        return None
    with foreign_bytes(f"{file} is damaged: import the dataset again."):
        return BandSet.from_json(json.loads(file.read_bytes()))


def parse_choice(bands: str, indices: tuple[tuple[str, str, str], ...] = ()) -> BandChoice | None:
    """Read which bands are kept with their values: "all", "1,2,3,4,8", "red=3,green=2,nir=4".

    One or three plain numbers are bands to show as a picture, as ever, and so is nothing: they keep
    no values, unless indices are asked for.

    Args:
        bands: What was asked for.
        indices: From :func:`segcore.data.bands.indices.parse_indices`.

    Returns:
        The choice; None where images become pictures.

    Raises:
        SegcoreError: A band is no number from 1 on, stands twice, or they are too many.
    """
    text = bands.strip()
    if text.casefold() == "all" or (not text and indices):
        return BandChoice(indices=indices)
    parts = [part.strip() for part in text.split(",")] if text else []
    if not indices and "=" not in text and len(parts) in (0, 1, 3):
        return None
    pairs = [part.rpartition("=") for part in parts]
    names = tuple(name.strip() for name, _, _ in pairs)
    numbers = [number.strip() for _, _, number in pairs]
    sound = all(n.isascii() and n.isdigit() and 1 <= int(n) <= 9999 for n in numbers)
    if not sound or not all(not name or _NAME.fullmatch(name) for name in names):
        raise SegcoreError(
            "Expected bands counted from 1, with names or without, like all, 1,2,3,4 or "
            f"red=3,green=2,blue=1,nir=4, received {bands[:60]!r}: name them so."
        )
    chosen = tuple(map(int, numbers))
    if len(set(chosen)) < len(chosen) or len(chosen) > MAX_CHANNELS:
        raise SegcoreError(
            f"Expected each band once and at most {MAX_CHANNELS}, received {bands[:60]!r}: leave "
            "some out."
        )
    return BandChoice(chosen, names if any(names) else (), indices)


def settle(
    choice: BandChoice, count: int, dtype: str, described: Sequence[str], name: str
) -> BandSet:
    """Return the bands that a choice keeps of rasters of one kind.

    Args:
        choice: What was asked for.
        count: Bands of a raster.
        dtype: Kind of its values.
        described: What the file calls each of its bands, "" for nothing.
        name: What the file is called, for messages.

    Raises:
        SegcoreError: It has no such band, too many, values of another kind, or an index lacks a
            band.
    """
    numbers = choice.numbers or tuple(range(1, count + 1))
    if max(numbers) > count:
        raise SegcoreError(f"Expected band {max(numbers)} in {name}, it has {count}: name others.")
    if dtype not in DTYPES:
        raise SegcoreError(
            f"Expected bands of {', '.join(DTYPES)}, received {name} with {dtype}: save them as "
            "float32."
        )
    if len(numbers) + len(choice.indices) > MAX_CHANNELS:
        raise SegcoreError(
            f"Expected at most {MAX_CHANNELS} bands and indices, received "
            f"{len(numbers) + len(choice.indices)} in {name}: list the bands to keep "
            "(--bands 2,3,4,8)."
        )
    given = choice.names or ("",) * len(numbers)
    names: list[str] = []
    for number, own in zip(numbers, given, strict=True):
        wanted = own or (described[number - 1] if number <= len(described) else "")
        wanted = re.sub(r"[\x00-\x1f\x7f,=:]", " ", wanted).strip()[:32]
        taken = {name.casefold() for name in names}
        names.append(wanted if wanted and wanted.casefold() not in taken else f"band {number}")
    return BandSet(
        numbers, tuple(names), count, dtype, place_indices(choice.indices, numbers, names)
    )
