"""Speed and memory of predicting: a ResNet50-UNet at 192 x 256, alone and as the mean of five, against Keras' plain ``model.predict``.

The network is trained for a few minutes on the synthetic set, because agreement of untrained
networks, whose classes are all near ties, says nothing. The five members are that network with its
weights shaken by half a percent: what matters for speed is their size. Ratios of medians within one
run; memory is the peak of a process of its own.

"split" is the whole way from image files to masks at the images' own size by the mean of five. Its
peer is the loop that one writes
first: for each image, for each model, ``model.predict`` on it alone, softmax, enlarge, average.
    Ours reads ahead, batches, softens once,
averages at the network's size and enlarges once. What the loop would have been with batches is
"mean_of_five_ratio".
"""

import argparse
import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import cv2  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402

from segcore.config import ModelConfig, RecipeConfig, TrainConfig  # noqa: E402
from segcore.data.dataset.dataset import Dataset  # noqa: E402
from segcore.data.synthetic import make_synthetic  # noqa: E402
from segcore.models.build import build_model  # noqa: E402
from segcore.postprocess.ensemble import combine, combine_to_size  # noqa: E402
from segcore.runs.folder.run_folder import RunFolder  # noqa: E402
from segcore.training.engines.tensorflow.answers import openvino_answer  # noqa: E402
from segcore.training.inference.backends import Backend  # noqa: E402
from segcore.training.inference.predictor import Predictor  # noqa: E402
from segcore.training.input.pipeline import resize_image  # noqa: E402
from segcore.training.loop.train import train  # noqa: E402

SIZE = (192, 256)
MEMBERS = 5
REPEATS = 3


def trained(workspace: Path, epochs: int) -> tuple[RunFolder, Dataset]:
    make_synthetic(workspace / "datasets" / "demo", seed=0)
    dataset = Dataset.open(workspace / "datasets" / "demo")
    recipe = RecipeConfig(
        loss="cross_entropy",
        learning_rate=5e-4,
        epochs=epochs,
        batch_size=8,
        patience=0,
        augmentation="none",
    )
    config = TrainConfig(
        "demo", ModelConfig("unet", "resnet50", "none"), recipe, SIZE, device="cpu"
    )
    run = RunFolder.create(workspace / "runs", "one", config)
    with contextlib.redirect_stdout(sys.stderr):
        train(run, dataset)
    return run, dataset


def borrowed(folder: Path, place: Path) -> tuple[RunFolder, Dataset]:
    """A run that was trained before, its network rebuilt for images of :data:`SIZE`."""
    source = RunFolder.open(folder)
    dataset = Dataset.open(folder.parents[1] / "datasets" / source.config.dataset)
    network = keras.models.load_model(source.model_path, compile=False)
    run = RunFolder.create(place / "runs", "one", source.config)
    run.write_status(mean_iou=source.status().mean_iou)
    model = build_model(
        dataclasses.replace(source.config.model, weights="none"), network.output_shape[-1], SIZE
    )
    model.set_weights(network.get_weights())
    model.save(run.model_path)
    return run, dataset


def members_of(run: RunFolder, folder: Path) -> list[Path]:
    paths = []
    for member in range(MEMBERS):
        model, rng = (
            keras.models.load_model(run.model_path, compile=False),
            np.random.default_rng(member),
        )
        for variable in model.trainable_variables:
            value = variable.numpy()
            variable.assign(value * (1 + 0.005 * rng.normal(size=value.shape)))
        paths.append(folder / f"member{member}.keras")
        model.save(paths[-1])
    return paths


def naive_mean(models: list[keras.Model], images: np.ndarray) -> np.ndarray:
    """What one writes first: predict with each, take the softmax, average."""
    answers = (keras.ops.softmax(m.predict(images, batch_size=4, verbose=0)) for m in models)
    return np.mean([keras.ops.convert_to_numpy(a) for a in answers], 0)


