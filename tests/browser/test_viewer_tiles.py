"""A scene larger than the browser: every place at every zoom shows its own pixels, and few tiles are held."""

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.browser import harness_viewer as harness
from tests.browser.viewing import hook, settle, wait_painted

pytestmark = pytest.mark.browser

HEIGHT, WIDTH = harness.GREAT


@pytest.fixture
def great(page: Page, viewer_url: str) -> Page:
    page.goto(f"{viewer_url}/?tiles=1")
    wait_painted(page, f"great 0 0 {harness.OVERVIEW}")
    return page


def look_at(page: Page, row: int, column: int, scale: float) -> None:
    """Bring a pixel of the scene into the middle, ``scale`` CSS pixels wide, and wait for its tiles."""
    page.evaluate(
        """([x, y, scale]) => {
            const { viewer } = window.__segviewer;
            window.placeBefore = viewer.mosaic.wanted;
            Object.assign(viewer.state.view, { x, y });
            viewer.zoomBy((scale * viewer.scene.detail) / viewer.camera.scale);
        }""",
        [(column + 0.5) / WIDTH, (row + 0.5) / HEIGHT, scale],
    )
    page.wait_for_function(
        """() => {
            const { wanted } = window.__segviewer.viewer.mosaic;
            return wanted !== window.placeBefore && wanted.length === 0;
        }""",
        timeout=60_000,
    )
    settle(page)


def middle(page: Page, panel: int) -> np.ndarray:
    """The pixel in the middle of a panel, (3,) int."""
    x, y = page.evaluate(
        """() => {
            const { viewer, frame } = window.__segviewer;
            const { view } = viewer.state;
            return [view.x * viewer.scene.width * frame.scale + frame.left, view.y * viewer.scene.height * frame.scale + frame.top];
        }"""
    )
    return np.array(hook(page, f"panelPixels({panel}, {int(x)}, {int(y)}, 1, 1)")[:3])


def test_any_place_shows_its_own_pixels_at_full_resolution(great: Page) -> None:
    colors = [c.color for c in harness.drawn_labels().classes]
    great.evaluate("() => window.__segviewer.viewer.change({ opacity: 1 })")
    for row, column in ((10_050, 15_050), (19_950, 29_950), (7_149, 20_111), (650, 23_999)):
        look_at(great, row, column, 6)
        expected = harness.great_part(row, column, 1, 1, 1)
        shown = middle(great, 0)[:2]  # red and green change slowly: JPEG keeps them
        assert np.abs(shown - expected.image[0, 0, :2].astype(int)).max() <= 24, (row, column)
        assert tuple(middle(great, 1)) == colors[harness.great_class(row, column)]
        fact = hook(great, f"probe({(column + 0.5) / 20}, {(row + 0.5) / 20})")[1]
        assert fact["index"] == harness.great_class(row, column)
    assert hook(great, "viewer.toolbar.zoom.textContent") == "600 %"


def test_coarser_tiles_come_between_and_the_overview_needs_none(great: Page) -> None:
    assert hook(great, "viewer.mosaic.parts.size") == 0
    for scale, level in ((0.25, 2), (0.5, 1), (1, 0)):
        look_at(great, 9_000, 9_000, scale / hook(great, "frame.ratio"))
        names = great.evaluate("() => [...window.__segviewer.viewer.mosaic.parts.keys()]")
        assert any(name.startswith(f"{level}/") for name in names)
    great.get_by_role("button", name="100 % (1)").click()
    settle(great)
    assert hook(great, "viewer.toolbar.zoom.textContent") == "100 %"


def test_a_click_and_the_crosshair_name_pixels_of_the_whole_scene(great: Page) -> None:
    look_at(great, 12_345, 23_456, 8)
    canvas = great.locator("canvas").nth(1)
    at = great.evaluate(
        """() => {
            const { viewer } = window.__segviewer;
            const { view } = viewer.state;
            return [viewer.camera.width / 2, viewer.camera.height / 2];
        }"""
    )
    canvas.click(position={"x": at[0], "y": at[1]})
    great.get_by_text("pixel (23456, 12345)").wait_for()
    canvas.press("Shift+ArrowRight")
    assert "x 23457, y 12345" in great.locator(".status").inner_text()


def test_walking_far_keeps_few_tiles_and_what_cannot_be_read_is_said(great: Page) -> None:
    for step in range(12):
        look_at(great, 1_000 + 1_500 * step, 1_000 + 2_300 * step, 1)
    most = great.evaluate("() => window.__segviewer.viewer.mosaic.parts.size")
    assert 20 < most <= 100
    great.evaluate(
        """() => {
            const { viewer } = window.__segviewer;
            Object.assign(viewer.state.view, { x: 0, y: 0 });
            viewer.repaint();
        }"""
    )
    said = "window.__segviewer.viewer.notice.textContent"
    great.wait_for_function(f"() => {said} === 'This corner cannot be read.'")
    great.wait_for_function(
        f"""() => {{
            window.__segviewer.viewer.mosaic.request([[99, 0, 0], ['x'], 7]); // a rerun may swallow one
            return {said} === 'Expected a tile, received another.';
        }}""",
        polling=500,
    )
