"""More situations of the kinds that field reports show: void, names, palettes, tables, many ids.

Each states what is right: the classes and pixels that come in, or the sentence that refuses.
"""

import io
import json

import numpy as np
import pytest
from PIL import Image

from segcore.data.formats.importers import Pairing
from segcore.errors import SegcoreError
from tests.data.formats.importers.test_field_cases import box, stripes

SIZE = (24, 30)
SHAPE = box(24, 30, slice(5, 15), slice(6, 20))
RED, GREEN, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 0)


def write(folder, masks, images="images/{}.jpg", to="masks/{}.png"):
    """Save masks by name, each next to a photo."""
    for name, mask in masks.items():
        folder.photo(images.format(name), *np.asarray(mask).shape[:2])
        folder.save(to.format(name), mask)


def palette(ids, *colors):
    """A palette image."""
    image = Image.fromarray(ids, "P")
    image.putpalette([channel for color in colors for channel in color])
    return image


def packed(mask, form, **how):
    """An image file's bytes."""
    out = io.BytesIO()
    Image.fromarray(mask).save(out, form, **how)
    return out.getvalue()


# what an id, a colour or a transparent pixel means


def write_voc(folder, masks, to="SegmentationClass/{}.png"):
    """Save masks in Pascal VOC's folders, listed for training."""
    write(folder, masks, "JPEGImages/{}.jpg", to)
    folder.text("ImageSets/Segmentation/train.txt", "\n".join(masks))


def test_white_of_binary_masks_in_vocs_folders_is_no_border(folder):
    write_voc(folder, {str(n): SHAPE for n in range(4)})
    found = folder.bring_in()
    assert found.ids == [0, 255] and found.pixels()[1] == 4 * 140
    assert "are not those of Pascal VOC" in found.said


def test_ids_that_voc_lacks_are_read_as_they_are(folder):
    write_voc(folder, {str(n): stripes(0, 1, 40) for n in range(4)})
    assert folder.bring_in().ids == [0, 1, 40]


def test_vocs_border_says_its_share(folder):
    mask = stripes(0, 3, 3)
    mask[:, 9:11] = 255
    write_voc(folder, {str(n): mask for n in range(4)})
    found = folder.bring_in()
    assert len(found.names) == 21 and found.pixels()[-1] == 4 * 48
    assert "the 21 classes of Pascal VOC are assumed" in found.said
    assert "6.67% of the pixels are ignored" in found.said


@pytest.mark.parametrize("masks", ["SegmentationClass", "SegmentationClassPNG"])
def test_labelmes_export_in_vocs_folders(folder, masks):
    write_voc(folder, {"a": stripes(0, 1, 2)}, masks + "/{}.png")
    folder.photo("SegmentationClassVisualization/a.jpg", *SIZE)
    folder.text("SegmentationClass/a.npy", "an array")
    folder.text("class_names.txt", "_background_\ncat\ndog\n")
    found = folder.bring_in()
    assert found.names == ["_background_", "cat", "dog"] and found.report.num_samples == 1


def test_an_image_in_two_of_vocs_lists_is_in_neither_split(folder):
    write_voc(folder, {"a": stripes(0, 1), "b": stripes(0, 1)})
    folder.text("ImageSets/Segmentation/val.txt", "b\n")
    folder.text("ImageSets/Segmentation/trainval.txt", "a\nb\n")
    found = folder.bring_in()
    assert {s.id: s.split for s in found.dataset.samples} == {"a": "train", "b": ""}
    assert "lists of several splits (b)" in found.said


def test_masks_without_a_scored_pixel_are_refused(folder):
    name = "{0}/a/x_{1}.png"
    images = name.format("leftImg8bit/train", "{}_leftImg8bit")
    masks = name.format("gtFine/train", "{}_gtFine_labelIds")
    write(folder, {str(n): stripes(0, 1) for n in range(2)}, images, masks)
    with pytest.raises(SegcoreError, match=r"only ones that are ignored .* in Cityscapes"):
        folder.bring_in()


