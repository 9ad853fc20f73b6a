"""The user's own images: brought in, predicted once, handed out as files that hold what the network said."""

import csv
import io

import numpy as np
import pytest
from PIL import Image

from segcore.cli import main
from segcore.config import EvaluateConfig, PredictConfig, PredictOptions
from segcore.data.files import georeference
from segcore.data.files.uploads import Upload
from segcore.errors import SegcoreError
from segcore.workspace.predictions import batches
from segcore.workspace.predictions.files import (
    PARTS,
    index_png,
    overlay_jpeg,
    palette_png,
    result_files,
)
from segcore.workspace.predictions.predictions import ClassShare, shares

PLAIN = PredictOptions()
MASK = np.array([[0, 0, 1, 2, 3], [0, 1, 1, 2, 3], [3, 3, 3, 3, 3]], np.uint8)


def painted(label_set, mask=MASK):
    buffer = io.BytesIO()
    Image.fromarray(label_set.colors[mask]).save(buffer, "PNG")
    return Upload("mine.png", buffer.getvalue, len(buffer.getvalue()))


def test_an_image_is_predicted_once_and_again_when_asked_otherwise(own_images):
    predictions, run = own_images.workspace.predictions, own_images.members[0]
    batch = predictions.batches.accept([painted(own_images.label_set)])
    assert [(i.id, i.height, i.width) for i in batch.images] == [
        ("mine", 3, 5)
    ] and not predictions.is_predicted(run, batch, "mine", PLAIN)
    for _ in range(2):
        assert predictions.predict(run, batch, "mine", PLAIN).seconds == 0.25
    assert len(own_images.asked) == 1 and own_images.asked[0][1]["runs"] == [
        str(own_images.workspace.runs.folder / run)
    ]
    summary = predictions.summary(run, batch, "mine", PLAIN)
    np.testing.assert_array_equal(summary.mask, MASK)
    np.testing.assert_allclose(summary.confidence, 0.7, atol=1e-3)
    predictions.predict(run, batch, "mine", PredictOptions(tile=True, tta="flip"))
    assert own_images.asked[-1][1]["options"] == {
        "tile": True,
        "overlap": 0.5,
        "tta": "flip",
        "backend": "auto",
    }
    own_images.workspace.runs.open(run).model_path.write_bytes(b"trained again")
    assert not predictions.is_predicted(run, batch, "mine", PLAIN)


def test_an_ensemble_asks_all_its_members_with_its_rule(own_images):
    predictions, config = (
        own_images.workspace.predictions,
        own_images.workspace.runs.open(own_images.ensemble).config,
    )
    assert isinstance(config, EvaluateConfig)
    batch = predictions.batches.accept([painted(own_images.label_set)])
    predictions.predict(own_images.ensemble, batch, "mine", PLAIN)
    asked = own_images.asked[-1][1]
    assert [path.rsplit("/", 1)[1] for path in asked["runs"]] == list(config.members) and asked[
        "rule"
    ] == config.rule
    own_images.workspace.runs.open(config.members[1]).model_path.unlink()
    assert predictions.can_predict(config.members[0]) and not predictions.can_predict(
        own_images.ensemble
    )
    with pytest.raises(SegcoreError, match="trained network"):
        predictions.predict(own_images.ensemble, batch, "mine", PredictOptions(tile=True))
    with pytest.raises(SegcoreError, match="one by one"):
        own_images.workspace.runs.open(config.members[1]).model_path.write_bytes(b"back")
        predictions.export(own_images.ensemble, "keras", own_images.workspace.folder / "x")


