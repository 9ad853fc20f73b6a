"""What screen readers need: axe-core on every page, in light and in dark.

Where axe-core is not installed (``.ci/prepare test`` fetches it) its tests are skipped with a loud
line; with ``SEGSCOPE_REQUIRE_BROWSER=1`` its absence is a failure.
"""

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / ".venv" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = {
    "start": ("", {}),
    "dataset": ("dataset", {}),
    "splits": ("dataset", {"show": "Splits"}),
    "classes": ("dataset", {"show": "Classes"}),
    "balance": ("balance", {}),
    "train": ("train", {}),
    "tune": ("tune", {}),
    "ablation": ("ablation", {}),
    "runs": ("runs", {}),
    "compare": ("compare", {}),
    "predict": ("predict", {}),
    "evaluate": ("evaluate", {}),
    "confusion": ("evaluate", {"tab": "Confusion"}),
    "ensemble": ("ensemble", {}),
    "crf": ("ensemble", {"tab": "CRF"}),
    "compress": ("compress", {}),
    "guide": ("guide", {}),
}
# The label of a control that cannot be used now may be faint (WCAG 1.4.3), but axe-core does not
# see that Streamlit's label belongs to it.
FAINT = ":has(:disabled) > [data-testid=stWidgetLabel]"
SERIOUS = """async (faint) => {
    const found = await axe.run({ exclude: [faint] }, { resultTypes: ["violations"] });
    return found.violations
        .filter((v) => ["serious", "critical"].includes(v.impact))
        .flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 160)}: ${n.failureSummary}`));
}"""


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.is_file():
        message = "NO AXE-CORE: bash .ci/prepare test fetches it"
        if os.environ.get("SEGSCOPE_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    return AXE.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_serious_finding(
    new_page: Callable[..., Page],
    settle: Callable[[Page], None],
    demo_url: str,
    axe: str,
    name: str,
    scheme: str,
) -> None:
    page = new_page(1280, 900, color_scheme=scheme)
    path, query = PAGES[name]
    page.goto(f"{demo_url}/{path}?{urlencode({'dataset': 'demo', **query})}")
    settle(page)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    settle(page)
    page.evaluate(axe)
    assert page.evaluate(SERIOUS, FAINT) == []
