"""How is it used, and what does it mean? The documentation, offline."""

import streamlit as st

from segcore.ui.shared import manual, session

titles = manual.pages()
session.workspace()
asked = str(st.query_params.get("doc", manual.FIRST))
heading = st.container()
contents, text = st.columns([1, 3], gap="large")
with contents:
    names = list(titles)
    start = names.index(asked if asked in titles else manual.FIRST)
    page = str(st.radio("Pages", names, start, format_func=titles.__getitem__, key="manual"))
    st.page_link("pages/home.py", label="Go to Start", icon=":material/home:")
st.query_params["doc"] = page
with heading:
    session.header(
        titles[page],
        "The documentation, available offline.",
    )
with text:
    manual.show(page)
