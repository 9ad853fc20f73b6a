"""Batches for annotation tools and their answers: there and back, and what must be refused."""

import json
import shutil
import zipfile
from itertools import count

import numpy as np
import pytest
from PIL import Image

from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.staging import reserve
from segcore.data.files.images import encode_png
from segcore.data.formats.annotation_batches import write_batch
from segcore.data.formats.answers import read_answer
from segcore.data.formats.exporters import to_ids
from segcore.data.formats.importers import ImportRules, Windows, import_dataset
from segcore.data.formats.pool import add_to_pool
from segcore.errors import SegcoreError
from tests.data.files.geotiffs import write_scene

NUMBERS = count()


@pytest.fixture
def dataset(workspace, tmp_path):
    """Three unlabelled images, one in a folder, of 32 x 48."""
    rng = np.random.default_rng(1)
    for name in ("a.png", "c.png", "sub/b.png"):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (32, 48, 3), np.uint8)).save(file)
    folder = workspace.datasets.folder / "tiny"
    add_to_pool(folder, tmp_path / "photos")
    return Dataset.open(folder)


@pytest.fixture
def proposals(dataset):
    rng = np.random.default_rng(2)
    return {s.id: rng.integers(0, 4, (32, 48)).astype(np.uint8) for s in dataset.pool}


@pytest.fixture
def batch(dataset, proposals, tmp_path):
    def write(tool):
        return write_batch(dataset, list(proposals), tmp_path / tool, tool, proposals.get)

    return write


def _read(dataset, source, tmp_path):
    with reserve(tmp_path / f"answer-{next(NUMBERS)}") as staging:
        answer = read_answer(dataset, source, staging)
    return {sample.id: mask for sample, mask in answer.masks}, answer


def _same(read, masks):
    return read.keys() == masks.keys() and all(np.array_equal(read[k], masks[k]) for k in masks)


def test_cvat_answers_without_images_with_what_it_was_given(dataset, proposals, batch, tmp_path):
    folder = batch("cvat")
    assert sorted(p.name for p in (folder / "images").iterdir()) == ["a.png", "c.png", "sub__b.png"]
    names = [row["name"] for row in json.loads((folder / "labels.json").read_text())]
    assert names == list(dataset.label_set.class_names)
    read, answer = _read(dataset, folder / "annotations.zip", tmp_path)
    assert _same(read, proposals) and "CVAT" in answer.form


def test_cvat_answers_with_images_too_and_undrawn_pixels_are_ignored(
    dataset, proposals, batch, tmp_path
):
    folder = batch("cvat")
    proposals["a"][:4] = dataset.label_set.ignore_index
    shutil.rmtree(folder)
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(batch("cvat") / "annotations.zip") as packed:
        packed.extractall(unpacked)
    shutil.copytree(tmp_path / "cvat" / "images", unpacked / "JPEGImages")
    read, _ = _read(dataset, unpacked, tmp_path)
    assert _same(read, proposals) and (read["a"][:4] == 255).all()


def _answered(folder, *, drop=()):
    """The tasks of a batch as Label Studio exports them: predictions were submitted."""
    tasks = json.loads((folder / "tasks.json").read_text())
    for number, task in enumerate(tasks):
        task["id"] = number
        task["annotations"] = [{"result": task.pop("predictions")[0]["result"]}]
        if number in drop:
            task["annotations"] = [{"result": [], "was_cancelled": True}]
    return tasks


def test_label_studio_answers_in_json_alone(dataset, proposals, batch, tmp_path):
    folder = batch("label-studio")
    file = tmp_path / "project-1.json"
    file.write_text(json.dumps(_answered(folder, drop=(1,))))
    read, answer = _read(dataset, file, tmp_path)
    left = [s.id for s in dataset.pool][1]
    assert _same(read, {k: v for k, v in proposals.items() if k != left})
    assert any(p.sample == left and "no mask" in p.what for p in answer.problems)
    xml = (folder / "labels.xml").read_text()
    assert all(f'"{name}"' in xml for name in dataset.label_set.class_names)


