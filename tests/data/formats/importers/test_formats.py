"""One contract for every form of dataset: the same scenes, written as each tool writes them, come in alike."""

import base64
import json
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from PIL import Image

from segcore.data.dataset.dataset import Dataset
from segcore.data.files.images import encode_palette_png, encode_png
from segcore.data.formats.brush_rle import encode_brush
from segcore.data.formats.importers import READERS, import_dataset, preview
from segcore.data.formats.importers.source import Source
from segcore.data.formats.importers.standard_classes import (
    CAMVID_32,
    CITYSCAPES_IDS,
    CITYSCAPES_TRAIN_IDS,
    PASCAL_VOC,
    voc_color,
)
from segcore.whole_files import write_bytes
from tests.data.files.geotiffs import write_scene
from tests.data.formats.importers.test_vectors import box
from tests.data.formats.importers.test_vectors import write as write_shapes

HEIGHT, WIDTH = 12, 16


def make_scenes():
    """Three scenes of names: ground "a", a box "b" at the left, a box "c" in the middle, a void column "" where the form has void."""
    scenes = {}
    for number, split in enumerate(["train", "train", "validation"]):
        names = np.full((HEIGHT, WIDTH), "a", object)
        names[2:9, 1 : 5 + number] = "b"
        names[4:11, 9:13] = "c"
        scenes[f"s{number}"] = (split, names)
    return scenes


SCENES = make_scenes()


def numbers(names, table):
    return np.vectorize(table.__getitem__, otypes=[np.uint16])(names)


def colored(names, colors):
    return np.array([[colors[n] for n in row] for row in names], np.uint8)


def with_void(names):
    out = names.copy()
    out[:, -1] = ""
    return out


def image():
    return encode_png(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))


def write_paired(folder):
    for stem, (split, names) in SCENES.items():
        write_bytes(folder / f"images/{split}/{stem}.png", image())
        mask = numbers(with_void(names), {"a": 3, "b": 700, "c": 1, "": 9})
        write_bytes(folder / f"masks/{split}/{stem}.png", encode_png(mask))
    write_bytes(
        folder / "classes.csv",
        b"id;name;color;ignore\n3;a;#ff0000;false\n700;b;#00ff00;no\n1;c;;\n9;nothing;#000;TRUE\n",
    )
    return {"a": "a", "b": "b", "c": "c"}


def write_cityscapes(folder):
    ids = {row.name: row.id for row in CITYSCAPES_IDS}
    table = {"a": ids["road"], "b": ids["car"], "c": ids["sky"], "": ids["ego vehicle"]}
    for stem, (split, names) in SCENES.items():
        short = {"train": "train", "validation": "val"}[split]
        write_bytes(folder / f"leftImg8bit/{short}/ulm/ulm_{stem}_leftImg8bit.png", image())
        mask = numbers(with_void(names), table).astype(np.uint8)
        write_bytes(folder / f"gtFine/{short}/ulm/ulm_{stem}_gtFine_labelIds.png", encode_png(mask))
    return {"a": "road", "b": "car", "c": "sky"}


def write_voc(folder):
    ids = {row.name: row.id for row in PASCAL_VOC}
    palette = np.array([voc_color(i) for i in range(256)], np.uint8)
    table = {"a": 0, "b": ids["cow"], "c": ids["tv monitor"], "": 255}
    base = folder / "VOCdevkit/VOC2012"
    for stem, (_, names) in SCENES.items():
        write_bytes(base / f"JPEGImages/{stem}.png", image())
        write_bytes(
            base / f"SegmentationClass/{stem}.png",
            encode_palette_png(numbers(with_void(names), table).astype(np.uint8), palette),
        )
    write_bytes(base / "JPEGImages/not_segmented.png", image())
    for split, short in (("train", "train"), ("validation", "val")):
        write_bytes(
            base / f"ImageSets/Segmentation/{short}.txt",
            "\n".join(s for s in SCENES if SCENES[s][0] == split).encode(),
        )
    write_bytes(base / "ImageSets/Segmentation/trainval.txt", "\n".join(SCENES).encode())
    return {"a": "background", "b": "cow", "c": "tv monitor"}


