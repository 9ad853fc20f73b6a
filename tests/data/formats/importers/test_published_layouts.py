"""Layouts as publishers and tools ship them, with what lies beside: nothing is lost, nothing is counted wrongly."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from segcore.data.dataset.dataset import Dataset
from segcore.data.files.images import encode_png
from segcore.data.formats.importers import READERS, import_dataset
from segcore.data.formats.importers.source import Source
from segcore.errors import SegcoreError
from segcore.whole_files import write_bytes

IMAGE = encode_png(np.zeros((4, 6, 3), np.uint8))
MASK = encode_png(np.array([[0, 1, 2, 2, 1, 0]] * 4, np.uint8))


def bring_in(folder):
    report = import_dataset(folder, folder.parent / "out", "out")
    return report, Dataset.open(folder.parent / "out")


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("img_{}.png", "img_{}_mask.png"),
        ("train/img-{}_jpg.rf.0f3a.png", "train/img-{}_jpg.rf.0f3a_mask.png"),
        ("image{}.png", "mask{}.png"),
        ("images/image{}.png", "masks/mask{}.png"),
        ("images/x{}.png", "masks/x{}_ground_truth.png"),
        ("images/x{}.png", "masks/x{}_labelTrainIds.png"),
        ("Rural/images_png/{}.png", "Rural/masks_png/{}.png"),
        ("images_1/{}.png", "masks_1/{}.png"),
    ],
)
def test_names_in_use_are_paired(tmp_path, images, masks):
    for number in (1, 2, 10):
        write_bytes(tmp_path / "in" / images.format(number), IMAGE)
        write_bytes(tmp_path / "in" / masks.format(number), MASK)
    report, _ = bring_in(tmp_path / "in")
    assert report.num_samples == 3 and not [p for p in report.problems if p.sample]


def test_numbered_folders_stay_apart(tmp_path):
    for number in (1, 2):
        write_bytes(tmp_path / f"in/images_{number}/a.png", IMAGE)
        write_bytes(
            tmp_path / f"in/masks_{number}/a.png", encode_png(np.full((4, 6), number, np.uint8))
        )
    _, dataset = bring_in(tmp_path / "in")
    values = {
        s.id: dataset.label_set.class_ids[int(dataset.read_mask(s).max())] for s in dataset.samples
    }
    assert values == {"1/a": 1, "2/a": 2}


def test_names_with_nothing_in_common_are_told_with_one_of_each(tmp_path):
    write_bytes(tmp_path / "in/images/berlin.png", IMAGE)
    write_bytes(tmp_path / "in/masks/x7.png", MASK)
    with pytest.raises(SegcoreError, match=r"masks/x7\.png.*images/berlin\.png.*pattern"):
        bring_in(tmp_path / "in")


def test_vocs_lists_for_detection_bring_in_no_image_without_mask(tmp_path):
    base = tmp_path / "in/VOCdevkit/VOC2012"
    for stem in ("2007_1", "2007_2", "2007_3"):
        write_bytes(base / f"JPEGImages/{stem}.png", IMAGE)
    for stem in ("2007_1", "2007_2"):
        write_bytes(base / f"SegmentationClass/{stem}.png", MASK)
    write_bytes(base / "ImageSets/Segmentation/train.txt", b"2007_1\n")
    write_bytes(base / "ImageSets/Segmentation/val.txt", b"2007_2\n")
    write_bytes(base / "ImageSets/Main/train.txt", b"2007_3\n")
    report, _ = bring_in(tmp_path / "in")
    assert report.splits == {"train": 1, "validation": 1} and not [
        p for p in report.problems if p.sample
    ]


def test_cvats_folders_below_keep_equal_names_apart(tmp_path):
    colors = {"a": (250, 50, 83), "b": (51, 221, 255)}
    for job, color in colors.items():
        write_bytes(tmp_path / f"in/JPEGImages/{job}/0001.png", IMAGE)
        write_bytes(
            tmp_path / f"in/SegmentationClass/{job}/0001.png",
            encode_png(np.full((4, 6, 3), color, np.uint8)),
        )
    write_bytes(tmp_path / "in/ImageSets/Segmentation/Train.txt", b"a/0001\n")
    write_bytes(tmp_path / "in/ImageSets/Segmentation/Validation.txt", b"b/0001\n")
    write_bytes(
        tmp_path / "in/labelmap.txt",
        b"# label:color_rgb:parts:actions\ncar:250,50,83::\nroad:51,221,255::\n",
    )
    report, dataset = bring_in(tmp_path / "in")
    assert report.splits == {"train": 1, "validation": 1}
    assert {s.id: int(dataset.read_mask(s).max()) for s in dataset.samples} == {
        "a/0001": 0,
        "b/0001": 1,
    }


def write_coco(file):
    square = [[1, 1, 3, 1, 3, 3, 1, 3]]
    data = {
        "images": [{"id": 0, "file_name": "images/a.png", "height": 4, "width": 6}],
        "categories": [{"id": 0, "name": "roof"}],
        "annotations": [
            {
                "id": 0,
                "image_id": 0,
                "category_id": 0,
                "segmentation": square,
                "area": 4,
                "iscrowd": 0,
            }
        ],
    }
    write_bytes(file, json.dumps(data).encode())


@pytest.mark.parametrize("name", ["result.json", "val.json"])
def test_coco_is_known_under_any_name(tmp_path, name):
    write_bytes(tmp_path / "in/images/a.png", IMAGE)
    write_coco(tmp_path / "in" / name)
    report, _ = bring_in(tmp_path / "in")
    assert report.layout == "COCO instances" and report.label_set.class_names == [
        "background",
        "roof",
    ]


def test_a_json_beside_masks_does_not_make_them_coco(tmp_path):
    write_bytes(tmp_path / "in/images/a.png", IMAGE)
    write_bytes(tmp_path / "in/masks/a.png", MASK)
    write_bytes(
        tmp_path / "in/classes.json",
        b'{"categories": [{"id": 0, "name": "x"}, {"id": 1, "name": "y"}, {"id": 2, "name": "z"}]}',
    )
    write_coco(tmp_path / "in/result.json")
    source = Source.scan(tmp_path / "in")
    assert (
        next(name for name, reader in READERS.items() if reader.matches(source)) == "paired_folders"
    )
    assert bring_in(tmp_path / "in")[0].label_set.class_names == ["x", "y", "z"]


def test_labelme_may_lie_in_a_folder_of_its_own(tmp_path):
    shapes = [{"label": "cow", "points": [[1, 1], [3, 3]], "shape_type": "rectangle"}]
    for stem in ("a", "b"):
        write_bytes(tmp_path / f"in/images/{stem}.png", IMAGE)
        write_bytes(
            tmp_path / f"in/json/{stem}.json",
            json.dumps({"version": "5.4.1", "shapes": shapes}).encode(),
        )
    report, dataset = bring_in(tmp_path / "in")
    assert (report.layout, report.num_samples) == ("LabelMe", 2)
    assert (dataset.read_mask(dataset.samples[0]) == 1).sum() > 0


def test_a_picture_beside_tables_does_not_hide_them(tmp_path):
    (tmp_path / "in/data").mkdir(parents=True)
    pq.write_table(
        pa.table({"image": [IMAGE], "mask": [MASK]}),
        tmp_path / "in/data/train-00000-of-00001.parquet",
    )
    write_bytes(tmp_path / "in/assets/preview.png", IMAGE)
    assert bring_in(tmp_path / "in")[0].layout == "Parquet"


def write_greys(folder, mask, table=b""):
    write_bytes(folder / "images/a.png", encode_png(np.zeros((*mask.shape, 3), np.uint8)))
    write_bytes(folder / "masks/a.png", encode_png(mask))
    if table:
        write_bytes(folder / "classes.csv", table)


@pytest.mark.parametrize(
    ("values", "classes", "ignored"),
    [
        ((0, 255), [0, 255], []),
        ((0, 128, 255), [0, 128, 255], []),
        ((0, 85, 170, 255), [0, 85, 170, 255], []),
        ((0, 1, 255), [0, 1], [255]),
        ((0, 1, 2, 65535), [0, 1, 2], [65535]),
        ((*range(21), 255), list(range(21)), [255]),
    ],
)
def test_even_greys_are_classes_and_255_beside_ids_is_void(tmp_path, values, classes, ignored):
    write_greys(
        tmp_path / "in",
        np.tile(np.array(values, np.uint16 if max(values) > 255 else np.uint8), (5, 1)),
    )
    report, _ = bring_in(tmp_path / "in")
    assert (
        report.label_set.class_ids == classes
        and [c.id for c in report.label_set.ignored] == ignored
    )


def test_smoothed_edges_of_grey_masks_are_no_classes(tmp_path):
    mask = np.zeros((100, 100), np.uint8)
    mask[:, 50:] = 255
    mask[:4, 45:55] = np.arange(10, 250, 6, dtype=np.uint8).reshape(4, 10)
    write_greys(tmp_path / "in", mask)
    report, dataset = bring_in(tmp_path / "in")
    assert report.label_set.class_ids == [0, 255] and any(
        "smoothed edges" in p.what for p in report.problems
    )
    assert (dataset.read_mask(dataset.samples[0]) == dataset.label_set.ignore_index).sum() == 40


def test_scattered_rare_ids_beside_black_and_white_do_not_make_white_void(tmp_path):
    mask = np.zeros((100, 100), np.uint8)
    mask[:, 90:] = 255
    mask[:4, 40:50] = np.arange(1, 41, dtype=np.uint8).reshape(4, 10)
    write_greys(tmp_path / "in", mask)
    assert bring_in(tmp_path / "in")[0].label_set.class_ids == [0, 255]


def test_255_that_a_table_does_not_declare_is_void_and_any_other_id_a_mistake(tmp_path):
    write_greys(
        tmp_path / "in", np.array([[0, 1, 255]] * 3, np.uint8), b"id,name\n0,ground\n1,void\n"
    )
    report, dataset = bring_in(tmp_path / "in")
    assert (report.label_set.class_ids, [c.id for c in report.label_set.ignored]) == ([0, 1], [255])
    assert "33.33% of the pixels, in 1 mask" in report.problems[0].what
    np.testing.assert_array_equal(dataset.read_mask(dataset.samples[0]), [[0, 1, 255]] * 3)
    write_greys(
        tmp_path / "other", np.array([[0, 7, 255]] * 3, np.uint8), b"id,name\n0,ground\n1,void\n"
    )
    with pytest.raises(SegcoreError, match=r"received 0 \(33.33% .*, 7 .* and 255 .*declare 255"):
        import_dataset(tmp_path / "other", tmp_path / "out2", "out2")
