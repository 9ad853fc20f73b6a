"""What does it look like: the viewer is sent the workspace's own arrays."""

import numpy as np
import pytest
from PIL import Image

from segcore import formatting
from segcore.config import EvaluateConfig
from segcore.labels import LabelMap
from segcore.postprocess import dense_crf
from segcore.postprocess.dense_crf import is_available
from segcore.ui.compare import fixed_broken
from segcore.ui.compare import panels as compare_panels
from segcore.ui.shared.run_names import short_name
from segcore.ui.viewer import Panel
from segcore.workspace.scores.rankings import Rankings


def titles(header: dict) -> list[str]:
    return [panel["title"] for panel in header["panels"]]


def viewers(at) -> list:
    """The components of the page but the one that every page has."""
    return [e for e in at.get("bidi_component") if "-frame" not in str(e.proto.id)]


def panels_of(workspace, *arguments) -> dict[str, Panel]:
    return {
        panel.title: panel for panel in compare_panels.model_scene(workspace, *arguments).panels
    }


def test_an_ensemble_is_shown_in_four_panels(trained, open_page, read) -> None:
    at = open_page("compare", run=trained.ensemble, split="test")
    header = read.scene(at, "compare")
    assert titles(header) == ["Image", "Ground truth", "Prediction", "CRF"]
    assert (header["height"], header["width"], header["truth"]) == (32, 48, 1)
    assert header["classes"] == ["field", "forest", "road", "roof"]
    report = trained.workspace.scores.report(trained.ensemble, "test").to_json()
    assert any(formatting.percent(report["mean_iou"]) in caption.value for caption in at.caption)


def test_the_panels_hold_the_workspaces_arrays(trained) -> None:
    scenes, sample = trained.workspace.scenes, "test/scene_2"
    shown = panels_of(
        trained.workspace, [trained.ensemble], "test", sample, list(compare_panels.PANELS)
    )
    probabilities = scenes.probabilities(trained.ensemble, "test", sample)
    prediction = probabilities.argmax(-1)
    np.testing.assert_array_equal(shown["Ground truth"].mask, scenes.truth("tiny", sample))
    np.testing.assert_array_equal(shown["Prediction"].mask, prediction)
    np.testing.assert_array_equal(shown["Errors"].mask, prediction)
    run = trained.workspace.runs.open(trained.ensemble)
    assert isinstance(run.config, EvaluateConfig)
    np.testing.assert_array_equal(shown["CRF"].mask, run.read_mask("test", "crf", sample))
    np.testing.assert_array_equal(shown["Confidence"].scalar, probabilities.max(-1))
    entropy = -(probabilities * np.log(np.maximum(probabilities, 1e-30))).sum(-1) / np.log(4)
    np.testing.assert_allclose(shown["Entropy"].scalar, entropy, atol=1e-5)


def test_models_stand_beside_each_other(trained, open_page, read) -> None:
    at = open_page("compare", run=trained.ensemble, split="test")
    read.check(at.multiselect(key="beside").set_value(list(trained.members)).run())
    read.check(at.button_group(key="panels").set_value(["truth", "prediction", "error"]).run())
    names = [short_name(run) for run in (trained.ensemble, *trained.members)]
    assert len(set(names)) == 3
    expected = [f"{panel} · {name}" for name in names for panel in ("Prediction", "Errors")]
    assert titles(read.scene(at, "compare")) == ["Ground truth", *expected]
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


def test_without_pydensecrf_three_panels_and_a_sentence_remain(
    trained, monkeypatch, open_page, read
) -> None:
    monkeypatch.setattr(dense_crf, "densecrf", None)
    at = open_page("compare", run=trained.ensemble, split="test")
    assert "pydensecrf" in at.warning[0].value
    assert titles(read.scene(at, "compare")) == ["Image", "Ground truth", "Prediction"]


@pytest.mark.skipif(not is_available(), reason="CRF NOT TESTED: pydensecrf is not installed")
def test_a_member_alone_is_refined_by_the_warm_worker(trained, open_page, read) -> None:
    at = open_page("compare", run=trained.members[0], split="validation")
    assert titles(read.scene(at, "compare")) == ["Image", "Ground truth", "Prediction", "CRF"]


def test_a_split_that_was_not_predicted_is_offered(trained, started, open_page, read) -> None:
    at = open_page("compare", run=trained.members[0], split="train")
    assert not viewers(at)
    read.check(at.button(key="predict_split").click().run())
    assert trained.workspace.runs.open(f"{trained.members[0]}--train").status().state == "queued"


