"""What if labels were merged: the slider walks the path that the workspace computes."""

import pytest

from segcore import formatting
from segcore.workspace.compression.merges import WhatIfOptions


@pytest.mark.parametrize("number", [4, 3, 2, 1])
def test_each_number_of_labels_shows_its_row(trained, open_page, read, number) -> None:
    at = open_page("compress", run=trained.members[0], split="validation")
    read.check(at.slider(key="labels").set_value(number).run())
    study = trained.workspace.merges.what_if(trained.members[0], "validation").to_json()
    (row,) = [row for row in study["path"] if row["num_groups"] == number]
    shown = read.metrics(at)
    assert shown["Accuracy"] == formatting.percent(row["accuracy"])
    assert shown["Mean IoU"] == formatting.percent(row["mean_iou"])
    assert shown["Entropy kept"] == formatting.percent(row["retained_entropy"])
    assert (shown["Better than random merges"] == "–") == (number == 4)
    assert shown["Lift over random"] == ("–" if row["lift"] is None else f"{row['lift']:.2f}")
    names = dict(zip([3, 5, 8, 11], ["field", "forest", "road", "roof"], strict=True))
    merged = [" + ".join(names[i] for i in group) for group in row["groups"] if len(group) > 1]
    (said,) = [c.value for c in at.caption if "compared" in c.value]
    assert said.startswith(f"All {study['front_compared']:,} merges were compared.")
    assert said.partition("Merged here: ")[2] == (f"{', '.join(merged)}." if merged else "")
    table = at.dataframe[0].value.set_index("what")
    assert table["before"]["accuracy"] == formatting.percent(study["baseline"]["accuracy"])
    assert table["after"]["kappa"] == formatting.number(row["kappa"], 2)


def test_the_curve_is_the_path(trained, open_page, read) -> None:
    at = open_page("compress", run=trained.members[0], split="validation")
    study = trained.workspace.merges.what_if(trained.members[0], "validation").to_json()
    lines = {trace["name"]: trace for trace in read.figure(at, "curve")["data"]}
    assert lines["accuracy"]["y"] == pytest.approx([100 * row["accuracy"] for row in study["path"]])
    assert lines["accuracy"]["x"] == pytest.approx(
        [100 * row["retained_entropy"] for row in study["path"]]
    )


@pytest.mark.parametrize("prior", ["pixel", "image", "uniform"])
def test_what_counts_as_information_is_chosen(trained, open_page, read, prior) -> None:
    at = open_page("compress", run=trained.members[0], split="validation")
    read.check(at.button_group(key="prior").set_value(prior).run())
    read.check(at.slider(key="labels").set_value(3).run())
    study = trained.workspace.merges.what_if(
        trained.members[0], "validation", options=WhatIfOptions(prior=prior)
    ).to_json()
    (row,) = [row for row in study["path"] if row["num_groups"] == 3]
    assert read.metrics(at)["Entropy kept"] == formatting.percent(row["retained_entropy"])


def test_a_merge_is_saved_and_can_be_trained_with(trained, open_page, read) -> None:
    at = open_page("compress", run=trained.members[0], split="validation")
    read.check(at.slider(key="labels").set_value(2).run())
    (name,) = [t for t in at.text_input if t.label == "Name"]
    name.set_value("two")
    read.check(at.button(key="save_map").click().run())
    study = trained.workspace.merges.what_if(trained.members[0], "validation").to_json()
    (row,) = [row for row in study["path"] if row["num_groups"] == 2]
    saved = trained.workspace.datasets.open("tiny").load_label_map("two")
    ids = trained.workspace.scores.label_set(trained.members[0]).class_ids
    assert {frozenset(ids[i] for i in group) for group in saved.groups} == {
        frozenset(group) for group in row["groups"]
    }
    train = open_page("train")
    (maps,) = [s for s in train.selectbox if s.label == "Label map"]
    assert maps.options == ["None", "two"]


def test_a_name_that_leads_outside_is_refused_in_a_sentence(trained, open_page, read) -> None:
    at = open_page("compress", run=trained.members[0], split="validation")
    (name,) = [t for t in at.text_input if t.label == "Name"]
    name.set_value("../two")
    read.check(at.button(key="save_map").click().run())
    assert "name" in at.error[0].value
    assert not trained.workspace.datasets.open("tiny").label_maps()


def test_a_run_with_fewer_labels_takes_the_slider_along(trained, made_up, open_page, read) -> None:
    """A run of merged labels has a shorter path: the number that was chosen before need not exist on it."""
    trained.workspace.scores.save_label_map(trained.members[0], [[3, 5, 8], [11]], "two")
    made_up.train("merged-1", label_map="two")
    run = made_up.predict("merged-1", "validation", 0)
    ids, counts = run.read_counts("validation", "prediction")
    run.write_counts("validation", "prediction", ids, counts[:, :2, :2].copy())
    at = open_page("compress", run=trained.members[0], split="validation")
    read.check(at.slider(key="labels").set_value(4).run())
    read.check(at.selectbox(key="run").set_value("merged-1").run())
    assert at.slider(key="labels").max == 2 and at.session_state["labels"] <= 2


def test_verdict_and_figures_stand_above_the_choice(trained, open_page) -> None:
    at = open_page("compress", run=trained.members[0], split="validation")
    shown = list(at.main)
    verdict = at.info[0] if at.info else (at.success or at.warning)[0]
    texts = [getattr(e, "label", "") or getattr(e, "value", "") for e in shown]
    places = [
        next(i for i, e in enumerate(shown) if e is verdict),
        texts.index("Accuracy"),
        texts.index("Better than random merges"),
        texts.index("**Suggested merges**"),
        texts.index("Number of labels"),
        texts.index("All metrics"),
    ]
    assert places == sorted(places)
