"""What about my own image: files come in, hostile ones are told, the viewer is sent what the network said."""

import io

import numpy as np
from PIL import Image

from segcore.config import PredictOptions


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


def test_a_link_to_images_that_are_gone_asks_for_new_ones(own_images, open_page) -> None:
    at = open_page("predict", run=own_images.ensemble, batch="20200101-000000-abcdef")
    assert "send them again" in at.info[0].value and at.file_uploader(key="own_files") is not None
