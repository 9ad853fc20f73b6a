"""The viewer in a real browser: what it shows is what the arrays say, wherever it is dragged, wheeled or zoomed to."""

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser import harness_viewer as harness
from tests.browser.viewing import (
    at_image_pixel,
    canvas,
    hook,
    open_viewer,
    pixels,
    press,
    resize,
    settle,
    view,
    wait_painted,
)

pytestmark = pytest.mark.browser


def test_four_panels_hold_real_pixels(page, viewer_url) -> None:
    open_viewer(page, viewer_url)
    assert page.locator("canvas").count() == 4
    for panel in range(4):
        shown = pixels(page, panel)
        assert (shown[..., 3] == 255).mean() > 0.99
        assert shown[..., :3].std() > 10
    label = canvas(page, 1).get_attribute("aria-label")
    assert label.startswith("Ground truth: ")
    assert canvas(page, 1).get_attribute("role") == "img"


def test_the_probe_says_what_the_arrays_say(page, viewer_url) -> None:
    open_viewer(page, viewer_url, "panels=6")
    scene = harness.make_scene(0, 6)
    names = scene.label_set.class_names
    rng = np.random.default_rng(0)
    height, width = scene.image.shape[:2]
    for x, y in zip(rng.integers(0, width, 200), rng.integers(0, height, 200), strict=True):
        facts = hook(page, f"probe({x}, {y})")
        truth = scene.panels[1].mask[y, x]
        for panel, fact in zip(scene.panels, facts, strict=True):
            if panel.mask is not None:
                value = panel.mask[y, x]
                assert fact["index"] == value
                assert fact["name"] == ("ignored" if value == 255 else names[value])
            if panel.scalar is not None:
                rows, columns = panel.scalar.shape
                assert (
                    abs(fact["share"] - panel.scalar[y * rows // height, x * columns // width])
                    <= 0.5 / 31 + 1e-6
                )
            if panel.kind == "mask" and panel is not scene.panels[1]:
                assert fact["right"] == (None if truth == 255 else bool(panel.mask[y, x] == truth))
        top = facts[2]["top"]
        rows, columns = scene.panels[2].top.labels.shape[:2]
        assert [name for name, _ in top] == [
            names[k] for k in scene.panels[2].top.labels[y * rows // height, x * columns // width]
        ]


def test_hovering_names_the_class_in_every_panel(page, viewer_url) -> None:
    open_viewer(page, viewer_url)
    scene = harness.make_scene(0, 4)
    x, y = 300, 50
    canvas(page, 0).hover(position=at_image_pixel(page, x + 0.5, y + 0.5))
    for panel in (1, 2, 3):
        name = scene.label_set.class_names[scene.panels[panel].mask[y, x]]
        expect(page.locator("figcaption").nth(panel).locator(".value")).to_contain_text(name)
    assert page.locator(".cross.across:visible").count() == 4
    expect(page.locator(".status")).to_contain_text(f"x {x}, y {y}")
    wrong = np.argwhere(
        (scene.panels[2].mask != scene.panels[1].mask) & (scene.panels[1].mask != 255)
    )[0]
    canvas(page, 0).hover(position=at_image_pixel(page, wrong[1] + 0.5, wrong[0] + 0.5))
    expect(page.locator("figcaption").nth(2).locator(".mark")).to_have_text("✗")


def test_colours_on_screen_are_the_classes_colours(page, viewer_url) -> None:
    open_viewer(page, viewer_url, "view=o100")
    scene = harness.make_scene(0, 4)
    press(page, "100 % (1)")
    frame, shown = hook(page, "frame"), pixels(page, 1)
    assert frame["scale"] == pytest.approx(1)
    height, width = shown.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    inside = (columns - frame["left"] >= 0) & (rows - frame["top"] >= 0)
    x, y = np.clip(columns - frame["left"], 0, 479), np.clip(rows - frame["top"], 0, 359)
    mask = scene.panels[1].mask[y, x]
    inside &= (columns - frame["left"] < 480) & (rows - frame["top"] < 360) & (mask != 255)
    np.testing.assert_array_equal(shown[..., :3][inside], scene.label_set.colors[mask[inside]])


def test_the_wheel_zooms_where_the_pointer_is_and_the_page_stays(page, viewer_url) -> None:
    open_viewer(page, viewer_url)
    spot = at_image_pixel(page, 100, 200)
    canvas(page).hover(position=spot)
    page.mouse.wheel(0, -120)
    settle(page)
    assert view(page)["zoom"] > 1.1
    assert page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollTop") == 0
    after = at_image_pixel(page, 100, 200)  # what was under the pointer stayed there
    assert abs(after["x"] - spot["x"]) < 1.5
    assert abs(after["y"] - spot["y"]) < 1.5


def test_four_panels_are_whole_on_one_screen(new_page, viewer_url) -> None:
    """Image, ground truth, prediction and CRF are seen together, as large as the window allows."""
    sizes = ((1280, 720), (1440, 900), (1920, 1080))
    page = new_page(*sizes[0])
    open_viewer(page, viewer_url)
    for width, height in sizes:
        resize(page, width, height)
        boxes = [canvas(page, i).bounding_box() for i in range(4)]
        for box in boxes:
            assert box["x"] >= 0 and box["x"] + box["width"] <= width
            assert box["y"] >= 0 and box["y"] + box["height"] <= height
        assert page.locator(".toolbar").bounding_box()["height"] <= 40


def test_all_panels_look_at_the_same_place(page, viewer_url) -> None:
    open_viewer(page, viewer_url, "panels=4&view=o0")  # without overlay every panel shows the image
    canvas(page).click(position=at_image_pixel(page, 300, 150))
    for _ in range(5):
        page.mouse.wheel(0, -120)
    box = canvas(page, 2).bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 150)
    page.mouse.down()
    before = view(page)
    page.mouse.move(box["x"] + 140, box["y"] + 190, steps=4)
    page.mouse.up()
    page.mouse.move(5, 5)
    settle(page)
    moved, scale = view(page), hook(page, "frame.scale")
    assert (moved["x"] - before["x"]) * 480 == pytest.approx(60 / scale, abs=0.5)
    assert (moved["y"] - before["y"]) * 360 == pytest.approx(-40 / scale, abs=0.5)
    image, predicted = pixels(page, 0), pixels(page, 2)
    np.testing.assert_array_equal(image, predicted)
    assert image[..., :3].std() > 2


def test_zoomed_pixels_are_crisp(page, viewer_url) -> None:
    open_viewer(page, viewer_url, "view=z20_o100_x0.6_y0.6")
    shown, frame = pixels(page, 1)[..., :3].astype(int), hook(page, "frame")
    assert frame["scale"] > 8
    mask = harness.make_scene(0, 4).panels[1].mask
    palette = {tuple(color) for color in harness.make_scene(0, 4).label_set.colors.tolist()}
    seen = {tuple(color) for color in np.unique(shown.reshape(-1, 3), axis=0).tolist()}
    columns = np.arange(shown.shape[1]) - frame["left"]
    assert mask.size
    assert len(columns)
    assert seen <= palette or len(seen - palette) < 400  # no blends but the hatching of void
    settled = [tuple(c) for c in shown.reshape(-1, 3).tolist() if tuple(c) in palette]
    assert len(settled) > 0.5 * shown.shape[0] * shown.shape[1]


def test_keys_move_zoom_and_step_and_the_view_is_kept(page, viewer_url) -> None:
    open_viewer(page, viewer_url)
    canvas(page, 1).focus()
    for key in ("+", "+", "ArrowRight", "ArrowDown", "o", "e"):
        page.keyboard.press(key)
    settle(page)
    kept = view(page)
    assert kept["zoom"] == pytest.approx(2.25)
    assert kept["x"] > 0.5
    assert kept["y"] > 0.5
    assert hook(page, "state.fill") == "outline"
    assert hook(page, "state.errors") is True
    page.keyboard.press("n")
    wait_painted(page, harness.read_frame(1)[0])
    assert view(page) == kept
    page.keyboard.press("p")  # the picture still has the keyboard
    wait_painted(page, harness.read_frame(0)[0])
    page.keyboard.press("0")
    settle(page)
    assert view(page) == {"x": 0.5, "y": 0.5, "zoom": 1}


def test_two_fingers_zoom_and_one_is_left_to_the_page(new_page, viewer_url) -> None:
    page = new_page(420, 900, touch=True)
    open_viewer(page, viewer_url)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 420
    box = canvas(page).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    client = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        places = [{"x": px, "y": py, "id": i} for i, (px, py) in enumerate(points)]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", (x - 30, y), (x + 30, y))
    for spread in (40, 50, 60):
        touch("touchMove", (x - spread, y), (x + spread, y))
    touch("touchEnd")
    settle(page)
    assert view(page)["zoom"] == pytest.approx(2, rel=0.05)
    assert view(page)["x"] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("scheme", "widths"), [("dark", (420, 1100)), ("light", (1800, 760))])
def test_it_fits_every_width_and_theme(new_page, viewer_url, scheme, widths) -> None:
    page = new_page(widths[0], 900, color_scheme=scheme)
    open_viewer(page, viewer_url, "panels=6")
    for width in widths:
        resize(page, width, 900)
        outer = page.locator(".viewer").bounding_box()
        for part in (*page.locator("canvas").all(), *page.locator(".toolbar button").all()):
            box = part.bounding_box()
            assert box is None or (
                box["x"] >= outer["x"] - 1
                and box["x"] + box["width"] <= outer["x"] + outer["width"] + 1
            )


def test_a_large_scene_shows_the_same_place_at_every_zoom(page, viewer_url) -> None:
    open_viewer(page, viewer_url, "side=4000&panels=2&view=o100")
    name, mask = (
        page.locator("[data-painted]").get_attribute("data-painted"),
        harness.make_scene(0, 2, side=4000).panels[1].mask,
    )
    assert name
    for x, y in ((10, 10), (3999, 3999), (1234, 2345), (2500, 1800)):
        assert hook(page, f"probe({x}, {y})")[1]["index"] == mask[y, x]
    for zoom in (1, 3, 12, 60):
        page.evaluate(
            (
                "(zoom) => { const { viewer } = window.__segviewer; viewer.fit(); "
                "viewer.zoomBy(zoom) }"
            ),
            zoom,
        )
        settle(page)
        frame, shown = hook(page, "frame"), pixels(page, 1)[..., :3]
        rows, columns = (np.linspace(5, side - 6, 40).astype(int) for side in shown.shape[:2])
        rows, columns = (grid.ravel() for grid in np.meshgrid(rows, columns))
        y = np.clip((rows + 0.5 - frame["top"]) / frame["scale"], 0, 3999).astype(int)
        x = np.clip((columns + 0.5 - frame["left"]) / frame["scale"], 0, 3999).astype(int)
        labels = mask[y, x]
        known = labels != 255
        colors = harness.make_scene(0, 2).label_set.colors[labels[known]].astype(int)
        close = np.abs(shown[rows, columns][known].astype(int) - colors).max(-1) <= 2
        assert close.mean() > 0.93  # what differs lies on borders, where a reduced picture blends
