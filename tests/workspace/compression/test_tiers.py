"""Tiers: summed probabilities counted once, a retraining cloned from its source, and found again."""

import dataclasses

import numpy as np
import pytest

from segcore.config import EvaluateConfig, PredictConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.evaluation.compression.compression import fold
from segcore.evaluation.counts.confusion import count_confusion
from segcore.postprocess.parameters import MaskFilter

GROUPS = [[3, 5], [8], [11]]
TO_GROUP = np.array([0, 0, 1, 2])


def slow_sum(trained, run: str, split: str) -> np.ndarray:
    """Probabilities at full size, summed with plain adding, argmax, counted."""
    scenes = trained.workspace.scenes
    found = []
    for sample in trained.samples[split]:
        full = scenes.probabilities(run, split, sample)
        summed = np.stack([full[..., 0] + full[..., 1], full[..., 2], full[..., 3]], -1)
        truth = scenes.truth("tiny", sample)
        merged = np.where(truth == 255, 255, TO_GROUP[np.minimum(truth, 3)]).astype(np.uint8)
        found.append(count_confusion(merged, summed.argmax(-1).astype(np.uint8), 3, 255))
    return np.stack(found)


@pytest.mark.parametrize("which", ["member", "ensemble"])
def test_summed_probabilities_are_counted_as_a_plain_loop_does(trained, which) -> None:
    run, tiers = (
        trained.members[0] if which == "member" else trained.ensemble,
        trained.workspace.tiers,
    )
    steps = []
    ids, counts = tiers.sum_probabilities(
        run, "test", GROUPS, progress=lambda *step: steps.append(step)
    )
    assert ids == trained.samples["test"] and [s[:2] for s in steps] == [(1, 3), (2, 3), (3, 3)]
    slow = slow_sum(trained, run, "test")
    # merging before resizing and after it differ by rounding only: a pixel whose two best groups
    # tie may fall either way
    assert np.abs(counts - slow).sum() <= 4
    assert counts.sum(-1).tolist() == slow.sum(-1).tolist()


def test_an_import_with_probabilities_is_summed_as_its_source(trained, tmp_path) -> None:
    workspace, run = trained.workspace, trained.members[0]
    folder = tmp_path / "theirs"
    folder.mkdir()
    for sample in trained.samples["test"]:
        stored = workspace.runs.open(workspace.runs.prediction_of(run, "test"))
        probabilities, _ = stored.read_probabilities("test", sample)
        np.save(folder / f"{sample.rsplit('/')[-1]}.npy", probabilities)
    workspace.imports.import_("tiny", folder, "other")
    wanted = workspace.tiers.sum_probabilities(run, "test", GROUPS)[1]
    found = workspace.tiers.sum_probabilities("other", "test", GROUPS)[1]
    assert np.abs(np.asarray(found) - np.asarray(wanted)).sum() <= 4
    assert [t.name for t in workspace.tiers.compare("other", "test", GROUPS).tiers] == [
        "merged",
        "summed",
    ]


def test_summing_is_done_once_and_shows_in_no_stage(trained, monkeypatch) -> None:
    run, workspace = trained.members[0], trained.workspace
    assert not workspace.tiers.is_summed(run, "test", GROUPS)
    first = workspace.tiers.sum_probabilities(run, "test", GROUPS)
    assert workspace.tiers.is_summed(run, "test", GROUPS) and not workspace.tiers.is_summed(
        run, "test", [[3, 8]]
    )
    monkeypatch.setattr(workspace.tiers, "_count", None)
    again = workspace.tiers.sum_probabilities(
        run, "test", [[3, 5]]
    )  # the same merge, written shorter
    np.testing.assert_array_equal(first[1], again[1])
    assert workspace.scores.stages(run, "test") == ["prediction"]
    workspace.runs.open(f"{run}--test").write_status(finished=1_900_000_000.0)  # predicted anew
    assert not workspace.tiers.is_summed(run, "test", GROUPS)


def test_tiers_stand_side_by_side(trained, made_up) -> None:
    run, workspace = trained.members[0], trained.workspace
    assert [t["tier"] for t in workspace.tiers.compare(run, "test", GROUPS).to_json()["tiers"]] == [
        "merged"
    ]
    workspace.tiers.sum_probabilities(run, "test", GROUPS)
    workspace.scores.save_label_map(run, GROUPS, "three")
    made_up.train("other-1", label_map="three")
    counted = made_up.predict("other-1", "test", 5)
    ids, counts = counted.read_counts("test", "prediction")
    merged = fold(counts, workspace.merges.label_map(run, GROUPS))
    counted.write_counts("test", "prediction", ids, merged)
    found = workspace.tiers.compare(run, "test", GROUPS).to_json()
    assert found["retrained"] == "other-1" and [t["tier"] for t in found["tiers"]] == [
        "merged",
        "summed",
        "retrained",
    ]
    (row,) = workspace.tiers.retrained(run, GROUPS, "test")
    assert (row.run, row.state, row.linked, row.counted) == (
        "other-1",
        "finished",
        False,
        True,
    )
    total = merged.sum(0)
    assert found["tiers"][2]["scores"]["accuracy"] == pytest.approx(np.trace(total) / total.sum())
    assert workspace.tiers.retrained(run, [[3, 8]], "test") == []


