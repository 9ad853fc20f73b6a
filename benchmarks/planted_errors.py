"""How many planted label errors are found, how many answers they take, and what fixing them bought.

    python benchmarks/planted_errors.py --data ../shared/data/camvid --weights squeezenet1.1_notop.npz
        [--masks 40] [--checker-epochs 24] [--epochs 12] [--seed 0] [--damages 8] [--workspace DIR]

A copy of the data at 180 x 240 with its training split in two halves, and a third of its validation images: a checker
is trained on one half, and masks of the other are damaged in three ways, in turn: a region takes another class; a small
object takes the class around it; a whole mask is shifted by 12 pixels. The checker's list of suspected labels is then
worked through in Chromium by a script that knows the truth: it accepts a region where the suggestion is right for most
of its pixels and keeps it otherwise, one key each, after a pause of 0.4 s in which a person would look. A network
trained on the damaged half is trained again from scratch on the fixed one; both are scored on the same clean test masks.
Other masks are then damaged, as often as `--damages` says, to tell the order of the list from luck: the checker saw
none of them, so it is not trained again.
"""

import argparse
import json
import os
import re
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from bench_editor import ANSWER
from driven_app import ROOT, browser, served
from playwright.sync_api import Page

from segcore.config import ModelConfig, RecipeConfig, TrainConfig
from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.data.formats.importers import import_dataset
from segcore.evaluation.metrics.label_errors import LabelErrors
from segcore.evaluation.metrics.suspected_regions import MOST, surprise, suspected_regions
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
    spared = set(source.ids("validation")) - set(source.ids("validation")[::3])
    for sample in source.samples:
        if sample.id in spared:
            continue
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


def train(workspace: Workspace, split: str, epochs: int, options: argparse.Namespace) -> str:
    config = TrainConfig(
        NAME,
        ModelConfig("unet", "squeezenet", str(Path(options.weights).resolve())),
        RecipeConfig(
            loss="cross_entropy", schedule="cosine", epochs=epochs, batch_size=8, patience=0
        ),
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


def first_of_other_damages(
    workspace: Workspace, checker: str, clean: list[ArraySample], options: argparse.Namespace
) -> list[int]:
    """Damage other masks with each further seed; count the planted ones among the first of each list."""
    label_set = workspace.datasets.open(NAME).label_set
    classes, ignored = label_set.num_classes, label_set.ignore_index
    ids = [s.id for s in clean if s.split == "train"]
    answers = {
        name: workspace.scenes.probabilities(checker, "train", name).astype(np.float16)
        for name in ids
    }
    counts = []
    for seed in range(options.seed + 1, options.seed + 1 + options.damages):
        samples, kinds = plant(clean, options.masks, classes, seed)
        masks = {s.id: s.mask for s in samples}
        learned, pairs = LabelErrors(classes, ignored), np.zeros((classes, classes), np.int64)
        for name in ids:
            learned.observe(answers[name].astype(np.float32), masks[name])
        regions = {}
        for name in ids:
            answer = answers[name].astype(np.float32)
            suspicion = learned.suspect(answer, masks[name])
            pairs += suspicion.pairs
            regions[name] = suspected_regions(
                answer, masks[name], suspicion, np.ones((classes, classes))
            )
        weights = surprise(pairs, learned.pixels)
        gains = {
            name: sum(sorted(r.gain * weights[r.given, r.suggested] for r in found)[-MOST:])
            for name, found in regions.items()
        }
        first = sorted(ids, key=lambda name: -gains[name])[:LIST]
        counts.append(sum(name in kinds for name in first))
    return counts


# What the editor asks at this moment.
ASKED = """() => {
    const { task } = window.__segeditor;
    return { text: task.text, rows: task.region.rows, suggested: task.region.suggested };
}"""
PAUSE = 400
"""Milliseconds between the next region and the key: what follows is sent meanwhile."""


def answer(page: Page, truth: dict[str, np.ndarray]) -> tuple[list[float], int]:
    """Answer every region of the first images as one who knows the truth.

    Returns:
        Milliseconds from each key until the next region is painted, and how many were accepted.
    """
    took: list[float] = []
    accepted = 0
    while True:
        page.wait_for_timeout(PAUSE)
        asked = page.evaluate(ASKED)
        place = re.search(r"image (\d+) of \d+: (.+)$", asked["text"])
        assert place is not None
        if int(place[1]) > LIST:
            page.wait_for_function("() => !window.__segeditor.saving", timeout=60_000)
            return took, accepted
        true = truth[place[2]]
        inside = np.concatenate([true[row, start:end] for row, start, end in asked["rows"]])
        accept = bool((inside == asked["suggested"]).mean() > 0.5)
        accepted += accept
        took.append(page.evaluate(ANSWER, "Enter" if accept else "k"))


def fix(workspace: Workspace, checker: str, truth: dict[str, np.ndarray]) -> dict[str, object]:
    """Work through the first images of the list in Chromium."""
    made = workspace.fixes.work_list(checker, "train")
    assert made is not None
    names = [work.sample for work in made.images[:LIST]]
    masks = {name: workspace.masks.open(NAME, name).mask for name in names}
    with served(workspace.folder) as (url, _), browser() as chromium:
        page = chromium.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(f"{url}/edit?dataset={NAME}&fix={checker}&split=train")
        page.locator("[data-painted]").wait_for(timeout=180_000)
        page.wait_for_timeout(1000)
        began = time.monotonic()
        took, accepted = answer(page, truth)
        seconds = time.monotonic() - began
    wrong = {name: int((mask != truth[name]).sum()) for name, mask in masks.items()}
    left = {
        name: int((workspace.masks.open(NAME, name).mask != truth[name]).sum()) for name in names
    }
    return {
        "keys": len(took),
        "accepted": accepted,
        "seconds": round(seconds, 1),
        "of_which_pauses": round(len(took) * PAUSE / 1000, 1),
        "key_to_next_ms": {
            "median": round(float(np.median(took)), 1),
            "95_percent": round(float(np.percentile(took, 95)), 1),
            "longest": round(max(took), 1),
            "within_150": f"{sum(ms <= 150 for ms in took)} of {len(took)}",
        },
        "load": round(os.getloadavg()[0], 1),
        "damaged_pixels_seen": sum(wrong.values()),
        "damaged_pixels_fixed": sum(wrong.values()) - sum(left.values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--masks", type=int, default=40)
    parser.add_argument("--checker-epochs", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--damages", type=int, default=8)
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
    checker = train(workspace, "helper", options.checker_epochs, options)
    workspace.runs.wait([workspace.runs.predict(checker, "train")])
    result["found"] = found(workspace, checker, kinds)
    print(json.dumps(result["found"], indent=1), flush=True)
    result["other_damages"] = first_of_other_damages(workspace, checker, clean, options)
    print("other damages:", result["other_damages"], flush=True)
    before = train(workspace, "train", options.epochs, options)
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