def test_one_name_in_two_splits_of_cityscapes_is_two_images(folder):
    for split, ids in (("train", (7, 8)), ("val", (8, 7))):
        images = f"leftImg8bit/{split}/a/{{}}_leftImg8bit.png"
        masks = f"gtFine/{split}/a/{{}}_gtFine_labelIds.png"
        write(folder, {"a_0": stripes(*ids)}, images, masks)
    found = folder.bring_in()
    assert found.report.splits == {"train": 1, "validation": 1}
    assert found.mask("train/a/a_0")[0, 0] == found.mask("validation/a/a_0")[0, -1]


def pgm(ids, most, plain=False):
    """A PGM file of another greatest grey than 255."""
    head = f"{'P2' if plain else 'P5'}\n{ids.shape[1]} {ids.shape[0]}\n{most}\n".encode()
    if plain:
        return head + " ".join(map(str, ids.ravel().tolist())).encode()
    return head + ids.astype(">u2" if most > 255 else "u1").tobytes()


@pytest.mark.parametrize(("most", "plain"), [(3, False), (150, False), (1000, False), (7, True)])
def test_the_greatest_grey_of_a_pgm_scales_no_id(folder, most, plain):
    ids = stripes(0, 1, 3)
    for number in range(2):
        folder.photo(f"images/{number}.png", *SIZE)
        folder.text(f"masks/{number}.pgm", pgm(ids, most, plain))
    assert folder.bring_in().ids == [0, 1, 3]


def test_floats_that_are_whole_but_for_arithmetic_are_ids(folder):
    ids = np.array(stripes(0, 1, 2), np.float32)
    write(folder, {"a": ids + 3e-6, "b": ids - 3e-6}, "images/{}.png", "masks/{}.tif")
    found = folder.bring_in()
    assert found.ids == [0, 1, 2]
    np.testing.assert_array_equal(found.mask("b"), stripes(0, 1, 2))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "received the empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "(HTML)"),
    ],
)
def test_what_lies_in_the_place_of_a_mask_is_named(folder, data, words):
    write(folder, {str(n): stripes(0, 1) for n in range(3)})
    folder.text("masks/1.png", data)
    found = folder.bring_in()
    assert found.report.num_samples == 2 and words in found.said


def test_names_without_ids_leave_the_background_out(folder):
    folder.text("classes.txt", "crack\nspall\n")
    write(folder, {f"{n}": stripes(0, 1, 2) if n < 3 else stripes(0, 1) for n in range(6)})
    with pytest.raises(SegcoreError, match=r"2 names of classes\.txt.*is 0 a background"):
        folder.bring_in()
    folder.text("classes.txt", "background\ncrack\nspall\n")
    assert folder.bring_in().names == ["background", "crack", "spall"]


def test_one_mask_with_a_strange_id_leaves_the_others_in(folder):
    folder.text("classes.txt", "road\ntree\n")
    write(folder, {f"{n}": stripes(0, 1, 2) if n == 2 else stripes(0, 1) for n in range(6)})
    found = folder.bring_in()
    assert len(found.dataset.samples) == 5 and "the mask holds 2" in found.said


def test_masks_of_1_bit_beside_white_of_255_are_asked_about(folder):
    write(folder, {"a": SHAPE, "b": Image.fromarray(SHAPE).convert("1")})
    with pytest.raises(SegcoreError, match=r"1 mask of 1 bit, whose white is 1 \(b\.png\)"):
        folder.bring_in()


