"""Speed of the label-compression what-if, against what a person notices.

    python benchmarks/bench_compression.py [--json]

One map, the whole front, 150 labels, one slider move as the server answers it (no browser),
summed probabilities, and labels that back off, these also as a ratio to a plain loop in the same
run. Each time is the median of several runs; the last column is the share of the limit that it
takes, below 1 where the limit holds.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from clock import median_time
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from segcore.config import ModelConfig, PredictConfig, TrainConfig
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.evaluation.compression.back_off import STEPS, back_off, tally_image
from segcore.evaluation.compression.chosen_map import report_map
from segcore.evaluation.compression.compression import score_maps
from segcore.evaluation.compression.dendrogram import build_dendrogram
from segcore.evaluation.compression.front import all_partitions, find_front
from segcore.evaluation.compression.information import label_priors
from segcore.evaluation.compression.label_tree import LabelTree
from segcore.evaluation.compression.search import greedy_path
from segcore.evaluation.compression.tiers import compare_tiers
from segcore.labels import LabelClass, LabelMap, LabelSet
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1]
IMAGES = 101
"""As many as CamVid's validation split holds."""


def random_counts(classes: int) -> np.ndarray:
    rng = np.random.default_rng(classes)
    shares = rng.dirichlet(np.full(classes, 0.5))
    answers = 0.25 * rng.dirichlet(np.full(classes, 0.2), classes) + 0.75 * np.eye(classes)
    return (shares[:, None] * answers * 4e7).astype(np.int64)


def image_counts(classes: int) -> np.ndarray:
    """(IMAGES, C, C) counts that add up to about :func:`random_counts`."""
    return np.random.default_rng(0).poisson(
        random_counts(classes) / IMAGES, (IMAGES, classes, classes)
    )


def made_up(folder: Path) -> Workspace:
    """A workspace with one run of 11 labels, counted on 101 images; probabilities of 8 of them at 180 x 240."""
    workspace, rng = Workspace(folder), np.random.default_rng(0)
    labels = LabelSet(
        tuple(LabelClass(i, f"class {i}", (20 * i, 255 - 20 * i, 90)) for i in range(11))
    )
    image = np.zeros((360, 480, 3), np.uint8)
    samples = (
        ArraySample(
            f"i{n:03}", image, rng.integers(0, 11, (360, 480)).astype(np.uint8), "validation"
        )
        for n in range(IMAGES)
    )
    write_dataset(workspace.datasets.folder / "made", "made", labels, samples)
    root = workspace.runs.folder
    RunFolder.create(
        root, "made-1", TrainConfig("made", ModelConfig("unet", "tiny", "none"))
    ).write_status(state="finished")
    prediction = RunFolder.create(
        root, "made-1--validation", PredictConfig("made", "made-1", "validation")
    )
    prediction.write_counts(
        "validation", "prediction", [f"i{n:03}" for n in range(IMAGES)], image_counts(11)
    )
    for n in range(8):
        probabilities = rng.dirichlet(np.full(11, 0.3), (180, 240)).astype(np.float32)
        prediction.write_probabilities("validation", f"i{n:03}", probabilities, (360, 480))
    prediction.write_status(state="finished", finished=1.0)
    return workspace


def slider_moves(folder: Path) -> float:
    """Seconds that the server takes for one move of the slider: the median of nine moves to numbers not seen before."""
    os.environ["SEGCORE_WORKSPACE"] = str(folder)
    as_it_is = PagesManager.__init__

    def after_the_first_page(manager: PagesManager, *arguments: Any, **named: Any) -> None:
        as_it_is(manager, *arguments, **named)
        PagesManager.uses_pages_directory = False

    PagesManager.__init__ = after_the_first_page  # type: ignore[method-assign]
    at = AppTest.from_file(ROOT / "app.py", default_timeout=120).run()
    at = at.switch_page("pages/compress.py").run()
    times = []
    for number in (11, 10, 8, 7, 6, 5, 4, 3, 2):
        at.slider(key="labels").set_value(number)
        start = time.perf_counter()
        at.run()
        times.append(time.perf_counter() - start)
        if at.exception:
            sys.exit(str(at.exception[0]))
    return statistics.median(times)


def scene(classes: int) -> tuple[LabelTree, np.ndarray, np.ndarray]:
    """A tree, the probabilities of one image 360 x 480, and its mask; 4 of 5 pixels are right."""
    rng = np.random.default_rng(classes)
    truth = rng.integers(0, classes, (360, 480)).astype(np.uint8)
    logits = rng.normal(size=(360, 480, classes)).astype(np.float32)
    rows, columns = np.indices(truth.shape)
    logits[rows, columns, truth] += rng.exponential(8, truth.shape)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    names = [str(i) for i in range(classes)]
    tree = LabelTree.of_dendrogram(build_dendrogram(random_counts(classes)), names)
    return tree, (powers / powers.sum(-1, keepdims=True)).astype(np.float32), truth


