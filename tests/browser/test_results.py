"""What pages make of members' results in a real browser: a picture that says what it shows, and a CRF that follows its sliders."""

import io
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageColor
from playwright.sync_api import Page, expect

from segcore import formatting
from segcore.postprocess.dense_crf import DenseCRF, is_available
from segcore.postprocess.parameters import CRFParameters
from tests.browser.viewing import press, settle
from tests.conftest import MadeUpRuns, make_trained, make_workspace

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


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """The workspace of ``trained``, made once for this file, which changes nothing in it."""
    return make_trained(MadeUpRuns(make_workspace(tmp_path_factory.mktemp("workspace"))))


@pytest.fixture(scope="module")
def url(start_app: Callable[..., str], trained: SimpleNamespace) -> str:
    return start_app(ROOT / "app.py", {"SEGCORE_WORKSPACE": str(trained.workspace.folder)})


def test_the_first_request_may_be_a_deep_link(page: Page, url: str, trained) -> None:
    run = trained.members[1]
    page.goto(f"{url}/compress?run={run}")
    expect(page.locator("h1.page-title")).to_have_text("Compress labels")
    expect(page.get_by_role("link", name="Dataset")).to_be_visible()
    expect(page.get_by_text(f"From the counts of {run}")).to_be_visible()
    assert f"/compress?run={run}" in page.url


def test_a_saved_picture_carries_model_split_score_and_legend(
    page: Page, url: str, trained
) -> None:
    workspace, run, sample = trained.workspace, trained.members[0], trained.samples["test"][0]
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


@pytest.mark.skipif(not is_available(), reason="pydensecrf is not installed")
def test_a_slider_refines_the_shown_image_again(
    page: Page, url: str, trained: SimpleNamespace
) -> None:
    scene = trained.workspace.crf.scene(trained.members, "test", trained.samples["test"][0])
    off = scene.probabilities.argmax(-1)

    def wanted(iterations: int) -> np.ndarray:
        return (
            DenseCRF(CRFParameters(relative=True, iterations=iterations))
            .preview(scene.probabilities, scene.image)
            .argmax(-1)
        )

    members = "&".join(f"members={m}" for m in trained.members)
    page.goto(f"{url}/ensemble?tab=CRF&combine_split=test&{members}")
    expect(page.get_by_text("Preview at half resolution: on this image")).to_be_visible(
        timeout=180_000
    )
    page.locator("[data-painted]").first.wait_for()
    page.wait_for_function("() => window.__segviewer?.probe")
    first, fewer = wanted(5), wanted(1)
    y, x = (
        int(v) for v in np.argwhere((first != off) & (first != fewer))[0]
    )  # a pixel that tells one step from five
    assert page.evaluate(f"() => window.__segviewer.probe({x}, {y})")[3]["index"] == first[y, x]
    slider = page.get_by_role("slider", name=re.compile("Iterations"))
    slider.focus()
    for _ in range(4):
        slider.press("ArrowLeft")
    page.wait_for_function(
        f"() => window.__segviewer.probe({x}, {y})[3].index === {int(fewer[y, x])}", timeout=180_000
    )
    assert page.evaluate(f"() => window.__segviewer.probe({x}, {y})")[2]["index"] == off[y, x]
