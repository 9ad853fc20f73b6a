"""Scenes, masks and simulated probabilities that the benchmark of ensembles and the CRF works on."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for the script beside this one, which stands outside the package

from segcore.config import ModelConfig, PredictConfig, TrainConfig  # noqa: E402
from segcore.data.dataset.dataset import Dataset, Sample  # noqa: E402
from segcore.labels import LabelClass, LabelSet  # noqa: E402
from segcore.postprocess.ensemble import resize_probabilities  # noqa: E402
from segcore.runs.folder.run_folder import RunFolder  # noqa: E402

GRID = (192, 256)
CLASSES = 12


def read_scenes(data: Path, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images (H, W, 3) uint8 and masks (H, W) uint8 of CamVid's test split; drawn ones where it is absent."""
    files = sorted((data / "images" / "test").glob("*.jpg"))
    if not files:
        print(f"CamVid is not at {data}: drawn scenes take its place.", file=sys.stderr)
        return [draw_scene(seed) for seed in range(count)]
    scenes = []
    for file in files[:: max(1, len(files) // count)][:count]:
        image = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        scenes.append(
            (
                image,
                cv2.imread(str(data / "masks" / "test" / f"{file.stem}.png"), cv2.IMREAD_UNCHANGED),
            )
        )
    return scenes


def draw_scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    centres = generator.uniform(0, 1, (25, 2)) * (360, 480)
    y, x = np.mgrid[:360, :480]
    mask = np.argmin([(y - a) ** 2 + (x - b) ** 2 for a, b in centres], axis=0) % CLASSES
    colors = generator.integers(40, 216, (CLASSES, 3))
    return np.clip(colors[mask] + generator.normal(0, 8, (360, 480, 3)), 0, 255).astype(
        np.uint8
    ), mask.astype(np.uint8)


def simulate(mask: np.ndarray, num_classes: int, seed: int) -> np.ndarray:
    """Probabilities (192, 256, C) float32 of a network that is unsure near boundaries and wrong in smooth patches."""
    generator = np.random.default_rng(seed)
    sharp = resize_probabilities(
        np.eye(num_classes, dtype=np.float32)[np.where(mask < CLASSES, mask, 0)], GRID
    )
    logits = np.empty_like(sharp)
    for c in range(num_classes):
        noise = cv2.GaussianBlur(generator.normal(size=GRID).astype(np.float32), (0, 0), 4)
        logits[..., c] = (
            np.log(cv2.GaussianBlur(np.ascontiguousarray(sharp[..., c]), (0, 0), 2) + 1e-3)
            + 1.2 * noise / noise.std()
        )
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def write_split(
    workspace: Path, scenes: list[Any], members: Sequence[str] = ("member",), count: int = 0
) -> Dataset:
    """A dataset of ``count`` images (the scenes again and again; each once where 0) and the stored probabilities of the members."""
    folder = workspace / "datasets" / "bench"
    samples = []
    for number in range(count or len(scenes)):
        image, mask = scenes[number % len(scenes)]
        for kind, pixels in (("images", cv2.cvtColor(image, cv2.COLOR_RGB2BGR)), ("masks", mask)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / kind / f"{number}.png"), pixels)
        samples.append(
            Sample(str(number), f"images/{number}.png", f"masks/{number}.png", "test", *mask.shape)
        )
    labels = LabelSet(tuple(LabelClass(c, f"class {c}", (c, c, c)) for c in range(CLASSES)))
    dataset = Dataset(folder, "bench", labels, tuple(samples)).save()
    for place, member in enumerate(members):
        RunFolder.create(
            workspace / "runs", member, TrainConfig("bench", ModelConfig("unet", "tiny", "none"))
        )
        predictions = RunFolder.create(
            workspace / "runs", f"{member}--test", PredictConfig("bench", member)
        )
        drawn = [
            simulate(mask, CLASSES, 1000 * number + place)
            for number, (_, mask) in enumerate(scenes)
        ]
        for number, sample in enumerate(samples):
            predictions.write_probabilities(
                "test", sample.id, drawn[number % len(scenes)], (sample.height, sample.width)
            )
    return dataset
