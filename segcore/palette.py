"""Colours for classes that declare none: 150 that stay apart for colour-blind eyes too.

Chosen greedily, farthest first, from a 33 x 33 x 33 grid of sRGB (lightness J' 18..92), starting
from the seven colours of Okabe and Ito (2008). The distance between two colours is the smallest
of their Euclidean distances in CAM02-UCS (Luo, Cui, Li 2006) in four views: normal sight (weight
.55), and full deuteranomaly, protanomaly and tritanomaly (Machado, Oliveira, Fernandes 2009).
So the first n colours are the best n that this walk finds, for every n.
"""

from collections.abc import Sequence
from dataclasses import replace

from segcore.labels import Color, LabelSet, hex_to_color

_CODES = """
0072b2 e69f00 009e73 cc79a7 56b4e9 d55e00 f0e442 480040 103000 80ffd7 685850 280097
dfd7ff 9778ff b7b79f 973070 bf0020 302828 80cf68 6010ff 084848 386010 688080 977848
ffafd7 7810b7 703030 8f9f50 78708f 483068 c7efa7 df00b7 00d7cf b78f8f af97c7 a7c7ff
9f5868 bfefef 50508f 780040 488f08 6880cf cf7070 386078 606840 583800 efc7b7 8fafa7
97ff78 a748f7 184087 ff7050 684058 38bf78 cfafbf b7cf38 c72858 087868 002858 d7cf8f
875897 f780e7 875028 30a7af 601010 3800df 97808f 303850 ff68bf c7d7cf 8060cf 808760
00ef68 c780ff d7a787 bf8f20 8f3800 bfb748 202830 d758df 401818 8fd7e7 485040 a74840
403820 500078 b77830 c7589f 970038 a7cf9f df97ff b70080 a7afcf 585068 5808a7 e7879f
dfe7bf afa768 ef2850 bf00af ffc758 c7bfbf 780880 68a797 583860 4850d7 78bf18 ffd7e7
8f3097 d71880 787830 503040 687078 580838 800820 f72087 ef48c7 58809f 8f8787 3860a7
cfdf80 304830 507850 bfb7e7 b770b7 586860 874030 4087e7 bf80d7 a7df00 80a738 ffa7b7
df97bf 80e79f a75808 b7c7d7 a73058 9fa7af bf6038 80a780 781858 305048 9728c7 8fa7d7
80c7af 703070 af50b7 8fefdf afc780 409fff
"""
PALETTE: tuple[str, ...] = tuple(f"#{code}" for code in _CODES.split())


def default_colors(n: int) -> list[Color]:
    """Return n colours for n classes, in index order; beyond 150 they repeat, half as bright.

    Args:
        n: Number of classes.

    Returns:
        n colours, (red, green, blue), 0..255 each. All differ up to 300.
    """
    colors: list[Color] = []
    for position in range(n):
        red, green, blue = hex_to_color(PALETTE[position % len(PALETTE)])
        shade = min(position // len(PALETTE), 7)
        colors.append((red >> shade, green >> shade, blue >> shade))
    return colors


BACKGROUND: Color = (88, 96, 104)
"""A quiet grey for classes that are no objects: the loudest colours are left to those that are."""

UNLABELED_NAMES = frozenset(("null", "none", "nothing", "unlabeled", "unlabelled"))
BACKGROUND_NAMES = UNLABELED_NAMES | {"background", "_background_", "bg"}


def unlabeled(names: Sequence[str]) -> list[int]:
    """Return the indices of the classes whose names say that nobody labelled them.

    Args:
        names: Class names in index order.
    """
    return [i for i, name in enumerate(names) if name.strip().lower() in UNLABELED_NAMES]


def background(names: Sequence[str]) -> list[int]:
    """Return the indices of the classes whose names say that they are background.

    Args:
        names: Class names in index order.
    """
    return [i for i, name in enumerate(names) if name.strip().lower() in BACKGROUND_NAMES]


def class_colors(names: Sequence[str]) -> list[Color]:
    """Return a colour for each class: the default ones in index order, grey for background.

    Args:
        names: Class names in index order.
    """
    quiet = background(names)
    colors = iter(default_colors(len(names)))
    return [BACKGROUND if i in quiet else next(colors) for i in range(len(names))]


def recolored(labels: LabelSet) -> LabelSet:
    """Return the label set with default colours for scored classes; ignored ones keep theirs."""
    colors = class_colors(labels.class_names)
    return LabelSet(
        tuple(replace(c, color=color) for c, color in zip(labels.classes, colors, strict=True)),
        labels.ignored,
    )
