"""Speed of the data pieces as ratios within one run: `python -m benchmarks.bench_data [folder of index PNGs]`.

Compared are: counting the classes of a folder of masks with plain Pillow and bincount; colours to
ids with ``np.unique``; the scan of colour masks with decoding them alone; importing 20,000 samples
with copying their files; reopening the counts of 20,000 samples; a balance plan with its floor for
20,000 samples and 150 classes; augmented images a second; and the demo's scenes. What is compared
takes turns, medians are reported.
"""

import resource
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from PIL import Image

from segcore.data.augmentation.transforms import PRESETS, draw
from segcore.data.balance.planner import BalanceGoal, plan_balance
from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.files.masks import pack_colors, read_colors
from segcore.data.files.png import decode_rgb
from segcore.data.files.scanning import scan
from segcore.data.formats.importers import import_dataset
from segcore.data.formats.importers.classes.codes import (
    COLOR_CODES,
    Survey,
    build_lookup,
    color_code,
)
from segcore.data.statistics.mask_runs import runs_of
from segcore.data.statistics.statistics import collect_statistics, count_mask, load_statistics
from segcore.data.synthetic import SIZE, make_synthetic
from segcore.data.synthetic.scene import draw_scene
from segcore.labels import LabelClass, LabelSet


def seconds(work: Callable[[], object], runs: int = 5) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


def in_turns(
    first: Callable[[], object], second: Callable[[], object], runs: int = 7
) -> tuple[float, float, float]:
    """Seconds of both, and the median of first over second, taken in turns so that a busy machine is alike to both."""
    times = [(seconds(first, 1), seconds(second, 1)) for _ in range(runs)]
    return median(t for t, _ in times), median(t for _, t in times), median(a / b for a, b in times)


def counting(folder: Path | None, scratch: Path) -> None:
    if folder is None:
        folder = scratch / "masks"
        folder.mkdir()
        for i in range(400):
            mask = cv2.resize(
                draw_scene(np.random.default_rng(i % 20), SIZE)[1],
                (480, 360),
                interpolation=cv2.INTER_NEAREST,
            )
            cv2.imwrite(str(folder / f"{i}.png"), mask)
    paths = sorted(folder.rglob("*.png"))
    plain = [np.bincount(np.asarray(Image.open(p)).ravel(), minlength=256) for p in paths]
    assert all(
        np.array_equal(a, b)
        for a, b in zip(plain, scan(lambda p: count_mask(p, 256), paths), strict=True)
    )
    _, fast, ratio = in_turns(
        lambda: [np.bincount(np.asarray(Image.open(p)).ravel(), minlength=256) for p in paths],
        lambda: list(scan(lambda p: count_mask(p, 256), paths)),
    )
    print(
        f"counting {len(paths)} masks: {len(paths) / fast:.0f} files/s, {ratio:.2f} times "
        "plain Pillow + bincount (at least 2)"
    )
    coloring(paths, scratch)


