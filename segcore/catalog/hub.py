"""Encoders of KerasHub, where it is installed: names "hub:<preset>" and "hub:<class>".

Its presets are read from its source without importing it: importing it imports an engine, which
takes seconds and which a page must never wait for.
"""

import ast
import importlib.util
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from segcore.catalog.networks import ENCODERS, Encoder

PREFIX = "hub:"
LARGEST = 500.0
"""Millions of parameters; presets beyond are no encoders for one machine and are not listed."""

GATED = "_plus_"
"""In the names of DINOv3 presets with gated dense layers, which are not listed either."""

FAMILIES = {
    "cspnet": ("CSPNetBackbone", "Wang et al.: CSPNet, CVPR Workshops 2020", 2020),
    "densenet": ("DenseNetBackbone", "Huang et al.: DenseNet, CVPR 2017", 2017),
    "dinov2": ("DINOV2Backbone", "Oquab et al.: DINOv2, TMLR 2024", 2024),
    "dinov3": ("DINOV3Backbone", "Siméoni et al.: DINOv3, 2025", 2025),
    "efficientnet": ("EfficientNetBackbone", "Tan, Le: EfficientNet, ICML 2019", 2019),
    "mit": ("MiTBackbone", "Xie et al.: SegFormer, NeurIPS 2021", 2021),
    "resnet": ("ResNetBackbone", "He et al.: Bag of tricks, CVPR 2019", 2019),
}
"""Its families of feature pyramids: folder in its source -> (class, paper, year)."""

_NAME = re.compile(r"hub:[A-Za-z0-9][A-Za-z0-9_.-]*")


def is_hub(encoder: str) -> bool:
    """Return whether an encoder's name is one of KerasHub's."""
    return _NAME.fullmatch(encoder) is not None


def is_class(encoder: str) -> bool:
    """Return whether a name is that of a class, whose shape a preset folder gives."""
    return is_hub(encoder) and encoder.endswith("Backbone")


class EncoderTable(Mapping[str, Encoder]):
    """Every encoder by name: the catalogue's, and those of KerasHub.

    It lists what is installed, and knows every well-formed name of KerasHub: a run that another
    machine trained with one stays readable where it is not installed.
    """

    def __getitem__(self, name: str) -> Encoder:
        """Return a row; of a KerasHub name that is not listed a row without a size."""
        if name in ENCODERS:
            return ENCODERS[name]
        if not is_hub(name):
            raise KeyError(name)
        return _listed().get(name) or _row(name, "", 0.0, "", 0)

    def __iter__(self) -> Iterator[str]:
        """Go through the catalogue's names, then those of the installed KerasHub."""
        yield from ENCODERS
        yield from _listed()

    def __len__(self) -> int:
        """Return how many are listed."""
        return len(ENCODERS) + len(_listed())


ALL_ENCODERS = EncoderTable()


@lru_cache(maxsize=1)
def _listed() -> dict[str, Encoder]:
    """Return the rows of the installed KerasHub, presets and classes, by name."""
    try:
        spec = importlib.util.find_spec("keras_hub")
    except ValueError:  # half-installed
        spec = None
    if spec is None or spec.origin is None:
        return {}
    rows: dict[str, Encoder] = {}
    for folder, (kind, paper, year) in FAMILIES.items():
        file = Path(spec.origin).parent / "src" / "models" / folder / f"{folder}_presets.py"
        for preset, metadata in _presets(file).items():
            millions = float(metadata.get("params", 0)) / 1e6
            if 0 < millions <= LARGEST and GATED not in preset:
                text = str(metadata.get("description", kind))
                rows[PREFIX + preset] = _row(PREFIX + preset, text, millions, paper, year)
        text = f"{kind} of KerasHub, its shape read from a preset folder."
        rows[PREFIX + kind] = _row(PREFIX + kind, text, 0.0, paper, year)
    return rows


def _presets(file: Path) -> dict[str, dict[str, Any]]:
    """Return the metadata of the presets that a source file declares; {} where it is not as known."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return {}
    found: dict[str, dict[str, Any]] = {}
    for statement in tree.body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Dict):
            continue
        try:
            entries = ast.literal_eval(statement.value)
        except ValueError:  # a dictionary that is put together from others
            continue
        for name, entry in entries.items():
            if isinstance(entry, dict) and isinstance(entry.get("metadata"), dict):
                found[str(name)] = entry["metadata"]
    return found


def _row(name: str, text: str, millions: float, paper: str, year: int) -> Encoder:
    plain = " ".join(text.split())
    summary = plain if len(plain) <= 140 else f"{plain[:136].rsplit(' ', 1)[0]} ..."
    like = _like(millions)
    return Encoder(
        f"{name.removeprefix(PREFIX)} (KerasHub)",
        summary or "An encoder of KerasHub.",
        paper,
        year=year,
        imagenet=False,
        parameters=millions,
        recipe="hub",
        cost=like.cost,
        width=like.width,
    )


def _like(millions: float) -> Encoder:
    """Return the catalogue's encoder whose size is nearest: its cost stands for one not measured."""
    return min(ENCODERS.values(), key=lambda row: abs(row.parameters - (millions or 25.0)))
