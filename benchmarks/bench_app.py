"""The app as a newcomer meets it, in a real Chromium: seconds to the first page, to the demo, to the next image.

    python benchmarks/bench_app.py

Starts the app in a temporary workspace. "first page" counts from the moment the server answers;
"demo" from the click on "Open the demo" until four panels are painted, nothing having been trained;
"next image" from the click until the repaint, over images seen before (warm) and not (cold). Needs
Chromium and the test requirements; draws in software where there is no GPU.
"""

import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

from driven_app import browser, served
from playwright.sync_api import Page

IMAGES = 8

# Click, then wait until the viewer has painted another image; milliseconds.
NEXT = """async () => {
    const root = () => {
        const find = (node) => {
            if (node.matches?.("[data-painted]")) return node;
            for (const child of [...(node.shadowRoot?.children ?? []), ...node.children]) {
                const found = find(child);
                if (found) return found;
            }
            return null;
        };
        return find(document.body);
    };
    const before = root().dataset.painted;
    const start = performance.now();
    [...root().querySelectorAll("button")].find((b) => (b.ariaLabel ?? b.title).startsWith("Next image")).click();
    while (root()?.dataset.painted === before) await new Promise((done) => requestAnimationFrame(done));
    return performance.now() - start;
}"""


def measure(page: Page, url: str) -> None:
    start = time.perf_counter()
    page.goto(url)
    page.get_by_role("button", name="Open demo").wait_for()
    print(
        f"first page painted        {time.perf_counter() - start:6.2f} s after the server answers"
    )
    start = time.perf_counter()
    page.get_by_role("button", name="Open demo").click()
    page.locator("[data-painted]").first.wait_for(timeout=60_000)
    print(
        f"demo, four panels         {time.perf_counter() - start:6.2f} s after the click "
        "(drawing 144 scenes included)"
    )
    page.wait_for_timeout(2000)
    for name in ("cold", "warm"):
        times = []
        for _ in range(IMAGES):
            times.append(page.evaluate(NEXT))
            page.wait_for_timeout(600)
        print(
            f"next image, {name}          {statistics.median(times):6.0f} ms median, "
            f"{max(times):.0f} ms longest of {IMAGES}"
        )


def main() -> None:
    print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}"
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as (url, seconds),
        browser() as chromium,
    ):
        print(f"server up                 {seconds:6.2f} s after its start")
        measure(chromium.new_page(viewport={"width": 1440, "height": 1000}), url)


if __name__ == "__main__":
    main()
