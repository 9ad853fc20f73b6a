"""Situations from bug reports of people who do this job, each with the outcome that is right.

The files are made here, in small; what is asserted is what a person would want of them.
"""

import base64
import io
import json
import re
import unicodedata
import zlib

import numpy as np
import pytest
from PIL import Image

from segcore.cli import main
from segcore.data.formats.importers import Pairing
from segcore.errors import SegcoreError

SIZE = (24, 30)


def stripes(*ids, height=24, width=30):
    """Equal vertical stripes of ids."""
    at = np.minimum(np.arange(width) * len(ids) // width, len(ids) - 1)
    return np.tile(np.array(ids, np.uint8)[at], (height, 1))


def box(height, width, rows, columns, value=255):
    """A rectangle on black."""
    mask = np.zeros((height, width), np.uint8)
    mask[rows, columns] = value
    return mask


def write_retina(folder, test_vessels):
    """Vessels in 1st_manual, the field of view in mask, under names of their own."""
    vessels = box(48, 46, slice(20, 23), slice(None))
    rows, columns = np.mgrid[:48, :46]
    view = (((rows - 24) ** 2 + (columns - 23) ** 2) < 484).astype(np.uint8) * 255
    for number in (21, 22, 23):
        folder.photo(f"training/images/{number}_training.tif", 48, 46)
        folder.save(f"training/1st_manual/{number}_manual1.gif", vessels)
        folder.save(f"training/mask/{number}_training_mask.gif", view)
    for number in ("01", "02"):
        folder.photo(f"test/images/{number}_test.tif", 48, 46)
        folder.save(f"test/mask/{number}_test_mask.gif", view)
        if test_vessels:
            folder.save(f"test/1st_manual/{number}_manual1.gif", vessels)
            folder.save(f"test/2nd_manual/{number}_manual2.gif", vessels[::-1])


@pytest.mark.parametrize("test_vessels", [False, True])
def test_the_field_of_view_never_becomes_the_truth(folder, test_vessels):
    write_retina(folder, test_vessels)
    for pairing in (None, Pairing(match=r"^(\d+)_")):
        with pytest.raises(SegcoreError, match=r"mask/ .*1st_manual/ .*--masks 1st_manual"):
            folder.bring_in(pairing=pairing)
    chosen = folder.bring_in(pairing=Pairing(masks="1st_manual"))
    assert chosen.report.num_samples == (5 if test_vessels else 3)
    pixels = chosen.pixels()
    assert pixels[1] / sum(pixels.values()) == pytest.approx(3 / 48)
    assert ("01_test.tif has no mask" in chosen.said) is not test_vessels


def test_ringing_round_black_and_white_makes_no_classes(folder):
    rng = np.random.default_rng(0)
    for number in range(6):
        mask = box(60, 80, slice(15, 45), slice(20, 60))
        mask[13, 20:60] = rng.integers(1, 8, 40)
        mask[16, 20:60] = rng.integers(248, 255, 40)
        folder.photo(f"images/c{number}.jpg", 60, 80)
        folder.save(f"masks/c{number}.png", mask)
    polyps = folder.bring_in()
    assert polyps.names == ["background", "foreground"] and polyps.ids == [0, 255]
    mask = polyps.mask("c0")
    assert (mask[17:45, 20:60] == 1).all() and (mask[:13] == 0).all()
    assert "belong to no class" in polyps.said


def test_masks_that_once_were_jpegs_keep_all_of_their_foreground(folder):
    for number in range(4):
        truth = box(61, 83, slice(11, 41), slice(13, 57))
        packed = io.BytesIO()
        Image.fromarray(truth).save(packed, format="JPEG", quality=75)
        folder.photo(f"images/c{number}.png", 61, 83)
        folder.save(f"masks/c{number}.png", Image.open(packed))
        folder.save(f"as_jpeg/images/c{number}.png", truth)
        folder.save(f"as_jpeg/masks/c{number}.jpg", truth)
    polyps = folder.bring_in(pairing=Pairing(images="images", masks="masks"))
    assert polyps.ids == [0, 255]
    assert (polyps.mask("c0")[14:38, 16:54] == 1).all()
    with pytest.raises(SegcoreError, match="export it as PNG"):
        folder.bring_in("as_jpeg")


def test_masks_of_another_size_are_named_and_the_rest_comes_in(folder):
    for number in range(8):
        extra = 2 * (number in (2, 5))
        folder.photo(f"Imgs/{number}.jpg", 37, 70)
        folder.save(f"GT/{number}.png", box(37 + extra, 70 + extra, slice(9, 20), slice(3, 30)))
    objects = folder.bring_in()
    assert objects.report.num_samples == 6
    sizes = "Expected a mask of 37 x 70 pixels .* received 39 x 72"
    assert [p.sample for p in objects.report.problems if p.sample] == ["2", "5"]
    assert len(re.findall(sizes, objects.said)) == 2


@pytest.mark.parametrize("form", ["LA", "grey RGBA", "coloured RGBA"])
def test_an_alpha_channel_is_no_class(folder, form):
    ids = stripes(0, 1, 2)
    full = np.full(SIZE, 255, np.uint8)
    colors = np.array([[0, 0, 0], [0, 200, 0], [255, 0, 0]], np.uint8)[ids]
    mask = {
        "LA": np.dstack([ids, full]),
        "grey RGBA": np.dstack([ids, ids, ids, full]),
        "coloured RGBA": np.dstack([colors, full]),
    }[form]
    for number in range(3):
        folder.photo(f"images/n{number}.png", *SIZE)
        folder.save(f"masks/n{number}.png", mask)
    alpha = folder.bring_in()
    np.testing.assert_array_equal(alpha.mask("n0"), ids)


def test_transparent_pixels_over_leftover_colours_are_unlabelled(folder):
    ids = stripes(0, 1, 2)
    colors = np.array([[0, 0, 0], [0, 200, 0], [255, 0, 0]], np.uint8)[ids]
    noise = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
    clear = np.where(ids == 0, 0, 255).astype(np.uint8)
    mask = np.dstack([np.where(clear[..., None] > 0, colors, noise), clear])
    for number in range(3):
        folder.photo(f"images/n{number}.png", *SIZE)
        folder.save(f"masks/n{number}.png", mask)
    cut = folder.bring_in()
    assert cut.names == ["#00c800", "#ff0000"]
    np.testing.assert_array_equal(cut.mask("n0"), ids.astype(int) - 1)
    assert "transparent" in cut.said


PALETTE = ((0, 0, 100), (255, 0, 0), (0, 255, 0))


def indexed(ids, order=(0, 1, 2)):
    """A palette image whose file numbers the colours in another order."""
    image = Image.fromarray(np.argsort(order).astype(np.uint8)[ids], "P")
    image.putpalette([value for k in order for value in PALETTE[k]])
    return image


@pytest.mark.parametrize("table", [False, True])
def test_a_clear_palette_entry_changes_no_id(folder, table):
    ids = stripes(0, 1, 2)
    for number in range(3):
        folder.photo(f"images/p{number}.png", *SIZE)
        folder.save(f"masks/p{number}.png", indexed(ids), transparency=0)
    if table:
        folder.text("classes.csv", "name,r,g,b\nground,0,0,100\ncar,255,0,0\ngrass,0,255,0\n")
    clear = folder.bring_in()
    assert len(clear.names) == 3
    np.testing.assert_array_equal(clear.mask("p1"), ids)


@pytest.mark.parametrize("table", [False, True])
def test_palettes_that_number_colours_anew_are_read_by_colour(folder, table):
    ids = stripes(0, 0, 1, 2)
    for number in range(3):
        folder.photo(f"images/p{number}.png", *SIZE)
        folder.save(f"masks/p{number}.png", indexed(ids, np.roll(np.arange(3), number)))
    if table:
        folder.text("classes.csv", "name,r,g,b\nground,0,0,100\ncar,255,0,0\ngrass,0,255,0\n")
    colors = folder.bring_in()
    named = ["ground", "car", "grass"] if table else ["#000064", "#ff0000", "#00ff00"]
    assert colors.names == named
    for number in range(3):
        np.testing.assert_array_equal(colors.mask(f"p{number}"), ids)
    assert "number their colours differently" in colors.said


@pytest.mark.parametrize("table", [False, True])
def test_ids_in_the_red_channel(folder, table):
    ids = stripes(1, 9, 7, 10)
    for number in range(3):
        folder.photo(f"CameraRGB/F{number}-1.png", *SIZE)
        folder.save(f"CameraSeg/F{number}-1.png", np.dstack([ids, ids * 0, ids * 0]))
    if table:
        folder.text("classes.csv", "id,name\n1,building\n7,road\n9,vegetation\n10,car\n")
    town = folder.bring_in()
    assert town.report.num_samples == 3 and len(town.names) == 4
    if table:
        assert town.names == ["building", "road", "vegetation", "car"]
        np.testing.assert_array_equal(town.mask("F0-1"), stripes(0, 2, 1, 3))
    else:
        assert "#070000 (" in town.said and "3 masks)" in town.said


LABELMAPS = {
    "undeclared black": ("leaf:48,112,32::\nstem:200,60,10::\n", ["leaf", "stem", "#000000"]),
    "two backgrounds": (
        "Background:48,112,32::\nBone:200,60,10::\nbackground:0,0,0::\n",
        ["Background", "Bone", "background"],
    ),
    "no colours": ("leaf:::\nbackground:::\n", ["#000000", "#307020", "#c83c0a"]),
}


@pytest.mark.parametrize("case", LABELMAPS)
def test_colour_maps_that_leave_something_out(folder, case):
    rows, names = LABELMAPS[case]
    mask = np.zeros((24, 30, 3), np.uint8)
    mask[4:20, 2:9] = (48, 112, 32)
    mask[4:20, 12:18] = (200, 60, 10)
    for number in range(4):
        folder.photo(f"JPEGImages/f{number}.jpg", *SIZE)
        folder.save(f"SegmentationClass/f{number}.png", mask)
        folder.save(f"SegmentationObject/f{number}.png", mask[..., ::-1].copy())
    folder.text("ImageSets/Segmentation/default.txt", "f0\nf1\nf2\nf3\n")
    folder.text("labelmap.txt", "# label:color_rgb:parts:actions\n" + rows)
    plants = folder.bring_in()
    assert plants.names == names and plants.report.num_samples == 4
    if case != "two backgrounds":
        assert "does not declare" in plants.said
    if case == "no colours":
        assert "gives no colours for leaf, background, and" in plants.said


def test_one_mask_for_each_region_is_never_taken_for_the_whole(folder):
    """Brush exports of one file a region: named by task, or by image; read as a whole or refused."""
    for task in (3, 4, 5):
        folder.photo(f"images/photo_{task}.png", 30, 40)
        for label, number, corner in (("tree", 0, 0), ("tree", 1, 10), ("roof", 0, 20)):
            region = box(30, 40, slice(corner, corner + 8), slice(corner, corner + 8))
            folder.save(f"masks/photo_{task}-{label}-{number}.png", region)
    for pairing in (None, Pairing(match=r"_(\d+)")):
        try:
            brush = folder.bring_in(pairing=pairing)
        except SegcoreError as refusal:
            assert "has 3 masks" in str(refusal) and "photo_3-tree-1.png" in str(refusal)
        else:
            assert {"tree", "roof"} <= set(brush.names)
            assert sum(n for i, n in brush.pixels().items() if i > 0) == 3 * 3 * 64


def test_numbered_masks_of_one_image_are_united(folder):
    """One file an object, as 2018's nuclei: in a folder for each image, or numbered."""
    for name in ("ab1", "cd2"):
        folder.photo(f"own/{name}/images/{name}.png", *SIZE)
        folder.photo(f"numbered/images/{name}.png", *SIZE)
        for k in range(3):
            region = box(*SIZE, slice(7 * k, 7 * k + 5), slice(2, 9))
            folder.save(f"own/{name}/masks/{name}{k}f{k}e.png", region)
            folder.save(f"numbered/masks/{name}_mask_{k + 1}.png", region)
    for form in ("own", "numbered"):
        nuclei = folder.bring_in(form)
        assert nuclei.report.num_samples == 2 and nuclei.pixels()[1] == 2 * 3 * 5 * 7


def shape(label, points, kind="polygon", **more):
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, **more}


