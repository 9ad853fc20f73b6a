"""The page that edits a mask: which proposals it offers, and its history with the way back."""

import numpy as np


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
