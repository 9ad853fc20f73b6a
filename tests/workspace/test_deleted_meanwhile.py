"""Two people on one workspace: an id deleted before or during a call ends in a sentence."""

import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from segcore.config import PredictOptions
from segcore.errors import SegcoreError
from segcore.postprocess.parameters import CRFParameters
from segcore.workspace.datasets.datasets import Datasets
from segcore.workspace.runs.runs import Runs

SPLIT, SAMPLE = "test", "test/scene_0"
OF_RUNS = {
    "open": lambda w, run: w.runs.open(run),
    "stop": lambda w, run: w.runs.stop(run),
    "resume": lambda w, run: w.runs.resume(run),
    "resume slower": lambda w, run: w.runs.resume(run, 0.5),
    "delete": lambda w, run: w.runs.delete(run),
    "predict": lambda w, run: w.runs.predict_any(run, SPLIT, PredictOptions(tta="flip")),
    "predict whole": lambda w, run: w.runs.predict_whole(run, SPLIT),
    "members": lambda w, run: w.runs.members(run),
    "dataset of": lambda w, run: w.runs.dataset_of([run]),
    "check split": lambda w, run: w.runs.check_split([run], SPLIT),
    "derived": lambda w, run: w.runs.derived(run, SPLIT),
    "on split": lambda w, run: w.runs.on_split(run, SPLIT),
    "annotations": lambda w, run: w.annotations.notes(run),
    "write annotations": lambda w, run: w.annotations.write(run, star=True),
    "tag": lambda w, run: w.annotations.tag([run], add=["x"]),
    "bytes": lambda w, run: w.annotations.bytes_of(run),
    "move to trash": lambda w, run: w.annotations.delete([run]),
    "history": lambda w, run: w.monitor.table(run),
    "load": lambda w, run: w.monitor.usage(run),
    "starts": lambda w, run: w.monitor.starts(run),
    "is current": lambda w, run: w.monitor.is_current(run),
    "mask history": lambda w, run: w.monitor.mask_history(run),
    "export": lambda w, run: w.exports.export(run, "tensorboard"),
    "label set": lambda w, run: w.scores.label_set(run),
    "counts": lambda w, run: w.scores.counts(run, SPLIT),
    "stamp": lambda w, run: w.scores.stamp(run, SPLIT),
    "report": lambda w, run: w.scores.report(run, SPLIT),
    "compress": lambda w, run: w.merges.what_if(run, SPLIT),
    "save label map": lambda w, run: w.scores.save_label_map(run, [[3, 5]], "merged"),
    "page": lambda w, run: w.reports.page([run], SPLIT),
    "facts": lambda w, run: w.reports.facts([run]),
    "grouping": lambda w, run: w.reports.grouping(run, SPLIT),
    "repetitions": lambda w, run: w.reports.repetitions(run, SPLIT),
    "scene": lambda w, run: w.scenes.prediction(run, SPLIT, SAMPLE),
    "unsure": lambda w, run: w.scenes.unsureness(run, SPLIT, SAMPLE),
    "predicted": lambda w, run: w.scenes.predicted_samples(run, SPLIT),
    "pixels": lambda w, run: w.pixel_metrics.measure(run, SPLIT),
    "suspects": lambda w, run: w.pixel_metrics.suspects(run, SPLIT),
    "robustness": lambda w, run: w.robustness.start(run, SPLIT),
    "robustness runs": lambda w, run: w.robustness.started(run, SPLIT),
    "merge": lambda w, run: w.merges.judge(run, SPLIT, [[3, 5]]),
    "tiers": lambda w, run: w.tiers.compare(run, SPLIT, [[3, 5]]),
    "retrain": lambda w, run: w.tiers.retrain(run, [[3, 5]], [SPLIT]),
    "subsets": lambda w, run: w.ensembles.subsets(run),
    "crf search": lambda w, run: w.crf.search(run),
    "search": lambda w, run: w.searches.open(run),
    "own images": lambda w, run: w.predictions.model(run),
    "own labels": lambda w, run: w.predictions.label_set(run),
    "network": lambda w, run: w.predictions.exported(run, "onnx"),
}
OF_DATASETS = {
    "open": lambda w: w.datasets.open("tiny"),
    "statistics": lambda w: w.datasets.statistics("tiny"),
    "splits": lambda w: w.datasets.make_splits("tiny", "random", {"train": 0.5, "test": 0.5}, 0),
    "plan": lambda w: w.datasets.plan_balance("tiny", "train"),
    "export": lambda w: w.datasets.export("tiny", w.folder / "exported"),
    "split report": lambda w: w.splits.report("tiny"),
    "split history": lambda w: w.splits.history("tiny"),
    "folds": lambda w: w.splits.make_folds("tiny", 2, "random", 0),
    "image": lambda w: w.scenes.image("tiny", SAMPLE),
    "truth": lambda w: w.scenes.truth("tiny", SAMPLE),
    "tags": lambda w: w.tags.of("tiny"),
}


