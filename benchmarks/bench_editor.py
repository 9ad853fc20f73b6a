"""The mask editor in a real Chromium: a stroke's repaint on a large mask, and from an answer to what follows.

    python benchmarks/bench_editor.py [--port PORT]

Needs Chromium and the test requirements; draws in software where there is no GPU. A stroke's time is
that of one step of the pointer: painting the mask, bringing its smaller sizes up to date, and the
repaint until its pixels can be read back. An answer's time goes from the key until the next region
is painted, in the same image or in the next one of the list. A proposal's time goes from the key
until its outline is painted, with the question's way to the server and back.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from bench_viewer import FLAGS, ROOT
from playwright.sync_api import Page, sync_playwright

from segcore.postprocess.scribbles import NOT_STROKED, fill_strokes

HARNESS = ROOT / "tests" / "browser" / "harness_editor.py"

# Draw one stroke over what is seen, a frame a step; returns the milliseconds of each step.
STROKE = """async ([size, steps]) => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const editor = window.__segeditor;
    editor.setTool("brush");
    editor.setSize(size);
    editor.choose(3);
    await frame();
    const { clientWidth, clientHeight } = editor.canvas;
    const at = (i) => editor.camera.toImage(clientWidth * (0.1 + 0.8 * i / steps), clientHeight * (0.5 + 0.3 * Math.sin(i)));
    editor.pointAt(...at(0));
    editor.strokes.down(at(0));
    await frame();
    const out = [];
    for (let i = 1; i <= steps; i++) {
        const start = performance.now();
        editor.pointAt(...at(i));
        editor.strokes.move(editor.cursor);
        const drawn = performance.now() - start;
        await frame(); // the paint was asked for before this, so it is done
        const read = performance.now();
        editor.canvas.getContext("2d").getImageData(0, 0, 1, 1);
        out.push(drawn + editor.paintTime + performance.now() - read);
    }
    editor.strokes.up(editor.cursor);
    editor.undo();
    return out;
}"""

# Press a key, and wait until another region is painted; returns milliseconds.
ANSWER = """(key) => new Promise((done) => {
    const editor = window.__segeditor;
    const { region } = editor.task;
    const start = performance.now();
    const look = () => {
        if (editor.task?.region && editor.task.region !== region) {
            requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
        } else requestAnimationFrame(look);
    };
    editor.canvas.focus();
    editor.canvas.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, composed: true }));
    look();
})"""


# Draw strokes of three classes, ask what they become, and wait for the outline; returns milliseconds.
SPREAD = """() => new Promise((done) => {
    const editor = window.__segeditor;
    const { suggestions } = editor;
    editor.setTool("scribble");
    for (const [value, y] of [[0, 60], [1, 180], [3, 300]]) {
        editor.choose(value);
        editor.strokes.down([120, y]);
        editor.strokes.move([360, y + 5]);
        editor.strokes.up([360, y + 5]);
    }
    const start = performance.now();
    suggestions.enter();
    const look = () => {
        if (!suggestions.offer) return requestAnimationFrame(look);
        requestAnimationFrame(() => requestAnimationFrame(() => {
            const took = performance.now() - start;
            suggestions.clear();
            done(took);
        }));
    };
    look();
})"""


@contextmanager
def serving(port: int, workspace: str) -> Iterator[str]:
    """Run the page with the editor; its address."""
    options = ["--server.port", str(port), "--server.fileWatcherType", "none"]
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(HARNESS), *options],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "SEGCORE_WORKSPACE": workspace},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(10)


def show(page: Page, url: str, query: str) -> None:
    page.goto(f"{url}/?{query}")
    page.locator("[data-painted]").wait_for(timeout=180_000)
    page.wait_for_timeout(1000)


def tell(label: str, took: list[float]) -> None:
    middle, most, longest = np.percentile(took, (50, 95, 100))
    print(
        f"  {label:36s} {middle:6.1f} ms (95 %: {most:.1f}; longest of {len(took)}: {longest:.1f})"
    )


def time_strokes(page: Page, url: str) -> None:
    for side in (4000, 8192):
        print(f"one step of a stroke, {side} x {side}")
        show(page, url, f"side={side}")
        for label, zoom in (("whole mask seen", 1), ("zoomed in 8 times", 8)):
            page.evaluate(
                "(zoom) => { window.__segeditor.fit(); window.__segeditor.zoomBy(zoom); }", zoom
            )
            for size in (12, 128):
                page.evaluate(STROKE, [size, 10])
                tell(f"{label}, brush of {size}", page.evaluate(STROKE, [size, 40]))


def time_fill() -> None:
    """Processor time of spreading strokes of seven classes, without browser and server."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 255, (9, 12, 3)).repeat(40, 0).repeat(40, 1)
    image = np.clip(blocks + rng.normal(0, 12, blocks.shape), 0, 255).astype(np.uint8)
    strokes = np.full(image.shape[:2], NOT_STROKED, np.int32)
    for label in range(7):
        strokes[20 + 45 * label : 26 + 45 * label, 60:400] = label
    took = []
    for _ in range(10):
        start = time.process_time()
        fill_strokes(image, strokes, np.zeros(strokes.shape, bool))
        took.append(1000 * (time.process_time() - start))
    tell("processor time alone, seven classes", took)


def time_proposals(page: Page, url: str) -> None:
    print("from Enter to the outline of a proposal, 480 x 360")
    show(page, url, "asks=yes")
    page.evaluate(SPREAD)  # starts the process that answers
    tell("strokes of three classes", [page.evaluate(SPREAD) for _ in range(10)])
    time_fill()


def time_answers(page: Page, url: str) -> None:
    """Two regions an image, three images: what comes after the second is another image."""
    print("from the key to the next region, 480 x 360")
    within, onward = [], []
    for _ in range(6):
        for key in ("Enter", "k"):
            show(page, url, "work=yes")
            for _ in range(2):
                within.append(page.evaluate(ANSWER, key))
                page.wait_for_timeout(700)  # what follows is sent meanwhile, as while one looks
                onward.append(page.evaluate(ANSWER, key))
                page.wait_for_timeout(700)
    tell("in the same image", within)
    tell("in the next image", onward)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8766)
    port = parser.parse_args().port
    chromium = os.environ.get("CHROME") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Expected Chromium, found none: apt-get install chromium, or name one in $CHROME.")
    with tempfile.TemporaryDirectory() as workspace, serving(port, workspace) as url:
        print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, headless=True, args=FLAGS
            )
            page = browser.new_page(viewport={"width": 1440, "height": 1000})
            time_proposals(page, url)
            time_answers(page, url)
            time_strokes(page, url)
            browser.close()
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