def test_counts_without_probabilities_show_no_image(trained, open_page, read) -> None:
    """As in the demo's validation split, of which only the counts are shipped."""
    for member in trained.members:
        for path in (
            trained.workspace.runs.folder / f"{member}--validation" / "probabilities"
        ).rglob("*.prob"):
            path.unlink()
    at = open_page("compare", run=trained.members[0], split="validation")
    assert not viewers(at) and not at.error
    assert any("nothing to show yet" in words.value for words in at.markdown)
    assert at.button(key="keep_validation").label == "Predict all images"


def test_the_walk_goes_by_any_order_and_filter_and_the_link_keeps_them(
    trained, open_page, read
) -> None:
    at = open_page("compare", run=trained.ensemble, split="test", sort="Mean IoU")
    images, _ = trained.workspace.rankings.order(trained.ensemble, "test", "mean_iou")
    assert at.selectbox(key="sample").options == images
    assert images[0] in read.scene(at, "compare")["id"]
    read.check(at.multiselect(key="holds").set_value(["roof"]).run())
    with_roof = [i for i in images if (trained.workspace.scenes.truth("tiny", i) == 3).any()]
    assert at.selectbox(key="sample").options == with_roof
    assert len(with_roof) < len(images)
    read.check(at.text_input(key="find").set_value("no such image").run())
    assert "filters" in at.info[0].value


def test_masks_are_shown_through_a_saved_merge(trained) -> None:
    workspace, sample = trained.workspace, trained.samples["test"][0]
    merge = LabelMap(((0, 1), (2,), (3,)), "green")
    dataset = workspace.datasets.open("tiny")
    dataset.save_label_map(merge)
    shown = compare_panels.model_scene(
        workspace,
        [trained.ensemble],
        "test",
        sample,
        ["truth", "prediction", "confidence"],
        "green",
    )
    prediction = workspace.scenes.prediction(trained.ensemble, "test", sample)
    truth = workspace.scenes.truth("tiny", sample)
    np.testing.assert_array_equal(shown.panels[0].mask, merge.apply(truth, dataset.label_set))
    np.testing.assert_array_equal(shown.panels[1].mask, merge.apply(prediction, dataset.label_set))
    assert shown.label_set.num_classes == 3
    probabilities = workspace.scenes.probabilities(trained.ensemble, "test", sample)
    summed = np.stack(
        [probabilities[..., :2].sum(-1), probabilities[..., 2], probabilities[..., 3]], -1
    )
    np.testing.assert_allclose(shown.panels[2].scalar, summed.max(-1), atol=1e-6)


def test_merged_masks_stand_beside_the_masks_as_they_are(trained, open_page, read) -> None:
    workspace, sample = trained.workspace, trained.samples["test"][0]
    merge = LabelMap(((0, 1), (2,), (3,)), "green")
    dataset = workspace.datasets.open("tiny")
    dataset.save_label_map(merge)
    chosen = ["truth", "prediction", *compare_panels.MERGED]
    shown = compare_panels.model_scene(
        workspace, [trained.ensemble], "test", sample, chosen, "green"
    )
    panels = {panel.title: panel for panel in shown.panels}
    assert shown.label_set.class_names == ["field", "forest", "road", "roof", "field + forest"]
    truth, prediction = (
        workspace.scenes.truth("tiny", sample),
        workspace.scenes.prediction(trained.ensemble, "test", sample),
    )
    places = np.array([4, 2, 3])
    refined = compare_panels.crf_mask(workspace, trained.ensemble, "test", sample)
    for title, mask in (
        ("Ground truth", truth),
        ("Prediction", prediction),
        ("CRF", refined),
    ):
        merged = merge.apply(mask, dataset.label_set)
        expected = np.where(merged == 255, 255, places[np.minimum(merged, 2)])
        np.testing.assert_array_equal(panels[f"{title}, merged"].mask, expected)
        if title in panels:
            np.testing.assert_array_equal(panels[title].mask, mask)
    # each is judged against the truth in its own labels
    at = [p.title for p in shown.panels].index("Ground truth, merged")
    assert [panels[f"{t}, merged"].versus for t in ("Ground truth", "Prediction", "CRF")] == [
        at
    ] * 3
    assert panels["Prediction"].versus is None and shown.truth == 0
    top = panels["Prediction, merged"].top
    assert set(np.unique(top.labels)) <= {2, 3, 4}
    np.testing.assert_allclose(top.probabilities.sum(-1), 1, atol=1e-5)

    page = open_page("compare", run=trained.ensemble, split="test")
    assert read.scene(page, "compare")["classes"] == [
        "field",
        "forest",
        "road",
        "roof",
    ]  # a saved merge changes nothing unasked
    read.check(page.button_group(key="panels").set_value(["prediction", "merged"]).run())
    header = read.scene(page, "compare")
    assert [p["title"] for p in header["panels"] if "hidden" not in p] == [
        "Prediction",
        "Prediction, merged",
    ]
    assert header["classes"][-1] == "field + forest"
    read.check(
        page.selectbox(key="labels").set_value("green").run()
    )  # all through the merge: nothing stands beside
    assert read.scene(page, "compare")["classes"] == ["field + forest", "road", "roof"]