def write_cvat(folder):
    colors = {"a": (0, 0, 0), "b": (250, 50, 83), "c": (51, 221, 255)}
    for stem, (_, names) in SCENES.items():
        write_bytes(folder / f"JPEGImages/{stem}.png", image())
        write_bytes(folder / f"SegmentationClass/{stem}.png", encode_png(colored(names, colors)))
    rows = (
        b"# label:color_rgb:parts:actions\nbackground:0,0,0::\ncar:250,50,83::\ntraffic "
        b"sign:51,221,255::\n"
    )
    write_bytes(folder / "labelmap.txt", rows)
    for split, short in (("train", "train"), ("validation", "validation")):
        write_bytes(
            folder / f"ImageSets/Segmentation/{short}.txt",
            "\n".join(s for s in SCENES if SCENES[s][0] == split).encode(),
        )
    return {"a": "background", "b": "car", "c": "traffic sign"}


def write_ade20k(folder):
    for stem, (split, names) in SCENES.items():
        write_bytes(folder / f"images/{split.replace('train', 'training')}/{stem}.png", image())
        mask = numbers(with_void(names), {"a": 1, "b": 3, "c": 2, "": 0}).astype(np.uint8)
        write_bytes(
            folder / f"annotations/{split.replace('train', 'training')}/{stem}.png",
            encode_png(mask),
        )
    rows = (
        "Idx\tRatio\tTrain\tVal\tName\n1\t0.16\t11664\t1172\twall\n2\t0.1\t6046\t612\tbuilding, "
        "edifice\n3\t0.09\t8265\t796\tsky\n"
    )
    write_bytes(folder / "objectInfo150.txt", rows.encode())
    return {"a": "wall", "b": "sky", "c": "building"}


def write_camvid(folder):
    colors = {row.name: row.color for row in CAMVID_32}
    table = {
        "a": colors["Road"],
        "b": colors["SUVPickupTruck"],
        "c": colors["Sky"],
        "": colors["Void"],
    }
    for stem, (split, names) in SCENES.items():
        write_bytes(folder / f"701_StillsRaw_full/{split}/0016E5_{stem}.png", image())
        write_bytes(
            folder / f"LabeledApproved_full/0016E5_{stem}_L.png",
            encode_png(colored(with_void(names), table)),
        )
    return {"a": "Road", "b": "SUVPickupTruck", "c": "Sky"}


def write_roboflow(folder):
    for stem, (split, names) in SCENES.items():
        short = {"train": "train", "validation": "valid"}[split]
        write_bytes(folder / f"{short}/{stem}_png.rf.0f3a.png", image())
        write_bytes(
            folder / f"{short}/{stem}_png.rf.0f3a_mask.png",
            encode_png(numbers(names, {"a": 0, "b": 1, "c": 2}).astype(np.uint8)),
        )
        write_bytes(
            folder / f"{short}/_classes.csv",
            b"Pixel Value, Class\n0, background\n1, house\n2, pool\n",
        )
    return {"a": "background", "b": "house", "c": "pool"}


def box_of(names, name):
    rows, columns = np.nonzero(names == name)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def write_coco(folder):
    for split, short in (("train", "train2017"), ("validation", "val2017")):
        images, annotations = [], []
        for key, (stem, (scene_split, names)) in enumerate(SCENES.items()):
            if scene_split != split:
                continue
            write_bytes(folder / f"{short}/{stem}.png", image())
            images.append({"id": key, "file_name": f"{stem}.png", "height": HEIGHT, "width": WIDTH})
            x0, y0, x1, y1 = box_of(names, "b")
            polygon = [x0, y0, x1, y0, x1, y1, x0, y1]
            annotations.append(
                {
                    "image_id": key,
                    "category_id": 18,
                    "segmentation": [polygon],
                    "area": 28,
                    "iscrowd": 0,
                }
            )
            flat = (names == "c").T.ravel()
            edges = np.flatnonzero(np.diff(np.concatenate([[False], flat, [False]]).astype(int)))
            counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
            shape = {"size": [HEIGHT, WIDTH], "counts": counts}
            annotations.append(
                {"image_id": key, "category_id": 1, "segmentation": shape, "area": 28, "iscrowd": 1}
            )
        categories = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}]
        data = {"images": images, "annotations": annotations, "categories": categories}
        write_bytes(folder / f"annotations/instances_{short}.json", json.dumps(data).encode())
    return {"a": "background", "b": "dog", "c": "person"}