def test_two_ways_to_write_one_foreground_are_told(folder):
    write(folder, {f"{n}": SHAPE // 255 if n == 3 else SHAPE for n in range(20)})
    found = folder.bring_in()
    assert found.ids == [0, 1, 255] and "no mask holds both 1 and 255" in found.said


@pytest.mark.parametrize("white", [0, 255])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_a_shape_that_lies_in_transparency_alone_is_no_background(folder, mode, white):
    pixels = np.full((*SIZE, 2 if mode == "LA" else 4), white, np.uint8)
    pixels[..., -1] = SHAPE
    write(folder, {"a": Image.fromarray(pixels, mode), "b": Image.fromarray(pixels, mode)})
    with pytest.raises(SegcoreError, match=r"received one and pixels that are no data \(80\.56%"):
        folder.bring_in()


@pytest.mark.parametrize(("kind", "nodata"), [("uint8", 255), ("int8", None)])
def test_a_foreground_that_is_marked_as_no_data_is_asked_about(folder, kind, nodata):
    rasterio = pytest.importorskip("rasterio")
    (folder.root / "masks").mkdir(parents=True, exist_ok=True)
    how = {"driver": "GTiff", "height": 24, "width": 30, "count": 1, "dtype": kind}
    for name in "ab":
        folder.photo(f"images/{name}.png", *SIZE)
        with rasterio.open(folder.root / f"masks/{name}.tif", "w", nodata=nodata, **how) as raster:
            raster.write(SHAPE.astype(kind), 1)
    with pytest.raises(SegcoreError, match="marked as nodata, give it an id of its own"):
        folder.bring_in()


def test_floats_that_were_smoothed_are_no_probabilities(folder):
    mask = SHAPE.astype(np.float32)
    mask[5] /= 2
    folder.photo("images/a.png", *SIZE)
    folder.save("masks/a.tif", mask)
    with pytest.raises(SegcoreError, match=r"it holds 127\.5: it was smoothed or scaled"):
        folder.bring_in()


def test_a_black_class_is_not_the_black_under_transparency(folder):
    pixels = np.zeros((*SIZE, 4), np.uint8)
    pixels[5:15, :, 3] = 255
    pixels[5:15, 15:, 0] = 255
    write(folder, {"a": pixels})
    found = folder.bring_in()
    assert found.pixels() == {-1: 14 * 30, 0: 150, 1: 150} and "transparent" in found.said


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_masks_that_were_stored_with_loss_are_refused_whatever_their_name(folder, form):
    for name in "abc":
        folder.photo(f"images/{name}.jpg", *SIZE)
        ending = "webp" if form == "WEBP" else "png"
        folder.text(f"masks/{name}.{ending}", packed(stripes(0, 1, 2), form, quality=80))
    with pytest.raises(
        SegcoreError, match=f"without loss, received the {form.replace('WEBP', 'WebP')}"
    ):
        folder.bring_in()


def test_a_lossless_webp_is_a_mask(folder):
    folder.photo("images/a.jpg", *SIZE)
    folder.text("masks/a.webp", packed(SHAPE, "WEBP", lossless=True))
    assert folder.bring_in().pixels()[1] == int((SHAPE > 0).sum())


@pytest.mark.parametrize("ending", ["tif", "gif"])
def test_a_stack_of_masks_is_not_its_first_page(folder, ending):
    folder.photo("images/a.png", *SIZE)
    further = [Image.fromarray(stripes(1, 0)), Image.fromarray(stripes(1, 1))]
    folder.save(f"masks/a.{ending}", stripes(0, 1), save_all=True, append_images=further)
    with pytest.raises(SegcoreError, match="several pages or frames"):
        folder.bring_in()


def test_a_stack_of_images_is_refused_too(folder):
    pages = [Image.fromarray(np.full(SIZE, 9 * n, np.uint8)) for n in range(4)]
    folder.save("images/a.tif", pages[0], save_all=True, append_images=pages[1:])
    folder.save("masks/a.png", stripes(0, 1))
    with pytest.raises(SegcoreError, match="several pages or frames"):
        folder.bring_in()


def test_overviews_within_a_raster_are_no_pages(folder):
    rasterio = pytest.importorskip("rasterio")
    (folder.root / "images").mkdir(parents=True)
    bands = np.random.default_rng(0).integers(0, 255, (3, 512, 512), np.uint8)
    how = {"driver": "GTiff", "height": 512, "width": 512, "count": 3, "dtype": "uint8"}
    with rasterio.open(folder.root / "images/a.tif", "w", tiled=True, **how) as raster:
        raster.write(bands)
    with rasterio.open(folder.root / "images/a.tif", "r+") as raster:
        raster.build_overviews([2, 4])
    folder.save("masks/a.png", stripes(0, 1, height=512, width=512))
    assert folder.bring_in().names == ["class 0", "class 1"]


def test_a_raster_of_one_band_a_class_is_told_apart_from_damage(folder):
    rasterio = pytest.importorskip("rasterio")
    folder.photo("images/a.png", *SIZE)
    (folder.root / "masks").mkdir(parents=True, exist_ok=True)
    how = {"driver": "GTiff", "height": 24, "width": 30, "count": 5, "dtype": "uint8"}
    with rasterio.open(folder.root / "masks/a.tif", "w", **how) as raster:
        raster.write(np.zeros((5, 24, 30), np.uint8))
    with pytest.raises(SegcoreError, match=r"one band, a\.tif has 5"):
        folder.bring_in()


def test_photographs_in_the_place_of_masks_are_told(folder):
    rng = np.random.default_rng(0)
    write(folder, {n: rng.integers(0, 255, SIZE, np.uint8) for n in "abc"})
    with pytest.raises(SegcoreError, match="are these photographs"):
        folder.bring_in()


# which mask belongs to which image


def test_numbers_that_begin_anew_in_each_split_are_not_mixed_up(folder):
    for split, images, masks in (("train", (1, 2, 3), (2, 3)), ("val", (4, 5), (1, 4, 5))):
        for number in images:
            folder.photo(f"images/{split}/{number}.png", *SIZE)
        for number in masks:
            folder.save(f"masks/{split}/{number}.png", stripes(0, 1))
    found = folder.bring_in()
    assert [s.id for s in found.dataset.samples] == ["2", "3", "4", "5"]
    assert "images/train/1.png has no mask in its split or folder; masks/val/1.png" in found.said


def test_numbers_that_begin_anew_in_each_tile_are_not_mixed_up(folder):
    for tile, images, masks in (("Tile 1", "123", "12"), ("Tile 2", "12", "123")):
        for number in images:
            folder.photo(f"{tile}/images/{number}.png", *SIZE)
        for number in masks:
            folder.save(f"{tile}/masks/{number}.png", stripes(0, 1))
    found = folder.bring_in()
    assert "Tile 1/3" not in [s.id for s in found.dataset.samples]
    assert len(found.dataset.samples) == 4 and "Tile 2/masks/3.png" in found.said


def test_masks_in_a_folder_for_each_class_are_told(folder):
    for name, kind in zip("abcd", ("cat", "cat", "dog", "dog"), strict=True):
        write(folder, {name: SHAPE}, to=f"masks/{kind}/{{}}.png")
    assert "folders of their own (cat, dog) and are all read alike" in folder.bring_in().said


def test_masks_that_are_united_are_told(folder):
    for name in "abc":
        folder.photo(f"images/{name}.jpg", *SIZE)
        folder.save(f"masks/{name}_1.png", box(24, 30, slice(0, 4), slice(0, 9)))
        folder.save(f"masks/{name}_2.png", box(24, 30, slice(9, 12), slice(0, 9)))
    found = folder.bring_in()
    assert found.pixels()[1] == 3 * 7 * 9
    assert "3 images with several masks, such as a_1.png, a_2.png of a.jpg" in found.said


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("a .jpg", "a.png"),
        ("a b.jpg", "a%20b.png"),
        ("２.jpg", "2.png"),
        ("IMG_1.JPG", "img_1.PNG"),
    ],
)
def test_names_that_differ_in_how_they_are_written_pair(folder, image, mask):
    folder.photo(f"images/{image}", *SIZE)
    folder.save(f"masks/{mask}", stripes(0, 1))
    assert folder.bring_in().pixels() == {0: 360, 1: 360}


