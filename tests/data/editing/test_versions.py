"""Versions of masks: nothing is lost, whoever saves second, whatever breaks off, whatever classes do."""

import dataclasses
import json
import threading
from datetime import datetime

import numpy as np
import pytest

from segcore.data.dataset import changes
from segcore.data.dataset import dataset as datasets
from segcore.data.dataset.changes import changing
from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.relabel import relabel
from segcore.data.dataset.split_history import change_splits
from segcore.data.editing import versions as editing
from segcore.data.editing.versions import (
    MaskChanged,
    current,
    edited_samples,
    mask_history,
    read_version,
    restore_version,
    save_mask,
)
from segcore.data.statistics import statistics
from segcore.data.statistics.statistics import collect_statistics
from segcore.errors import SegcoreError
from segcore.labels import LabelSet


@pytest.fixture
def dataset(workspace) -> Dataset:
    return workspace.datasets.open("tiny")


def _edited(dataset, sample, value=0, rows=slice(0, 3)):
    mask = dataset.read_mask(sample)
    mask[rows] = value
    return mask


def _save(dataset, mask, sample_id, author="ada", **how):
    digest = dataset.sample(sample_id).mask_digest
    return save_mask(dataset.folder, sample_id, mask, based_on=digest, author=author, **how)


def test_a_save_is_read_again_and_the_original_stays(dataset):
    sample = dataset.samples[0]
    original, mask = dataset.read_mask(sample), _edited(dataset, sample, 1)
    version = _save(dataset, mask, sample.id)
    now = Dataset.open(dataset.folder)
    assert np.array_equal(now.read_mask(now.sample(sample.id)), mask)
    assert np.array_equal(dataset.read_mask(sample), original)  # who opened it before reads on
    assert np.array_equal(read_version(now, sample.id, 1), original)
    assert version.number == 2 and version.author == "ada" and version.based_on == 1
    assert sum(c.pixels for c in version.changes) == (original != mask).sum() > 0
    assert now.fingerprint != dataset.fingerprint
    assert [v.origin for v in mask_history(now, sample.id)] == ["import", "editor"]
    assert edited_samples(now) == [sample.id]


def test_statistics_follow_and_only_the_edited_mask_is_counted_again(dataset, monkeypatch):
    collect_statistics(dataset)
    sample = dataset.samples[1]
    mask = _edited(dataset, sample, 1, slice(None))
    _save(dataset, mask, sample.id)
    counted = []
    count = statistics._count_row
    monkeypatch.setattr(
        statistics, "_count_row", lambda *args: counted.append(args[-1]) or count(*args)
    )
    now = collect_statistics(Dataset.open(dataset.folder))
    row = now.counts[now.sample_ids.index(sample.id)]
    assert row[1] == mask.size and row.sum() == mask.size
    assert len(counted) == 1


def test_any_version_comes_back_as_a_new_one(dataset):
    sample = dataset.samples[0]
    original = dataset.read_mask(sample)
    for value in (0, 1):
        now = Dataset.open(dataset.folder)
        _save(now, _edited(now, now.sample(sample.id), value, slice(value, 5)), sample.id)
    now = Dataset.open(dataset.folder)
    digest = now.sample(sample.id).mask_digest
    version = restore_version(dataset.folder, sample.id, 1, based_on=digest, author="bob")
    now = Dataset.open(dataset.folder)
    assert np.array_equal(now.read_mask(now.sample(sample.id)), original)
    assert version.origin == "version 1"
    used = current(mask_history(now, sample.id), now.sample(sample.id))
    assert used is not None and used.number == version.number
    assert now.fingerprint == dataset.fingerprint  # the same masks, the same data


def test_saving_what_is_in_use_makes_no_version(dataset):
    sample = dataset.samples[0]
    _save(dataset, dataset.read_mask(sample), sample.id)
    assert len(mask_history(Dataset.open(dataset.folder), sample.id)) == 1


