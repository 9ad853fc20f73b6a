"""Situations from public bug reports about evaluate, import-predictions and predict, with the right outcome of each.

The sources are named in the tests; the inputs are made here.
"""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.files.uploads import Accepted, Refused, judge, uploads_of
from segcore.data.formats.foreign_predictions import match_files, match_predictions, read_prediction
from segcore.data.formats.importers import import_dataset
from segcore.data.formats.mask_folders import pair_mask_folders, read_label_set
from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import count_confusion
from segcore.evaluation.counts.scores import iou
from segcore.labels import LabelClass, LabelSet
from segcore.workspace import Workspace

TRUTH = np.zeros((20, 24), np.uint8)
TRUTH[:, 8:], TRUTH[10:, 16:] = 1, 2
GUESS = np.roll(TRUTH, 1, 1)
COLORS = np.array([[1, 2, 3], [200, 0, 0], [0, 200, 0]], np.uint8)
EXCEL = "id,name\n0,Straße\n1,b\n2,c\n"
CLASSES = "id,name\n0,a\n1,b\n2,c\n"
LABELS = LabelSet(tuple(LabelClass(i, "abc"[i], tuple(COLORS[i].tolist())) for i in range(3)))


def save(path, pixels, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path, **more)


def palette(pixels):
    image = Image.fromarray(pixels, "P")
    image.putpalette(COLORS.tobytes())
    return image


@pytest.fixture
def folders(tmp_path):
    """Folders truth and pred, and classes.csv; truth holds one mask a.png."""
    save(tmp_path / "truth/a.png", TRUTH)
    (tmp_path / "pred").mkdir()
    (tmp_path / "classes.csv").write_text(CLASSES)
    return tmp_path


def score(folder):
    """Counts (C, C) of the folders' masks."""
    pairs = pair_mask_folders(folder / "truth", folder / "pred", folder / "classes.csv")
    labels = pairs.label_set
    return sum(
        count_confusion(*pairs.read(name), labels.num_classes, labels.ignore_index)
        for name in pairs.names
    )


EXPECTED = count_confusion(TRUTH, GUESS, 3, 255)
FULL = np.full_like(GUESS, 255)
FORMS = {
    "grey": lambda: Image.fromarray(GUESS),
    "grey as RGB": lambda: Image.fromarray(np.dstack([GUESS] * 3)),
    "grey and alpha": lambda: Image.merge("LA", [Image.fromarray(GUESS), Image.fromarray(FULL)]),
    "RGBA": lambda: Image.fromarray(np.dstack([GUESS] * 3 + [FULL])),
    "sixteen bits": lambda: Image.fromarray(GUESS.astype(np.uint16)),
    "palette": lambda: palette(GUESS),
    "red channel": lambda: Image.fromarray(np.dstack([GUESS, 0 * GUESS, 0 * GUESS])),
}


@pytest.mark.parametrize("form", FORMS)
def test_masks_score_alike_however_they_are_written(folders, form):
    """Torchmetrics #2425: the same ids as grey, RGB, with alpha or 16 bits are the same masks."""
    save(folders / "pred/a.png", FORMS[form]())
    np.testing.assert_array_equal(score(folders), EXPECTED)
    sample = Sample("a", "a.png", "a.png", "test", *TRUTH.shape)
    read = read_prediction(folders / "pred/a.png", sample, LABELS)
    np.testing.assert_array_equal(read.mask, GUESS)


