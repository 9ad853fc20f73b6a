"""Every reader meets damaged and hostile bytes: it answers, or says one sentence; never a traceback.

Seeds are sound files of every kind; a mutant is a seed with flipped bits, cut, spliced, with pieces
repeated, with lengths raised or with digits and brackets strewn in. The quick run looks at a few
mutants of each seed, the slow one at many.
"""

import base64
import io
import json
import tarfile
import traceback
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.files.archives import unpack
from segcore.data.files.bands import load_look
from segcore.data.files.georeference import is_available
from segcore.data.files.images import encode_png, image_size, read_image, verify_image
from segcore.data.files.masks import is_grey, mask_mode, mask_size, read_colors, read_ids
from segcore.data.files.uploads import Refused, Upload, judge
from segcore.data.formats.foreign_predictions import read_prediction
from segcore.data.formats.importers import import_dataset
from segcore.data.formats.importers.class_tables import read_class_table
from segcore.errors import SegcoreError
from segcore.evaluation.compression.hierarchy import read_hierarchy
from segcore.evaluation.counts.confusion_table import read_confusion_csv
from segcore.labels import LabelClass, LabelSet
from segcore.text_files import read_json, read_text, split_rows

HEIGHT, WIDTH = 12, 16
LABELS = LabelSet(
    (LabelClass(0, "road", (0, 0, 0)), LabelClass(1, "sky", (9, 9, 9))),
    (LabelClass(255, "void", (1, 1, 1)),),
)
SAMPLE = Sample("a", "a.png", "a.png", "test", HEIGHT, WIDTH)
RNG = np.random.default_rng(5)
PHOTO = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
IDS = RNG.integers(0, 2, (HEIGHT, WIDTH), dtype=np.uint8)


def saved(image, form, **more):
    data = io.BytesIO()
    image.save(data, form, **more)
    return data.getvalue()


def palette():
    image = Image.fromarray(IDS, "P")
    image.putpalette([0, 0, 0, 9, 9, 9])
    return saved(image, "PNG", transparency=0)


def raster(values, **more):
    if not is_available():
        return saved(Image.fromarray(PHOTO), "TIFF")
    import_rasterio = pytest.importorskip("rasterio")
    with import_rasterio.io.MemoryFile() as memory:
        count, height, width = values.shape
        with memory.open(driver="GTiff", height=height, width=width, count=count,
                         dtype=values.dtype.name, crs="EPSG:32633", **more) as file:  # fmt: skip
            file.write(values)
        return memory.read()


def array(values):
    data = io.BytesIO()
    np.save(data, values)
    return data.getvalue()


def packed(values):
    data = io.BytesIO()
    np.savez_compressed(data, probabilities=values)
    return data.getvalue()


def zipped(entries):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return data.getvalue()


def tarred(entries, mode):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as archive:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


