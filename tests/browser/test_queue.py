"""Runs go on by themselves: two are launched in a browser, one waits, and closing browser and server costs neither anything."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue import jobs
from segcore.workspace import Workspace

pytestmark = [pytest.mark.browser, pytest.mark.tensorflow]

SECONDS = 240
"""A busy machine may take this long to import TensorFlow and learn one epoch."""
ROOT = Path(__file__).resolve().parents[2]


def seen(locator: Locator) -> None:
    expect(locator.first).to_be_visible(timeout=1000 * SECONDS)


def wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def kill_server(url: str) -> None:
    """Kill the app that listens there, as when its window is closed in the middle of everything."""
    port = url.rpartition(":")[2]
    (server,) = [
        p
        for p in psutil.process_iter(["cmdline"])
        if {"streamlit", port} <= set(p.info["cmdline"] or [])
    ]
    server.kill()
    server.wait(10)


@pytest.fixture
def ended(workspace: Workspace) -> Iterator[None]:
    """Whatever happens, no training goes on after the test."""
    yield
    for job in jobs.waiting(workspace.folder) * 2:  # asked twice, it is killed
        jobs.stop(workspace.folder, job.run)


@pytest.mark.slow
@pytest.mark.usefixtures("ended")
def test_two_runs_are_launched_and_outlive_browser_and_server(
    new_page: Callable[..., Page], start_app: Callable[..., str], workspace: Workspace
) -> None:
    recipe = RecipeConfig(epochs=5000, batch_size=2, patience=0, augmentation="none")
    config = TrainConfig(
        "tiny", ModelConfig("unet", "tiny", "none"), recipe, (32, 64), predict_after=False
    )
    pattern = RunFolder.create(workspace.runs.folder, "pattern", config)
    pattern.write_status(state="finished", progress=1.0, created=1e9, started=1e9, finished=1e9 + 9)
    url = start_app(ROOT / "app.py", {"SEGCORE_WORKSPACE": str(workspace.folder)})
    page = new_page()
    page.set_default_timeout(1000 * SECONDS)
    page.goto(f"{url}/train?dataset=tiny&from_run=pattern")
    members = page.get_by_role("spinbutton", name="Ensemble size")
    members.fill("2")
    members.press("Enter")
    page.get_by_text("--members 2").first.wait_for(state="attached")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/runs?**")
    first, second = (
        RunFolder(workspace.runs.folder / id)
        for id in sorted(set(workspace.runs.ids()) - {"pattern"})
    )

    seen(page.get_by_text("Running 1, queued 1"))
    wait(lambda: (first.status().epoch or 0) >= 1)
    assert second.status().state == "queued" and second.metrics() == []
    seen(page.get_by_test_id("stProgress").get_by_text(first.id))
    seen(page.get_by_text("waiting for a free device"))
    page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Stop").click()
    wait(lambda: first.status().state == "interrupted" and (second.status().epoch or 0) >= 1)
    seen(page.get_by_test_id("stProgress").get_by_text(second.id))
    kept, reached = first.metrics(), second.status().epoch or 0
    assert [line["epoch"] for line in kept] == list(range(1, len(kept) + 1))

    page.close()
    kill_server(url)
    wait(lambda: (second.status().epoch or 0) > reached)  # nobody looks, and it goes on

    page = new_page()
    page.set_default_timeout(1000 * SECONDS)
    page.goto(
        start_app(ROOT / "app.py", {"SEGCORE_WORKSPACE": str(workspace.folder)})
        + f"/runs?run={second.id}"
    )
    seen(page.get_by_text("Running 1"))
    seen(page.get_by_test_id("stProgress").get_by_text(second.id))
    seen(page.locator(".js-plotly-plot"))
    assert {row.run: row.status.state for row in workspace.runs.rows()} == {
        "pattern": "finished",
        first.id: "interrupted",
        second.id: "running",
    }
    assert first.metrics() == kept
    page.get_by_test_id("stMainBlockContainer").get_by_role("button", name="Stop").click()
    wait(lambda: second.status().state == "interrupted" and not jobs.waiting(workspace.folder))
    assert [line["epoch"] for line in second.metrics()] == list(range(1, len(second.metrics()) + 1))
    seen(page.get_by_role("button", name="Resume"))
