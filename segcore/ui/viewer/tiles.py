"""Scenes larger than the browser: the overview comes first, tiles of every scale as they are looked at."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from segcore.errors import SegcoreError
from segcore.ui.viewer.payload import join
from segcore.ui.viewer.script import component

AT_ONCE = 12
"""Tiles sent for one request."""

_tiles = component("segscope_viewer_tiles", "mountTiles")


@dataclass(frozen=True)
class Tiles:
    """Where a viewer takes the parts of its scene from.

    Attributes:
        source: What they are parts of; an equal text means equal tiles.
        height: Rows of the whole scene.
        width: Columns.
        side: Height and width of a tile in its own pixels; less at the far edges.
        levels: How many scales there are: a pixel of level n is 2**n of the scene.
        pack: Gives the packed scene of (level, row, column), with the panels of the viewer's scene.
    """

    source: str
    height: int
    width: int
    side: int
    levels: int
    pack: Callable[[int, int, int], bytes]

    def to_json(self) -> dict[str, Any]:
        """Return what the browser must know of them."""
        return {
            "source": self.source,
            "full": [self.width, self.height],
            "side": self.side,
            "levels": self.levels,
        }


@st.fragment
def bring(tiles: Tiles, key: str) -> None:
    """Send the tiles that a viewer asked for; only this fragment runs for them.

    Args:
        tiles: Where they come from.
        key: Key of the viewer.
    """
    name = f"{key}.tiles"
    sent, failed, why = [], [], ""
    for place in _wanted(name):
        try:
            sent.append((place, tiles.pack(*place)))
        except SegcoreError as error:
            failed.append(place)
            why = str(error)
    header = {
        "viewer": key,
        "source": tiles.source,
        "tiles": [place for place, _ in sent],
        "sizes": [len(packed) for _, packed in sent],
        "failed": failed,
        "why": why,
    }
    _tiles(
        key=name,
        data=join(header, b"".join(packed for _, packed in sent)),
        on_wanted_change=lambda: None,
    )


def _wanted(name: str) -> list[tuple[int, int, int]]:
    """The places that the browser named; anything else it sent is passed over."""
    asked: Any = (st.session_state.get(name) or {}).get("wanted")
    if not isinstance(asked, list):
        return []
    whole = [
        place
        for place in asked[:AT_ONCE]
        if isinstance(place, list) and len(place) == 3 and all(type(n) is int for n in place)
    ]
    return [(level, row, column) for level, row, column in whole]