def naive_split(models: list[keras.Model], dataset: Dataset, count: int) -> list[np.ndarray]:
    """Masks (H, W) of the first images of the test split by the mean of the models, one image and one model at a time."""
    masks = []
    for sample in dataset.select("test")[:count]:
        image = dataset.read_image(sample)
        small = resize_image(image, SIZE).astype(np.float32)[None]
        answers = [
            keras.ops.convert_to_numpy(keras.ops.softmax(m.predict(small, verbose=0)))[0]
            for m in models
        ]
        full = [
            cv2.resize(a, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
            for a in answers
        ]
        masks.append(np.mean(np.stack(full), axis=0).argmax(-1))
    return masks


def stream_split(members: list[Predictor], dataset: Dataset, count: int) -> Iterator[np.ndarray]:
    """The same masks, each handed on as soon as it is there."""
    samples = dataset.select("test")
    chosen = [
        samples[i % len(samples)] for i in range(count)
    ]  # round and round, for the memory's sake

    def images() -> Iterator[np.ndarray]:
        return (resize_image(dataset.read_image(sample), SIZE) for sample in chosen)

    answers = zip(*(member.stream(images()) for member in members), strict=True)
    for sample, answer in zip(chosen, answers, strict=True):
        yield combine_to_size(answer, (sample.height, sample.width)).argmax(-1)


def race(*sides: Callable[[], object]) -> list[float]:
    """Median seconds of each side, taken in turns."""
    times = [[] for _ in sides]
    for side in sides:
        side()
    for _ in range(REPEATS):
        for side, found in zip(sides, times, strict=True):
            began = time.perf_counter()
            side()
            found.append(time.perf_counter() - began)
    return [statistics.median(found) for found in times]


def peak(*command: str) -> int:
    """Peak memory in bytes of a process of this file."""
    done = subprocess.run(
        [sys.executable, __file__, *command], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return int(done.stdout.split()[-1])


def told_peak() -> int:
    lines = (
        Path("/proc/self/status").read_text().splitlines()
    )  # getrusage would count what this process was forked from
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def use_split(folder: Path, dataset: Path, count: int) -> None:
    members = [Predictor(path, 4, "auto") for path in sorted(folder.glob("member*.keras"))]
    total = sum(int(mask.max()) for mask in stream_split(members, Dataset.open(dataset), count))
    print(total, told_peak())


def use_memory(path: Path, count: int) -> None:
    predictor = Predictor(path, 4, "auto")
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(folder)
        images = (
            np.random.default_rng(i).integers(0, 256, (*predictor.size, 3)).astype(np.uint8)
            for i in range(count)
        )
        for i, answer in enumerate(predictor.stream(images)):
            run.write_probabilities("test", str(i), answer, predictor.size)
    print(told_peak())


def bench_split(
    plain: list[keras.Model], paths: list[Path], dataset: Dataset, count: int
) -> dict[str, object]:
    """The mean of five over a split against the naive loop over ``predict``, and whether memory grows with the images."""
    members = [Predictor(path, 4, "auto") for path in paths]
    masks = naive_split(plain, dataset, count)
    ours = list(stream_split(members, dataset, count))
    loop, streamed = race(
        lambda: naive_split(plain, dataset, count),
        lambda: [int(m[0, 0]) for m in stream_split(members, dataset, count)],
    )
    where = (str(paths[0].parent), str(dataset.folder))
    few, many = (peak("--split-memory", *where, str(n)) for n in (16, 128))
    return {
        "seconds_naive": loop,
        "seconds": streamed,
        "ratio": loop / streamed,
        "agreement": float(np.mean([(a == b).mean() for a, b in zip(masks, ours, strict=True)])),
        "images_16_mb": few / 1e6,
        "images_128_mb": many / 1e6,
        "memory_ratio": many / few,
        "asked": "3, memory about 1",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=8, help="epochs of the training beforehand")
    parser.add_argument("--run", help="folder of a training run to take instead of training one")
    parser.add_argument(
        "--images", type=int, default=24, help="images of the test split to predict"
    )
    parser.add_argument("--memory", nargs=2, metavar=("MODEL", "IMAGES"))
    parser.add_argument("--split-memory", nargs=3, metavar=("FOLDER", "DATASET", "IMAGES"))
    parser.add_argument(
        "--only-split", action="store_true", help="the mean of five over a split, and nothing else"
    )
    options = parser.parse_args()
    if options.split_memory:
        use_split(
            Path(options.split_memory[0]),
            Path(options.split_memory[1]),
            int(options.split_memory[2]),
        )
        return
    if options.memory:
        use_memory(Path(options.memory[0]), int(options.memory[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        run, dataset = (
            borrowed(Path(options.run), Path(folder))
            if options.run
            else trained(Path(folder), options.epochs)
        )
        images = np.stack(
            [
                resize_image(dataset.read_image(s), SIZE)
                for s in dataset.select("test")[: options.images]
            ]
        )
        paths = members_of(run, Path(folder))
        plain = [keras.models.load_model(p, compile=False) for p in paths]
        floats = images.astype(np.float32)
        result: dict[str, object] = {
            "validation_mean_iou": run.status().mean_iou,
            "images": len(images),
            "size": list(SIZE),
        }
        result["split"] = bench_split(plain, paths, dataset, len(images))
        if options.only_split:
            print(json.dumps(result, indent=2))
            return
        expected = plain[0].predict(floats, batch_size=4, verbose=0).argmax(-1)
        mean = naive_mean(plain, floats).argmax(-1)
        for backend in ("auto", "tensorflow", "bfloat16"):
            ours = [Predictor(p, 0, "auto" if backend == "auto" else "tensorflow") for p in paths]
            if backend == "bfloat16":  # whether or not it would be chosen
                for one in ours:
                    one.chosen = Backend(
                        "openvino", backend, None, "", openvino_answer(one._frozen, backend)
                    )
            plainly, fast = race(
                lambda: plain[0].predict(floats, batch_size=4, verbose=0),
                lambda first=ours[0]: list(first.stream(images)),
            )
            five, fast_five = race(
                lambda: naive_mean(plain, floats),
                lambda all=ours: [
                    combine(answers)
                    for answers in zip(*(m.stream(images) for m in all), strict=True)
                ],
            )
            answers = np.stack(
                [combine(a) for a in zip(*(m.stream(images) for m in ours), strict=True)]
            )
            result[backend] = {
                "computed_by": ours[0].chosen.describe() if ours[0].chosen else "",
                "one_model_ratio": plainly / fast,
                "one_model_images_per_second": len(images) / fast,
                "one_model_agreement": float(
                    np.mean(np.stack(list(ours[0].stream(images))).argmax(-1) == expected)
                ),
                "mean_of_five_ratio": five / fast_five,
                "mean_of_five_agreement": float(np.mean(answers.argmax(-1) == mean)),
            }
            print(json.dumps({backend: result[backend]}), file=sys.stderr, flush=True)
        small, large = peak("--memory", str(paths[0]), "32"), peak("--memory", str(paths[0]), "160")
        result["memory"] = {
            "images_32_mb": small / 1e6,
            "images_160_mb": large / 1e6,
            "ratio": large / small,
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