def write_coco_panoptic(folder):
    table = {"a": (10, 1, 0), "b": (7, 0, 3), "c": (8, 0, 0), "": (0, 0, 0)}
    for split, short in (("train", "train2017"), ("validation", "val2017")):
        images, annotations = [], []
        for key, (stem, (scene_split, names)) in enumerate(SCENES.items()):
            if scene_split == split:
                write_bytes(folder / f"{short}/{stem}.png", image())
                write_bytes(
                    folder / f"annotations/panoptic_{short}/{stem}.png",
                    encode_png(colored(with_void(names), table)),
                )
                images.append({"id": key, "file_name": f"{stem}.png"})
                ids = {"a": 10 + 256, "b": 7 + 3 * 65536, "c": 8}
                segments = [
                    {"id": ids[n], "category_id": c} for n, c in (("a", 149), ("b", 18), ("c", 18))
                ]
                annotations.append(
                    {"image_id": key, "file_name": f"{stem}.png", "segments_info": segments}
                )
        categories = [
            {"id": 18, "name": "dog", "isthing": 1},
            {"id": 149, "name": "road", "isthing": 0},
        ]
        data = {"images": images, "annotations": annotations, "categories": categories}
        write_bytes(folder / f"annotations/panoptic_{short}.json", json.dumps(data).encode())
    return {"a": "road", "b": "dog", "c": "dog"}


def write_labelme(folder):
    for stem, (split, names) in SCENES.items():
        write_bytes(folder / f"{split}/{stem}.png", image())
        x0, y0, x1, y1 = box_of(names, "b")
        shapes = [
            {
                "label": "barn",
                "points": [[x0, y0], [x1, y0], [x1, y1], [x0, y1]],
                "shape_type": "polygon",
            }
        ]
        x0, y0, x1, y1 = box_of(names, "c")
        shapes.append({"label": "cow", "points": [[x0, y0], [x1, y1]], "shape_type": "rectangle"})
        shapes.append(
            {
                "label": "__ignore__",
                "points": [[WIDTH - 1, 0], [WIDTH, HEIGHT]],
                "shape_type": "rectangle",
            }
        )
        data = {
            "version": "5.4.1",
            "flags": {},
            "shapes": shapes,
            "imagePath": f"{stem}.png",
            "imageData": None,
        }
        write_bytes(folder / f"{split}/{stem}.json", json.dumps(data).encode())
    return {"a": "background", "b": "barn", "c": "cow"}


def write_parquet(folder):
    table = {"a": 0, "b": 1, "c": 2, "": 255}
    shards = {
        "train-00000-of-00002": ["s0"],
        "train-00001-of-00002": ["s1"],
        "validation-00000-of-00001": ["s2"],
    }
    for shard, stems in shards.items():
        masks = [
            encode_png(numbers(with_void(SCENES[stem][1]), table).astype(np.uint8))
            for stem in stems
        ]
        columns = {
            "scene_category": [3 for _ in stems],
            "image": [{"bytes": image(), "path": f"{stem}.png"} for stem in stems],
            "annotation": masks
            if shard.startswith("validation")
            else [{"bytes": mask, "path": None} for mask in masks],
        }
        write_bytes(folder / "data/README.md", b"")
        pq.write_table(pa.table(columns), folder / f"data/{shard}.parquet")
    write_bytes(folder / "id2label.json", b'{"0": "wall", "1": "floor", "2": "sky"}')
    return {"a": "wall", "b": "floor", "c": "sky"}


def write_colors(folder):
    colors = {"a": (10, 20, 30), "b": (200, 0, 0), "c": (0, 200, 0)}
    for stem, (split, names) in SCENES.items():
        write_bytes(folder / f"{split}/images/{stem}.png", image())
        write_bytes(folder / f"{split}/masks/{stem}.png", encode_png(colored(names, colors)))
    write_bytes(
        folder / "class_dict.csv",
        b"name,r,g,b\nground,10,20,30\nroof,200,0,0\ntree,0,200,0\nrare,1,2,3\n",
    )
    return {"a": "ground", "b": "roof", "c": "tree"}


SHORT = {"train": "train", "validation": "val"}


def corners_of(names, name):
    x0, y0, x1, y1 = box_of(names, name)
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]


def write_yolo(folder):
    for stem, (split, names) in SCENES.items():
        write_bytes(folder / f"images/{SHORT[split]}/{stem}.png", image())
        lines = [
            f"{number} " + " ".join(f"{x / WIDTH} {y / HEIGHT}" for x, y in corners_of(names, name))
            for number, name in ((1, "b"), (0, "c"))
        ]
        write_bytes(folder / f"labels/{SHORT[split]}/{stem}.txt", "\n".join(lines).encode())
    write_bytes(folder / "data.yaml", b"train: images/train\nnames:\n  0: cow\n  1: barn\n")
    return {"a": "background", "b": "barn", "c": "cow"}