def test_linked_folders_are_followed_and_loops_are_not(folder):
    for name in "abc":
        folder.photo(f"../store/x/{name}.jpg", *SIZE)
        folder.save(f"../store/y/{name}.png", stripes(0, 1))
    for link, target in (("images", "x"), ("masks", "y")):
        (folder.root / link).symlink_to((folder.root / "../store" / target).resolve())
    (folder.root / "../store/x/again").resolve().symlink_to(folder.root.resolve())
    (folder.root / "../store/y/other").resolve().symlink_to((folder.root / "../store/x").resolve())
    assert [s.id for s in folder.bring_in().dataset.samples][:3] == ["a", "b", "c"]


def test_hidden_folders_are_not_called_empty(folder):
    write(folder, {"a": SHAPE}, ".data/images/{}.jpg", ".data/masks/{}.png")
    with pytest.raises(SegcoreError, match="only hidden files"):
        folder.bring_in()


def test_lists_of_a_split_in_any_encoding_and_form_are_read(folder):
    write(folder, {n: stripes(0, 1) for n in "abcd"}, to="annotations/{}.png")
    folder.text("train.txt", "images/a.jpg annotations/a.png\r\nb\r\n".encode("utf-16"))
    folder.text("val_list.txt", "./images/c.jpg\nimages/gone.jpg\n")
    found = folder.bring_in()
    assert found.report.splits == {"train": 2, "validation": 1}
    assert "1 line without an image, such as 'images/gone.jpg'" in found.said
    assert "1 image without a split, unlike the others" in found.said


