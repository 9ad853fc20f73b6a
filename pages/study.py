"""Where links to the page of an earlier name lead: to the Ablation page, with all they carry."""

import streamlit as st

st.switch_page("pages/ablation.py", query_params=st.query_params.to_dict())
