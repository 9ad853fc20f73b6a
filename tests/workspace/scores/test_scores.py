"""Scores: everything from counts."""

import json

import numpy as np
import pytest
from PIL import Image

from segcore.data.dataset.split_history import change_splits, undo_splits
from segcore.errors import SegcoreError
from segcore.labels import LabelMap
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.folder.seen_samples import note_seen
from segcore.runs.machine import engines
from segcore.workspace import Workspace
from segcore.workspace.runs.runs import prediction_id
from tests.promises import SCORES


def test_a_report_equals_the_counts_worked_by_hand(by_hand) -> None:
    report = by_hand.scores.report("hand-1", "test").to_json()
    assert set(report) >= SCORES
    assert (report["split"], report["num_samples"], report["size"]) == ("test", 2, [32, 48])
    assert report["confusion"] == [
        [1900, 100, 0, 0],
        [500, 300, 0, 0],
        [4, 4, 200, 0],
        [0, 0, 0, 0],
    ]
    assert report["pixel_accuracy"] == pytest.approx(2400 / 3008)
    assert report["ignored_share"] == pytest.approx(1 - 3008 / 3072)
    field, forest, road, roof = report["classes"]
    assert [c["id"] for c in report["classes"]] == [3, 5, 8, 11]
    assert [c["support"] for c in report["classes"]] == [2000, 800, 208, 0]
    assert field["iou"] == pytest.approx(1900 / (2000 + 2404 - 1900))
    assert forest["iou"] == pytest.approx(300 / (800 + 404 - 300))
    assert forest["dice"] == pytest.approx(2 * 300 / (800 + 404))
    assert (forest["precision"], forest["recall"]) == (
        pytest.approx(300 / 404),
        pytest.approx(300 / 800),
    )
    assert road["iou"] == pytest.approx(200 / 208)
    assert [roof[k] for k in ("iou", "dice", "precision", "recall")] == [None] * 4
    assert report["mean_iou"] == pytest.approx(np.mean([field["iou"], forest["iou"], road["iou"]]))
    assert report["interval"]["mean_iou"] == [None, None]
    assert "No interval from 2 images" in report["how_sure"]
    json.dumps(report, allow_nan=False)


def test_a_predict_run_and_its_training_run_have_the_same_scores(trained) -> None:
    scores, (member, _) = trained.workspace.scores, trained.members
    assert (
        scores.report(member, "test").to_json()
        == scores.report(f"{member}--test", "test").to_json()
    )
    assert scores.stages(member, "test") == ["prediction"]


def test_an_ensemble_is_told_beside_its_members(trained) -> None:
    result = trained.workspace.scores.ensemble(trained.ensemble).to_json()
    assert set(result) == {"run", "split", "rule", "members", "views", "ensemble", "crf"}
    assert [m["run"] for m in result["members"]] == list(trained.members)
    for part in (*result["members"], result["ensemble"], result["crf"]):
        assert set(part) >= SCORES
    for stage in ("ensemble", "crf"):
        _, counts = RunFolder(trained.workspace.runs.folder / trained.ensemble).read_counts(
            "test", stage
        )
        assert result[stage]["confusion"] == counts.sum(0).tolist()
    # the made-up CRF only ever puts pixels right, and the mean of two guesses with noise of their
    # own is the better guess
    assert (
        result["crf"]["pixel_accuracy"]
        > result["ensemble"]["pixel_accuracy"]
        > max(m["pixel_accuracy"] for m in result["members"])
    )
    assert trained.workspace.scores.stages(trained.ensemble, "test") == ["ensemble", "crf"]
    with pytest.raises(SegcoreError, match="combine members first"):
        trained.workspace.scores.ensemble(trained.members[0])


def test_without_a_crf_there_is_none_in_the_answer(trained, made_up) -> None:
    run = made_up.evaluate(trained.members, "validation", None)
    result = trained.workspace.scores.ensemble(run.id).to_json()
    assert result["crf"] is None and result["split"] == "validation"
    assert trained.workspace.scores.stages(run.id, "validation") == ["ensemble"]


