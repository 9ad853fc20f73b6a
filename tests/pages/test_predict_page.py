"""What about my own image: files come in, hostile ones are told, the viewer is sent what the network said."""

import io
import zipfile

import numpy as np
from PIL import Image

from segcore.config import PredictOptions
from segcore.workspace.compression.back_offs import BackOffOptions
from segcore.workspace.predictions.predictions import shares
from tests.data.files.geotiffs import write_scene


def png(label_set, mask):
    buffer = io.BytesIO()
    Image.fromarray(label_set.colors[mask]).save(buffer, "PNG")
    return buffer.getvalue()


def test_images_are_uploaded_predicted_and_shown(own_images, open_page, read) -> None:
    at = open_page("predict", run=own_images.members[1])
    assert not at.error and not own_images.asked
    assert [c.key for c in at.get("bidi_component")] == ["frame"], "no viewer yet"
    mask = np.repeat(np.arange(4, dtype=np.uint8), 6).reshape(4, 6)
    files = [
        ("one.png", png(own_images.label_set, mask), "image/png"),
        ("two.png", png(own_images.label_set, mask[::-1]), "image/png"),
    ]
    uploader = at.file_uploader(key="own_files")
    for file in (*files, ("<b>.svg", b"<svg/>", "image/svg+xml")):
        uploader.upload(*file)
    read.check(at.run())
    header = read.scene(at, "own")
    assert [p["title"] for p in header["panels"]] == ["Image", "Prediction", "Confidence"]
    assert (header["height"], header["width"]) == (4, 6)
    assert [q for q, _ in own_images.asked] == ["load", "predict"]
    refused, table = (d.value for d in at.dataframe[:2])
    assert list(refused["file"]) == ["<b>.svg"] and "convert or remove it" in refused["why"][0]
    assert (
        sorted(table["class"]) == ["field", "forest", "road", "roof"] and table["share"].sum() == 1
    )
    read.check(at.selectbox(key="own_image").set_value("two").run())
    assert read.scene(at, "own")["digest"] != header["digest"]
    read.check(at.selectbox(key="own_tta").set_value("flip").run())
    assert own_images.asked[-1][1]["options"] == {
        "tile": False,
        "overlap": 0.5,
        "tta": "flip",
        "backend": "auto",
    }
    read.check(at.button(key="own_all").click().run())
    read.check(at.button(key="own_make").click().run())
    predictions = own_images.workspace.predictions
    batch = predictions.batches.open(at.session_state["batch"])
    assert all(
        predictions.is_predicted(own_images.members[1], batch, i, PredictOptions(tta="flip"))
        for i in ("one", "two")
    )
    assert (batch.folder / "results.zip").stat().st_size > 1000


def test_results_are_a_gallery_with_masks_and_class_shares(own_images, open_page, read) -> None:
    run = own_images.members[1]
    at = open_page("predict", run=run)
    mask = np.repeat(np.arange(4, dtype=np.uint8), 6).reshape(4, 6)
    uploader = at.file_uploader(key="own_files")
    for name, one in (("one.png", mask), ("two.png", mask[::-1]), ("three.png", mask * 0)):
        uploader.upload(name, png(own_images.label_set, one), "image/png")
    read.check(at.run())
    assert [b.key for b in at.button if b.key.startswith("own_pick_")] == ["own_pick_one"]
    assert any("1 of 3 images" in m.value for m in at.markdown)
    read.check(at.button(key="own_all").click().run())
    assert any("3 of 3 images" in m.value for m in at.markdown)
    captions = [c.value for c in at.caption]
    predictions = own_images.workspace.predictions
    batch = predictions.batches.open(at.session_state["batch"])
    labels = predictions.label_set(run)
    for image in ("one", "two", "three"):
        found = predictions.summary(run, batch, image, PredictOptions()).mask
        said = [f"{s.name} {100 * s.share:.0f} %" for s in shares(found, labels)[:3]]
        assert ", ".join(said) in captions
    before = read.scene(at, "own")["digest"]
    read.check(at.button(key="own_pick_two").click().run())
    assert at.selectbox(key="own_image").value == "two"
    assert read.scene(at, "own")["digest"] != before
    read.check(at.button_group(key="own_source").set_value("Folder on this machine").run())
    assert not [s for s in at.selectbox if s.key == "own_image"]  # the uploads are not its images