def test_plain_masks_hold_the_ids_of_the_dataset(dataset, proposals, tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    for name, mask in proposals.items():
        png = encode_png(to_ids(dataset, mask))
        (folder / f"{name.replace('/', '__')}.png").write_bytes(png)
    read, _ = _read(dataset, folder, tmp_path)
    assert _same(read, proposals)


def test_masks_of_windows_come_back_to_their_windows(tmp_path):
    rng = np.random.default_rng(3)
    write_scene(tmp_path / "s" / "images" / "a.tif", rng.integers(0, 256, (64, 96, 3), np.uint8))
    write_scene(tmp_path / "s" / "masks" / "a.tif", rng.integers(0, 3, (64, 96)).astype(np.uint8))
    import_dataset(tmp_path / "s", tmp_path / "set", "set", rules=ImportRules(windows=Windows(32)))
    dataset = Dataset.open(tmp_path / "set")
    masks = {s.id: rng.integers(0, 3, (32, 32)).astype(np.uint8) for s in dataset.samples}
    folder = tmp_path / "plain"
    folder.mkdir()
    for name, mask in masks.items():
        (folder / f"{name.replace('/', '__')}.png").write_bytes(encode_png(to_ids(dataset, mask)))
    assert _same(_read(dataset, folder, tmp_path)[0], masks)


def _break(kind, folder, tmp_path):
    tasks = _answered(folder)
    file = tmp_path / "answer.json"
    region = tasks[0]["annotations"][0]["result"][0]
    if kind == "class":
        region["value"]["brushlabels"] = ["lorry"]
    elif kind == "size":
        region["original_width"] = 5000
    elif kind == "run lengths":
        region["value"]["rle"] = region["value"]["rle"][:20]
    elif kind == "names":
        for task in tasks:
            task["data"]["image"] = "/data/other.png"
    elif kind == "structure":
        tasks[0]["annotations"] = [[1, 2]]
    text = json.dumps(tasks)
    if kind == "truncated":
        text = text[: len(text) // 2]
    if kind == "traversal":
        file = tmp_path / "answer.zip"
        with zipfile.ZipFile(file, "w") as packed:
            packed.writestr("../../out.json", text)
        return file
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    "kind",
    ["class", "size", "run lengths", "names", "structure", "truncated", "traversal"],
)
def test_a_hostile_answer_is_refused_in_a_sentence(workspace, dataset, batch, tmp_path, kind):
    file = _break(kind, batch("label-studio"), tmp_path)
    before = (dataset.folder / "dataset.json").read_bytes()
    with pytest.raises(SegcoreError) as caught:
        workspace.annotation_tools.take_back("tiny", file)
    said = str(caught.value)
    assert said.count("\n") == 0 and "segscope-answer" not in said, said
    assert (dataset.folder / "dataset.json").read_bytes() == before
    assert not (dataset.folder / "mask_versions").exists()


def _spoil(kind, folder):
    """Change one mask of an unpacked answer of CVAT."""
    mask = next(folder.glob("SegmentationClass/*.png"))
    pixels = np.asarray(Image.open(mask).convert("RGB")).copy()
    if kind == "foreign colour":
        pixels[:9, :9] = (1, 2, 3)
    elif kind == "other size":
        pixels = pixels[:20]
    Image.fromarray(pixels).save(mask)
    if kind == "cut file":
        mask.write_bytes(mask.read_bytes()[:60])
    elif kind == "huge header":
        width, height = (200_000).to_bytes(4, "big"), (200_000).to_bytes(4, "big")
        mask.write_bytes(mask.read_bytes()[:16] + width + height + mask.read_bytes()[24:])
    elif kind == "no class list":
        (folder / "labelmap.txt").write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize(
    "kind", ["foreign colour", "other size", "cut file", "huge header", "no class list"]
)
def test_a_hostile_answer_of_cvat_is_refused_in_a_sentence(
    workspace, dataset, batch, tmp_path, kind
):
    with zipfile.ZipFile(batch("cvat") / "annotations.zip") as packed:
        packed.extractall(tmp_path / "back")
    _spoil(kind, tmp_path / "back")
    before = (dataset.folder / "dataset.json").read_bytes()
    with pytest.raises(SegcoreError) as caught:
        workspace.annotation_tools.take_back("tiny", tmp_path / "back")
    print(caught.value)
    assert str(caught.value).count("\n") == 0 and "segscope-answer" not in str(caught.value)
    assert (dataset.folder / "dataset.json").read_bytes() == before
    assert not (dataset.folder / "mask_versions").exists()


def test_an_answer_labels_the_pool_and_corrects_what_is_labelled(
    workspace, dataset, proposals, batch, tmp_path
):
    file = tmp_path / "project.json"
    file.write_text(json.dumps(_answered(batch("label-studio"))))
    report = workspace.annotation_tools.take_back("tiny", file, split="validation", author="ada")
    assert set(report.labelled) == set(proposals) and report.split == "validation"
    now = workspace.datasets.open("tiny")
    assert not now.pool and set(proposals) < set(now.ids("validation"))
    assert _same({k: now.read_mask(now.sample(k)) for k in proposals}, proposals)
    history = workspace.masks.history("tiny", "a")
    assert history.versions[0].author == "ada" and "Label Studio" in history.versions[0].origin
    again = workspace.annotation_tools.take_back("tiny", file)
    assert set(again.same) == set(proposals) and not again.labelled and not again.changed
