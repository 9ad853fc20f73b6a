"""The runs page in a real browser: rows are chosen, marked, deleted and brought back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace import Workspace

pytestmark = pytest.mark.browser

MILLISECONDS = 60_000
"""A busy machine may take this long for one answer."""
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Three finished training runs, "made-2" the newest."""
    made = Workspace(tmp_path_factory.mktemp("workspace"))
    config = TrainConfig(
        "absent", ModelConfig("unet", "tiny", "none"), RecipeConfig(epochs=2), (32, 64)
    )
    for number in range(3):
        run = RunFolder.create(made.runs.folder, f"made-{number}", config)
        for epoch in (1, 2):
            run.append_metrics(
                {
                    "epoch": epoch,
                    "loss": 1.0 / epoch,
                    "val_loss": 1.5 / epoch,
                    "mean_iou": 0.1 * epoch,
                }
            )
        run.write_status(
            state="finished",
            progress=1.0,
            created=1e9 + number,
            started=1e9,
            finished=1e9 + 9,
            epoch=2,
            epochs=2,
        )
    return made


@pytest.fixture(scope="module")
def url(start_app: Callable[..., str], workspace: Workspace) -> str:
    return start_app(ROOT / "app.py", {"SEGCORE_WORKSPACE": str(workspace.folder)})


def seen(locator: Locator) -> None:
    expect(locator).to_be_visible(timeout=MILLISECONDS)


def choose_row(page: Page, row: int) -> None:
    """Click the box of a row of the table, counted from 0."""
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 18, box["y"] + 38 + 35 * row + 17)


def test_chosen_rows_share_a_chart_and_are_deleted_and_brought_back(
    page: Page, url: str, workspace: Workspace
) -> None:
    page.set_default_timeout(MILLISECONDS)
    page.goto(f"{url}/runs?run=made-0")
    seen(page.get_by_text("Select rows to compare"))
    choose_row(page, 0)
    seen(page.get_by_text("1 selected"))
    expect(page).to_have_url(
        f"{url}/runs", timeout=MILLISECONDS
    )  # the newest, which the link leaves out
    choose_row(page, 1)
    seen(page.get_by_text("2 selected"))
    seen(page.get_by_text("Solid: training split"))
    page.get_by_role("button", name="Star").click()
    seen(page.get_by_role("button", name="Unstar"))
    assert [workspace.annotations.notes(f"made-{i}").star for i in range(3)] == [False, True, True]
    page.locator(".st-key-delete_chosen").get_by_role("button").click()
    dialog = page.get_by_role("dialog", name="Delete 2 runs?")
    seen(dialog.get_by_text("made-2"))
    assert len(workspace.runs.ids()) == 3
    dialog.get_by_role("button", name="Delete 2 runs").click()
    seen(page.get_by_text("2 runs and their predictions moved to trash"))
    assert workspace.runs.ids() == ["made-0"]
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("2 runs and their predictions moved to trash")).not_to_be_visible(
        timeout=MILLISECONDS
    )
    assert workspace.runs.ids() == ["made-2", "made-1", "made-0"]


def test_the_pointer_shows_all_curves_at_once(page: Page, url: str) -> None:
    page.set_default_timeout(MILLISECONDS)
    page.goto(f"{url}/runs?run=made-1")
    plot = page.locator(".st-key-curves .js-plotly-plot .nsewdrag").first
    seen(plot)
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.45, box["y"] + box["height"] * 0.4)
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    hovered = page.locator(".st-key-curves .hoverlayer")
    expect(hovered).to_contain_text("Loss", timeout=MILLISECONDS)
    expect(hovered).to_contain_text("Mean IoU", timeout=MILLISECONDS)


def test_one_press_of_back_leaves_the_page(
    page: Page, url: str, choose: Callable[..., None]
) -> None:
    """What is chosen on a page is written into its address, and is no step of its own in the history."""
    page.goto(f"{url}/guide")
    seen(page.get_by_role("heading", name="Guide"))
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Runs").click()
    page.wait_for_url("**/runs**")
    choose(page, "Run", "made-0")
    page.wait_for_url("**/runs?run=made-0")
    page.go_back()
    page.wait_for_url("**/guide**")
    seen(page.get_by_role("heading", name="Guide"))
