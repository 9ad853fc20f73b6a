"""Messages for the page: what they say of the shell's options becomes the page's own fields."""

import re

from segcore.config import TrainConfig
from segcore.config.schema import settings

FIELDS = {
    "masks": "Mask folder",
    "images": "Image folder",
    "mask-suffix": "Mask suffix",
    "match": "Matching regex",
    "bands": "GeoTIFF bands",
    "indices": "Indices",
    "windows": "Window size",
    "class-field": "Class attribute",
    "many-classes": "Each number is a class",
    "partial": "Skip images without a valid prediction",
    "values": "Mask encoding",
    "dataset": "Dataset",
    "run": "Run",
}
"""Titles of fields by option: those of the import, and of what pages ask for in other words."""

_OPTION = re.compile(r"--([a-z][a-z-]+)(?:[ =]_?[A-Z]+\b(?![-/=]))?=?")
_SHELL = re.compile(r" \((?:in the shell|segscope) [^)]*\)")


def on_page(message: str) -> str:
    """Return a message with options named by the fields of the page, and hints for the shell left out.

    Args:
        message: A sentence that names options as the shell writes them: "name it (--masks FOLDER)".
    """
    titles = {one.flag[2:]: one.option.title for one in settings(TrainConfig).values()} | FIELDS

    def title(found: re.Match[str]) -> str:
        known = titles.get(found[1])
        if known is None:
            return found[0]
        return f"{known} " if found[0].endswith("=") else known

    return _OPTION.sub(title, _SHELL.sub("", message))
