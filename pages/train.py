"""The Train page: configure and start training runs."""

import streamlit as st

from segcore.ui.shared import session
from segcore.ui.train import augmentation_preview, card, form, grid_form, machine_card, presets

workspace = session.workspace()
session.header("Train", "Configure a training run. It runs in the background.")

name = session.choose_dataset()
with session.errors_shown():
    dataset = workspace.datasets.open(name)
if not [split for split in dataset.splits if split]:
    form.offer_splits(name)
    st.stop()

with session.errors_shown():
    presets.enter(name)
left, right = st.columns([5, 3], gap="large")
with left:
    ways = st.container()
    with session.errors_shown():
        config, members, problem = form.form(name)
    with ways:
        presets.choices(config)
        presets.banner(config)
    if config is not None:
        augmentation_preview.preview(config)
        grid_form.grid(config, members)
        with st.expander("CLI command", icon=":material/terminal:"):
            command = workspace.configs.command(config, members)
            st.code(command, language="bash", wrap_lines=True)
with right:
    card.card(config, members, problem)
    machine_card.card()
