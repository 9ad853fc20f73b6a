"""Studies of recipes: what is taken over, what is queued, how one goes on, and what its table says."""

import dataclasses

import numpy as np
import pytest

from segcore.config import PredictConfig, PredictOptions, TrainConfig
from segcore.config.ablation import ablation_from_json
from segcore.errors import SegcoreError
from segcore.runs.folder.environment import note_environment
from segcore.workspace.ablations.table import compare_datasets, explain
from segcore.workspace.runs.run_ids import prediction_id

BASE = {
    "model": {"encoder": "tiny", "weights": "none"},
    "recipe": {"epochs": 2, "batch_size": 2},
    "size": [32, 64],
}
ROWS = [
    {
        "name": "cross-entropy",
        "changes": {"recipe.loss": "cross_entropy"},
        "claim": "hurts",
        "heading": "Loss",
    }
]


def make(workspace, *rows, datasets=("tiny",), weights=None, **fields):
    study = ablation_from_json(
        {"name": "small", "base": BASE, "rows": list(rows or ROWS), **fields}
    )
    return workspace.ablations.plan(study, datasets, weights)


def fill(made_up, plan, right, label="", seeds=(0, 1), options=None, on="tiny"):
    """Write finished trainings of the base ("") or a row, whose every pixel is right but for a share of the first class."""
    dataset = made_up.workspace.datasets.open(on)
    row = plan.ablation.row(label)
    for seed, share in zip(seeds, right, strict=True):
        config = plan.ablation.config(row, on, seed, plan.weights)
        run = made_up.write(
            f"by-hand-{label or 'base'}-{seed}" + ("" if on == "tiny" else on),
            dataclasses.replace(config, group="mine", member=3),
            mean_iou=share,
        )
        for epoch, seconds in ((1, 7.0), (2, 3.0 + seed)):  # of the epoch alone
            run.append_metrics({"epoch": epoch, "seconds": seconds})
        counts, ids = [], []
        for number, sample in enumerate(dataset.select("test")):
            true = np.bincount(dataset.read_mask(sample).ravel(), minlength=256)[:4]
            one = np.diag(true)
            wrong = round(int(true[0]) * (1 - share)) + number
            one[0, 0], one[0, 1] = true[0] - wrong, wrong
            counts.append(one)
            ids.append(sample.id)
        predicted = PredictConfig(on, run.id, "test", options=options or PredictOptions())
        made_up.write(prediction_id(run.id, "test"), predicted).write_counts(
            "test", "prediction", ids, np.stack(counts)
        )


def trainings(workspace):
    return {
        s: workspace.runs.open(s).config
        for s in workspace.runs.ids()
        if isinstance(workspace.runs.open(s).config, TrainConfig)
    }


def test_an_ablation_queues_each_training_with_its_prediction_once(workspace, started):
    plan = make(workspace)
    queued = workspace.ablations.start(plan)
    assert [(c.recipe.loss, c.seed) for c in reversed(trainings(workspace).values())] == [
        ("jaccard_distance", 0),
        ("jaccard_distance", 1),
        ("cross_entropy", 0),
        ("cross_entropy", 1),
    ]
    assert len(queued) == 8 and sorted(workspace.ablations.progress(plan).pending) == sorted(queued)
    order = [row.run for row in workspace.queue.rows()]
    assert order == queued and order[1] == prediction_id(order[0], "test")
    assert workspace.runs.open(order[0]).annotations().tags == ("ablation small",)
    assert workspace.ablations.start(plan) == []  # again: nothing is missing
    assert [row.state for row in workspace.ablations.table(plan).rows] == [
        "waiting",
        "waiting",
    ]


def test_a_finished_run_of_the_same_config_is_taken_over(workspace, made_up, started):
    plan = make(workspace)
    fill(made_up, plan, (0.9, 0.8))
    queued = workspace.ablations.start(plan)
    assert [c.recipe.loss for r, c in trainings(workspace).items() if r in queued] == [
        "cross_entropy"
    ] * 2
    cells = workspace.ablations.cells(plan)
    assert [cell.runs for cell in cells["base"]] == [("by-hand-base-0",), ("by-hand-base-1",)]
    assert workspace.ablations.table(plan).rows[0].state == "finished"


