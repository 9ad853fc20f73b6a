"""A dataset is what was written, and says so clearly when it is not."""

import dataclasses
import json

import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.data.files.images import encode_png
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelMap, LabelSet

LABELS = LabelSet(
    (LabelClass(7, "sky", (0, 0, 255)), LabelClass(3, "road", (90, 90, 90))),
    (LabelClass(9, "void", (0, 0, 0)),),
)


def samples(seed=0):
    rng = np.random.default_rng(seed)
    for number, split in enumerate(["test", "train", "train", "validation", "odd"]):
        height, width = 5 + number, 9
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        mask = rng.choice([0, 1, 255], (height, width))
        yield ArraySample(f"tile {number}/part", image, mask, split)


@pytest.fixture
def dataset(tmp_path):
    return write_dataset(tmp_path / "toy", "toy", LABELS, samples())


def test_pixels_survive_exactly(dataset):
    for sample, given in zip(dataset.samples, samples(), strict=True):
        image, mask = dataset.read(sample)
        np.testing.assert_array_equal(image, given.image)
        np.testing.assert_array_equal(mask, given.mask)
        assert (
            mask.dtype == np.uint8
            and image.flags.writeable
            and mask.flags.writeable
            and mask.flags.c_contiguous
        )


def test_splits_are_ordered_and_selected(dataset):
    assert dataset.splits == ["train", "validation", "test", "odd"]
    assert [s.id for s in dataset.select("train")] == ["tile 1/part", "tile 2/part"]
    assert len(dataset.select()) == 5
    with pytest.raises(SegcoreError, match="did you mean 'train'"):
        dataset.select("trian")


def test_sixteen_bit_labels_survive(tmp_path):
    labels = LabelSet(tuple(LabelClass(i, f"c{i}", (0, 0, 0)) for i in range(300)))
    mask = np.array([[0, 255, 256], [299, 65535, 1]])
    dataset = write_dataset(
        tmp_path / "wide", "wide", labels, [ArraySample("a", np.zeros((2, 3, 3), np.uint8), mask)]
    )
    read = dataset.read_mask(dataset.samples[0])
    np.testing.assert_array_equal(read, mask)
    assert read.dtype == np.uint16


def test_fingerprint_follows_content(dataset, tmp_path):
    again = write_dataset(tmp_path / "again", "other-name", LABELS, samples())
    assert again.fingerprint == dataset.fingerprint == Dataset.open(dataset.folder).fingerprint
    assert (
        write_dataset(tmp_path / "third", "toy", LABELS, samples(1)).fingerprint
        != dataset.fingerprint
    )
    assert dataset.with_splits({"tile 0/part": "train"}).fingerprint != dataset.fingerprint
    renamed = dataclasses.replace(LABELS, ignored=())
    assert dataclasses.replace(dataset, label_set=renamed).fingerprint != dataset.fingerprint


def test_label_maps_have_versions_and_undo(dataset):
    first, second = LabelMap.merging(2, [], "plan"), LabelMap.merging(2, [(0, 1)], "plan")
    dataset.save_label_map(first)
    dataset.save_label_map(second)
    assert dataset.label_maps() == {"plan": second}
    assert dataset.undo_label_map("plan") == first
    assert dataset.undo_label_map("plan") is None
    assert dataset.label_maps() == {}
    with pytest.raises(SegcoreError, match="label map name"):
        dataset.save_label_map(LabelMap.merging(2, [], "../out"))


def test_plans_are_kept(dataset):
    dataset.save_plan("p-1", {"repeats": [1, 2]})
    assert dataset.plans() == {"p-1": {"repeats": [1, 2]}}


def test_open_says_what_is_wrong(dataset, tmp_path):
    with pytest.raises(SegcoreError, match=r"no dataset\.json"):
        Dataset.open(tmp_path)
    file = dataset.folder / "dataset.json"
    data = json.loads(file.read_text())
    file.write_text(json.dumps({**data, "version": 99}))
    with pytest.raises(SegcoreError, match="newer"):
        Dataset.open(dataset.folder)
    file.write_text(file.read_text()[:50])
    with pytest.raises(SegcoreError, match="damaged"):
        Dataset.open(dataset.folder)