def test_a_difference_is_of_the_first_model_and_what_is_held_against_may_be_hidden(trained) -> None:
    a, b = trained.members
    scene = compare_panels.model_scene(
        trained.workspace, [a, b], "test", trained.samples["test"][0], ["difference"]
    )
    (shown,) = [panel for panel in scene.panels if not panel.hidden]
    np.testing.assert_array_equal(
        shown.mask, trained.workspace.scenes.prediction(b, "test", trained.samples["test"][0])
    )
    first = trained.workspace.scenes.prediction(a, "test", trained.samples["test"][0])
    np.testing.assert_array_equal(scene.panels[shown.versus].mask, first)
    np.testing.assert_array_equal(
        scene.panels[scene.truth].mask,
        trained.workspace.scenes.truth("tiny", trained.samples["test"][0]),
    )


def test_a_link_of_earlier_versions_opens_each_of_its_panels(trained, open_page) -> None:
    asked = ["True mask", "Image", "Confidence"]
    at = open_page("compare", run=trained.members[0], split="test", panels=asked)
    assert set(at.session_state["panels"]) == {"truth", "image", "confidence"}
    assert at.query_params["panels"] != asked


def test_scores_and_exchanges_of_two_models_are_those_of_the_workspace(
    trained, open_page, read
) -> None:
    a, b = trained.members
    at = open_page("compare", run=a, beside=b, split="test", view_of="Scores")
    found = trained.workspace.reports.compare(a, b, "test")
    assert read.metrics(at)["A minus B, mean IoU"] == formatting.points(found.difference.value)
    at = open_page("compare", run=a, beside=b, split="test", view_of="Pixels")
    exchange = trained.workspace.rankings.fixed_broken(a, b, "test")
    shown = read.metrics(at)
    assert (shown["Fixed"], shown["Broken"]) == (
        f"{exchange.fixed.sum():,}",
        f"{exchange.broken.sum():,}",
    )
    cells = {
        tuple(c[:2]): c[2]
        for written in read.figure(at, "fixed_broken_matrix")["data"][1:]
        for c in written["customdata"]
    }
    assert cells == {
        (int(t), int(o)): int(exchange.net[t, o]) for t, o in np.argwhere(exchange.net)
    }


def test_exchanges_are_counted_once_for_all_browsers_and_say_on_how_many_images(
    trained, open_page, monkeypatch
) -> None:
    b, a = trained.members
    link = {"run": a, "beside": b, "split": "test", "view_of": "Pixels"}
    first = open_page("compare", **link)
    counted = len(trained.workspace.rankings.fixed_broken(a, b, "test").sample_ids)
    written = f"Counted on {counted} images of test."
    assert written in [c.value for c in first.caption]
    monkeypatch.delattr(Rankings, "fixed_broken")
    assert written in [c.value for c in open_page("compare", **link).caption]


def test_exchanges_of_few_images_name_the_rest() -> None:
    assert fixed_broken._counted_on(8, 24, "test").startswith("Counted on 8 of 24 images of test,")


def test_predictions_of_another_tool_come_in_by_the_form(
    trained, open_page, read, tmp_path
) -> None:
    workspace, folder = trained.workspace, tmp_path / "theirs"
    folder.mkdir()
    for sample in trained.samples["test"][:2]:
        mask = workspace.scenes.prediction(trained.members[0], "test", sample)
        Image.fromarray(
            np.array(workspace.datasets.open("tiny").label_set.class_ids, np.uint8)[mask]
        ).save(folder / f"{sample.rsplit('/')[-1]}.png")
    at = open_page("runs", **{"import": "predictions"})
    read.check(at.text_input(key="foreign_path").set_value(str(folder)).run())
    read.check(at.text_input(key="foreign_name").set_value("other").run())
    read.check(
        next(
            b
            for b in at.button
            if b.label == "Import predictions" and b.key != "import_predictions"
        )
        .click()
        .run()
    )
    assert "2 of 3 images" in at.warning[0].value
    assert "other" not in workspace.runs.ids()
    read.check(at.toggle(key="foreign_partial").set_value(True).run())
    read.check(
        next(
            b
            for b in at.button
            if b.label == "Import predictions" and b.key != "import_predictions"
        )
        .click()
        .run()
    )
    assert "Imported 2 of 3 images as other" in at.success[0].value
    at = open_page("compare", run="other", split="test")
    assert titles(read.scene(at, "compare")) == ["Image", "Ground truth", "Prediction"]
