"""Walking through images in a real browser: at once, in step with the page, and with text as text."""

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser import harness_viewer as harness

pytestmark = pytest.mark.browser

AHEAD = (
    "(image) => [...window.__segviewer.viewer.album.scenes.keys()].some((name) => "
    "name.endsWith(`\\n${image}`))"
)


def painted(page: Page, index: int) -> None:
    page.locator(f'[data-painted="{harness.read_frame(index)[0]}"]').wait_for()


def settled_at(page: Page, index: int) -> None:
    """The page has followed the viewer."""
    painted(page, index)
    expect(page.get_by_text(re.compile("^at "))).to_have_text(f"at {index}")


def hold_back(page):
    """Put a gate on the socket from the server: returns functions that close it and that open it again, all messages in their order."""
    closed, held = [], []

    def connect(socket) -> None:
        socket.connect_to_server().on_message(
            lambda message: held.append((socket, message)) if closed else socket.send(message)
        )

    def open_again() -> None:
        closed.clear()
        for socket, message in held:
            socket.send(message)

    page.route_web_socket(re.compile("_stcore/stream"), connect)
    return lambda: closed.append(True), open_again


def test_the_next_image_is_there_before_the_page_answers(page, viewer_url) -> None:
    close, open_again = hold_back(page)
    page.goto(f"{viewer_url}/?strip=1")
    settled_at(page, 0)
    page.wait_for_function(AHEAD, arg="1")
    page.locator("canvas").first.focus()
    close()
    at_once = page.evaluate("""async () => {
        const frame = () => new Promise((done) => requestAnimationFrame(done));
        const before = window.__segviewer.id;
        window.__segviewer.viewer.step(1);
        for (let i = 0; i < 60 && window.__segviewer.id === before; i++) await frame();
        return [window.__segviewer.id, document.querySelector("[data-testid=stText]").textContent];
    }""")
    assert at_once == [harness.read_frame(1)[0], "at 0"]
    open_again()
    settled_at(page, 1)
    facts = page.evaluate("() => window.__segviewer.probe(200, 100)")
    scene = harness.make_scene(1, 4)
    assert [f["index"] for f in facts[1:]] == [int(p.mask[100, 200]) for p in scene.panels[1:4]]
    page.wait_for_function(AHEAD, arg="2")
    for key in "nnn":  # faster than the page: it ends where the user is
        page.keyboard.press(key)
    settled_at(page, 4)
    page.keyboard.press("p")
    settled_at(page, 3)


def test_the_strip_shows_marks_and_goes(page, viewer_url) -> None:
    page.goto(f"{viewer_url}/?strip=1")
    settled_at(page, 0)
    items = page.locator(".item")
    expect(items).to_have_count(harness.FRAMES)
    for place in range(harness.FRAMES):
        picture = items.nth(place).locator("img")
        expect(picture).to_have_attribute("src", re.compile("^blob:"))
        expect(picture).to_have_css("object-fit", "contain")  # nothing of it is cut off
    assert items.nth(2).locator(".score").inner_text().split() == ["3", "20.0", "%"]
    expect(items.nth(0)).to_have_attribute("aria-selected", "true")
    items.nth(4).click()
    settled_at(page, 4)
    expect(items.nth(4)).to_have_attribute("aria-selected", "true")
    page.locator(".rail").focus()
    page.keyboard.press("ArrowRight")
    settled_at(page, 5)
    page.keyboard.press("Home")
    settled_at(page, 0)


def test_names_that_are_markup_are_shown_as_text(page, viewer_url) -> None:
    page.goto(f"{viewer_url}/?hostile=1")
    page.locator("[data-painted]").wait_for()
    name = harness.hostile(harness.make_scene(0, 4).label_set).class_names[3]
    expect(page.locator(".chip .name", has_text=name)).to_have_count(1)
    rows, columns = np.nonzero(harness.make_scene(0, 4).panels[1].mask == 3)
    frame = page.evaluate("() => window.__segviewer.frame")
    place = len(rows) // 2
    spot = [
        ((v[place] + 0.5) * frame["scale"] + frame[side]) / frame["ratio"]
        for v, side in ((columns, "left"), (rows, "top"))
    ]
    page.locator("canvas").nth(1).hover(position={"x": spot[0], "y": spot[1]})
    expect(page.locator("figcaption").nth(1).locator(".value")).to_have_text(name)
    assert page.evaluate("() => window.__hacked") is None
    assert page.locator(".viewer img").count() == 0
