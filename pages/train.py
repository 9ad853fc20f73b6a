"""What shall learn it?"""

import streamlit as st

from segcore.ui import augmentation_preview, launching, starting, state, training_form

workspace = state.workspace()
state.header("Train", "What shall learn it? Five choices are enough; the rest unfolds. The run goes on when the browser closes.")

name = state.choose_dataset()
with state.errors_shown():
    dataset = workspace.datasets.open(name)
if not [s for s in dataset.splits if s]:
    training_form.offer_splits(name)
    st.stop()

starting.from_link()
launching.suggestion(name)
ways = st.container()
with state.errors_shown():
    config, members = training_form.form(name)
with ways:
    starting.choices(config)
if config is not None:
    augmentation_preview.preview(config)
    launching.before(config, members)
if st.button("Start training", type="primary", icon=":material/play_arrow:", disabled=config is None) and config is not None:
    with state.errors_shown():
        runs = workspace.runs.train(config, members=members)
    st.toast(f"Started {len(runs)} run(s)")
    st.switch_page("pages/runs.py", query_params={"run": runs[0]})
if config is not None:
    launching.vary(config, members)
    with st.expander("The same from the shell", icon=":material/terminal:"):
        st.code(training_form.command_line(config, members), language="bash")
