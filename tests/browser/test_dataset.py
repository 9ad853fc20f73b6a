"""A folder on disk becomes a balanced dataset: imported by its path, seen, split, planned, and its plan found on the train page."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from segcore.data.balance.plans import BalancePlan
from segcore.workspace import Workspace

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]


def write_source(folder: Path) -> Path:
    """Twenty scenes without splits; a pole stands in four of them only."""
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    (folder / "classes.csv").write_text("id,name\n0,ground\n1,tree\n2,pole\n")
    for number in range(20):
        mask = np.zeros((32, 48), np.uint8)
        mask[:, : 8 + number % 5] = 1
        if number % 5 == 0:
            mask[:, 30:36] = 2
        image = (60 * mask[..., None] + rng.integers(0, 60, (32, 48, 3))).astype(np.uint8)
        Image.fromarray(image).save(folder / "images" / f"scene_{number:02d}.png")
        Image.fromarray(mask).save(folder / "masks" / f"scene_{number:02d}.png")
    return folder


def test_from_a_folder_to_a_plan_on_the_train_page(
    page: Page,
    start_app: Callable[..., str],
    settle: Callable[[Page], None],
    choose: Callable[..., None],
    tmp_path: Path,
) -> None:
    source = write_source(tmp_path / "village")
    url = start_app(ROOT / "app.py", {"SEGCORE_WORKSPACE": str(tmp_path / "workspace")})
    page.goto(f"{url}/dataset")
    path = page.get_by_role("textbox", name="Folder or archive")
    path.fill(str(source))
    path.press("Enter")
    expect(page.get_by_role("button", name="Preview")).to_be_visible()  # the path has arrived
    settle(page)
    page.get_by_role("button", name="Import dataset", exact=True).last.click()
    expect(page.get_by_text("Imported 20 samples as village")).to_be_visible()
    settle(page)
    page.get_by_role("tab", name="Class balance").click()
    # pixel frequency, and images per class
    expect(page.locator(".js-plotly-plot:visible")).to_have_count(2)

    settle(page)
    page.get_by_role("tab", name="Splits").click()
    page.get_by_role("button", name="Preview splits").click()
    expect(page.get_by_role("button", name="Save splits")).to_be_visible()
    settle(page)
    page.get_by_role("button", name="Save splits").click()
    expect(page.get_by_role("button", name="Undo splits")).to_be_visible()
    datasets = Workspace(tmp_path / "workspace").datasets
    settle(page)
    village = datasets.open("village")
    assert {s: len(village.select(s)) for s in village.splits} == {
        "train": 14,
        "validation": 3,
        "test": 3,
    }

    page.get_by_role("link", name="Balance", exact=True).click()
    plan = datasets.plan_balance("village", "train")
    assert plan.after < plan.before  # repeating helps here
    for value in (plan.before, plan.after):
        expect(
            page.get_by_test_id("stMetricValue").filter(has_text=f"{value:.3f}").first
        ).to_be_visible()
    settle(page)
    name = page.get_by_role("textbox", name="Plan name")
    name.fill("fairer")
    name.press("Enter")
    settle(page)
    page.get_by_role("button", name="Save plan").click()
    expect(page.get_by_text("Saved fairer")).to_be_visible()
    assert BalancePlan.from_json(datasets.open("village").load_plan("fairer")) == plan

    page.get_by_role("link", name="Train", exact=True).first.click()
    expect(page.get_by_role("button", name="Start training")).to_be_visible()
    settle(page)
    page.get_by_text("Optimization, data and device").click()
    choose(page, "Balance plan", "fairer")
