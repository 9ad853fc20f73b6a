"""A rerun that changed nothing computes nothing, and the next image costs the same among many."""

import builtins
import io
import os
from collections import Counter

import numpy as np
import pytest

from segcore.config import ImportedConfig
from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.data.health import interval_groups
from segcore.data.statistics import statistics
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.metrics import report
from segcore.runs.folder import run_folder
from segcore.workspace.datasets import tags
from segcore.workspace.scores import scores
from tests.conftest import TINY_LABELS

LOOKS = ("evaluate", "compare", "compress", "ensemble")


@pytest.mark.parametrize("name", LOOKS)
def test_the_second_look_unpacks_and_scores_nothing(trained, open_page, monkeypatch, name) -> None:
    unpacked: list[int] = []
    scored: list[int] = []
    documents: list[int] = []
    decode, evaluate, to_json = run_folder.decode_counts, scores.evaluate, report.Report.to_json
    monkeypatch.setattr(
        run_folder, "decode_counts", lambda data: unpacked.append(len(data)) or decode(data)
    )
    monkeypatch.setattr(
        scores, "evaluate", lambda *given, **named: scored.append(1) or evaluate(*given, **named)
    )
    monkeypatch.setattr(report.Report, "to_json", lambda self: documents.append(1) or to_json(self))
    at = open_page(name, run=trained.ensemble, split="test")
    first = len(unpacked), len(scored), len(documents)
    at.run()
    assert not at.exception
    assert (len(unpacked), len(scored), len(documents)) == first


def test_changed_classes_end_in_a_sentence_on_every_page(trained, open_page) -> None:
    labels = trained.workspace.datasets.open("tiny").label_set
    after = type(labels)(labels.classes[:-1], (*labels.ignored, labels.classes[-1]))
    trained.workspace.datasets.relabel("tiny", after)
    for page in ("evaluate", "compare", "compress"):
        at = open_page(page, run=trained.members[0], split="test")
        assert any("changed after the run" in error.value for error in at.error), page


MANY = 40
"""Test images of the dataset that is walked through; what one step may touch is far less."""


@pytest.fixture
def many(workspace, made_up):
    """A dataset of 40 test images, all predicted by two imports, with tags and counted pixels."""
    rng = np.random.default_rng(3)
    masks = [rng.integers(0, 4, (16, 24)).astype(np.uint8) for _ in range(MANY)]
    samples = [
        ArraySample(f"drive_{i % 3}/frame_{i:02}", TINY_LABELS.colors[mask], mask, "test")
        for i, mask in enumerate(masks)
    ]
    dataset = write_dataset(workspace.datasets.folder / "many", "many", TINY_LABELS, samples)
    for name in ("a", "b"):
        run = made_up.write(name, ImportedConfig("many", "test", "made up"))
        run.write_json("labels", {"label_set": TINY_LABELS.to_json()})
        counts = []
        for sample in samples:
            predicted = np.where(rng.random(sample.mask.shape) < 0.3, 0, sample.mask)
            run.write_mask("test", "prediction", sample.id, predicted.astype(np.uint8))
            counts.append(count_confusion(sample.mask, predicted, 4, 255))
        run.write_counts("test", "prediction", [s.id for s in samples], np.stack(counts))
        run.write_status(mean_iou=0.5)
    workspace.tags.change("many", [s.id for s in samples], add=["day"])
    return dataset


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("dataset", {"dataset": "many"}),
        ("compare", {"run": "a", "beside": "b", "split": "test"}),
    ],
)
def test_the_next_image_touches_few_files_and_no_document(
    many, open_page, monkeypatch, name, query
) -> None:
    at = open_page(name, **query)
    at.session_state["sample:requested"] = many.samples[1].id
    at.run()
    asked: Counter[str] = Counter()
    opened: list[str] = []
    stat, reads = os.stat, builtins.open
    roots = (str(many.folder), str(many.folder.parent.parent / "runs"))

    def counted_stat(path, *rest, **named):
        asked[str(path)] += str(path).startswith(roots)
        return stat(path, *rest, **named)

    def noted_open(file, *rest, **named):
        opened.append(str(file))
        return reads(file, *rest, **named)

    monkeypatch.setattr(os, "stat", counted_stat)
    monkeypatch.setattr(builtins, "open", noted_open)
    monkeypatch.setattr(io, "open", noted_open)
    scans = (
        (run_folder, "decode_counts"),
        (run_folder, "decode_ids"),
        (statistics, "_read_cache"),
        (tags, "read_tags"),
        (interval_groups, "_recognise"),
    )
    for module, scan in scans:
        monkeypatch.setattr(module, scan, lambda *_, scan=scan: pytest.fail(f"{scan} was called"))
    monkeypatch.setattr(Dataset, "open", lambda *_: pytest.fail("dataset.json was parsed"))
    at.session_state["sample:requested"] = many.samples[2].id
    at.run()
    assert not at.exception
    assert at.session_state["sample"] == many.samples[2].id
    of_samples = {path for path, times in asked.items() if times and "frame_" in path}
    shown = {many.samples[i].id for i in (0, 2, 3)}  # the first says what is stored of a run
    assert all(any(name in path for name in shown) for path in of_samples), of_samples
    documents = {"dataset.json", "statistics.npz", "tags.json", "interval_groups.json"}
    assert documents.isdisjoint(path.rsplit("/", 1)[-1] for path in opened)
