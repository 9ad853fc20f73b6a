"""The mask editor in a real browser: what is drawn is what lies on disk, pixel by pixel."""

import base64
import itertools

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from segcore.data.editing.versions import read_version
from segcore.workspace import Workspace
from tests.browser import harness_editor as harness

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(page, editor):
    url, workspace = editor

    def open_editor(query: str = "") -> tuple[Page, Workspace]:
        page.goto(f"{url}/?{query}")
        page.locator("[data-painted]").wait_for()
        settle(page)
        return page, workspace

    return open_editor


def settle(page: Page) -> None:
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def hook(page: Page, expression: str):
    return page.evaluate(f"() => window.__segeditor.{expression}")


def point(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a point of the image lies in the window, CSS pixels."""
    box, frame = page.locator("canvas").bounding_box(), hook(page, "frame")
    return (
        box["x"] + (x * frame["scale"] + frame["left"]) / frame["ratio"],
        box["y"] + (y * frame["scale"] + frame["top"]) / frame["ratio"],
    )


def drag(page: Page, *points: tuple[float, float]) -> None:
    page.mouse.move(*point(page, *points[0]))
    page.mouse.down()
    for one in points[1:]:
        page.mouse.move(*point(page, *one), steps=5)
    page.mouse.up()
    settle(page)


def click(page: Page, x: float, y: float, **how) -> None:
    page.mouse.click(*point(page, x, y), **how)
    settle(page)


def press(page: Page, key: str) -> None:
    page.locator("canvas").focus()
    page.keyboard.press(key)
    settle(page)


def drawn(page: Page) -> np.ndarray:
    """The mask in the browser, (H, W) uint8."""
    return mask_of(page, "() => window.__segeditor.edits.values")


def mask_of(page: Page, values: str) -> np.ndarray:
    """The classes of all pixels of the scene, (H, W) uint8, as a JavaScript function gives them."""
    height, width, text = page.evaluate(
        f"() => {{ const bytes = ({values})();"
        """
            const { scene } = window.__segeditor;
            let text = "";
            for (let i = 0; i < bytes.length; i += 1 << 15)
                text += String.fromCharCode(...bytes.subarray(i, i + (1 << 15)));
            return [scene.height, scene.width, btoa(text)];
        }"""
    )
    return np.frombuffer(bytearray(base64.b64decode(text)), np.uint8).reshape(height, width)


def save(page: Page) -> None:
    press(page, "Control+s")
    page.wait_for_function("() => !window.__segeditor.saving && !window.__segeditor.edits.dirty")


def on_disk(workspace: Workspace, side: int = 0, classes: int = 11) -> np.ndarray:
    return workspace.masks.open(harness.dataset_name(side, classes), harness.IMAGE).mask


def test_every_tool_draws_what_the_arrays_say_and_a_save_reaches_the_disk(opened) -> None:
    page, workspace = opened()
    _, name, guess, _ = harness.make()
    expected = drawn(page)
    assert np.array_equal(expected, on_disk(workspace))
    rows, columns = np.mgrid[: expected.shape[0], : expected.shape[1]] + 0.5

    press(page, "9")  # Car
    drag(page, (200.5, 60.5), (260.5, 60.5))
    brush = drawn(page)
    changed = brush != expected
    near = np.hypot(columns - np.clip(columns, 200.5, 260.5), rows - 60.5) <= 6
    assert (brush[changed] == 8).all()
    assert (changed ^ near).sum() <= 150  # the pointer stands on whole pixels of the screen

    press(page, "g")  # a rectangle whose corners are corners of pixels
    press(page, "5")
    for x, y in ((300, 20), (340, 20), (340, 50), (300, 50)):
        click(page, x, y)
    press(page, "Enter")
    polygon = drawn(page)
    inside = np.zeros_like(changed)
    inside[20:50, 300:340] = True
    assert (polygon[21:49, 301:339] == 4).all()
    assert (polygon != brush)[~inside].sum() <= 80  # a click may lie a pixel beside its corner

    press(page, "f")
    press(page, "v")
    click(page, 320, 35)
    assert (drawn(page) == 255).sum() == (polygon == 255).sum() + (polygon == 4)[
        15:55, 295:345
    ].sum()

    for _ in range(3):
        press(page, "Control+z")
    assert np.array_equal(drawn(page), expected)
    for _ in range(2):
        press(page, "Control+Shift+z")
    assert np.array_equal(drawn(page), polygon)

    press(page, "a")
    y, x = np.argwhere(guess != polygon)[0]
    click(page, x + 0.5, y + 0.5)
    accepted = drawn(page)
    assert accepted[y, x] == guess[y, x]
    differs = accepted != polygon
    assert np.array_equal(accepted[differs], guess[differs])

    save(page)
    assert np.array_equal(on_disk(workspace), accepted)
    assert np.array_equal(read_version(workspace.datasets.open(name), harness.IMAGE, 1), expected)
    page.reload()
    page.locator("[data-painted]").wait_for()
    assert np.array_equal(drawn(page), accepted)


def test_brush_and_polygon_cover_exactly_the_pixels_whose_centres_they_cover(opened) -> None:
    page, _ = opened("side=60")
    for seed in range(4):
        brush_and_polygon_are_exact(page, np.random.default_rng(seed))


def brush_and_polygon_are_exact(page: Page, rng: np.random.Generator) -> None:
    """Draw one random way as a stroke, undo it, and draw it as a polygon."""
    rows, columns = np.mgrid[:60, :60] + 0.5
    way = [tuple(map(float, p)) for p in rng.uniform(-8, 68, (4, 2))]
    size = int(rng.integers(1, 20))
    before = drawn(page)
    page.evaluate(
        """([way, size]) => {
            const editor = window.__segeditor;
            editor.setTool("brush");
            editor.setSize(size);
            editor.choose(9);
            editor.strokes.down(way[0]);
            for (const point of way.slice(1)) editor.strokes.move(point);
            editor.strokes.up(way.at(-1));
        }""",
        [way, size],
    )
    covered = np.zeros((60, 60), bool)
    for (x0, y0), (x1, y1) in itertools.pairwise(way):
        dx, dy = x1 - x0, y1 - y0
        along = np.clip(((columns - x0) * dx + (rows - y0) * dy) / (dx * dx + dy * dy), 0, 1)
        covered |= np.hypot(columns - x0 - along * dx, rows - y0 - along * dy) <= size / 2
    assert np.array_equal(drawn(page), np.where(covered, 9, before))

    press(page, "Control+z")
    page.evaluate(
        """(way) => {
            const editor = window.__segeditor;
            editor.setTool("polygon");
            for (const point of way) editor.strokes.down(point);
            editor.strokes.close();
        }""",
        way,
    )
    inside = np.zeros((60, 60), bool)
    for (x0, y0), (x1, y1) in zip(way, way[1:] + way[:1], strict=True):
        crossed = (y0 <= rows) != (y1 <= rows)
        inside ^= crossed & (x0 + (rows - y0) * (x1 - x0) / (y1 - y0) <= columns)
    assert np.array_equal(drawn(page), np.where(inside, 9, before))
    press(page, "Control+z")


def test_protected_classes_stay_and_replace_touches_one_class(opened) -> None:
    page, _ = opened("classes=150")
    before = drawn(page)
    under = int(before[130, 100])
    hook(page, f"toggleLock({under})")
    press(page, "2")
    drag(page, (90, 130), (140, 130))
    assert np.array_equal(drawn(page) == under, before == under)
    hook(page, f"toggleLock({under})")
    before = drawn(page)
    press(page, "r")
    press(page, "3")
    drag(page, (100, 130), (100, 300))
    changed = drawn(page) != before
    assert changed.any() and (before[changed] == under).all()


def test_the_eraser_brings_back_what_was_saved(opened) -> None:
    page, _ = opened("classes=150")
    before = drawn(page)
    press(page, "7")
    drag(page, (50, 50), (90, 90))
    press(page, "e")
    for _ in range(6):
        press(page, "]")
    drag(page, (40, 40), (100, 100))
    assert np.array_equal(drawn(page), before)
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()


def test_all_of_a_class_is_accepted_where_it_is_sure_enough(opened) -> None:
    page, _ = opened()
    _, _, guess, sure = harness.make()
    before = drawn(page)
    press(page, "4")
    hook(page, "acceptClass(0.8)")
    after = drawn(page)
    height, width = before.shape
    cells = sure.repeat(2, 0).repeat(2, 1)[:height, :width]
    changed = after != before
    assert changed.any()
    assert (guess[changed] == 3).all() and (cells[changed] >= 0.8 - 1 / 31).all()
    missing = (guess == 3) & (before != 3) & ~changed
    assert (cells[missing] < 0.8 + 1 / 31).all()


def test_the_class_under_the_pointer_is_chosen_and_the_proposal_is_seen_while_held(opened) -> None:
    page, _ = opened()
    mask = drawn(page)
    y, x = 300, 200
    press(page, "i")
    click(page, x + 0.5, y + 0.5)
    assert hook(page, "chosen") == mask[y, x]
    page.locator("canvas").focus()
    page.keyboard.down("p")
    settle(page)
    assert hook(page, "shownPanel") == 1
    page.keyboard.up("p")
    settle(page)
    assert hook(page, "shownPanel") == 0


def test_the_second_of_two_windows_is_told_and_keeps_its_drawing_as_a_version(
    new_page, editor
) -> None:
    url, workspace = editor
    one, two = new_page(), new_page()
    for page in (one, two):
        page.goto(f"{url}/?side=200")
        page.locator("[data-painted]").wait_for()
        settle(page)
    press(one, "2")
    drag(one, (50, 50), (80, 50))
    save(one)
    press(two, "3")
    drag(two, (50, 150), (80, 150))
    theirs = drawn(two)
    press(two, "Control+s")
    expect(two.locator(".notice")).to_contain_text("changed by ada")
    name = harness.dataset_name(200, 11)
    history = workspace.masks.history(name, harness.IMAGE)
    assert [v.aside for v in history.versions] == [False, False, True] and history.in_use == 2
    assert np.array_equal(workspace.masks.version(name, harness.IMAGE, 3), theirs)
    two.wait_for_function("() => !window.__segeditor.edits.dirty")
    assert np.array_equal(drawn(two), drawn(one))


def test_a_drawing_outlives_a_look_at_another_size_of_the_window(opened) -> None:
    page, _ = opened("side=300")
    press(page, "6")
    drag(page, (50, 50), (90, 90))
    mask = drawn(page)
    page.set_viewport_size({"width": 800, "height": 700})
    settle(page)
    assert np.array_equal(drawn(page), mask)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_a_stroke_on_a_large_mask_is_exact_at_every_zoom(opened) -> None:
    """What is shown from afar is what halving the whole plane anew would give."""
    page, _ = opened("side=2000")
    press(page, "4")
    for a, b in itertools.pairwise([(250, 250), (1250, 450), (600, 1550)]):
        drag(page, a, b)
    assert page.evaluate(
        """() => {
            const { plane } = window.__segeditor.edits;
            const anew = new plane.constructor(plane.levels[0].values, plane.width, plane.height);
            return plane.levels.length > 1 && plane.levels.every(({ values }, n) => {
                const other = anew.level(n).values;
                return values.length === other.length && values.every((value, i) => value === other[i]);
            });
        }"""
    )


def test_regions_are_answered_by_one_key_each_and_the_next_image_is_there_already(opened) -> None:
    page, workspace = opened("work=yes")
    originals = [workspace.masks.open(harness.WORK, f"image-{n}").mask for n in range(3)]
    task = page.get_by_role("group", name="Suspected label")
    question = task.locator(".question")
    expect(question).to_contain_text("Labelled Car, perhaps Road")
    expect(question).to_contain_text("region 1 of 2 · image 1 of 3")
    press(page, "Enter")
    expect(question).to_contain_text("region 2 of 2")
    press(page, "Control+z")  # what was accepted is asked again
    expect(question).to_contain_text("region 1 of 2")
    press(page, "Enter")
    press(page, "k")
    expect(question).to_contain_text("region 1 of 2 · image 2 of 3")
    expect(page.get_by_text("at 1", exact=True)).to_be_visible()
    expected = originals[0].copy()
    top, left, bottom, right = harness.SQUARES[0]
    expected[top:bottom, left:right] = 3
    assert np.array_equal(workspace.masks.open(harness.WORK, "image-0").mask, expected)

    press(page, "n")
    press(page, "Backspace")
    expect(question).to_contain_text("region 1 of 2 · image 2 of 3")
    press(page, "k")
    press(page, "n")
    expect(question).to_contain_text("image 3 of 3")
    assert np.array_equal(workspace.masks.open(harness.WORK, "image-1").mask, originals[1])
    task.get_by_role("button", name="Accept", exact=True).click()
    press(page, "Enter")
    expect(page.get_by_text("at 3", exact=True)).to_be_visible()
    for decided in (
        "['image-0', [('accepted', 0), ('kept', 1)]]",
        "['image-1', [('kept', 0), ('skipped', 1)]]",
        "['image-2', [('accepted', 0), ('accepted', 1)]]",
    ):  # a line of the run before may stand beside it for a moment
        expect(page.get_by_text("decided").filter(has_text=decided).first).to_be_visible()
    for top, left, bottom, right in harness.SQUARES:
        originals[2][top:bottom, left:right] = 3
    assert np.array_equal(workspace.masks.open(harness.WORK, "image-2").mask, originals[2])
