"""What images are drawn by: chosen by a person, or recognised from names, records and looks."""

import json

import cv2
import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.health.interval_groups import (
    FILE_NAME,
    choose_groups,
    drawn_by,
    interval_groups,
)
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet

LABELS = LabelSet((LabelClass(0, "a", (1, 2, 3)), LabelClass(1, "b", (4, 5, 6))))


def scene(rng):
    return cv2.resize(rng.integers(0, 255, (12, 16, 3)).astype(np.uint8), (96, 72))


@pytest.fixture
def write(tmp_path):
    def dataset(names, images, groups=None):
        folder = tmp_path / "set"
        samples = []
        for index, (name, image) in enumerate(zip(names, images, strict=True)):
            file = folder / "images" / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), image)
            samples.append(
                Sample(
                    id=name,
                    image=f"images/{name}.png",
                    mask=None,
                    height=72,
                    width=96,
                    split="test",
                    group=groups[index] if groups else "",
                )
            )
        return Dataset(folder=folder, name="set", label_set=LABELS, samples=tuple(samples))

    return dataset


def drives(count, frames):
    """Frames in which a camera moves on slowly, drive after drive."""
    rng = np.random.default_rng(0)
    names, images = [], []
    for drive in range(count):
        wide = cv2.resize(rng.integers(0, 255, (12, 60, 3)).astype(np.uint8), (400, 72))
        for frame in range(frames):
            names.append(f"drive{chr(97 + drive)}_{frame:04d}")
            images.append(wide[:, 4 * frame : 4 * frame + 96])
    return names, images


def test_frames_of_drives_are_drawn_together_and_it_is_said_and_kept(write):
    names, images = drives(7, 12)
    dataset = write(names, images)
    drawn = drawn_by(dataset, names)
    assert drawn.by == "prefix" and len(set(drawn.groups)) == 7
    assert "Whole groups of like names" in drawn.note
    kept = json.loads((dataset.folder / FILE_NAME).read_text())
    assert (kept["by"], kept["chosen"]) == ("prefix", False)


def test_few_drives_are_not_drawn_unless_asked_for(write):
    names, images = drives(3, 12)
    dataset = write(names, images)
    drawn = drawn_by(dataset, names)
    assert drawn.groups is None and "3 groups" in drawn.note and "say nothing about" in drawn.note
    choose_groups(dataset, "prefix")
    assert len(set(drawn_by(dataset, names).groups)) == 3
    assert drawn_by(dataset, names, "images").groups is None


def test_numbered_photographs_are_no_drive(write):
    rng = np.random.default_rng(3)
    names = [f"photo_{i:03d}" for i in range(20)]
    dataset = write(names, [scene(rng) for _ in names])
    assert interval_groups(dataset).by == "images"
    assert drawn_by(dataset, names).note == ""


def test_recorded_groups_come_first(write):
    rng = np.random.default_rng(3)
    names = [f"tile_{i:03d}" for i in range(21)]
    dataset = write(names, [scene(rng) for _ in names], [f"place {i // 3}" for i in range(21)])
    assert interval_groups(dataset).by == "folder"
    drawn = drawn_by(dataset, names)
    assert len(set(drawn.groups)) == 7
    assert drawn.note == "Whole groups are drawn, since images of one are alike."
    few = drawn_by(dataset, names[:6])
    assert few.groups is None and "from 2 groups, too few" in few.note
    assert "other groups" in few.note and "drive" not in few.note


def test_an_image_without_a_group_is_one_of_its_own(write):
    rng = np.random.default_rng(3)
    names = [f"{'abcdefghij'[i]}" for i in range(10)]
    dataset = write(names, [scene(rng) for _ in names], ["x", "x", "y", "y", *[""] * 6])
    choose_groups(dataset, "folder")
    assert len(set(drawn_by(dataset, names).groups)) == 8


def test_a_choice_is_remembered_and_an_unknown_one_refused(write):
    names, images = drives(7, 12)
    dataset = write(names, images)
    choose_groups(dataset, "images")
    assert interval_groups(dataset).chosen and drawn_by(dataset, names).groups is None
    with pytest.raises(SegcoreError, match="grouping"):
        choose_groups(dataset, "drives")
    (dataset.folder / FILE_NAME).write_text("{")
    assert interval_groups(dataset).by == "prefix"  # a damaged file is found anew