def square(low, high):
    return [[low, low], [high, low], [high, high], [low, high]]


def write_labelme(folder, files, size=(32, 36)):
    for name, shapes in files.items():
        folder.photo(f"{name}.jpg", 32, 36)
        data = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": f"{name}.jpg"}
        data |= {"imageData": None, "imageHeight": size[0], "imageWidth": size[1]}
        folder.text(f"{name}.json", json.dumps(data))


def test_labelme_draws_in_order_with_holes_and_groups(folder):
    files = {
        "hole": [shape("donut", square(4, 28)), shape("_background_", square(10, 20))],
        "order": [shape("plate", square(2, 30)), shape("food", square(8, 16))],
        "group": [shape("cat", square(1, 8)), shape("cat", square(20, 28))],
        "none": [],
    }
    write_labelme(folder, files)
    drawn = folder.bring_in()
    at = drawn.names.index
    assert (drawn.mask("hole") == at("donut")).sum() == 24**2 - 10**2
    assert (drawn.mask("order") == at("food")).sum() == 64
    assert (drawn.mask("group") == at("cat")).sum() == 49 + 64
    assert not drawn.mask("none").any()


def test_labelmes_masks_are_drawn_and_lines_passed_over(folder):
    small = np.zeros((9, 11), bool)
    small[2:7, 3:9] = True
    packed = io.BytesIO()
    Image.fromarray(small).save(packed, format="PNG")
    code = base64.b64encode(packed.getvalue()).decode()
    files = {
        "ai": [shape("food", [[20.0, 10.0], [30.0, 18.0]], "mask", mask=code)],
        "line": [shape("crack", [[1, 1], [20, 20]], "line"), shape("food", square(22, 30))],
        "point": [shape("tip", [[5, 5]], "point")],
    }
    write_labelme(folder, files)
    drawn = folder.bring_in()
    assert drawn.names == ["background", "food"]
    assert (drawn.mask("ai")[12:17, 23:29] == 1).all() and (drawn.mask("ai") == 1).sum() == 30
    assert (drawn.mask("line") == 1).sum() == 64
    assert "line.json: shapes without an area are passed over: 1 line (crack)" in drawn.said
    assert "point.json" in drawn.said and drawn.report.num_samples == 2


