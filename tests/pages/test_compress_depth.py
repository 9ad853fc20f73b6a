"""Compress, looked into: merges by the tree and by hand, undone, kept apart, reported elsewhere, and trained with."""

import pytest

from segcore import formatting
from segcore.evaluation.compression.compression import fold
from segcore.evaluation.compression.dendrogram import build_dendrogram
from segcore.ui.compress import board
from segcore.workspace.compression.merges import WhatIfOptions

IDS = [3, 5, 8, 11]


def page(trained, open_page, **query: str):
    return open_page("compress", run=trained.members[0], split="validation", **query)


def by_hand(at, read, labels: list[int]):
    at.multiselect(key="merge_pick").set_value(labels)
    return read.check(at.button(key="merge_add").click().run())


def shows(at, read, trained, groups: list[list[int]], split: str = "validation") -> None:
    found = trained.workspace.merges.judge(trained.members[0], split, groups).to_json()
    shown = read.metrics(at)
    assert shown["Accuracy"] == formatting.percent(found["after"]["accuracy"])
    assert shown["Kappa"] == (
        "–" if found["after"]["kappa"] is None else f"{found['after']['kappa']:.2f}"
    )
    assert shown["Confusion resolved"] == formatting.points(found["after"]["resolved_confusion"])
    assert shown["Class-mix effect"] == formatting.points(found["after"]["composition"])
    (lift,) = [m for m in at.metric if m.label == "Lift over random"]
    low, high = found["lift_interval"]
    assert lift.delta == f"{low:.2f} to {high:.2f}"
    told = " ".join(c.value for c in at.caption)
    for prior, share in found["after"]["retained"].items():
        assert f"{formatting.percent(share)} by {prior}" in told


def test_a_cut_of_the_tree_is_judged(trained, open_page, read) -> None:
    at = page(trained, open_page, way="Clustering")
    read.check(at.slider(key="tree_labels").set_value(3).run())
    tree = build_dendrogram(
        trained.workspace.scores.counts(trained.members[0], "validation")[1].sum(0)
    )
    shows(at, read, trained, tree.cut(3).in_ids(IDS))


def test_labels_are_merged_by_hand_and_set_free_again(trained, open_page, read) -> None:
    at = page(trained, open_page, way="Manual")
    assert read.metrics(at)["Entropy kept"] == "100.0 %"
    by_hand(at, read, [3, 11])
    shows(at, read, trained, [[3, 11]])
    by_hand(at, read, [5, 11])  # a merged label brings its group along
    shows(at, read, trained, [[3, 5, 11]])
    assert at.multiselect(key="merge_pick").value == []
    read.check(at.button(key="split_3_5_11").click().run())
    assert read.metrics(at)["Entropy kept"] == "100.0 %"


def test_one_label_alone_merges_nothing(trained, open_page, read) -> None:
    at = page(trained, open_page, way="Manual")
    by_hand(at, read, [3])
    assert read.metrics(at)["Entropy kept"] == "100.0 %" and not [
        b for b in at.button if (b.key or "").startswith("split_")
    ]


def test_by_hand_starts_from_the_path(trained, open_page, read) -> None:
    at = page(trained, open_page)
    read.check(at.slider(key="labels").set_value(2).run())
    before = read.metrics(at)
    read.check(at.button_group(key="way").set_value("Manual").run())
    read.check(at.button(key="merge_start").click().run())
    assert read.metrics(at) == before


@pytest.mark.slow
def test_pairs_that_never_meet_shorten_the_path(trained, open_page, read) -> None:
    at = page(trained, open_page)
    at.multiselect(key="apart_pick").set_value([8, 3]).run()
    read.check(at.button(key="apart_add").click().run())
    study = trained.workspace.merges.what_if(
        trained.members[0], "validation", options=WhatIfOptions(forbidden=[("3", "8")])
    ).to_json()
    assert at.slider(key="labels").min == min(r["num_groups"] for r in study["path"]) == 2
    lines = {trace["name"]: trace for trace in read.figure(at, "curve")["data"]}
    assert lines["accuracy"]["y"] == pytest.approx([100 * r["accuracy"] for r in study["path"]])
    read.check(at.button_group(key="way").set_value("Manual").run())
    by_hand(at, read, [3, 8])
    assert "should stay apart" in at.warning[0].value
    read.check(at.button(key="allow_3_8").click().run())
    assert not at.warning