def test_a_run_of_other_labels_or_splits_is_another(workspace, made_up, started):
    plan = make(workspace, seeds=[0])
    fill(made_up, plan, (0.9,), seeds=(0,))
    run = workspace.runs.open("by-hand-base-0")
    note_environment(run.folder, workspace.datasets.open("tiny").fingerprint)
    assert workspace.ablations.cells(plan)["base"][0].runs == ("by-hand-base-0",)
    note_environment(run.folder, "an earlier state")
    assert workspace.ablations.cells(plan)["base"][0].runs == ("",)


def test_an_ablation_continues_after_a_kill_and_grows_by_seeds(workspace, started):
    ablations = workspace.ablations
    first = ablations.start(make(workspace))
    for run in first[:2]:
        workspace.runs.stop(run)
    assert ablations.table(make(workspace)).rows[0].state == "failed"
    again = ablations.start(ablations.open("small--tiny"))  # as it was kept
    assert again == first[:1] and workspace.runs.open(first[1]).status().state == "queued"
    more = ablations.start(make(workspace, seeds=[0, 1, 2]))
    assert [c.seed for r, c in trainings(workspace).items() if r in more] == [2, 2]


def test_only_some_rows_are_started_with_what_they_are_compared_with(workspace, started):
    rows = [
        *ROWS,
        {"name": "dice", "changes": {"recipe.loss": "dice"}},
        {"name": "focal", "changes": {"recipe.loss": "focal"}, "against": "dice"},
        {
            "name": "mean of three",
            "combine": {"rule": "mean", "against": "mean"},
            "seeds": [0, 1, 2],
        },
    ]
    workspace.ablations.start(make(workspace, *rows, seeds=[0]), ["focal"])
    assert sorted(c.recipe.loss for c in trainings(workspace).values()) == [
        "dice",
        "focal",
        "jaccard_distance",
    ]
    workspace.ablations.start(make(workspace, *rows, seeds=[0]), ["mean of three"])
    assert sorted(
        c.seed for c in trainings(workspace).values() if c.recipe.loss == "jaccard_distance"
    ) == [0, 1, 2]
    with pytest.raises(SegcoreError, match="cross-entropy"):
        workspace.ablations.start(make(workspace, *rows), ["cross entropy"])


FEWEST = "segcore.evaluation.counts.bootstrap.MINIMUM"
"""Patched where three images must have an interval."""


def test_the_table_says_by_how_much_how_sure_and_whether_that_was_said(
    workspace, made_up, monkeypatch
):
    monkeypatch.setattr(FEWEST, 3)
    plan = make(workspace)
    fill(made_up, plan, (0.95, 0.94))
    fill(made_up, plan, (0.60, 0.62), "cross-entropy")
    table = workspace.ablations.table(plan)
    base, row = table.rows
    assert row.difference == pytest.approx(np.mean(row.scores) - np.mean(base.scores))
    assert (
        row.difference < 0
        and row.difference_interval[0] < row.difference < row.difference_interval[1]
    )
    assert (row.pairs, row.covers) == ((("tiny", "0"), ("tiny", "1")), "images and seeds")
    assert (base.verdict, base.seconds, row.claim) == ("", 10.5, "hurts")
    assert row.verdict in ("hurts", "cannot tell") and row.agreement == {"hurts": "agrees"}.get(
        row.verdict, row.verdict
    )
    assert (
        table.units == {"tiny": 3}
        and "split test" in table.protocol
        and "at 32 x 48" in table.protocol
    )


def test_the_spread_over_seeds_is_pooled_from_scores_of_which_each_counts_once(workspace, made_up):
    twice = [*ROWS, {**ROWS[0], "name": "the same"}]
    plan = make(workspace, *twice, seeds=[0, 1])
    fill(made_up, plan, (0.95, 0.85))
    fill(made_up, plan, (0.60, 0.62), "cross-entropy")
    _, row, same = workspace.ablations.table(plan).rows
    assert (row.scores, row.gains, row.difference_interval) == (
        same.scores,
        same.gains,
        same.difference_interval,
    )
    single = workspace.ablations.table(make(workspace)).rows[1]
    assert (
        single.difference_interval == row.difference_interval
    )  # the row that shares its runs adds no evidence


