"""The pictures of the user guide, taken from the running app: ``docs/images/``, light and dark.

    make screenshots            # or: python benchmarks/screenshots.py [--only NAME ...] [--out FOLDER]

Opens the demo in a temporary workspace, starts the app on it and walks it in Chromium. Pictures are
WebP files of about 100 KB; those that the list below does not name are removed. All show the demo, so
they are alike on every machine. The Compare page is also README's picture, ``assets/compare.png``.
"""

import argparse
import io
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from driven_app import ROOT, browser, served, settle
from PIL import Image
from playwright.sync_api import Error, Page

from segcore import worker
from segcore.data.synthetic import make_synthetic
from segcore.workspace import Workspace

SIZE = {"width": 1360, "height": 1120}
QUALITY = 84
SECONDS = 180_000
"""How long a page may take, in milliseconds."""


WAITING = 16
"""Scenes without masks, for the picture of what to label next."""

FAULTY = "fields"
"""Name of a small dataset with faults, for the picture of the health check."""


@dataclass(frozen=True)
class Shot:
    """A picture of a page.

    Attributes:
        page: The page's path.
        query: Its query.
        awaited: A selector that must be visible before the picture is taken.
        height: Pixels from the top that are kept.
    """

    page: str
    query: dict[str, str] = field(default_factory=dict)
    awaited: str = ""
    height: int = SIZE["height"]


def shots(workspace: Workspace) -> dict[str, Shot]:
    """Return the pictures in the order of the guide."""
    demo = workspace.demo.open()
    run = {"run": demo.ensemble, "split": "test"}
    data = {"dataset": demo.dataset}
    chart, painted = ".js-plotly-plot .main-svg >> visible=true", "[data-painted]"
    return {
        "start": Shot("", height=1080),
        "data": Shot("dataset", data, painted),
        "health": Shot("dataset", {"dataset": FAULTY, "show": "Health"}, "text=byte for byte"),
        "balance": Shot("balance", data, chart),
        "train": Shot("train", data, height=840),
        "watch": Shot("runs", {"run": demo.runs[0]}, chart, height=1050),
        "look": Shot("compare", run, painted, height=950),
        "judge": Shot("evaluate", run, chart),
        "confusion": Shot("evaluate", {**run, "tab": "Confusion"}, chart, height=900),
        "edit": Shot("edit", {**data, "sample": "test-001"}, painted, height=900),
        "fix": Shot("edit", {**data, "fix": demo.ensemble, "split": "test"}, painted, height=900),
        "ensemble": Shot("ensemble", {**data, "tab": "CRF", "combine_split": "test"}, painted),
        "merge": Shot("compress", {"run": demo.ensemble, "split": "validation"}, chart),
        "next": Shot("dataset", {**data, "show": "Label next"}, "text=Learning curve", 850),
    }


def add_waiting(workspace: Workspace, folder: Path) -> None:
    """Add scenes without masks to the demo, and predict them with its ensemble, in this process."""
    demo = workspace.demo.open()
    scenes = make_synthetic(folder / "scenes", seed=77, counts={"train": WAITING})
    (folder / "waiting").mkdir()
    for number, sample in enumerate(scenes.select("train"), 1):
        shutil.copy(scenes.image_path(sample), folder / "waiting" / f"new-{number:02}.jpg")
    workspace.pool.add(demo.dataset, folder / "waiting")
    for run in workspace.label_next.predict(demo.dataset, [demo.ensemble]):
        if worker.main([str(workspace.runs.folder / run)]):
            sys.exit(f"{run} failed: {workspace.runs.open(run).status().cause}")


