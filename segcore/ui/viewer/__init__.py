"""The viewer: image, masks, errors and maps under one zoom, and its filmstrip."""

from segcore.ui.viewer import filmstrip
from segcore.ui.viewer.component import EVENTS, Place, ViewerResult, show
from segcore.ui.viewer.editor import (
    Decided,
    EditorWork,
    RegionQuestion,
    SaveAnswer,
    edit,
    edit_ahead,
)
from segcore.ui.viewer.panels import KINDS, Panel, Scene, TopClasses
from segcore.ui.viewer.payload import MAX_SIDE, pack

__all__ = [
    "EVENTS",
    "KINDS",
    "MAX_SIDE",
    "Decided",
    "EditorWork",
    "Panel",
    "Place",
    "RegionQuestion",
    "SaveAnswer",
    "Scene",
    "TopClasses",
    "ViewerResult",
    "edit",
    "edit_ahead",
    "filmstrip",
    "pack",
    "show",
]
