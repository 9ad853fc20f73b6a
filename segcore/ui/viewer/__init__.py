"""The viewer: image, masks, errors and maps under one zoom, and its filmstrip."""

from segcore.ui.viewer import filmstrip
from segcore.ui.viewer.component import EVENTS, Place, ViewerResult, show
from segcore.ui.viewer.editor import (
    Asking,
    Decided,
    EditorWork,
    RegionQuestion,
    SaveAnswer,
    edit,
    edit_ahead,
)
from segcore.ui.viewer.panels import KINDS, Panel, Scene, TopClasses
from segcore.ui.viewer.payload import MAX_SIDE, pack
from segcore.ui.viewer.planes import EDIT_SIDE
from segcore.ui.viewer.questions import TOOLS, Question, Suggestion
from segcore.ui.viewer.tiles import Tiles

__all__ = [
    "EDIT_SIDE",
    "EVENTS",
    "KINDS",
    "MAX_SIDE",
    "TOOLS",
    "Asking",
    "Decided",
    "EditorWork",
    "Panel",
    "Place",
    "Question",
    "RegionQuestion",
    "SaveAnswer",
    "Scene",
    "Suggestion",
    "Tiles",
    "TopClasses",
    "ViewerResult",
    "edit",
    "edit_ahead",
    "filmstrip",
    "pack",
    "show",
]
