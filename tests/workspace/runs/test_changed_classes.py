"""A run whose dataset got other classes is refused in one wording, wherever it is opened for scores."""

import dataclasses
import json

import numpy as np
import pytest

from segcore.cli import main
from segcore.errors import SegcoreError
from segcore.labels import LabelMap, LabelSet

WORDING = r"The classes of 'tiny' changed after the run '.+': it was made with 4 \(.*\), "


def ignore_a_class(workspace) -> None:
    labels = workspace.datasets.open("tiny").label_set
    after = LabelSet(labels.classes[:-1], (*labels.ignored, labels.classes[-1]))
    workspace.datasets.relabel("tiny", after)


@pytest.fixture
def changed(trained):
    """The trained workspace with noted classes, of which one was set to ignored since."""
    labels = trained.workspace.datasets.open("tiny").label_set.to_json()
    for run in trained.members:
        folder = trained.workspace.runs.open(run)
        folder.write_json("labels", {"label_set": labels, "label_map": None})
        folder.model_path.write_bytes(b"")
    ignore_a_class(trained.workspace)
    return trained


ENTRIES = {
    "counts": lambda w, run: w.scores.counts(run, "test"),
    "sample_ids": lambda w, run: w.scores.sample_ids(run, "test"),
    "report": lambda w, run: w.scores.report(run, "test"),
    "stamp": lambda w, run: w.scores.stamp(run, "test"),
    "stages": lambda w, run: w.scores.stages(run, "test"),
    "label_set": lambda w, run: w.scores.label_set(run),
    "compress": lambda w, run: w.merges.what_if(run, "test"),
    "page": lambda w, run: w.reports.page([run], "test"),
    "grouping": lambda w, run: w.reports.grouping(run, "test"),
    "scene": lambda w, run: w.scenes.dataset_of(run),
    "predict": lambda w, run: w.runs.predict_any(run, "validation"),
    "pixels": lambda w, run: w.pixel_metrics.measure(run, "test"),
    "robustness": lambda w, run: w.robustness.start(run, "test"),
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("kind", ["member", "ensemble"])
def test_every_entry_refuses_it_alike(changed, started, entry, kind) -> None:
    run = changed.members[0] if kind == "member" else changed.ensemble
    before = changed.workspace.runs.ids()
    with pytest.raises(SegcoreError, match=WORDING):
        ENTRIES[entry](changed.workspace, run)
    assert changed.workspace.runs.ids() == before and started == []


def test_members_are_refused_before_an_ensemble_is_queued(changed, started) -> None:
    for start in (
        lambda: changed.workspace.runs.ensemble(changed.members, "test"),
        lambda: changed.workspace.ensembles.score_subsets(changed.members, "test"),
    ):
        with pytest.raises(SegcoreError, match=WORDING):
            start()
    assert started == []


@pytest.mark.parametrize("command", ["evaluate", "compress", "report"])
def test_the_shell_says_the_same(changed, started, command, capsys, tmp_path) -> None:
    arguments = [command, changed.members[0], "--split", "test", "--json"]
    arguments += ["--out", str(tmp_path / "page.html")] if command == "report" else []
    folder = str(changed.workspace.folder)
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--workspace", folder])
    assert "The classes of 'tiny' changed after the run" in capsys.readouterr().err


def test_counts_alone_give_it_away(trained) -> None:
    ignore_a_class(trained.workspace)
    with pytest.raises(SegcoreError, match=WORDING):
        trained.workspace.scores.report(trained.members[0], "test")


def test_another_order_is_a_change_and_other_names_are_none(trained) -> None:
    workspace, run = trained.workspace, trained.members[0]
    labels = workspace.datasets.open("tiny").label_set
    workspace.runs.open(run).write_json("labels", {"label_set": labels.to_json()})
    renamed = dataclasses.replace(labels.classes[0], name="meadow")
    workspace.datasets.relabel("tiny", LabelSet((renamed, *labels.classes[1:]), labels.ignored))
    assert workspace.scores.report(run, "test").label_set.class_names[0] == "meadow"
    workspace.datasets.relabel("tiny", LabelSet(labels.classes[::-1], labels.ignored))
    with pytest.raises(SegcoreError, match="changed after the run"):
        workspace.scores.report(run, "test")
    workspace.datasets.relabel("tiny", labels)
    assert np.isfinite(workspace.scores.report(run, "test").counts).all()


def test_merged_labels_in_another_order_are_a_change(trained, made_up) -> None:
    workspace = trained.workspace
    dataset = workspace.datasets.open("tiny")
    label_map = LabelMap(((0, 1), (2, 3)), "two")
    dataset.save_label_map(label_map)
    run = made_up.train("merged", label_map="two")
    noted = label_map.merge_label_set(dataset.label_set)
    run.write_json("labels", {"label_set": noted.to_json(), "label_map": label_map.to_json()})
    workspace.runs.check_classes("merged")
    labels = dataset.label_set
    workspace.datasets.relabel(
        "tiny", LabelSet(labels.classes[2:] + labels.classes[:2], labels.ignored)
    )
    with pytest.raises(SegcoreError, match="changed after the run 'merged'"):
        workspace.scores.label_set("merged")


def test_what_a_run_noted_is_read_anew_when_it_changes(trained) -> None:
    folder = trained.workspace.runs.open(trained.members[0])
    labels = trained.workspace.datasets.open("tiny").label_set
    folder.write_json("labels", {"label_set": labels.to_json()})
    trained.workspace.runs.check_classes(folder.id)
    (folder.folder / "labels.json").write_text(json.dumps({"damaged": True}))
    trained.workspace.runs.check_classes(folder.id)
