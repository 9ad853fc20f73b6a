"""More situations of annotation files: what draws nothing, names another image, or counts otherwise."""

import json

import numpy as np
import pytest
from PIL import Image

from segcore.errors import SegcoreError
from tests.data.formats.importers.test_field_cases import box, stripes

HEIGHT, WIDTH = 24, 30
SQUARE = [3, 3, 15, 3, 15, 15, 3, 15]
CORNERS = [[3, 3], [15, 3], [15, 15], [3, 15]]
PIXELS = 144


def coco(folder, shape=SQUARE, names="{}.jpg", image_id=int, **more):
    """Three images with one cat each, and the JSON."""
    images, annotations = [], []
    for number in range(3):
        folder.photo(f"images/{number}.jpg", HEIGHT, WIDTH)
        name = names.format(number)
        images.append({"id": number, "file_name": name, "height": HEIGHT, "width": WIDTH})
        one = {"id": number, "image_id": image_id(number), "category_id": 1, "area": 144}
        annotations.append({**one, "segmentation": [shape], **more})
    categories = [{"id": 1, "name": "cat"}]
    data = {"images": images, "annotations": annotations, "categories": categories}
    folder.text("annotations.json", json.dumps(data))


def test_an_image_in_the_files_of_two_splits_gets_none(folder):
    coco(folder)
    text = (folder.root / "annotations.json").read_text()
    (folder.root / "annotations.json").unlink()
    folder.text("annotations/instances_train.json", text)
    data = json.loads(text)
    data["images"] = data["images"][:1]
    folder.text("annotations/instances_val.json", json.dumps(data))
    found = folder.bring_in()
    assert found.report.splits == {"train": 2} and "in lists of several splits (0)" in found.said


@pytest.mark.parametrize("how", [{"image_id": float}, {"image_id": str}, {"names": "{}.JPG"}])
def test_ids_and_names_written_otherwise_are_found(folder, how):
    coco(folder, **how)
    assert folder.bring_in().pixels()[1] == 3 * PIXELS


def test_names_of_files_that_were_converted_are_found(folder):
    coco(folder, names="{}.png")
    assert folder.bring_in().pixels()[1] == 3 * PIXELS


def test_shares_in_the_place_of_pixels_are_refused(folder):
    coco(folder, [v / 30 for v in SQUARE])
    with pytest.raises(SegcoreError, match="received a shape between 0 and 1"):
        folder.bring_in()


def panoptic(folder, mask, listed, mode="RGB"):
    """Three panoptic PNGs and their list."""
    annotations = []
    for number in range(3):
        folder.photo(f"images/{number}.jpg", HEIGHT, WIDTH)
        wide = np.dstack([mask, mask * 0, mask * 0]) if mode == "RGB" else mask
        folder.save(f"panoptic/{number}.png", wide)
        segments = [{"id": i, "category_id": c} for i, c in listed.items()]
        file = f"{number}.png"
        annotations.append({"image_id": number, "file_name": file, "segments_info": segments})
    images = [
        {"id": n, "file_name": f"{n}.jpg", "height": HEIGHT, "width": WIDTH} for n in range(3)
    ]
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "sky"}]
    data = {"images": images, "annotations": annotations, "categories": categories}
    folder.text("panoptic.json", json.dumps(data))


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_segments_become_their_categories(folder, mode):
    panoptic(folder, stripes(0, 5, 9), {5: 1, 9: 2}, mode)
    found = folder.bring_in()
    assert found.names == ["cat", "sky"] and found.pixels() == {-1: 720, 0: 720, 1: 720}


def test_a_segment_without_an_entry_is_not_void(folder):
    panoptic(folder, stripes(5, 5, 33), {5: 1})
    with pytest.raises(
        SegcoreError, match=r"1 segment without an entry \(33: 33\.33% of the pixels"
    ):
        folder.bring_in()


def test_a_segment_without_pixels_is_told(folder):
    panoptic(folder, stripes(5, 5), {5: 1, 9: 2})
    with pytest.raises(SegcoreError, match="holds none of 9"):
        folder.bring_in()


def labelme(folder, stem, image, *shapes):
    """One JSON of LabelMe."""
    rows = [{"label": label, "points": points, "shape_type": "polygon"} for label, points in shapes]
    data = {"version": "5", "shapes": rows, "imagePath": image}
    folder.text(f"{stem}.json", json.dumps({**data, "imageHeight": HEIGHT, "imageWidth": WIDTH}))


