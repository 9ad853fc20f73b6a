"""Speed of ensembles and of the dense CRF, as ratios measured in one run.

    python benchmarks/bench_postprocess.py [--data FOLDER] [--images N] [--only NAME ...] [--json]

Images and masks come from CamVid (``--data``, by default ``../shared/data/camvid`` beside the
checkout), or are drawn where it is absent. Probabilities are simulated: the blurred true mask at
192 x 256 with smooth noise, so that about a tenth of the pixels is disputed, as of a trained
network. What the CRF does with them is the same work.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scenes import CLASSES, draw_scene, read_scenes, simulate, write_split

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from segcore.config import CRFSearchConfig, EvaluateConfig, SubsetsConfig  # noqa: E402
from segcore.light_worker.crf_search import crf_search_run  # noqa: E402
from segcore.light_worker.evaluation import evaluate_run  # noqa: E402
from segcore.light_worker.pool import open_pool  # noqa: E402
from segcore.light_worker.subsets import subsets_run  # noqa: E402
from segcore.postprocess.dense_crf import DenseCRF, is_available, kept_classes  # noqa: E402
from segcore.postprocess.ensemble import combine_to_size, resize_probabilities  # noqa: E402
from segcore.postprocess.parameters import CRFParameters  # noqa: E402
from segcore.postprocess.weightings import count_weightings, subset_weights  # noqa: E402
from segcore.runs.folder.run_folder import RunFolder  # noqa: E402

MEMBERS = 5
SPLIT = 233
"""Images of CamVid's test split."""


def seconds(
    work: Callable[[], Any], repeats: int = 1, clock: Callable[[], float] = time.process_time
) -> tuple[float, Any]:
    """Best time of a call and its result: processor seconds of this process, which a neighbour's load changes little, or wall seconds."""
    best, result = float("inf"), None
    for _ in range(repeats):
        start = clock()
        result = work()
        best = min(best, clock() - start)
    return best, result


def agreement(one: list[np.ndarray], two: list[np.ndarray]) -> float:
    return float(np.mean([(a == b).mean() for a, b in zip(one, two, strict=True)]))


def bench_crf_processes(scenes: list[Any]) -> dict[str, Any]:
    """An evaluate run with the CRF over a split, by two processes and by one; pools are warm, as after the first images of a split."""
    with tempfile.TemporaryDirectory() as folder, open_pool(1) as one, open_pool(2) as two:
        workspace = Path(folder)
        write_split(workspace, scenes)

        def evaluate(name: str, pool: Executor) -> RunFolder:
            run = RunFolder.create(
                workspace / "runs", name, EvaluateConfig("bench", ("member",), crf=CRFParameters())
            )
            evaluate_run(run, pool)
            return run

        for pool in (one, two):
            evaluate(f"warm-{id(pool)}", pool)
        rounds = []
        for turn in range(3):  # in turns, so that a neighbour's load meets both
            single, alone = seconds(
                lambda t=turn: evaluate(f"one-{t}", one), clock=time.perf_counter
            )
            double, together = seconds(
                lambda t=turn: evaluate(f"two-{t}", two), clock=time.perf_counter
            )
            rounds.append((single / double, single, double))
        names = [str(n) for n in range(len(scenes))]
        identical = all(
            np.array_equal(alone.read_mask("test", "crf", n), together.read_mask("test", "crf", n))
            for n in names
        )
    ratio, single, double = sorted(rounds)[1]
    return {
        "images": len(scenes),
        "seconds_1": single,
        "seconds_2": double,
        "ratio": ratio,
        "identical": identical,
        "asked": 1.6,
    }


