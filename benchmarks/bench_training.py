"""Training speed against named peers, in one run: steps a second, the time to the first step, and the input pipeline.

    python benchmarks/bench_training.py [--steps 4] [--torch-python PATH] [--precision float32]

Every side trains a ResNet50-UNet at 192 x 256, 12 classes, batch 8, in a process of its own; sides
take turns so that a busy machine disturbs all alike. The peer segmentation_models.pytorch is
measured where it can be imported by this interpreter, or by the one that ``--torch-python`` names;
else it is skipped, loudly. Targets: at least its images a second; the first step in at most half
the time of Keras' own ``fit``; a pipeline at least ten times as fast as the network.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEIGHT, WIDTH, BATCH = 192, 256, 8
TURNS = 2


SIDES = {
    "ours": "training_keras.py",
    "fit": "training_keras.py",
    "smp": "training_smp.py",
    "pipeline": "training_keras.py",
}


def run_side(name: str, options: argparse.Namespace) -> dict[str, float] | None:
    """Measure one side in a process of its own; None where the peer is absent."""
    python = options.torch_python if name == "smp" else sys.executable
    environment = {
        **os.environ,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": str(ROOT),
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    if (
        name == "smp"
        and subprocess.run(
            [python, "-c", "import segmentation_models_pytorch"], capture_output=True, check=False
        ).returncode
    ):
        return None
    command = [
        python,
        str(ROOT / "benchmarks" / SIDES[name]),
        name,
        str(options.steps),
        options.precision,
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--steps", type=int, default=4, help="steps measured after the first, each turn"
    )
    parser.add_argument("--precision", default="float32", choices=["float32", "mixed_bfloat16"])
    parser.add_argument(
        "--torch-python",
        default=sys.executable,
        help="interpreter that has torch and segmentation-models-pytorch",
    )
    options = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in SIDES}
    for turn in range(TURNS):
        for name in SIDES if turn % 2 == 0 else reversed(SIDES):  # forth and back
            result = run_side(name, options)
            if result is not None:
                found[name].append(result)
                print(
                    f"  turn {turn + 1}, {name}: "
                    + ", ".join(f"{k} {v:.2f}" for k, v in result.items()),
                    flush=True,
                )
            elif turn == 0:
                print(
                    "  PEER ABSENT: segmentation_models.pytorch cannot be imported; name "
                    "an interpreter that has it by --torch-python"
                )
    best = {
        n: {k: statistics.median(r[k] for r in rs) for k in rs[0]} for n, rs in found.items() if rs
    }
    mine, fit, pipe = best["ours"], best["fit"], best["pipeline"]
    print(
        f"ResNet50-UNet, {HEIGHT} x {WIDTH}, batch {BATCH}, {options.precision}, median of "
        f"{TURNS} turns"
    )
    if "smp" in best:
        report(
            "images a second, ours / segmentation_models.pytorch",
            mine["images_per_second"] / best["smp"]["images_per_second"],
            1.0,
        )
    report(
        "images a second, ours / Keras fit",
        mine["images_per_second"] / fit["images_per_second"],
        1.0,
    )
    report("time to the first step, Keras fit / ours", fit["first"] / mine["first"], 2.0)
    report(
        "pipeline from disk / network, images a second",
        pipe["from disk"] / mine["images_per_second"],
        10.0,
    )
    report(
        "pipeline from memory / network, images a second",
        pipe["kept in memory"] / mine["images_per_second"],
        10.0,
    )


def report(what: str, ratio: float, target: float) -> None:
    print(f"  {what}: {ratio:.2f} (target {target:g}){'' if ratio >= target else '  MISSED'}")


if __name__ == "__main__":
    main()