def test_a_retraining_is_its_source_with_a_label_map(trained, started) -> None:
    run, workspace = trained.members[0], trained.workspace
    made = workspace.tiers.retrain(run, [[3, 5]], ["validation", "test"])
    (clone,) = made.trained
    config, source = workspace.runs.open(clone).config, workspace.runs.open(run).config
    assert isinstance(config, TrainConfig)
    assert (
        dataclasses.replace(config, label_map="", group=source.group, member=source.member)
        == source
    )
    saved = workspace.datasets.open("tiny").load_label_map(config.label_map)
    assert saved.groups == ((0, 1), (2,), (3,)) and config.label_map == made.label_map == saved.name
    assert made.queued == [clone, f"{clone}--validation", f"{clone}--test"]
    for split in ("validation", "test"):
        prediction = workspace.runs.open(f"{clone}--{split}")
        assert isinstance(prediction.config, PredictConfig) and prediction.status().after == (
            clone,
        )
    (row,) = workspace.tiers.retrained(run, [[3, 5]], "test")
    assert (row.run, row.state, row.linked, row.counted) == (
        clone,
        "queued",
        True,
        False,
    )
    assert not workspace.tiers.retrained(trained.members[1], [[3, 5]], "test")[0].linked
    assert started  # a dispatcher was asked for
    workspace.tiers.retrain(run, [[3, 5]], ["test"])
    versions = workspace.datasets.open("tiny")._maps.read(made.label_map)["versions"]
    assert len(versions) == 1  # the same merge is saved once


def test_an_ensemble_is_retrained_member_by_member(trained, started) -> None:
    workspace = trained.workspace
    made = workspace.tiers.retrain(trained.ensemble, [[3, 5]], ["test"])
    assert len(made.trained) == 2
    combined = workspace.runs.open(made.queued[-1])
    assert isinstance(combined.config, EvaluateConfig) and combined.config.members == tuple(
        made.trained
    )
    source = workspace.runs.open(trained.ensemble).config
    assert dataclasses.replace(combined.config, members=source.members) == source
    assert combined.status().after == tuple(f"{run}--test" for run in made.trained)
    rows = workspace.tiers.retrained(trained.ensemble, [[3, 5]], "test")
    assert [r.linked for r in rows] == [True, False, False] and rows[0].run == combined.id


def test_a_retrained_ensemble_keeps_weights_and_filter(trained, started) -> None:
    workspace = trained.workspace
    kept = {"rule": "weighted", "weights": (0.75, 0.25), "filter": MaskFilter("median", 3)}
    run = workspace.runs.ensemble(trained.members, "test", **kept)
    combined = workspace.runs.open(workspace.tiers.retrain(run, [[3, 5]], ["test"]).queued[-1])
    assert {name: getattr(combined.config, name) for name in kept} == kept


@pytest.mark.parametrize(
    ("groups", "words"),
    [([], "2 to 3 labels"), ([[3, 5, 8, 11]], "2 to 3 labels"), ([[3, 7]], "Unknown class")],
)
def test_nothing_and_everything_are_not_retrained(trained, started, groups, words) -> None:
    before = trained.workspace.runs.ids()
    with pytest.raises(SegcoreError, match=words):
        trained.workspace.tiers.retrain(trained.members[0], groups, ["test"])
    assert trained.workspace.runs.ids() == before


def test_a_run_of_merged_labels_and_an_unknown_split_are_refused(trained, made_up, started) -> None:
    workspace = trained.workspace
    with pytest.raises(SegcoreError, match="split"):
        workspace.tiers.retrain(trained.members[0], [[3, 5]], ["nowhere"])
    workspace.scores.save_label_map(trained.members[0], GROUPS, "three")
    made_up.train("merged-1", label_map="three")
    with pytest.raises(SegcoreError, match="own labels"):
        workspace.tiers.retrain("merged-1", [[0, 1]], ["test"])


def test_without_probabilities_there_is_nothing_to_sum(trained) -> None:
    run = trained.members[0]
    for path in (trained.workspace.runs.folder / f"{run}--test" / "probabilities").rglob("*.prob"):
        path.unlink()
    assert trained.workspace.tiers.can_sum(run, "test") == 0
    with pytest.raises(SegcoreError, match="found none"):
        trained.workspace.tiers.sum_probabilities(run, "test", GROUPS)