def bench_preview(scenes: list[Any]) -> dict[str, Any]:
    crf, times, full, quick, plain = DenseCRF(), [], [], [], []
    for number, (image, mask) in enumerate(scenes):
        probabilities = resize_probabilities(simulate(mask, CLASSES, number), image.shape[:2])
        slow, refined = seconds(lambda p=probabilities, i=image: crf.refine(p, i), 2)
        fast, preview = seconds(lambda p=probabilities, i=image: crf.preview(p, i), 2)
        times.append((slow, fast))
        full.append(refined.argmax(-1))
        quick.append(preview.argmax(-1))
        plain.append(probabilities.argmax(-1))
    slow, fast = np.median(times, axis=0)
    changed = [f != p for f, p in zip(full, plain, strict=True)]
    among = float(
        np.mean([(q == f)[c].mean() for q, f, c in zip(quick, full, changed, strict=True)])
    )
    return {
        "seconds_full": slow,
        "seconds_preview": fast,
        "ratio": float(np.median([a / b for a, b in times])),
        "agreement": agreement(full, quick),
        "agreement_where_the_crf_changes": among,
        "asked": "3 at .98",
    }


def bench_dropping(scenes: list[Any]) -> dict[str, Any]:
    times, full, quick, kept = [], [], [], []
    for number, (image, mask) in enumerate(scenes[:4]):
        probabilities = resize_probabilities(simulate(mask, 150, number), image.shape[:2])
        slow, refined = seconds(lambda p=probabilities, i=image: DenseCRF().refine(p, i))
        fast, dropped = seconds(
            lambda p=probabilities, i=image: DenseCRF(CRFParameters(drop_below=0.1)).refine(p, i)
        )
        times.append((slow, fast))
        full.append(refined.argmax(-1))
        quick.append(dropped.argmax(-1))
        kept.append(len(kept_classes(probabilities.max((0, 1)), 0.1)))
    slow, fast = np.median(times, axis=0)
    ratio = float(np.median([a / b for a, b in times]))
    same = agreement(full, quick)
    return {
        "seconds_all": slow,
        "seconds_kept": fast,
        "classes_kept": kept,
        "ratio": ratio,
        "agreement": same,
        "asked": "1.4 at .998",
    }


def bench_subsets(scenes: list[Any]) -> dict[str, Any]:
    """Every subset of five members on a split of CamVid's size, against reading its probabilities once.

    ``ratio`` compares the pass itself (read and count) in one process; ``run`` the whole background
    run with masks read and intervals drawn, in two warm processes, with reading alone in one.
    """
    names = [f"member-{m}" for m in range(MEMBERS)]
    with tempfile.TemporaryDirectory() as folder, open_pool(2) as pool:
        workspace = Path(folder)
        dataset = write_split(workspace, scenes, names, SPLIT)
        runs = [RunFolder(workspace / "runs" / f"{name}--test") for name in names]
        masks = [dataset.read_mask(sample) for sample in dataset.samples]

        def members(number: int) -> list[np.ndarray]:
            return [run.read_probabilities("test", str(number))[0] for run in runs]

        def images() -> Any:
            return ((members(number), masks[number]) for number in range(SPLIT))

        def run_it(turn: int) -> None:
            subsets_run(
                RunFolder.create(
                    workspace / "runs",
                    f"subsets-{turn}",
                    SubsetsConfig("bench", tuple(names), "test"),
                ),
                pool,
            )

        run_it(-1)
        rounds = []
        for turn in range(3):
            read, _ = seconds(lambda: [len(members(number)) for number in range(SPLIT)])
            scored, _ = seconds(
                lambda: [
                    c.shape for c in count_weightings(images(), subset_weights(MEMBERS), CLASSES)
                ]
            )
            wall, _ = seconds(
                lambda: [len(members(number)) for number in range(SPLIT)], clock=time.perf_counter
            )
            whole, _ = seconds(lambda t=turn: run_it(t), clock=time.perf_counter)
            rounds.append((scored / read, read, scored, whole / wall, whole))
    ratio, read, scored, run, whole = (
        float(np.median(column)) for column in zip(*rounds, strict=True)
    )
    times = {
        "seconds_read": read,
        "seconds_read_and_score": scored,
        "ratio": ratio,
        "seconds_run": whole,
        "run_ratio": run,
    }
    return {"images": SPLIT, "subsets": 2**MEMBERS - 1, **times, "asked": "at most 3"}


