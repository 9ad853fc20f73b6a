"""The multi-panel mask viewer: image, masks, errors and maps side by side under one zoom, and the filmstrip that walks through a split."""

from segcore.ui.viewer import filmstrip
from segcore.ui.viewer.component import EVENTS, Place, ViewerResult, show
from segcore.ui.viewer.panels import KINDS, Panel, Scene, TopClasses
from segcore.ui.viewer.payload import MAX_SIDE, pack

__all__ = [
    "EVENTS",
    "KINDS",
    "MAX_SIDE",
    "Panel",
    "Place",
    "Scene",
    "TopClasses",
    "ViewerResult",
    "filmstrip",
    "pack",
    "show",
]
