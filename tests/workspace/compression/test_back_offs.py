"""Labels that back off for a run: a promise from one split, checked on another, and its masks."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from segcore.config import PredictOptions
from segcore.data.files.images import encode_png
from segcore.data.files.uploads import Upload
from segcore.errors import SegcoreError
from segcore.evaluation.compression.back_off import ROOT_ONLY, back_off
from segcore.postprocess.parameters import CRFParameters
from segcore.workspace.compression.back_offs import BackOffOptions

ROWS = b"class,parent\nfield,ground\nroad,ground\nforest,high\nroof,high\n"
PROMISE = BackOffOptions(0.28, "validation", file=ROWS)


@pytest.mark.parametrize("which", ["member", "ensemble"])
def test_the_report_counts_what_the_masks_show(trained, made_up, which) -> None:
    run = trained.members[0] if which == "member" else trained.ensemble
    workspace = trained.workspace
    if which == "ensemble":
        made_up.evaluate(trained.members, "validation", CRFParameters())
    steps = []
    result = workspace.back_offs.report(run, "test", PROMISE, lambda *step: steps.append(step[:2]))
    report = result.report
    assert steps == [(1, 3), (2, 3), (3, 3)] * 2
    tree, threshold = workspace.back_offs.calibrate(run, PROMISE)
    assert threshold.value == report.threshold.value
    wrong, given, pixels = [], np.zeros(len(tree.nodes)), 0
    for sample in trained.samples["test"]:
        truth = workspace.scenes.truth("tiny", sample)
        answers = workspace.back_offs.answers(run, "test", sample, tree, threshold)
        scored = truth != 255
        right = tree.contains[answers[scored], truth[scored]]
        wrong.append(1 - right.mean())
        given += np.bincount(answers[scored], minlength=len(tree.nodes))
        pixels += scored.sum()
    assert report.risk.value == pytest.approx(np.mean(wrong))
    assert [node.share for node in report.nodes] == pytest.approx(list(given / pixels))
    assert sum(level.share for level in report.levels) == pytest.approx(1)
    assert report.levels[1].titles == ("ground", "high")
    assert report.levels[-1].right in (1, pytest.approx(np.nan, nan_ok=True))


def test_what_was_counted_is_not_counted_again(trained, monkeypatch) -> None:
    run, back_offs = trained.members[0], trained.workspace.back_offs
    assert not back_offs.is_counted(run, "test", PROMISE)
    first = back_offs.report(run, "test", PROMISE).to_json()
    assert back_offs.is_counted(run, "test", PROMISE)
    monkeypatch.setattr("segcore.workspace.compression.back_offs.tally_image", None)
    assert back_offs.report(run, "test", PROMISE).to_json() == first
    other = BackOffOptions(0.9, "validation", file=ROWS)
    assert back_offs.report(run, "test", other).report.threshold.value == 0
    assert not back_offs.is_counted(run, "test", BackOffOptions(0.28))  # another tree


def test_argmax_and_the_merge_of_like_error_stand_beside_it(trained) -> None:
    run, workspace = trained.members[0], trained.workspace
    promise = replace(PROMISE, promise=0.34)
    report = workspace.back_offs.report(run, "test", promise, summed=True).report
    rows = {one.name: one for one in report.alternatives}
    assert list(rows) == ["argmax", "back_off", "merged", "summed"]
    counts = workspace.scores.counts(run, "test")[1]
    plain = 1 - counts.right.sum(1) / counts.true.sum(1)
    assert rows["argmax"].risk.value == pytest.approx(plain.mean(), abs=2e-3)
    assert rows["merged"].risk.value <= report.risk.value < rows["argmax"].risk.value
    assert rows["merged"].labels == 3
    assert 0 < rows["back_off"].bits <= report.whole_bits
    shares = counts.true.sum(0) / counts.true.sum()
    own = (counts.right.sum(0) * -np.log2(shares)).sum() / counts.true.sum()
    assert rows["argmax"].bits == pytest.approx(own, rel=0.01)


def test_a_promise_that_cannot_be_kept_by_so_few_images_is_the_root(trained) -> None:
    result = trained.workspace.back_offs.report(
        trained.members[0], "test", BackOffOptions(0.05, "validation")
    )
    assert result.report.threshold.value == ROOT_ONLY  # 1 / 4 from three images
    assert result.report.risk.value == 0
    assert "100 % say nothing" in result.report.headline()


def test_promised_by_class_each_class_has_a_risk(trained) -> None:
    options = BackOffOptions(0.6, "validation", by_class=True, file=ROWS)
    result = trained.workspace.back_offs.report(trained.members[0], "test", options).to_json()
    assert len(result["class_risk"]) == 4
    assert all(r <= 0.6 for r in result["calibration"]["risk"] if r is not None)


def test_saved_merges_are_a_chain(trained) -> None:
    run, workspace = trained.members[0], trained.workspace
    workspace.scores.save_label_map(run, [[3, 5], [8], [11]], "two-steps")
    workspace.scores.save_label_map(run, [[3, 5], [8, 11]], "two-steps")
    tree = workspace.back_offs.tree(run, BackOffOptions(hierarchy="two-steps"))
    assert tree.nodes[4:] == ((0, 1), (2, 3), (0, 1, 2, 3))
    with pytest.raises(SegcoreError, match="saved merge"):
        workspace.back_offs.tree(run, BackOffOptions(hierarchy="none such"))
    workspace.scores.save_label_map(run, [[3, 8], [5], [11]], "two-steps")
    with pytest.raises(SegcoreError, match="from fine to coarse"):
        workspace.back_offs.tree(run, BackOffOptions(hierarchy="two-steps"))


def test_a_promise_is_never_checked_where_it_was_made(trained) -> None:
    run, back_offs = trained.members[0], trained.workspace.back_offs
    with pytest.raises(SegcoreError, match="never checked"):
        back_offs.report(run, "validation", PROMISE)
    with pytest.raises(SegcoreError, match="not trained on"):
        back_offs.report(run, "test", BackOffOptions(0.4, "train", file=ROWS))
    with pytest.raises(SegcoreError, match="not trained on"):
        back_offs.report(run, "train", PROMISE)
    assert back_offs.unseen(run, ["train", "validation", "test"]) == ["validation", "test"]
    with pytest.raises(SegcoreError, match="choose 5%"):
        back_offs.report(run, "test", BackOffOptions(0.0))


def test_masks_without_probabilities_are_refused(trained) -> None:
    run, workspace = trained.members[0], trained.workspace
    folder = workspace.runs.open(f"{run}--validation")
    for sample in trained.samples["validation"]:
        answer = workspace.scenes.prediction(run, "validation", sample)
        folder.write_mask("validation", "prediction", sample, answer)
        folder.drop_probabilities("validation", sample)
    with pytest.raises(SegcoreError, match="whole probabilities"):
        workspace.back_offs.calibrate(run, PROMISE)


def test_exported_masks_and_their_legend(trained) -> None:
    run, workspace = trained.members[0], trained.workspace
    files = dict(workspace.back_offs.files(run, "test", PROMISE))
    legend = json.loads(files["legend.json"])
    tree, threshold = workspace.back_offs.calibrate(run, PROMISE)
    assert [row["node"] for row in legend["nodes"]] == [3, 5, 8, 11, 12, 13, 14]
    by_id = {row["node"]: row for row in legend["nodes"]}
    assert by_id[12]["title"] == "ground" and by_id[3]["parent"] == 12
    assert legend["promise"] == 0.28 and legend["units"] == 3
    for sample in trained.samples["test"]:
        mask = np.array(Image.open(io.BytesIO(files[f"masks/{sample}.png"])))
        levels = np.array(Image.open(io.BytesIO(files[f"levels/{sample}.png"])))
        answers = workspace.back_offs.answers(run, "test", sample, tree, threshold)
        ids = np.array([row["node"] for row in legend["nodes"]])
        assert np.array_equal(mask, ids[answers])
        assert all(
            by_id[i]["level"] == level for i, level in zip(mask.flat, levels.flat, strict=True)
        )


def test_own_images_get_the_same_answers(own_images) -> None:
    workspace, run = own_images.workspace, own_images.members[0]
    rng = np.random.default_rng(0)
    picture = own_images.label_set.colors[rng.integers(0, 4, (20, 30))]
    data = encode_png(picture)
    upload = Upload("one.png", lambda: data, len(data))
    batch = workspace.predictions.batches.accept([upload])
    options = PredictOptions()
    workspace.predictions.predict_all(run, batch, options)
    files = dict(workspace.back_offs.own_files(run, batch, options, PROMISE))
    (image,) = batch.images
    tree, threshold = workspace.back_offs.calibrate(run, PROMISE)
    probabilities = workspace.predictions.probabilities(run, batch, image.id, options)
    mask = np.array(Image.open(io.BytesIO(files[f"masks/{image.id}.png"])))
    ids = np.array([3, 5, 8, 11, 12, 13, 14])
    assert np.array_equal(mask, ids[back_off(tree, probabilities, threshold.value)])
    assert len(files) == 3
