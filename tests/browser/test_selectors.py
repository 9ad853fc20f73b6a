"""Every selector shows what the server computes with, after each change of dataset, run and split."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from segcore.catalog import (
    AUGMENTATIONS,
    BALANCE_MODES,
    BALANCE_RULES,
    ENSEMBLE_RULES,
    TUNE_PRESETS,
)
from segcore.config import TrainConfig, TuneConfig
from segcore.config.schema import own_settings, settings
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.labels import LabelClass, LabelSet
from segcore.ui.balance import form
from segcore.ui.shared import cached_scores
from segcore.ui.shared.run_names import called
from segcore.ui.shared.run_names import shown as shortened
from segcore.ui.train.device_choice import TITLES as DEVICES
from segcore.ui.train.form import WEIGHTS
from segcore.workspace.predictions.imported import HowToImport

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    *("dataset", "balance", "train", "tune", "ablation", "runs"),
    *("compare", "predict", "evaluate", "ensemble", "compress"),
)

SHOWN = """() => {
    const shown = {};
    for (const box of document.querySelectorAll('[class*="st-key-"]')) {
        const key = [...box.classList].find((name) => name.startsWith("st-key-")).slice(7);
        const select = box.querySelector(':scope > [data-testid=stSelectbox]');
        const several = box.querySelector(':scope > [data-testid=stMultiSelect]');
        const group = box.querySelector(':scope > [data-testid=stButtonGroup] [role=radiogroup]');
        if (select) shown[key] = select.querySelector("input").value;
        if (several) shown[key] = [...several.querySelectorAll('[data-tag]')].map((tag) => tag.ariaLabel);
        if (group) shown[key] = group.querySelector('[aria-checked=true]')?.textContent.trim() ?? null;
    }
    return shown;
}"""


@pytest.fixture
def two_datasets(trained, tmp_path):
    """The made-up workspace with a second dataset of other classes, images and models."""
    workspace = trained.workspace
    labels = LabelSet((LabelClass(0, "cell", (1, 2, 3)), LabelClass(1, "wall", (200, 2, 3))))
    rng = np.random.default_rng(0)
    samples = [
        ArraySample(
            f"slide-{n}",
            rng.integers(0, 255, (20, 30, 3), dtype=np.uint8),
            np.eye(20, 30, dtype=np.uint8),
        )
        for n in range(8)
    ]
    write_dataset(workspace.datasets.folder / "cells", "cells", labels, samples)
    shares = {"train": 0.5, "validation": 0.25, "test": 0.25}
    workspace.datasets.make_splits("cells", "random", shares, 0, save=True)
    masks = tmp_path / "masks"
    masks.mkdir()
    for sample in samples:
        Image.fromarray(np.eye(20, 30, dtype=np.uint8)).save(masks / f"{sample.id}.png")
    for split in ("validation", "test"):
        for name in ("other", "another"):
            how = HowToImport(split, partial=True)
            workspace.imports.import_("cells", masks, name, how)
    return workspace


def settle(page: Page) -> None:
    page.wait_for_timeout(400)
    page.wait_for_function(
        "() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === "
        "'notRunning'"
    )
    page.wait_for_timeout(200)


def check(page: Page, state: Path, where: str) -> dict[str, Any]:
    """Compare what every selector on the page shows with what the server holds for it.

    Args:
        page: The page.
        state: Where the harness writes what the server holds.
        where: Where the walk has come to.

    Returns:
        What the server holds, by key.
    """
    settle(page)
    read = page.evaluate(SHOWN)
    values_held = json.loads(state.read_text())
    compared = 0
    for key, shown in read.items():
        held = values_held.get(key)
        if held is None:
            continue
        compared += 1
        values = held if isinstance(held, list) else [held]
        known = [
            {str(value), called(str(value)), shortened(str(value)), title(key, str(value))}
            for value in values
        ]
        texts = shown if isinstance(held, list) else [shown or ""]
        assert len(texts) == len(known), (where, key, shown, held)
        for text, names in zip(texts, known, strict=True):
            assert text in names, (where, key, shown, held)
    assert compared or not read, (where, "no selector could be compared", read)
    return values_held


TITLES: dict[str, Callable[[str], str]] = {
    "mode": lambda value: BALANCE_MODES[value].title,
    "target": form.TARGETS.__getitem__,
    "ground": form.GROUNDS.__getitem__,
    "rule": lambda value: (BALANCE_RULES | ENSEMBLE_RULES)[value].title,
    "preset": lambda value: AUGMENTATIONS[value].title,
    "stage": cached_scores.stage_title,
    "split_method": str.capitalize,
    "split_groups": lambda value: "Auto-detect" if value == "" else value,
}
"""How the page writes the options of the selectors that do not show them as they are, by key."""


FIELDS = {one.name: one for one in settings(TrainConfig).values()}
SEARCH = {one.name: one for one in own_settings(TuneConfig) if one.option.table}


def title(key: str, value: str) -> str:
    """Return how the page writes an option of a selector."""
    if key == "tune_preset":
        return TUNE_PRESETS[value].title
    if re.match(r"(tune_)?weights_", key) and value in WEIGHTS:
        return WEIGHTS[value]
    if key.startswith("device_"):
        return DEVICES.get(value, value)
    # a field of Train, drawn anew when a config is loaded, or of Tune, by the search space
    of_form = re.fullmatch(r"(\w+)_\d+|tune_(\w+?)(_one)?_\w+", key)
    name = (of_form[1] or of_form[2]) if of_form else ""
    if key.removeprefix("tune_") in SEARCH:
        return SEARCH[key.removeprefix("tune_")].option.table[value].title
    if name not in FIELDS:
        return TITLES.get(key, str)(value)
    option = FIELDS[name].option
    if not value:
        return option.empty
    return option.table[value].title if value in (option.table or {}) else value


def switch_dataset(page: Page, now: str, name: str) -> None:
    page.get_by_test_id("stSidebar").get_by_role("button", name=now).first.click()
    box = page.get_by_test_id("stPopoverBody").get_by_role("combobox", name="Dataset")
    box.fill(name)
    page.get_by_role("option", name=name, exact=True).click()
    settle(page)
    page.keyboard.press("Escape")


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_selectors_never_show_what_the_server_does_not_mean(
    page: Page, start_app: Callable[..., str], two_datasets, tmp_path, name
) -> None:
    home = tmp_path / "app"
    home.mkdir()
    for part in ("pages", "assets", ".streamlit"):
        (home / part).symlink_to(ROOT / part)
    script = home / "harness.py"
    script.symlink_to(Path(__file__).with_name("harness_selectors.py"))
    state = tmp_path / "state.json"
    url = start_app(
        script,
        {
            "SEGCORE_WORKSPACE": str(two_datasets.folder),
            "SEGSCOPE_APP": str(ROOT / "app.py"),
            "SEGSCOPE_STATE": str(state),
        },
    )
    page.goto(f"{url}/{name}?dataset=tiny")
    settle(page)
    page.keyboard.press("Escape")  # Streamlit looks for the page before the harness has named it
    expect(page.get_by_role("dialog")).to_have_count(0)
    check(page, state, f"{name}, first")
    switch_dataset(page, "tiny", "cells")
    assert check(page, state, f"{name}, after a change of the dataset")["dataset"] == "cells"
    switch_dataset(page, "cells", "tiny")
    assert check(page, state, f"{name}, back")["dataset"] == "tiny"
    runs = page.locator(".st-key-run input")
    if runs.count():
        runs.first.click()
        page.get_by_role("option").last.click()
        check(page, state, f"{name}, after a change of the run")
    splits = page.locator(".st-key-split [role=radio], .st-key-merge_split [role=radio]")
    if splits.count():
        splits.filter(has_text="validation").first.click()
        check(page, state, f"{name}, after a change of the split")
    expect(page.get_by_text("Traceback")).to_have_count(0)