def test_the_image_that_a_json_names_is_found(folder):
    for number in range(3):
        folder.photo(f"img{number}.jpg", HEIGHT, WIDTH)
        labelme(folder, f"ann{number}", f"img{number}.jpg", ("cat", CORNERS))
    found = folder.bring_in()
    assert [s.id for s in found.dataset.samples] == ["img0", "img1", "img2"]
    assert found.pixels()[1] == 3 * PIXELS


def test_a_json_without_its_image_is_named(folder):
    labelme(folder, "a", "a.jpg", ("cat", CORNERS))
    with pytest.raises(SegcoreError, match="LabelMe's, whose images are not there"):
        folder.bring_in()


def test_background_in_capitals_is_background(folder):
    whole = [[0, 0], [30, 0], [30, 24], [0, 24]]
    folder.photo("a.jpg", HEIGHT, WIDTH)
    labelme(folder, "a", "a.jpg", ("Background", whole), ("cat", CORNERS))
    found = folder.bring_in()
    assert found.names == ["background", "cat"] and found.pixels() == {0: 576, 1: 144}


def test_labels_that_differ_in_case_only_are_told(folder):
    for name, label in (("a", "Cat"), ("b", "cat "), ("c", "cat")):
        folder.photo(f"{name}.jpg", HEIGHT, WIDTH)
        labelme(folder, name, f"{name}.jpg", (label, CORNERS))
    assert "classes differ in case or spaces only: 'Cat', 'cat', 'cat '" in folder.bring_in().said


def test_shares_in_labelme_are_refused(folder):
    folder.photo("a.jpg", HEIGHT, WIDTH)
    labelme(folder, "a", "a.jpg", ("cat", [[x / 30, y / 24] for x, y in CORNERS]))
    with pytest.raises(SegcoreError, match="multiply x by the width"):
        folder.bring_in()


def test_a_shape_without_a_label_is_no_class(folder):
    for name, label in (("a", "cat"), ("b", None)):
        folder.photo(f"{name}.jpg", HEIGHT, WIDTH)
        labelme(folder, name, f"{name}.jpg", (label, CORNERS))
    found = folder.bring_in()
    assert found.names == ["background", "cat"] and "b.json: Expected a label" in found.said


def test_a_json_that_is_arranged_otherwise_is_a_sentence(folder):
    coco(folder)
    data = json.loads((folder.root / "annotations.json").read_text())
    data["annotations"] += [None, 3]
    folder.text("annotations.json", json.dumps(data))
    with pytest.raises(SegcoreError, match="look like COCO, but are arranged otherwise"):
        folder.bring_in()


def via(folder, *attributes):
    """One image a set of attributes."""
    shape = {"name": "polygon", "all_points_x": [3, 15, 15, 3], "all_points_y": [3, 3, 15, 15]}
    data = {}
    for number, one in enumerate(attributes):
        folder.photo(f"{number}.jpg", HEIGHT, WIDTH)
        regions = [{"shape_attributes": shape, "region_attributes": one}]
        data[f"{number}.jpg1"] = {"filename": f"{number}.jpg", "regions": regions}
    folder.text("via_region_data.json", json.dumps(data))


def test_attributes_of_which_none_is_the_class_are_asked_about(folder):
    via(folder, {"damage": "dent", "severity": "low"}, {"damage": "scratch", "severity": "low"})
    with pytest.raises(SegcoreError, match="received damage, severity: rename"):
        folder.bring_in()


def test_regions_without_a_class_are_counted(folder):
    via(folder, {"name": "dent"}, {"name": ""}, {"name": ""})
    found = folder.bring_in()
    assert found.names == ["background", "dent", "object"]
    assert "2 regions without a class, taken for 'object'" in found.said


def yolo(folder, line="0 .1 .1 .5 .1 .5 .5 .1 .5\n"):
    """Three images with labels."""
    for number in range(3):
        folder.photo(f"images/{number}.jpg", HEIGHT, WIDTH)
        folder.text(f"labels/{number}.txt", line)


@pytest.mark.parametrize("place", ["classes.txt", "labels/classes.txt", "obj.names"])
def test_names_in_a_list_are_yolos_names(folder, place):
    yolo(folder)
    folder.text(place, "roof\nroad\n")
    found = folder.bring_in()
    assert found.names[1] == "roof" and "no image" not in found.said


def test_lists_of_classes_that_differ_are_asked_about(folder):
    for part, names in (("a", "[x, y]"), ("b", "[y, x]")):
        folder.photo(f"{part}/images/1.jpg", HEIGHT, WIDTH)
        folder.text(f"{part}/labels/1.txt", "0 .1 .1 .5 .1 .5 .5 .1 .5\n")
        folder.text(f"{part}/data.yaml", f"names: {names}\n")
    with pytest.raises(SegcoreError, match=r"a/data\.yaml and b/data\.yaml, which differ"):
        folder.bring_in()


