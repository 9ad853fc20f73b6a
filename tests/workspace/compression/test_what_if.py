"""The what-if over all merges of a run's labels, or of a table of counts."""

import json

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.workspace.compression.merges import WhatIfOptions
from tests.promises import MERGE
from tests.workspace.hand_counts import BY_HAND


def test_it_folds_the_counts_of_a_run(by_hand) -> None:
    result = by_hand.merges.what_if("hand-1", "test").to_json()
    assert set(result) >= {"run", "split", "baseline", "path"}
    assert result["baseline"]["accuracy"] == pytest.approx(2400 / 3008)
    assert all(set(row) >= MERGE for row in result["path"])
    assert [row["num_groups"] for row in result["path"]] == sorted(
        (row["num_groups"] for row in result["path"]), reverse=True
    )
    total = BY_HAND.sum(0)
    index = {3: 0, 5: 1, 8: 2, 11: 3}
    for row in result["path"]:
        assert sorted(i for group in row["groups"] for i in group) == [
            3,
            5,
            8,
            11,
        ]  # ids of the user, each once
        right = sum(
            int(total[np.ix_([index[i] for i in g], [index[i] for i in g])].sum())
            for g in row["groups"]
        )
        assert row["accuracy"] == pytest.approx(right / total.sum())
    assert result["path"][-1]["accuracy"] == 1.0
    json.dumps(result, allow_nan=False)


def test_a_forbidden_pair_is_never_merged_before_nothing_else_is_left(by_hand) -> None:
    free = by_hand.merges.what_if("hand-1", "test").to_json()["path"]
    assert any(
        {3, 5} <= set(group) for row in free for group in row["groups"] if len(row["groups"]) > 1
    )
    kept = by_hand.merges.what_if(
        "hand-1", "test", options=WhatIfOptions(forbidden=[("field", "5")])
    ).to_json()["path"]
    assert not any({3, 5} <= set(group) for row in kept for group in row["groups"])
    with pytest.raises(SegcoreError, match="did you mean 'field'"):
        by_hand.merges.what_if(
            "hand-1", "test", options=WhatIfOptions(forbidden=[("fild", "road")])
        ).to_json()


def test_it_needs_one_source(trained, tmp_path) -> None:
    with pytest.raises(SegcoreError, match="received neither"):
        trained.workspace.merges.what_if().to_json()
    table = tmp_path / "counts.csv"
    table.write_text("8,2\n1,9\n")
    result = trained.workspace.merges.what_if(confusion=table).to_json()
    assert (result["run"], result["split"], result["baseline"]["accuracy"]) == (
        None,
        None,
        pytest.approx(17 / 20),
    )


def test_that_of_an_ensemble_starts_from_its_own_scores(trained) -> None:
    result = trained.workspace.merges.what_if(trained.ensemble, "test").to_json()
    report = trained.workspace.scores.report(trained.ensemble, "test").to_json()
    assert result["baseline"]["accuracy"] == pytest.approx(report["pixel_accuracy"])
    assert result["baseline"]["mean_iou"] == pytest.approx(report["mean_iou"])
