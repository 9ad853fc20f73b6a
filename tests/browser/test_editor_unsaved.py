"""What is drawn and not saved is never lost: other images, slow answers, full disks, other windows."""

import itertools

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from segcore.workspace import Workspace
from tests.browser import harness_editor as harness
from tests.browser.test_editor import drag, drawn, hook, point, press, save, settle

pytestmark = pytest.mark.browser
LEFT, RIGHT, BARE = harness.NAMES
NUMBERS = itertools.count()


@pytest.fixture
def name() -> str:
    """Name of a dataset of the test's own."""
    return f"many-{next(NUMBERS)}"


@pytest.fixture
def opened(page, editor, name):
    url, workspace = editor

    def open_editor(query: str = f"many={name}") -> tuple[Page, Workspace]:
        page.goto(f"{url}/?{query}")
        page.locator("[data-painted]").wait_for()
        settle(page)
        return page, workspace

    return open_editor


def turn_to(page: Page, number: int) -> None:
    page.get_by_role("button", name=f"image {number}").click()
    page.wait_for_function(
        "(id) => window.__segeditor.root.dataset.painted.endsWith(`:${id}`)",
        arg=harness.NAMES[number],
    )
    settle(page)


def on_disk(workspace: Workspace, name: str, sample: str) -> np.ndarray:
    return workspace.masks.open(name, sample).mask


def test_a_drawing_waits_while_another_image_is_looked_at_and_can_still_be_undone(
    opened, name
) -> None:
    page, workspace = opened()
    before = drawn(page)
    press(page, "2")
    hook(page, "toggleLock(4)")
    drag(page, (50, 50), (120, 60))
    first = drawn(page)
    assert (first != before).any()
    turn_to(page, 1)
    assert np.array_equal(drawn(page), on_disk(workspace, name, RIGHT))
    assert hook(page, "edits.locked.has(4)")  # what is protected is so in every image
    status = page.locator(".status")
    expect(status).to_contain_text("1 other image not saved")
    expect(status).to_have_attribute("title", f"Not saved yet: {LEFT}")
    press(page, "3")
    drag(page, (150, 150), (160, 150))
    save(page)
    turn_to(page, 0)
    assert np.array_equal(drawn(page), first)
    expect(page.locator(".notice")).to_contain_text("not saved yet")
    press(page, "Control+z")
    assert np.array_equal(drawn(page), before)
    press(page, "Control+Shift+z")
    save(page)
    assert np.array_equal(on_disk(workspace, name, LEFT), first)


def test_a_window_that_still_holds_drawings_asks_before_it_closes(opened, name) -> None:
    page, _ = opened()
    leaves = "() => { const e = new Event('beforeunload', { cancelable: true }); dispatchEvent(e); return e.defaultPrevented; }"
    assert not page.evaluate(leaves)
    press(page, "2")
    drag(page, (50, 50), (120, 60))
    turn_to(page, 1)
    assert page.evaluate(leaves)
    turn_to(page, 0)
    save(page)
    assert not page.evaluate(leaves)


def test_a_mask_changed_elsewhere_meanwhile_gets_the_unsaved_pixels_drawn_on_it(
    opened, name
) -> None:
    page, workspace = opened()
    press(page, "2")
    drag(page, (50, 50), (120, 60))
    first, before = drawn(page), on_disk(workspace, name, LEFT)
    turn_to(page, 1)
    theirs = before.copy()
    theirs[200:210] = 5
    digest = workspace.masks.open(name, LEFT).digest
    workspace.masks.save(name, LEFT, theirs, based_on=digest, author="eve")
    turn_to(page, 0)
    expect(page.locator(".notice")).to_contain_text("changed elsewhere")
    assert np.array_equal(drawn(page), np.where(first != before, first, theirs))
    save(page)
    assert not any(v.aside for v in workspace.masks.history(name, LEFT).versions)


def test_what_is_drawn_anew_after_an_undo_during_a_save_is_not_taken_for_saved(
    opened, name
) -> None:
    page, workspace = opened()
    press(page, "2")
    drag(page, (50, 50), (120, 60))
    first = drawn(page)
    page.evaluate(
        """() => {
            const editor = window.__segeditor;
            editor.save();
            editor.undo();
            editor.choose(5);
            editor.strokes.down([200, 200]);
            editor.strokes.up([200, 200]);
        }"""
    )
    page.wait_for_function("() => !window.__segeditor.saving")
    assert np.array_equal(on_disk(workspace, name, LEFT), first)
    assert hook(page, "edits.dirty")
    second = drawn(page)
    save(page)
    assert np.array_equal(on_disk(workspace, name, LEFT), second)


def test_a_second_save_waits_for_the_first_and_is_not_forgotten(opened, name) -> None:
    page, workspace = opened()
    page.evaluate(
        """() => {
            const editor = window.__segeditor;
            for (const x of [60, 120, 180]) {
                editor.choose(5);
                editor.strokes.down([x, 200]);
                editor.strokes.up([x, 200]);
                editor.save();
            }
        }"""
    )
    page.wait_for_function("() => !window.__segeditor.saving && !window.__segeditor.edits.dirty")
    assert np.array_equal(on_disk(workspace, name, LEFT), drawn(page))
    versions = workspace.masks.history(name, LEFT).versions
    assert [v.aside for v in versions] == [False] * 3  # two saves at most, one after the other