def test_the_exchange_rate_is_asked_of_every_advice(trained, open_page, read) -> None:
    at = page(trained, open_page)
    (rate,) = [n for n in at.number_input if n.label == "Trade-off rate"]
    read.check(rate.set_value(10.0).run())
    study = trained.workspace.merges.what_if(
        trained.members[0], "validation", options=WhatIfOptions(trade_off_rate=10.0)
    ).to_json()
    badges = [v["action"] for v in study["verdicts"][:6]]
    assert "merge" not in badges
    assert sum(any(action in m.value for action in badges) for m in at.markdown) >= len(badges)
    pair = study["verdicts"][0]["pair"]
    merged = trained.workspace.merges.judge(
        trained.members[0], "validation", [pair], "pixel"
    ).report
    gain = merged.after.accuracy - merged.before.accuracy
    kept = formatting.percent(merged.after.retained_entropy)
    assert f":gray[{formatting.points(gain)} · {kept}]" in [m.value for m in at.markdown]


def test_what_was_chosen_is_reported_on_test(trained, open_page, read) -> None:
    at = page(trained, open_page)
    at.session_state["merge_tab"] = "Holdout check"
    read.check(at.slider(key="labels").set_value(3).run())
    study = trained.workspace.merges.what_if(trained.members[0], "validation").to_json()
    (groups,) = [r["groups"] for r in study["path"] if r["num_groups"] == 3]
    chosen, told = (
        trained.workspace.merges.judge(trained.members[0], s, groups).to_json()
        for s in ("validation", "test")
    )
    table = next(d.value for d in at.dataframe if "checked on test" in d.value).set_index("what")
    for when in ("before", "after"):
        for column, report in (("selected on validation", chosen), ("checked on test", told)):
            cells, scores = table[column], report[when]
            assert cells[f"mean IoU, {when}"] == formatting.percent(scores["mean_iou"])
            assert cells[f"kappa, {when}"] == formatting.number(scores["kappa"], 2)
    low, high = (formatting.number(end, 2) for end in told["lift_interval"])
    assert table["checked on test"]["lift over random, 95 %"] == f"{low} to {high}"
    kinds = ("dataframe", "error", "warning", "info", "success")
    shown = [str(e.value) for e in at.main if e.type in kinds]
    said, drawn = (
        next(i for i, text in enumerate(shown) if words in text)
        for words in ("On test: ", "checked on test")
    )
    assert said < drawn  # the answer comes first


def test_the_table_of_a_merge_has_units(trained, open_page, read) -> None:
    at = page(trained, open_page, way="Manual")
    by_hand(at, read, [3, 11])
    found = trained.workspace.merges.judge(trained.members[0], "validation", [[3, 11]]).report
    table = next(d.value for d in at.dataframe if "change, 95 %" in d.value).set_index("what")
    after, change = table["after"], table["change, 95 %"]
    assert after["accuracy"] == formatting.percent(found.after.accuracy)
    assert after["entropy"] == f"{found.after.entropy_bits:.2f} bits"
    accuracy, kappa = (found.intervals[key] for key in ("accuracy", "kappa"))
    assert change["accuracy"] == formatting.points_interval(accuracy.low, accuracy.high)
    low, high = (formatting.signed(end, 2) for end in (kappa.low, kappa.high))
    assert change["kappa"] == f"{low} to {high}"