def test_an_image_in_two_lists_is_in_neither_split(folder):
    write(folder, {n: stripes(0, 1) for n in "abc"})
    folder.text("splits/train.txt", "a\nb\n")
    folder.text("splits/test.txt", "b\nc\n")
    found = folder.bring_in()
    assert found.report.splits == {"train": 1, "test": 1}
    assert "1 image in lists of several splits (b), which get none" in found.said


@pytest.mark.parametrize("line", ["a", "a.jpg", "JPEGImages/a.jpg SegmentationClass/a.png"])
def test_pascals_lists_are_read_in_each_form(folder, line):
    masks = {n: stripes(0, 1, 255) for n in "ab"}
    write(folder, masks, "JPEGImages/{}.jpg", "SegmentationClass/{}.png")
    folder.text("ImageSets/Segmentation/train.txt", f"{line}\nstranger\n".encode("utf-16"))
    found = folder.bring_in()
    assert found.dataset.sample("a").split == "train"
    assert "train.txt: 1 line without an image, such as 'stranger'" in found.said


def test_a_mask_that_a_note_turns_unlike_its_image_is_refused(folder):
    exif = Image.Exif()
    exif[0x112] = 3
    for name in "ab":
        folder.photo(f"images/{name}.jpg", *SIZE, **({"exif": exif} if name == "b" else {}))
        folder.save(f"masks/{name}.png", stripes(0, 1), exif=exif)
    found = folder.bring_in()
    assert [s.id for s in found.dataset.samples] == ["b"]
    assert "a.png carries a note (EXIF) on how to turn it that a.jpg lacks" in found.said


# palettes and tables


def test_a_palette_that_numbers_the_declared_colours_otherwise_is_read_by_colour(folder):
    folder.text("classes.csv", "id,name,color\n0,bg,#000000\n1,car,#ff0000\n2,tree,#00ff00\n")
    write(folder, {n: palette(stripes(0, 1, 2, 2), BLACK, GREEN, RED) for n in "abcd"})
    found = folder.bring_in()
    names = np.array(found.names)[found.mask("a")[0]]
    assert list(dict.fromkeys(names)) == ["bg", "tree", "car"]
    assert "index 1 is #00ff00 there and #ff0000 in the table" in found.said