def write_supervisely(folder):
    for stem, (split, names) in SCENES.items():
        write_bytes(folder / f"{SHORT[split]}/img/{stem}.png", image())
        x0, y0, x1, y1 = box_of(names, "c")
        packed = zlib.compress(encode_png(np.full((y1 - y0, x1 - x0), 255, np.uint8)))
        hole = {"exterior": corners_of(names, "b"), "interior": []}
        objects = [
            {"classTitle": "barn", "geometryType": "polygon", "points": hole},
            {
                "classTitle": "cow",
                "geometryType": "bitmap",
                "bitmap": {"data": base64.b64encode(packed).decode(), "origin": [x0, y0]},
            },
        ]
        data = {"size": {"height": HEIGHT, "width": WIDTH}, "objects": objects}
        write_bytes(folder / f"{SHORT[split]}/ann/{stem}.png.json", json.dumps(data).encode())
    classes = [{"title": "barn", "color": "#FF0000"}, {"title": "cow", "color": "#00FF00"}]
    write_bytes(folder / "meta.json", json.dumps({"classes": classes}).encode())
    return {"a": "background", "b": "barn", "c": "cow"}


def write_via(folder):
    for short in ("train", "val"):
        rows = {}
        for stem, (split, names) in SCENES.items():
            if SHORT[split] != short:
                continue
            write_bytes(folder / f"{short}/{stem}.png", image())
            x, y = np.array(corners_of(names, "b")).T.tolist()
            polygon = {"name": "polygon", "all_points_x": x, "all_points_y": y}
            x0, y0, x1, y1 = box_of(names, "c")
            box = {"name": "rect", "x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}
            regions = [
                {"shape_attributes": polygon, "region_attributes": {"class": "barn"}},
                {"shape_attributes": box, "region_attributes": {"class": {"cow": True}}},
            ]
            listed = regions if short == "val" else dict(enumerate(regions))
            rows[f"{stem}.png99"] = {"filename": f"{stem}.png", "size": 99, "regions": listed}
        data = rows if short == "train" else {"_via_settings": {}, "_via_img_metadata": rows}
        write_bytes(folder / f"{short}/via_region_data.json", json.dumps(data).encode())
    return {"a": "background", "b": "barn", "c": "cow"}


def runs_of(region):
    flat = np.concatenate([[0], region.T.ravel().astype(int), [0]])
    starts, ends = np.flatnonzero(np.diff(flat) == 1), np.flatnonzero(np.diff(flat) == -1)
    return " ".join(f"{a + 1} {b - a}" for a, b in zip(starts, ends, strict=True))


def write_run_lengths(folder):
    rows = ["ImageId,ClassId,EncodedPixels"]
    for stem, (split, names) in SCENES.items():
        write_bytes(folder / f"{SHORT[split]}_images/{stem}.png", image())
        rows += [f"{stem}.png,{n},{runs_of(names == name)}" for n, name in ((1, "b"), (2, "c"))]
        rows.append(f"{stem}.png,3,")
    write_bytes(folder / "train.csv", "\n".join(rows).encode())
    return {"a": "background", "b": "class 1", "c": "class 2"}


def write_nnunet(folder, channels=1):
    table = {"a": 0, "b": 2, "c": 100, "": 7}
    for stem, (split, names) in SCENES.items():
        short = {"train": "Tr", "validation": "Val"}[split]
        for channel in range(channels):
            grey = image() if channels == 1 else encode_png(np.full((HEIGHT, WIDTH), 9, np.uint8))
            write_bytes(folder / f"images{short}/{stem}_{channel:04}.png", grey)
        mask = numbers(with_void(names), table).astype(np.uint8)
        write_bytes(folder / f"labels{short}/{stem}.png", encode_png(mask))
    labels = {"background": 0, "barn": 2, "cow": 100, "ignore": 7}
    write_bytes(folder / "dataset.json", json.dumps({"labels": labels}).encode())
    return {"a": "background", "b": "barn", "c": "cow"}


def write_nifti(folder):
    nibabel = pytest.importorskip("nibabel")
    table = {"a": 0, "b": 1, "c": 2, "": 3}
    values = np.random.default_rng(0).normal(0, 500, (WIDTH, HEIGHT)).astype(np.float32)
    for stem, (split, names) in SCENES.items():
        short = {"train": "Tr", "validation": "Val"}[split]
        for part, name, array in (
            ("images", f"{stem}_0000", values),
            ("labels", stem, numbers(with_void(names), table).T.astype(np.uint8)),
        ):
            (folder / f"{part}{short}").mkdir(parents=True, exist_ok=True)
            volume = nibabel.Nifti1Image(array[:, :, None], np.eye(4))
            nibabel.save(volume, folder / f"{part}{short}/{name}.nii.gz")
    labels = {"0": "background", "1": "barn", "2": "cow", "3": "ignore"}
    write_bytes(folder / "dataset.json", json.dumps({"labels": labels}).encode())
    return {"a": "background", "b": "barn", "c": "cow"}


def write_mapillary(folder):
    table = {"a": 0, "b": 1, "c": 2, "": 3}
    for stem, (split, names) in SCENES.items():
        long = {"train": "training", "validation": "validation"}[split]
        write_bytes(folder / f"{long}/images/{stem}.png", image())
        mask = numbers(with_void(names), table).astype(np.uint8)
        for version in ("v1.2", "v2.0"):
            old = version == "v1.2"
            write_bytes(
                folder / f"{long}/{version}/labels/{stem}.png",
                encode_png(0 * mask if old else mask),
            )
            write_bytes(folder / f"{long}/{version}/instances/{stem}.png", encode_png(mask))
    rows = [("Road", [1, 2, 3], True), ("Barn", [4, 5, 6], True), ("Cow", [7, 8, 9], True)]
    labels = [
        {"name": f"x--{name.lower()}", "readable": name, "color": color, "evaluate": scored}
        for name, color, scored in [*rows, ("Unlabeled", [0, 0, 0], False)]
    ]
    for version in ("v1.2", "v2.0"):
        write_bytes(folder / f"config_{version}.json", json.dumps({"labels": labels}).encode())
    return {"a": "Road", "b": "Barn", "c": "Cow"}


def write_label_studio(folder):
    for stem, (split, names) in SCENES.items():
        write_bytes(folder / f"{SHORT[split]}/images/{stem}.png", image())
        x0, _, x1, _ = box_of(names, "b")
        left = np.arange(WIDTH)[None] < (x0 + x1) // 2
        for label, number, region in (
            ("barn", 0, (names == "b") & left),
            ("barn", 1, (names == "b") & ~left),
            ("cow", 0, names == "c"),
        ):
            path = folder / f"{SHORT[split]}/masks/{stem}-{label}-{number}.png"
            write_bytes(path, encode_png(255 * region.astype(np.uint8)))
    return {"a": "background", "b": "barn", "c": "cow"}


def write_label_studio_json(folder):
    tasks = []
    for number, (stem, (split, names)) in enumerate(SCENES.items()):
        write_bytes(folder / f"{SHORT[split]}/images/{stem}.png", image())
        results = [
            {
                "type": "brushlabels",
                "original_width": WIDTH,
                "original_height": HEIGHT,
                "value": {
                    "format": "rle",
                    "rle": encode_brush(names == letter),
                    "brushlabels": [label],
                },
            }
            for letter, label in (("b", "barn"), ("c", "cow"))
        ]
        data = {"image": f"/data/upload/1/0123abcd-{stem}.png"}
        tasks.append({"id": number, "data": data, "annotations": [{"result": results}]})
    write_bytes(folder / "project-1.json", json.dumps(tasks).encode())
    return {"a": "background", "b": "barn", "c": "cow"}


def write_vectors(folder):
    for stem, (split, names) in SCENES.items():
        scene = folder / SHORT[split] / f"{stem}.tif"
        write_scene(scene, np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))
        write_shapes(
            scene.with_suffix(".gpkg"),
            [
                shapely.union_all([box((y, x, y + 1, x + 1)) for y, x in np.argwhere(names == of)])
                for of in "bc"
            ],
            {"class": ["barn", "cow"]},
        )
    return {"a": "background", "b": "barn", "c": "cow"}


