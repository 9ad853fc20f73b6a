"""What does it look like: the viewer is sent the workspace's own arrays."""

import numpy as np
import pytest

from segcore.config import EvaluateConfig
from segcore.postprocess import dense_crf
from segcore.postprocess.dense_crf import is_available
from segcore.ui import scenes
from segcore.ui.viewer import Panel


def titles(header: dict) -> list[str]:
    return [panel["title"] for panel in header["panels"]]


def panels_of(workspace, *arguments) -> dict[str, Panel]:
    return {panel.title: panel for panel in scenes.model_scene(workspace, *arguments).panels}


def test_an_ensemble_is_shown_in_four_panels(trained, open_page, read) -> None:
    at = open_page("compare", run=trained.ensemble, split="test")
    header = read.scene(at, "compare")
    assert titles(header) == ["Image", "True mask", "Predicted mask", "CRF mask"]
    assert (header["height"], header["width"], header["truth"]) == (32, 48, 1)
    assert header["classes"] == ["field", "forest", "road", "roof"]
    report = trained.workspace.scores.report(trained.ensemble, "test").to_json()
    assert any(f"{100 * report['mean_iou']:.2f} %" in caption.value for caption in at.caption)


def test_the_panels_hold_the_workspaces_arrays(trained) -> None:
    shelf, sample = trained.workspace.scenes, "test/scene_2"
    shown = panels_of(trained.workspace, [trained.ensemble], "test", sample, list(scenes.PANELS))
    probabilities = shelf.probabilities(trained.ensemble, "test", sample)
    prediction = probabilities.argmax(-1)
    np.testing.assert_array_equal(shown["True mask"].mask, shelf.truth("tiny", sample))
    np.testing.assert_array_equal(shown["Predicted mask"].mask, prediction)
    np.testing.assert_array_equal(shown["Error"].mask, prediction)
    run = trained.workspace.runs.open(trained.ensemble)
    assert isinstance(run.config, EvaluateConfig)
    np.testing.assert_array_equal(shown["CRF mask"].mask, run.read_mask("test", "crf", sample))
    np.testing.assert_array_equal(shown["Confidence"].scalar, probabilities.max(-1))
    entropy = -(probabilities * np.log(np.maximum(probabilities, 1e-30))).sum(-1) / np.log(4)
    np.testing.assert_allclose(shown["Entropy"].scalar, entropy, atol=1e-5)


def test_models_stand_beside_each_other(trained, open_page, read) -> None:
    at = open_page("compare", run=trained.ensemble, split="test")
    read.check(at.multiselect(key="beside").set_value(list(trained.members)).run())
    read.check(at.button_group(key="panels").set_value(["truth", "prediction", "error"]).run())
    names = [scenes.short_name(run) for run in (trained.ensemble, *trained.members)]
    assert len(set(names)) == 3
    expected = [f"{panel} · {name}" for name in names for panel in ("Predicted mask", "Error")]
    assert titles(read.scene(at, "compare")) == ["True mask", *expected]
    # the model that stood beside becomes the one that is looked at
    read.check(at.selectbox(key="run").set_value(trained.members[0]).run())
    assert trained.members[0] not in at.multiselect(key="beside").value


def test_another_image_is_another_scene(trained, open_page, read) -> None:
    at = open_page("compare", run=trained.ensemble, split="test")
    seen = {}
    for sample in trained.samples["test"]:
        read.check(at.selectbox(key="sample").set_value(sample).run())
        seen[sample] = read.scene(at, "compare")
        assert sample in seen[sample]["id"]
    assert len({header["digest"] for header in seen.values()}) == 3
    read.check(at.selectbox(key="sample").set_value(trained.samples["test"][0]).run())
    assert read.scene(at, "compare") == seen[trained.samples["test"][0]]


def test_a_link_opens_the_same_image(trained, open_alone, read) -> None:
    at = open_alone("compare", run=trained.ensemble, split="test", sample="test/scene_1").at
    assert at.selectbox(key="sample").value == "test/scene_1"
    assert "test/scene_1" in read.scene(at, "compare")["id"]


def test_no_panel_at_all_means_the_usual_four(trained, open_page, read) -> None:
    at = open_page("compare", run=trained.ensemble, split="test")
    read.check(at.button_group(key="panels").set_value([]).run())
    assert len(titles(read.scene(at, "compare"))) == 4


def test_without_pydensecrf_three_panels_and_a_sentence_remain(trained, monkeypatch, open_page, read) -> None:
    monkeypatch.setattr(dense_crf, "densecrf", None)
    at = open_page("compare", run=trained.ensemble, split="test")
    assert "pydensecrf" in at.warning[0].value
    assert titles(read.scene(at, "compare")) == ["Image", "True mask", "Predicted mask"]


@pytest.mark.skipif(not is_available(), reason="CRF NOT TESTED: pydensecrf is not installed")
def test_a_member_alone_is_refined_by_the_warm_worker(trained, open_page, read) -> None:
    at = open_page("compare", run=trained.members[0], split="validation")
    assert titles(read.scene(at, "compare")) == ["Image", "True mask", "Predicted mask", "CRF mask"]


def test_a_split_that_was_not_predicted_is_offered(trained, started, open_page, read) -> None:
    at = open_page("compare", run=trained.members[0], split="train")
    assert not at.get("bidi_component")
    read.check(at.button(key="predict_split").click().run())
    assert trained.workspace.runs.open(f"{trained.members[0]}--train").status().state == "queued"


def test_counts_without_probabilities_show_no_image(trained, open_page, read) -> None:
    """As in the demo's validation split, of which only the counts are shipped."""
    for member in trained.members:
        for path in (trained.workspace.runs.folder / f"{member}--validation" / "probabilities").rglob("*.prob"):
            path.unlink()
    at = open_page("compare", run=trained.members[0], split="validation")
    assert not at.get("bidi_component") and not at.error
    assert "No image" in at.info[0].value
