"""The multi-panel mask viewer: image, masks, errors and maps side by side under one zoom."""

from segcore.ui.viewer.component import EVENTS, ViewerResult, show
from segcore.ui.viewer.panels import KINDS, Panel, Scene, TopClasses
from segcore.ui.viewer.payload import MAX_SIDE, pack

__all__ = ["EVENTS", "KINDS", "MAX_SIDE", "Panel", "Scene", "TopClasses", "ViewerResult", "pack", "show"]
