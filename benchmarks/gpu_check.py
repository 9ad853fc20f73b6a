"""What a machine's GPU does with every engine that it has; ``gpu_check.sh`` calls it.

    python benchmarks/gpu_check.py OUT [--engines jax torch] [--smp PATH] [--tiny]

1. The doctor's check of each engine on each device.
2. Equality: logits, losses and gradients against stored numbers of a CPU, and ten steps of training.
3. Throughput: ResNet50-UNet, 352 x 480, batch 8 and 16, float32 and bfloat16, with peak memory; in
   turn with segmentation_models.pytorch where it can be imported.
4. Prediction: the mean of five networks over a hundred images.
5. A run that is killed and resumed by real workers.

OUT, a folder, gets ``gpu.json`` and ``gpu.md``. A part that fails says so there and the rest goes
on; the exit code is 1 then. ``--tiny`` rehearses all of it on a CPU with a tiny network.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ENGINES = ("tensorflow", "jax", "torch")
SECONDS = 240
"""Longest time of one part."""
FULL, TINY = ("352x480", (8, 16), "resnet50", 10), ("32x64", (2,), "tiny", 2)
STEPS = "tests/training/engines/engine_steps"
NUMBERS = "tests/models/engine_numbers"


BOUNDS = {"logits": 1e-4, "loss": 1e-5, "gradients": 1e-3}
FLIPPED = 1e-2


class Failed(Exception):
    """A part did not do what it should; the sentence says what."""


def environment(engine: str, **more: str) -> dict[str, str]:
    paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {
        **os.environ,
        "KERAS_BACKEND": engine,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "PYTHONPATH": os.pathsep.join(paths),
        **more,
    }


def python(engine: str, *words: str, **more: str) -> str:
    """Run this interpreter with an engine; return what it printed.

    Raises:
        Failed: It took too long or ended with an error.
    """
    try:
        done = subprocess.run(
            [sys.executable, *words],
            env=environment(engine, **more),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"no end after {SECONDS} s") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise Failed(f"exit code {done.returncode}: {lines[-1][:200]}")
    return done.stdout


def check_engine(engine: str, out: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The doctor's check: numbers on each device in each precision."""
    answer = python(engine, "-m", "segcore.training.engine_check", engine)
    result: dict[str, Any] = json.loads(answer.strip().splitlines()[-1])
    wrong = [
        f"{r['device']} {r['precision']}: {r['error']}" for r in result["results"] if r["error"]
    ]
    if result["error"] or wrong:
        raise Failed(result["error"] or "; ".join(wrong))
    if not options.tiny and not any(name.startswith("gpu") for name in result["devices"]):
        raise Failed(f"it sees no GPU, only {', '.join(result['devices'])}")
    return result


