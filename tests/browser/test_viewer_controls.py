"""The viewer's bar, legend and links in a real browser: each does to the pictures what it says, and sends nothing."""

import io
import re

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from segcore import formatting
from tests.browser import harness_viewer as harness
from tests.browser.viewing import (
    at_image_pixel,
    canvas,
    hook,
    open_viewer,
    pixels,
    press,
    settle,
    wait_painted,
)

pytestmark = pytest.mark.browser


def display(page, act) -> None:
    """Do something in the Display menu, and close it again."""
    press(page, "Display")
    act()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Display")).to_have_count(0)


def test_opacity_palette_and_legend_send_nothing(page, viewer_url) -> None:
    sent = []
    page.on(
        "websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(len(frame)))
    )
    open_viewer(page, viewer_url)
    page.wait_for_timeout(500)
    sent.clear()
    shots = [pixels(page, 1)]
    for act in (
        lambda: page.get_by_label("Overlay opacity").fill("90"),
        lambda: display(page, lambda: page.get_by_label("Palette").select_option("safe")),
        lambda: page.get_by_role("button", name="Building", exact=True).click(),
        lambda: page.get_by_role("button", name="Solo Car").click(force=True),
        lambda: page.get_by_role("button", name="Show all").click(),
        lambda: page.get_by_label("Colour of Road").fill("#ff0000"),
        lambda: display(page, lambda: press(page, "Outlines")),
    ):
        act()
        page.mouse.move(5, 5)
        page.wait_for_timeout(60)
        settle(page)
        shots.append(pixels(page, 1))
        assert np.any(shots[-1] != shots[-2])
    page.wait_for_timeout(300)
    assert not sent


