"""The app, and after it what the server holds for every selector, for the test of the selectors.

Started from a folder beside links to ``pages`` and ``assets``: Streamlit looks for pages there.
"""

import html
import json
import os
import runpy

import streamlit as st

try:
    runpy.run_path(os.environ["SEGSCOPE_APP"], run_name="__main__")
finally:
    held = {key: value for key, value in st.session_state.items() if isinstance(value, (str, list))}
    text = html.escape(json.dumps(held, default=str))
    st.html(f'<pre class="server-state" style="display: none">{text}</pre>')