def test_counts_that_are_not_there_are_asked_for(trained) -> None:
    scores = trained.workspace.scores
    for run in (trained.members[0], trained.ensemble):
        assert not scores.has_counts(run, "train")
        with pytest.raises(SegcoreError, match="predict that split first"):
            scores.counts(run, "train")
    with pytest.raises(SegcoreError, match="did you mean"):
        scores.counts(f"{trained.members[0]}x", "test")


def test_a_prediction_under_way_has_no_counts_yet(trained, made_up) -> None:
    made_up.train("late-1")
    run = made_up.predict("late-1", "test", 0)
    (run.folder / "counts" / "test" / "prediction.npz").unlink()
    run.write_status(state="running")
    with pytest.raises(SegcoreError, match="its state is running"):
        trained.workspace.scores.counts("late-1", "test")


def test_predictions_that_exist_are_not_made_again(trained, started) -> None:
    trained.workspace.scores.ensure_predictions([*trained.members, trained.ensemble], "test")
    assert started == []


def test_without_an_engine_counts_do_in_place_of_a_prediction(
    trained, started, made_up, monkeypatch
) -> None:
    scores, member = trained.workspace.scores, trained.members[0]
    run = trained.workspace.runs.open(prediction_id(member, "test"))
    next((run.folder / "probabilities" / "test").rglob("scene_0*")).unlink()
    monkeypatch.setattr(engines, "is_installed", lambda name: False)
    scores.ensure_counts(trained.members, "test")
    assert started == []
    with pytest.raises(SegcoreError, match="Expected an engine, found none"):
        scores.ensure_predictions([member], "test")
    with pytest.raises(SegcoreError, match="Expected an engine, found none"):
        scores.ensure_counts([member], "train")
    began = run.status().started or 0.0
    trained.workspace.runs.open(member).write_status(finished=began + 1)  # resumed since
    with pytest.raises(SegcoreError, match="Expected an engine, found none"):
        scores.ensure_counts([member], "test")


def test_scores_of_an_earlier_split_are_refused_and_made_again(trained, started) -> None:
    scores, runs, (member, _) = trained.workspace.scores, trained.workspace.runs, trained.members
    before = scores.report(member, "test").to_json()
    tiny = trained.workspace.datasets.open("tiny")
    splits = {s.id: s.split for s in tiny.samples}
    now, gone = next(s for s in splits if splits[s] == "train"), "test/scene_0"
    change_splits(tiny, splits | {now: "test", gone: "train"}, "by hand")
    for run in (member, trained.ensemble):
        assert not scores.has_counts(run, "test")
        with pytest.raises(SegcoreError, match="of which 2 are among the 3 that it has now"):
            scores.report(run, "test")
    on = {row.run: row.scored_on for row in runs.rows()}
    assert on[prediction_id(member, "test")] == "an earlier test, own size"
    assert on[member] == "validation, 32 x 64"  # that of the training itself
    undo_splits(trained.workspace.datasets.open("tiny"))
    assert scores.report(member, "test").to_json() == before
    assert not any(row.earlier for row in runs.rows())

    held = runs.open(prediction_id(member, "test"))
    ids, counts = held.read_counts("test", "prediction")
    held.write_counts("test", "prediction", ids[:2], counts.select([0, 1]))  # as of another split
    assert started == [] and not scores.has_counts(member, "test")
    assert runs.predict(member, "test") == held.id  # every image is on disk, so it only counts
    assert held.status().state == "queued"


