"""Members that differ by fold or architecture, from the train page to the ensemble page; and help on every choice of the train page."""

import dataclasses

import pytest

from segcore.catalog import MEMBERS_BY
from segcore.config import ModelConfig, TrainConfig
from segcore.labels import LabelMap
from segcore.runs.machine.devices import Device
from segcore.runs.queue import jobs

BY_FOLD = TrainConfig("tiny", ModelConfig("unet", "tiny", "none"), size=(32, 64), members_by="fold")


def field(elements, label: str):
    (found,) = [e for e in elements if e.label == label]
    return found


def choices(at) -> list:
    kinds = (
        at.selectbox,
        at.number_input,
        at.text_input,
        at.text_area,
        at.toggle,
        at.multiselect,
        at.button_group,
        at.checkbox,
        at.slider,
    )
    return [element for kind in kinds for element in kind]


def test_every_choice_of_the_train_page_has_a_line_of_help(
    workspace, made_up, monkeypatch, open_page, read
) -> None:
    gpus = [
        Device("gpu:0", "One", 2, 1 << 34, 0, 0.0, 40.0),
        Device("cpu", "A processor", 4, 1 << 36, 0, None, None),
    ]
    monkeypatch.setattr("segcore.workspace.runs.runs.list_devices", lambda: gpus)
    made_up.train("tiny-unet-tiny-made-1")
    workspace.configs.save("kept", BY_FOLD)
    workspace.datasets.open("tiny").save_label_map(LabelMap(((0, 1), (2,), (3,)), "merged"))
    at = open_page("train")
    field(at.selectbox, "Encoder").set_value("tiny").run()
    field(at.selectbox, "Encoder weights").set_value("file")
    seen = {}
    for device in ("gpu", "cluster"):
        field(at.button_group, "Device").set_value(device)
        read.check(at.run())
        seen |= {element.label: element.help for element in choices(at)}
    assert {
        "Checkpoint metric",
        "Seed",
        "Training split",
        "Validation split",
        "Vary",
        "Weights file",
        "GPUs",
    } <= set(seen)
    assert [label for label, told in seen.items() if not told and label != "Workspace"] == []
    assert all(
        ending in seen["Weights file"]
        for ending in (".npz", ".keras", ".weights.h5", ".safetensors", ".pth")
    )


def test_the_form_starts_members_by_fold_and_says_so(workspace, open_page, read) -> None:
    at = open_page("train")
    field(at.selectbox, "Encoder").set_value("tiny").run()
    by = field(at.selectbox, "Vary")
    assert by.options == [entry.title for entry in MEMBERS_BY.values()] and by.disabled
    read.check(field(at.number_input, "Ensemble size").set_value(3).run())
    read.check(field(at.selectbox, "Vary").set_value("fold").run())
    told = " ".join(c.value for c in at.caption)
    assert (
        "each of the 9 samples of train and validation is a validation sample of exactly one "
        "member; 3 test samples are in none"
    ) in told
    assert "--members-by fold --members 3" in at.code[0].value
    assert workspace.datasets.names() == ["tiny"]  # looking writes nothing
    read.check(field(at.button, "Start training").click().run())
    runs = [job.run for job in jobs.waiting(workspace.folder) if job.kind == "train"]
    assert [workspace.runs.open(run).config.dataset for run in runs] == [
        "tiny-fold-1",
        "tiny-fold-2",
        "tiny-fold-3",
    ]


def test_members_that_cannot_be_told_apart_are_refused_on_the_form(
    workspace, open_page, read
) -> None:
    at = open_page("train")
    field(at.selectbox, "Encoder").set_value("tiny").run()
    read.check(field(at.number_input, "Ensemble size").set_value(40).run())
    read.check(field(at.selectbox, "Vary").set_value("architecture").run())
    assert "ask for 10" in at.warning[0].value
    read.check(field(at.number_input, "Ensemble size").set_value(2).run())
    assert not at.warning and any(
        "each over Tiny, with its own seed" in c.value for c in at.caption
    )


@pytest.mark.parametrize("tab", ["Members", "Subsets", "CRF"])
def test_the_ensemble_page_offers_the_split_that_all_folds_share(
    workspace, started, open_page, tab
) -> None:
    runs = workspace.runs.train(BY_FOLD, 2)
    for run in runs:
        workspace.runs.open(run).model_path.write_bytes(b"")
        workspace.runs.open(run).write_status(state="finished", finished=1.0)
    at = open_page("ensemble", tab=tab, dataset="tiny")
    assert field(at.selectbox, "Dataset").options == ["tiny", "tiny-fold-1", "tiny-fold-2"]
    assert field(at.multiselect, "Members").value == runs
    assert next(group.options for group in at.button_group if group.label == "Split") == ["test"]
    (group,) = workspace.ensembles.groups("tiny")
    assert group.title == "Tiny U-Net, by fold"
    assert dataclasses.replace(group, name="").members == tuple(runs)
