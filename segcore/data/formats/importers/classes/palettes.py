"""Whether palette masks number their colours alike: one index must mean one thing in all files."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segcore.data.files.images import open_image
from segcore.data.files.masks import palette_colors
from segcore.data.files.scanning import Progress, scan
from segcore.data.formats.importers.classes.codes import code_color
from segcore.errors import SegcoreError
from segcore.labels import color_to_hex


@dataclass
class UsedColors:
    """The colours of the indices that palette masks use.

    Attributes:
        of_index: Index to colours (0xRRGGBB), each with the first file in which it has it.
        of_color: Colour to indices, each with the first file.
        twins: Pairs of indices that show one colour in one file: there the colour tells nothing.
    """

    of_index: dict[int, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    of_color: dict[int, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    twins: set[tuple[int, int]] = field(default_factory=set)

    def add(self, name: str, colors: dict[int, int]) -> None:
        """Take in the used indices of one file with their colours."""
        for index, color in colors.items():
            self.of_index[index].setdefault(color, name)
            self.of_color[color].setdefault(index, name)
        by_color: dict[int, list[int]] = defaultdict(list)
        for index, color in sorted(colors.items()):
            self.twins.update((other, index) for other in by_color[color])
            by_color[color].append(index)

    @property
    def disagreement(self) -> str:
        """Say with two files how they disagree; "" where they agree."""
        for index, colors in sorted(self.of_index.items()):
            if len(colors) > 1:
                (one, first), (two, second) = list(colors.items())[:2]
                return f"index {index} is {_hex(one)} in {first} and {_hex(two)} in {second}"
        for color, indices in sorted(self.of_color.items()):
            ordered = sorted(indices)
            for i, one in enumerate(ordered):
                for two in ordered[i + 1 :]:
                    if (one, two) not in self.twins:
                        return (
                            f"{_hex(color)} has the index {one} in {indices[one]} and {two} in "
                            f"{indices[two]}"
                        )
        return ""


def survey_palettes(files: Sequence[Path], progress: Progress | None = None) -> UsedColors:
    """Gather the colours of used indices; where all files carry one palette, nothing is decoded.

    Args:
        files: Palette masks; damaged ones are passed over.
        progress: Called with (done, total, what).
    """
    used = UsedColors()
    if len(set(scan(_raw_palette, files, None, progress, "comparing palettes"))) > 1:
        for file, colors in zip(
            files, scan(palette_colors, files, None, progress, "comparing palettes"), strict=True
        ):
            used.add(file.name, colors)
    return used


def _raw_palette(file: Path) -> bytes:
    try:
        with open_image(file) as image:
            return bytes(image.palette.palette) if image.palette else b""
    except SegcoreError:
        return b""


def _hex(code: int) -> str:
    return color_to_hex(code_color(code))