PICTURES = {
    "a.png": encode_png(PHOTO),
    "grey.png": encode_png(IDS),
    "wide.png": encode_png(IDS.astype(np.uint16) * 300),
    "palette.png": palette(),
    "rgba.png": saved(Image.fromarray(np.dstack([PHOTO, 255 * IDS])), "PNG"),
    "bits.png": saved(Image.fromarray(IDS > 0), "PNG"),
    "a.jpg": saved(Image.fromarray(PHOTO), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"),
    "a.tif": saved(Image.fromarray(PHOTO), "TIFF", compression="tiff_lzw"),
    "float.tif": saved(Image.fromarray(IDS.astype(np.float32)), "TIFF"),
    "geo.tif": raster(RNG.integers(0, 900, (4, HEIGHT, WIDTH)).astype(np.int16), nodata=-1),
    "a.bmp": saved(Image.fromarray(PHOTO), "BMP"),
    "a.gif": saved(Image.fromarray(IDS), "GIF"),
    "a.webp": saved(Image.fromarray(PHOTO), "WEBP"),
    "a.ppm": saved(Image.fromarray(PHOTO), "PPM"),
}  # fmt: skip
ARRAYS = {
    "soft.npy": array(np.full((HEIGHT, WIDTH, 2), 0.5, np.float32)),
    "ids.npy": array(IDS),
    "soft.npz": packed(np.full((2, HEIGHT, WIDTH), 0.5, np.float16)),
}
TABLES = {
    "t.csv": b"id,name,color,ignore\n0,road,#010203,false\n1,sky,#000000,no\n",
    "u.csv": "sep=;\nid;name\n0;Straße\n1;forêt\n".encode("utf-16"),
    "m.csv": b",a,b\na,10,2\nb,3,9e+11\n",
    "t.json": b'{"classes": [{"id": 0, "name": "road", "color": [1, 2, 3]}, {"id": 1, "name": "\\ud800"}]}',
    "h.json": b'{"flat": ["road", "sky"]}',
    "t.txt": b"0 road\n1 sky\n128 0 0 car\n",
    "bands.json": b'{"bands": [4, 3, 2], "limits": [[0, 9.5]], "by_bands": true}',
    "georeference.json": b'{"samples": {"a": {"crs": "EPSG:1", "transform": [1, 0, 0, 0, 1, 0]}}}',
}  # fmt: skip
ENTRIES = {"images/a.png": PICTURES["a.png"], "masks/a.png": PICTURES["grey.png"]}
ARCHIVES = {
    "a.zip": zipped(ENTRIES),
    "a.tar": tarred(ENTRIES, "w"),
    "a.tar.gz": tarred(ENTRIES, "w:gz"),
    "a.tar.xz": tarred(ENTRIES, "w:xz"),
    "a.tar.bz2": tarred(ENTRIES, "w:bz2"),
}
BITMAP = {
    "data": base64.b64encode(zlib.compress(encode_png(np.full((4, 5), 255, np.uint8)))).decode(),
    "origin": [1, 2],
}
TURNED = {"name": "ellipse", "cx": 5, "cy": 5, "rx": 3, "ry": 2, "theta": 0.5}
DRAWN = {"name": "polygon", "all_points_x": [1, 9, 9], "all_points_y": [1, 1, 9]}
SQUARE = [[1, 1], [9, 1], [9, 9], [1, 9]]
FORMS = {
    "coco": {
        "images/a.png": PICTURES["a.png"],
        "annotations/instances_train.json": json.dumps(
            {
                "images": [{"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH}],
                "categories": [{"id": 1, "name": "x", "color": [1, 2, 3]}],
                "annotations": [
                    {"image_id": 1, "category_id": 1, "area": 4, "segmentation": [[1, 1, 9, 1, 9, 9]]},
                    {"image_id": 1, "category_id": 1, "segmentation": {"size": [12, 16], "counts": [9, 99, 84]}},
                    {"image_id": 1, "category_id": 1, "segmentation": {"size": [12, 16], "counts": "0l0T5"}},
                ],
            }
        ).encode(),
    },
    "labelme": {
        "a.png": PICTURES["a.png"],
        "a.json": json.dumps(
            {
                "shapes": [{"label": "x", "points": SQUARE, "shape_type": "polygon"},
                           {"label": "y", "points": SQUARE[:2], "shape_type": "circle"}],
                "imagePath": "a.png", "imageHeight": HEIGHT, "imageWidth": WIDTH,
            }
        ).encode(),
    },
    "supervisely": {
        "ds/img/a.png": PICTURES["a.png"],
        "ds/ann/a.png.json": json.dumps(
            {
                "size": {"height": HEIGHT, "width": WIDTH},
                "objects": [
                    {"classTitle": "x", "geometryType": "polygon", "points": {"exterior": SQUARE, "interior": [SQUARE]}},
                    {"classTitle": "x", "geometryType": "bitmap", "bitmap": BITMAP},
                ],
            }
        ).encode(),
        "meta.json": b'{"classes": [{"title": "x", "color": "#FF0000"}]}',
    },
    "via": {
        "a.png": PICTURES["a.png"],
        "via_region_data.json": json.dumps(
            {"a.png9": {"filename": "a.png", "size": 9, "regions": [
                {"shape_attributes": DRAWN, "region_attributes": {"class": "x"}},
                {"shape_attributes": TURNED, "region_attributes": {}}]}}
        ).encode(),
    },
    "yolo": {
        "images/a.png": PICTURES["a.png"],
        "labels/a.txt": b"0 0.1 0.1 0.5 0.1 0.5 0.5\n1 0.6 0.6 0.9 0.6 0.9 0.9 0.6 0.9\n",
        "data.yaml": b"names: {0: roof, 1: tree}\nnc: 2\n",
    },
    "run lengths": {
        "a.png": PICTURES["a.png"],
        "train.csv": b"ImageId,ClassId,EncodedPixels\na.png,1,17 6 33 6 49 6\na.png,2,\n",
    },
    "nnunet": {
        "imagesTr/a_0000.png": PICTURES["a.png"],
        "labelsTr/a.png": PICTURES["grey.png"],
        "dataset.json": b'{"labels": {"background": 0, "x": 1, "both": [1, 2]}, "file_ending": ".png"}',
    },
    "mapillary": {
        "training/images/a.png": PICTURES["a.png"],
        "training/v2.0/labels/a.png": PICTURES["grey.png"],
        "config_v2.0.json": b'{"labels": [{"name": "a", "readable": "A", "color": [1, 2, 3]}, {"name": "b", "color": [4, 5, 6]}]}',
    },
    "label studio": {
        "images/a.png": PICTURES["a.png"],
        "masks/task-3-annotation-4-by-1-tag-x-0.png": PICTURES["grey.png"],
        "result.json": b'[{"id": 3, "data": {"image": "/data/upload/1/0123abcd-a.png"}}]',
    },
    "paired": {
        "images/a.png": PICTURES["a.png"],
        "masks/a.png": PICTURES["grey.png"],
        "classes.csv": TABLES["t.csv"],
    },
}  # fmt: skip
NASTY = (b"9" * 5000, b"[" * 3000, b"\xff\xfe", b"\0\0\0\0", b"-1", b"NaN", b"1e999", b'"\\ud800"',
         b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"null", b"{}", b"\r", b'"', b"\x1b[2J")  # fmt: skip


def mutate(data, rng):
    """A damaged copy of some bytes."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(0, len(out) + 1))
        kind = int(rng.integers(0, 6))
        if kind == 0 and out:
            out[at % len(out)] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            del out[at:]
        elif kind == 2:
            out[at:at] = NASTY[int(rng.integers(0, len(NASTY)))]
        elif kind == 3:
            end = at + int(rng.integers(1, 12))
            out[at:end] = NASTY[int(rng.integers(0, len(NASTY)))]
        elif kind == 4:
            out[at:at] = out[at : at + int(rng.integers(1, 40))]
        elif out:
            near = at % min(len(out), 64)
            out[near] = int(rng.integers(0, 256))
    return bytes(out)


def tracebacks(work, name, mutants):
    """Run a reader on each mutant; return the tracebacks that are no sentence."""
    found = []
    for number, mutant in enumerate(mutants):
        try:
            work(mutant)
        except SegcoreError as error:
            if "\n" in str(error) or len(str(error)) > 2000:
                found.append(f"{name} {number}: not one sentence: {str(error)[:300]}")
        except Exception:
            found.append(f"{name} {number}: {traceback.format_exc(limit=-4)}")
    return found


def mutants_of(data, count, seed):
    rng = np.random.default_rng(seed)
    return [mutate(data, rng) for _ in range(count)]


def look_at(readers, place, name):
    """Return what writes bytes under a name and gives the file to each of some readers."""

    def work(data):
        path = place / name
        path.write_bytes(data)
        errors = []
        for reader in readers:
            try:
                reader(path)
            except SegcoreError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    return work


def judged(path):
    (outcome,) = judge([Upload(path.name, path.read_bytes, path.stat().st_size)])
    if isinstance(outcome, Refused):
        raise SegcoreError(outcome.why)


def imported(place, files, name):
    """Return what imports a dataset whose file of that name is given bytes."""
    counter = iter(range(10**9))

    def work(data):
        source = place / f"in{next(counter)}"
        for other, content in files.items():
            path = source / other
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data if other == name else content)
        import_dataset(source, source.with_name(f"{source.name}-set"), "set")

    return work


def run_all(place, count, seed):
    """Fuzz every reader; return (mutants looked at, tracebacks)."""
    found, looked = [], 0
    picture = (read_image, image_size, verify_image, read_ids, read_colors, mask_mode, mask_size,
               is_grey, judged)  # fmt: skip
    table = (read_class_table, read_confusion_csv, lambda p: read_hierarchy(p.read_bytes(), LABELS),
             lambda p: split_rows(read_text(p).text, p.name), read_json)  # fmt: skip
    groups = [
        (PICTURES, picture),
        (ARRAYS, [lambda p: read_prediction(p, SAMPLE, LABELS)]),
        (TABLES, table),
        (ARCHIVES, [lambda p: unpack(p, p.with_name(f"{p.name}.out"))]),
    ]
    for seeds, readers in groups:
        for name, data in seeds.items():
            mutants = mutants_of(data, count, [seed, len(name), len(data)])
            found += tracebacks(look_at(readers, place, name), name, mutants)
            looked += len(mutants)
    mutants = mutants_of(TABLES["bands.json"], count, [seed, 7])
    looks = look_at([lambda p: load_look(p.parent)], place, "bands.json")
    found += tracebacks(looks, "bands.json", mutants)
    looked += len(mutants)
    for form, files in FORMS.items():
        for name, data in files.items():
            mutants = mutants_of(data, max(1, count // 3), [seed, len(form), len(name)])
            work = imported(place / form / name.replace("/", "_"), files, name)
            found += tracebacks(work, f"{form} {name}", mutants)
            looked += len(mutants)
    return looked, found


def test_the_seeds_themselves_are_read(tmp_path):
    for name, data in PICTURES.items():
        readers = [judged] if name == "geo.tif" else [read_image, image_size, verify_image, judged]
        look_at(readers, tmp_path, name)(data)
    for name, data in ARRAYS.items():
        look_at([lambda p: read_prediction(p, SAMPLE, LABELS)], tmp_path, name)(data)
    for form, files in FORMS.items():
        name = next(iter(files))
        imported(tmp_path / form, files, name)(files[name])
        assert len(Dataset.open(tmp_path / form / "in0-set").samples) == 1


def test_a_few_damaged_files_end_in_sentences(tmp_path):
    looked, found = run_all(tmp_path, 6, 1)
    assert looked > 200 and not found, "\n".join(found[:5])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_many_damaged_files_end_in_sentences(tmp_path, seed):
    looked, found = run_all(tmp_path, 90, 100 + seed)
    assert looked > 3000 and not found, f"{len(found)} of {looked}:\n" + "\n".join(found[:8])
