"""What do I have: numbers of the statistics, images that hold a class, and the way in."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from segcore import formatting
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.labels import LabelClass, LabelSet


@pytest.mark.parametrize("split", ["all", "train", "test"])
def test_the_numbers_are_the_statistics(workspace, open_page, read, split) -> None:
    at = open_page("dataset", dataset="tiny", part=split, show="Class balance")
    summary = workspace.datasets.statistics("tiny").summary(None if split == "all" else split)
    line = next(m.value for m in at.markdown if "**tiny**" in m.value)
    assert f"{summary.num_samples} images · 4 classes" in line
    assert formatting.percent(summary.ignored_share) in line
    shown = read.metrics(at)
    for label, mode in (
        ("Class imbalance (pixels)", "pixel"),
        ("Class imbalance (images)", "count"),
    ):
        assert shown[label] == f"{summary.imbalance[mode].earth_mover_distance:.3f}"
    for key, field, factor in (("by_pixel", "pixel_share", 100), ("by_image", "images", 1)):
        bars = read.figure(at, key)["data"][0]
        drawn = dict(zip(bars["y"], np.asarray(bars["x"], float), strict=True))
        assert drawn == pytest.approx({c.name: factor * getattr(c, field) for c in summary.classes})


def test_images_that_hold_a_class_are_browsed(workspace, open_page, read) -> None:
    at = open_page("dataset", dataset="tiny", part="test")
    read.check(at.selectbox(key="holding").set_value("roof").run())
    assert at.selectbox(key="sample").options == workspace.datasets.holding("tiny", "test", "roof")
    read.check(at.selectbox(key="sample").set_value("test/scene_2").run())
    header = read.scene(at, "browse")
    assert [panel["title"] for panel in header["panels"]] == ["Image", "Ground truth"]
    assert "test/scene_2" in header["id"]


def test_a_class_that_a_split_lacks_is_said(workspace, open_page, read) -> None:
    dataset = workspace.datasets.open("tiny")
    without = workspace.datasets.holding("tiny", None, "roof")
    dataset.with_splits(
        {s.id: "roofless" if s.id not in without else "train" for s in dataset.samples}
    ).save()
    at = open_page("dataset", dataset="tiny", part="roofless")
    read.check(at.selectbox(key="holding").set_value("roof").run())
    assert any("No image matches" in caption.value for caption in at.caption)


def test_another_data_set_with_other_classes_is_chosen(workspace, open_page, read) -> None:
    labels = LabelSet((LabelClass(0, "cell", (1, 2, 3)), LabelClass(1, "wall", (200, 2, 3))))
    mask = np.eye(20, 30, dtype=np.uint8)
    write_dataset(
        workspace.datasets.folder / "cells",
        "cells",
        labels,
        [ArraySample("one", np.zeros((20, 30, 3), np.uint8), mask)],
    )
    at = open_page("dataset", dataset="tiny", part="test")
    read.check(at.selectbox(key="holding").set_value("roof").run())
    read.check(at.selectbox(key="dataset").set_value("cells").run())
    assert any("2 classes" in m.value for m in at.markdown)
    assert at.selectbox(key="holding").value == "any class"
    assert at.selectbox(key="sample").options == ["one"]


@pytest.fixture
def archive() -> bytes:
    """A zip of two images with masks and their classes; one mask is of another size."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("classes.csv", "id,name\n0,ground\n1,tree\n")
        for stem, size in (("one", (6, 8)), ("two", (5, 8))):
            for kind, array in (
                ("images", np.full((6, 8, 3), 60, np.uint8)),
                ("masks", np.ones(size, np.uint8)),
            ):
                png = io.BytesIO()
                Image.fromarray(array).save(png, "PNG")
                file.writestr(f"{kind}/{stem}.png", png.getvalue())
    return data.getvalue()


def form(at):
    (source,) = [t for t in at.text_input if t.label == "Folder or archive"]
    (name,) = [t for t in at.text_input if t.label == "Dataset name"]
    (button,) = [b for b in at.button if b.label == "Import dataset" and b.key != "open_import"]
    return source, name, button


def test_a_folder_is_imported_and_what_does_not_fit_is_listed(
    empty_workspace, tmp_path, archive, open_page, read
) -> None:
    zipfile.ZipFile(io.BytesIO(archive)).extractall(tmp_path / "mine")
    at = open_page("dataset")
    assert form(at)[2].disabled
    form(at)[0].set_value(str(tmp_path / "mine")).run()
    form(at)[1].set_value("trees").run()
    read.check(form(at)[2].click().run())
    assert at.selectbox(key="dataset").value == "trees"
    assert "Imported 1 sample as trees" in at.success[0].value
    assert any(
        "two" in str(row) for table in at.dataframe for row in table.value.to_dict("records")
    )
    assert (empty_workspace / "datasets" / "trees" / "dataset.json").exists()
    read.check(at.switch_page("pages/home.py").run())
    assert not read.check(at.switch_page("pages/dataset.py").run()).success


def test_an_import_says_what_is_left_to_decide_and_leads_there(
    empty_workspace, tmp_path, archive, open_page, read
) -> None:
    zipfile.ZipFile(io.BytesIO(archive)).extractall(tmp_path / "mine")
    (tmp_path / "mine" / "classes.csv").write_text("id,name\n0,ground\n1,unlabeled\n2,tree\n")
    at = open_page("dataset")
    form(at)[0].set_value(str(tmp_path / "mine")).run()
    form(at)[1].set_value("trees").run()
    read.check(form(at)[2].click().run())
    (box,) = [e for e in at.expander if "to decide" in e.label]
    tasks = [m.value for m in at.markdown if m.value.startswith("- ")]
    assert (
        box.label == f"{len(tasks)} things to decide; 1 problem skipped or resolved automatically"
    )
    assert any("unlabeled" in task and "**set it to ignored" in task for task in tasks)
    read.check(at.button(key="import_to_Splits").click().run())
    assert any("Create splits" in s.value for s in at.subheader)
    read.check(at.button(key="import_to_Classes").click().run())
    assert any(b.label == "Save classes" for b in at.button)


def test_an_archive_is_uploaded(empty_workspace, archive, open_page, read) -> None:
    at = open_page("dataset")
    (kind,) = [g for g in at.button_group if g.label == "Source"]
    read.check(kind.set_value("Upload an archive").run())
    read.check(
        at.file_uploader(key="archive").upload("orchard.zip", archive, "application/zip").run()
    )
    (button,) = [b for b in at.button if b.label == "Import dataset" and b.key != "open_import"]
    read.check(button.click().run())
    assert at.selectbox(key="dataset").value == "orchard"


@pytest.mark.parametrize(
    ("name", "sentence"), [("tiny", "exists"), ("../outside", "name"), ("empty", "Expected")]
)
def test_an_import_that_cannot_be_is_told_in_a_sentence(
    workspace, tmp_path, archive, open_page, read, name, sentence
) -> None:
    if name != "empty":
        zipfile.ZipFile(io.BytesIO(archive)).extractall(tmp_path / "mine")
    (tmp_path / "mine").mkdir(exist_ok=True)
    at = open_page("dataset", **{"import": "dataset"})
    form(at)[0].set_value(str(tmp_path / "mine")).run()
    form(at)[1].set_value(name).run()
    read.check(form(at)[2].click().run())
    assert sentence in at.error[0].value
    assert any("**tiny**" in m.value for m in at.markdown) and form(at)  # the page is still there
    assert (
        workspace.datasets.names() == ["tiny"]
        and not (workspace.folder.parent / "outside").exists()
    )