def test_keypoints_are_no_outlines(folder):
    yolo(folder, "0 .5 .5 .2 .2 .45 .45 .55 .45 .5 .55\n")
    folder.text("data.yaml", "names: [person]\nkpt_shape: [3, 2]\n")
    with pytest.raises(SegcoreError, match="declares keypoints"):
        folder.bring_in()


def test_labels_of_two_images_are_told(folder):
    yolo(folder)
    folder.photo("images/1.png", HEIGHT, WIDTH)
    found = folder.bring_in()
    assert "2 images (images/1.jpg, images/1.png): keep one" in found.said


def test_shares_on_images_that_a_camera_turned_are_told(folder):
    exif = Image.Exif()
    exif[0x112] = 6
    folder.photo("images/a.jpg", HEIGHT, WIDTH, exif=exif)
    folder.text("labels/a.txt", "0 .1 .1 .5 .1 .5 .3 .1 .3\n")
    assert "sizes do not tell whether their masks were drawn" in folder.bring_in().said


def runs_of(mask, by_rows):
    """Kaggle's text of a mask."""
    flat = np.concatenate([[0], (mask if by_rows else mask.T).ravel() > 0, [0]]).astype(int)
    edges = np.flatnonzero(np.diff(flat))
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return " ".join(f"{a + 1} {b - a}" for a, b in pairs)


@pytest.mark.parametrize("by_rows", [False, True])
@pytest.mark.parametrize("column", ["EncodedPixels", "annotation", "segmentation", "rle"])
def test_the_order_of_runs_is_seen_in_their_shapes(folder, by_rows, column):
    mask = box(HEIGHT, WIDTH, slice(5, 15), slice(6, 20))
    rows = [f"id,{column}"]
    for number in range(3):
        folder.photo(f"train/{number}.png", HEIGHT, WIDTH)
        rows.append(f"{number},{runs_of(mask, by_rows)}")
    folder.text("train.csv", "\n".join(rows))
    found = folder.bring_in()
    np.testing.assert_array_equal(found.mask("0"), mask > 0)
    assert ("along the rows" in found.said) == by_rows


def test_runs_on_square_images_are_told(folder):
    folder.photo("a.png", 24, 24)
    text = runs_of(box(24, 24, slice(5, 15), slice(6, 20)), False)
    folder.text("train.csv", f"ImageId,EncodedPixels\na.png,{text}\n")
    assert "would only lie transposed" in folder.bring_in().said


def test_tables_of_runs_are_read_together(folder):
    text = runs_of(box(HEIGHT, WIDTH, slice(5, 15), slice(6, 20)), False)
    for name in ("fold1", "fold2"):
        folder.photo(f"images/{name}.png", HEIGHT, WIDTH)
        table = f"ImageId,EncodedPixels\n{name}.png,{text}\n"
        folder.text(f"{name}.csv", table.encode("utf-16"))
    found = folder.bring_in()
    assert found.pixels()[1] == 280 and "fold1.csv, fold2.csv are united" in found.said


def test_runs_that_count_from_0_are_seen_by_one_that_starts_there(folder):
    for name in "abc":
        folder.photo(f"{name}.png", HEIGHT, WIDTH)
    folder.text("train.csv", "ImageId,EncodedPixels\na.png,0 24\nb.png,24 24\nc.png,\n")
    found = folder.bring_in()
    assert found.mask("a")[:, 0].all() and found.mask("b")[:, 1].all()
    assert found.pixels()[1] == 48 and "count pixels from 0" in found.said
    assert found.names == ["background", "object"]


def test_labels_beside_their_images_are_yolos_too(folder):
    for number in range(3):
        folder.photo(f"set/{number}.jpg", HEIGHT, WIDTH)
        folder.text(f"set/{number}.txt", "0 .1 .1 .5 .1 .5 .5 .1 .5\n")
    folder.text("set/classes.txt", "roof\n")
    found = folder.bring_in()
    assert found.names == ["background", "roof"] and found.report.num_samples == 3
    for number in range(3):  # where there are masks, the labels are no matter
        folder.save(f"set/{number}_mask.png", stripes(0, 1, 2))
    (folder.root / "set/classes.txt").unlink()
    assert folder.bring_in().ids == [0, 1, 2]


@pytest.mark.parametrize("line", ["0 .5 .5 .2 .2\n", "0,.1,.1,.5,.1,.5,.5\n"])
def test_an_image_whose_labels_are_refused_is_not_said_to_have_none(folder, line):
    yolo(folder)
    folder.text("labels/1.txt", line)
    found = folder.bring_in()
    assert found.report.num_samples == 2 and "no file of labels" not in found.said
