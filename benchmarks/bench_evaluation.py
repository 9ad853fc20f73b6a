"""Speed of counting, evaluation and label compression, against named peers in the same run.

    python benchmarks/bench_evaluation.py [--camvid FOLDER] [--json]

Peers that are not installed are left out. Each time is the median of several runs; quote ratios,
not seconds.
"""

import argparse
import importlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from clock import median_time
from PIL import Image

from segcore.evaluation.compression.compression import score_maps
from segcore.evaluation.compression.dendrogram import build_dendrogram
from segcore.evaluation.compression.exact import exact_maps
from segcore.evaluation.compression.front import all_partitions, find_front
from segcore.evaluation.compression.information import label_priors
from segcore.evaluation.compression.search import greedy_path
from segcore.evaluation.compression.what_if import compress
from segcore.evaluation.counts import scores
from segcore.evaluation.counts.bootstrap import bootstrap
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.counts.coverage import score_coverage
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.evaluation.metrics.report import evaluate
from segcore.labels import LabelClass, LabelMap, LabelSet


def masks(classes: int, count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Blobs with a void border, and predictions wrong on 15 % of the pixels."""
    rng = np.random.default_rng(classes)
    true, predicted = [], []
    for _ in range(count):
        mask = cv2.resize(
            rng.integers(0, classes, (23, 30)).astype(np.uint8),
            (480, 360),
            interpolation=cv2.INTER_NEAREST,
        )
        guess = np.where(
            rng.random(mask.shape) < 0.15, rng.integers(0, classes, mask.shape), mask
        ).astype(np.uint8)
        mask[:8] = 255
        true.append(mask)
        predicted.append(guess)
    return true, predicted


def counting(classes: int, count: int) -> dict[str, float]:
    """Megapixels per second of each way to count."""
    true, predicted = masks(classes, count)
    megapixels = sum(m.size for m in true) / 1e6

    def bincount(t: np.ndarray, p: np.ndarray) -> np.ndarray:
        keep = t != 255
        return np.bincount(
            t[keep].astype(np.uint16) * classes + p[keep], minlength=classes * classes
        )

    def histogram2d(t: np.ndarray, p: np.ndarray) -> np.ndarray:
        keep = t != 255
        return np.histogram2d(t[keep], p[keep], bins=classes, range=[[0, classes], [0, classes]])[0]

    def ours(t: np.ndarray, p: np.ndarray) -> np.ndarray:
        return count_confusion(t, p, classes, 255)

    ways: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
        "segcore": ours,
        "numpy bincount": bincount,
    }
    ways["numpy histogram2d"] = histogram2d
    try:
        metrics = importlib.import_module("sklearn.metrics")
        labels = list(range(classes))
        ways["scikit-learn"] = lambda t, p: metrics.confusion_matrix(
            t.ravel(), p.ravel(), labels=labels
        )
    except ImportError:
        pass
    found = {}
    for name, way in ways.items():
        few = 4 if name in ("scikit-learn", "numpy histogram2d") else count
        seconds = median_time(
            lambda way=way, few=few: [
                way(t, p) for t, p in zip(true[:few], predicted[:few], strict=True)
            ]
        )
        found[name] = megapixels * few / count / seconds
    for way in ways.values():
        counted = np.asarray(way(true[0], predicted[0]), np.int64).reshape(classes, classes)
        np.testing.assert_array_equal(counted, ours(true[0], predicted[0]))
    with ThreadPoolExecutor(2) as pool:
        found["segcore, 2 threads"] = megapixels / median_time(
            lambda: list(pool.map(ours, true, predicted))
        )
    return found


def camvid(folder: Path) -> dict[str, float]:
    """Reading the test masks, against reading and evaluating them (the prediction is the mask moved by two pixels)."""
    files = sorted((folder / "masks" / "test").glob("*.png"))
    label_set = LabelSet(tuple(LabelClass(i, f"class {i}", (i, i, i)) for i in range(11)))

    def read(path: Path) -> np.ndarray:
        with Image.open(path) as image:
            mask = np.asarray(image)
        return np.where(mask < 11, mask, np.uint8(255))

    guesses = [np.roll(np.where(m < 11, m, 0), 2, 1).astype(np.uint8) for m in map(read, files)]

    def judge() -> Any:
        counts = np.stack(
            [count_confusion(read(f), g, 11, 255) for f, g in zip(files, guesses, strict=True)]
        )
        return evaluate(
            counts, [f.stem for f in files], label_set, "test", sizes=[(360, 480)] * len(files)
        ).to_json()

    reading, judging = median_time(lambda: [read(f) for f in files]), median_time(judge)
    return {
        "masks": len(files),
        "read_s": reading,
        "read_and_evaluate_s": judging,
        "ratio": judging / reading,
    }


def random_counts(classes: int) -> np.ndarray:
    rng = np.random.default_rng(classes)
    shares = rng.dirichlet(np.full(classes, 0.5))
    answers = 0.25 * rng.dirichlet(np.full(classes, 0.2), classes) + 0.75 * np.eye(classes)
    return (shares[:, None] * answers * 4e7).astype(np.int64)


def compression() -> dict[str, float]:
    """Seconds of each search."""
    eleven, fourteen, many = random_counts(11), random_counts(14), random_counts(150)
    priors = label_priors(eleven)
    pair = [LabelMap.merging(11, [(1, 2)])]

    def cold_front() -> Any:
        all_partitions.cache_clear()
        return find_front(eleven, priors["pixel"])

    weights = label_priors(many)["pixel"]
    thousand = np.repeat(eleven[None], 1000, 0)
    return {
        "all scores of one map, 11 classes": median_time(
            lambda: score_maps(eleven, pair, priors), 50
        ),
        "certified front, 11 classes, first time": median_time(cold_front),
        "certified front, 11 classes, again": median_time(
            lambda: find_front(eleven, priors["pixel"])
        ),
        "whole what-if, 11 classes": median_time(lambda: compress(eleven).to_json()),
        "optimum for every number of groups, 14 classes": median_time(
            lambda: exact_maps(fourteen, label_priors(fourteen)["pixel"]), 3
        ),
        "greedy path and dendrogram, 150 classes": median_time(
            lambda: (greedy_path(many, weights), build_dendrogram(many)), 3
        ),
        "whole what-if, 150 classes": median_time(lambda: compress(many).to_json(), 1),
        "seven scores of 1000 matrices, 11 classes": median_time(
            lambda: [function(thousand) for function in scores.SET_SCORES.values()]
        ),
    }


def image_counts(images: int, classes: int, seed: int = 0) -> SampleCounts:
    """Counts of images that each hold some of the classes, 172,800 pixels an image."""
    rng = np.random.default_rng(seed)
    matrices = []
    for _ in range(images):
        true = rng.multinomial(172_800, rng.dirichlet(np.full(classes, 0.3)))
        right = rng.beta(6, 2, classes)
        rows = [
            rng.multinomial(n, (1 - r) * rng.dirichlet(np.full(classes, 0.3)) + r * row)
            for n, r, row in zip(true, right, np.eye(classes), strict=True)
        ]
        matrices.append(np.stack(rows))
    return SampleCounts.stack(matrices)


def intervals() -> dict[str, float]:
    """Seconds of all intervals of a report and of a coverage simulation, against plain loops."""
    counts = image_counts(500, 20)
    ids = [f"image {i}" for i in range(len(counts))]
    label_set = LabelSet(tuple(LabelClass(i, f"class {i}", (i, i, i)) for i in range(20)))
    dense = np.asarray(counts)

    def report() -> Any:
        return evaluate(counts, ids, label_set, "test", resamples=2000)

    few = image_counts(233, 11)
    images = np.asarray(few)

    def loop(matrices: np.ndarray, resamples: int) -> None:
        rng = np.random.default_rng(0)
        for _ in range(resamples):
            total = matrices[rng.integers(0, len(matrices), len(matrices))].sum(0)
            scores.mean_iou(total), scores.iou(total), scores.pixel_accuracy(total)

    margins = [few.margins()]
    drawn, plain = median_time(report, 5), 20 * median_time(lambda: loop(dense, 100), 3)

    def one_set() -> Any:
        return bootstrap(margins, {"mean_iou": scores.mean_iou, "iou": scores.iou}, resamples=200)

    covered, each = median_time(lambda: score_coverage(few), 1), median_time(one_set, 9)
    looped = 2000 * median_time(lambda: loop(images, 200), 3)
    return {
        "report, 20 classes, 500 images, 2000 resamples": drawn,
        "the same by a plain loop": plain,
        "ratio of the loop": plain / drawn,
        "coverage, 233 images, 2000 sets of 200 resamples": covered,
        "the same, one set after another": 2000 * each,
        "ratio of one set after another": 2000 * each / covered,
        "the same by a plain loop over sets and resamples": looped,
        "ratio of that loop": looped / covered,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Speed of counting, evaluation and label compression."
    )
    parser.add_argument("--camvid", type=Path, help="folder with masks/test/*.png")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    found: dict[str, Any] = {
        f"counting, {c} classes, megapixels/s": counting(c, 60) for c in (12, 150)
    }
    found["intervals, s"] = intervals()
    found["compression, s"] = compression()
    if options.camvid:
        found["evaluation of test masks"] = camvid(options.camvid)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for title, rows in found.items():
        print(title)
        slowest = min(rows.values()) if title.startswith("counting") else None
        for name, value in rows.items():
            print(
                f"  {name:<50}{value:>12.4g}"
                + (f"   {value / slowest:.1f} x the slowest" if slowest else "")
            )


if __name__ == "__main__":
    main()