def test_background_is_coloured_only_where_that_is_asked_for(page, viewer_url) -> None:
    page.goto(f"{viewer_url}/?quiet=1")
    wait_painted(page, harness.read_frame(0)[0])
    inside = cv2.erode((harness.read_frame(0)[2] == 0).astype(np.uint8), np.ones((9, 9)))
    row, column = (int(v) for v in np.argwhere(inside)[inside.sum() // 2])
    frame = hook(page, "frame")
    x, y = (
        int((place + 0.5) * frame["scale"] + frame[side])
        for place, side in ((column, "left"), (row, "top"))
    )
    assert (pixels(page, 1)[y, x] == pixels(page, 0)[y, x]).all()  # the image itself
    display(page, lambda: press(page, "Background"))
    page.mouse.move(5, 5)
    settle(page)
    assert (pixels(page, 1)[y, x] != pixels(page, 0)[y, x]).any()


def test_a_scored_class_is_never_struck_through(page, viewer_url) -> None:
    page.goto(f"{viewer_url}/?quiet=1")
    wait_painted(page, harness.read_frame(0)[0])
    chip = page.locator(".chip", has_text="Unlabeled")
    assert "off" in chip.get_attribute("class")  # not coloured, and yet scored
    lines = chip.locator(".name").evaluate("(node) => getComputedStyle(node).textDecorationLine")
    assert lines == "none"
    expect(chip.locator(".note")).to_have_text("scored: ignore it?")
    expect(page.locator(".chip", has_text="background").locator(".note")).to_be_hidden()


def test_the_columns_of_the_legend_say_what_they_are(page, viewer_url) -> None:
    open_viewer(page, viewer_url)
    expect(page.locator(".legend .columns")).to_have_text("AreaIoU of Prediction")
    expect(page.locator(".chip.void small")).to_have_text(re.compile("^area "))
    assert page.get_by_label("Sort classes").locator("option").all_inner_texts() == [
        "Sort: area",
        "Sort: IoU",
        "Sort: name",
    ]
    open_viewer(page, viewer_url, "panels=2")  # image and ground truth: nothing to judge
    expect(page.locator(".legend .columns")).to_have_text("Area")
    assert page.get_by_label("Sort classes").locator("option[value=iou]").is_disabled()


def test_a_class_is_found_by_its_legend(page, viewer_url) -> None:
    open_viewer(page, viewer_url)
    scene = harness.make_scene(0, 4)
    index = scene.label_set.class_names.index("Car")
    before = pixels(page, 1)
    page.locator(".chip", has_text="Car").hover()
    page.wait_for_function("() => window.__segviewer.viewer.spot !== null")
    settle(page)
    shown, frame = pixels(page, 1)[..., :3].astype(float).mean(-1), hook(page, "frame")
    rows, columns = np.argwhere(scene.panels[1].mask == index)[::50].T
    cars = (
        ((rows + 0.5) * frame["scale"] + frame["top"]).astype(int),
        ((columns + 0.5) * frame["scale"] + frame["left"]).astype(int),
    )
    assert shown.mean() < 0.6 * before[..., :3].mean()
    assert shown[cars].mean() > shown.mean()
    page.mouse.move(5, 5)
    page.wait_for_function("() => window.__segviewer.viewer.spot === null")
    settle(page)
    np.testing.assert_array_equal(pixels(page, 1), before)


def test_the_caption_counts_what_is_right(page, viewer_url) -> None:
    open_viewer(page, viewer_url)
    scene = harness.make_scene(0, 4)
    truth, predicted = scene.panels[1].mask, scene.panels[2].mask
    share = (truth == predicted)[truth != 255].mean()
    expect(page.locator("figcaption").nth(2).locator(".value")).to_have_text(
        f"{formatting.percent(share)} correct"
    )
    press(page, "Solo Tree")
    index = scene.label_set.class_names.index("Tree")
    hit = np.sum((truth == index) & (predicted == index))
    union = np.sum(((truth == index) | (predicted == index)) & (truth != 255))
    expect(page.locator("figcaption").nth(2).locator(".value")).to_have_text(
        f"IoU {formatting.percent(hit / union)}"
    )


def test_errors_show_hits_inventions_and_misses_of_one_class(page, viewer_url) -> None:
    open_viewer(page, viewer_url, "panels=8&view=e1_s5_o100_m")
    scene = harness.make_scene(0, 8)
    truth, predicted = scene.panels[1].mask, scene.panels[2].mask
    codes = page.evaluate("""() => {
        const { viewer } = window.__segviewer;
        const { layer } = viewer.painter.wardrobe.choose(viewer.scene.panels[6], viewer.state, null);
        return layer.plane.levels[0].values.join("");
    }""")
    expected = np.zeros(truth.shape, int)
    expected[(truth == 5) & (predicted == 5)] = 5
    expected[(truth != 5) & (predicted == 5)] = 3
    expected[(truth == 5) & (predicted != 5)] = 4
    expected[truth == 255] = 9
    np.testing.assert_array_equal(np.array(list(codes), int).reshape(truth.shape), expected)
    for words in ("Tree: correct", "false positive", "missed", "fixed", "broken"):
        expect(page.locator(".key")).to_contain_text(words)


def test_swipe_and_blink_compare_two_panels(page, viewer_url) -> None:
    page.emulate_media(reduced_motion="no-preference")  # without which nothing blinks by itself
    open_viewer(page, viewer_url, "view=o100")
    press(page, "Swipe")
    assert page.locator("canvas").count() == 1
    divider = page.get_by_role("slider", name="Swipe divider")
    box = divider.bounding_box()
    page.mouse.move(box["x"] + 14, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] - 186, box["y"] + 60, steps=3)
    page.mouse.up()
    settle(page)
    width = canvas(page).bounding_box()["width"]
    assert hook(page, "state.split") == pytest.approx(0.5 - 200 / width, abs=0.01)
    page.get_by_label("Second panel").select_option("3")
    settle(page)
    assert hook(page, "state.pair") == [1, 3]
    assert page.get_by_label("First panel").input_value() == "1"
    divider.press("End")
    settle(page)
    first = pixels(page, 0)
    divider.press("Home")
    settle(page)
    assert np.any(pixels(page, 0) != first)
    press(page, "Blink")
    page.wait_for_function("() => window.__segviewer.viewer.blink.second")
    page.wait_for_function("() => !window.__segviewer.viewer.blink.second")
    canvas(page).focus()
    page.keyboard.press("Space")
    held = hook(page, "viewer.blink.second")
    page.wait_for_timeout(900)
    assert hook(page, "viewer.blink.second") == held


def test_a_link_opens_the_same_view(new_page, viewer_url) -> None:
    page = new_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_viewer(page, viewer_url, index=2)
    canvas(page).click(position=at_image_pixel(page, 150, 150))
    for _ in range(3):
        page.mouse.wheel(0, -120)
    display(page, lambda: page.get_by_label("Palette").select_option("safe"))
    display(page, lambda: press(page, "Both"))
    page.get_by_role("button", name="Sky", exact=True).click()
    page.get_by_label("Colour of Road").fill("#123456")
    page.get_by_label("Overlay opacity").fill("35")
    press(page, "Copy link")
    page.wait_for_url(re.compile("view="))
    link = page.evaluate("() => navigator.clipboard.readText()")
    page.context.clear_permissions()
    assert link == page.url
    described = (
        "({ view, opacity, palette, fill, hidden: [...hidden], colors: [...colors] "
        "}))(window.__segviewer.state)"
    )
    before = page.evaluate(
        f"() => (({{ view, opacity, palette, fill, hidden, colors }}) => {described}"
    )
    other = new_page()
    other.goto(link)
    wait_painted(other, harness.read_frame(2)[0])
    after = other.evaluate(
        f"() => (({{ view, opacity, palette, fill, hidden, colors }}) => {described}"
    )
    assert after.pop("view") == pytest.approx(before.pop("view"), abs=1e-3)
    assert after == before


@pytest.mark.parametrize(
    "text",
    ["zNaN_xfoo_o-5", "__proto__", "s99999_h1.2.x_mspin_d9.9_c1-zzzzzz", "%00%ff", "z" * 5000],
)
def test_a_broken_link_still_shows_a_picture(page, viewer_url, text) -> None:
    open_viewer(page, viewer_url, f"view={text}")
    assert pixels(page, 0)[..., :3].std() > 10


def test_save_png_holds_every_panel_at_full_size(page, viewer_url) -> None:
    open_viewer(page, viewer_url)
    with page.expect_download() as waiting:
        press(page, "Save PNG")
    assert waiting.value.suggested_filename == f"{harness.read_frame(0)[0]}.png".replace(" ", "_")
    saved = Image.open(io.BytesIO(waiting.value.path().read_bytes()))
    assert saved.width >= 2 * 480
    assert saved.height >= 2 * 360
    assert np.asarray(saved.convert("RGB"))[:, :, :].std() > 20


def test_clicks_and_solo_are_reported_where_asked_for(page, viewer_url) -> None:
    open_viewer(page, viewer_url, "listen=step,pixel,label")
    canvas(page, 2).click(position=at_image_pixel(page, 123.5, 77.5))
    expect(page.get_by_text(re.compile("^events:"))).to_have_text("events: 0 (123, 77) None")
    press(page, "Solo Tree")
    expect(page.get_by_text(re.compile("^events:"))).to_have_text("events: 0 None 5")


def test_many_classes_can_be_searched(page, viewer_url) -> None:
    open_viewer(page, viewer_url, "classes=150")
    field = page.get_by_label("Find a class")
    field.press_sequentially("road e")  # the app's own one-letter shortcuts do not see these keys
    expect(field).to_have_value("road e")
    expect(page.locator(".chip:visible .name").first).to_contain_text(
        re.compile("road e", re.IGNORECASE)
    )
    visible = page.locator(".chip:visible .name").all_inner_texts()
    assert visible
    assert all("road e" in name.lower() for name in visible)
    assert page.get_by_role("dialog").count() == 0