@pytest.mark.parametrize("name", ["../up", ".hidden", "", "a/b", "x" * 65, "with space"])
def test_names_are_checked(tmp_path, name):
    with pytest.raises(SegcoreError, match="name of 1 to 64"):
        write_dataset(tmp_path / "toy", name, LABELS, samples())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sample_id", ["../up", "/abs", "a//b", "a/.b", "a\\b", ""])
def test_sample_ids_are_checked(tmp_path, sample_id):
    bad = ArraySample(sample_id, np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint8))
    with pytest.raises(SegcoreError, match="sample id"):
        write_dataset(tmp_path / "toy", "toy", LABELS, [bad])
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_nothing(tmp_path):
    bad = ArraySample("b", np.zeros((2, 2, 3), np.uint8), np.full((2, 2), 2))
    with pytest.raises(SegcoreError, match="declare that class"):
        write_dataset(tmp_path / "toy", "toy", LABELS, [*samples(), bad])
    with pytest.raises(SegcoreError, match="same size"):
        write_dataset(
            tmp_path / "toy",
            "toy",
            LABELS,
            [dataclasses.replace(bad, mask=np.zeros((3, 2)).astype(int))],
        )
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_kept(dataset):
    before = dataset.fingerprint
    with pytest.raises(SegcoreError, match="exists"):
        write_dataset(dataset.folder, "toy", LABELS, samples(3))
    assert Dataset.open(dataset.folder).fingerprint == before


def test_changed_files_are_noticed(dataset):
    sample = dataset.samples[0]
    dataset.mask_path(sample).write_bytes(dataset.mask_path(dataset.samples[1]).read_bytes())
    with pytest.raises(SegcoreError, match="changed after the import"):
        dataset.read_mask(sample)
    other = np.zeros((sample.height, sample.width), np.uint8)
    dataset.mask_path(sample).write_bytes(encode_png(other))  # the size is right, the pixels not
    with pytest.raises(SegcoreError, match=r"as it was imported.*import the dataset again"):
        dataset.read_mask(sample)
    dataset.image_path(sample).write_bytes(dataset.image_path(sample).read_bytes()[:60])
    with pytest.raises(SegcoreError, match="damaged"):
        dataset.read_image(sample)
    dataset.image_path(sample).unlink()
    with pytest.raises(SegcoreError, match="no such file"):
        dataset.read_image(sample)


DAMAGED = {
    "deep": lambda text: '{"version": ' + "[" * 100_000,
    "long number": lambda text: text.replace('"version": 1', f'"version": {"9" * 5000}'),
    "huge float": lambda text: text.replace('"version": 1', '"version": 1e999'),
    "text as size": lambda text: text.replace('"height": 5', '"height": "5"'),
    "no list": lambda text: '{"version": 1, "name": "x", "label_set": 3, "samples": 4}',
    "half a letter": lambda text: text.replace('"id": "tile 0', '"id": "\\ud800'),
    "half a letter in a class": lambda text: text.replace('"name": "', '"name": "\\udc80', 2),
    "not text": lambda text: "\x00\xff",
    "nothing": lambda text: "",
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_dataset_is_one_sentence(dataset, case):
    file = dataset.folder / "dataset.json"
    damaged = DAMAGED[case](file.read_text())
    assert damaged != file.read_text()
    file.write_text(damaged, errors="surrogatepass")
    with pytest.raises(SegcoreError) as caught:
        Dataset.open(dataset.folder)
    assert "\n" not in str(caught.value) and str(caught.value).encode()


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, '{"versions": 3}', "\x00"])
def test_damaged_plans_and_maps_are_one_sentence(dataset, text):
    dataset.save_plan("plan", {"a": 1})
    dataset.save_label_map(LabelMap.merging(2, [], "plan"))
    (dataset.folder / "label_maps/plan.json").write_text(text)
    with pytest.raises(SegcoreError, match="damaged"):
        dataset.load_label_map("plan")
    if not text.startswith("{"):
        (dataset.folder / "plans/plan.json").write_text(text)
        with pytest.raises(SegcoreError, match="damaged"):
            dataset.load_plan("plan")