@pytest.mark.parametrize("suffix", ["float32", "int16"])
def test_rasters_of_numbers_are_masks_too(folders, suffix):
    """Sen1Floods11 #3 and QGIS: int16 with -1 and whole floats, unlabelled where there is no data."""
    values = TRUTH.astype(np.int32)
    values[:2] = -1
    image = Image.fromarray(values.astype(np.float32) if suffix == "float32" else values)
    (folders / "truth/a.png").unlink()
    save(folders / "truth/a.tif", image)
    save(folders / "pred/a.png", GUESS)
    wanted = TRUTH.copy()
    wanted[:2] = 255
    np.testing.assert_array_equal(score(folders), count_confusion(wanted, GUESS, 3, 255))
    save(folders / "pred/a.tif", image)
    (folders / "pred/a.png").unlink()
    save(folders / "truth/a.tif", TRUTH)
    with pytest.raises(SegcoreError, match=r"in a.tif, it holds none at 48 of them"):
        score(folders)


def test_the_usual_void_needs_no_declaration_in_truth_or_prediction(folders):
    """Torchmetrics #2425: 255 stands for nothing where no class has that id, as in import."""
    truth = TRUTH.copy()
    truth[:2] = 255
    save(folders / "truth/a.png", truth)
    save(folders / "pred/a.png", GUESS)
    np.testing.assert_array_equal(score(folders), count_confusion(truth, GUESS, 3, 255))
    (folders / "classes.csv").write_text(CLASSES + "255,roof\n")
    assert score(folders).shape == (4, 4) and score(folders)[3].sum() == (truth == 255).sum()


def loop_iou(truth, guess, wanted, void):
    pairs = [(t, g) for t, g in zip(truth.ravel(), guess.ravel(), strict=True) if t not in void]
    union = sum(t == wanted or g == wanted for t, g in pairs)
    return sum(t == wanted == g for t, g in pairs) / union if union else np.nan


DISPUTES = {
    "void in both": ([[0, 1, 2, 255], [0, 1, 2, 255]], [[0, 1, 2, 255], [0, 2, 2, 255]], [0, 1, 2], [255]),
    "void answered": ([[0, 1, 2, 255], [0, 1, 2, 255]], [[0, 1, 1, 0], [0, 2, 2, 1]], [0, 1, 2], [255]),
    "false alarms in an ignored class": ([[2, 1, 1, 0]], [[1, 2, 1, 1]], [1, 2], [0]),
    "class only predicted": ([[0, 1, 2, 2]], [[0, 1, 2, 3]], [0, 1, 2, 3], []),
    "class nowhere": ([[0, 1, 1, 0]], [[0, 1, 0, 0]], [0, 1, 6], []),
}  # fmt: skip


@pytest.mark.parametrize("case", DISPUTES)
def test_disputed_scores_are_those_of_plain_loops(folders, case):
    """Torchmetrics #312, #1385, #2425, #3047; segmentation_models #553; evaluate #421."""
    truth, guess, ids, void = DISPUTES[case]
    truth, guess = np.array(truth, np.uint8), np.array(guess, np.uint8)
    save(folders / "truth/a.png", truth)
    save(folders / "pred/a.png", guess)
    rows = [f"{i},c{i},no" for i in ids] + [f"{i},v{i},yes" for i in void]
    (folders / "classes.csv").write_text("\n".join(["id,name,ignore", *rows]))
    found = iou(score(folders))
    np.testing.assert_allclose(found, [loop_iou(truth, guess, i, void) for i in ids])
    report = Workspace(folders / "w").scores.evaluate_folders(
        folders / "truth", folders / "pred", folders / "classes.csv"
    )
    known = [v for v in found if not np.isnan(v)]
    assert report.to_json()["mean_iou"] == pytest.approx(np.mean(known))


