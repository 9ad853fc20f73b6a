"""A search is watched: what its process writes appears without a touch, and its best trial leads to the train page."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from segcore.config import ModelConfig, Range, RecipeConfig, SearchSpace, TrainConfig, TuneConfig
from segcore.runs.machine import processes

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
BASE = TrainConfig("tiny", ModelConfig("unet", "tiny", "none"), RecipeConfig(epochs=2), (32, 64))
SPACE = SearchSpace(loss=("dice", "focal"), learning_rate=Range(1e-4, 1e-2))


def trials(count: int) -> list[dict]:
    return [
        {
            "trial": n,
            "run": f"tiny-tune-seen-{n}",
            "state": "complete",
            "values": {"loss": "dice", "learning_rate": n * 1e-3},
            "score": 0.1 * n,
            "scores": {"1": 0.05 * n, "2": 0.1 * n},
            "cause": "",
            "began": 0.0,
            "ended": 1.0,
        }
        for n in range(1, count + 1)
    ]


@pytest.mark.slow
def test_a_search_is_watched_and_its_best_trial_taken_along(
    page: Page, start_app: Callable[..., str], workspace, made_up
) -> None:
    for n in (1, 2, 3):
        made_up.write(f"tiny-tune-seen-{n}", BASE)
    pid, birth = processes.identity(
        os.getpid()
    )  # a process that lives, so that the study is not taken for dead
    now = time.time()
    config = TuneConfig("tiny", BASE, SPACE, trials=9)
    run = made_up.write(
        "tiny-tune-seen",
        config,
        state="running",
        finished=None,
        pid=pid,
        birth=birth,
        heartbeat=now,
        started=now,
    )
    run.write_json("study", {"format": 1, "trials": trials(1), "importances": {}})
    url = start_app(ROOT / "app.py", {"SEGCORE_WORKSPACE": str(workspace.folder)})
    page.goto(f"{url}/tune?study=tiny-tune-seen")
    expect(page.get_by_text("1 of 9")).to_be_visible(timeout=180_000)
    run.write_json(
        "study",
        {"format": 1, "trials": trials(3), "importances": {"loss": 0.4, "learning_rate": 0.6}},
    )
    expect(page.get_by_text("3 of 9")).to_be_visible(timeout=180_000)
    expect(page.get_by_text("30.0 %", exact=True).first).to_be_visible(timeout=180_000)
    expect(page.locator(".js-plotly-plot")).to_have_count(
        4, timeout=180_000
    )  # in order, by epoch, settings to score, what mattered
    link = page.get_by_role("link", name="Use as training config")
    assert "from_run=tiny-tune-seen-3" in (link.get_attribute("href") or "")
    link.click()
    expect(page.get_by_role("heading", name="Train", exact=True)).to_be_visible(timeout=180_000)
