"""Merging labels in a real browser: dragged, seen on the front, retrained by one click, and compared with what was predicted."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from segcore import formatting

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
SLOW = 60_000
"""Milliseconds that anything may take on a busy machine."""

RETRAINING_SECONDS = 300
"""How long two short epochs and a prediction may take on a busy machine."""


def wait_idle(page: Page) -> None:
    page.wait_for_timeout(300)
    page.wait_for_function(
        "() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === "
        "'notRunning'"
    )


def chosen_point(page: Page) -> tuple[float, float]:
    """Where the star of the chosen merge stands: entropy kept and accuracy, percent."""
    x, y = page.evaluate(
        "() => { const star = document.querySelector('.js-plotly-plot').data.find((t) => "
        "t.name === 'chosen');"
        " const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;"
        " const first = (v) => (v.bdata ? new Float64Array(bytes(v.bdata)) : v)[0];"
        " return [first(star.x), first(star.y)]; }"
    )
    return float(x), float(y)


@pytest.mark.slow
def test_labels_are_merged_retrained_and_compared(
    page: Page, start_app: Callable[..., str], trained
) -> None:
    workspace, run = trained.workspace, trained.members[0]
    url = start_app(ROOT / "app.py", {"SEGCORE_WORKSPACE": str(workspace.folder)})
    page.set_default_timeout(SLOW)
    page.goto(f"{url}/compress?run={run}&split=test&way=Manual")
    board = page.locator(".board")
    board.wait_for(timeout=SLOW)  # the first page of a fresh server
    wait_idle(page)
    board.locator("[data-label='5']").drag_to(board.locator("[data-label='3']"))
    expect(page.get_by_role("button", name="Unmerge")).to_be_visible(timeout=SLOW)
    wait_idle(page)
    expect(board.locator(".box.merged .chip")).to_have_count(2, timeout=SLOW)
    # the front's chart holds the merge, at the numbers that the workspace computes
    found = workspace.merges.judge(run, "test", [[3, 5]]).to_json()["after"]
    page.locator(".js-plotly-plot").first.wait_for()
    assert chosen_point(page) == pytest.approx(
        (100 * found["retained_entropy"], 100 * found["accuracy"])
    )
    expect(page.get_by_text("merges were compared.")).to_be_visible(timeout=SLOW)
    # undone and done again
    page.get_by_role("button", name="Undo").click()
    expect(board.locator(".box.merged")).to_have_count(0, timeout=SLOW)
    wait_idle(page)
    page.get_by_role("button", name="Redo").click()
    expect(board.locator(".box.merged")).to_have_count(1, timeout=SLOW)
    wait_idle(page)

    page.get_by_role("tab", name="Expected vs retrained").click()
    page.get_by_role("button", name="Sum probabilities of 3 images").click()
    expect(page.get_by_text("Scored on the 3 images")).to_be_visible(timeout=SLOW)
    wait_idle(page)
    before = set(workspace.runs.ids())
    page.get_by_role("button", name="Retrain with these labels").click()
    expect(page.get_by_role("link", name="Monitor run")).to_be_visible(timeout=SLOW)
    clone = min(set(workspace.runs.ids()) - before, key=len)
    deadline = time.monotonic() + RETRAINING_SECONDS
    while not workspace.scores.has_counts(clone, "test") and time.monotonic() < deadline:
        page.wait_for_timeout(500)
        assert workspace.runs.open(clone).status().state not in ("failed", "interrupted"), (
            workspace.runs.open(clone).status().cause
        )
    # the open page follows by itself and says what retraining gave
    expect(page.get_by_text("Retraining gained", exact=False)).to_be_visible(timeout=SLOW)
    (tier,) = [
        t
        for t in workspace.tiers.compare(run, "test", [[3, 5]]).to_json()["tiers"]
        if t["tier"] == "retrained"
    ]
    gained = formatting.points(tier["beyond"]["mean_iou"]["difference"])
    told = f"Retraining gained {gained} of mean IoU over the expected value"
    expect(page.get_by_text(told, exact=False)).to_be_visible(timeout=SLOW)
