"""What browsing images costs the server: processor seconds to open a page and for each next image.

    python benchmarks/bench_browsing.py [--images 20000] [--scored 0.15]

Writes workspaces of 1,250, 5,000 and 20,000 images by reference in 150 classes, a share of them in
the test split and scored by two runs, and runs the pages in this process through Streamlit's own
test driver. There is no browser and no network: what is printed is the server's work in processor
seconds, so it also holds on a busy machine. At 20,000 images it writes some 40,000 small files.
"""

import argparse
import logging
import multiprocessing
import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from segcore.config import ImportedConfig
from segcore.data.dataset.writing import DatasetWriter
from segcore.data.files.images import encode_png
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.labels import LabelClass, LabelSet
from segcore.palette import default_colors
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
SIZES = (1_250, 5_000, 20_000)
CLASSES = 150
SIDE = 32
PRESSES = 10
DATASET = "many"
RUNS = ("model-a", "model-b")

Mask = npt.NDArray[np.uint8]


def write_workspace(
    folder: Path, images: int, scored: float, classes: int = CLASSES, side: int = SIDE
) -> None:
    """Write a workspace with a dataset by reference and two imported runs over its test split.

    Args:
        folder: Where the workspace and the images shall lie.
        images: How many images.
        scored: Share of them in the test split; the others are in the training split.
        classes: How many classes.
        side: Pixels of a side, a multiple of 4.
    """
    rng = np.random.default_rng(1)
    workspace = Workspace(folder / "workspace")
    colors = default_colors(classes)
    labels = LabelSet(tuple(LabelClass(i, f"class {i}", c) for i, c in enumerate(colors)))
    originals = folder / "originals"
    originals.mkdir(parents=True)
    test: dict[str, Mask] = {}
    rows = []
    with DatasetWriter(workspace.datasets.folder / DATASET, DATASET, labels) as writer:
        for number in range(images):
            split = "test" if number < images * scored else "train"
            mask = draw_mask(rng, classes, side)
            file = originals / f"{number:06}.png"
            file.write_bytes(encode_png(labels.colors[mask]))
            name = f"drive_{number // 500:03}/image_{number:06}"
            rows.append(writer.add(name, file, mask, split, copy=False))
            if split == "test":
                test[name] = mask
        writer.finish(rows)
    for run in RUNS:
        write_run(workspace, run, test, labels, rng)


def draw_mask(rng: np.random.Generator, classes: int, side: int) -> Mask:
    """Return a mask of 16 squares, (side, side): low class indices are common, high ones rare."""
    squares = np.minimum(rng.geometric(0.03, (4, 4)) - 1, classes - 1).astype(np.uint8)
    return np.kron(squares, np.ones((side // 4, side // 4), np.uint8))


def write_run(
    workspace: Workspace,
    run: str,
    masks: dict[str, Mask],
    labels: LabelSet,
    rng: np.random.Generator,
) -> None:
    """Write a run of imported predictions, of which about a fifth of the pixels are wrong."""
    folder = RunFolder.create(
        workspace.runs.folder, run, ImportedConfig(DATASET, "test", "made up")
    )
    folder.write_json("labels", {"label_set": labels.to_json()})
    counts = []
    for name, mask in masks.items():
        predicted = np.where(rng.random(mask.shape) < 0.2, mask[::-1], mask)
        folder.write_mask("test", "prediction", name, predicted)
        counts.append(count_confusion(mask, predicted, labels.num_classes, labels.ignore_index))
    folder.write_counts("test", "prediction", list(masks), SampleCounts.stack(counts))
    now = time.time()
    folder.write_status(state="finished", progress=1.0, started=now, finished=now, mean_iou=0.5)


def opened(page: str, **query: str) -> AppTest:
    """Return a page of the app, not yet run."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=3600).run()
    for name, value in query.items():
        app.query_params[name] = value
    return app.switch_page(f"pages/{page}.py")


def seconds(work: Callable[[], AppTest]) -> float:
    """Return the processor seconds that a run of a page takes.

    Raises:
        RuntimeError: The page ended in an exception.
    """
    start = time.process_time()
    app = work()
    spent = time.process_time() - start
    if app.exception:
        raise RuntimeError(f"Expected a page, received: {app.exception[0].message}")
    return spent


def walk(app: AppTest, images: list[str]) -> list[float]:
    """Go to one image after the other, as the keys n and p do, and return what each costs."""
    spent = []
    for image in images:
        app.session_state["sample:requested"] = image
        spent.append(seconds(app.run))
    return spent


def show_tab(app: AppTest, key: str, title: str) -> AppTest:
    """Run a page with another of its tabs open."""
    app.session_state[key] = title
    return app.run()


def most_memory() -> float:
    """Return the most memory that this process has held, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


def measure(images: int, scored: float) -> None:
    """Print what each page costs to open and to run again in the workspace of the environment."""
    st.cache_resource.clear()  # else the pages would stay in the workspace of the size before
    st.cache_data.clear()
    workspace = Workspace(Path(os.environ["SEGCORE_WORKSPACE"]))
    dataset = workspace.datasets.open(DATASET)
    test = [sample.id for sample in dataset.select("test")]
    walked = [sample.id for sample in dataset.samples[1 : PRESSES + 1]]
    pages: dict[str, tuple[dict[str, str], Callable[[AppTest], list[float]]]] = {
        "dataset": (
            {"dataset": DATASET, "show": "Images"},
            lambda app: walk(app, walked),
        ),
        "compare": ({"run": RUNS[0], "beside": RUNS[1]}, lambda app: walk(app, walked)),
        "evaluate": (
            {"run": RUNS[0]},
            lambda app: [
                seconds(lambda title=title: show_tab(app, "tab", title))
                for title in ("Confusion", "Slices and robustness", "Overview") * 3
            ],
        ),
        "compress": ({"run": RUNS[0], "split": "test"}, lambda app: [seconds(app.run)] * 3),
    }
    for page, (query, again) in pages.items():
        app = opened(page, **query)
        first = seconds(app.run)
        spent = again(app)
        print(
            f"{images:6,} images, {len(test):6,} scored  {page:9} opened {first:7.2f} s   "
            f"again {statistics.median(spent):6.3f} s median, {max(spent):6.3f} s longest "
            f"of {len(spent)}   at most {most_memory():.2f} GiB so far",
            flush=True,
        )


def main() -> None:
    """Measure each size in a workspace of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, nargs="*", default=SIZES, help="sizes of datasets")
    parser.add_argument("--scored", type=float, default=0.15, help="share of the images scored")
    parser.add_argument("--keep", type=Path, help="folder in which the workspaces stay")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    PagesManager.uses_pages_directory = False
    print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}; processor seconds of the server, {CLASSES} classes"
    )
    spawning = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as scratch:
        for images in given.images:
            folder = (given.keep or Path(scratch)) / f"{images}-{given.scored}"
            if not folder.exists():  # in a process of its own: memory is that of the pages
                maker = spawning.Process(
                    target=write_workspace, args=(folder, images, given.scored)
                )
                maker.start()
                maker.join()
            os.environ["SEGCORE_WORKSPACE"] = str(folder / "workspace")
            measure(images, given.scored)


if __name__ == "__main__":
    main()
