"""The viewer in a real Chromium: bytes a picture, and milliseconds from a gesture to the repaint.

    python benchmarks/bench_viewer.py [--port PORT]

Needs Chromium and the test requirements; draws in software where there is no GPU. "painted" is the
time of a repaint until every panel's pixels can be read back, so drawing that the browser put off
is in it.
"""

import argparse
import importlib.util
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import ModuleType

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
HARNESS = ROOT / "tests" / "browser" / "harness_viewer.py"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]

# Do something n times, a frame apart; returns the milliseconds each repaint took.
TIMED = """async ([code, times]) => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const act = new Function("viewer", "i", code);
    const { viewer } = window.__segviewer;
    const out = [];
    for (let i = 0; i < times; i++) {
        await frame();
        act(viewer, i);
        await frame(); // the viewer's paint was asked for before this, so it is done
        const start = performance.now();
        for (const { canvas } of viewer.views) canvas.getContext("2d").getImageData(0, 0, 1, 1);
        out.push(viewer.paintTime + performance.now() - start);
    }
    return out;
}"""

GESTURES = {
    "opacity": "viewer.change({ opacity: 0.3 + 0.02 * (i % 20) })",
    "outlines": "viewer.cycleFill()",
    "legend: hide a class": "viewer.toggleClass(3)",
    "legend: find a class": "viewer.seek(i % 2 ? 8 : null)",
    "palette": "viewer.change({ palette: i % 2 ? 'safe' : 'own' })",
    "errors": "viewer.change({ errors: i % 2 === 0 })",
    "errors of one class": "viewer.state.errors = true; viewer.setSolo([3, 5, 8][i % 3])",
    "zoom step": "viewer.zoomBy(i % 20 < 10 ? 1.3 : 1 / 1.3)",
    "pan step": "viewer.panBy(i % 2 ? 35 : -60, i % 3 ? 20 : -40)",
}


def load_harness() -> ModuleType:
    sys.path.insert(0, str(ROOT))
    spec = importlib.util.spec_from_file_location("harness_viewer", HARNESS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def print_bytes() -> None:
    harness = load_harness()
    for title, panels, classes, side in [
        ("480 x 360, 4 panels", 4, 12, 0),
        ("480 x 360, 6 panels", 6, 12, 0),
        ("480 x 360, 6 panels, 150 classes", 6, 150, 0),
        ("4000 x 4000, 4 panels", 4, 12, 4000),
    ]:
        scene = harness.make_scene(0, panels, classes, side)
        start = time.perf_counter()
        size = len(harness.pack(scene))
        seconds = time.perf_counter() - start
        print(f"{title:34s} {size / 1000:8.1f} KB packed, {1000 * seconds:7.0f} ms to pack")


def open_scene(page: Page, url: str, query: str) -> None:
    page.goto(f"{url}/?{query}")
    page.locator("[data-painted]").wait_for(timeout=180_000)
    page.wait_for_timeout(500)


def time_gestures(page: Page, names: list[str], times: int) -> None:
    for name in names:
        took = page.evaluate(TIMED, [GESTURES[name], times])[2:]  # the first two warm up
        page.evaluate(
            TIMED,
            [
                (
                    "viewer.showAllClasses(); viewer.change({ errors: false, fill: 'fill' }); "
                    "viewer.fit()"
                ),
                1,
            ],
        )
        print(
            f"  {name:24s} painted in {statistics.median(took):6.1f} ms (longest {max(took):6.1f})"
        )


def count_bytes(page: Page) -> list[int]:
    """A counter of what comes over the socket from the next reload on."""
    received = [0]
    page.on(
        "websocket",
        lambda socket: socket.on(
            "framereceived", lambda data: received.__setitem__(0, received[0] + len(data))
        ),
    )
    page.reload()
    page.locator("[data-painted]").wait_for()
    return received


def time_key(page: Page, key: str) -> float:
    """Milliseconds from a key until another image is painted."""
    before = page.evaluate("() => window.__segviewer.id")
    page.locator("canvas").first.focus()
    start = page.evaluate("() => performance.now()")
    page.keyboard.press(key)
    page.wait_for_function("(id) => window.__segviewer.id !== id", arg=before, polling=5)
    return float(page.evaluate("() => window.__segviewer.at")) - start


def time_steps(page: Page) -> None:
    """Next image without a filmstrip: packed on the way, or packed before."""
    received = count_bytes(page)
    for label, key, count in (("next, cold", "n", 5), ("previous, warm", "p", 5)):
        took, sent = [], []
        for _ in range(count):
            page.wait_for_timeout(400)
            received[0] = 0
            took.append(time_key(page, key))
            page.wait_for_timeout(200)
            sent.append(received[0])
        print(
            f"  {label:24s} {statistics.median(took):6.0f} ms, "
            f"{statistics.median(sent) / 1000:6.1f} KB over the socket"
        )


def time_walk(page: Page) -> None:
    """Next image with a filmstrip: the browser has it ahead; the bytes are those of the one after it."""
    received = count_bytes(page)
    took, sent = [], []
    ahead = (
        "() => { const { album } = window.__segviewer.viewer; return "
        "album.scenes.has(album.name(album.neighbour(1))); }"
    )
    for _ in range(5):
        page.wait_for_function(ahead)
        page.wait_for_timeout(300)
        received[0] = 0
        took.append(time_key(page, "n"))
        page.wait_for_function(ahead)
        page.wait_for_timeout(300)
        sent.append(received[0])
    kilobytes = statistics.median(sent) / 1000
    print(
        f"  {'next, ahead':24s} {statistics.median(took):6.0f} ms (longest "
        f"{max(took):.0f}), {kilobytes:6.1f} KB over the socket"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8765)
    port = parser.parse_args().port
    chromium = os.environ.get("CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Expected Chromium, found none: apt-get install chromium, or name one in $CHROME.")
    print_bytes()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(HARNESS),
        "--server.port",
        str(port),
        "--server.fileWatcherType",
        "none",
    ]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, **quiet)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, headless=True, args=FLAGS
            )
            page = browser.new_page(viewport={"width": 1440, "height": 1000})
            print("480 x 360, 4 panels")
            open_scene(page, url, "panels=4")
            time_gestures(page, list(GESTURES), 22)
            time_steps(page)
            print("480 x 360, 6 panels")
            open_scene(page, url, "panels=6")
            time_steps(page)
            print("480 x 360, 6 panels, with a filmstrip")
            open_scene(page, url, "panels=6&strip=1")
            time_walk(page)
            print("4000 x 4000, 4 panels")
            open_scene(page, url, "panels=4&side=4000")
            time_gestures(page, ["opacity", "legend: find a class", "zoom step", "pan step"], 22)
            print("  zoomed in to one image pixel a screen pixel")
            page.evaluate(TIMED, ["viewer.zoomToPixels()", 1])
            time_gestures(page, ["pan step"], 42)
            browser.close()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(10)


if __name__ == "__main__":
    main()
