"""The mask of one image: drawing on it, proposals of runs, its versions, and a list of likely errors."""

import streamlit as st

from segcore.ui.dataset import label_next_exchange as exchange
from segcore.ui.edit import drawing, history, suspected
from segcore.ui.shared import session

session.header("Edit mask", "Draw on the mask of an image; every version is kept.")
name = session.choose_dataset()
with session.errors_shown():
    dataset = session.workspace().datasets.open(name)
if suspected.is_asked():
    sample = suspected.show(dataset)
else:
    sample, proposer = drawing.choose(dataset)
    if any(waiting.id == sample for waiting in dataset.pool):
        exchange.first_mask(dataset, drawing.JOINS)
    drawing.show(dataset, sample, proposer)
if sample:
    with st.expander("Versions of this mask", icon=":material/history:", key="versions"):
        history.show(dataset, sample)
