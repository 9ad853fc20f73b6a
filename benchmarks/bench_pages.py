"""How long each page takes until it stands still, in a real Chromium: three workspaces, first and again.

    python benchmarks/bench_pages.py [--only demo many huge] [--again 3]

"demo" is the demo; "many" has 200 images of 512 x 512 pixels in 59 classes, half of them scored by
two runs; "huge" has 20,000 small images in 150 classes, 15 % of them scored. Seconds count from the
address until the last change of the page: its script has run, nothing waits to be drawn, on Compare
the panels are painted, and for 0.5 s more, which are not counted, no element changes. Beside them
stand the processor seconds of the server. Pages that train are opened, not used.
"""

import argparse
import os
import platform
import statistics
import tempfile
from pathlib import Path
from urllib.parse import urlencode

import psutil
from bench_browsing import DATASET, RUNS, write_workspace
from driven_app import browser, served
from playwright.sync_api import Page

from segcore.workspace import Workspace

MILLISECONDS = 180_000
PAGES = (
    "",
    "dataset",
    "balance",
    "train",
    "tune",
    "ablation",
    "runs",
    "compare",
    "predict",
    "evaluate",
    "ensemble",
    "compress",
    "guide",
)


def demo(folder: Path) -> dict[str, str]:
    """Open the demo; return the parameters of links to its ensemble."""
    opened = Workspace(folder / "workspace").demo.open()
    return {"dataset": opened.dataset, "run": opened.ensemble or "", "split": "test"}


def many(folder: Path) -> dict[str, str]:
    """Write 200 images in 59 classes."""
    write_workspace(folder, 200, 0.5, classes=59, side=512)
    return {"dataset": DATASET, "run": RUNS[0], "split": "test"}


def huge(folder: Path) -> dict[str, str]:
    """Write 20,000 images in 150 classes."""
    write_workspace(folder, 20_000, 0.15)
    return {"dataset": DATASET, "run": RUNS[0], "split": "test"}


WATCH = """() => {
    window.lastChange = 0;
    const look = () => { window.lastChange = performance.now(); };
    const watch = { subtree: true, childList: true, attributes: true, characterData: true };
    new MutationObserver(look).observe(document, watch);
}"""
STILL = """() => {
    const app = document.querySelector("[data-testid=stApp]");
    const busy = app?.dataset.testScriptState !== "notRunning"
        || document.querySelector("[data-testid=stSkeleton]");
    if (busy) window.lastChange = performance.now();
    return !busy && performance.now() - window.lastChange > 500;
}"""
"""Whether the page has not changed for half a second, after all that it waits for."""

WORKSPACES = {"demo": demo, "many": many, "huge": huge}


def server_seconds() -> float:
    """Return the processor seconds of the app's server, which is the only Streamlit child."""
    total = 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            if "streamlit" in child.cmdline():
                times = child.cpu_times()
                total += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return total


def opened(page: Page, address: str, name: str) -> tuple[float, float]:
    """Open a page; return the seconds until its last change and the server's processor seconds."""
    before = server_seconds()
    page.goto(address, wait_until="commit")
    painted = 0.0
    if name == "compare":
        page.locator("[data-painted]").first.wait_for(timeout=MILLISECONDS)
        painted = page.evaluate("performance.now()")  # a canvas changes without its element
    page.wait_for_function(STILL, timeout=MILLISECONDS)
    last = max(painted, page.evaluate("window.lastChange"))
    return last / 1000, server_seconds() - before


def measure(title: str, folder: Path, again: int) -> list[float]:
    """Print what each page of a workspace takes; return the medians of opening it again."""
    query = WORKSPACES[title](folder)
    medians = []
    with (
        served(folder / "workspace", SEGSCOPE_NO_WORK="1") as (url, _),
        browser() as chromium,
    ):
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(MILLISECONDS)
        page.add_init_script(f"({WATCH})()")
        for name in PAGES:
            wanted = query if name in ("compare", "evaluate", "compress") else {}
            asked = {"dataset": query["dataset"], **wanted} if name else {}
            address = f"{url}/{name}?{urlencode(asked)}"
            first, _ = opened(page, address, name)
            spent = [opened(page, address, name) for _ in range(again)]
            median = statistics.median(seconds for seconds, _ in spent)
            server = statistics.median(seconds for _, seconds in spent)
            medians.append(median)
            print(
                f"{title:5} {name or 'start':9} first {first:6.2f} s   again {median:6.2f} s "
                f"(server {server:5.2f} s)",
                flush=True,
            )
    return medians


def main() -> None:
    """Measure each workspace."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=WORKSPACES, default=list(WORKSPACES))
    parser.add_argument("--again", type=int, default=3, help="times that a page is opened again")
    given = parser.parse_args()
    print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}"
    )
    for title in given.only:
        with tempfile.TemporaryDirectory() as folder:
            medians = measure(title, Path(folder), given.again)
            print(f"{title:5} median of the pages {statistics.median(medians):.2f} s", flush=True)


if __name__ == "__main__":
    main()
