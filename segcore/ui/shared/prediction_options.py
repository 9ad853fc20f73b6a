"""How a network should look at images: the options of a prediction, wherever one is launched."""

import streamlit as st

from segcore.catalog import BACKENDS, TEST_TIME_AUGMENTATIONS
from segcore.config import PredictOptions
from segcore.config.using import MAX_OVERLAP


def form(key: str) -> PredictOptions:
    """Draw the options and return them; they stay as they are when the page changes.

    Args:
        key: Beginning of the widgets' names, one of a kind on its page.
    """
    plain = PredictOptions()
    seen = st.segmented_control(
        "The network sees",
        ["The whole image", "Tiles"],
        default="The whole image",
        key=f"{key}_tile",
        required=True,
        persist_state="session",
        help="Whole: the image is resized to the training size. Tiles: it is cut at its own "
        "resolution into overlapping tiles of the "
        "training size, blended with Gaussian weights. Take tiles where the network was "
        "trained at the images' own scale.",
    )
    tile = seen == "Tiles"
    overlap = plain.overlap
    if tile:
        overlap = st.slider(
            "Overlap of tiles",
            0.0,
            MAX_OVERLAP,
            plain.overlap,
            0.05,
            key=f"{key}_overlap",
            persist_state="session",
            help=(
                "Share of a tile that its neighbour repeats. More hides the borders better and "
                "takes longer."
            ),
        )
    tta = st.selectbox(
        "Looks at each image",
        list(TEST_TIME_AUGMENTATIONS),
        format_func=lambda name: TEST_TIME_AUGMENTATIONS[name].title,
        key=f"{key}_tta",
        persist_state="session",
        help="Test-time augmentation: the mean over several views of the image.",
    )
    st.caption(TEST_TIME_AUGMENTATIONS[tta].summary)
    backend = st.selectbox(
        "Computed by",
        list(BACKENDS),
        format_func=lambda name: BACKENDS[name].title,
        key=f"{key}_backend",
        persist_state="session",
    )
    st.caption(BACKENDS[backend].summary)
    return PredictOptions(tile, overlap, tta, backend)


def sentence(options: PredictOptions) -> str:
    """Say in a few words what differs from a plain look; "" where nothing does."""
    told = [f"tiles, {100 * options.overlap:.0f} % overlap"] if options.tile else []
    if options.tta != "none":
        told.append(TEST_TIME_AUGMENTATIONS[options.tta].title.lower())
    if options.backend != "auto":
        told.append(BACKENDS[options.backend].title)
    return ", ".join(told)
