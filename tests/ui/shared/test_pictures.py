"""Pages of pictures open where they should, and only the widget sets its own value."""

from streamlit.testing.v1 import AppTest

SCRIPT = """
import streamlit as st
from segcore.ui.shared.pictures import choose_page

st.write(f"page {choose_page(3, 'many', start=st.session_state.get('start', 1))}")
st.write(f"page {choose_page(1, 'one', start=1)}")
"""


def test_the_first_page_is_asked_for_once_and_stays_the_widgets_own() -> None:
    at = AppTest.from_string(SCRIPT)
    at.session_state["start"] = 3
    at.run()
    assert not at.exception and [m.value for m in at.markdown] == ["page 3", "page 1"]
    (widget,) = at.get("pagination")
    assert widget.proto.default == 3 and not widget.proto.set_value
    at.session_state["start"] = 2  # another image is picked: the page of thumbnails stays
    assert at.run().markdown[0].value == "page 3"
