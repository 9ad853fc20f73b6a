"""Streamlit parts that pages share; only pages and the app import them."""