def test_the_second_of_two_is_told_and_nothing_is_lost(dataset):
    sample = dataset.samples[0]
    first, second = _edited(dataset, sample, 0), _edited(dataset, sample, 1)
    _save(dataset, first, sample.id, "ada")
    with pytest.raises(MaskChanged, match=r"changed by ada at .* kept as version 3") as told:
        _save(dataset, second, sample.id, "bob")
    now = Dataset.open(dataset.folder)
    assert np.array_equal(now.read_mask(now.sample(sample.id)), first)
    assert np.array_equal(read_version(now, sample.id, told.value.kept.number), second)
    digest = now.sample(sample.id).mask_digest
    restore_version(dataset.folder, sample.id, 3, based_on=digest, author="bob")
    now = Dataset.open(dataset.folder)
    assert np.array_equal(now.read_mask(now.sample(sample.id)), second)


def test_an_image_without_a_mask_gets_its_first(dataset):
    sample = dataset.samples[0]
    bare = dataclasses.replace(sample, mask=None, mask_digest="")
    dataclasses.replace(dataset, samples=(bare, *dataset.samples[1:])).save()
    now = Dataset.open(dataset.folder)
    assert mask_history(now, sample.id) == ()
    mask = np.zeros((sample.height, sample.width), now.label_set.mask_dtype)
    assert _save(now, mask, sample.id).number == 1
    now = Dataset.open(dataset.folder)
    assert np.array_equal(now.read_mask(now.sample(sample.id)), mask)


@pytest.mark.parametrize("step", range(6))
def test_a_save_that_breaks_off_leaves_the_mask_as_it_was(dataset, monkeypatch, step):
    """Each file that a save writes may be the last one before the process is gone."""
    sample = dataset.samples[0]
    original, done = dataset.read_mask(sample), []

    def write(path, data, real=editing.write_document):
        if len(done) == step:
            raise KeyboardInterrupt
        done.append(path)
        real(path, data)

    monkeypatch.setattr(editing, "write_document", write)
    monkeypatch.setattr(datasets, "write_document", write)
    mask = _edited(dataset, sample, 1)
    if step < 5:  # version 1, version 2, history, the mask in use, dataset.json
        with pytest.raises(KeyboardInterrupt):
            _save(dataset, mask, sample.id)
    else:
        _save(dataset, mask, sample.id)
        original = mask
    monkeypatch.undo()
    now = Dataset.open(dataset.folder)
    assert np.array_equal(now.read_mask(now.sample(sample.id)), original)
    used = current(mask_history(now, sample.id), now.sample(sample.id))
    assert used is not None and used.digest == now.sample(sample.id).mask_digest
    _save(now, _edited(now, now.sample(sample.id), 0), sample.id)  # and it can be edited on
    now = Dataset.open(dataset.folder)
    assert np.array_equal(
        now.read_mask(now.sample(sample.id)),
        read_version(now, sample.id, len(mask_history(now, sample.id))),
    )


