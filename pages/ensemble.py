"""Which members together, and does a CRF help them?"""

import streamlit as st

from segcore.ui.ensemble import crf_image, crf_search, headline, one_network, selection
from segcore.ui.ensemble import members as ensemble_members
from segcore.ui.ensemble import subsets as ensemble_subsets
from segcore.ui.shared import session

workspace = session.workspace()
session.header(
    "Ensemble",
    (
        "Build ensembles and tune a CRF. Scores come from stored probabilities, with 95 "
        "% confidence intervals."
    ),
)

choice, split = selection.choose()
headline.show(choice, split)
members, subsets, single, crf = st.tabs(
    ["Members", "Subsets", "One network", "CRF"],
    key="tab",
    bind="query-params",
    on_change="rerun",
)
if members.open:
    with members:
        ensemble_members.show(choice, split)
if subsets.open:
    with subsets:
        ensemble_subsets.show(choice, split)
if single.open:
    with single:
        one_network.show(choice, split)
if crf.open:
    with crf:
        with session.errors_shown():
            splits = workspace.ensembles.splits(choice.members)
            samples = workspace.crf.stored(choice.members, split)
        if samples:
            crf_image.show(choice, split, samples)
        else:
            st.info(
                (
                    f"No image of {split} has predictions of all members. Run the missing "
                    "predictions on the Members tab."
                ),
                icon=":material/info:",
            )
        crf_search.show(choice, split, splits)
