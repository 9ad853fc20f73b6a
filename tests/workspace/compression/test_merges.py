"""Merges: the same numbers as the path, in the user's ids."""

import pytest

from segcore.errors import SegcoreError
from segcore.workspace.compression.merges import WhatIfOptions


def test_a_merge_scores_as_its_row_of_the_path(trained) -> None:
    workspace, run = trained.workspace, trained.members[0]
    study = workspace.merges.what_if(
        run, "validation", options=WhatIfOptions(prior="image")
    ).to_json()
    for row, interval in ((row, row["lift_interval"]) for row in study["path"]):
        found = workspace.merges.judge(run, "validation", row["groups"], "image").to_json()
        assert found["after"]["groups"] == row["groups"]
        for key in (
            "accuracy",
            "mean_iou",
            "kappa",
            "lift",
            "retained_entropy",
            "honest_accuracy",
            "resolved_confusion",
        ):
            assert found["after"][key] == (None if row[key] is None else pytest.approx(row[key]))
        assert found["lift_interval"] == [None if v is None else pytest.approx(v) for v in interval]


def test_labels_that_stand_in_no_group_stay_as_they_are(trained) -> None:
    found = trained.workspace.merges.judge(trained.members[0], "test", [[3, 11]]).to_json()
    assert found["after"]["groups"] == [[3, 11], [5], [8]]
    assert trained.workspace.merges.label_map(trained.members[0], [[3, 11]]).groups == (
        (0, 3),
        (1,),
        (2,),
    )


def test_an_unknown_label_is_told(trained) -> None:
    with pytest.raises(SegcoreError, match="Unknown class"):
        trained.workspace.merges.judge(trained.members[0], "test", [[3, 4]]).to_json()


def test_every_row_of_a_short_path_has_a_band(trained) -> None:
    workspace, run = trained.workspace, trained.members[0]
    path = workspace.merges.what_if(run, "test").to_json()["path"]
    band = workspace.merges.null_band(run, "test", [row["groups"] for row in path])
    assert len(band) == len(path) and all(low <= high for low, high in band)
    assert band[0] == pytest.approx([path[0]["accuracy"]] * 2) and band[-1] == (1.0, 1.0)
    many = workspace.merges.null_band(run, "test", [row["groups"] for row in path] * 30)
    assert (
        len(many) == 30 * len(path)
        and sum(b is not None for b in many) == 40
        and many[0]
        and many[-1]
    )


def test_a_stamp_is_another_when_the_counts_are(trained) -> None:
    scores, run = trained.workspace.scores, trained.members[0]
    before = scores.stamp(run, "test")
    assert before == scores.stamp(run, "test") != scores.stamp(run, "validation")
    assert scores.stamp(trained.ensemble, "test", "crf") != scores.stamp(trained.ensemble, "test")
    trained.workspace.runs.open(f"{run}--test").write_status(finished=1_800_000_000.0)
    assert scores.stamp(run, "test") != before