@pytest.mark.parametrize(
    ("view", "keys"),
    [("Tree and confusion", ["tree"]), ("Label flow", ["flow", "iou_after"])],
)
def test_each_view_is_drawn(trained, open_page, read, view, keys) -> None:
    at = page(trained, open_page)
    at.session_state["merge_tab"] = view
    read.check(at.run())
    for key in keys:
        assert read.figure(at, key)["data"]


def test_the_train_page_opens_with_the_merged_labels(trained, open_page, read) -> None:
    at = page(trained, open_page, way="Manual")
    by_hand(at, read, [3, 5])
    read.check(at.button(key="train_map").click().run())
    assert read.title(at) == "Train"
    assert trained.workspace.datasets.open("tiny").load_label_map("merged-3").groups == (
        (0, 1),
        (2,),
        (3,),
    )
    (epochs,) = [n.value for n in at.number_input if n.label == "Epochs"]
    assert epochs == trained.workspace.configs.clone(trained.members[0]).recipe.epochs
    assert any("merged labels **merged" in info.value for info in at.info)
    again = open_page("train", dataset="tiny", label_map="merged-3")
    (maps,) = [s for s in again.selectbox if s.label == "Label map"]
    assert maps.value == "merged-3"


@pytest.mark.slow
def test_steps_by_hand_are_undone_and_done_again(trained, open_page, read) -> None:
    at = page(trained, open_page, way="Manual")
    assert at.button(key="merge_undo").disabled and at.button(key="merge_redo").disabled
    by_hand(at, read, [3, 11])
    by_hand(at, read, [5, 8])
    read.check(at.button(key="merge_undo").click().run())
    shows(at, read, trained, [[3, 11]])
    read.check(at.button(key="merge_redo").click().run())
    shows(at, read, trained, [[3, 11], [5, 8]])
    read.check(at.button(key="merge_undo").click().run())
    by_hand(at, read, [3, 5])  # a new step forgets what was undone
    assert at.button(key="merge_redo").disabled
    shows(at, read, trained, [[3, 5, 11]])


def test_any_version_of_a_saved_merge_is_a_start(trained, open_page, read) -> None:
    for groups in ([[3, 5], [8], [11]], [[3, 8], [5], [11]]):
        trained.workspace.scores.save_label_map(trained.members[0], groups, "mine")
    at = page(trained, open_page, way="Manual")
    read.check(at.button(key="saved_mine_1").click().run())
    shows(at, read, trained, [[3, 5]])
    read.check(at.button(key="saved_mine_2").click().run())
    shows(at, read, trained, [[3, 8]])


def test_a_hierarchy_file_is_a_merge(trained, open_page, read) -> None:
    at = page(trained, open_page, way="Hierarchy")
    at.file_uploader(key="hierarchy").set_value(
        ("levels.csv", b"field,green,land\nforest,green,land\nroad,built,land\n", "text/csv")
    )
    read.check(at.run())
    shows(at, read, trained, [[3, 5]])
    read.check(at.selectbox(key="level").set_value(1).run())
    shows(at, read, trained, [[3, 5, 8]])
    at.file_uploader(key="hierarchy").set_value(("levels.csv", b"feld,green\n", "text/csv"))
    assert "did you mean 'field'" in read.check(at.run()).error[0].value


@pytest.mark.slow
def test_importance_weighs_what_is_kept(trained, open_page, read) -> None:
    at = page(trained, open_page, way="Manual")
    at.multiselect(key="importance_pick").set_value([8, 11]).run()
    at.number_input(key="importance_weight").set_value(3.0)
    read.check(at.button(key="importance_add").click().run())
    read.check(at.button_group(key="prior").set_value("importance").run())
    by_hand(at, read, [8, 11])
    judged = trained.workspace.merges.judge(
        trained.members[0], "validation", [[8, 11]], "importance", importance={"8": 3, "11": 3}
    ).to_json()
    assert read.metrics(at)["Entropy kept"] == formatting.percent(
        judged["after"]["retained_entropy"]
    )
    assert (
        f"{formatting.percent(judged['after']['retained']['importance'])} by importance"
        in " ".join(c.value for c in at.caption)
    )
    read.check(at.button(key="importance_drop_8").click().run())
    assert at.session_state["importance"] == {11: 3.0}