def test_changes_at_the_same_time_are_all_kept(dataset):
    """Masks of several people and new splits: none undoes another."""
    wanted = {s.id: _edited(dataset, s, 1) for s in dataset.samples}
    splits = {s.id: "train" for s in dataset.samples}
    errors = []

    def work(job):
        try:
            job()
        except Exception as error:
            errors.append(error)

    jobs = [lambda i=i, m=m: _save(dataset, m, i) for i, m in wanted.items()]
    jobs.insert(len(jobs) // 2, lambda: change_splits(dataset, splits, "all train"))
    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now = Dataset.open(dataset.folder)
    assert not errors
    assert all(np.array_equal(now.read_mask(s), wanted[s.id]) for s in now.samples)
    assert now.splits == ["train"]


def test_a_change_waits_only_so_long(dataset, monkeypatch):
    monkeypatch.setattr(changes, "PATIENCE", 0.05)
    with (
        changing(dataset.folder),
        pytest.raises(SegcoreError, match="Another change"),
        changing(dataset.folder, 0.05),
    ):
        pass


def _ignored(labels: LabelSet, name: str) -> LabelSet:
    gone = labels.classes[labels.index_of(name)]
    return LabelSet(tuple(c for c in labels.classes if c is not gone), (*labels.ignored, gone))


def test_an_edit_outlives_a_class_that_is_ignored_and_scored_again(dataset):
    labels, sample = dataset.label_set, dataset.samples[0]
    last = labels.classes[-1]
    before = dataset.read_mask(sample)
    before[-3:] = labels.num_classes - 1
    _save(dataset, before, sample.id)
    dataset = relabel(Dataset.open(dataset.folder), _ignored(labels, last.name))
    edited = _edited(dataset, dataset.sample(sample.id), 0, slice(0, 2))
    _save(dataset, edited, sample.id)
    dataset = relabel(Dataset.open(dataset.folder), labels)
    expected = before.copy()
    expected[:2] = 0
    assert np.array_equal(dataset.read_mask(dataset.sample(sample.id)), expected)
    assert np.array_equal(read_version(dataset, sample.id, 2), before)
    now = _save(dataset, before, sample.id)
    assert now.number == 4


def test_versions_are_read_in_the_classes_of_today(dataset):
    labels, sample = dataset.label_set, dataset.samples[0]
    original = dataset.read_mask(sample)
    _save(dataset, _edited(dataset, sample, 1), sample.id)
    turned = dataclasses.replace(labels, classes=labels.classes[::-1])
    dataset = relabel(Dataset.open(dataset.folder), turned)
    expected = np.where(
        original == labels.ignore_index, original, labels.num_classes - 1 - original
    )
    assert np.array_equal(read_version(dataset, sample.id, 1), expected)


def test_what_was_drawn_in_the_classes_of_before_is_saved_in_those_of_today(dataset):
    labels, sample = dataset.label_set, dataset.samples[0]
    drawn = _edited(dataset, sample, 1)
    turned = dataclasses.replace(labels, classes=labels.classes[::-1])
    now = relabel(Dataset.open(dataset.folder), turned)
    _save(now, drawn, sample.id, class_ids=labels.class_ids)
    expected = np.where(drawn == labels.ignore_index, drawn, labels.num_classes - 1 - drawn)
    now = Dataset.open(dataset.folder)
    assert np.array_equal(now.read_mask(now.sample(sample.id)), expected)


def test_only_edits_after_a_moment_count(dataset):
    first = dataset.samples[0]
    _save(dataset, _edited(dataset, first, 1), first.id)
    now = Dataset.open(dataset.folder)
    moment = datetime.fromisoformat(mask_history(now, first.id)[-1].time).timestamp()
    assert edited_samples(now, since=moment - 0.001) == [first.id]
    assert edited_samples(now, since=moment) == []


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (lambda m: m[:-1], "Expected a mask of"),
        (lambda m: np.full_like(m, 200), "received 200"),
        (lambda m: m.astype(np.float32), "float32"),
        (lambda m: m.astype(np.int16) - 300, "received -"),
    ],
)
def test_a_mask_that_is_none_is_refused_and_nothing_is_written(dataset, mask, told):
    sample = dataset.samples[0]
    with pytest.raises(SegcoreError, match=told):
        _save(dataset, mask(dataset.read_mask(sample)), sample.id)
    assert not (dataset.folder / editing.FOLDER).exists()


def test_a_damaged_history_is_told_with_the_way_out(dataset):
    sample = dataset.samples[0]
    _save(dataset, _edited(dataset, sample, 1), sample.id)
    file = dataset.folder / editing.FOLDER / sample.id / "history.json"
    for text in ("{", json.dumps({"format": 1, "versions": [{"number": "x"}]}), "[]"):
        file.write_text(text)
        with pytest.raises(SegcoreError, match="only earlier versions"):
            mask_history(Dataset.open(dataset.folder), sample.id)
    file.write_text(json.dumps({"format": 2, "versions": []}))
    with pytest.raises(SegcoreError, match="newer Segscope"):
        mask_history(Dataset.open(dataset.folder), sample.id)
