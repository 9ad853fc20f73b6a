"""A stranger finds everything in one guess: the field's words for a thing lead to its file.

A guess ranks the files of the package by the words of the question that their paths carry, the
file's own name before its folders', without looking inside. The first file must be the right one,
and must define what was looked for.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(p for p in ROOT.glob("segcore/**/*.py") if p.name != "__init__.py")

QUESTIONS = {
    # words of the question: (file, a name that it defines)
    "balance planner": ("data/balance/planner.py", "plan_balance"),
    "class weights balance": ("data/balance/class_weights.py", "class_weights"),
    "augmentation transforms": ("data/augmentation/transforms.py", "draw"),
    "image corruptions": ("data/augmentation/corruptions.py", "corrupt"),
    "data dataset": ("data/dataset/dataset.py", "Dataset"),
    "dataset tags": ("data/dataset/tags.py", "read_tags"),
    "coco importer": ("data/formats/importers/coco.py", "read"),
    "labelme importer": ("data/formats/importers/labelme.py", "read"),
    "health": ("data/health/health.py", "check_health"),
    "video sequences": ("data/health/sequences.py", "find_sequences"),
    "split folds": ("data/splits/folds.py", "write_folds"),
    "class statistics": ("data/statistics/statistics.py", "collect_statistics"),
    "imbalance statistics": ("data/statistics/imbalance.py", "earth_mover_distance"),
    "upload": ("data/files/uploads.py", None),
    "georeference": ("data/files/georeference.py", None),
    "bootstrap interval": ("evaluation/counts/bootstrap.py", "Interval"),
    "confusion matrix": ("evaluation/counts/confusion.py", "count_confusion"),
    "mean iou scores counts": ("evaluation/counts/scores.py", "mean_iou"),
    "fixed broken pixels": ("evaluation/counts/fixed_broken.py", "FixedBroken"),
    "calibration metrics": ("evaluation/metrics/calibration.py", "Calibration"),
    "label errors metrics": ("evaluation/metrics/label_errors.py", None),
    "boundary metrics": ("evaluation/metrics/boundary.py", None),
    "compression what if": ("evaluation/compression/what_if.py", "compress"),
    "compression dendrogram": ("evaluation/compression/dendrogram.py", "Dendrogram"),
    "dense crf": ("postprocess/dense_crf.py", "DenseCRF"),
    "ensemble postprocess": ("postprocess/ensemble.py", "combine"),
    "tiles": ("postprocess/tiles.py", None),
    "unet decoder": ("models/decoders/unet.py", "build_unet"),
    "deeplab decoder": ("models/decoders/deeplab.py", "build_deeplab_v3_plus"),
    "resnet encoder": ("models/encoders/resnet.py", None),
    "attention layer": ("models/layers/attention.py", None),
    "weight files": ("models/weights/weight_files.py", None),
    "region losses": ("training/losses/region_losses.py", None),
    "train training loop": ("training/loop/train.py", "train"),
    "optimizers": ("training/loop/optimizers.py", None),
    "schedules": ("training/loop/schedules.py", "learning_rate"),
    "checkpoint": ("training/loop/checkpoint.py", None),
    "input pipeline": ("training/input/pipeline.py", None),
    "inference backends": ("training/inference/backends.py", None),
    "export training": ("training/export.py", "export"),
    "run folder": ("runs/folder/run_folder.py", "RunFolder"),
    "run status": ("runs/folder/status.py", "Status"),
    "queue jobs": ("runs/queue/jobs.py", None),
    "crash recovery": ("runs/queue/crash_recovery.py", None),
    "dispatcher": ("runs/dispatch/dispatcher.py", "Dispatcher"),
    "dask cluster": ("runs/dispatch/dask.py", None),
    "slurm": ("runs/dispatch/slurm.py", "Slurm"),
    "kubernetes": ("runs/dispatch/kubernetes.py", "Kubernetes"),
    "gpu devices": ("runs/machine/devices.py", None),
    "search coordinator": ("tuning/coordinator.py", "Coordinator"),
    "ablations workspace": ("workspace/ablations/ablations.py", "Ablations"),
    "searches workspace": ("workspace/searches.py", "Searches"),
    "merges workspace": ("workspace/compression/merges.py", "Merges"),
    "imported predictions": ("workspace/predictions/imported.py", None),
    "viewer payload": ("ui/viewer/payload.py", None),
    "balance form page": ("ui/balance/form.py", None),
    "train form page": ("ui/train/form.py", None),
    "label errors page evaluate": ("ui/evaluate/label_errors.py", "show"),
    "run table page": ("ui/runs/table.py", None),
    "command line page": ("workspace/launch/command_line.py", "command_line"),
}

PAGES = {
    # page: (folder of ui, folders or files of workspace)
    "dataset": ("dataset", ("datasets",)),
    "edit": ("edit", ("masks.py",)),
    "balance": ("balance", ("datasets",)),
    "train": ("train", ("launch",)),
    "tune": ("tune", ("searches.py",)),
    "ablation": ("ablation", ("ablations",)),
    "runs": ("runs", ("runs",)),
    "compare": ("compare", ("scores",)),
    "predict": ("predict", ("predictions",)),
    "evaluate": ("evaluate", ("scores",)),
    "ensemble": ("ensemble", ("ensembles",)),
    "compress": ("compress", ("compression",)),
    "home": ("home", ("checklist.py",)),
}


def _words(text: str) -> list[str]:
    return [re.sub(r"(?<=[^s])s$", "", word) for word in re.findall(r"[a-z0-9]+", text.lower())]


def _rank(question: list[str], path: Path) -> tuple[int, int, int, str]:
    relative = path.relative_to(ROOT / "segcore").with_suffix("")
    own, folders = _words(relative.name), _words("/".join(relative.parts[:-1]))
    folders = ["page", *folders] if folders[:1] == ["ui"] else folders
    named = sum(word in own for word in question)
    placed = sum(word in folders for word in question)
    known = sum(word in own or word in folders for word in question)
    return -known, -named, len(own) + len(folders) - placed, str(relative)


def _defines(path: Path) -> set[str]:
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return names


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_first_guess_is_the_file(question: str) -> None:
    place, name = QUESTIONS[question]
    best = min(FILES, key=lambda path: _rank(_words(question), path))
    assert str(best.relative_to(ROOT / "segcore")) == place
    assert name is None or name in _defines(best)


def test_every_page_has_its_noun_in_every_layer() -> None:
    pages = {p.stem for p in ROOT.glob("pages/*.py")} - {
        "guide",
        "study",
    }  # the second opens old links
    assert pages == set(PAGES)
    for ui, workspace in PAGES.values():
        assert (ROOT / "segcore/ui" / ui).is_dir()
        assert all((ROOT / "segcore/workspace" / place).exists() for place in workspace)
    folders = {p.name for p in (ROOT / "segcore/ui").iterdir() if p.is_dir()}
    assert folders - {"__pycache__"} == {ui for ui, _ in PAGES.values()} | {
        "frame",
        "shared",
        "viewer",
    }


def test_tests_mirror_the_package() -> None:
    folders = {p.parent.relative_to(ROOT / "segcore") for p in FILES}
    known = {folder for one in folders for folder in (one, *one.parents)}
    # tests of the whole rather than of one folder
    whole = {Path("benchmarks"), Path("browser"), Path("pages"), Path()}
    strange = {
        p.parent.relative_to(ROOT / "tests")
        for p in ROOT.glob("tests/**/test_*.py")
        if p.parent.relative_to(ROOT / "tests") not in known | whole
    }
    assert not strange, f"no folder of segcore is tested by {sorted(map(str, strange))}"
