"""The component in an app without a browser: what is mounted, sent, and returned."""

import base64
import json
import re
import struct
import zlib

import pytest
from streamlit.testing.v1 import AppTest

from segcore.errors import SegcoreError
from segcore.ui.viewer import component

SCRIPT = """
import numpy as np
import streamlit as st

from segcore.labels import LabelClass, LabelSet
from segcore.ui import viewer

labels = LabelSet((LabelClass(0, "a", (0, 0, 0)), LabelClass(1, "b", (255, 0, 0))))
image = np.zeros((12, 16, 3), np.uint8)
scene = viewer.Scene("sample", image, (viewer.Panel("Image", "image"),), labels)
result = viewer.show(scene, key="v", state=st.query_params.get("view"), listen=("step", "pixel"))
if result.share:
    st.query_params["view"] = result.share
st.text(f"{result.share} {result.step} {result.pixel} {result.label}")
"""


def app() -> AppTest:
    return AppTest.from_string(SCRIPT, default_timeout=300)


def settings_of(at: AppTest) -> dict:
    data = at.get("bidi_component")[0].proto.bytes
    (length,) = struct.unpack_from("<I", data)
    return json.loads(data[4 : 4 + length])


def test_it_mounts_and_sends_its_settings() -> None:
    at = app().run()
    assert not at.exception
    assert settings_of(at) == {
        "key": "v",
        "state": None,
        "link": "view",
        "listen": ["pixel", "step"],
    }
    assert at.text[0].value == "None 0 None None"


def test_a_link_opens_the_view_and_a_new_link_sends_nothing_again() -> None:
    at = app()
    at.query_params["view"] = "x0.2_z3"
    at.run()
    before = at.get("bidi_component")[0].proto.bytes
    assert settings_of(at)["state"] == "x0.2_z3"
    at.session_state["v"]["share"] = "x0.7_z9"  # what "Copy link" sets
    at.run()
    assert at.text[0].value.startswith("x0.7_z9 ")
    assert at.query_params["view"] in ("x0.7_z9", ["x0.7_z9"])
    at.run()
    assert at.get("bidi_component")[0].proto.bytes == before


def test_an_unknown_event_is_refused() -> None:
    with pytest.raises(SegcoreError, match="Unknown viewer event 'pixels': did you mean 'pixel'"):
        component.show(b"", key="v", listen=("step", "pixels"))


def test_the_script_travels_whole_small_and_apart_from_the_pictures() -> None:
    shown, script = (element.proto for element in app().run().get("bidi_component"))
    assert len(shown.js_content) < 400
    assert len(script.js_content) < 64_000  # sent once
    assert not script.bytes  # so it never changes, and is sent once
    source = zlib.decompress(
        base64.b64decode(re.search(r'atob\("([^"]+)"\)', script.js_content)[1])
    ).decode()
    for name in component.SCRIPTS:
        code = [line.strip() for line in (component.FOLDER / name).read_text().splitlines()]
        assert "\n".join(line for line in code if line and not line.startswith("//")) in source
    files = {str(p.relative_to(component.FOLDER)) for p in component.FOLDER.rglob("*.js")}
    assert files == set(component.SCRIPTS)


@pytest.mark.parametrize(
    "path",
    [*component.FOLDER.glob("*.js"), component.FOLDER / "viewer.css"],
    ids=lambda path: path.name,
)
def test_nothing_comes_from_elsewhere_and_text_stays_text(path) -> None:
    text = path.read_text()
    assert set(re.findall(r"https?://[^\"'\s]+", text)) <= {
        "http://www.w3.org/2000/svg"
    }  # a namespace, never fetched
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|@import|url\(", text
    )
    assert len(text.splitlines()) < 400
