"""How many planted label errors are found, how many answers they take, and what fixing them bought.

    python benchmarks/planted_errors.py --data ../shared/data/camvid --weights squeezenet1.1_notop.npz
        [--masks 40] [--epochs 8] [--seed 0] [--workspace DIR]

A copy of the data at 180 x 240 with its training split in two halves: a checker is trained on one, and
masks of the other are damaged in three ways, in turn: a region takes another class; a small object
takes the class around it; a whole mask is shifted by 12 pixels. The checker's list of suspected labels is
then worked through by a script that knows the truth: it accepts a region where the suggestion is right for most of its
pixels and keeps it otherwise, one key each. A network trained on the damaged half is trained again
from scratch on the fixed one; both are scored on the same clean test masks.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from driven_app import ROOT

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.data.formats.importers import import_dataset
from segcore.workspace import Workspace

SIZE = (180, 240)
NETWORK = (96, 128)
SHIFT = 12
LIST = 40
NAME = "planted"


def small(source: Dataset) -> list[ArraySample]:
    """Return the images at the size of the benchmark, training images in two halves by turns."""
    height, width = SIZE
    made = []
    halves = {s.id: ("train", "helper")[n % 2] for n, s in enumerate(source.select("train"))}
    for sample in source.samples:
        image = cv2.resize(source.read_image(sample), (width, height), interpolation=cv2.INTER_AREA)
        mask = cv2.resize(
            source.read_mask(sample), (width, height), interpolation=cv2.INTER_NEAREST
        )
        split = halves.get(sample.id, sample.split)
        made.append(ArraySample(sample.id, image.astype(np.uint8), mask, split))
    return made


def regions(mask: np.ndarray, classes: int, low: int, high: int) -> list[tuple[int, np.ndarray]]:
    """Return connected regions of a mask with their class, of so many pixels."""
    found = []
    for index in range(classes):
        count, of = cv2.connectedComponents((mask == index).astype(np.uint8))
        sizes = np.bincount(of.ravel(), minlength=count)
        found += [(index, of == n) for n in range(1, count) if low <= sizes[n] <= high]
    return found


def around(mask: np.ndarray, region: np.ndarray, index: int) -> int:
    """Return the commonest other class around a region."""
    ring = cv2.dilate(region.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool) & ~region
    near = mask[ring & (mask != index) & (mask != 255)]
    return int(np.bincount(near).argmax()) if near.size else (index + 1) % 11


def damage(mask: np.ndarray, kind: str, classes: int, rng: np.random.Generator) -> np.ndarray:
    """Return a damaged copy of a mask."""
    out = mask.copy()
    if kind == "shifted mask":
        return np.roll(out, SHIFT, axis=1)
    low, high = (400, 9000) if kind == "wrong class" else (60, 1500)
    choices = regions(mask, classes, low, high)
    if not choices:
        return np.roll(out, SHIFT, axis=1)
    index, region = choices[int(rng.integers(len(choices)))]
    if kind == "wrong class":
        out[region] = int(rng.choice([c for c in range(classes) if c != index]))
    else:
        out[region] = around(mask, region, index)
    return out


KINDS = ("wrong class", "missed object", "shifted mask")


def plant(
    samples: list[ArraySample], count: int, classes: int, seed: int
) -> tuple[list[ArraySample], dict[str, str]]:
    """Damage so many masks of the training half; return the samples, and the kind by id."""
    rng = np.random.default_rng(seed)
    ids = [s.id for s in samples if s.split == "train"]
    chosen = rng.choice(ids, count, replace=False).tolist()
    kinds = {name: KINDS[n % len(KINDS)] for n, name in enumerate(chosen)}
    made = []
    for sample in samples:
        mask = sample.mask
        if sample.id in kinds:
            mask = damage(mask, kinds[sample.id], classes, rng)
        made.append(ArraySample(sample.id, sample.image, mask, sample.split))
    return made, kinds


def train(workspace: Workspace, split: str, options: argparse.Namespace) -> str:
    config = TrainConfig(
        NAME,
        ModelConfig("unet", "squeezenet", str(Path(options.weights).resolve())),
        RecipeConfig(epochs=options.epochs, batch_size=8, patience=0),
        size=NETWORK,
        train_split=split,
        seed=options.seed,
    )
    began = time.monotonic()
    (run,) = workspace.runs.train(config)
    workspace.runs.wait([run])
    print(f"trained on {split}: {time.monotonic() - began:.0f} s", flush=True)
    return run


def found(workspace: Workspace, checker: str, kinds: dict[str, str]) -> dict[str, object]:
    """Make the list and count the planted masks in its first images."""
    made = workspace.fixes.make_list(checker, "train")
    first = [work.sample for work in made.images[:LIST]]
    by_kind = {kind: sum(kinds.get(s) == kind for s in first) for kind in KINDS}
    planted = {kind: sum(k == kind for k in kinds.values()) for kind in KINDS}
    images = len(workspace.datasets.open(NAME).ids("train"))
    return {
        "images": images,
        "listed": len(made.images),
        "planted_in_first": sum(s in kinds for s in first),
        "first": len(first),
        "by_chance": len(first) * len(kinds) / images,
        "by_kind": {kind: f"{by_kind[kind]} of {planted[kind]}" for kind in KINDS},
    }


def fix(workspace: Workspace, checker: str, truth: dict[str, np.ndarray]) -> dict[str, object]:
    """Answer every region of the first images as one who knows the truth, and save the masks."""
    made = workspace.fixes.work_list(checker, "train")
    assert made is not None
    began, keys, accepted, wrong, right = time.monotonic(), 0, 0, 0, 0
    for work in made.images[:LIST]:
        opened = workspace.masks.open(NAME, work.sample)
        mask = opened.mask.copy()
        decided = []
        for region in workspace.fixes.regions(checker, "train", work.sample):
            keys += 1
            inside = np.zeros(mask.shape, bool)
            for row, start, end in region.rows:
                inside[row, start:end] = True
            accept = bool((truth[work.sample][inside] == region.suggested).mean() > 0.5)
            decided.append(("accepted" if accept else "kept", region))
            if accept:
                accepted += 1
                mask[inside] = region.suggested
        wrong += int((opened.mask != truth[work.sample]).sum())
        right += int((opened.mask != truth[work.sample]).sum() - (mask != truth[work.sample]).sum())
        if not np.array_equal(mask, opened.mask):
            workspace.masks.save(NAME, work.sample, mask, based_on=opened.digest, author="script")
        workspace.fixes.decide(NAME, work.sample, decided, author="script")
    return {
        "keys": keys,
        "accepted": accepted,
        "seconds": round(time.monotonic() - began, 1),
        "damaged_pixels_seen": wrong,
        "damaged_pixels_fixed": right,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--masks", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workspace", default="")
    options = parser.parse_args()
    folder = Path(options.workspace or tempfile.mkdtemp(prefix="planted-"))
    workspace = Workspace(folder)
    import_dataset(Path(options.data), workspace.datasets.folder / "source", "source")
    source = workspace.datasets.open("source")
    clean = small(source)
    classes = source.label_set.num_classes
    samples, kinds = plant(clean, options.masks, classes, options.seed)
    write_dataset(workspace.datasets.folder / NAME, NAME, source.label_set, samples)
    truth = {s.id: s.mask for s in clean}
    result: dict[str, object] = {"options": vars(options), "checkout": ROOT.name}
    checker = train(workspace, "helper", options)
    workspace.runs.wait([workspace.runs.predict(checker, "train")])
    result["found"] = found(workspace, checker, kinds)
    print(json.dumps(result["found"], indent=1), flush=True)
    before = train(workspace, "train", options)
    result["fixing"] = fix(workspace, checker, truth)
    print(json.dumps(result["fixing"], indent=1), flush=True)
    retrained = workspace.retrainings.start(before, warm=False)
    workspace.runs.wait([retrained.run])
    workspace.runs.wait(workspace.retrainings.predict(retrained.run, "test"))
    gain = workspace.retrainings.gain(retrained.run, "test")
    result["gain"] = gain.comparison.difference.as_difference()
    print(gain.sentence, json.dumps(result["gain"]), flush=True)
    (folder / "planted_errors.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