def test_a_large_geotiff_is_predicted_by_windows_and_seen(
    own_images, open_page, read, tmp_path
) -> None:
    mask = np.repeat(np.arange(4, dtype=np.uint8), 6).reshape(4, 6)
    write_scene(tmp_path / "scene.tif", own_images.label_set.colors[mask])
    run = own_images.members[1]
    at = open_page("predict", run=run)
    read.check(at.button_group(key="own_source").set_value("Large GeoTIFF").run())
    assert at.button(key="scene_go").disabled
    read.check(at.text_input(key="scene_path").set_value(str(tmp_path / "no.png")).run())
    at.button(key="scene_go").click().run()
    assert "Expected a GeoTIFF" in at.error[0].value
    at.text_input(key="scene_path").set_value(str(tmp_path / "scene.tif")).run()
    read.check(at.button(key="scene_go").click().run())
    while "scene" not in [c.key for c in at.get("bidi_component")]:
        read.check(at.run())
    header = read.scene(at, "scene")
    assert (header["height"], header["width"]) == (4, 6)
    assert [panel["title"] for panel in header["panels"]] == ["Image", "Prediction"]
    assert own_images.workspace.predictions.training_scale(run) != 1
    scenes = own_images.workspace.scene_predictions
    options = at.session_state["scene_wish"].options
    written = scenes.kept(run, tmp_path / "scene.tif", options).classes
    found = scenes.look(run, tmp_path / "scene.tif", written).overview()
    np.testing.assert_array_equal(found.mask, mask)
    np.testing.assert_array_equal(found.image, own_images.label_set.colors[mask])
    before = written.stat().st_mtime_ns
    at = open_page("predict", run=run)  # another day
    read.check(at.button_group(key="own_source").set_value("Large GeoTIFF").run())
    read.check(at.text_input(key="scene_path").set_value(str(tmp_path / "scene.tif")).run())
    while "scene" not in [c.key for c in at.get("bidi_component")]:
        read.check(at.run())
    assert written.stat().st_mtime_ns == before


def test_a_link_to_images_that_are_gone_asks_for_new_ones(own_images, open_page) -> None:
    at = open_page("predict", run=own_images.ensemble, batch="20200101-000000-abcdef")
    assert "send them again" in at.info[0].value and at.file_uploader(key="own_files") is not None


def test_labels_back_off_on_own_images_and_go_into_the_zip(own_images, open_page, read) -> None:
    run, workspace = own_images.members[0], own_images.workspace
    at = open_page("predict", run=run)
    mask = np.repeat(np.arange(4, dtype=np.uint8), 6).reshape(4, 6)
    at.file_uploader(key="own_files").upload(
        "one.png", png(own_images.label_set, mask), "image/png"
    )
    read.check(at.run())
    read.check(at.toggle(key="own_back_off").set_value(True).run())
    read.check(at.slider(key="own_promise").set_value(28.0).run())
    read.check(at.button(key="own_calibrate").click().run())
    header = read.scene(at, "own_back_off_viewer")
    assert [p["kind"] for p in header["panels"]] == ["levels"]
    tree, threshold = workspace.back_offs.calibrate(run, BackOffOptions(0.28))
    assert header["levels"] == tree.levels.tolist()
    assert any("3 images of validation" in c.value for c in at.caption)
    batch = workspace.predictions.batches.open(at.session_state["batch"])
    image = batch.images[0].id
    answers = workspace.back_offs.own_answers(
        run, batch, image, PredictOptions(), (tree, threshold)
    )
    assert header["panels"][0]["counts"] == [
        [int(node), int((answers == node).sum())] for node in np.unique(answers)
    ]
    read.check(at.button(key="own_make").click().run())
    with zipfile.ZipFile(batch.folder / "results.zip") as archive:
        names = archive.namelist()
    assert {"back-off/legend.json", f"back-off/masks/{image}.png"} <= set(names)


def test_a_model_without_predictions_cannot_be_calibrated(
    own_images, made_up, open_page, read
) -> None:
    fresh = made_up.train("fresh-1")
    fresh.model_path.write_bytes(b"a network")
    fresh.write_json("labels", {"label_set": own_images.label_set.to_json(), "label_map": None})
    at = open_page("predict", run="fresh-1")
    mask = np.zeros((4, 6), np.uint8)
    at.file_uploader(key="own_files").upload(
        "one.png", png(own_images.label_set, mask), "image/png"
    )
    read.check(at.run())
    read.check(at.toggle(key="own_back_off").set_value(True).run())
    assert any("predict one on the Evaluate page" in info.value for info in at.info)