def test_ids_saved_as_grey_rgb_keep_the_names_of_a_table_with_colours(folder):
    folder.text("classes.csv", "id,name,color\n0,bg,#000000\n1,car,#ff0000\n2,tree,#00ff00\n")
    write(folder, {n: np.dstack([stripes(0, 1, 2)] * 3) for n in "abc"})
    found = folder.bring_in()
    assert found.names == ["bg", "car", "tree"] and set(found.pixels()) == {0, 1, 2}


def test_red_and_blue_swapped_are_told(folder):
    folder.text("classes.csv", "id,name,color\n0,bg,#000000\n1,car,#ff8000\n2,sky,#1020ff\n")
    colors = np.array([BLACK, (0, 128, 255), (255, 32, 16)], np.uint8)
    write(folder, {n: colors[stripes(0, 1, 2)] for n in "abc"})
    assert "red and blue look swapped" in folder.bring_in().said


def test_pascals_colours_need_no_table(folder):
    colors = np.array([BLACK, (128, 0, 0), (0, 128, 0)], np.uint8)
    masks = {n: colors[stripes(0, 1, 2)] for n in "abc"}
    write(folder, masks, "JPEGImages/{}.jpg", "SegmentationClass/{}.png")
    found = folder.bring_in()
    assert [found.names[i] for i in sorted(found.pixels())] == [
        "background",
        "aeroplane",
        "bicycle",
    ]


def test_ids_with_a_decimal_comma_are_ids(folder):
    table = "id;name\r\n0,0;Hintergrund\r\n1,0;Straße\r\n"
    folder.text("classes.csv", table.encode("cp1252"))
    write(folder, {"a": stripes(0, 1)})
    assert folder.bring_in().names == ["Hintergrund", "Straße"]


def test_two_tables_that_differ_are_asked_about(folder):
    folder.text("train/_classes.csv", "Pixel Value, Class\n0, background\n1, cat\n")
    folder.text("valid/_classes.csv", "Pixel Value, Class\n0, background\n1, dog\n")
    for split in ("train", "valid"):
        write(folder, {"a": stripes(0, 1)}, f"{split}/{{}}.jpg", f"{split}/{{}}_mask.png")
    with pytest.raises(
        SegcoreError, match=r"train/_classes\.csv and valid/_classes\.csv, which differ"
    ):
        folder.bring_in()


def test_the_maps_of_coco_stuff_number_their_table_from_one_less(folder):
    folder.text("labels.txt", "0: unlabeled\n1: person\n2: bicycle\n3: car\n")
    masks = {n: stripes(0, 1, 2, 255) for n in "abc"}
    write(folder, masks, "images/train2017/{}.jpg", "stuffthingmaps/train2017/{}.png")
    found = folder.bring_in()
    assert found.names == ["person", "bicycle", "car"]
    assert found.mask("train2017/a")[0, [0, 10, 16, 29]].tolist() == [0, 1, 2, -1]


def test_cityscapes_takes_the_ids_that_more_images_have(folder):
    for number, name in enumerate("abc"):
        folder.photo(f"leftImg8bit/train/x/{name}_leftImg8bit.png", *SIZE)
        if number:
            folder.save(f"gtFine/train/x/{name}_gtFine_labelTrainIds.png", stripes(0, 1, 255))
    found = folder.bring_in()
    assert found.ids[:2] == [0, 1] and len(found.dataset.samples) == 2
    assert "a_leftImg8bit.png has no mask" in found.said


def test_train_ids_under_the_name_of_label_ids_show_in_the_void(folder):
    for name in "abc":
        folder.photo(f"leftImg8bit/train/x/{name}_leftImg8bit.png", *SIZE)
        folder.save(f"gtFine/train/x/{name}_gtFine_labelIds.png", stripes(0, 1, 2, 8))
    assert "76.67% of the pixels are ignored" in folder.bring_in().said


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("gtFine/train/x/a_gtFine_color.png", "only colours, instances or polygons of gtFine"),
        ("images/ADE_train_00000001_seg.png", "class and instance in their colours"),
    ],
)
def test_whole_publications_without_ids_are_named(folder, name, sentence):
    folder.photo("leftImg8bit/train/x/a_leftImg8bit.png", *SIZE)
    folder.photo("images/ADE_train_00000001.jpg", *SIZE)
    folder.save(name, np.zeros((*SIZE, 3), np.uint8))
    with pytest.raises(SegcoreError, match=sentence):
        folder.bring_in()