def test_one_seed_cannot_tell(workspace, made_up):
    plan = make(workspace, seeds=[0])
    fill(made_up, plan, (0.95,), seeds=(0,))
    fill(made_up, plan, (0.2,), "cross-entropy", seeds=(0,))
    row = workspace.ablations.table(plan).rows[1]
    assert (row.verdict, row.covers) == ("cannot tell", "images") and "add seeds" in row.cause


def test_an_ensemble_is_compared_with_its_very_members(workspace, trained):
    base = {**BASE, "recipe": {"epochs": 2, "batch_size": 2}}
    rows = [
        {"name": "mean", "combine": {"against": "mean"}},
        {"name": "best", "combine": {"against": "best"}},
    ]
    study = ablation_from_json({"name": "e", "base": base, "rows": rows, "seeds": [0, 1]})
    second = workspace.runs.open(trained.members[1])
    config = dataclasses.replace(second.config, seed=1)
    second.folder.rename(second.folder.with_name("moved"))
    second.create(workspace.runs.folder, trained.members[1], config).write_status(
        state="finished", mean_iou=0.9
    )
    table = workspace.ablations.table(workspace.ablations.plan(study, ["tiny"]))
    assert [row.state for row in table.rows] == [
        "finished",
        "not run",
        "not run",
    ]  # the ensemble of trained has a CRF, so it is another
    workspace.runs.ensemble(trained.members, "test")
    found = workspace.ablations.cells(workspace.ablations.plan(study, ["tiny"]))["mean"][0]
    assert (
        found.runs == trained.members
        and found.stage == "ensemble"
        and (workspace.runs.folder / found.scored).exists()
    )


def test_runs_that_looked_at_images_in_another_way_are_refused(workspace, made_up):
    plan = make(workspace)
    fill(made_up, plan, (0.9, 0.8))
    fill(made_up, plan, (0.9, 0.8), "cross-entropy", options=PredictOptions(tile=True))
    row = workspace.ablations.table(plan).rows[1]
    assert row.state == "refused" and row.difference is None and row.verdict == ""
    assert row.cause == "Not comparable: different inference views (in tiles against whole)."


def test_balance_plans_and_parts_of_the_classes_are_made_and_shared(workspace, started):
    rows = [
        {"name": "balanced", "balance": {"mode": "count", "max_repeats": 3, "keep_images": True}},
        {"name": "parts", "submodels": {"parts": 2}},
    ]
    ablations = workspace.ablations
    plan = make(workspace, *rows, seeds=[0])
    assert (
        ablations.progress(plan).to_train == 4
        and [row.state for row in ablations.table(plan).rows] == ["not run"] * 3
    )
    dataset = workspace.datasets.open("tiny")
    assert not dataset.plans() and not dataset.label_maps()  # looking makes nothing
    queued = ablations.start(plan)
    dataset = workspace.datasets.open("tiny")
    (name,) = dataset.plans()
    balanced = next(c for c in trainings(workspace).values() if c.balance_plan)
    assert (
        name.startswith("study-count-3-")
        and balanced.balance_plan == name
        and balanced.recipe.epochs <= 2
    )
    parts = [c for c in trainings(workspace).values() if c.submodels]
    assert len(parts) == 2 and {c.label_map for c in parts} == {
        m for m in dataset.label_maps() if m[-2] == "."
    }
    assert ablations.start(plan) == [] and ablations.cells(plan)["parts"][0].scored in queued


def test_what_an_ablation_cannot_be_run_on_is_refused(workspace):
    with pytest.raises(SegcoreError, match="--dataset"):
        make(workspace, datasets=())
    with pytest.raises(SegcoreError, match="tiny"):
        make(workspace, datasets=["tinny"])
    with pytest.raises(SegcoreError, match="weights file of this ablation"):
        make(workspace, weights={"squeezenet": "x"})
    rows = [{"name": "files", "changes": {"model.weights": "{own}"}}]
    with pytest.raises(SegcoreError, match="correct the path"):
        make(workspace, *rows, weights={"own": "nowhere.npz"})
    assert workspace.ablations.table(make(workspace, *rows)).rows[1].state == "needs a file"
    with pytest.raises(SegcoreError, match="one of deck"):
        workspace.ablations.read("dekc.json")


