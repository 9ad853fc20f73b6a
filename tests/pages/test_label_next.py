"""The tab Label next, the editor of an unlabelled image, and the card of a retrained run."""

import time

import numpy as np
import pytest
from PIL import Image

from segcore.config import PredictConfig
from segcore.data.dataset.dataset import POOL
from segcore.runs.folder.environment import note_environment
from segcore.workspace.retraining import LINK
from segcore.workspace.runs.run_ids import prediction_id


@pytest.fixture
def pool(workspace, made_up, tmp_path):
    """Three unlabelled images, predicted by one run that hesitates on one of them."""
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for name in ("calm", "odd", "torn"):
        pixels = Image.fromarray(rng.integers(0, 255, (8, 9), np.uint8)).resize((48, 32), 0)
        pixels.convert("RGB").save(tmp_path / "photos" / f"{name}.png")
    workspace.pool.add("tiny", tmp_path / "photos")
    made_up.train("m1")
    folder = made_up.write(prediction_id("m1", POOL), PredictConfig("tiny", "m1", POOL))
    for name in ("calm", "odd", "torn"):
        sure = np.eye(4, dtype=np.float32)[np.zeros((16, 24), int)]
        if name == "torn":
            sure[:] = [0.5, 0.5, 0, 0]
        folder.write_probabilities(POOL, name, sure, (32, 48))
    return workspace


def _tab(open_page, read, **query):
    at = open_page("dataset", dataset="tiny", show="Label next", **query)
    for _ in range(20):
        if any("compared by" in caption.value for caption in at.caption):
            break
        at = read.check(at.run())
    return at


def test_suggestions_come_with_their_reasons(pool, open_page, read):
    at = _tab(open_page, read, next_by="entropy")
    assert any("**3 unlabelled images**" in m.value for m in at.markdown)
    shown = [m.value for m in at.markdown if m.value.startswith("**") and "torn" in m.value]
    assert shown == ["**1** torn"]
    assert any(c.value.startswith("undecided between") for c in at.caption)


def test_a_dataset_without_unlabelled_images_says_how_to_add_some(workspace, open_page):
    at = open_page("dataset", dataset="tiny", show="Label next")
    assert any("Add images without masks" in caption.value for caption in at.caption)


def test_an_unlabelled_image_is_edited_with_its_prediction_and_its_split(pool, open_page, read):
    at = open_page("edit", dataset="tiny", sample="torn")
    assert at.selectbox(key="joins_split").value == "train"
    assert at.selectbox(key="proposal").options[0].startswith("m1")
    titles = [panel["title"] for panel in read.scene(at, "editor_tiny")["panels"]]
    assert titles[0] == "Mask" and len(titles) == 2
    labelled = open_page("edit", dataset="tiny", sample="train/scene_0")
    assert not [s for s in labelled.selectbox if s.key == "joins_split"]


def test_a_run_offers_to_retrain_and_its_clone_says_what_that_bought(
    workspace, made_up, open_page, read
):
    before = made_up.train("before")
    for run in (before, made_up.predict("before", "test", 0)):
        note_environment(run.folder)
    time.sleep(0.005)  # versions are dated to the millisecond
    opened = workspace.masks.open("tiny", "test/scene_1")
    mask = opened.mask.copy()
    mask[:10] = 2
    workspace.masks.save("tiny", "test/scene_1", mask, based_on=opened.digest)
    at = open_page("runs", dataset="tiny", run="before")
    assert any("**1 mask** changed" in m.value for m in at.markdown)
    assert {"Retrain from its weights", "Retrain from scratch"} <= {b.label for b in at.button}
    after = made_up.train("after")
    after.write_json(LINK, {"of": "before", "warm": True})
    for run in (after, made_up.predict("after", "test", 1)):
        note_environment(run.folder)
    at = open_page("runs", dataset="tiny", run="after", bought_split="test")
    assert "Change of mean IoU" in read.metrics(at)