def test_a_rule_for_names_keeps_the_classes_of_nnunet(folder):
    labels = {"background": 0, "liver": 1, "tumour": 2}
    folder.text("dataset.json", json.dumps({"labels": labels, "file_ending": ".png"}))
    masks = {f"c_{n:03}": stripes(0, 1, 2) for n in range(3)}
    write(folder, masks, "imagesTr/{}_0000.png", "labelsTr/{}.png")
    assert folder.bring_in(pairing=Pairing(match=r"^(c_\d+)")).names == list(labels)


def test_masks_of_other_names_in_the_folders_of_cityscapes_are_found(folder):
    for name in "ab":
        folder.photo(f"leftImg8bit/train/0/{name}_leftImg8bit.png", *SIZE)
        folder.text(f"gtFine/train/0/{name}_gtFine_polygons.json", "{}")
        folder.save(f"gtFine/train/0/{name}_gtFine_labellevel3Ids.png", stripes(0, 1, 255))
    found = folder.bring_in(pairing=Pairing(match=r"^([a-z])_", masks="gtFine"))
    assert found.pixels() == {-1: 480, 0: 480, 1: 480}


# many ids


def test_ids_of_class_and_instance_are_asked_about(folder):
    masks = {}
    for number in range(6):
        ids = np.array([7, 8, *[26000 + k for k in range(number + 1)]], np.uint16)
        at = np.minimum(np.arange(30) * len(ids) // 30, len(ids) - 1)
        masks[f"{number}"] = np.tile(ids[at], (24, 1))
    write(folder, masks)
    with pytest.raises(SegcoreError, match="look like instance numbers"):
        folder.bring_in()
    assert 26005 in folder.bring_in(many_classes=True).ids


def test_a_colour_for_each_object_is_asked_about(folder):
    rng = np.random.default_rng(0)
    colors = rng.integers(1, 255, (8, 7, 3), np.uint8)
    colors[:, 0] = 0
    write(folder, {f"{n}": colors[n][stripes(*range(7))] for n in range(8)})
    with pytest.raises(SegcoreError, match=r"48 colours, of which 48 are in one mask only"):
        folder.bring_in()


def test_ids_that_count_up_in_each_mask_are_told(folder):
    write(folder, {f"{n}": stripes(*range(3 + n)) for n in range(8)})
    assert "ids count up from 1 in nearly every mask" in folder.bring_in().said


# what is there where no masks were found


@pytest.mark.parametrize(
    ("file", "text", "hint"),
    [
        (
            "annotations.xml",
            '<annotations><image id="0" name="a.jpg"><polygon ',
            "Segmentation mask 1.1",
        ),
        ("via.csv", "filename,region_shape_attributes\n", "VIA's CSV is not read"),
        ("a.mat", "MATLAB", r"MATLAB files \(\.mat\) are not read"),
        ("export.heic", "x", "HEIC, AVIF, JPEG 2000"),
    ],
)
def test_what_is_there_is_named_with_the_way_out(folder, file, text, hint):
    folder.photo("images/a.jpg", *SIZE)
    folder.text(file, text)
    with pytest.raises(SegcoreError, match=hint):
        folder.bring_in()


@pytest.mark.parametrize(
    ("name", "hint"), [("images/a", "without an ending"), ("images/a.jp2", "HEIC, AVIF, JPEG 2000")]
)
def test_images_that_are_not_looked_at_are_named(folder, name, hint):
    folder.text(name, "x")
    folder.save("masks/a.png", stripes(0, 1))
    with pytest.raises(SegcoreError, match=hint):
        folder.bring_in()


def test_a_further_mask_beside_the_first_is_united_with_it(folder):
    """As in BUSI: x_mask.png, and x_mask_1.png of a second lesion."""
    for name in ("benign (1)", "benign (2)"):
        folder.photo(f"benign/{name}.png", *SIZE)
        folder.save(f"benign/{name}_mask.png", box(*SIZE, slice(2, 8), slice(2, 8)))
    folder.save("benign/benign (2)_mask_1.png", box(*SIZE, slice(12, 18), slice(2, 8)))
    found = folder.bring_in()
    assert found.pixels()[1] == 3 * 36 and "united as one class" in found.said


def test_a_further_mask_of_another_class_keeps_the_image_out(folder):
    write(folder, {f"{n}": stripes(0, 1) for n in range(3)}, to="masks/{}_mask.png")
    folder.save("masks/1_mask_1.png", stripes(2, 0))
    found = folder.bring_in()
    assert found.report.num_samples == 2 and "2 of several classes" in found.said


@pytest.mark.parametrize("images", ["images/{}.jpg", "images/a{}.jpg"])
def test_zeros_before_a_number_do_not_come_between_names(folder, images):
    for number in (1, 2, 10):
        folder.photo(images.format(number), *SIZE)
        folder.save(f"masks/{number:03}.png", stripes(0, 1) if number > 1 else stripes(1, 0))
    rule = Pairing(match=r"(\d+)") if "a" in images.partition("/")[2] else None
    found = folder.bring_in(pairing=rule)
    first = min(s.id for s in found.dataset.samples)
    assert found.report.num_samples == 3 and found.mask(first)[0, 0] == 1


def test_masks_that_no_word_marks_are_pointed_at(folder):
    for name in ("a", "b"):
        for form in ("", "_1stHO", "_2ndHO"):
            folder.save(f"flat/{name}{form}.png", stripes(0, 1))
        folder.photo(f"lungs/CXR/{name}.png", *SIZE)
        for place in ("Manual/leftMask", "Manual/rightMask"):
            folder.save(f"lungs/{place}/{name}.png", stripes(0, 1))
    with pytest.raises(SegcoreError, match="--mask-suffix=_1stHO or --mask-suffix=_2ndHO"):
        folder.bring_in("flat")
    with pytest.raises(SegcoreError, match="--masks 'Manual/leftMask'"):
        folder.bring_in("lungs")
    assert folder.bring_in("lungs", pairing=Pairing(masks="Manual/leftMask")).ids == [0, 1]


def test_ids_behind_names_are_their_ids(folder):
    write(folder, {"a": stripes(0, 1, 2), "b": stripes(0, 1, 2)})
    folder.text("classes.txt", "tree 1\nroad 2\nground 0\n")
    found = folder.bring_in()
    assert dict(zip(found.ids, found.names, strict=True)) == {0: "ground", 1: "tree", 2: "road"}
    folder.text("classes.txt", "Boeing 737\nAirbus 320\nzone 1\n")
    assert folder.bring_in().names == ["Boeing 737", "Airbus 320", "zone 1"]


def test_the_class_table_of_the_massachusetts_sets_is_read(folder):
    colors = np.array([BLACK, (255, 255, 255)], np.uint8)
    write(folder, {"a": colors[stripes(0, 1)]})
    folder.text("label_class_dict.csv", "name,r,g,b\nbackground,0,0,0\nroad,255,255,255\n")
    assert folder.bring_in().names == ["background", "road"]


def test_a_declared_void_that_is_scored_is_told(folder):
    write(folder, {"a": stripes(0, 1, 255)})
    folder.text("classes.csv", "id,name,ignore\n0,a,\n1,b,\n255,void,\n")
    assert "'void' is scored like any class" in folder.bring_in().said
    folder.text("classes.csv", "id,name,ignore\n0,a,\n1,b,\n255,void,1\n")
    assert "scored like any class" not in folder.bring_in().said
