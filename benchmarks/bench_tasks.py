"""Ten things that are wanted, done in Chromium from the start page: clicks, texts, seconds.

    python benchmarks/bench_tasks.py [--folder FOLDER] [--shots FOLDER]

Works in a temporary workspace with the demo open; no training is done, runs only wait in the queue.
``--folder`` is what the first task imports (without it twenty small scenes are made); ``--shots``
keeps a picture of each task's end. A click counts once, choosing a field to type into counts as
one, and what is typed is counted beside it; Ctrl+Enter starts a training without a click. Seconds
are those of a script that does not think.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from driven_app import browser, served, settle
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace import Workspace

SECONDS = 120_000
"""How long one step may take, in milliseconds."""


class Walk:
    """A page that counts what is done to it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0
        self.typed = 0

    def click(self, what: Locator) -> None:
        what.first.click()
        self.clicks += 1
        settle(self.page)

    def type(self, field: Locator, text: str) -> None:
        field.first.click()
        field.first.fill(text)
        field.first.press("Enter")
        self.clicks += 1
        self.typed += 1
        settle(self.page)

    def see(self, what: Locator) -> None:
        expect(what.filter(visible=True).first).to_be_visible(timeout=SECONDS)


def import_my_folder(walk: Walk, folder: Path) -> None:
    page = walk.page
    walk.click(page.get_by_role("link", name="Your data"))
    walk.type(page.get_by_role("textbox", name="Folder or archive"), str(folder))
    walk.click(page.get_by_role("dialog").get_by_role("button", name="Import dataset"))
    walk.see(page.get_by_text("Imported "))


def find_the_images_of_the_rarest_class(walk: Walk, folder: Path) -> None:
    page = walk.page
    walk.click(page.get_by_role("link", name="Dataset", exact=True))
    walk.click(page.get_by_role("tab", name="Class balance"))
    walk.click(page.get_by_role("button", name="Show images of the rarest class"))
    walk.see(page.locator("[data-painted]"))
    walk.see(page.get_by_role("combobox", name="Contains class"))


def launch_five_members(walk: Walk, folder: Path) -> None:
    page = walk.page
    walk.click(page.get_by_role("link", name="Train", exact=True))
    splits, start = (
        page.get_by_role("button", name=name)
        for name in ("Create splits", "Start 5-model ensemble")
    )
    walk.see(splits.or_(start))
    if splits.count():  # the folder came without
        walk.click(splits)
    walk.click(start)
    page.wait_for_url("**/runs?**", timeout=SECONDS)
    settle(page)
    walk.see(page.get_by_text("queued"))


def find_where_the_crf_hurts(walk: Walk, folder: Path) -> None:
    page = walk.page
    walk.click(page.get_by_role("link", name="Compare masks"))
    walk.see(page.locator("[data-painted]"))
    walk.click(page.get_by_role("button", name="Largest CRF regressions"))
    walk.see(page.locator("[data-painted]"))


def decide_whether_to_merge_two_labels(walk: Walk, folder: Path) -> None:
    page = walk.page
    walk.click(page.get_by_role("link", name="Merge labels"))
    walk.see(page.get_by_text("Suggested merges"))
    walk.click(page.get_by_role("button", name="Preview"))
    walk.see(page.get_by_text("Better than random merges"))


def find_where_b_is_worse_than_a(walk: Walk, folder: Path) -> None:
    page = walk.page
    walk.click(page.get_by_role("link", name="Evaluate", exact=True))
    walk.click(page.get_by_role("tab", name="A/B test"))
    walk.see(page.get_by_text("Above the line A is better"))
    walk.see(page.get_by_role("region", name="Images, largest advantage of A first"))


def see_what_a_class_is_mistaken_for(walk: Walk, folder: Path) -> None:
    page = walk.page
    walk.click(page.get_by_role("link", name="Evaluate", exact=True))
    walk.click(page.get_by_role("tab", name="Confusion"))
    walk.see(page.get_by_text("are mistaken as"))


def copy_a_run_with_one_change(walk: Walk, folder: Path) -> None:
    page = walk.page
    walk.click(page.get_by_role("link", name="Runs", exact=True))
    walk.click(page.get_by_role("link", name="Duplicate"))
    walk.type(page.get_by_role("spinbutton", name="Epochs"), "50")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/runs?**", timeout=SECONDS)
    settle(page)
    walk.see(page.get_by_text("queued"))


