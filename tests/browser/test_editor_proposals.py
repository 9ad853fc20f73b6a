"""Strokes that spread, objects cut out and objects clicked, in a real browser: proposed, accepted, undone, saved."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from segcore.postprocess.dense_crf import is_available
from segcore.workspace import Workspace
from tests.browser import harness_editor as harness
from tests.browser.test_editor import (
    click,
    drag,
    drawn,
    hook,
    mask_of,
    on_disk,
    point,
    press,
    save,
    settle,
)
from tests.promptable_files import write_promptable

pytestmark = pytest.mark.browser
NAME = harness.dataset_name(0, 11)


@pytest.fixture
def opened(page, editor):
    url, workspace = editor

    def open_editor(query: str = "asks=yes", shown: Page | None = None) -> tuple[Page, Workspace]:
        shown = shown or page
        shown.goto(f"{url}/?{query}")
        shown.locator("[data-painted]").wait_for()
        settle(shown)
        return shown, workspace

    return open_editor


def wait_for_proposal(page: Page) -> None:
    page.wait_for_function("() => window.__segeditor.suggestions.offer")
    settle(page)


def proposed(page: Page) -> np.ndarray:
    """The whole mask as it would be, (H, W)."""
    return mask_of(
        page,
        """() => {
            const { suggestions, edits, scene } = window.__segeditor;
            const values = edits.values.slice();
            suggestions.rows((row, from, to) => {
                for (let i = row * scene.width + from; i < row * scene.width + to; i++) values[i] = suggestions.valueAt(i);
            });
            return values;
        }""",
    )


@pytest.mark.skipif(not is_available(), reason="pydensecrf is not installed")
def test_strokes_spread_are_accepted_undone_saved_and_read_back(opened) -> None:
    page, workspace = opened()
    before = drawn(page)
    press(page, "s")
    press(page, "9")
    drag(page, (200, 260), (230, 262))
    press(page, "4")
    drag(page, (150, 320), (300, 330))
    bar = page.get_by_role("group", name="Proposed region")
    expect(bar).to_contain_text("2 strokes")
    assert np.array_equal(drawn(page), before)  # strokes are no drawing yet
    press(page, "Enter")
    wait_for_proposal(page)
    expect(bar).to_contain_text("pixels would change")
    expected = proposed(page)
    changed = expected != before
    assert set(np.unique(expected[changed])) <= {8, 3}
    assert expected[261, 215] == 8 and expected[325, 225] == 3
    assert np.array_equal(drawn(page), before)

    press(page, "Escape")  # the proposal goes, the strokes stay
    expect(bar).to_contain_text("2 strokes")
    press(page, "Enter")
    wait_for_proposal(page)
    press(page, "Enter")
    assert np.array_equal(drawn(page), expected)
    expect(bar).to_be_hidden()
    press(page, "Control+z")
    assert np.array_equal(drawn(page), before)
    press(page, "Control+Shift+z")
    save(page)
    assert np.array_equal(on_disk(workspace), expected)
    assert workspace.masks.history(NAME, harness.IMAGE).versions[-1].origin == "editor, scribble"
    page.reload()
    page.locator("[data-painted]").wait_for()
    assert np.array_equal(drawn(page), expected)


def test_an_object_is_cut_out_for_the_class_chosen_then(opened) -> None:
    page, _ = opened()
    press(page, "c")
    press(page, "2")
    drag(page, (315, 225), (355, 265))  # around a square of another colour
    wait_for_proposal(page)
    would = proposed(page)
    changed = would != drawn(page)
    assert changed.any() and (would[changed] == 1).all()
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (235, 259, 321, 348)
    press(page, "3")  # the same object for another class
    again = proposed(page)
    assert (again[(again != drawn(page)) & changed] == 2).all()
    page.get_by_role("button", name="Accept", exact=True).last.click()
    settle(page)
    assert np.array_equal(drawn(page), again)
    drag(page, (20, 20), (21, 21))  # around almost nothing
    expect(page.locator(".notice")).to_contain_text("draw it again")
    assert np.array_equal(drawn(page), again)


def test_clicks_find_an_object_where_the_files_of_a_network_are_chosen(opened, tmp_path) -> None:
    page, workspace = opened()
    button = page.get_by_role("button", name="Object", exact=True)
    expect(button).to_be_hidden()
    press(page, "m")
    assert hook(page, "tool") == "brush"
    workspace.proposals.set_promptable(*map(str, write_promptable(tmp_path)))
    page, _ = opened()
    expect(button).to_be_visible()
    press(page, "m")
    press(page, "6")
    drag(page, (60, 100), (240, 220))
    wait_for_proposal(page)
    would = proposed(page)
    assert (would[106:214, 66:234] == 5).all()
    click(page, 150, 160)  # in the proposal: this part does not belong to it
    page.wait_for_function("() => window.__segeditor.suggestions.points.length === 3")
    page.wait_for_function("() => window.__segeditor.suggestions.offer")
    less = proposed(page)
    assert less[160, 150] != 5 and less[106, 66] == 5
    press(page, "Control+z")  # the click
    page.wait_for_function("() => window.__segeditor.suggestions.points.length === 2")
    wait_for_proposal(page)
    assert np.array_equal(proposed(page), would)
    press(page, "Escape")
    assert not hook(page, "suggestions.busy")


def test_two_fingers_zoom_in_the_middle_of_a_polygon(new_page, opened) -> None:
    page, _ = opened("classes=150", new_page(touch=True))
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        spots = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": spots})
        settle(page)

    press(page, "8")
    a, b = point(page, 100, 100), point(page, 160, 100)
    after = drawn(page)
    press(page, "g")
    for x, y in ((30, 30), (60, 30)):
        touch("touchStart", point(page, x, y))
        touch("touchEnd")
    assert hook(page, "strokes.way.length") == 2
    zoom = hook(page, "look.view.zoom")
    touch("touchStart", a)
    touch("touchStart", a, b)
    touch("touchMove", (a[0] - 60, a[1]), (b[0] + 60, b[1]))
    touch("touchEnd")
    assert hook(page, "look.view.zoom") > 1.2 * zoom
    assert hook(page, "strokes.way.length") == 2  # the corners stay, none was added
    assert np.array_equal(drawn(page), after)
    touch("touchStart", point(page, 60, 60))
    touch("touchEnd")
    press(page, "Enter")
    assert (drawn(page)[33:55, 57] == 7).all()


def test_keys_alone_draw_and_every_tool_has_one_in_the_list(opened) -> None:
    page, _ = opened("classes=150")
    before = drawn(page)
    for _ in range(40):
        press(page, "+") if hook(page, "camera.scale") < 9 else None
    press(page, "8")
    press(page, "b")
    page.evaluate(
        "() => { const { scene } = window.__segeditor; window.__segeditor.cursor = [scene.width / 2, scene.height / 2]; }"
    )
    press(page, "d")
    for _ in range(5):
        press(page, "Shift+ArrowRight")
    press(page, "d")
    after = drawn(page)
    height, width = before.shape
    assert (after[height // 2, width // 2 : width // 2 + 5] == 7).all()
    assert not hook(page, "strokes.busy")
    press(page, "/")  # a class among many is found by its name
    page.keyboard.type(hook(page, "scene.classes[20]"))
    page.keyboard.press("Enter")
    assert hook(page, "chosen") == 20
    press(page, "?")
    keys = set(page.locator(".menu dt").all_text_contents())
    assert {"b", "e", "r", "g", "l", "f", "a", "i", "d"} <= keys and "s" not in keys
