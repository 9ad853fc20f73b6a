"""The balance page: what the planner says is what stands there; copies are training's own; a saved plan is kept."""

import dataclasses

import pytest

from segcore.data.balance.plans import BalancePlan


def test_the_cards_and_charts_are_the_plans(workspace, open_page, read) -> None:
    at = open_page("balance", dataset="tiny", balance_tab="Repeated images")
    plan = workspace.datasets.plan_balance("tiny", "train", "pixel", 5)
    shown = read.metrics(at)
    assert [shown[k] for k in ("Imbalance before", "After", "Best achievable")] == [
        f"{v:.3f}" for v in (plan.before, plan.after, plan.floor)
    ]
    assert (
        shown["Copies"] == str(plan.copies)
        and shown["Effective images"] == f"{plan.effective_sample_size:.0f}"
    )
    bars = {trace["name"]: trace["y"] for trace in read.figure(at, "shares")["data"]}
    assert set(bars) == {"before", "after", "target"} and len(bars["target"]) == 4
    rows = next(d.value for d in at.dataframe if "brings" in d.value.columns)
    assert dict(zip(rows["image"], rows["repeats"], strict=True)) == {
        s: r for s, r in plan.repeats.items() if r > 1
    }
    assert len(at.warning) + len(at.info) == 1


def test_mode_cap_and_budget_ask_for_another_plan(workspace, open_page, read) -> None:
    at = open_page("balance", dataset="tiny", mode="By count", balance_tab="Saved plans")
    at.number_input(key="cap").set_value(3).run()
    at.number_input(key="budget").set_value(2).run()
    assert not at.exception
    plan = workspace.datasets.plan_balance("tiny", "train", "count", 3, 2)
    assert read.metrics(at)["After"] == f"{plan.after:.3f}" and plan.copies <= 2
    code = at.code[0].value
    assert "balance tiny --split train --mode count --max-repeats 3 --budget 2" in code


def test_a_saved_plan_lies_where_training_looks(workspace, open_page) -> None:
    at = open_page("balance", dataset="tiny", balance_tab="Saved plans")
    (name,) = [t for t in at.text_input if t.label == "Plan name"]
    name.set_value("even").run()
    next(b for b in at.button if b.label == "Save plan").click().run()
    assert not at.exception and not at.error
    saved = BalancePlan.from_json(workspace.datasets.open("tiny").load_plan("even"))
    assert saved == workspace.datasets.plan_balance("tiny", "train", "pixel", 5)
    assert any("plan" in d.value.columns and "even" in list(d.value["plan"]) for d in at.dataframe)


def test_a_saved_plan_leads_to_a_form_that_trains_with_it(workspace, open_page, read) -> None:
    at = open_page("balance", dataset="tiny")
    assert not [b for b in at.button if b.key == "train_plan"]
    read.check(at.button(key="save_plan").click().run())
    read.check(at.button(key="train_plan").click().run())
    assert read.title(at) == "Train"
    (plan,) = [s for s in at.selectbox if s.label == "Balance plan"]
    assert plan.value == "pixel-5"
    assert "Trains with the balance plan **pixel-5**." in [
        i.value.replace("\\", "") for i in at.info
    ]
    read.check(plan.set_value("").run())
    assert not [i for i in at.info if "balance plan" in i.value]
    at = read.check(at.switch_page("pages/balance.py").run())
    read.check(at.button(key="train_plan").click().run())
    assert [s.value for s in at.selectbox if s.label == "Balance plan"] == ["pixel-5"]


def test_a_name_that_is_no_file_name_is_refused(workspace, open_page) -> None:
    at = open_page("balance", dataset="tiny")
    next(t for t in at.text_input if t.label == "Plan name").set_value("../x").run()
    next(b for b in at.button if b.label == "Save plan").click().run()
    assert "plan name" in at.error[0].value and workspace.datasets.open("tiny").plans() == {}


@pytest.mark.parametrize("preset", ["none", "aerial", "road"])
def test_every_copy_of_an_image_is_drawn(workspace, open_page, preset) -> None:
    at = open_page("balance", dataset="tiny", balance_tab="Training preview")
    at.selectbox(key="preset").set_value(preset).run()
    assert not at.exception
    plan = workspace.datasets.plan_balance("tiny", "train", "pixel", 5)
    chosen = at.selectbox(key="copies_of").value
    pictures = [i for element in at.get("image") for i in element.proto.imgs]
    assert len(pictures) == 2 * plan.repeats[chosen]
    if preset == "none":
        assert all("unchanged" in i.caption for i in pictures if i.caption)


def test_a_data_set_without_splits_leads_to_making_them(workspace, open_alone) -> None:
    dataset = workspace.datasets.open("tiny")
    dataset.with_splits({}).save()
    opened = open_alone("balance", dataset="tiny")
    assert opened.links == ["pages/dataset.py"] and not opened.at.metric


def test_a_split_without_masks_is_told_in_a_sentence(workspace, open_page) -> None:
    dataset = workspace.datasets.open("tiny")
    bare = [
        dataclasses.replace(s, mask=None, mask_digest="") if s.split == "train" else s
        for s in dataset.samples
    ]
    dataclasses.replace(dataset, samples=tuple(bare)).save()
    assert open_page("balance", dataset="tiny").error


def test_a_rule_and_a_distance_by_order_are_asked_for(workspace, open_page, read) -> None:
    at = open_page("balance", dataset="tiny", rule="ML-ROS", balance_tab="Alternatives")
    at.number_input(key="clone_share").set_value(0.5).run()
    read.check(at.button_group(key="ground").set_value("Ordinal").run())
    plan = workspace.datasets.plan_balance(
        "tiny", "train", rule="ml_ros", amount=0.5, ground="ordered"
    )
    assert read.metrics(at)["After"] == f"{plan.after:.3f}" and read.metrics(at)["Copies"] == str(
        plan.copies
    )
    rules = next(d.value for d in at.dataframe if "rule" in d.value.columns)
    # none comes nearer than what looks at the distance
    assert rules["after"].min() == rules["after"][0]
    at.session_state["balance_tab"] = "Saved plans"
    read.check(at.run())
    assert "--rule ml_ros --amount 0.5 --seed 0 --ground ordered" in at.code[0].value


def test_a_target_of_ones_own_starts_from_the_shares_as_they_are(
    workspace, open_page, read
) -> None:
    at = open_page("balance", dataset="tiny")
    read.check(at.button_group(key="target").set_value("Custom").run())
    assert float(read.metrics(at)["Imbalance before"]) < 1e-3 and read.metrics(at)["Copies"] == "0"
    plan = workspace.datasets.plan_balance("tiny", "train")
    assert read.figure(at, "shares")["data"][2]["y"] == pytest.approx(
        [100 * s for s in plan.shares_before], abs=0.02
    )