def test_folds_are_pooled_and_what_varies_is_said(workspace, made_up, monkeypatch):
    monkeypatch.setattr(FEWEST, 3)
    workspace.splits.make_folds("tiny", 2, "random", 0, hold_out="test")
    folds = ("tiny-fold-1", "tiny-fold-2")
    plan = make(workspace, datasets=folds)
    for number, fold in enumerate(folds):
        fill(made_up, plan, (0.95 - 0.05 * number, 0.93), on=fold)
        fill(made_up, plan, (0.50, 0.52), "cross-entropy", on=fold)
    table = workspace.ablations.table(plan)
    base, row = table.rows
    assert row.pairs == (
        ("tiny-fold-1", "0"),
        ("tiny-fold-1", "1"),
        ("tiny-fold-2", "0"),
        ("tiny-fold-2", "1"),
    )
    assert row.difference == pytest.approx(np.mean(row.gains)) and row.gains == pytest.approx(
        np.subtract(row.scores, base.scores)
    )
    assert row.difference_interval[0] < row.difference < row.difference_interval[1]
    assert "these two datasets or folds only" in row.cause
    assert any("for these folds only" in sentence for sentence in table.sentences)
    assert row.other_score == pytest.approx(np.mean(base.scores)) and row.folds == 2
    by_fold = np.reshape(row.gains, (2, 2)).mean(1)
    assert row.fold_range == pytest.approx((by_fold.min(), by_fold.max()))
    assert table.units == {
        "tiny-fold-1": 3,
        "tiny-fold-2": 3,
    }
    assert "dataset (tiny-fold-1, tiny-fold-2) and a seed" in table.sentences[0]
    judged = [dataclasses.replace(row, p_value=0.01)] * 2
    images = dict.fromkeys(folds, frozenset({"one", "two", "three"}))
    said = explain(plan, judged, images, {})  # the folds' test images are the same three
    assert any("resamples of 3 images" in sentence for sentence in said)


def test_the_prediction_of_a_training_that_was_resumed_since_is_not_its_score(workspace, made_up):
    plan = make(workspace, seeds=[0])
    fill(made_up, plan, (0.9,), seeds=(0,))
    ablations, run = workspace.ablations, workspace.runs.open("by-hand-base-0")
    assert ablations.table(plan).rows[0].score is not None
    run.write_status(state="interrupted")
    assert ablations.table(plan).rows[0].score is None
    run.write_status(state="finished", finished=run.status().finished + 100)
    assert ablations.table(plan).rows[0].score is None


def test_one_ablation_is_compared_across_two_datasets(workspace, made_up):
    workspace.splits.make_folds("tiny", 2, "random", 0, hold_out="test")
    ablations, tables = workspace.ablations, []
    for name in ("tiny", "tiny-fold-1"):
        plan = make(workspace, datasets=[name])
        fill(made_up, plan, (0.9, 0.8), on=name)
        fill(made_up, plan, (0.6, 0.5), "cross-entropy", on=name)
        ablations.save(plan)
        tables.append(ablations.table(ablations.open(plan.name)))
    assert (
        ablations.names() == ["small--tiny", "small--tiny-fold-1"]
        and ablations.find("small--tiny") == "small--tiny"
        and ablations.find("smal") == ""
    )
    with pytest.raises(SegcoreError, match="whole name"):
        ablations.find("small")
    (line,) = compare_datasets(tables)
    assert [one.points for one in line.on.values()] == [
        100 * table.rows[1].difference for table in tables
    ]
    larger = {**BASE, "size": [64, 64]}
    other = ablations.table(
        ablations.plan(
            ablation_from_json({"name": "large", "base": larger, "rows": ROWS}), ["tiny"]
        )
    )
    with pytest.raises(SegcoreError, match="bases differ"):
        compare_datasets([tables[0], other])
    dice = [{**ROWS[0], "changes": {"recipe.loss": "dice"}}]
    with pytest.raises(SegcoreError, match="one recipe for the row 'cross-entropy'"):
        compare_datasets([tables[0], ablations.table(make(workspace, *dice))])


def test_frames_of_few_drives_are_named(workspace):
    plan = make(workspace)
    images = {"tiny": frozenset(map(str, range(233)))}
    told = explain(plan, (), images, {"tiny": 2})
    assert "few groups (2 of tiny)" in told[2] and "233 of tiny" in told[1]
    assert not any("few groups" in sentence for sentence in explain(plan, (), images, {}))