def test_files_hold_what_the_network_said(own_images):
    predictions, run, labels = (
        own_images.workspace.predictions,
        own_images.members[0],
        own_images.label_set,
    )
    batch = predictions.batches.accept([painted(labels)])
    predictions.predict_all(run, batch, PLAIN)
    files = dict(result_files(predictions, run, batch, PLAIN, set(PARTS) - {"crf"}))
    opened = {
        name: Image.open(io.BytesIO(data)) for name, data in files.items() if name.endswith("png")
    }
    np.testing.assert_array_equal(
        np.asarray(opened["masks/mine.png"]), np.array(labels.class_ids)[MASK]
    )
    np.testing.assert_array_equal(np.asarray(opened["palette/mine.png"]), MASK)
    np.testing.assert_array_equal(
        np.asarray(opened["palette/mine.png"].convert("RGB")), labels.colors[MASK]
    )
    stored = np.load(io.BytesIO(files["probabilities/mine.npz"]))
    np.testing.assert_array_equal(stored["probabilities"].argmax(-1), MASK)
    assert stored["size"].tolist() == [3, 5]
    rows = list(csv.DictReader(io.StringIO(files["shares.csv"].decode())))
    assert [(r["name"], int(r["pixels"])) for r in rows] == [
        ("roof", 7),
        ("field", 3),
        ("forest", 3),
        ("road", 2),
    ]
    assert sum(float(r["share"]) for r in rows) == pytest.approx(1)
    assert files["classes.csv"].decode().splitlines()[1] == "3,field,#e69f00,false"
    with pytest.raises(SegcoreError, match="did you mean 'masks'"):
        dict(result_files(predictions, run, batch, PLAIN, ["mask"]))


@pytest.mark.skipif(
    not georeference.is_available(),
    reason="GEOTIFF NOT TESTED: rasterio is not installed (the extra geo)",
)
def test_what_lies_somewhere_comes_out_lying_there(own_images, tmp_path):
    labels, rasterio = own_images.label_set, georeference.load_rasterio()
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(0.5, 0, 400000, 0, -0.5, 5800000)}
    with rasterio.open(
        tmp_path / "mine.tif",
        "w",
        driver="GTiff",
        height=3,
        width=5,
        count=3,
        dtype="uint8",
        **place,
    ) as raster:
        raster.write(labels.colors[MASK].transpose(2, 0, 1))
    predictions = own_images.workspace.predictions
    batch = predictions.batches.accept_folder(tmp_path / "mine.tif")
    predictions.predict_all(own_images.ensemble, batch, PLAIN)
    files = dict(result_files(predictions, own_images.ensemble, batch, PLAIN, ["masks"]))
    (tmp_path / "out.tif").write_bytes(files["geotiff/mine.tif"])
    with rasterio.open(tmp_path / "out.tif") as raster:
        np.testing.assert_array_equal(raster.read(1), np.array(labels.class_ids)[MASK])
        assert raster.crs.to_epsg() == 32633 and raster.transform == place["transform"]
    wide = place | {"height": 3, "width": 5, "count": 1, "dtype": "uint16"}
    with rasterio.open(tmp_path / "wide.tif", "w", driver="GTiff", **wide) as raster:
        raster.write(1000 * MASK.astype(np.uint16), 1)
    batch = predictions.batches.open(predictions.batches.accept_folder(tmp_path / "wide.tif").id)
    assert batch.images[0].stretched.startswith("band 1 of 1 holds no bytes: 0 to 3000")
    np.testing.assert_array_equal(predictions.batches.image(batch, "wide")[..., 0], 85 * MASK)


def test_still_pictures_of_a_mask(own_images):
    labels = own_images.label_set
    assert shares(MASK, labels)[0] == ClassShare(11, "roof", 3, pixels=7, share=7 / 15)
    assert (
        Image.open(io.BytesIO(index_png(MASK, labels))).mode == "L"
        and Image.open(io.BytesIO(palette_png(MASK, labels))).mode == "P"
    )
    grey = np.full((16, 16, 3), 100, np.uint8)
    mixed = np.asarray(
        Image.open(io.BytesIO(overlay_jpeg(grey, np.zeros((16, 16), np.uint8), labels)))
    )
    np.testing.assert_allclose(mixed.mean((0, 1)), 0.55 * 100 + 0.45 * labels.colors[0], atol=2)