def fix_the_loss_of_a_diverged_run(walk: Walk, folder: Path) -> None:
    page = walk.page
    walk.click(page.get_by_role("link", name="Runs", exact=True))
    walk.click(page.get_by_role("button", name="Resume at half the learning rate"))
    walk.see(page.get_by_text("queued"))


def hand_a_report_to_a_reviewer(walk: Walk, folder: Path) -> None:
    page = walk.page
    walk.click(page.get_by_role("link", name="Evaluate", exact=True))
    walk.click(page.get_by_role("button", name="Report"))
    with page.expect_download(timeout=SECONDS) as written:
        walk.click(page.get_by_role("button", name="Download report (HTML)"))
    assert written.value.suggested_filename.endswith("-report.html")


def make_diverged(workspace: Workspace) -> None:
    """Add a run whose loss was no number any more, the latest of the workspace."""
    config = workspace.configs.clone(workspace.demo.open().runs[0])
    run = RunFolder.create(workspace.runs.folder, "diverged-1", config)
    for epoch, loss in enumerate((1.9, 2.4, 3.8), 1):
        run.append_metrics({"epoch": epoch, "loss": loss, "mean_iou": 0.1, "val_mean_iou": 0.1})
    now = time.time()
    run.write_status(
        state="failed",
        diverged=True,
        cause="Expected a finite loss, received one that is not: lower the learning rate.",
        epoch=3,
        epochs=40,
        progress=0.075,
        created=now,
        started=now,
        finished=now,
    )


TASKS: list[Callable[[Walk, Path], None]] = [
    import_my_folder,
    find_the_images_of_the_rarest_class,
    launch_five_members,
    find_where_the_crf_hurts,
    decide_whether_to_merge_two_labels,
    find_where_b_is_worse_than_a,
    see_what_a_class_is_mistaken_for,
    copy_a_run_with_one_change,
    fix_the_loss_of_a_diverged_run,
    hand_a_report_to_a_reviewer,
]


def make_folder(folder: Path) -> Path:
    """Twenty scenes of 32 x 48 pixels in three classes, with a ``classes.csv``."""
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    (folder / "classes.csv").write_text("id,name\n0,ground\n1,tree\n2,pole\n")
    for number in range(20):
        mask = np.zeros((32, 48), np.uint8)
        mask[:, : 8 + number % 5] = 1
        mask[:, 30:36] = 2 * (number % 5 == 0)
        image = (60 * mask[..., None] + rng.integers(0, 60, (32, 48, 3))).astype(np.uint8)
        Image.fromarray(image).save(folder / "images" / f"scene_{number:02d}.png")
        Image.fromarray(mask).save(folder / "masks" / f"scene_{number:02d}.png")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--shots", type=Path)
    parser.add_argument(
        "--only",
        type=int,
        nargs="+",
        metavar="NUMBER",
        help="walk these tasks alone, counted from 1",
    )
    options = parser.parse_args()
    print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}"
    )
    print(f"{'task':38s} {'clicks':>6s} {'typed':>6s} {'seconds':>8s}")
    with tempfile.TemporaryDirectory() as made:
        folder = options.folder or make_folder(Path(made) / "village")
        workspace = Workspace(Path(made) / "workspace")
        workspace.demo.open()
        with (
            served(Path(made) / "workspace", SEGSCOPE_NO_WORK="1") as (url, _),
            browser() as chromium,
        ):
            for number, task in enumerate(TASKS):
                if options.only and number + 1 not in options.only:
                    continue
                if task is fix_the_loss_of_a_diverged_run:
                    make_diverged(workspace)
                page = chromium.new_page(viewport={"width": 1440, "height": 1000})
                page.set_default_timeout(SECONDS)
                page.goto(url)
                settle(page)
                walk, start = Walk(page), time.perf_counter()
                task(walk, folder.resolve())
                seconds = time.perf_counter() - start
                print(
                    (
                        f"{task.__name__.replace('_', ' '):38s} {walk.clicks:6d} "
                        f"{walk.typed:6d} {seconds:8.1f}"
                    ),
                    flush=True,
                )
                if options.shots:
                    options.shots.mkdir(parents=True, exist_ok=True)
                    page.screenshot(path=options.shots / f"task-{number + 1}.png", full_page=True)
                page.close()


if __name__ == "__main__":
    main()
