"""Plotly figures that two pages draw; without Streamlit, so each can be tested and saved alone."""
