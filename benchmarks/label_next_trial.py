"""Images chosen by label-next against images drawn at random: masks are hidden, then revealed.

    python benchmarks/label_next_trial.py --data ../shared/data/camvid --weights squeezenet1.1_notop.npz --out FOLDER
        [--seeds 0,1,2,3,4] [--start 20] [--batch 20] [--rounds 2] [--epochs 40]

For each seed a dataset at 96 x 128 starts with a few labelled training images, drawn at random; the others wait
without a mask. A network is trained on it. Then, twice: a batch is chosen from the waiting images, by
``label-next`` (mix, asking the network that was just trained) or at random; its masks are saved, and a network is trained
from the same start on all that is labelled. Both ways share the first network, the recipe and the seed; every network
is scored on the same test images. Rows are added to FOLDER/trial.csv as they come, and a trial that is started again
goes on behind the last row.
"""

import argparse
import csv
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from scipy import stats

from segcore import worker
from segcore.config import ModelConfig, PredictOptions, RecipeConfig, TrainConfig
from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.data.formats.importers import import_dataset
from segcore.evaluation.counts import scores as formulas
from segcore.runs.queue.jobs import NO_WORK_VARIABLE
from segcore.workspace import Workspace

SIZE = (96, 128)
PLAIN = PredictOptions(backend="tensorflow")
"""Without the comparison of backends, which costs more than predicting so few images."""
WAYS = ("label-next", "random")
COLUMNS = ("seed", "way", "images", "mean_iou", "seconds")


def reduced(source: Dataset) -> list[ArraySample]:
    """Return the images and masks of a dataset at the size of the trial."""
    height, width = SIZE
    made = []
    for sample in source.samples:
        image = cv2.resize(source.read_image(sample), (width, height), interpolation=cv2.INTER_AREA)
        mask = source.read_mask(sample)
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
        made.append(ArraySample(sample.id, image.astype(np.uint8), mask, sample.split))
    return made


def work(workspace: Workspace, runs: list[str]) -> None:
    """Do what queued runs say, in this process: one import of TensorFlow for all of them."""
    for run in runs:
        if worker.main([str(workspace.runs.folder / run)]):
            sys.exit(f"{run} failed: {workspace.runs.open(run).status().cause}")


class Arm:
    """A dataset of one seed and one way, whose masks are revealed batch by batch."""

    def __init__(
        self, workspace: Workspace, name: str, source: Dataset, first: list[str], hidden: Path
    ) -> None:
        self.workspace, self.name, self.source = workspace, name, source
        rows = [s for s in source.samples if s.split == "test" or s.id in first]
        held = (ArraySample(s.id, source.read_image(s), source.read_mask(s), s.split) for s in rows)
        write_dataset(workspace.datasets.folder / name, name, source.label_set, held)
        workspace.pool.add(name, hidden)

    def waiting(self) -> list[str]:
        return [s.id for s in self.workspace.datasets.open(self.name).pool]

    def reveal(self, ids: list[str]) -> None:
        for one in ids:
            mask = self.source.read_mask(self.source.sample(one))
            digest = self.workspace.masks.open(self.name, one).digest
            self.workspace.masks.save(
                self.name, one, mask, based_on=digest, origin="hidden mask", split="train"
            )

    def train(self, options: argparse.Namespace, seed: int) -> tuple[str, float]:
        """Train from the same start on what is labelled; return the run and its mean IoU on test."""
        config = TrainConfig(
            self.name,
            ModelConfig(options.network, options.encoder, str(Path(options.weights).resolve())),
            RecipeConfig(
                loss="cross_entropy",
                schedule="cosine",
                epochs=options.epochs,
                batch_size=8,
                patience=0,
                augmentation="none",
                cache_features=True,  # the encoder stays as it is: the trial is cheap
            ),
            size=SIZE,
            validation_split="",
            seed=seed,
        )
        (run,) = self.workspace.runs.train(config)
        work(self.workspace, [run])
        work(self.workspace, [self.workspace.runs.predict(run, "test", PLAIN)])
        return run, float(formulas.mean_iou(self.workspace.scores.counts(run, "test")[1].total))

    def choose(self, run: str, count: int) -> list[str]:
        """Return the batch of label-next."""
        ask = self.workspace.label_next
        work(self.workspace, ask.predict(self.name, [run]))
        return [one.sample for one in ask.suggest(self.name, [run], count=count).images]


def images_of(source: Dataset, folder: Path) -> dict[str, Path]:
    """Write the training images as files, named as their ids."""
    made = {}
    for sample in source.select("train"):
        made[sample.id] = folder / f"{sample.id}.png"
        made[sample.id].parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(made[sample.id]), source.read_image(sample)[..., ::-1])
    return made


