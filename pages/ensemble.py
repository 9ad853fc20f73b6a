"""Which members together, and does a CRF help them?"""

import streamlit as st

from segcore.ui import crf_image, crf_split, ensemble_choice, ensemble_members, ensemble_subsets, state

workspace = state.workspace()
state.header(
    "Ensemble", "Which members together, and does a CRF help them? Scores come from stored probabilities, with intervals over images."
)

choice = ensemble_choice.choose()
members, subsets, crf = st.tabs(["Members", "Subsets", "CRF"], key="tab", bind="query-params", on_change="rerun")
if members.open:
    with members:
        ensemble_members.show(choice)
if subsets.open:
    with subsets:
        ensemble_subsets.show(choice)
if crf.open:
    with crf:
        with state.errors_shown():
            splits = workspace.ensembles.splits(choice.members)
        with state.errors_shown():  # validation, where settings are chosen, unless another alone was predicted
            shown = next((s for s in ("validation", *splits) if s in splits and workspace.crf.stored(choice.members, s)), "validation")
        split = state.choose_split(splits, default=shown, key="crf_lab_split")
        with state.errors_shown():
            samples = workspace.crf.stored(choice.members, split)
        if samples:
            crf_image.show(choice, split, samples)
        else:
            st.info(f"No image of {split} was predicted by all members: predict what is missing on the first tab.", icon=":material/info:")
        crf_split.show(choice, split, splits)