def test_what_is_refused_is_told_and_nothing_is_left_of_nothing(own_images):
    predictions, good = own_images.workspace.predictions, painted(own_images.label_set)
    bad = Upload("evil.svg", lambda: b"<svg/>", 6)
    batch = predictions.batches.accept([bad, good])
    assert [i.id for i in batch.images] == ["mine"] and [n for n, _ in batch.refused] == [
        "evil.svg"
    ]
    assert predictions.batches.open(batch.id) == batch
    before = sorted(p.name for p in predictions.batches.folder.iterdir())
    with pytest.raises(SegcoreError, match=r"received evil\.svg"):
        predictions.batches.accept([bad])
    assert sorted(p.name for p in predictions.batches.folder.iterdir()) == before
    for name in ("../runs", "none", ""):
        with pytest.raises(SegcoreError, match="send them again"):
            predictions.batches.open(name)


def test_only_the_newest_are_kept(own_images, monkeypatch):
    monkeypatch.setattr(batches, "MOST_BATCHES", 2)
    predictions = own_images.workspace.predictions
    names = []
    for second in range(4):
        monkeypatch.setattr(batches.time, "strftime", lambda form, s=second: f"2026010{s}-000000")
        names.append(predictions.batches.accept([painted(own_images.label_set)]).id)
    assert sorted(p.name for p in predictions.batches.folder.iterdir()) == names[2:]


def test_the_shell_predicts_a_folder(own_images, tmp_path, capsys):
    source = tmp_path / "mine"
    source.mkdir()
    (source / "a.png").write_bytes(painted(own_images.label_set).read())
    (source / "b.png").write_bytes(b"no image")
    words = [
        "predict",
        own_images.members[0],
        "--images",
        str(source),
        "--out",
        str(tmp_path / "out"),
        "--tta",
        "flips",
    ]
    place = ["--workspace", str(own_images.workspace.folder)]
    main([*words, *place])
    told, waited = capsys.readouterr()
    assert waited.startswith("Predicting: loading the network\n")
    assert "Predicted 1 image" in told and "b.png: " in told
    assert sorted(
        p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")
    ) == [
        "classes.csv",
        "masks/a.png",
        "overlays/a.jpg",
        "palette/a.png",
        "shares.csv",
    ]
    assert own_images.asked[-1][1]["options"]["tta"] == "flips"
    for wrong, sentence in (
        (["--overlap", "2"], "overlap"),
        (["--tta", "flipp"], "did you mean"),
        ([], "which exists"),
    ):
        with pytest.raises(SystemExit):
            main([*words, *wrong, *place])
        assert sentence in capsys.readouterr().err


def test_the_shell_keeps_folders_and_leaves_masks_out(own_images, tmp_path, capsys):
    pixels = painted(own_images.label_set).read()
    for name in ("images/part_1/x.png", "images/part_2/x.png", "masks/part_1/x.png"):
        (tmp_path / "mine" / name).parent.mkdir(parents=True)
        (tmp_path / "mine" / name).write_bytes(pixels)
    words = ["predict", own_images.members[0], "--images", str(tmp_path / "mine")]
    place = ["--workspace", str(own_images.workspace.folder)]
    main([*words, "--out", str(tmp_path / "out"), *place])
    said = capsys.readouterr().out
    assert "Predicted 2 images" in said
    assert said.count("masks: Expected images, received 1 mask named like the images") == 1
    written = sorted(
        p.relative_to(tmp_path / "out" / "masks") for p in tmp_path.glob("out/masks/**/*.png")
    )
    assert [p.as_posix() for p in written] == ["images/part_1/x.png", "images/part_2/x.png"]


def test_a_split_is_predicted_one_way_at_a_time(own_images, started):
    runs, member = own_images.workspace.runs, own_images.members[0]
    name = runs.predict(member, "test")
    assert runs.open(name).status().state == "finished"
    assert (
        runs.predict(member, "test", PLAIN) == name and runs.open(name).status().state == "finished"
    )
    tiles = PredictOptions(tile=True, overlap=0.25)
    runs.predict(member, "test", tiles)
    config = runs.open(name).config
    assert (
        isinstance(config, PredictConfig)
        and config.options == tiles
        and runs.open(name).status().state == "queued"
    )