def plain_loop(tree: LabelTree, pixels: np.ndarray, threshold: int) -> list[int]:
    """Answers of (n, C) pixels, one after another, by the definition."""
    answers = []
    for row in pixels:
        node = int(row.argmax())
        while node != tree.root and row[list(tree.nodes[node])].sum() * STEPS < threshold:
            node = int(tree.parents[node])
        answers.append(node)
    return answers


def back_offs() -> tuple[list[tuple[str, float, float]], dict[str, float]]:
    """Rows of :func:`measure` about labels that back off, and how often a plain loop takes as long."""
    rows, ratios = [], {}
    for classes, limit in ((11, 0.02), (32, 0.04), (150, 0.25)):
        name = f"labels that back off, one image 360 x 480, {classes} labels"
        seconds, ratios[name] = back_off_time(*scene(classes))
        rows.append((name, seconds, limit))
    tree, probabilities, truth = scene(11)
    counted = median_time(lambda: tally_image(tree, probabilities, truth))
    rows.append(("errors of that image at all 4,096 thresholds, 11 labels", counted, 0.03))
    answered = median_time(lambda: tally_image(tree, probabilities, truth, True))
    rows.append(("errors and answers at all thresholds, 11 labels", answered, 0.1))
    some = range(0, STEPS, STEPS // 32)
    each = median_time(lambda: [back_off(tree, probabilities, t) for t in some], 1) / len(some)
    ratios["errors at all thresholds; one pass a threshold"] = (STEPS + 1) * each / counted
    return rows, ratios


def back_off_time(
    tree: LabelTree, probabilities: np.ndarray, truth: np.ndarray
) -> tuple[float, float]:
    """Seconds of an image at the slowest of three thresholds, and a plain loop's over ours."""
    times = {
        t: median_time(lambda t=t: back_off(tree, probabilities, t)) for t in (2000, 3300, STEPS)
    }
    some = probabilities.reshape(-1, tree.num_classes)[:: truth.size // 2000]
    loop = median_time(lambda: plain_loop(tree, some, 3300), 3) / len(some) * truth.size
    return max(times.values()), loop / times[3300]


def measure() -> list[tuple[str, float, float]]:
    """What, seconds, limit in seconds."""
    eleven, many, images = random_counts(11), random_counts(150), image_counts(11)
    priors, weights = label_priors(eleven), label_priors(many)["pixel"]
    pair = LabelMap.merging(11, [(1, 2)])
    ids = [str(i) for i in range(IMAGES)]

    def cold_front() -> Any:
        all_partitions.cache_clear()
        return find_front(eleven, priors["pixel"])

    rows = [
        (
            "all scores of one map, 11 labels",
            median_time(lambda: score_maps(eleven, [pair], priors), 200),
            1e-3,
        ),
        ("certified front of 678,570 maps, 11 labels, first time", median_time(cold_front), 3.0),
        (
            "greedy path and tree, 150 labels",
            median_time(lambda: (greedy_path(many, weights), build_dendrogram(many)), 3),
            2.0,
        ),
        (
            "one map with intervals, stability, percentiles, 101 images",
            median_time(lambda: report_map(images, pair)),
            0.2,
        ),
        (
            "tiers with paired intervals, 101 images",
            median_time(lambda: compare_tiers((ids, images), pair, {}), 3),
            0.5,
        ),
    ]
    with tempfile.TemporaryDirectory() as folder:
        workspace = made_up(Path(folder))
        groups = [[0, 1], [2, 3]]
        start = time.perf_counter()
        workspace.tiers.sum_probabilities("made-1", "validation", groups)
        rows.append(
            ("summed probabilities, one image 360 x 480", (time.perf_counter() - start) / 8, 0.1)
        )
        rows.append(("slider move, whole page, server only", slider_moves(Path(folder)), 0.2))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of the label-compression what-if.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    more, ratios = back_offs()
    rows = [*measure(), *more]
    if options.json:
        print(
            json.dumps(
                [
                    *(
                        {"what": what, "seconds": seconds, "limit": limit}
                        for what, seconds, limit in rows
                    ),
                    *({"what": what, "times_a_plain_loop": r} for what, r in ratios.items()),
                ],
                indent=1,
            )
        )
        return
    for what, seconds, limit in rows:
        print(f"{what:<60}{1000 * seconds:>10.2f} ms{seconds / limit:>8.2f} of the limit")
    for what, ratio in ratios.items():
        print(f"{what:<60}{ratio:>10.0f} times a plain loop")


if __name__ == "__main__":
    main()
