"""What shall learn it?"""

import streamlit as st

from segcore.ui.shared import session
from segcore.ui.shared.command_line import command_line
from segcore.ui.train import augmentation_preview, form, preflight, presets

workspace = session.workspace()
session.header(
    "Train",
    (
        "What shall learn it? Five choices are enough; the rest unfolds. The run goes on when "
        "the browser closes."
    ),
)

name = session.choose_dataset()
with session.errors_shown():
    dataset = workspace.datasets.open(name)
if not [s for s in dataset.splits if s]:
    form.offer_splits(name)
    st.stop()

presets.from_link()
preflight.suggestion(name)
ways = st.container()
with session.errors_shown():
    config, members = form.form(name)
with ways:
    presets.choices(config)
if config is not None:
    augmentation_preview.preview(config)
    preflight.before(config, members)
if (
    st.button(
        "Start training", type="primary", icon=":material/play_arrow:", disabled=config is None
    )
    and config is not None
):
    with session.errors_shown():
        runs = workspace.runs.train(config, members=members)
    st.toast(f"Started {len(runs)} run(s)")
    st.switch_page("pages/runs.py", query_params={"run": runs[0]})
if config is not None:
    preflight.vary(config, members)
    with st.expander("The same from the shell", icon=":material/terminal:"):
        st.code(command_line(config, members), language="bash")
