"""Which bands are shown, for datasets whose bands keep their values; one choice for all pages."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from segcore.data.bands.display import FILE_NAME
from segcore.data.dataset.dataset import Dataset
from segcore.ui.shared import session

ONE, THREE = "One as grey", "Red, green, blue"


def choose(name: str, key: str) -> None:
    """Offer the bands to show of a dataset; nothing for one of pictures.

    Args:
        name: Name of the dataset.
        key: Start of the widgets' keys, one for each page.
    """
    bands = session.workspace().bands
    channels = bands.channels(name)
    if not channels:
        return
    shown = [channels[place] for place in bands.display(name).shown]
    with st.popover("Bands shown", icon=":material/layers:"):
        st.caption(
            "For everybody who looks at this dataset. Stretched between percentiles 2 and 98 of the "
            "dataset; networks see all bands, whatever is shown."
        )
        ways = [THREE, ONE] if len(channels) >= 3 else [ONE]
        way = st.radio(
            "Shown as",
            ways,
            index=ways.index(THREE if len(shown) == 3 and THREE in ways else ONE),
            horizontal=True,
            key=f"{key}_{name}_way",
        )
        labels = ("Red", "Green", "Blue") if way == THREE else ("Band",)
        usual = shown if len(shown) == len(labels) else list(channels[: len(labels)])
        picked = [
            str(st.selectbox(label, channels, channels.index(now), key=f"{key}_{name}_{label}"))
            for label, now in zip(labels, usual, strict=True)
        ]
        if st.button("Show", icon=":material/check:", key=f"{key}_{name}_show"):
            _show(name, picked)


def _show(name: str, channels: Sequence[str]) -> None:
    with session.errors_shown():
        session.workspace().bands.show(name, channels)
        st.cache_data.clear()  # pictures of what was shown before
        st.rerun()


def display_stamp(dataset: Dataset) -> str:
    """Return what changes with the bands that are shown; "" for a dataset of pictures."""
    return "" if dataset.bands is None else _stamp(dataset.folder / FILE_NAME)


def _stamp(file: Path) -> str:
    try:
        return str(file.stat().st_mtime_ns)
    except OSError:
        return "0"
