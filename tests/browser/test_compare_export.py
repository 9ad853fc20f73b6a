"""The picture that Compare saves says what it shows: decoded, its words and colours are where they were drawn."""

import io
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor
from playwright.sync_api import Page

from segcore import formatting
from tests.browser.viewing import press, settle

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
SLOW = 60_000
"""Milliseconds that anything may take on a busy machine."""

NOTE_DRAWING = """() => {
    window.drawn = [];
    const own = OffscreenCanvasRenderingContext2D.prototype;
    for (const name of ["fillText", "fillRect"]) {
        const plain = own[name];
        own[name] = function (...given) {
            const [words, x, y] = name === "fillText" ? given : ["", ...given];
            const wide = name === "fillText" ? this.measureText(words).width : given[2];
            const tall = name === "fillText" ? parseInt(this.font.match(/([0-9]+)px/)[1]) : given[3];
            window.drawn.push({ words, x, y, wide, tall, color: this.fillStyle });
            return plain.apply(this, given);
        };
    }
}"""
"""Notes what is written and filled on the pictures that are made from here on."""


def test_a_saved_picture_carries_model_split_score_and_legend(
    page: Page, start_app: Callable[..., str], trained
) -> None:
    workspace, run, sample = trained.workspace, trained.members[0], trained.samples["test"][0]
    url = start_app(ROOT / "app.py", {"SEGCORE_WORKSPACE": str(workspace.folder)})
    page.set_default_timeout(SLOW)
    page.goto(f"{url}/compare?run={run}&split=test&sample={sample}")
    page.locator("[data-painted]").first.wait_for()
    settle(page)
    page.evaluate(NOTE_DRAWING)
    with page.expect_download() as waiting:
        press(page, "Save PNG")
    saved = np.asarray(Image.open(io.BytesIO(waiting.value.path().read_bytes())).convert("RGB"))
    drawn = page.evaluate("window.drawn")
    texts = [one for one in drawn if one["words"]]
    report = workspace.scores.report(run, "test")
    score = formatting.percent(report.interval().value)
    head = " | ".join(one["words"] for one in texts)
    assert f"tiny · test · {sample}" in head
    assert f"Mean IoU on test, {run}" in head
    assert score in head
    for title in ("Image", "Ground truth", "Prediction"):
        assert any(one["words"].startswith(title) for one in texts), title

    background = saved[0, 0].astype(int)
    for one in texts:  # each is inked in the file, not only asked for
        top, left = int(one["y"] - 0.6 * one["tall"]), int(one["x"])
        box = saved[max(top, 0) : top + int(1.2 * one["tall"]), left : left + int(one["wide"])]
        assert np.abs(box.astype(int) - background).sum(-1).max() > 150, one["words"]

    names = {c.name: c.color for c in report.label_set.classes}
    truth = workspace.scenes.truth("tiny", sample)
    present = {report.label_set.class_names[i] for i in np.unique(truth) if i != 255}
    swatches = {}
    for before, one in itertools.pairwise(drawn):
        if one["words"] in names and not before["words"]:
            middle = int(before["y"] + before["tall"] / 2), int(before["x"] + before["wide"] / 2)
            swatches[one["words"]] = tuple(int(v) for v in saved[middle])
            assert swatches[one["words"]] == ImageColor.getrgb(before["color"])[:3]
    assert present <= set(swatches)
    assert len(set(swatches.values())) == len(swatches)
