"""The tab of labels that back off: calibrated once, then each promise shows the workspace's report."""

import pytest

from segcore.workspace.compression.back_offs import BackOffOptions


@pytest.fixture
def tab(trained, open_page, read):
    at = open_page("compress", run=trained.members[0], split="validation", merge_tab="Back off")
    return read.check(at.button(key="calibrate").click().run())


def test_a_promise_shows_the_workspaces_report(trained, tab, read) -> None:
    report = None
    for percent in (5.0, 28.0):
        at = read.check(tab.slider(key="promise").set_value(percent).run())
        options = BackOffOptions(percent / 100)
        report = trained.workspace.back_offs.report(trained.members[0], "test", options).to_json()
        texts = [m.value for m in at.markdown]
        assert f"#### {report['headline']}" in texts and report["outcome"] in texts
        bars = read.figure(at, "back_off_levels")["data"]
        assert [bar["x"][0] for bar in bars] == pytest.approx(
            [100 * level["share"] for level in report["levels"]]
        )
    assert report is not None
    assert not any(b.key == "calibrate" for b in tab.button)
    (table,) = [d.value for d in tab.dataframe if "bits kept" in d.value]
    wanted = {one["name"]: one for one in report["alternatives"]}
    assert table["wrong"].tolist()[:2] == pytest.approx(
        [100 * wanted[name]["risk"]["value"] for name in ("argmax", "back_off")]
    )
    assert table["bits kept"].tolist()[1] == pytest.approx(wanted["back_off"]["bits"])


def test_a_class_is_promised_on_demand(tab, read) -> None:
    at = read.check(tab.slider(key="promise").set_value(30.0).run())
    at = read.check(at.toggle(key="back_off_by_class").set_value(True).run())
    (table,) = [d.value for d in at.dataframe if "promised" in d.value]
    assert len(table) == 4


def test_saved_merges_and_files_are_offered_as_hierarchies(trained, tab, read) -> None:
    trained.workspace.scores.save_label_map(trained.members[0], [[3, 5], [8], [11]], "field-forest")
    at = read.check(tab.run())
    assert at.selectbox(key="back_off_tree").options == [
        "Merge tree",
        "field-forest",
        "Hierarchy file",
    ]
    at = read.check(at.selectbox(key="back_off_tree").set_value("Hierarchy file").run())
    assert any("Choose a file" in c.value for c in at.caption)
    at = read.check(at.selectbox(key="back_off_tree").set_value("field-forest").run())
    assert at.button(key="calibrate")  # another tree, another pass


def test_a_split_that_was_trained_on_is_refused_in_a_sentence(trained, made_up, open_page, read):
    made_up.predict(trained.members[0], "train", 0)
    at = open_page("compress", run=trained.members[0], split="train", merge_tab="Back off")
    assert any("trained on neither" in info.value for info in at.info)


def test_dropped_probabilities_are_asked_for_where_they_are_needed(trained, open_page, read):
    (member, _), workspace = trained.members, trained.workspace
    workspace.probability_storage.drop(f"{member}--test")
    at = open_page("compress", run=member, split="validation", merge_tab="Back off")
    assert any("Missing probabilities: 3 images of test." in c.value for c in at.caption)
    assert not any(b.key == "calibrate" for b in at.button)
    at = read.check(at.button(key="predict_missing").click().run())
    assert workspace.runs.open(f"{member}--test").status().state == "queued"
    assert not any(b.key == "predict_missing" for b in at.button)  # it is followed now
