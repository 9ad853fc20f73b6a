"""Each kind of silent misreading, tried in at least fifty seeded variants against what must never happen."""

import io
import json

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from segcore.data.formats.importers import Pairing
from segcore.data.formats.importers.class_tables import DeclaredClass
from segcore.data.formats.importers.classes.codes import COLOR_CODES, ID_CODES, Survey
from segcore.data.formats.importers.classes.labelling import (
    label_colors,
    label_declared_ids,
    label_found_ids,
)
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet, find_class

VARIANTS = 60
IGNORED = (255, 65535)


def regions(rng, height, width, count, share):
    """Boxes that cover about a share of a mask, (H, W) bool."""
    mask = np.zeros((height, width), bool)
    for _ in range(count):
        tall, wide = (
            max(3, int(side * np.sqrt(share / count) * rng.uniform(0.7, 1.3)))
            for side in (height, width)
        )
        y, x = rng.integers(0, max(1, height - tall)), rng.integers(0, max(1, width - wide))
        mask[y : y + tall, x : x + wide] = True
    return mask


def borders(mask):
    """Pixels on either side of an edge, (H, W) bool."""
    out = np.zeros(mask.shape, bool)
    for axis in (0, 1):
        changes = np.diff(mask.astype(int), axis=axis) != 0
        pad = [(0, 0), (0, 0)]
        pad[axis] = (0, 1)
        out |= np.pad(changes, pad)
        pad[axis] = (1, 0)
        out |= np.pad(changes, pad)
    return out


