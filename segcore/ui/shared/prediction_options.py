"""How a network should look at images: the options of a prediction, wherever one is launched."""

import streamlit as st

from segcore.catalog import BACKENDS, TEST_TIME_AUGMENTATIONS
from segcore.config import PredictOptions
from segcore.config.using import MAX_OVERLAP
from segcore.ui.shared import session


def form(key: str) -> PredictOptions:
    """Draw the options and return them; they stay as they are when the page changes.

    Args:
        key: Beginning of the widgets' names, one of a kind on its page.
    """
    plain = PredictOptions()
    input_kind = st.segmented_control(
        "Input",
        ["Whole image", "Tiles"],
        default="Whole image",
        key=f"{key}_tile",
        required=True,
        persist_state="session",
        help=(
            "Whole image: resized to the training size. Tiles: cut at native resolution "
            "into overlapping tiles of the training size and blended with Gaussian weights. "
            "Use tiles for models trained at the images' native scale."
        ),
    )
    tile = input_kind == "Tiles"
    overlap = plain.overlap
    if tile:
        overlap = st.slider(
            "Tile overlap",
            0.0,
            MAX_OVERLAP,
            plain.overlap,
            0.05,
            key=f"{key}_overlap",
            persist_state="session",
            help=(
                "Fraction of a tile that its neighbour repeats. More overlap hides tile edges "
                "better but takes longer."
            ),
        )
    tta = st.selectbox(
        "Test-time augmentation",
        list(TEST_TIME_AUGMENTATIONS),
        format_func=lambda name: TEST_TIME_AUGMENTATIONS[name].title,
        key=f"{key}_tta",
        persist_state="session",
        help="Averages the predictions of several views of the image.",
    )
    st.caption(TEST_TIME_AUGMENTATIONS[tta].summary)
    usable = session.workspace().runs.backends()
    backend = st.selectbox(
        "Backend",
        [name for name in BACKENDS if name in usable],
        format_func=lambda name: BACKENDS[name].title,
        key=f"{key}_backend",
        persist_state="session",
    )
    st.caption(BACKENDS[backend].summary)
    return PredictOptions(tile, overlap, tta, backend)


def sentence(options: PredictOptions) -> str:
    """Say in a few words what differs from a plain look; "" where nothing does."""
    parts = [options.views()] if options.tile or options.tta != "none" else []
    if options.backend != "auto":
        parts.append(BACKENDS[options.backend].title)
    return ", ".join(parts)