def coloring(paths: list[Path], scratch: Path) -> None:
    """The same masks in colours: to ids, and the whole scan of an import."""
    folder = scratch / "colors"
    folder.mkdir()
    palette = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)
    for i, path in enumerate(paths):
        cv2.imwrite(str(folder / f"{i}.png"), palette[np.asarray(Image.open(path))])
    colors = sorted(folder.iterdir())
    images = [cv2.imread(str(p)) for p in colors[:: max(1, len(colors) // 20)]][:20]
    table = build_lookup(
        COLOR_CODES,
        {color_code((int(r), int(g), int(b))): i for i, (b, g, r) in enumerate(palette)},
    )
    pixels = sum(image[..., 0].size for image in images)

    def by_rows() -> object:
        return [
            np.unique(image.reshape(-1, 3), axis=0, return_inverse=True) for image in images[:2]
        ]

    def by_codes() -> object:
        return [np.unique(pack_colors(image), return_inverse=True) for image in images]

    def by_runs(codes: np.ndarray) -> np.ndarray:
        values, lengths = runs_of(codes)
        return np.repeat(table.take(values), lengths).reshape(codes.shape)

    def ours() -> object:
        return [by_runs(pack_colors(image)) for image in images]

    _, fast, rows = in_turns(by_rows, ours, 3)
    _, _, codes = in_turns(by_codes, ours, 3)
    print(
        f"colours to ids: {pixels / fast / 1e6:.0f} MPix/s on one core, "
        f"{rows * len(images) / 2:.0f} times np.unique by rows (at least "
        f"50), {codes:.0f} times np.unique of packed colours"
    )

    def survey() -> object:
        found = Survey(COLOR_CODES)
        return list(scan(lambda p: found.add(p.name, read_colors(p)), colors))

    whole, _, ratio = in_turns(survey, lambda: list(scan(lambda p: decode_rgb(p) is None, colors)))
    print(
        f"scan of {len(colors)} colour masks: {len(colors) / whole:.0f} files/s, "
        f"{ratio:.2f} times decoding alone (at most 1.5)"
    )


def importing(scratch: Path, samples: int = 20_000) -> None:
    rng = np.random.default_rng(0)
    source, copied = scratch / "many", scratch / "copied"
    for part in ("images", "masks"):
        (source / part).mkdir(parents=True)
    for i in range(samples):
        cv2.imwrite(
            str(source / f"images/{i:05}.jpg"),
            cv2.resize(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), (128, 128)),
        )
        cv2.imwrite(
            str(source / f"masks/{i:05}.png"),
            cv2.resize(rng.integers(0, 9, (8, 8), dtype=np.uint8), (128, 128), interpolation=0),
        )
    copying = seconds(lambda: shutil.copytree(source, copied), 1)
    shutil.rmtree(copied)
    reports: list[int] = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took = seconds(
        lambda: import_dataset(
            source,
            scratch / "datasets/many",
            "many",
            progress=lambda *step: reports.append(step[0]),
        ),
        1,
    )
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"import of {samples} samples of 128 x 128: {took:.1f} s, {samples / took:.0f} "
        f"samples/s, {took / copying:.1f} times copying the "
        f"files; reported progress {len(reports)} times; memory grew by {grown:.0f} MB"
    )


def dense_counts(samples: int = 20_000, classes: int = 150) -> np.ndarray:
    rng = np.random.default_rng(0)
    frequency = 1 / np.arange(1, classes + 1)
    counts = np.zeros((samples, classes), np.int64)
    for row in counts:
        held = rng.choice(
            classes, max(1, rng.poisson(10)), replace=False, p=frequency / frequency.sum()
        )
        row[held] = np.maximum(1, rng.dirichlet(np.full(len(held), 0.5)) * 200_000)
    return counts


def balancing(counts: np.ndarray) -> None:
    for mode in ("pixel", "count"):
        start, spent = time.perf_counter(), time.process_time()
        plan = plan_balance(counts, BalanceGoal(mode))
        wall, spent = time.perf_counter() - start, time.process_time() - spent
        print(
            f"plan by {mode}, {counts.shape[0]} x {counts.shape[1]}: {wall:.2f} s "
            f"({spent:.2f} s of processor), distance {plan.before:.4f} "
            f"-> {plan.after:.5f}, floor {plan.floor:.5f}, {plan.copies} copies"
        )


def reopening(counts: np.ndarray, folder: Path) -> None:
    labels = LabelSet(tuple(LabelClass(i, f"class {i}", (i, i, i)) for i in range(counts.shape[1])))
    digests = [f"{i:064x}" for i in range(len(counts))]
    samples = tuple(
        Sample(f"s{i}", f"images/s{i}.jpg", f"masks/s{i}.png", "train", 512, 512, "", d)
        for i, d in enumerate(digests)
    )
    (folder / "masks").mkdir(parents=True)
    dataset = Dataset(folder, "large", labels, samples).save()
    first = np.zeros((2, 2), np.uint8)
    for sample in samples:
        cv2.imwrite(str(folder / str(sample.mask)), first)
    collect_statistics(dataset)
    print(
        f"statistics of {len(counts)} samples: reopened in "
        f"{seconds(lambda: load_statistics(Dataset.open(folder)), 3):.2f} s"
    )


def augmenting() -> None:
    rng = np.random.default_rng(0)
    image, mask = draw_scene(rng, SIZE)
    for name in PRESETS:
        rate = 200 / seconds(
            lambda name=name: [draw(name, rng, SIZE).apply(image, mask, 255) for _ in range(200)], 3
        )
        print(f"augmentation {name!r} at {SIZE[0]} x {SIZE[1]}, one thread: {rate:.0f} images/s")


def drawing(scratch: Path) -> None:
    start = time.perf_counter()
    dataset = make_synthetic(scratch / "demo")
    print(f"demo: {len(dataset.samples)} scenes in {time.perf_counter() - start:.1f} s")


def main() -> None:
    cv2.setNumThreads(1)
    with TemporaryDirectory() as scratch:
        counting(Path(sys.argv[1]) if len(sys.argv) > 1 else None, Path(scratch))
        importing(Path(scratch))
        drawing(Path(scratch))
        augmenting()
        counts = dense_counts()
        balancing(counts)
        reopening(counts, Path(scratch) / "large")


if __name__ == "__main__":
    main()
