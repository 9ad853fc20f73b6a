"""The engines against each other and against a named peer, in one run: images a second, and the time to the first step.

    python benchmarks/bench_engines.py [--python jax=PATH] [--smp PATH] [--before WORKTREE] [--steps 4] [--turns 2]

Every side trains a ResNet50-UNet at 192 x 256, 12 classes, batch 8, in a process of its own; its
seconds count from the start of that process, so they hold the imports. Sides take turns, forth and
back, so that a busy machine disturbs all alike; a ratio is the median of those of the turns. An
engine is measured where this interpreter has it, or the one that ``--python`` names for it. The
peer is segmentation_models.pytorch on PyTorch, if ``--smp`` (or this interpreter) has it.
``--before`` names a checkout of an earlier commit, whose TensorFlow side is measured too: at least
0.98 of its images a second is the target; its seconds hold no imports. ``--tiny`` is a rehearsal.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from segcore.runs.machine.engines import engine_variables  # noqa: E402

ENGINES = ("tensorflow", "jax", "torch")
TINY = {"BENCH_SIZE": "32x64", "BENCH_BATCH": "2", "BENCH_ENCODER": "tiny"}
Results = dict[str, list[dict[str, float]]]


def processor() -> str:
    """The processor's name and whether it has AVX-512 and bfloat16."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown processor"
    name = next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), "?"
    )
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    has = [flag for flag in ("avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return f"{name}, {os.cpu_count()} processors, {' '.join(has) or 'no AVX-512'}"


def has(python: str, package: str) -> bool:
    done = subprocess.run([python, "-c", f"import {package}"], capture_output=True, check=False)
    return done.returncode == 0


def sides_of(options: argparse.Namespace) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Command and environment of each side that can be measured here."""
    pythons = dict(pair.split("=", 1) for pair in options.python)
    tail = [str(options.steps), options.precision]
    sides: dict[str, tuple[list[str], dict[str, str]]] = {}
    for engine in ENGINES:
        python = pythons.get(engine, sys.executable)
        if not has(python, engine):
            print(f"  ENGINE ABSENT: {engine}; name an interpreter by --python {engine}=PATH")
            continue
        script = str(ROOT / "benchmarks" / "training_engine.py")
        sides[engine] = (
            [python, script, *tail],
            {**engine_variables(engine), "PYTHONPATH": str(ROOT)},
        )
    if options.before:
        script = str(options.before / "benchmarks" / "training_keras.py")
        where = {"KERAS_BACKEND": "tensorflow", "PYTHONPATH": str(options.before)}
        python = pythons.get("tensorflow", sys.executable)
        sides["before"] = [python, script, "ours", *tail], where
    if has(options.smp, "segmentation_models_pytorch"):
        script = str(ROOT / "benchmarks" / "training_smp.py")
        sides["smp"] = [options.smp, script, "smp", *tail], {"PYTHONPATH": str(ROOT)}
    else:
        print("  PEER ABSENT: segmentation_models.pytorch; name an interpreter by --smp PATH")
    return sides


def run_side(command: list[str], more: dict[str, str]) -> dict[str, float]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", **more}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{command[1]} failed:\n{done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def median(results: Sequence[dict[str, float]], key: str) -> float:
    return statistics.median(result[key] for result in results)


def ratio(found: Results, one: str, other: str, key: str) -> str:
    """The median of one side over the other within each turn, and the smallest and largest."""
    pairs = zip(found[one], found[other], strict=True)
    ratios = sorted(first[key] / second[key] for first, second in pairs)
    return f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"


def report(found: Results) -> list[str]:
    """Lines of a table, and the ratios that have a target."""
    lines = [
        "| side | images a second | first step, s | imports, s | build, s |",
        "|---|---|---|---|---|",
    ]
    for name, results in found.items():
        parts = [
            median(results, key) if key in results[0] else None for key in ("imports", "build")
        ]
        words = [f"{part:.1f}" if part is not None else "" for part in parts]
        speed, first = median(results, "images_per_second"), median(results, "first")
        lines.append(f"| {name} | {speed:.2f} | {first:.1f} | {' | '.join(words)} |")
    speeds = {name: median(results, "images_per_second") for name, results in found.items()}
    if {"tensorflow", "before"} <= set(speeds):
        words = ratio(found, "tensorflow", "before", "images_per_second")
        lines.append(f"images a second, tensorflow / before: {words}, target 0.98")
    if "smp" in speeds:
        best = max((name for name in ENGINES if name in speeds), key=speeds.__getitem__)
        words = ratio(found, best, "smp", "images_per_second")
        lines.append(f"images a second, fastest engine, {best} / smp: {words}, target 1.2")
        words = ratio(found, best, "smp", "first")
        lines.append(f"seconds to the first step, {best} / smp: {words}, target at most 1.2")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=4, help="timed steps after the first, a turn")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--precision", default="float32", choices=["float32", "mixed_bfloat16"])
    parser.add_argument("--python", action="append", default=[], metavar="ENGINE=PATH")
    parser.add_argument("--smp", default=sys.executable, metavar="PATH")
    parser.add_argument("--before", type=Path, default=None, metavar="WORKTREE")
    parser.add_argument("--tiny", action="store_true", help="a tiny network, for a rehearsal")
    options = parser.parse_args()
    os.environ.update(TINY if options.tiny else {})
    sides = sides_of(options)
    found: Results = {name: [] for name in sides}
    load = os.getloadavg()[0]  # processes that want a processor; others' only, as nothing runs yet
    for turn in range(options.turns):
        for name in sides if turn % 2 == 0 else reversed(sides):
            found[name].append(run_side(*sides[name]))
            speed, first = (found[name][-1][key] for key in ("images_per_second", "first"))
            print(
                f"  turn {turn + 1}, {name}: {speed:.2f} images/s, first {first:.1f} s", flush=True
            )
    print(
        f"{processor()}; {options.precision}; median of {options.turns} turns; load before {load:.1f}"
    )
    print("\n".join(report(found)))


if __name__ == "__main__":
    main()