def test_examples_show_the_pixels_that_a_pair_is_confused_in(trained, open_page, read) -> None:
    at = page(trained, open_page, way="Manual")
    at.session_state["merge_tab"] = "Example pixels"
    by_hand(at, read, [3, 5])
    counts = trained.workspace.scores.counts(trained.members[0], "validation")[1]
    told = [c.value for c in at.caption if "px of" in c.value]
    assert len(told) == int(((counts[:, 0, 1] + counts[:, 1, 0]) > 0).sum())
    assert f"{counts[:, 0, 1].max():,}" in " ".join(told)
    read.check(at.button(key="split_3_5").click().run())
    assert any("resolves nothing" in i.value for i in at.info)


def test_merged_masks_are_shown_under_the_merged_labels(trained, open_page, read) -> None:
    at = page(trained, open_page, way="Manual")
    at.session_state["merge_tab"] = "Merged masks"
    by_hand(at, read, [3, 5])
    shown = read.scene(at, "merged")
    assert [p["title"] for p in shown["panels"]][:3] == [
        "Image",
        "Ground truth, merged",
        "Prediction, merged",
    ]
    assert shown["classes"] == ["field + forest", "road", "roof"]


def test_predicted_and_realised_stand_side_by_side(
    trained, made_up, started, open_page, read
) -> None:
    run, workspace = trained.members[0], trained.workspace
    at = page(trained, open_page, way="Manual")
    at.session_state["merge_tab"] = "Expected vs retrained"
    by_hand(at, read, [3, 5])
    assert "Selected on validation, scored on test" in " ".join(c.value for c in at.caption)
    read.check(at.button(key="sum").click().run())
    assert workspace.tiers.is_summed(run, "test", [[3, 5]])
    read.check(at.button(key="retrain").click().run())
    (clone,) = [
        r
        for r in workspace.runs.ids()
        if r.startswith("tiny-unet-tiny") and "--" not in r and r not in trained.members
    ]
    assert workspace.runs.open(f"{clone}--test").status().after == (clone,) and "retrain" not in [
        b.key for b in at.button
    ]
    # its worker is made up: what it would have counted
    workspace.runs.open(clone).write_status(state="finished", progress=1.0)
    prediction = workspace.runs.open(f"{clone}--test")
    ids, counts = workspace.scores.counts(trained.members[1], "test")
    prediction.write_counts(
        "test", "prediction", ids, fold(counts, workspace.merges.label_map(run, [[3, 5]]))
    )
    prediction.write_status(state="finished", finished=1_800_000_000.0)
    read.check(at.run())
    found = workspace.tiers.compare(run, "test", [[3, 5]]).to_json()
    over = found["tiers"][2]["beyond"]["mean_iou"]
    assert found["retrained"] == clone
    assert any(
        f"**Retraining** gained {formatting.points(over['difference'])}" in m.value
        for m in at.markdown
    )
    bars = {trace["name"]: trace for trace in read.figure(at, "tier_gains")["data"]}
    gain = bars["Retrained, 3 images"]
    assert gain["y"][0] == pytest.approx(100 * found["tiers"][2]["gain"]["mean_iou"]["difference"])


@pytest.mark.parametrize(
    ("moved", "wanted"),
    [
        ([[11, 3], [5], [8]], [[3, 11], [5], [8]]),
        ([[3], [5], [8]], None),
        ([[3, 3], [5], [8], [11]], None),
        ([[3], [5], [8], [11], [4]], None),
        ([["3"], [5], [8], [11]], None),
        ([3, 5, 8, 11], None),
    ],
)
def test_what_a_browser_sends_is_checked(moved, wanted) -> None:
    assert board.checked(moved, dict(zip(IDS, "abcd", strict=True))) == wanted