def test_litter_and_spellings_do_not_come_between_masks(folders):
    """MyPTV #62, OpenNeuro #2520, ApeRAG #447: litter, letters in two forms, suffixes, capitals."""
    names = {
        "Gr\u00f6\u00dfe": unicodedata.normalize("NFD", "Gr\u00f6\u00dfe.png"),
        "eye_000": "eye_000_0000.png",
        "BB": "bb.PNG",
        "twice": "twice.png.png",
        "sub/deep": "sub/deep_pred.png",
        "a": "pred_a.png",
        "b_gt": "b_pred.png",
        "c_mask": "c.png",
        "frame_007": "frame_7.png",
    }
    for truth, guess in names.items():
        save(folders / f"truth/{truth}.png", TRUTH)
        save(folders / "pred" / guess, GUESS)
    for litter in ("truth/._a.png", "pred/._a.png", "pred/__MACOSX/a.png", "pred/Thumbs.db"):
        (folders / litter).parent.mkdir(exist_ok=True)
        (folders / litter).write_bytes(b"\0\5\x16\7")
    np.testing.assert_array_equal(score(folders), len(names) * EXPECTED)


def test_two_files_for_one_mask_and_none_are_named(folders):
    save(folders / "pred/a.png", GUESS)
    save(folders / "pred/a.tif", GUESS)
    with pytest.raises(SegcoreError, match=r"one predicted mask for 'a'.*a.png and a.tif"):
        score(folders)
    for name in ("a.png", "a.tif"):
        (folders / "pred" / name).unlink()
    (folders / "pred/readme.txt").write_text("x")
    with pytest.raises(SegcoreError, match=r"found no image file, only 1 .txt"):
        score(folders)
    save(folders / "pred/other.png", GUESS)
    with pytest.raises(SegcoreError, match=r"1 are missing.*other.png belongs to none"):
        score(folders)


@pytest.mark.parametrize(
    "data",
    [
        EXCEL.encode("utf-16"),
        EXCEL.encode("cp1252"),
        b"sep=;\r\n" + EXCEL.replace(",", ";").encode(),
        EXCEL.replace("\n", "\r").encode("utf-8-sig"),
    ],
)
def test_class_tables_of_evaluate_may_come_from_a_spreadsheet(folders, data):
    """Docling #4097, Vibe-Trading #862, unstructured #4443."""
    (folders / "classes.csv").write_bytes(data)
    names = read_label_set(folders / "classes.csv").class_names
    assert len(names) == 3 and names[0] == "Straße"


CASES = [f"eye_{i:03}" for i in range(4)]


def test_predictions_named_by_case_belong_to_images_of_one_channel():
    """NnUNet #1244: images are CASE_0000.png, predictions CASE.png."""
    files = [f"{case}.png" for case in CASES]
    matches = match_files(Path("x"), files, [f"{c}_0000" for c in CASES])
    assert list(matches.paths) == [f"{c}_0000" for c in CASES] and not matches.extra


def test_a_sample_whose_name_was_cleaned_is_found_by_its_own_file(tmp_path):
    """The id of "what?.png" is "what_"; its prediction may keep the image's own name."""
    save(tmp_path / "set/images/what?.png", np.dstack([TRUTH] * 3))
    save(tmp_path / "set/masks/what?.png", TRUTH)
    import_dataset(tmp_path / "set", tmp_path / "out", "out")
    (sample,) = Dataset.open(tmp_path / "out").samples
    save(tmp_path / "pred/what?.png", GUESS)
    matches = match_predictions(tmp_path / "pred", [sample])
    assert list(matches.paths) == [sample.id] and not matches.extra


SOFT = np.eye(3, dtype=np.float32)[GUESS] * np.float32(0.7) + np.float32(0.1)
UNDERSTOOD = {
    "channels first": SOFT.transpose(2, 0, 1),
    "channels last": SOFT,
    "half": SOFT.astype(np.float16),
    "double": SOFT.astype(np.float64),
    "one-hot": np.eye(3, dtype=np.float32)[GUESS],
    "a batch of one": SOFT[None],
    "a batch of one, channels first": SOFT.transpose(2, 0, 1)[None],
    "at half the size": SOFT[::2, ::2],
}
REFUSED = {
    "logits": (np.log(SOFT), "sum to 1"),
    "sigmoid of one class": (SOFT[..., 1:2], "whole numbers"),
    "sigmoid, flat": (SOFT[..., 1], "whole numbers"),
    "bytes": ((SOFT * 255).astype(np.uint8), "floating type"),
    "another size": (SOFT[:12, :8], "of the shape of"),
    "four classes": (np.dstack([SOFT, SOFT[..., :1]]), "(height, width, 3)"),
    "not a number": (np.where(SOFT > 0.5, np.nan, SOFT), "NaN or infinity"),
}