FIXTURES = {
    "vectors": (write_vectors, "vectors", False),
    "yolo": (write_yolo, "yolo", False),
    "supervisely": (write_supervisely, "supervisely", False),
    "via": (write_via, "via", False),
    "run lengths": (write_run_lengths, "run_lengths", False),
    "nnunet": (write_nnunet, "nnunet", True),
    "nnunet of three channels": (lambda folder: write_nnunet(folder, 3), "nnunet", True),
    "nnunet of volumes": (write_nifti, "nnunet", True),
    "mapillary": (write_mapillary, "mapillary", True),
    "label studio": (write_label_studio, "label_studio", False),
    "label studio in json": (write_label_studio_json, "label_studio_json", False),
    "cityscapes": (write_cityscapes, "cityscapes", True),
    "cvat": (write_cvat, "cvat", False),
    "pascal_voc": (write_voc, "pascal_voc", True),
    "ade20k": (write_ade20k, "ade20k", True),
    "camvid": (write_camvid, "camvid", True),
    "roboflow": (write_roboflow, "roboflow", False),
    "coco": (write_coco, "coco", False),
    "coco panoptic": (write_coco_panoptic, "coco", True),
    "labelme": (write_labelme, "labelme", True),
    "parquet": (write_parquet, "parquet", True),
    "paired_folders": (write_paired, "paired_folders", True),
    "paired colours": (write_colors, "paired_folders", False),
}


