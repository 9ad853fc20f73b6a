"""Tags of single images: kept beside the dataset, read from tables, refused where they cannot be written back."""

import json

import pytest

from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.tags import (
    MAX_TAGS,
    change_tags,
    format_tags,
    matching,
    parse_tags,
    read_tags,
    write_tags,
)
from segcore.errors import SegcoreError


@pytest.fixture
def dataset(workspace) -> Dataset:
    return workspace.datasets.open("tiny")


def test_tags_are_added_taken_away_and_read_again(dataset):
    first, second, *_ = [s.id for s in dataset.samples]
    change_tags(dataset, [first, second], add=[" night ", "rain"])
    change_tags(dataset, [second], add=["fog"], remove=["night"])
    assert read_tags(Dataset.open(dataset.folder)) == {
        first: ("night", "rain"),
        second: ("fog", "rain"),
    }
    change_tags(dataset, [first], remove=["night", "rain", "never given"])
    assert read_tags(dataset) == {second: ("fog", "rain")}
    assert Dataset.open(dataset.folder).fingerprint == dataset.fingerprint


def test_a_table_gives_back_what_was_written(dataset):
    first, second, *_ = [s.id for s in dataset.samples]
    tags = write_tags(dataset, {first: ["night", "rain"], second: ["fog"]})
    assert parse_tags(dataset, format_tags(tags)) == tags
    rows = f"\ufeffsplit,Tags,Sample\nx,rain; night,{first}\nx,,{second}\nx,night,{first}\n"
    assert parse_tags(dataset, rows) == {first: ("night", "rain"), second: ()}


@pytest.mark.parametrize("tag", ["", "  ", "a,b", "a;b", "a\nb", "x" * 41])
def test_a_tag_that_a_table_could_not_hold_is_refused(dataset, tag):
    with pytest.raises(SegcoreError, match="Expected a tag"):
        change_tags(dataset, [dataset.samples[0].id], add=[tag])
    assert read_tags(dataset) == {}


def test_what_does_not_fit_is_a_sentence_and_changes_nothing(dataset):
    name = dataset.samples[0].id
    with pytest.raises(SegcoreError, match="sample"):
        change_tags(dataset, ["nobody"], add=["night"])
    with pytest.raises(SegcoreError, match="columns sample and tags"):
        parse_tags(dataset, "image,tag\na,b\n")
    with pytest.raises(SegcoreError, match="sample"):
        parse_tags(dataset, "sample,tags\nnobody,night\n")
    with pytest.raises(SegcoreError, match=f"at most {MAX_TAGS}"):
        write_tags(dataset, {name: [f"t{i}" for i in range(MAX_TAGS + 1)]})
    with pytest.raises(SegcoreError, match="fits an image"):
        matching(dataset, "nothing like*")
    assert matching(dataset, "*") == [s.id for s in dataset.samples]
    assert not (dataset.folder / "tags.json").exists()


def test_a_damaged_or_newer_file_is_told(dataset):
    file = dataset.folder / "tags.json"
    file.write_text(json.dumps({"version": 2, "samples": {}}))
    with pytest.raises(SegcoreError, match="newer Segscope"):
        read_tags(dataset)
    file.write_text("{")
    with pytest.raises(SegcoreError, match="damaged"):
        read_tags(dataset)
