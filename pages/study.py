"""Where links to the page of an earlier name lead: to the Ablation page, with all they carry."""

import streamlit as st

query = {name: value for name, value in st.query_params.to_dict().items() if name != "dataset"}
st.switch_page("pages/ablation.py", query_params=query)  # the dataset is the frame's