@pytest.mark.parametrize("form", UNDERSTOOD)
def test_probabilities_are_understood_in_every_usual_form(tmp_path, form):
    """NnUNet #1050, ModelsGenesis #8, pydensecrf #38."""
    np.save(tmp_path / "a.npy", UNDERSTOOD[form])
    sample = Sample("a", "a.png", "a.png", "test", *TRUTH.shape)
    planes = read_prediction(tmp_path / "a.npy", sample, LABELS).probabilities
    step = 2 if "half the" in form else 1
    np.testing.assert_array_equal(planes.argmax(-1), GUESS[::step, ::step])
    np.testing.assert_allclose(planes.sum(-1), 1, atol=1e-3)


@pytest.mark.parametrize("form", REFUSED)
def test_what_are_no_probabilities_is_refused_by_the_files_name(tmp_path, form):
    values, says = REFUSED[form]
    np.save(tmp_path / "a.npy", values)
    sample = Sample("a", "a.png", "a.png", "test", *TRUTH.shape)
    with pytest.raises(SegcoreError) as refused:
        read_prediction(tmp_path / "a.npy", sample, LABELS)
    assert says in str(refused.value) and "a.npy" in str(refused.value)


def test_axes_that_could_be_either_are_told_apart_by_the_image(tmp_path):
    """An image of 3 x 30 pixels and 3 classes: (3, 3, 30) and (3, 30, 3) both come out right."""
    mask = np.arange(90).reshape(3, 30) % 3
    soft = np.eye(3, dtype=np.float32)[mask]
    sample = Sample("a", "a.png", "a.png", "test", 3, 30)
    for values in (soft, soft.transpose(2, 0, 1)):
        np.save(tmp_path / "a.npy", values)
        planes = read_prediction(tmp_path / "a.npy", sample, LABELS).probabilities
        np.testing.assert_array_equal(planes.argmax(-1), mask)


def test_a_folder_to_predict_is_looked_through_as_a_folder_to_import(tmp_path):
    """root_painter #173, MyPTV #62: folders below, litter, capitals, accents, a turned photo."""
    photo = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    for name in ("b.png", "sub/A.JPG", "sub/stra\u00dfe.png", "other/b.png"):
        save(tmp_path / "in" / name, photo)
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "in/turned.jpg", photo, exif=exif)
    save(tmp_path / "in/ink.jpg", Image.fromarray(photo).convert("CMYK"))
    (tmp_path / "in/._b.png").write_bytes(b"\0\5\x16\7")
    (tmp_path / "in/Thumbs.db").write_bytes(b"x")
    (tmp_path / "in/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    outcomes = list(judge(uploads_of(tmp_path / "in")))
    accepted = {o.name: o for o in outcomes if isinstance(o, Accepted)}
    assert set(accepted) == {
        "b.png", "sub/A.JPG", "sub/stra\u00dfe.png", "other/b.png", "turned.jpg", "ink.jpg",
    }  # fmt: skip
    assert [o.name for o in outcomes if isinstance(o, Refused)] == ["broken.png"]
    assert len({o.id for o in accepted.values()}) == 6
    assert accepted["turned.jpg"].image.shape == (12, 9, 3)
    np.testing.assert_array_equal(accepted["b.png"].image, photo)
    with pytest.raises(SegcoreError, match=r"it holds 1 .txt"):
        (tmp_path / "none").mkdir()
        (tmp_path / "none/readme.txt").write_text("x")
        uploads_of(tmp_path / "none")