def check_equality(engine: str, out: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Largest differences from stored numbers of a CPU, products in full float32."""
    import numpy as np  # noqa: PLC0415  # after pip has put it there

    exact = {"NVIDIA_TF32_OVERRIDE": "0", "JAX_DEFAULT_MATMUL_PRECISION": "highest"}
    made = out / f"numbers-{engine}.npz"
    python(engine, f"{NUMBERS}.py", str(made), **exact)
    with np.load(made) as ours, np.load(ROOT / f"{NUMBERS}.npz") as stored:
        return compare_numbers(ours, stored)


def compare_numbers(ours: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, float]:
    """Return the largest difference of each kind of number, over the largest value of its array.

    Processors round differently, and where a value of 1e-8 rounds to the other side of a ReLU's zero, the
    gradients of all layers before it change while the logits stay: those may be FLIPPED apart, while
    their median keeps to the bound.

    Raises:
        Failed: Some are farther apart than they may be.
    """
    import numpy as np  # noqa: PLC0415  # after pip has put it there

    worst: dict[str, float] = {}
    for name, expected in stored.items():
        last = name.split()[-1]
        kind = last if last in BOUNDS else "gradients"
        scale = float(np.abs(expected).max())
        apart = np.abs(ours[name] - expected) / (max(1.0, scale) if kind == "logits" else scale)
        if last in ("norms", "products"):
            middle, bound = float(np.median(apart)), FLIPPED
        else:
            middle, bound = 0.0, BOUNDS[kind]
        most = float(apart.max())
        if most > bound or middle > BOUNDS[kind]:
            raise Failed(
                f"{name}: expected a difference of at most {bound:g}, in the median {BOUNDS[kind]:g}, "
                f"received {most:.2g} and {middle:.2g}"
            )
        worst[kind] = max(worst.get(kind, 0.0), most)
    return worst


def measure_training(engine: str, out: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Images a second and peak memory of each batch and precision; "smp" is the peer."""
    size, batches, encoder, steps = TINY if options.tiny else FULL
    script = "training_smp.py" if engine == "smp" else "training_engine.py"
    words = ["smp"] if engine == "smp" else []
    rows = []
    for batch in batches:
        for precision in ("float32", "mixed_bfloat16"):
            sizes = {"BENCH_SIZE": size, "BENCH_BATCH": str(batch), "BENCH_ENCODER": encoder}
            command = [f"benchmarks/{script}", *words, str(steps), precision]
            answer = python("torch" if engine == "smp" else engine, *command, **sizes)
            result = json.loads(answer.strip().splitlines()[-1])
            rows.append({"batch": batch, "precision": precision, **result})
    return rows


PREDICT = """
import json, sys, time
from pathlib import Path
import numpy as np
from segcore.config import ModelConfig
from segcore.models.build import build_model
from segcore.training.inference.predictor import Predictor
from segcore.training.strategy import configure
folder, size, encoder, count = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
height, width = map(int, size.split("x"))
with configure("auto").scope():
    for member in range(5):
        build_model(ModelConfig("unet", encoder, "none"), 12, (height, width)).save(
            folder / f"{member}.keras"
        )
networks = [Predictor(folder / f"{member}.keras", 10) for member in range(5)]
images = np.random.default_rng(0).integers(0, 256, (count, height, width, 3)).astype(np.uint8)
for network in networks:
    network(images[:10])
began = time.monotonic()
for first in range(0, count, 10):
    mean = np.mean([network(images[first : first + 10]) for network in networks], 0)
assert np.isfinite(mean).all() and abs(mean.sum(-1) - 1).max() < 1e-3
print(json.dumps({"images_per_second": count / (time.monotonic() - began), "images": count}))
"""


def measure_prediction(engine: str, out: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The mean of five networks over a hundred images, from uint8 to probabilities in memory."""
    size, _, encoder, _ = TINY if options.tiny else FULL
    folder = out / f"members-{engine}"
    folder.mkdir()
    try:
        answer = python(
            engine, "-c", PREDICT, str(folder), size, encoder, "10" if options.tiny else "100"
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result: dict[str, Any] = json.loads(answer.strip().splitlines()[-1])
    return result


PREPARE = """
import sys
from pathlib import Path
import numpy as np
from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.labels import LabelClass, LabelSet
from segcore.runs.folder.run_folder import RunFolder
root, engine, epochs = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
labels = LabelSet(tuple(LabelClass(i, f"class {i}", (90 * i, 40, 200 - 90 * i)) for i in range(3)))
rng = np.random.default_rng(0)
def samples():
    for split, count in (("train", 12), ("validation", 4)):
        for i in range(count):
            mask = np.kron(rng.integers(0, 3, (4, 8)), np.ones((16, 16), int)).astype(np.uint8)
            yield ArraySample(f"{split}{i}", labels.colors[mask].astype(np.uint8), mask, split)
write_dataset(root / "datasets" / "squares", "squares", labels, samples())
recipe = RecipeConfig(epochs=epochs, batch_size=4, patience=0)
config = TrainConfig("squares", ModelConfig("unet", "tiny", "none"), recipe, (64, 128), engine=engine)
RunFolder.create(root / "runs", "run", config)
"""


def check_resume(engine: str, out: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Kill a worker after two epochs, resume it, and look whether its history is whole."""
    epochs = 40
    root = out / f"workspace-{engine}"
    python(engine, "-c", PREPARE, str(root), engine, str(epochs))
    folder = root / "runs" / "run"
    history, log = folder / "metrics.jsonl", folder / "log.txt"
    command = [sys.executable, "-m", "segcore.worker", str(folder)]

    def lines() -> list[dict[str, Any]]:
        text = history.read_text() if history.is_file() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    with log.open("ab") as output:
        worker = subprocess.Popen(
            command, env=environment(engine), cwd=ROOT, stdout=output, stderr=output
        )
        end = time.monotonic() + SECONDS
        while len(lines()) < 2 and worker.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    killed = len(lines())
    python(engine, *command[1:])
    record, told = lines(), log.read_text()
    if not 2 <= killed < epochs or [one["epoch"] for one in record] != list(range(1, epochs + 1)):
        raise Failed(f"{killed} epochs before the kill, {len(record)} of {epochs} in the end")
    result = {"killed_after": killed, "epochs": len(record), "last_loss": record[-1]["loss"]}
    shutil.rmtree(root, ignore_errors=True)
    return result | {"device": next((row for row in told.splitlines() if "Device:" in row), "")}


PARTS: dict[str, Callable[[str, Path, argparse.Namespace], Any]] = {
    "doctor": check_engine,
    "equality": check_equality,
    "training": measure_training,
    "prediction": measure_prediction,
    "resume": check_resume,
}


def machine() -> dict[str, str]:
    """What this is: processor, GPUs, driver, packages."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    gpus = ""
    if shutil.which(query[0]):
        gpus = subprocess.run(query, capture_output=True, text=True, check=False).stdout.strip()
    names = {"host": platform.machine(), "python": platform.python_version(), "gpus": gpus}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            names["processor"] = line.split(":")[1].strip()
            break
    return names


def table(document: dict[str, Any]) -> str:
    """The results in Markdown."""
    about = document["machine"]
    lines = [
        f"{about['gpus'] or 'no GPU'}; {about.get('processor', '?')}; Python {about['python']}",
        "",
        "| engine | part | result |",
        "|---|---|---|",
    ]
    for engine, parts in document["results"].items():
        for part, result in parts.items():
            rows = result if isinstance(result, list) else [result]
            lines += [f"| {engine} | {part} | {_cell(row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(row: dict[str, Any]) -> str:
    if "images_per_second" in row:
        words = [f"{row['images_per_second']:.2f} images a second"]
        if "batch" in row:
            words += [f"batch {row['batch']}", row["precision"], f"first step {row['first']:.1f} s"]
        if "memory" in row:
            words.append(f"{row['memory'] / 2**30:.1f} GiB")
        return ", ".join(words)
    if "devices" in row:
        return f"{row['version']} on {', '.join(row['devices'])}"
    return ", ".join(f"{k} {v:.2g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--engines", nargs="+", default=list(ENGINES))
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    results: dict[str, dict[str, Any]] = {}
    for engine in (*options.engines, "smp"):
        package = "segmentation_models_pytorch" if engine == "smp" else engine
        command = [sys.executable, "-c", f"import {package}"]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            print(f"{engine}: not installed", flush=True)
            continue
        results[engine] = {}
        for part in options.parts if engine != "smp" else {"training"} & set(options.parts):
            start = time.monotonic()
            try:
                results[engine][part] = PARTS[part](engine, options.out, options)
                state = "ok"
            except (Failed, OSError, ValueError, KeyError) as error:
                results[engine][part] = {"failed": str(error)}
                state = f"FAILED: {error}"
            print(f"{engine}, {part}: {state} ({time.monotonic() - start:.0f} s)", flush=True)
    seconds = round(time.monotonic() - began, 1)
    document = {"machine": machine(), "tiny": options.tiny, "seconds": seconds, "results": results}
    (options.out / "gpu.json").write_text(json.dumps(document, indent=1) + "\n")
    (options.out / "gpu.md").write_text(table(document))
    print(table(document))
    every = [result for parts in results.values() for result in parts.values()]
    failed = [result for result in every if isinstance(result, dict) and "failed" in result]
    return 1 if failed or not every else 0


if __name__ == "__main__":
    sys.exit(main())
