"""How many times faster an epoch becomes when the frozen encoder's features are cached.

    python benchmarks/bench_cached_features.py [--encoder resnet50] [--size 96 128] [--images 48]

Synthetic images, batches of eight. Both trainings freeze the encoder and augment nothing. An epoch has its
validation; the first of each (which builds graphs) is left out, the median of the others is printed. The encoder
starts from random numbers that were written to a file: time does not depend on the values.
"""

import argparse
import os
import shutil
import statistics
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from driven_app import ROOT  # puts the checkout on the path

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.labels import LabelClass, LabelSet
from segcore.models.build import build_model
from segcore.models.weights.weights import variables_of
from segcore.runs.folder.run_folder import RunFolder
from segcore.training.loop.train import train

LABELS = LabelSet(tuple(LabelClass(i, f"class {i}", (40 * i, 90, 200)) for i in range(4)), ())
EPOCHS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="resnet50")
    parser.add_argument("--architecture", default="unet")
    parser.add_argument("--size", type=int, nargs=2, default=(96, 128))
    parser.add_argument("--images", type=int, default=48)
    options = parser.parse_args()
    size = (options.size[0], options.size[1])
    folder = Path(tempfile.mkdtemp(prefix="cached-features-"))
    try:
        rng = np.random.default_rng(0)
        samples = [
            ArraySample(
                f"{split}/{i}",
                rng.integers(0, 256, (*size, 3)).astype(np.uint8),
                rng.integers(0, 4, size).astype(np.uint8),
                split,
            )
            for split, count in (("train", options.images), ("validation", 8))
            for i in range(count)
        ]
        dataset = write_dataset(folder / "datasets" / "noise", "noise", LABELS, samples)
        model = build_model(ModelConfig(options.architecture, options.encoder, "none"), 4, size)
        names = [n for n in variables_of(model) if not n.startswith(("decoder", "logits"))]
        arrays = {name: np.asarray(variables_of(model)[name]) for name in names}
        np.savez(folder / "encoder.npz", **arrays)
        keras.backend.clear_session()
        seconds, rates = {}, {}
        for cached in (False, True):
            recipe = RecipeConfig(
                loss="cross_entropy",
                epochs=EPOCHS,
                freeze_epochs=EPOCHS,
                augmentation="none",
                patience=0,
                cache_features=cached,
            )
            config = TrainConfig(
                "noise",
                ModelConfig(options.architecture, options.encoder, str(folder / "encoder.npz")),
                recipe,
                size,
                device="cpu",
            )
            (folder / "runs").mkdir(exist_ok=True)
            run = RunFolder.create(folder / "runs", f"cached-{cached}".lower(), config)
            train(run, dataset)
            lines = run.metrics()[1:]
            seconds[cached] = [line["seconds"] for line in lines]
            rates[cached] = statistics.median(line["images_per_second"] for line in lines)
            print(f"{'cached' if cached else 'frozen'}: {seconds[cached]}", flush=True)
        first, second = (statistics.median(seconds[cached]) for cached in (False, True))
        files = list((folder / "features").glob("*/*.npy"))
        bytes_each = files[0].stat().st_size / 1e6
        print(
            f"{options.architecture} over {options.encoder} at {size[0]} x {size[1]}: {first:.2f} s an epoch, cached "
            f"{second:.2f} s, {first / second:.1f} times faster; training alone {rates[False]:.1f} and "
            f"{rates[True]:.1f} images a second, {rates[True] / rates[False]:.1f} times; {bytes_each:.2f} MB "
            "an image"
        )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    assert ROOT.is_dir()
    main()
