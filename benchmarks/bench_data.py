"""Speed of the data pieces as ratios within one run: `python -m benchmarks.bench_data [folder of index PNGs]`.

Compared are: counting the classes of a folder of masks with plain Pillow and bincount; reopening the
counts of 20,000 samples; a balance plan with its floor for 20,000 samples and 150 classes; augmented
images a second; and the demo's scenes.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from PIL import Image

from segcore.data.balance import plan_balance
from segcore.data.dataset import Dataset, Sample
from segcore.data.scanning import scan
from segcore.data.statistics import collect_statistics, count_mask, load_statistics
from segcore.data.synthetic import SIZE, make_synthetic
from segcore.data.synthetic.scene import draw_scene
from segcore.data.transforms import PRESETS, draw
from segcore.labels import LabelClass, LabelSet


def seconds(work: Callable[[], object], runs: int = 5) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def counting(folder: Path | None, scratch: Path) -> None:
    if folder is None:
        folder = scratch / "masks"
        folder.mkdir()
        for i in range(400):
            mask = cv2.resize(draw_scene(np.random.default_rng(i % 20), SIZE)[1], (480, 360), interpolation=cv2.INTER_NEAREST)
            cv2.imwrite(str(folder / f"{i}.png"), mask)
    paths = sorted(folder.rglob("*.png"))
    plain = [np.bincount(np.asarray(Image.open(p)).ravel(), minlength=256) for p in paths]
    assert all(np.array_equal(a, b) for a, b in zip(plain, scan(lambda p: count_mask(p, 256), paths), strict=True))
    slow = seconds(lambda: [np.bincount(np.asarray(Image.open(p)).ravel(), minlength=256) for p in paths])
    fast = seconds(lambda: list(scan(lambda p: count_mask(p, 256), paths)))
    print(f"counting {len(paths)} masks: {len(paths) / fast:.0f} files/s, {slow / fast:.2f} times plain Pillow + bincount")


def dense_counts(samples: int = 20_000, classes: int = 150) -> np.ndarray:
    rng = np.random.default_rng(0)
    frequency = 1 / np.arange(1, classes + 1)
    counts = np.zeros((samples, classes), np.int64)
    for row in counts:
        held = rng.choice(classes, max(1, rng.poisson(10)), replace=False, p=frequency / frequency.sum())
        row[held] = np.maximum(1, rng.dirichlet(np.full(len(held), 0.5)) * 200_000)
    return counts


def balancing(counts: np.ndarray) -> None:
    for mode in ("pixel", "count"):
        start, spent = time.perf_counter(), time.process_time()
        plan = plan_balance(counts, mode)
        wall, spent = time.perf_counter() - start, time.process_time() - spent
        print(
            f"plan by {mode}, {counts.shape[0]} x {counts.shape[1]}: {wall:.2f} s ({spent:.2f} s of processor), distance {plan.before:.4f} "
            f"-> {plan.after:.5f}, floor {plan.floor:.5f}, {plan.copies} copies"
        )


def reopening(counts: np.ndarray, folder: Path) -> None:
    labels = LabelSet(tuple(LabelClass(i, f"class {i}", (i, i, i)) for i in range(counts.shape[1])))
    digests = [f"{i:064x}" for i in range(len(counts))]
    samples = tuple(Sample(f"s{i}", f"images/s{i}.jpg", f"masks/s{i}.png", "train", 512, 512, "", d) for i, d in enumerate(digests))
    (folder / "masks").mkdir(parents=True)
    dataset = Dataset(folder, "large", labels, samples).save()
    first = np.zeros((2, 2), np.uint8)
    for sample in samples:
        cv2.imwrite(str(folder / str(sample.mask)), first)
    collect_statistics(dataset)
    print(f"statistics of {len(counts)} samples: reopened in {seconds(lambda: load_statistics(Dataset.open(folder)), 3):.2f} s")


def augmenting() -> None:
    rng = np.random.default_rng(0)
    image, mask = draw_scene(rng, SIZE)
    for name in PRESETS:
        rate = 200 / seconds(lambda name=name: [draw(name, rng, SIZE).apply(image, mask, 255) for _ in range(200)], 3)
        print(f"augmentation {name!r} at {SIZE[0]} x {SIZE[1]}, one thread: {rate:.0f} images/s")


def drawing(scratch: Path) -> None:
    start = time.perf_counter()
    dataset = make_synthetic(scratch / "demo")
    print(f"demo: {len(dataset.samples)} scenes in {time.perf_counter() - start:.1f} s")


def main() -> None:
    cv2.setNumThreads(1)
    with TemporaryDirectory() as scratch:
        counting(Path(sys.argv[1]) if len(sys.argv) > 1 else None, Path(scratch))
        drawing(Path(scratch))
        augmenting()
        counts = dense_counts()
        balancing(counts)
        reopening(counts, Path(scratch) / "large")


if __name__ == "__main__":
    main()