def stray(rng, mask, top):
    """Put a few strange values into a mask."""
    count = int(rng.integers(1, 6))
    values = rng.choice(np.arange(1, 254), count) * (top // 255)
    mask[rng.integers(0, mask.shape[0], count), rng.integers(0, mask.shape[1], count)] = values


def ring(rng, mask, top):
    """Put values close to black and white along the edges."""
    at = np.flatnonzero(borders(mask > 0))
    at = rng.choice(at, max(1, len(at) // 3), replace=False) if len(at) else at
    flat = mask.reshape(-1)
    near = rng.integers(1, 9, len(at))
    flat[at] = np.where(flat[at] > 0, 255 - near, near) * (top // 255)


def pack_as_jpeg(rng, mask, top):
    """Pass a mask through a JPEG."""
    packed = io.BytesIO()
    picture = Image.fromarray((mask > 0).astype(np.uint8) * 255)
    picture.save(packed, format="JPEG", quality=int(rng.integers(60, 96)))
    mask[:] = np.asarray(Image.open(packed))


def smooth(rng, mask, top):
    """Blur a mask a little."""
    picture = Image.fromarray((mask > 0).astype(np.uint8) * 255)
    mask[:] = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.6)))


HARMS = {"none": None, "strays": stray, "ringing": ring, "JPEG": pack_as_jpeg, "blur": smooth}


@pytest.mark.parametrize("harm", HARMS)
def test_a_foreground_of_255_never_turns_void(harm):
    for seed in range(VARIANTS):
        rng = np.random.default_rng(seed)
        count = int(rng.choice([1, 2, 5, 20]))
        share = float(rng.choice([0.01, 0.1, 0.3, 0.6]))
        top = 65535 if harm in ("none", "strays", "ringing") and rng.random() < 0.3 else 255
        height, width = (int(side) for side in rng.integers(30, 80, 2))
        survey = Survey(ID_CODES)
        solid = 0
        for number in range(count):
            truth = regions(rng, height, width, int(rng.integers(1, 4)), share)
            mask = truth.astype(np.uint16) * top
            if HARMS[harm] and (harm != "strays" or number in (0, count // 2)):
                HARMS[harm](rng, mask, top)
            solid += int((mask == top).sum())
            survey.add(f"m{number}", mask)
        if not solid:
            continue
        found = label_found_ids(survey)
        assert found.label_set.class_ids[0] in (0, 1) and found.label_set.class_ids[-1] == top
        assert found.lookup[top] not in IGNORED, (harm, seed)
        if harm in ("none", "ringing", "JPEG"):
            assert found.label_set.num_classes == 2, (harm, seed)
        ignored = [c for c in survey.pixels if found.lookup[c] in IGNORED]
        said = " ".join(problem.what for problem in found.problems)
        assert not ignored or "belong to no class" in said
        assert survey.share(ignored) < 0.35


def test_void_beside_classes_is_told_with_its_share_and_no_class_is_lost():
    for seed in range(2 * VARIANTS):
        rng = np.random.default_rng(seed)
        classes = int(rng.choice([1, 2, 3, 10, 20, 49, 150]))
        top = int(rng.choice([255, 65535]))
        height, width = (int(side) for side in rng.integers(30, 80, 2))
        survey = Survey(ID_CODES)
        for number in range(int(rng.choice([2, 6, 20]))):
            mask = np.zeros((height, width), np.uint16)
            for _ in range(int(rng.integers(2, 12 if classes < 40 else 40))):
                y, x = rng.integers(0, height - 6), rng.integers(0, width - 6)
                tall, wide = rng.integers(4, 20, 2)
                mask[y : y + tall, x : x + wide] = rng.integers(1, classes + 1)
            if rng.random() < 0.5:
                mask[borders(mask)] = top
            else:
                mask[: int(height * rng.choice([0.05, 0.3]))] = top
            survey.add(f"m{number}", mask)
        found = label_found_ids(survey)
        wanted = {code for code in survey.pixels if code != top}
        assert set(found.label_set.class_ids) - {top} == wanted, seed
        said = " ".join(problem.what for problem in found.problems)
        if found.lookup[top] in IGNORED:
            assert f"{top} is taken for void by convention" in said
            assert f"{survey.share([top]):.2%}" in said
        else:
            assert f"{top} (" in said and "is taken for a class" in said


def test_a_table_never_hides_a_foreground_that_it_leaves_out():
    for seed in range(VARIANTS):
        rng = np.random.default_rng(seed)
        bare = bool(rng.random() < 0.5)
        survey = Survey(ID_CODES)
        for number in range(int(rng.choice([1, 4, 12]))):
            mask = regions(rng, 40, 50, 2, float(rng.choice([0.05, 0.4]))).astype(np.uint16) * 255
            if rng.random() < 0.5:
                mask[0, : int(rng.integers(1, 3))] = 1
            survey.add(f"m{number}", mask)
        rows = [DeclaredClass(name, None if bare else i) for i, name in enumerate(("sky", "sea"))]
        try:
            found = label_declared_ids(rows, survey, "classes.csv")
        except SegcoreError as refusal:
            assert "declare 255 there" in str(refusal)
        else:
            assert found.label_set.index_of("sea") == found.lookup[255], seed


def faulty_shape(rng, kind, height, width, corner):
    """A COCO segmentation for a box at a corner, broken in some way."""
    y, x = corner
    box = [x, y, x + 6, y, x + 6, y + 5, x, y + 5]
    return {
        "sound": [box],
        "absent": None,
        "empty": [],
        "a line": [[x, y, x + 5, y]],
        "no area": [[x, y, x + 5, y, x + 2, y]],
        "outside": [[v + 3 * max(height, width) for v in box]],
        "reaching out": [[x, y, x + 4 * width, y, x + 4 * width, y + 5, x, y + 5]],
    }[kind]


def test_no_annotated_pixel_of_coco_turns_background_in_silence(folder):
    kinds = ["sound", "absent", "empty", "a line", "no area", "outside", "reaching out"]
    rng = np.random.default_rng(0)
    images, annotations, truth = [], [], {}
    for number in range(2 * VARIANTS):
        height, width = (int(side) for side in rng.integers(20, 40, 2))
        factor = float(rng.choice([1, 1, 1, 2, 0.5, 3]))
        skewed = rng.random() < 0.1
        stated = (round(height * factor), round(width * factor * (1.7 if skewed else 1)))
        name = f"i{number}.png"
        folder.photo(name, height, width)
        row = {"id": number, "file_name": name, "height": stated[0], "width": stated[1]}
        images.append(row)
        unlisted = rng.random() < 0.1
        chosen = [str(rng.choice(kinds, p=[0.7, *[0.05] * 6])) for _ in range(2)]
        corners = [(0, 0), (10 * factor, 8 * factor)]
        for category, (kind, corner) in enumerate(zip(chosen, corners, strict=True), start=1):
            shape = faulty_shape(rng, kind, *stated, corner)
            image = f"lost{number}" if unlisted else str(number) if rng.random() < 0.3 else number
            annotation = {"image_id": image, "category_id": category, "area": 30}
            annotations.append(
                annotation if shape is None else annotation | {"segmentation": shape}
            )
        truth[f"i{number}"] = (set(chosen) == {"sound"}, unlisted, skewed, factor)
    categories = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    data = {"images": images, "annotations": annotations, "categories": categories}
    folder.text("annotations.json", json.dumps(data))
    coco = folder.bring_in()
    brought = {sample.id for sample in coco.dataset.samples}
    for sample, (sound, unlisted, skewed, factor) in truth.items():
        if unlisted:
            assert f"image_id lost{sample[1:]}: 2 annotations" in coco.said
        elif sample not in brought:
            assert f"\n{sample}: " in f"\n{coco.said}" and not (sound and not skewed)
        else:
            assert sound and not skewed, sample
            mask = coco.mask(sample)
            first = np.argwhere(mask == 1)
            assert set(np.unique(mask)) == {0, 1, 2} and (first[0] == 0).all()
            assert (f"{sample}: its shapes were drawn at" in coco.said) is (factor != 1)
            expected = (5 / factor, 6 / factor)
            assert np.abs(np.ptp(first, axis=0) + 1 - expected).max() <= 1


def test_no_shape_of_labelme_turns_background_in_silence(folder):
    rng = np.random.default_rng(1)
    wanted = {}
    for number in range(VARIANTS):
        kinds = [str(k) for k in rng.choice(["polygon", "rectangle", "circle", "line", "point"], 2)]
        broken = str(rng.choice(["no", "no", "outside", "flat", "shrunk"]))
        shapes = []
        for label, kind, at in zip("ab", kinds, (3, 15), strict=True):
            at = at + 200 if broken == "outside" else at
            points = {
                "polygon": [[at, at], [at + 6, at], [at + 6, at + 6], [at, at + 6]],
                "rectangle": [[at, at], [at + 6, at + 6]],
                "circle": [[at + 3, at + 3], [at + 6, at + 3]],
                "line": [[at, at], [at + 6, at + 6]],
                "point": [[at, at]],
            }[kind]
            if broken == "flat" and kind == "polygon":
                points = [[at, at], [at + 6, at], [at + 3, at]]
            shapes.append({"label": label, "points": points, "shape_type": kind})
        scale = 2 if broken == "shrunk" else 1
        folder.photo(f"i{number}.png", 28, 30)
        data = {"shapes": shapes, "imageHeight": 28 * scale, "imageWidth": 30 * scale}
        folder.text(f"i{number}.json", json.dumps(data))
        wanted[f"i{number}"] = {
            label for label, kind in zip("ab", kinds, strict=True) if kind not in ("line", "point")
        }
    drawn = folder.bring_in()
    brought = {sample.id for sample in drawn.dataset.samples}
    for sample, labels in wanted.items():
        said = f"\n{sample}: " in f"\n{drawn.said}" or f"\n{sample}.json: " in f"\n{drawn.said}"
        if len(labels) < 2 or sample not in brought:
            assert said
        if sample in brought:
            held = {drawn.names[i] for i in np.unique(drawn.mask(sample)) if i > 0}
            assert labels and held == labels


def test_masks_in_several_places_are_asked_about_or_from_one(folder):
    """Masks hold the number of their image, by place in another range of ids."""
    places = {
        "masks": "masks/{}.png",
        "labels": "labels/{}.png",
        "1st_manual": "1st_manual/{}_manual1.png",
        "masks_human": "masks_human/{}.png",
        "endings": "images/{}_mask.png",
        "instances": "instances/{}.png",
    }
    names = list(places)
    taken = 0
    for seed in range(VARIANTS):
        rng = np.random.default_rng(seed)
        chosen = [names[i] for i in rng.choice(len(names), int(rng.integers(1, 4)), replace=False)]
        root = f"v{seed}"
        for number in range(3):
            folder.photo(f"{root}/images/s{number}.jpg", 8, 9)
            for place in chosen:
                value = 10 * names.index(place) + number
                mask = np.full((8, 9), value, np.uint8)
                folder.save(f"{root}/" + places[place].format(f"s{number}"), mask)
        rows = "".join(f"{i},c{i}\n" for i in range(10 * len(names)))
        folder.text(f"{root}/classes.csv", f"id,name\n{rows}")
        try:
            pairs = folder.bring_in(root)
        except SegcoreError as refusal:
            assert len(chosen) > 1, (chosen, str(refusal))
            assert "choose with" in str(refusal)
            folders = [place for place in chosen if place != "endings"]
            assert all(place in str(refusal) for place in folders)
            pairs = folder.bring_in(root, pairing=Pairing(masks=folders[0]))
            chosen = folders[:1]
        held = {s.id: int(pairs.mask(s.id)[0, 0]) for s in pairs.dataset.samples}
        assert held == {f"s{n}": 10 * names.index(chosen[0]) + n for n in range(3)}, chosen
        taken += 1
    assert taken == VARIANTS


def test_an_ambiguous_partner_keeps_an_image_out_and_is_told_by_name(folder):
    rng = np.random.default_rng(3)
    truth = {}
    for number in range(VARIANTS):
        stem, kind = (
            f"s{number}x",
            str(rng.choice(["one", "none", "twice", "parts", "classes", "shared"])),
        )
        folder.photo(f"images/{stem}.jpg", 8, 9)
        mask = np.zeros((8, 9), np.uint8)
        mask[1:4, 1:5] = 1
        other = np.zeros((8, 9), np.uint8)
        other[5:7, 2:8] = 1
        files = {
            "one": {f"{stem}.png": mask},
            "none": {},
            "twice": {f"{stem}.png": mask, f"{stem}.bmp": other},
            "parts": {f"{stem}_mask_1.png": mask, f"{stem}_mask_2.png": other},
            "classes": {f"{stem}-tree.png": mask, f"{stem}-roof.png": other},
            "shared": {f"{stem}.png": mask},
        }[kind]
        for name, pixels in files.items():
            folder.save(f"masks/{name}", pixels)
        if kind == "shared":
            folder.photo(f"images/{stem}.png", 8, 9)
        truth[stem] = (kind, {"one": 12, "parts": 24}.get(kind))
    pairs = folder.bring_in()
    brought = {s.id: int((pairs.mask(s.id) == 1).sum()) for s in pairs.dataset.samples}
    for stem, (kind, pixels) in truth.items():
        assert brought.get(stem) == pixels, (stem, kind)
        if pixels is None:
            assert f"{stem}: The image" in pairs.said
            assert kind != "classes" or f"masks/{stem}-roof.png" in pairs.said
    assert "has no image" not in pairs.said


def test_palettes_of_any_order_keep_one_meaning(folder):
    colors = [(0, 0, 100), (255, 0, 0), (0, 255, 0), (200, 200, 0)]
    read = 0
    for seed in range(VARIANTS):
        rng = np.random.default_rng(seed)
        root, same = f"v{seed}", bool(rng.random() < 0.2)
        fixed = rng.permutation(8)
        table = bool(rng.random() < 0.3)
        truth = {}
        for number in range(int(rng.integers(2, 4))):
            meant = rng.integers(0, int(rng.integers(2, 5)), (6, 7))
            index = fixed if same else rng.permutation(8)
            palette = np.zeros((8, 3), np.uint8)
            palette[index[:4]] = colors
            image = Image.fromarray(index[meant].astype(np.uint8), "P")
            image.putpalette(palette.reshape(-1).tolist())
            folder.photo(f"{root}/images/p{number}.jpg", 6, 7)
            folder.save(f"{root}/masks/p{number}.png", image)
            truth[f"p{number}"] = meant
        if table:
            rows = "".join(f"c{i},{r},{g},{b}\n" for i, (r, g, b) in enumerate(colors))
            folder.text(f"{root}/classes.csv", f"name,r,g,b\n{rows}")
        masks = folder.bring_in(root)
        read += "number their colours differently" in masks.said
        meaning: dict[int, set[int]] = {}
        for sample, meant in truth.items():
            for index, wanted in zip(masks.mask(sample).ravel(), meant.ravel(), strict=True):
                meaning.setdefault(int(index), set()).add(int(wanted))
        assert -1 not in meaning and all(len(wanted) == 1 for wanted in meaning.values()), seed
        assert len({min(wanted) for wanted in meaning.values()}) == len(meaning), seed
        assert not table or all(masks.names[i] == f"c{min(w)}" for i, w in meaning.items())
    assert read > VARIANTS / 2


def test_a_turned_image_and_its_mask_lie_alike_or_one_note_says_so(folder):
    decided = 0
    for seed in range(VARIANTS):
        rng = np.random.default_rng(seed)
        root, raw, truth = f"v{seed}", bool(rng.random() < 0.5), {}
        for number in range(int(rng.integers(1, 4))):
            height, width = [(12, 18), (18, 12), (14, 14)][int(rng.integers(3))]
            stored = (rng.random((height, width)) < 0.4).astype(np.uint8)
            orientation = int(rng.integers(1, 9))
            note = Image.Exif()
            note[0x0112] = orientation
            buffer = io.BytesIO()
            Image.fromarray(stored).save(buffer, format="PNG", exif=note)
            upright = np.asarray(ImageOps.exif_transpose(Image.open(buffer)))
            photo = np.dstack([stored * 255] * 3)
            folder.save(f"{root}/images/i{number}.jpg", photo, exif=note, quality=95)
            folder.save(f"{root}/masks/i{number}.png", stored if raw else upright)
            truth[f"i{number}"] = upright
        phone = folder.bring_in(root)
        right = all(np.array_equal(phone.mask(i), upright) for i, upright in truth.items())
        assert (
            right or "with a camera's note" in phone.said or "carries a camera's note" in phone.said
        )
        decided += right
    assert decided > VARIANTS / 2


def test_a_name_wins_over_an_id_and_text_that_is_both_is_refused():
    for seed in range(5 * VARIANTS):
        rng = np.random.default_rng(seed)
        count = int(rng.integers(1, 8))
        ids = rng.choice(12, count, replace=False).tolist()
        words = [*map(str, range(12)), "a:b", "a=b", "road", "car, truck", "-x"]
        names = [words[i] for i in rng.choice(len(words), count, replace=False)]
        labels = LabelSet(
            tuple(LabelClass(i, n, (0, 0, 0)) for i, n in zip(ids, names, strict=True))
        )
        for text in [*words, "nobody"]:
            named = [i for i, n in zip(ids, names, strict=True) if n == text]
            numbered = [i for i in ids if str(i) == text]
            if named and numbered and named != numbered:
                with pytest.raises(SegcoreError, match="name of the class with id"):
                    find_class(labels.classes, text)
                continue
            found = find_class(labels.classes, text)
            assert ([] if found is None else [found.id]) == (named or numbered)
        for number in range(12):
            found = find_class(labels.classes, number)
            assert (found.id if found else None) == (number if number in ids else None)


def numbered_objects(rng, start):
    """A mask of objects, each with the next number."""
    mask = np.zeros((60, 60), np.uint16)
    places = [(y, x) for y in range(0, 56, 6) for x in range(0, 56, 6)]
    chosen = rng.permutation(len(places))[: int(rng.integers(15, 80))]
    for number, place in enumerate(chosen, start=start):
        y, x = places[place]
        mask[y : y + 4, x : x + 4] = number
    return mask, start + len(chosen)


@pytest.mark.parametrize("numbering", ["through the set", "anew in each mask", "colours"])
def test_numbers_of_objects_are_asked_about(numbering):
    for seed in range(VARIANTS):
        rng = np.random.default_rng(seed)
        survey = Survey(COLOR_CODES if numbering == "colours" else ID_CODES)
        start = 1
        for number in range(int(rng.integers(4, 12))):
            mask, following = numbered_objects(rng, start)
            start = 1 if numbering == "anew in each mask" else following
            codes = mask.astype(np.uint32)
            if numbering == "colours":
                codes = codes * 7919 % (1 << 24)
            survey.add(f"m{number}", codes)
        if len(survey.pixels) < 60:
            continue
        with pytest.raises(SegcoreError, match="look like instance numbers"):
            if numbering == "colours":
                label_colors((), "", survey)
            else:
                label_found_ids(survey)
        if numbering != "colours":
            classes = label_found_ids(survey, many=True).label_set.num_classes
            assert classes == len(survey.pixels)


def test_sets_of_many_classes_are_not_mistaken_for_numbered_objects():
    for seed in range(VARIANTS):
        rng = np.random.default_rng(seed)
        classes = int(rng.choice([60, 100, 150, 200]))
        often = 1 / np.arange(1, classes + 1) ** float(rng.choice([0.3, 0.8]))
        survey = Survey(ID_CODES)
        for number in range(int(rng.choice([12, 30, 60]))):
            held = rng.choice(classes, 15, replace=False, p=often / often.sum())
            mask = np.repeat(np.repeat(rng.choice(held, (8, 8)), 6, 0), 6, 1)
            survey.add(f"m{number}", mask.astype(np.uint16))
        assert label_found_ids(survey).label_set.class_ids == sorted(survey.pixels)
        said = label_found_ids(survey).problems[0].what
        assert "% of the pixels, " in said and "mask" in said
