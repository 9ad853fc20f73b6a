"""What a finished run's network can be taken away as, and who computed a prediction."""

import streamlit as st

from segcore.catalog import EXPORT_FORMATS
from segcore.errors import SegcoreError
from segcore.ui import state


def offer(run: str) -> None:
    """Draw a popover that writes a training run's network in a form of choice, checked by reading it back, and hands it over."""
    with st.popover("Take the network", icon=":material/download:"):
        to = st.selectbox("Form", list(EXPORT_FORMATS), format_func=lambda f: EXPORT_FORMATS[f].title, key="model_form")
        st.caption(EXPORT_FORMATS[to].summary)
        if st.button("Write and check it", icon=":material/task_alt:", key="model_write"):
            try:
                with st.spinner("Loading the network, writing it, reading it back ..."):
                    st.session_state["model_file"] = (run, to, *state.workspace().predictions.exported(run, to))
            except SegcoreError as error:
                st.error(state.plain(str(error)), icon=":material/error:")
        made = st.session_state.get("model_file")
        if made and made[:2] == (run, to) and made[2].is_file():
            st.caption(state.plain(made[3]))
            label = f"Download {made[2].stat().st_size / 1e6:.1f} MB"
            st.download_button(label, made[2].read_bytes, made[2].name, key="model_download", type="primary", on_click="ignore")


def computed_by(run: str) -> None:
    """Say who computed a prediction run, where that is known."""
    try:
        told = state.workspace().runs.open(run).read_json("backend")
    except SegcoreError:
        return
    text = f"Computed by {told.get('name')} in {told.get('precision')}, {told.get('batch_size')} at a time"
    if told.get("agreement") is not None:
        text += f"; {100 * told['agreement']:.2f} % of the first images' pixels got the class that TensorFlow gives them"
    if told.get("note"):
        text += f"; {told['note']}"
    st.caption(state.plain(text))
