"""Which recipe helps: the form, an ablation that has found something, and what it offers to take away."""

import dataclasses
import json

import pytest

from segcore.config.ablation import ablation_from_json
from segcore.runs.machine import engines

ABLATION = {
    "name": "small",
    "base": {
        "model": {"encoder": "tiny", "weights": "none"},
        "recipe": {"epochs": 2, "batch_size": 2},
        "size": [32, 64],
    },
    "seeds": [0],
    "rows": [
        {
            "name": "ensemble",
            "combine": {"against": "mean"},
            "seeds": [0, 1],
            "claim": "helps",
            "said": "It did.",
        }
    ],
}


@pytest.fixture
def kept(trained, monkeypatch):
    """``trained`` as an ablation: two seeds of the base, their ensemble running."""
    monkeypatch.setattr(engines, "is_installed", lambda name: True)  # that of the runs among them
    ablations = trained.workspace.ablations
    second = trained.workspace.runs.open(trained.members[1])
    config = dataclasses.replace(second.config, seed=1)
    data = json.loads((second.folder / "config.json").read_text())
    (second.folder / "config.json").write_text(
        json.dumps({**data, "config": {**data["config"], "seed": config.seed}})
    )
    plan = ablations.plan(ablation_from_json(ABLATION), ["tiny"])
    ablations.start(plan)
    return plan


def test_an_ablation_begins_with_the_press_of_a_button(workspace, started, open_page, read) -> None:
    at = open_page("ablation")
    assert at.selectbox(key="study_file").value == "deck-cpu"  # this machine has no GPU
    at.selectbox(key="study_file").set_value("deck").run()
    assert at.multiselect(key="study_datasets_deck").value == ["tiny"]
    at.multiselect(key="study_seeds_deck").set_value([0])
    at.multiselect(key="study_rows_deck").set_value(["random encoder"])
    at.run()
    (start,) = [b for b in at.button if b.label == "Start ablation"]
    read.check(start.click().run())
    assert workspace.ablations.names() == []  # many trainings are confirmed
    read.check(at.button(key="confirm_study_start").click().run())
    assert workspace.ablations.names() == ["deck--tiny"]
    assert {
        workspace.runs.open(r).config.model.weights
        for r in workspace.runs.ids()
        if r[-2] == "-" and "--" not in r
    } == {
        "imagenet",
        "none",
    }
    assert at.selectbox(key="recipe_study").value == "deck--tiny"


def test_a_base_without_its_weights_says_what_is_missing(workspace, open_page) -> None:
    at = open_page("ablation")
    at.selectbox(key="study_file").set_value("deck-cpu").run()
    assert any("SqueezeNet 1.1" in info.value for info in at.info)
    assert not any("shell" in info.value or "--" in info.value for info in at.info)
    (start,) = [b for b in at.button if b.label == "Start ablation"]
    assert start.disabled and any("another template" in c.value for c in at.caption)


def test_an_ablation_shows_what_it_found_and_how_far_it_is(kept, open_page) -> None:
    at = open_page("ablation", recipe_study="small--tiny")
    found = {m.label: m.value for m in at.metric}
    assert found["Baseline mean IoU"] != "–" and found["Variants that help"] == "0"
    (table,) = at.dataframe
    assert (
        list(table.value["row"]) == ["base", "ensemble"] and table.value["verdict"][1] == "waiting"
    )
    assert [b.label for b in at.button if b.label in ("Stop", "Continue")] == ["Stop"]
    at.button(key="study_stop").click().run()
    assert [b.label for b in at.button if b.label in ("Stop", "Continue")] == ["Continue"]


def test_a_dataset_without_splits_leads_to_where_they_are_made(workspace, open_page) -> None:
    dataset = workspace.datasets.open("tiny")
    samples = tuple(dataclasses.replace(sample, split="") for sample in dataset.samples)
    dataclasses.replace(dataset, samples=samples).save()
    at = open_page("ablation")
    assert at.info[0].value.endswith("found none: make them first.")
    (link,) = [one.proto for one in at.get("page_link") if "splits" in one.proto.label]
    assert link.label == "Create splits of tiny" and "show=Splits" in link.query_string
