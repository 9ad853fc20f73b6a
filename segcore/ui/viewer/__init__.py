"""The viewer: image, masks, errors and maps under one zoom, and its filmstrip."""

from segcore.ui.viewer import filmstrip
from segcore.ui.viewer.component import EVENTS, Place, ViewerResult, show
from segcore.ui.viewer.editor import SaveAnswer, edit
from segcore.ui.viewer.panels import KINDS, Panel, Scene, TopClasses
from segcore.ui.viewer.payload import MAX_SIDE, pack

__all__ = [
    "EVENTS",
    "KINDS",
    "MAX_SIDE",
    "Panel",
    "Place",
    "SaveAnswer",
    "Scene",
    "TopClasses",
    "ViewerResult",
    "edit",
    "filmstrip",
    "pack",
    "show",
]