def restore(folder: Path, kept: Path) -> None:
    """Bring back the folders that are gone, and remove those that were added."""
    for path in folder.iterdir():
        if path.is_dir() and not (kept / path.name).exists():
            shutil.rmtree(path)
    for path in kept.iterdir():
        if path.is_dir() and not (folder / path.name).exists():
            shutil.copytree(path, folder / path.name)


@pytest.fixture
def ready(trained):
    """The trained workspace with a network file for each member."""
    for member in trained.members:
        trained.workspace.runs.open(member).model_path.write_bytes(b"")
    return trained


@pytest.mark.parametrize("kind", ["member", "ensemble"])
def test_a_run_that_was_deleted_before(ready, started, kind) -> None:
    run = ready.members[0] if kind == "member" else ready.ensemble
    shutil.rmtree(ready.workspace.runs.folder / run)
    for ask in OF_RUNS.values():
        with pytest.raises(SegcoreError, match=run.rsplit("--", 1)[0]):
            ask(ready.workspace, run)


@pytest.mark.parametrize("kind", ["member", "ensemble"])
def test_a_run_that_is_deleted_during_the_call(ready, started, monkeypatch, tmp_path, kind) -> None:
    run = ready.members[0] if kind == "member" else ready.ensemble
    runs, kept = ready.workspace.runs.folder, tmp_path / "kept"
    shutil.copytree(runs, kept)
    before = Runs.open

    def open_and_lose(self, name: str):
        folder = before(self, name)
        if name == run:
            shutil.rmtree(folder.folder)
        return folder

    monkeypatch.setattr(Runs, "open", open_and_lose)
    for ask in OF_RUNS.values():
        with suppress(SegcoreError):  # a sentence or an answer, and nothing else
            ask(ready.workspace, run)
        restore(runs, kept)


def test_a_dataset_that_was_deleted_before(workspace) -> None:
    shutil.rmtree(workspace.datasets.folder / "tiny")
    for ask in OF_DATASETS.values():
        with pytest.raises(SegcoreError, match="tiny"):
            ask(workspace)
    assert workspace.ensembles.groups("tiny") == []


def test_a_dataset_that_is_deleted_during_the_call(workspace, monkeypatch, tmp_path) -> None:
    folder, kept = workspace.datasets.folder, tmp_path / "kept"
    shutil.copytree(folder, kept)
    before = Datasets.open

    def open_and_lose(self, name: str):
        dataset = before(self, name)
        shutil.rmtree(dataset.folder, ignore_errors=True)
        return dataset

    monkeypatch.setattr(Datasets, "open", open_and_lose)
    for ask in OF_DATASETS.values():
        with suppress(SegcoreError):
            ask(workspace)
        restore(folder, kept)


def test_a_dataset_that_goes_between_the_list_and_its_file(workspace, monkeypatch) -> None:
    names = Datasets.names

    def list_and_lose(self) -> list[str]:
        known = names(self)
        shutil.rmtree(self.folder / "tiny", ignore_errors=True)
        return known

    monkeypatch.setattr(Datasets, "names", list_and_lose)
    with pytest.raises(SegcoreError, match="tiny"):
        workspace.datasets.open("tiny")


def test_a_crf_of_members_that_are_gone(ready) -> None:
    scene = ready.workspace.crf.scene(ready.members, SPLIT, SAMPLE)
    assert scene.truth is not None
    shutil.rmtree(ready.workspace.runs.folder / ready.members[0])
    with pytest.raises(SegcoreError, match=ready.members[0]):
        ready.workspace.crf.scene(ready.members, SPLIT, SAMPLE)
    with pytest.raises(SegcoreError, match=ready.members[0]):
        ready.workspace.ensembles.combine(ready.members, SPLIT, crf=CRFParameters())


def test_a_damaged_robustness_run_hides_no_other(ready, started) -> None:
    workspace, run = ready.workspace, ready.members[0]
    first = workspace.robustness.start(run, SPLIT)
    second = workspace.robustness.start(run, SPLIT, seed=1)
    config = Path(workspace.runs.folder / first / "config.json")
    config.write_text(config.read_text().replace('"images": 32', '"images": "many"'))
    assert workspace.robustness.started(run, SPLIT) == [second]