def write_coco(folder, images, annotations, categories=((1, "person"), (18, "dog"), (90, "brush"))):
    data = {"images": images, "annotations": annotations}
    data["categories"] = [{"id": number, "name": name} for number, name in categories]
    folder.text("annotations/instances_train2017.json", json.dumps(data))


def test_coco_keeps_ids_and_negatives_and_names_what_has_no_outline(folder):
    height, width = 12, 20
    truth = np.zeros((height, width), int)
    truth[2:9, 3], truth[2:5, 4:9] = 1, 1
    flat = truth.T.ravel()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat, [0]])))
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    images = []
    for number in range(5):
        folder.photo(f"train2017/im{number}.jpg", height, width)
        name = f"train2017/im{number}.jpg"
        images.append({"id": 7 + number, "file_name": name, "height": height, "width": width})
    square_ = [1, 1, 7, 1, 7, 6, 1, 6]
    drawn = [
        (7, 18, {"size": [height, width], "counts": counts}),
        (8, 1, [square_, [10, 2, 14, 2, 14, 4, 10, 4]]),
        (8, 90, [[3, 3, 5, 3, 5, 5, 3, 5]]),
        (9, 1, [[1, 1, 3, 1]]),
        (10, 18, []),
        (99, 18, [square_]),
    ]
    annotations = [
        {"id": k, "image_id": image, "category_id": c, "area": 30 - k, "segmentation": s}
        for k, (image, c, s) in enumerate(drawn)
    ]
    write_coco(folder, images, annotations)
    coco = folder.bring_in()
    assert coco.ids == [0, 1, 18, 90] and coco.report.num_samples == 3
    np.testing.assert_array_equal(coco.mask("im0"), truth * 2)
    assert not coco.mask("im4").any()
    assert "im2: " in coco.said and "im3: " in coco.said and "only a box" in coco.said
    assert "image_id 99: 1 annotation" in coco.said


