"""What is exported in any form comes in again as it was."""

import errno

import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.data.formats import exporters
from segcore.data.formats.exporters import FORMS, export_dataset
from segcore.data.formats.importers import import_dataset
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet

CLASSES = (
    LabelClass(7, "sky", (0, 0, 255)),
    LabelClass(300, "road, paved", (90, 90, 90)),
    LabelClass(2, "tree", (0, 99, 0)),
)
LABEL_SETS = {
    "one ignored": LabelSet(CLASSES, (LabelClass(9, "border", (1, 1, 1)),)),
    "none ignored": LabelSet(CLASSES),
    "two ignored": LabelSet(
        CLASSES[:2], (LabelClass(9, "border", (1, 1, 1)), LabelClass(0, "ego", (2, 2, 2)))
    ),
}


def make(folder, labels, splits=("train", "validation", "test")):
    rng = np.random.default_rng(0)
    samples = []
    for number, split in enumerate(splits):
        values = rng.choice([*range(labels.num_classes), 255], (6 + number, 9))
        samples.append(
            ArraySample(
                f"tile {number}/part",
                rng.integers(0, 256, (6 + number, 9, 3), dtype=np.uint8),
                values,
                split,
            )
        )
    return write_dataset(folder, "set", labels, samples)


@pytest.mark.parametrize("labels", LABEL_SETS)
@pytest.mark.parametrize("splits", [("train", "validation", "test"), ("", "", "")])
@pytest.mark.parametrize("form", FORMS)
def test_a_round_trip_keeps_pixels_splits_and_classes(tmp_path, form, splits, labels):
    before = make(tmp_path / "set", LABEL_SETS[labels], splits)
    export_dataset(before, tmp_path / "out", form)
    report = import_dataset(tmp_path / "out", tmp_path / "again", "again")
    after = Dataset.open(tmp_path / "again")
    assert report.problems == ()
    assert after.label_set.class_names == before.label_set.class_names
    assert [c.color for c in after.label_set.classes] == [c.color for c in before.label_set.classes]
    assert form == "pascal_voc" or after.label_set.class_ids == before.label_set.class_ids
    by_size = {s.height: s for s in after.samples}
    for sample in before.samples:
        other = by_size[sample.height]
        assert other.id.replace("__", "/") == sample.id and other.split == sample.split
        np.testing.assert_array_equal(after.read_mask(other), before.read_mask(sample))
        np.testing.assert_array_equal(after.read_image(other), before.read_image(sample))


def test_the_first_form_keeps_everything(tmp_path):
    before = make(tmp_path / "set", LABEL_SETS["two ignored"])
    export_dataset(before, tmp_path / "out")
    import_dataset(tmp_path / "out", tmp_path / "again", "again")
    after = Dataset.open(tmp_path / "again")
    assert after.label_set == before.label_set
    assert {s.id: s.mask_digest for s in after.samples} == {
        s.id: s.mask_digest for s in before.samples
    }


def test_mistakes_leave_nothing(tmp_path):
    dataset = make(tmp_path / "set", LABEL_SETS["none ignored"])
    with pytest.raises(SegcoreError, match="did you mean 'pascal_voc'"):
        export_dataset(dataset, tmp_path / "out", "pascal")
    with pytest.raises(SegcoreError, match="which exists"):
        export_dataset(dataset, tmp_path / "set")
    dataset.image_path(dataset.samples[1]).unlink()
    with pytest.raises(SegcoreError, match="cannot be copied"):
        export_dataset(dataset, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_a_full_disk_is_not_told_as_a_damaged_data_set(tmp_path, monkeypatch):
    dataset = make(tmp_path / "set", LABEL_SETS["none ignored"])

    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(exporters.shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        export_dataset(dataset, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["set"]
