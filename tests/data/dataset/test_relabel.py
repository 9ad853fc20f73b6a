"""Classes are renamed, reordered and ignored; masks follow, or nothing changes."""

import dataclasses

import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.relabel import ORIGIN, ignored_pixels, relabel, returnable
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet

A, B, C, VOID = (
    LabelClass(i, n, (i, 0, 0)) for i, n in ((5, "a"), (2, "b"), (9, "c"), (0, "void"))
)
MASK = np.array([[0, 1, 2, 255], [2, 2, 1, 0]])


@pytest.fixture
def dataset(tmp_path):
    image = np.zeros((2, 4, 3), np.uint8)
    samples = [
        ArraySample("x/y", image, MASK, "train"),
        ArraySample("z", image, MASK[::-1], "test"),
    ]
    return write_dataset(tmp_path / "set", "set", LabelSet((A, B, C), (VOID,)), samples)


def test_names_and_colours_touch_no_mask(dataset):
    changed = relabel(
        dataset, LabelSet((dataclasses.replace(A, name="water", color=(0, 0, 255)), B, C), (VOID,))
    )
    assert Dataset.open(dataset.folder) == changed
    assert (
        changed.label_set.class_names == ["water", "b", "c"] and changed.samples == dataset.samples
    )


def test_order_and_ignoring_rewrite_masks_there_and_back(dataset):
    changed = relabel(dataset, LabelSet((C, A), (VOID, B)))
    np.testing.assert_array_equal(
        changed.read_mask(changed.sample("x/y")), [[1, 255, 0, 255], [0, 0, 255, 1]]
    )
    again = relabel(Dataset.open(dataset.folder), LabelSet((A, C), (VOID, B)))
    np.testing.assert_array_equal(
        again.read_mask(again.sample("x/y")), [[0, 255, 1, 255], [1, 1, 255, 0]]
    )
    assert Dataset.open(dataset.folder).fingerprint == again.fingerprint


def test_pixels_of_ignored_classes_are_counted_where_masks_know_them(dataset):
    assert ignored_pixels(dataset) == {}  # "void" was ignored at import
    changed = relabel(dataset, LabelSet((C,), (VOID, A, B)))
    assert ignored_pixels(changed) == {A.id: 2 * 2, B.id: 2 * 2}


def mask_folders(dataset):
    return sorted(p.name for p in dataset.folder.iterdir() if p.name.startswith("masks"))


def test_an_ignored_class_comes_back_whole_and_nothing_is_kept_longer_than_that(dataset):
    relabel(dataset, LabelSet((C, B, A), (VOID,)))
    assert mask_folders(dataset) == ["masks-relabelled"] and not returnable(
        Dataset.open(dataset.folder)
    )
    relabel(Dataset.open(dataset.folder), LabelSet((C, A), (VOID, B)))
    fewer = relabel(Dataset.open(dataset.folder), LabelSet((A,), (VOID, B, C)))
    assert len(mask_folders(dataset)) == 2 and returnable(fewer) == (B, C)
    np.testing.assert_array_equal(
        fewer.read_mask(fewer.sample("x/y")), [[0, 255, 255, 255], [255, 255, 255, 0]]
    )
    renamed = relabel(fewer, LabelSet((A,), (VOID, dataclasses.replace(B, name="bush"), C)))
    more = relabel(renamed, LabelSet((A, returnable(renamed)[0]), (VOID, C)))
    np.testing.assert_array_equal(
        more.read_mask(more.sample("x/y")), [[0, 1, 255, 255], [255, 255, 1, 0]]
    )
    whole = relabel(more, LabelSet((A, B, C), (VOID,)))
    np.testing.assert_array_equal(whole.read_mask(whole.sample("x/y")), MASK)
    assert whole.samples[0].mask_digest == dataset.samples[0].mask_digest
    assert len(mask_folders(dataset)) == 1 and not (dataset.folder / ORIGIN).exists()


def test_a_damaged_note_about_kept_masks_is_told(dataset):
    changed = relabel(dataset, LabelSet((C, A), (VOID, B)))
    (dataset.folder / ORIGIN).write_text('{"folder": "../masks", "class_ids": [5]}')
    with pytest.raises(SegcoreError, match=r"origin\.json is damaged"):
        returnable(changed)


def test_what_cannot_be_is_told_and_changes_nothing(dataset):
    with pytest.raises(SegcoreError, match=r"difference in \[9\]"):
        relabel(dataset, LabelSet((A, B), (VOID,)))
    with pytest.raises(SegcoreError, match="stay ignored"):
        relabel(dataset, LabelSet((A, B, C, VOID)))
    dataset.mask_path(dataset.sample("z")).write_bytes(b"gone")
    with pytest.raises(SegcoreError):
        relabel(dataset, LabelSet((C, A, B), (VOID,)))
    opened = Dataset.open(dataset.folder)
    assert opened.label_set == dataset.label_set
    np.testing.assert_array_equal(opened.read_mask(opened.sample("x/y")), MASK)
