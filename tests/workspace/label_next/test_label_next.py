"""Suggestions from predictions on disk: made by hand, so that the best image and its reason are known."""

import numpy as np
import pytest
from PIL import Image

from segcore.config import PredictConfig
from segcore.data.dataset.dataset import POOL
from segcore.errors import SegcoreError
from segcore.runs.folder.run_folder import FEATURES
from segcore.workspace.runs.run_ids import prediction_id

SIZE = (16, 24)


def _sure(mask):
    return np.eye(4, dtype=np.float32)[mask]


@pytest.fixture
def pool(workspace, made_up, tmp_path):
    """Two members that agree on "calm", contradict each other on "torn", and see a rare class in "rare"."""
    rng = np.random.default_rng(5)
    (tmp_path / "photos").mkdir()
    for name in ("calm", "rare", "torn", "twin"):
        pixels = np.random.default_rng(9 if name in ("torn", "twin") else rng.integers(99))
        image = Image.fromarray(pixels.integers(0, 255, (8, 9), np.uint8)).resize((48, 32), 0)
        image.convert("RGB").save(tmp_path / "photos" / f"{name}.png")
    workspace.pool.add("tiny", tmp_path / "photos")
    shares = workspace.datasets.statistics("tiny").pixels
    common, rarest = int(shares.argmax()), int(shares.argmin())
    masks = {name: np.full(SIZE, common) for name in ("calm", "rare", "torn", "twin")}
    masks["rare"][:4] = rarest
    for number, member in enumerate(("m1", "m2")):
        made_up.train(member)
        config = PredictConfig("tiny", member, POOL)
        folder = made_up.write(prediction_id(member, POOL), config)
        for name, mask in masks.items():
            own = mask.copy()
            if name in ("torn", "twin") and number:
                own[:, :12] = rarest
            folder.write_probabilities(POOL, name, _sure(own), (32, 48))
    labels = workspace.datasets.open("tiny").label_set.class_names
    return workspace, labels[common], labels[rarest]


def test_what_members_contradict_comes_first_with_its_votes(pool):
    workspace, common, rarest = pool
    chosen = workspace.label_next.suggest("tiny", ["m1", "m2"], "disagreement", 4)
    assert [image.sample for image in chosen.images] == ["torn", "calm", "rare"]
    assert chosen.duplicates == (("twin", "torn"),)
    said = chosen.images[0].reasons[0]
    assert said.startswith("1 of 2 members says ") and said.endswith(", on 50.0 % of the image")
    assert common in said and rarest in said
    assert chosen.images[1].reasons == ()


def test_rarity_names_the_rare_class(pool):
    workspace, _, rarest = pool
    best = workspace.label_next.suggest("tiny", ["m1"], "rarity", 1).images[0]
    assert best.sample == "rare" and f"25.0 % {rarest}, a rare class" in best.reasons
    assert best.scores["disagreement"] is None


def test_the_encoder_tells_images_apart_where_its_features_are_kept(pool):
    workspace, *_ = pool
    names = ["calm", "rare", "torn", "twin", "train/scene_0"]
    rows = np.array([[0.0, 0], [0, 1], [9, 9], [9, 9], [0, 0]], np.float32)
    folder = workspace.runs.open(prediction_id("m1", POOL))
    assert "predicted" in workspace.label_next.suggest("tiny", ["m1"], "diversity", 1).features
    folder.write_arrays(POOL, FEATURES, {"ids": np.array(names), "rows": rows})
    chosen = workspace.label_next.suggest("tiny", ["m1"], "diversity", 3)
    assert chosen.features == "the encoder of m1"
    assert [image.sample for image in chosen.images] == ["torn", "rare", "calm"]
    assert any("farther" in reason for reason in chosen.images[0].reasons)


def test_what_is_measured_is_kept_and_measured_anew_for_another_network(pool, monkeypatch):
    workspace, *_ = pool
    first = workspace.label_next.suggest("tiny", ["m1", "m2"], "mix", 3)
    monkeypatch.setattr("segcore.workspace.label_next.label_next.measure_image", None)
    assert workspace.label_next.suggest("tiny", ["m1", "m2"], "mix", 3) == first
    workspace.runs.open(prediction_id("m2", POOL)).write_status(created=1.0)
    with pytest.raises(TypeError):
        workspace.label_next.suggest("tiny", ["m1", "m2"], "mix", 3)


def test_images_that_are_not_predicted_are_counted_and_labelled_ones_leave(pool, tmp_path):
    workspace, *_ = pool
    Image.new("RGB", (48, 32)).save(tmp_path / "late.png")
    (tmp_path / "more").mkdir()
    (tmp_path / "late.png").rename(tmp_path / "more" / "late.png")
    workspace.pool.add("tiny", tmp_path / "more")
    assert workspace.label_next.unpredicted("tiny", ["m1"]) == ["late"]
    chosen = workspace.label_next.suggest("tiny", ["m1"], "entropy", 9)
    assert (chosen.pool, chosen.unpredicted) == (5, 1)
    mask = np.zeros((32, 48), np.uint8)
    workspace.masks.save("tiny", "torn", mask, based_on="", author="ada")
    left = workspace.label_next.suggest("tiny", ["m1"], "entropy", 9)
    assert {"torn", "twin"}.isdisjoint(image.sample for image in left.images)
    assert left.duplicates == (("twin", ""),)  # like one that is labelled now


def test_the_prediction_of_an_unlabelled_image_is_a_proposal(pool):
    workspace, *_ = pool
    assert workspace.masks.proposers("tiny", "calm") == ["m2", "m1"]
    assert workspace.masks.proposal("tiny", "calm", "m1").mask.shape == (32, 48)
    assert workspace.masks.open("tiny", "calm").version == 0


def test_what_cannot_be_is_a_sentence(pool, made_up):
    workspace, *_ = pool
    with pytest.raises(SegcoreError, match="name one or more"):
        workspace.label_next.suggest("tiny", [])
    with pytest.raises(SegcoreError, match="Unknown order"):
        workspace.label_next.suggest("tiny", ["m1"], "luck")
    made_up.train("m3")
    with pytest.raises(SegcoreError, match="predict them first"):
        workspace.label_next.suggest("tiny", ["m3"])
    with pytest.raises(SegcoreError, match="whose images have none"):
        workspace.runs.ensemble(["m1", "m2"], POOL)