def test_images_that_training_has_seen_are_named_with_the_score(trained) -> None:
    scores, runs = trained.workspace.scores, trained.workspace.runs
    first, second = map(runs.open, trained.members)
    note_seen(first, ["train/scene_0", "test/scene_1"], ["validation/scene_0", "test/scene_2"])
    said = (
        "Of these images 1 was trained on and 1 was used to choose the epoch: the scores flatter."
    )
    assert scores.report(first.id, "test").protocol.seen == said
    assert scores.report(first.id, "test").summary().how_sure.startswith(said)
    assert scores.report(f"{first.id}--test", "test").protocol.seen == said
    assert scores.report(second.id, "test").protocol.seen == ""
    assert scores.report(trained.ensemble, "test").protocol.seen == said
    assert scores.compare(first.id, second.id, "test").chosen == said  # so nothing is judged
    note_seen(first, ["test/scene_2"], [])  # resumed after another change of the splits
    again = Workspace(trained.workspace.folder).scores.seen(first.id, "test")
    assert again == "Of these images 2 were trained on: the scores flatter."


def test_a_merge_becomes_a_label_map_of_indices(trained, made_up) -> None:
    scores = trained.workspace.scores
    scores.save_label_map(trained.members[0], [[3], [8, 5], [11]], "open-and-paved")
    assert trained.workspace.datasets.open("tiny").load_label_map("open-and-paved") == LabelMap(
        ((0,), (1, 2), (3,)), "open-and-paved"
    )
    made_up.train("merged-1", label_map="open-and-paved")
    assert scores.label_set("merged-1").class_names == ["field", "forest + road", "roof"]
    with pytest.raises(SegcoreError, match="own labels"):
        scores.save_label_map("merged-1", [[0, 1], [2]], "again")
    with pytest.raises(SegcoreError, match="name"):
        scores.save_label_map(trained.members[0], [[3, 5], [8], [11]], "../outside")
    with pytest.raises(SegcoreError, match="over 4 classes"):
        scores.save_label_map(trained.members[0], [[3, 5], [8]], "incomplete")


def test_label_sets_follow_the_members(trained) -> None:
    for run in (*trained.members, f"{trained.members[0]}--test", trained.ensemble):
        assert trained.workspace.scores.label_set(run).class_ids == [3, 5, 8, 11]


def test_folders_of_any_tool_are_scored(workspace, tmp_path) -> None:
    (tmp_path / "classes.csv").write_text(
        "id,name,ignore\n3,field,false\n5,forest,false\n0,void,true\n"
    )
    true = np.array([[3, 3, 5, 0], [3, 5, 5, 0]], np.uint8)
    predicted = np.array([[3, 5, 5, 3], [3, 3, 5, 5]], np.uint8)
    for kind, mask in (("truth", true), ("prediction", predicted)):
        (tmp_path / kind / "day").mkdir(parents=True)
        Image.fromarray(mask).save(tmp_path / kind / "day" / "one.png")
    told = []
    report = workspace.scores.evaluate_folders(
        tmp_path / "truth",
        tmp_path / "prediction",
        tmp_path / "classes.csv",
        lambda *progress: told.append(progress),
    )
    assert report.to_json()["confusion"] == [[2, 1], [1, 2]]
    assert report.to_json()["ignored_share"] == pytest.approx(2 / 8)
    assert told == [(1, 1, "day/one")]


def test_folders_of_any_tool_are_drawn_by_drives_where_asked(workspace, tmp_path) -> None:
    (tmp_path / "classes.csv").write_text("id,name\n0,field\n1,forest\n")
    rng = np.random.default_rng(0)
    for kind in ("truth", "prediction"):
        (tmp_path / kind).mkdir()
        for number in range(14):
            mask = rng.integers(0, 2, (6, 6)).astype(np.uint8)
            Image.fromarray(mask).save(tmp_path / kind / f"drive{number % 7}x_{number:03d}.png")
    folders = (tmp_path / "truth", tmp_path / "prediction", tmp_path / "classes.csv")
    score = workspace.scores.evaluate_folders
    alone, whole = score(*folders).interval(), score(*folders, by="prefix").interval()
    assert (alone.unit, alone.groups, whole.unit, whole.groups) == ("images", 14, "groups", 7)
    with pytest.raises(SegcoreError, match="Unknown grouping 'day'"):
        score(*folders, by="day")