@pytest.mark.parametrize("form", ["coco", "labelme"])
def test_shapes_drawn_before_the_image_was_shrunk(folder, form):
    points = [[20, 20], [40, 20], [40, 36], [20, 36]]
    for number in range(2):
        folder.photo(f"im{number}.jpg", 20, 24)
        if form == "labelme":
            data = {"shapes": [shape("roof", points)], "imageHeight": 40, "imageWidth": 48}
            folder.text(f"im{number}.json", json.dumps(data))
    if form == "coco":
        images = [{"id": n, "width": 48, "height": 40, "file_name": f"im{n}.jpg"} for n in range(2)]
        outline = [value for point in points for value in point]
        annotations = [
            {"id": n, "image_id": n, "category_id": 1, "segmentation": [outline], "area": 320}
            for n in range(2)
        ]
        write_coco(folder, images, annotations, ((1, "roof"),))
    shrunk = folder.bring_in()
    np.testing.assert_array_equal(np.argwhere(shrunk.mask("im0"))[[0, -1]], [[10, 10], [17, 19]])
    assert shrunk.said.count("drawn at 40 x 48 pixels") == 2


def test_litter_of_macos_and_windows_is_passed_over(folder):
    ids = stripes(0, 1)
    for number in range(3):
        for name in (f"images/k{number}.png", f"masks/k{number}.png"):
            folder.save(f"set/{name}", ids if "masks" in name else np.dstack([ids] * 3))
            folder.text("set/" + name.replace("/", "/._"), b"\0\5\x16\7" + bytes(60))
    folder.text("set/images/Thumbs.db", bytes(80))
    folder.text("set/__MACOSX/images/k9.png", b"x")
    clean = folder.bring_in()
    assert clean.report.num_samples == 3
    assert [p.sample for p in clean.report.problems] == [""]


TABLES = {
    "UTF-8 with BOM, semicolons": ("utf-8-sig", ";", ""),
    "UTF-16, tabs": ("utf-16", "\t", ""),
    "Western Excel": ("cp1252", ";", ""),
    "a line that names the separator": ("utf-8-sig", ";", "sep=;\r\n"),
}


@pytest.mark.parametrize("case", TABLES)
def test_class_tables_as_spreadsheets_save_them(folder, case):
    encoding, sign, head = TABLES[case]
    rows = f'id{sign}name\r\n0{sign}"Straße, naß"\r\n1{sign}"Forêt ""dense"""\r\n'
    folder.photo("images/x.png", *SIZE)
    folder.save("masks/x.png", stripes(0, 1))
    folder.text("classes.csv", (head + rows).encode(encoding))
    assert folder.bring_in().names == ["Straße, naß", 'Forêt "dense"']