def bench_crf_search(scenes: list[Any]) -> dict[str, Any]:
    """A CRF search over a split, by two processes and by one, with the same document."""
    config = CRFSearchConfig("bench", ("member",), "test", candidates=4)
    with tempfile.TemporaryDirectory() as folder, open_pool(1) as one, open_pool(2) as two:
        workspace = Path(folder)
        write_split(workspace, scenes)

        def search(name: str, pool: Executor) -> dict[str, Any]:
            run = RunFolder.create(workspace / "runs", name, config)
            crf_search_run(run, pool)
            return {
                key: value for key, value in run.read_json("crf_search").items() if key != "run"
            }

        for number, pool in enumerate((one, two)):
            list(pool.map(len, [[]] * 4))
            search(f"warm-{number}", pool)
        rounds = []
        for turn in range(2):
            single, alone = seconds(lambda t=turn: search(f"one-{t}", one), clock=time.perf_counter)
            double, together = seconds(
                lambda t=turn: search(f"two-{t}", two), clock=time.perf_counter
            )
            rounds.append((single / double, single, double))
    ratio, single, double = sorted(rounds)[0]
    return {
        "images": len(scenes),
        "seconds_1": single,
        "seconds_2": double,
        "ratio": ratio,
        "identical": alone == together,
        "asked": 1.6,
    }


def bench_mean(scenes: list[Any]) -> dict[str, Any]:
    """The mean of five at the image's size: summed at the network's size and resized once, against a stack of resized members."""
    image, mask = scenes[0]
    members = [simulate(mask, CLASSES, m) for m in range(MEMBERS)]
    size = image.shape[:2]

    def naive() -> np.ndarray:
        return np.mean(
            np.stack([cv2.resize(m, size[::-1], interpolation=cv2.INTER_LINEAR) for m in members]),
            axis=0,
        ).argmax(-1)

    naively, one = seconds(naive, 5)
    streamed, two = seconds(lambda: combine_to_size(iter(members), size).argmax(-1), 5)
    return {
        "seconds_naive": naively,
        "seconds": streamed,
        "ratio": naively / streamed,
        "agreement": agreement([one], [two]),
    }


def bench_memory(scenes: list[Any]) -> dict[str, Any]:
    """Peak memory of the mean of five over few and over many images, each in a process of its own."""
    peaks = {}
    for count in (10, 200):
        command = [sys.executable, str(Path(__file__).resolve()), "--stream", str(count)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[count] = json.loads(done.stdout)["peak_mb"]
    return {"peak_mb": peaks, "ratio": peaks[200] / peaks[10], "asked": "about 1"}


def stream(count: int) -> None:
    """Combine ``count`` images of five members lazily made, and print this process's peak memory."""
    mask = draw_scene(0)[1]
    members = [simulate(mask, CLASSES, m) for m in range(MEMBERS)]
    total = np.zeros(CLASSES, np.int64)
    for _ in range(count):
        prediction = combine_to_size((m.copy() for m in members), (360, 480)).argmax(-1)
        total += np.bincount(prediction.ravel(), minlength=CLASSES)
    (peak,) = [
        line.split()[1]
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    print(json.dumps({"peak_mb": round(int(peak) / 1024, 1), "pixels": int(total.sum())}))


BENCHES = {
    "crf_processes": bench_crf_processes,
    "crf_search": bench_crf_search,
    "crf_preview": bench_preview,
    "crf_150_classes": bench_dropping,
    "subsets": bench_subsets,
    "mean_of_five": bench_mean,
    "memory": bench_memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "camvid")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--only", nargs="*", choices=BENCHES, default=list(BENCHES))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stream", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stream:
        stream(options.stream)
        return
    scenes = read_scenes(options.data, options.images)
    results: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    }
    for name in options.only:
        if name.startswith("crf") and not is_available():
            print(f"{name}: left out, pydensecrf is not installed", file=sys.stderr)
            continue
        results[name] = BENCHES[name](scenes)
        if not options.json:
            shown = [
                f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
                for key, value in results[name].items()
            ]
            print(f"{name:16}", ", ".join(shown), flush=True)
    if options.json:
        print(json.dumps(results, default=float))
    else:
        print(results["machine"])


if __name__ == "__main__":
    main()
