"""The CRF tab in a real browser: a slider moves, and the mask that is shown is another."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from segcore.postprocess.dense_crf import DenseCRF, is_available
from segcore.postprocess.parameters import CRFParameters

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not is_available(), reason="pydensecrf is not installed"),
]

ROOT = Path(__file__).resolve().parents[2]


def test_a_slider_refines_the_shown_image_again(
    page: Page, start_app: Callable[..., str], trained: SimpleNamespace
) -> None:
    url = start_app(ROOT / "app.py", {"SEGCORE_WORKSPACE": str(trained.workspace.folder)})
    scene = trained.workspace.crf.scene(trained.members, "test", trained.samples["test"][0])
    off = scene.probabilities.argmax(-1)

    def wanted(iterations: int) -> np.ndarray:
        return (
            DenseCRF(CRFParameters(relative=True, iterations=iterations))
            .preview(scene.probabilities, scene.image)
            .argmax(-1)
        )

    members = "&".join(f"members={m}" for m in trained.members)
    page.goto(f"{url}/ensemble?tab=CRF&crf_lab_split=test&{members}")
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