def test_a_save_just_before_the_next_image_never_reaches_that_image(opened, name) -> None:
    page, workspace = opened()
    other = on_disk(workspace, name, RIGHT)
    press(page, "2")
    drag(page, (50, 50), (120, 60))
    first = drawn(page)
    page.evaluate(
        """() => {
            const packed = Response.prototype.arrayBuffer;
            Response.prototype.arrayBuffer = function () {
                return new Promise((done) => setTimeout(() => done(packed.call(this)), 1500));
            };
            window.__segeditor.save();
        }"""
    )
    turn_to(page, 1)
    page.wait_for_function("() => !window.__segeditor.saving")
    assert np.array_equal(on_disk(workspace, name, RIGHT), other)
    assert len(workspace.masks.history(name, RIGHT).versions) == 1
    turn_to(page, 0)
    assert np.array_equal(drawn(page), first)


def test_a_full_disk_is_told_and_the_drawing_can_be_saved_later(opened, name) -> None:
    page, workspace = opened()
    before = on_disk(workspace, name, LEFT)
    press(page, "2")
    drag(page, (50, 50), (120, 60))
    (workspace.folder / "full").touch()
    press(page, "Control+s")
    expect(page.locator(".notice")).to_contain_text("the disk is full")
    assert hook(page, "edits.dirty") and np.array_equal(on_disk(workspace, name, LEFT), before)
    turn_to(page, 1)
    turn_to(page, 0)
    (workspace.folder / "full").unlink()
    save(page)
    assert np.array_equal(on_disk(workspace, name, LEFT), drawn(page))


def test_an_image_without_a_mask_gets_its_first(opened, name) -> None:
    page, workspace = opened()
    turn_to(page, 2)
    assert (drawn(page) == 255).all()
    press(page, "f")
    press(page, "4")
    page.mouse.click(*point(page, 100, 100))
    settle(page)
    assert (drawn(page) == 3).all()
    save(page)
    assert (on_disk(workspace, name, BARE) == 3).all()
    turn_to(page, 1)
    turn_to(page, 2)
    assert (drawn(page) == 3).all()


def test_undo_during_a_stroke_takes_back_the_stroke_alone(opened, name) -> None:
    page, _ = opened()
    press(page, "2")
    drag(page, (50, 50), (120, 60))
    first = drawn(page)
    page.mouse.move(*point(page, 200, 90))  # in the sky, where Building is seen
    page.mouse.down()
    page.mouse.move(*point(page, 240, 90), steps=4)
    settle(page)
    assert not np.array_equal(drawn(page), first)
    page.keyboard.press("Control+z")
    page.mouse.up()
    settle(page)
    assert np.array_equal(drawn(page), first)
    press(page, "g")
    for x, y in ((200, 20), (260, 20), (260, 60)):
        page.mouse.click(*point(page, x, y))
    page.keyboard.press("Control+z")
    assert hook(page, "strokes.way.length") == 2
    page.keyboard.press("Escape")
    assert np.array_equal(drawn(page), first)


def test_space_and_the_right_button_pan_without_drawing(opened, name) -> None:
    page, _ = opened()
    before = drawn(page)
    page.locator("canvas").focus()
    for _ in range(3):
        page.keyboard.press("+")
    settle(page)
    x = hook(page, "look.view.x")
    page.keyboard.down(" ")
    drag(page, (200, 150), (180, 150))
    page.keyboard.up(" ")
    assert hook(page, "look.view.x") > x
    x = hook(page, "look.view.x")
    page.mouse.move(*point(page, 200, 150))
    page.mouse.down(button="right")
    page.mouse.move(*point(page, 180, 150), steps=3)
    page.mouse.up(button="right")
    settle(page)
    assert hook(page, "look.view.x") > x and np.array_equal(drawn(page), before)
    page.keyboard.down(" ")  # goes up in another window
    page.evaluate("() => window.dispatchEvent(new Event('blur'))")
    drag(page, (280, 150), (260, 150))  # what was panned away lies outside the canvas
    page.keyboard.up(" ")
    assert not np.array_equal(drawn(page), before)


def test_a_finger_draws_and_two_zoom(new_page, editor, name) -> None:
    url, _ = editor
    page = new_page(width=820, height=1100, touch=True)
    page.goto(f"{url}/?many={name}")
    page.locator("[data-painted]").wait_for()
    settle(page)
    before = drawn(page)
    x, y = point(page, 200, 200)
    client = page.context.new_cdp_session(page)

    def touch(kind: str, *fingers: tuple[float, float]) -> None:
        points = [{"x": a, "y": b, "id": n} for n, (a, b) in enumerate(fingers)]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        settle(page)

    touch("touchStart", (x, y))
    touch("touchMove", (x + 60, y))
    touch("touchEnd")
    line = drawn(page)
    assert (line != before).any()
    touch("touchStart", (x - 30, y + 50))
    touch("touchStart", (x - 30, y + 50), (x + 30, y + 50))
    touch("touchMove", (x - 90, y + 50), (x + 90, y + 50))
    touch("touchEnd")
    assert np.array_equal(drawn(page), line) and hook(page, "look.view.zoom") > 1.5


def test_more_classes_than_a_byte_holds_are_drawn_and_saved(opened, name) -> None:
    page, workspace = opened("classes=300")
    page.get_by_placeholder("Find a class").fill("Z")
    page.get_by_role("radio").filter(visible=True).first.click()
    chosen = hook(page, "chosen")
    assert chosen > 255
    drag(page, (50, 50), (120, 60))
    save(page)
    mask = workspace.masks.open(harness.dataset_name(0, 300), harness.IMAGE).mask
    assert mask.dtype == np.uint16 and (mask == chosen).any()
    page.reload()
    page.locator("[data-painted]").wait_for()
    assert hook(page, "edits.values.join()") == ",".join(map(str, mask.ravel()))
