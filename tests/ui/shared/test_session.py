"""The selector of images lists a bounded number, and finds all others by their name."""

import pytest
from streamlit.testing.v1 import AppTest

from segcore.ui.shared import session

PAGE = """
import streamlit as st

from segcore.ui.shared import session

names = [f"drive/{n:05}" for n in range(20_000)]
st.text(session.choose_image(names, "sample", "Image"))
if st.button("next"):
    session.step(names, "sample", 1)
"""


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_string(PAGE, default_timeout=300).run()


def go_to(app, name) -> None:
    """Ask for an image as a link or a step does."""
    app.session_state["sample:requested"] = name
    app.run()
    assert not app.exception and app.text[0].value == name


def test_few_are_listed_around_the_chosen_one(app) -> None:
    assert app.text[0].value == "drive/00000" and len(app.selectbox[0].options) == 400
    go_to(app, "drive/12345")
    assert len(app.selectbox[0].options) == 400 and "drive/12346" in app.selectbox[0].options
    go_to(app, "drive/19999")
    assert len(app.selectbox[0].options) == 400


def test_stepping_leaves_the_list(app) -> None:
    go_to(app, "drive/00399")
    app.button[0].click().run()
    assert not app.exception and app.text[0].value == "drive/00400"


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("drive/19999", "drive/19999"),
        ("7777", "drive/07777"),
        (" DRIVE/012", "drive/01200"),
        ("ve/0001", "drive/00010"),
        ("nothing like it", None),
        ("", None),
    ],
)
def test_a_part_of_a_name_finds_an_image_that_is_not_listed(typed, found) -> None:
    assert session.find_image([f"drive/{n:05}" for n in range(20_000)], typed) == found
