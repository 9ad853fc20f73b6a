"""What fits: no page scrolls sideways in a narrow window, and answers stand above the fold."""

from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_accessibility import PAGES

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FITS = """() => {
    const main = document.querySelector("[data-testid=stMain]");
    return main.scrollWidth <= main.clientWidth;  // a chart takes its width a moment later
}"""


def bottom(locator: Locator) -> float:
    """Return how far from the top of the window an element ends, pixels."""
    expect(locator.first).to_be_visible()
    box = locator.first.bounding_box()
    assert box is not None
    return box["y"] + box["height"]


@pytest.mark.parametrize("name", PAGES)
def test_no_page_scrolls_sideways_at_800_pixels(
    new_page: Callable[..., Page], settle: Callable[[Page], None], demo_url: str, name: str
) -> None:
    page = new_page(800, 1000)
    path, query = PAGES[name]
    page.goto(f"{demo_url}/{path}?{urlencode({'dataset': 'demo', **query})}")
    settle(page)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    page.wait_for_function(FITS)


def test_answers_stand_above_the_fold_of_a_small_laptop(
    new_page: Callable[..., Page], settle: Callable[[Page], None], demo_url: str
) -> None:
    page = new_page(1280, 720)
    page.goto(f"{demo_url}/balance?dataset=demo")
    settle(page)
    assert bottom(page.get_by_role("button", name="Save plan")) < 300
    assert bottom(page.get_by_role("alert")) < 360
    assert bottom(page.get_by_test_id("stPlotlyChart")) < 720
    page.goto(f"{demo_url}/ensemble?dataset=demo")
    settle(page)
    assert bottom(page.get_by_role("heading", name="Mean IoU")) < 300
    assert bottom(page.get_by_test_id("stDataFrame")) < 720
    page.goto(f"{demo_url}/runs?dataset=demo")
    settle(page)
    assert bottom(page.get_by_test_id("stDataFrame")) < 720
    chart = page.get_by_test_id("stPlotlyChart").first.bounding_box()
    table = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert chart is not None and table is not None
    assert table["x"] + table["width"] <= chart["x"] and chart["y"] < 400


def test_nothing_is_cut_off_on_a_small_laptop(
    new_page: Callable[..., Page], settle: Callable[[Page], None], demo_url: str
) -> None:
    page = new_page(1280, 720)
    page.goto(f"{demo_url}/evaluate?dataset=demo&split=test")
    settle(page)
    grid = page.get_by_test_id("stDataFrame").first
    expect(grid.locator("canvas").first).to_be_visible()
    assert grid.locator(".dvn-scroller").evaluate("one => one.scrollWidth <= one.clientWidth")
    page.goto(f"{demo_url}/edit?dataset=demo&sample=test-001")
    state = page.locator(".status").first
    expect(state).to_have_text("saved")
    assert state.evaluate("one => one.scrollWidth <= one.clientWidth")
    page.goto(f"{demo_url}/balance?dataset=demo")
    settle(page)
    labels = page.locator(".st-key-plan_split, .st-key-mode").get_by_test_id("stWidgetLabel")
    expect(labels).to_have_count(2)
    first, second = (label.bounding_box() for label in labels.all())
    assert first and second and first["y"] == second["y"]  # the second has a tooltip


CUT = """() => [...document.querySelectorAll("[data-testid=stMain] button [data-testid=stMarkdownContainer], .st-key-split input")]
    .filter((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth)
    .map((one) => one.innerText || one.value)"""


@pytest.mark.parametrize("name", ["compare", "balance", "ensemble"])
def test_no_word_on_a_button_is_cut_at_1024_pixels(
    new_page: Callable[..., Page], settle: Callable[[Page], None], demo_url: str, name: str
) -> None:
    page = new_page(1024, 768)
    page.goto(f"{demo_url}/{name}?dataset=demo")
    settle(page)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    page.wait_for_function(f"() => ({CUT})().length === 0")


LOST = """() => [
    ...[...document.querySelectorAll("[data-testid=stMain] [data-testid=stSelectbox] input")]
        .filter((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth)
        .map((one) => one.value),
    ...[...document.querySelectorAll("[data-testid=stDataFrame] .dvn-scroller")]
        .filter((one) => one.scrollWidth > one.clientWidth)
        .map((one) => one.innerText),
]"""
"""Texts of choosers that are cut, and tables whose last columns are out of sight."""


@pytest.mark.parametrize(
    "path",
    [
        "runs?",
        "compare?split=validation&",
        "compare?split=test&",
        "balance?balance_tab=Alternatives&",
        "dataset?show=Image+statistics&",
        "evaluate?split=test&tab=Slices+and+robustness&",
    ],
)
def test_choosers_and_tables_are_whole_at_1280_pixels(
    new_page: Callable[..., Page], settle: Callable[[Page], None], demo_url: str, path: str
) -> None:
    page = new_page(1280, 800)
    page.goto(f"{demo_url}/{path}dataset=demo")
    settle(page)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    page.wait_for_function(f"() => ({LOST})().length === 0")
