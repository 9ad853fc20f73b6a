"""How is it used, and what does it mean? The documentation, offline."""

import streamlit as st

from segcore.ui.shared import manual, session

STYLE = """<style>
.st-key-contents [data-testid="stPageLink"] p { white-space: normal; }
.st-key-contents [data-testid="stPageLink"] a:not(:hover) { background: none; }
</style>"""
"""Links that all lead to this page look alike; the one that is read is bold."""

titles = manual.pages()
session.workspace()
asked = str(st.query_params.get("doc", manual.FIRST))
page = asked if asked in titles else manual.FIRST
session.header(titles[page], "The documentation, available offline.")
st.html(STYLE)
contents, text = st.columns([2, 5], gap="large")
with contents, st.container(gap="xxsmall", key="contents"):
    words = st.text_input(
        "Search",
        key="guide_search",
        placeholder="Search the documentation",
        icon=":material/search:",
        label_visibility="collapsed",
    )
    found = manual.search(words or "")
    if words and not found:
        st.caption("No page contains all of these words.")
    groups = {"Found": [name for name, _ in found]} if words else manual.groups()
    for group, names in groups.items():
        if not names:
            continue
        st.markdown(f"**{group}**")
        for name in names:
            line = dict(found).get(name, "")
            st.page_link(
                "pages/guide.py",
                label=f"**{titles[name]}**" if name == page else titles[name],
                query_params={"doc": name},
                help=session.plain(line[:200]) if line else None,
            )
    st.page_link("pages/home.py", label="Go to Start", icon=":material/home:")
with text:
    manual.show(page)