def import_faulty(workspace: Workspace, source: Path) -> None:
    """Import scenes of the demo with faults: a copy in two splits, a cut file, an empty mask."""
    demo = workspace.datasets.open("demo")
    for split in ("train", "test"):
        images, masks = (source / kind / split for kind in ("images", "masks"))
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        for sample in demo.select(split)[:12]:
            shutil.copy(demo.folder / sample.image, images)
            shutil.copy(demo.folder / sample.mask, masks)
    copied = demo.select("train")[0]
    shutil.copy(demo.folder / copied.image, source / "images" / "test" / "field-7.jpg")
    shutil.copy(demo.folder / copied.mask, source / "masks" / "test" / "field-7.png")
    cut = next((source / "images" / "train").iterdir())
    cut.write_bytes(cut.read_bytes()[:2000])
    empty = sorted((source / "masks" / "train").iterdir())[5]
    Image.fromarray(np.full(np.asarray(Image.open(empty)).shape, 255, np.uint8)).save(empty)
    rows = [f"{c.id},{c.name},no" for c in demo.label_set.classes] + [
        f"{c.id},{c.name},yes" for c in demo.label_set.ignored
    ]
    (source / "classes.csv").write_text("\n".join(["id,name,ignore", *rows]) + "\n")
    workspace.datasets.import_(source, FAULTY)


def take(page: Page, url: str, shot: Shot) -> bytes:
    """Open a page, wait until it stands still, and return a PNG of it."""
    page.goto(f"{url}/{shot.page}?{urlencode(shot.query)}")
    settle(page, SECONDS)
    if shot.awaited:
        page.locator(shot.awaited).first.wait_for(timeout=SECONDS)
    settle(page, SECONDS)
    page.mouse.move(5, 5)
    page.wait_for_timeout(900)  # charts and panels fade in
    return page.screenshot(clip={"x": 0, "y": 0, "width": SIZE["width"], "height": shot.height})


def report(page: Page, workspace: Workspace, folder: Path) -> bytes:
    """Write the report that a reviewer is handed, and return a PNG of its beginning."""
    file = folder / "report.html"
    file.write_text(
        workspace.reports.page([workspace.demo.open().ensemble], "test"), encoding="utf-8"
    )
    page.goto(file.as_uri())
    page.wait_for_timeout(500)
    return page.screenshot()


def keep(png: bytes, file: Path) -> int:
    """Write a picture as WebP and return its size in bytes."""
    Image.open(io.BytesIO(png)).convert("RGB").save(file, "WEBP", quality=QUALITY, method=6)
    return file.stat().st_size


def keep_readme(png: bytes) -> None:
    """Write README's picture as a PNG, which every code host shows."""
    picture = Image.open(io.BytesIO(png)).convert("RGB").crop((0, 0, SIZE["width"], 830))
    picture.save(ROOT / "assets" / "compare.png", optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="take these pictures alone")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    start, total, failed = time.perf_counter(), 0, []
    with tempfile.TemporaryDirectory(prefix="segscope-") as made:
        workspace = Workspace(Path(made) / "workspace")
        listed = shots(workspace)
        import_faulty(workspace, Path(made) / FAULTY)
        names = [*listed, "report"]
        wanted = [name for name in names if not options.only or name in options.only]
        if "fix" in wanted:
            workspace.fixes.make_list(workspace.demo.open().ensemble, "test")
        os.environ["SEGSCOPE_NO_WORK"] = "1"  # nothing is started behind the pictures
        with served(workspace.folder) as (url, _), browser() as chromium:
            pages = {
                scheme: chromium.new_context(viewport=SIZE, color_scheme=scheme).new_page()
                for scheme in ("light", "dark")
            }
            for name in sorted(wanted, key=lambda one: one == "next"):  # it changes the demo
                if name == "next":
                    add_waiting(workspace, Path(made))
                for scheme, page in pages.items():
                    page.set_default_timeout(SECONDS)
                    try:
                        png = (
                            report(page, workspace, Path(made))
                            if name == "report"
                            else take(page, url, listed[name])
                        )
                    except Error as error:
                        print(f"{name}-{scheme}: {error.message}", flush=True)
                        failed.append(f"{name}-{scheme}")
                        continue
                    size = keep(png, options.out / f"{name}-{scheme}.webp")
                    if (name, scheme) == ("look", "light"):
                        keep_readme(png)
                    total += size
                    print(f"{name}-{scheme}.webp  {size / 1000:.0f} KB", flush=True)
    for stale in set(options.out.glob("*.webp")) - {
        options.out / f"{n}-{s}.webp" for n in names for s in ("light", "dark")
    }:
        stale.unlink()
    print(f"{total / 1e6:.2f} MB in {time.perf_counter() - start:.0f} s")
    if failed:
        sys.exit(f"Not taken, so these are as they were: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
