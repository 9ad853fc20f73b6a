"""The frame: page settings, navigation, the dataset switch and the workspace in the sidebar."""

import streamlit as st

from segcore.ui.frame import collector, frame
from segcore.ui.shared import login, session

st.set_page_config(
    page_title="Segscope",
    page_icon="assets/icon.png",
    layout="wide",
    initial_sidebar_state="locked",
)
st.logo("assets/icon.png", icon_image="assets/icon.png", size="large")

navigation = st.navigation(
    {
        "": [st.Page("pages/home.py", title="Start", icon=":material/home:", default=True)],
        "Data": [
            st.Page("pages/dataset.py", title="Dataset", icon=":material/photo_library:"),
            st.Page("pages/balance.py", title="Balance", icon=":material/balance:"),
            st.Page("pages/edit.py", title="Edit mask", visibility="hidden"),
        ],
        "Train": [
            st.Page("pages/train.py", title="Train", icon=":material/model_training:"),
            st.Page("pages/tune.py", title="Tune", icon=":material/tune:"),
            st.Page("pages/ablation.py", title="Ablation", icon=":material/science:"),
            st.Page("pages/runs.py", title="Runs", icon=":material/monitoring:"),
        ],
        "Evaluate": [
            st.Page("pages/compare.py", title="Compare", icon=":material/view_column:"),
            st.Page("pages/predict.py", title="Predict", icon=":material/image_search:"),
            st.Page("pages/evaluate.py", title="Evaluate", icon=":material/fact_check:"),
            st.Page("pages/ensemble.py", title="Ensemble", icon=":material/join:"),
            st.Page("pages/compress.py", title="Compress", icon=":material/compress:"),
        ],
        "Help": [
            st.Page("pages/guide.py", title="Guide", icon=":material/menu_book:"),
            st.Page("pages/study.py", title="Study", visibility="hidden"),
        ],
    },
    expanded=True,
    position="sidebar" if login.is_open() else "hidden",
)
frame.style()
login.gate(navigation.url_path)
frame.translate_link(navigation.url_path)
frame.sidebar(navigation.url_path)
with session.errors_shown():
    navigation.run()
collector.spare_imports()
