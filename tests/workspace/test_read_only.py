"""Somebody who may only look: every question has its answer, every change is one sentence."""

import tempfile

import numpy as np
import pytest

from segcore.cli import main
from segcore.evaluation.counts.sample_counts import SampleCounts
from segcore.runs.folder.run_folder import RunFolder
from segcore.workspace import Workspace


@pytest.mark.parametrize(
    "words",
    [
        "datasets",
        "stats tiny",
        "balance tiny",
        "classes tiny",
        "tags tiny",
        "runs",
        "evaluate {0} --split test",
        "report {0} --split test --out {elsewhere}",
        "compress {0} --split validation",
        "measure {0} --split test",
    ],
)
def test_a_guest_sees_everything(guest, words, capsys):
    with tempfile.TemporaryDirectory() as elsewhere:
        main(words.format(*guest.members, elsewhere=f"{elsewhere}/report.html").split())
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    "words",
    [
        "classes tiny --rename {2}=x --yes",
        "tags tiny --add night --images *",
        "split tiny --seed 3",
        "import {images} --name mine",
        "train tiny",
        "ensemble {0} {1} --split test",
        "runs delete {0}",
        "demo",
    ],
)
def test_a_guest_changes_nothing_and_is_told_so(guest, words, capsys, tmp_path_factory):
    workspace = Workspace()
    before = {p: p.stat().st_mtime_ns for p in workspace.folder.rglob("*")}
    first = workspace.datasets.open("tiny").label_set.class_names[0]
    images = workspace.folder / "datasets" / "tiny"
    with pytest.raises(SystemExit) as stopped:
        main(words.format(*guest.members, first, images=images).split())
    said = capsys.readouterr()
    assert stopped.value.code != 0 and "Traceback" not in said.err
    assert said.err.startswith("segscope: ") and len(said.err.strip().splitlines()) <= 2, said.err
    assert {p: p.stat().st_mtime_ns for p in workspace.folder.rglob("*")} == before


def test_what_is_kept_to_be_quick_is_computed_again(guest):
    """Measures of pixels, orders of images, fixed and broken pixels, merged masks."""
    workspace, (first, second) = Workspace(), guest.members
    assert workspace.pixel_metrics.suspects(first, "test").images
    assert workspace.rankings.order(first, "test", "entropy")[0]
    assert workspace.rankings.fixed_broken(first, second, "test").sample_ids
    ids = workspace.scores.label_set(first).class_ids[:2]
    assert workspace.tiers.sum_probabilities(first, "test", (tuple(ids),))[0]


def test_suspects_of_earlier_versions_are_read(trained, monkeypatch):
    """They kept (images, C, C) pixels with all zeros."""
    metrics, run = trained.workspace.pixel_metrics, trained.members[0]
    found = metrics.suspects(run, "test")
    read = RunFolder.read_arrays

    def earlier(folder, split, name):
        arrays = read(folder, split, name)
        if not name.startswith("suspects"):
            return arrays
        parts = (arrays.pop(key) for key in ("cells", "places", "ends"))
        counts = SampleCounts.from_cells(*parts, int(arrays.pop("classes")))
        return {**arrays, "pairs": np.asarray(counts, np.int32)}

    monkeypatch.setattr(RunFolder, "read_arrays", earlier)
    assert metrics.suspects(run, "test") == found and sum(map(sum, found.pairs)) == found.pixels
