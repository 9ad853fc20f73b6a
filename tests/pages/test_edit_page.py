"""The page that edits a mask: which proposals it offers, and its history with the way back."""

import dataclasses

import numpy as np
import pytest

from segcore.ui.edit.drawing import known_as


def _save(workspace, sample: str, value: int) -> np.ndarray:
    opened = workspace.masks.open("tiny", sample)
    mask = opened.mask.copy()
    mask[:3] = value
    workspace.masks.save("tiny", sample, mask, based_on=opened.digest, author="ada")
    return opened.mask


def _panels(read, at) -> list[str]:
    return [panel["title"] for panel in read.scene(at, "editor_tiny")["panels"]]


def test_an_image_that_runs_predicted_is_offered_their_predictions(trained, open_page, read):
    at = open_page("edit", dataset="tiny", sample="test/scene_1")
    assert at.selectbox(key="proposal").options[-1] == "no proposal"
    assert len(_panels(read, at)) == 2
    read.check(at.selectbox(key="proposal").set_value("no proposal").run())
    assert _panels(read, at) == ["Mask"]
    at = open_page("edit", dataset="tiny", sample="test/scene_1", proposal=trained.members[1])
    assert at.selectbox(key="proposal").value == trained.members[1]


def test_an_image_that_nothing_predicted_has_no_proposal(trained, open_page, read):
    at = open_page("edit", dataset="tiny", sample="train/scene_0")
    assert _panels(read, at) == ["Mask"] and "no proposal" in [c.value for c in at.caption]


def test_an_earlier_version_is_listed_and_restored(workspace, open_page, read):
    original = _save(workspace, "test/scene_0", 2)
    at = open_page("edit", dataset="tiny", sample="test/scene_0")
    (table,) = [d.value for d in at.dataframe if "version" in d.value.columns]
    assert list(table["version"]) == [2, 1] and list(table["state"]) == ["in use", ""]
    read.check(at.button(key="restore_version").click().run())
    assert np.array_equal(workspace.masks.open("tiny", "test/scene_0").mask, original)
    (table,) = [d.value for d in at.dataframe if "version" in d.value.columns]
    assert list(table["made from"]) == ["version 1", "editor", "import"]


def test_the_work_list_is_made_on_request_and_asks_about_the_most_worthwhile_first(
    trained, open_page, read
):
    workspace, run = trained.workspace, trained.members[0]
    _save(workspace, "test/scene_2", 3)
    at = open_page("edit", dataset="tiny", fix=run, split="test")
    assert any("lists the most worthwhile first" in caption.value for caption in at.main.caption)
    (button,) = [b for b in at.button if b.label == "Search for suspected labels"]
    at = read.check(button.click().run())
    for _ in range(20):
        if workspace.fixes.work_list(run, "test") is not None:
            break
        at = read.check(at.run())
    made = workspace.fixes.work_list(run, "test")
    at = open_page("edit", dataset="tiny", fix=run, split="test")
    assert read.scene(at, "fixes_tiny")["id"] == f"tiny:{made.images[0].sample}"


def test_a_list_that_was_worked_through_says_so(trained, open_page):
    workspace, run = trained.workspace, trained.members[0]
    made = workspace.fixes.make_list(run, "test")
    for image in made.images:
        for _ in range(9):
            regions = workspace.fixes.regions(run, "test", image.sample)
            workspace.fixes.decide("tiny", image.sample, [("kept", r) for r in regions])
    at = open_page("edit", dataset="tiny", fix=run, split="test")
    assert "looked through" in at.success[0].value


def test_a_list_of_a_run_that_is_gone_is_a_sentence(trained, open_page):
    at = open_page("edit", dataset="tiny", fix="deleted-1", split="test")
    assert "deleted-1" in at.error[0].value


def test_a_proposal_whose_run_is_gone_leaves_the_mask_to_edit(trained, open_page, read):
    at = open_page("edit", dataset="tiny", sample="test/scene_1", proposal="deleted-1")
    assert not at.error
    assert "Mask" in _panels(read, at)


@pytest.mark.parametrize(
    ("mask", "message"),
    [(np.full((3, 3), 1), "Expected a mask of"), (np.full((0, 0), 77), "Expected class indices")],
)
def test_a_proposal_that_does_not_fit_is_a_sentence(
    trained, open_page, read, monkeypatch, mask, message
):
    row = trained.workspace.datasets.open("tiny").sample("test/scene_1")
    given = mask if mask.size else np.full((row.height, row.width), 77)
    monkeypatch.setattr("segcore.workspace.scores.scenes.Scenes.prediction", lambda *_: given)
    at = open_page("edit", dataset="tiny", sample="test/scene_1")
    assert message in at.error[0].value
    read.check(at.selectbox(key="proposal").set_value("no proposal").run())
    assert _panels(read, at) == ["Mask"]


def test_the_files_of_a_promptable_network_are_checked_before_they_are_used(
    workspace, open_page, read
):
    at = open_page("edit", dataset="tiny", sample="test/scene_0")
    at.text_input(key="promptable_encoder").set_value("/nowhere/encoder.onnx")
    read.check(at.button(key="promptable_use").click().run())
    assert "found none at" in at.error[0].value and workspace.proposals.promptable is None


def test_an_image_too_large_to_edit_does_not_hold_up_the_list(trained, open_page, monkeypatch):
    workspace, run = trained.workspace, trained.members[0]
    _save(workspace, "test/scene_2", 3)
    assert workspace.fixes.make_list(run, "test").images
    monkeypatch.setattr("segcore.ui.viewer.EDIT_SIDE", 8)
    at = open_page("edit", dataset="tiny", fix=run, split="test")
    assert not at.error and "looked through" in at.success[0].value
    assert any("left out" in caption.value for caption in at.main.caption)


def test_other_colours_of_the_classes_bring_the_mask_anew(workspace):
    dataset = workspace.datasets.open("tiny")
    labels = dataset.label_set
    painted = dataclasses.replace(labels.classes[0], color=(1, 2, 3))
    other = dataclasses.replace(labels, classes=(painted, *labels.classes[1:]))
    assert known_as("d", dataset) != known_as("d", dataclasses.replace(dataset, label_set=other))