def turned(folder, name, stored, mask, orientation):
    note = Image.Exif()
    note[0x0112] = orientation
    folder.save(f"images/{name}.jpg", stored, exif=note, quality=95)
    folder.save(f"masks/{name}.png", mask)


def scene(height, width):
    stored = np.zeros((height, width, 3), np.uint8)
    stored[: height // 4, : width // 3] = 255
    return stored


@pytest.mark.parametrize("as_seen", [True, False])
def test_a_mask_turns_with_its_image_where_sizes_say_so(folder, as_seen):
    stored = scene(40, 60)
    mask = (stored[:, :, 0] > 0).astype(np.uint8)
    upright = np.rot90(mask, -1)
    for number in range(3):
        turned(folder, f"i{number}", stored, upright if as_seen else mask, 6)
    phone = folder.bring_in()
    image = phone.dataset.read_image(phone.dataset.samples[0])
    assert image.shape[:2] == (60, 40)
    np.testing.assert_array_equal(phone.mask("i0"), upright)
    assert ("drawn on the image as stored" in phone.said) is not as_seen


def test_where_sizes_do_not_tell_how_a_mask_lies_one_note_does(folder):
    stored = scene(48, 48)
    for number in range(3):
        turned(
            folder, f"i{number}", stored, (stored[:, :, 0] > 0).astype(np.uint8), 6 if number else 1
        )
    phone = folder.bring_in()
    assert "2 images with a camera's note" in phone.said


def test_the_other_masks_of_a_set_tell_how_a_square_one_lies(folder):
    wide, square_ = scene(40, 60), scene(48, 48)
    turned(folder, "wide", wide, (wide[:, :, 0] > 0).astype(np.uint8), 6)
    turned(folder, "square", square_, (square_[:, :, 0] > 0).astype(np.uint8), 3)
    phone = folder.bring_in()
    assert phone.mask("square")[-12:, -16:].all() and "like the other masks" in phone.said


RASTERS = {
    "-1 in int16": np.int16,
    "whole floats": np.float32,
    "nan": np.float32,
    "32 bits": np.int32,
}


@pytest.mark.parametrize("case", RASTERS)
def test_rasters_of_labels(folder, case):
    rasterio = pytest.importorskip("rasterio")
    base = stripes(0, 1, 0).astype(float)
    hole = case in ("-1 in int16", "nan")
    if hole:
        base[20:] = np.nan if case == "nan" else -1
    for number in range(3):
        folder.photo(f"images/t{number}.tif", *SIZE)
        path = folder.root / f"labels/t{number}.tif"
        path.parent.mkdir(exist_ok=True)
        how = {"driver": "GTiff", "height": 24, "width": 30, "count": 1}
        with rasterio.open(path, "w", dtype=np.dtype(RASTERS[case]).name, **how) as raster:
            raster.write(base.astype(RASTERS[case]), 1)
    water = folder.bring_in()
    assert water.ids == [0, 1]
    assert (water.mask("t0")[20:] == -1).all() == hole
    assert ("no data" in water.said) == hole


def test_floats_between_classes_are_probabilities(folder):
    folder.photo("images/t.tif", *SIZE)
    folder.save("labels/t.tif", np.full(SIZE, 0.25, np.float32))
    with pytest.raises(SegcoreError, match="probabilities"):
        folder.bring_in()


def test_images_of_every_mode_come_in(folder):
    grey = np.tile(np.linspace(0, 255, 30).astype(np.uint8), (24, 1))
    color = Image.fromarray(np.dstack([grey, 255 - grey, grey]))
    forms = {
        "cmyk.jpg": color.convert("CMYK"),
        "grey8.png": Image.fromarray(grey),
        "grey16.png": Image.fromarray(grey.astype(np.uint16) * 257),
        "palette.png": color.convert("P", palette=Image.Palette.ADAPTIVE),
        "one.png": Image.fromarray(grey > 100),
        "la.png": Image.fromarray(np.dstack([grey, 255 - grey])),
        "rgba.png": Image.fromarray(np.dstack([np.asarray(color), grey])),
        "webp.webp": color,
        "bmp.bmp": color,
    }
    for name, image in forms.items():
        folder.save(f"images/{name}", image)
        folder.save(f"masks/{name.split('.')[0]}.png", stripes(0, 1))
    modes = folder.bring_in()
    assert modes.report.num_samples == len(forms)
    look = {s.id: modes.dataset.read_image(s) for s in modes.dataset.samples}
    np.testing.assert_array_equal(look["grey16"][..., 0], grey)
    np.testing.assert_array_equal(look["bmp"], np.asarray(color))


def test_classes_that_no_mask_holds_are_listed(folder):
    folder.photo("images/s.png", *SIZE)
    folder.save("masks/s.png", stripes(0, 1, 255))
    folder.text("classes.csv", "id,name,ignore\n0,ground,no\n1,road,no\n3,never,no\n255,void,yes\n")
    assert "no mask holds 1 declared class: never" in folder.bring_in().said


def test_two_images_or_two_masks_of_one_name_are_told_by_name(folder):
    ids = np.eye(24, 30, dtype=np.uint8)
    for name in ("a.jpg", "a.png", "b.jpg", "c.jpg", "C.jpg", "d.jpg"):
        folder.photo(f"images/{name}", *SIZE)
    for name in ("a.png", "b.png", "c.png", "C.png", "d.png", "d.tif"):
        folder.save(f"masks/{name}", ids)
    pairs = folder.bring_in()
    assert sorted(s.id for s in pairs.dataset.samples) == ["C", "b", "c"]
    assert "images images/a.jpg, images/a.png share the mask masks/a.png" in pairs.said
    assert "d.jpg has 2 masks (masks/d.png, masks/d.tif)" in pairs.said
    assert "has no image" not in pairs.said


def test_names_in_two_unicode_forms_are_one_name(folder):
    for stem in ("Größe", "été", "naïve 3"):
        folder.photo(f"images/{unicodedata.normalize('NFC', stem)}.png", *SIZE)
        folder.save(f"masks/{unicodedata.normalize('NFD', stem)}.png", stripes(0, 1))
    assert folder.bring_in().report.num_samples == 3


ODD_NAMES = ["wall: brick", "door;double door", "car, truck", "a=b", "-minus", "1", "ground"]


def test_classes_with_signs_in_their_names(folder, tmp_path, capsys):
    folder.photo("images/train/n.png", 20, 35)
    folder.save("masks/train/n.png", stripes(*range(7), height=20, width=35))
    rows = [{"id": number, "name": name} for number, name in enumerate(ODD_NAMES)]
    folder.text("classes.json", json.dumps(rows))
    where = ["--workspace", str(tmp_path / "ws")]
    main(["import", str(folder.root), "--name", "odd", *where])
    assert (
        "7 classes, from classes.json: 'wall: brick', 'door;double door'" in capsys.readouterr().out
    )

    def refused(*words):
        with pytest.raises(SystemExit):
            main(["classes", "odd", *words, *where])
        return capsys.readouterr().err

    both = refused("--ignore", "1")
    assert "name of the class with id 5 and the id of the class 'door;double door'" in both
    assert "write the id" in refused("--rename", "a=b=ab")
    main(["classes", "odd", "--ignore", "5", "--rename", "3=ab", *where, "--json"])
    report = json.loads(capsys.readouterr().out)
    assert [c["name"] for c in report["ignored"]] == ["1"]
    assert "ab" in [c["name"] for c in report["classes"]]


def test_ids_that_begin_at_one_are_kept(folder):
    trimap = np.full(SIZE, 2, np.uint8)
    trimap[6:18, 8:22] = 3
    trimap[8:16, 10:20] = 1
    for name in ("Abyssinian_1", "Abyssinian_10", "terrier_7"):
        folder.photo(f"images/{name}.jpg", *SIZE)
        folder.save(f"annotations/trimaps/{name}.png", trimap)
        folder.text(f"annotations/trimaps/._{name}.png", b"\0\5\x16\7")
        folder.text(f"annotations/xmls/{name}.xml", "<annotation/>")
    folder.text("images/Abyssinian_1.mat", b"MATLAB 5.0")
    pets = folder.bring_in()
    assert pets.ids == [1, 2, 3] and pets.report.num_samples == 3


def test_instance_numbers_are_asked_about_before_anything_is_written(folder, tmp_path):
    for number in range(5):
        mask = np.zeros((90, 90), np.uint16)
        for k in range(60):
            y, x = 9 * (k // 9) + 1, 10 * (k % 9)
            mask[y : y + 6, x : x + 6] = k + 1 + 60 * number
        folder.photo(f"images/cell{number}.tif", 90, 90)
        folder.save(f"masks/cell{number}.tif", mask)
    with pytest.raises(SegcoreError, match="300 ids, of which 300 are in one mask only"):
        folder.bring_in()
    assert not list(tmp_path.glob("set*"))
    assert len(folder.bring_in(many_classes=True).names) == 301


@pytest.mark.parametrize("table", [False, True])
def test_one_stray_value_is_seen(folder, table):
    for number in range(20):
        mask = stripes(0, 1, 2)
        if number == 7:
            mask[0, :3] = 128
        folder.photo(f"images/u{number}.png", *SIZE)
        folder.save(f"annotations/u{number}.png", mask)
    if table:
        folder.text("classes.txt", "sky\nroad\ntree\n")
    strays = folder.bring_in()
    if table:
        assert strays.report.num_samples == 19
        assert "u7: Expected only ids that classes.txt declares, the mask holds 128" in strays.said
    else:
        assert strays.report.num_samples == 20
        assert "u7: the id 128 is rare: 3 pixels in 1 mask" in strays.said
        assert "128 (0.02% of the pixels, 1 mask)" in strays.said


def test_two_folders_of_masks_are_named_and_the_choice_is_asked(folder):
    diagonal = np.eye(20, 24, dtype=np.uint8)
    for number in range(3):
        folder.photo(f"images/x{number}.png", 20, 24)
        folder.save(f"labels/x{number}.png", diagonal)
        folder.save(f"masks/x{number}.png", diagonal[:, ::-1])
    with pytest.raises(SegcoreError, match=r"labels/ .*masks/ .*--masks labels or --masks masks"):
        folder.bring_in()
    chosen = folder.bring_in(pairing=Pairing(masks="labels"))
    np.testing.assert_array_equal(chosen.mask("x0"), diagonal)
    with pytest.raises(SegcoreError, match="name one of images, labels, masks"):
        folder.bring_in(pairing=Pairing(masks="truth"))


def test_ambiguous_files_are_named_by_every_reader(folder):
    """Pascal VOC, COCO and LabelMe with two files where one is meant: told, never the last one."""
    for name in ("a.jpg", "a.png", "b.jpg"):
        folder.photo(f"voc/JPEGImages/{name}", *SIZE)
    for name in ("a.png", "b.png"):
        folder.save(f"voc/SegmentationClass/{name}", stripes(0, 1))
    voc = folder.bring_in("voc")
    assert [s.id for s in voc.dataset.samples] == ["b"]
    assert "JPEGImages/a.jpg, JPEGImages/a.png" in voc.said

    square_ = [1, 1, 7, 1, 7, 6, 1, 6]
    rows = [{"id": n, "file_name": f"{s}.png"} for n, s in enumerate("ab")]
    drawn = [{"image_id": n, "category_id": 1, "segmentation": [square_]} for n in range(2)]
    for name in ("one/a.png", "two/a.png", "two/b.png"):
        folder.photo(f"coco/{name}", *SIZE)
    data = {"images": rows, "annotations": drawn, "categories": [{"id": 1, "name": "roof"}]}
    folder.text("coco/result.json", json.dumps(data))
    coco = folder.bring_in("coco")
    assert [s.id for s in coco.dataset.samples] == ["b"]
    assert "2 files have this name (one/a.png, two/a.png)" in coco.said

    for name in ("a.jpg", "a.png", "b.jpg"):
        folder.photo(f"labelme/{name}", *SIZE)
    for name in ("a", "b"):
        shapes = {"shapes": [shape("cow", square(2, 9))]}
        folder.text(f"labelme/{name}.json", json.dumps(shapes))
    labelme = folder.bring_in("labelme")
    assert [s.id for s in labelme.dataset.samples] == ["b"]
    assert "this annotation has 2 images (a.jpg, a.png)" in labelme.said


def test_what_two_jsons_of_coco_draw_on_one_image_is_joined(folder):
    folder.photo("images/a.png", *SIZE)
    for number, name in enumerate(("car", "tree"), start=1):
        corner = 10 * number - 10
        outline = [corner, 0, corner + 5, 0, corner + 5, 5, corner, 5]
        data = {
            "images": [{"id": 7 * number, "file_name": "images/a.png", "height": 24, "width": 30}],
            "annotations": [
                {"image_id": 7 * number, "category_id": number, "segmentation": [outline]}
            ],
            "categories": [{"id": number, "name": name}],
        }
        folder.text(f"annotations/{name}.json", json.dumps(data))
    both = folder.bring_in()
    assert both.names == ["background", "car", "tree"]
    assert both.pixels() == {0: 24 * 30 - 50, 1: 25, 2: 25}


def test_coloured_masks_that_once_were_jpegs_keep_their_classes(folder):
    truth = np.zeros((61, 83), int)
    truth[11:41, 13:57] = 1
    truth[3:9, 60:80] = 2
    colors = np.array([[0, 0, 0], [200, 30, 30], [30, 160, 220]], np.uint8)
    for number in range(3):
        packed = io.BytesIO()
        Image.fromarray(colors[truth]).save(packed, format="JPEG", quality=92, subsampling=0)
        folder.photo(f"images/c{number}.png", 61, 83)
        folder.save(f"masks/c{number}.png", Image.open(packed))
    folder.text("classes.csv", "name,color\nground,#000000\nroof,#c81e1e\npool,#1ea0dc\n")
    roofs = folder.bring_in()
    assert roofs.names[:3] == ["ground", "roof", "pool"] and len(roofs.names) < 8
    mask = roofs.mask("c0")
    assert (mask[16:36, 18:52] == 1).mean() > 0.95 and (mask[46:, :] == 0).mean() > 0.95


def test_nnunets_raw_folders(folder):
    ids = np.minimum(stripes(0, 1, 2, 100, 200, 201, height=32, width=32), 201)
    for number in range(3):
        folder.photo(f"Dataset001_Eye/imagesTr/eye_{number:03d}_0000.png", 32, 32)
        folder.save(f"Dataset001_Eye/labelsTr/eye_{number:03d}.png", ids)
    labels = {"background": 0, "vessel": 1, "disc": 2, "drusen": 100, "scar": 200, "ring": 201}
    about = {"channel_names": {"0": "R", "1": "G", "2": "B"}, "labels": labels}
    about |= {"numTraining": 3, "file_ending": ".png"}
    folder.text("Dataset001_Eye/dataset.json", json.dumps(about))
    folder.photo("Dataset001_Eye/imagesTs/eye_100_0000.png", 32, 32)
    eyes = folder.bring_in()
    assert eyes.ids == list(labels.values()) and eyes.names == list(labels)
    assert eyes.report.num_samples == 3 and "1 case without labels" in eyes.said


def test_run_lengths_in_a_table(folder):
    rows = ["ImageId_ClassId,EncodedPixels"]
    for number in range(4):
        folder.photo(f"train_images/000{number}ab.jpg", 16, 40)
        for c in (1, 2, 3, 4):
            runs = "17 6 33 6 49 6" if c == 1 + number else ""
            rows.append(f"000{number}ab.jpg_{c},{runs}")
    folder.text("train.csv", "\n".join(rows) + "\n")
    steel = folder.bring_in()
    assert steel.report.num_samples == 4
    np.testing.assert_array_equal(np.argwhere(steel.mask("0000ab") == 1)[[0, -1]], [[0, 1], [5, 3]])


def test_supervisely_with_bitmaps_and_polygons(folder):
    packed = io.BytesIO()
    Image.fromarray(np.ones((6, 5), bool)).save(packed, format="PNG")
    data = base64.b64encode(zlib.compress(packed.getvalue())).decode()
    outline = {"exterior": [[15, 10], [25, 10], [25, 20], [15, 20]], "interior": []}
    objects = [
        {
            "classTitle": "person",
            "geometryType": "bitmap",
            "bitmap": {"data": data, "origin": [4, 3]},
        },
        {"classTitle": "dog", "geometryType": "polygon", "points": outline},
    ]
    for number in range(2):
        folder.photo(f"ds0/img/im{number}.jpg", *SIZE)
        about = {"description": "", "size": {"height": 24, "width": 30}, "objects": objects}
        folder.text(f"ds0/ann/im{number}.jpg.json", json.dumps(about))
    classes = [
        {"title": "person", "shape": "bitmap", "color": "#FF0000"},
        {"title": "dog", "shape": "polygon", "color": "#00FF00"},
    ]
    folder.text("meta.json", json.dumps({"classes": classes, "tags": []}))
    pets = folder.bring_in()
    assert pets.names == ["background", "person", "dog"]
    first = pets.dataset.samples[0].id
    assert (pets.mask(first)[3:9, 4:9] == 1).all() and (pets.mask(first) == 1).sum() == 30


def test_via_regions(folder):
    regions = [
        {
            "shape_attributes": {
                "name": "polygon",
                "all_points_x": [3, 12, 12, 3],
                "all_points_y": [3, 3, 12, 12],
            },
            "region_attributes": {"class": "apple"},
        }
    ]
    about = {}
    for number in range(3):
        path = folder.photo(f"train/apple{number}.jpg", *SIZE)
        size = path.stat().st_size
        about[f"{path.name}{size}"] = {"filename": path.name, "size": size, "regions": regions}
    folder.text("train/via_region_data.json", json.dumps(about))
    apples = folder.bring_in()
    assert apples.names == ["background", "apple"] and apples.pixels()[1] == 3 * 81


def test_yolo_polygons_with_an_image_without_objects(folder):
    for split, count in (("train", 3), ("val", 2)):
        for number in range(count):
            folder.photo(f"images/{split}/im{number}.jpg", *SIZE)
            text = "" if number == 1 else "0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n"
            folder.text(f"labels/{split}/im{number}.txt", text)
    folder.text("data.yaml", "path: .\ntrain: images/train\nval: images/val\nnames: ['roof']\n")
    roofs = folder.bring_in()
    assert roofs.report.num_samples == 5 and roofs.names == ["background", "roof"]
    assert roofs.pixels()[1] == 3 * 12 * 10