def test_every_reader_has_a_fixture():
    assert {reader for _, reader, _ in FIXTURES.values()} == set(READERS)


@pytest.mark.parametrize("form", FIXTURES)
def test_the_scenes_come_in(tmp_path, form):
    write, reader, has_void = FIXTURES[form]
    class_of = write(tmp_path / "in")
    source = Source.scan(tmp_path / "in")
    assert next(name for name, r in READERS.items() if r.matches(source)) == reader
    report = import_dataset(tmp_path / "in", tmp_path / "out", "out")
    assert report.splits == {"train": 2, "validation": 1}
    assert [p for p in report.problems if p.sample] == []
    dataset = Dataset.open(tmp_path / "out")
    for sample, (split, names) in zip(
        sorted(dataset.samples, key=lambda s: s.id), SCENES.values(), strict=True
    ):
        table = {key: dataset.label_set.index_of(name) for key, name in class_of.items()} | {
            "": dataset.label_set.ignore_index
        }
        np.testing.assert_array_equal(
            dataset.read_mask(sample), numbers(with_void(names) if has_void else names, table)
        )
        assert sample.split == split
        assert dataset.read_image(sample).shape == (HEIGHT, WIDTH, 3)
    seen = preview(tmp_path / "in", count=2)
    assert (seen.num_pairs, seen.splits, len(seen.samples)) == (3, report.splits, 2)
    assert seen.label_set == report.label_set


def test_cityscapes_prefers_train_ids(tmp_path):
    class_of = write_cityscapes(tmp_path / "in")
    train_ids = {row.name: row.id for row in CITYSCAPES_TRAIN_IDS}
    table = {key: train_ids[name] for key, name in class_of.items()} | {"": 255}
    for stem, (split, names) in SCENES.items():
        short = {"train": "train", "validation": "val"}[split]
        mask = numbers(with_void(names), table).astype(np.uint8)
        write_bytes(
            tmp_path / f"in/gtFine/{short}/ulm/ulm_{stem}_gtFine_labelTrainIds.png",
            encode_png(mask),
        )
    report = import_dataset(tmp_path / "in", tmp_path / "out", "out")
    assert report.label_set.num_classes == 19 and report.label_set.class_ids == list(range(19))
    (problem,) = report.problems
    assert problem.what.startswith("no mask holds 16 declared classes: sidewalk, building")


def test_vocs_palette_is_the_published_one():
    assert [voc_color(i) for i in (0, 1, 2, 3, 15, 255)] == [
        (0, 0, 0),
        (128, 0, 0),
        (0, 128, 0),
        (128, 128, 0),
        (192, 128, 128),
        (224, 224, 192),
    ]


def test_colours_may_be_palette_and_rgb_mixed_and_undeclared(tmp_path):
    colors = {"a": (10, 20, 30), "b": (200, 0, 0), "c": (0, 200, 0)}
    for stem, (_, names) in SCENES.items():
        write_bytes(tmp_path / f"in/images/{stem}.png", image())
        picture = Image.fromarray(colored(names, colors))
        (tmp_path / "in/masks").mkdir(parents=True, exist_ok=True)
        (picture if stem == "s0" else picture.quantize(8)).save(tmp_path / f"in/masks/{stem}.png")
    report = import_dataset(tmp_path / "in", tmp_path / "out", "out")
    assert report.label_set.class_names == ["#0a141e", "#c80000", "#00c800"]
    dataset = Dataset.open(tmp_path / "out")
    for sample, (_, names) in zip(dataset.samples, SCENES.values(), strict=True):
        np.testing.assert_array_equal(
            dataset.read_mask(sample), numbers(names, {"a": 0, "b": 1, "c": 2})
        )