@contextmanager
def hidden(files: dict[str, Path], shown: list[str]) -> Iterator[Path]:
    """Give a folder with the images that are not shown."""
    with tempfile.TemporaryDirectory() as folder:
        for one, file in files.items():
            if one not in shown:
                shutil.copyfile(file, Path(folder) / file.name)
        yield Path(folder)


def trial(
    workspace: Workspace,
    source: Dataset,
    files: dict[str, Path],
    seed: int,
    options: argparse.Namespace,
) -> Iterator[tuple[str, int, float, float]]:
    """Run one seed; yields (way, labelled images, mean IoU, seconds)."""
    rng = np.random.default_rng(seed)
    first = rng.choice(sorted(files), options.start, replace=False).tolist()
    first_run = ""
    for way in WAYS:
        with hidden(files, first) as waiting:
            arm = Arm(workspace, f"{way}-{seed}", source, first, waiting)
        run = first_run
        for step in range(options.rounds + 1):
            began = time.monotonic()
            if step and way == "random":
                arm.reveal(rng.choice(sorted(arm.waiting()), options.batch, replace=False).tolist())
            elif step:
                arm.reveal(arm.choose(run, options.batch))
            if not step and first_run:
                continue  # both ways begin with the same network
            run, score = arm.train(options, seed)
            first_run = first_run or run
            images = options.start + step * options.batch
            yield (way if step else "start"), images, score, time.monotonic() - began


def read(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        return []
    with file.open() as rows:
        return list(csv.DictReader(rows))


def summary(rows: list[dict[str, str]]) -> str:
    """Return a table of both ways by number of images, with the t interval of their difference over seeds."""
    score = {(r["way"], int(r["images"]), r["seed"]): float(r["mean_iou"]) for r in rows}
    said = []
    for images in sorted({key[1] for key in score}):
        seeds = sorted({k[2] for k in score if k[1] == images})
        both = [s for s in seeds if all((way, images, s) in score for way in WAYS)]
        if not both:
            start = [score["start", images, s] for s in seeds if ("start", images, s) in score]
            said.append(f"{images} images: {100 * np.mean(start):.1f} for both, {len(start)} seeds")
            continue
        values = {way: np.array([score[way, images, s] for s in both]) for way in WAYS}
        apart = 100 * (values["label-next"] - values["random"])
        spread = apart.std(ddof=1) / np.sqrt(len(apart)) if len(apart) > 1 else np.nan
        half = stats.t.ppf(0.975, max(1, len(apart) - 1)) * spread
        said.append(
            f"{images} images: label-next {100 * values['label-next'].mean():.1f}, random "
            f"{100 * values['random'].mean():.1f}, difference {apart.mean():+.1f} "
            f"({apart.mean() - half:+.1f} to {apart.mean() + half:+.1f}), {len(both)} seeds: "
            + " ".join(f"{one:+.1f}" for one in apart)
        )
    return "\n".join(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--network", default="lraspp")
    parser.add_argument("--encoder", default="squeezenet")
    for name, value in (("start", 20), ("batch", 20), ("rounds", 2), ("epochs", 40)):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    os.environ[NO_WORK_VARIABLE] = "1"  # no dispatcher: see work()
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    common = Workspace(out / "common")
    if "reduced" not in common.datasets.names():
        import_dataset(Path(options.data), common.datasets.folder / "source", "source")
        full = common.datasets.open("source")
        write_dataset(common.datasets.folder / "reduced", "reduced", full.label_set, reduced(full))
    source = common.datasets.open("reduced")
    files = images_of(source, out / "images")
    table = out / "trial.csv"
    for seed in map(int, options.seeds.split(",")):
        done = [row for row in read(table) if int(row["seed"]) == seed]
        if len(done) == 1 + len(WAYS) * options.rounds:
            continue
        place = out / f"seed-{seed}"
        shutil.rmtree(place, ignore_errors=True)
        rows = [row for row in read(table) if int(row["seed"]) != seed]
        for way, images, score, seconds in trial(Workspace(place), source, files, seed, options):
            rows.append(
                dict(
                    zip(COLUMNS, (seed, way, images, f"{score:.5f}", f"{seconds:.1f}"), strict=True)
                )
            )
            print(*rows[-1].values(), flush=True)
            with table.open("w", newline="") as sheet:
                writer = csv.DictWriter(sheet, COLUMNS)
                writer.writeheader()
                writer.writerows(rows)
        shutil.rmtree(place, ignore_errors=True)
    print(summary(read(table)))


if __name__ == "__main__":
    main()
