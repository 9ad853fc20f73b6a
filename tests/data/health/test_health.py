"""Every health check finds what was planted, and stays silent on a sound set."""

import cv2
import numpy as np
import pytest

from segcore.data.dataset.dataset import Dataset, Sample
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.data.formats.importers import import_dataset
from segcore.data.health import image_hashes
from segcore.data.health.findings import Evidence
from segcore.data.health.health import (
    CHECKS,
    check_health,
    find_neighbouring_windows,
)
from segcore.data.health.image_hashes import hash_image, hash_images, near_groups
from segcore.data.health.sequences import Sequence, neighbours, shared_sequences
from segcore.data.statistics.statistics import collect_statistics
from segcore.labels import LabelClass, LabelSet

LABELS = LabelSet(tuple(LabelClass(i, f"c{i}", (0, 0, i)) for i in range(3)))


def picture(seed):
    """A smooth random image: nothing like those of other seeds."""
    rough = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    return cv2.resize(rough, (72, 64), interpolation=cv2.INTER_CUBIC)


def mask(seed, values=(0, 1, 2)):
    return np.random.default_rng(seed).choice(values, (64, 72)).astype(np.uint8)


def sound():
    splits = ["train"] * 6 + ["validation"] * 3 + ["test"] * 3
    return [
        ArraySample(f"{chr(97 + i)}pic", picture(i), mask(i), split)
        for i, split in enumerate(splits)
    ]


def find(tmp_path, samples, check):
    dataset = write_dataset(tmp_path / "set", "set", LABELS, samples)
    return [f for f in check_health(dataset, collect_statistics(dataset)) if f.check == check]


def test_a_sound_set_has_no_findings(tmp_path):
    for check in CHECKS:
        assert find(tmp_path / check, sound(), check) == []


def test_empty_and_single_class_masks(tmp_path):
    bare = [
        ArraySample("empty", picture(90), mask(0, (255,)), "train"),
        ArraySample("one", picture(91), mask(0, (1,)), "train"),
    ]
    found = find(tmp_path, [*sound(), *bare], "bare_masks")
    assert {(f.level, f.samples) for f in found} == {("warning", ("empty",)), ("note", ("one",))}


def test_copies_within_and_across_splits(tmp_path):
    near = picture(2).copy()
    near[:4, :4] = 255 - near[:4, :4]
    samples = [
        *sound(),
        ArraySample("same in train", picture(0), mask(50), "train"),
        ArraySample("same in test", picture(1), mask(51), "test"),
        ArraySample("nearly in test", near, mask(52), "test"),
    ]
    found = {(f.level, f.samples) for f in find(tmp_path, samples, "duplicates")}
    assert found == {
        ("warning", ("apic", "same in train")),
        ("problem", ("bpic", "same in test")),
        ("problem", ("cpic", "nearly in test")),
    }


def drive(frames, first, name, split_of):
    """A camera that moves over a wide smooth scene."""
    scene = cv2.resize(
        np.random.default_rng(first).integers(0, 256, (8, 60, 3), dtype=np.uint8),
        (600, 64),
        interpolation=cv2.INTER_CUBIC,
    )
    return [
        ArraySample(
            f"{name}_{first + i:04d}", scene[:, 4 * i : 4 * i + 72].copy(), mask(i), split_of(i)
        )
        for i in range(frames)
    ]


def test_a_split_inside_a_video_is_a_leak(tmp_path):
    samples = drive(
        40, 100, "driveA", lambda i: "validation" if 10 <= i < 30 and i % 2 == 0 else "train"
    )
    (found,) = find(tmp_path, samples, "sequences")
    assert found.level == "problem" and len(found.samples) == 10
    assert (
        "10 of the 10 samples of validation are frames 110 to 128, every second frame of "
        "the video 'driveA'"
    ) in found.what
    assert "between the train frames 109 and 129" in found.what


def test_whole_videos_and_numbered_photographs_are_no_leak(tmp_path):
    samples = drive(20, 100, "driveA", lambda i: "train") + drive(
        20, 500, "driveB", lambda i: "test"
    )
    assert find(tmp_path / "videos", samples, "sequences") == []
    photographs = [
        ArraySample(f"photo_{i:03d}", picture(i), mask(i), "test" if i % 3 else "train")
        for i in range(30)
    ]
    assert find(tmp_path / "photographs", photographs, "sequences") == []


def test_classes_that_a_split_lacks(tmp_path):
    samples = [
        ArraySample("a", picture(0), mask(0, (0, 1)), "train"),
        ArraySample("b", picture(1), mask(1, (0, 1)), "train"),
        ArraySample("c", picture(2), mask(2, (0,)), "test"),
    ]
    absent, lacking = find(tmp_path, samples, "classes")
    assert absent.level == "warning" and absent.what == "no mask contains 'c2'"
    assert (lacking.level, lacking.samples) == ("warning", ("a", "b"))
    assert lacking.what == "test lacks 1 class: 'c1'" and lacking.split_method == "stratified"


def test_a_class_that_a_split_of_whole_groups_lacks_parts_no_group(tmp_path):
    samples = [
        ArraySample(
            f"{tile}-{i}", picture(9 * tile + i), mask(i, (0, 1 - tile // 6)), split, f"t{tile}"
        )
        for tile, split in enumerate(("train",) * 6 + ("validation", "test"))
        for i in range(3)
    ]
    (lacking, _) = [f for f in find(tmp_path, samples, "classes") if "lacks" in f.what]
    assert lacking.split_method == "grouped"
    assert lacking.fix == (
        "make new splits by the method 'grouped' with another seed or a larger validation split"
    )


def test_no_split_is_advised_for_a_class_with_fewer_images_than_splits(tmp_path):
    samples = [
        ArraySample("a", picture(0), mask(0, (0, 1)), "train"),
        ArraySample("b", picture(1), mask(1, (0,)), "test"),
    ]
    (_, lacking) = find(tmp_path, samples, "classes")
    assert lacking.what == "test lacks 1 class: 'c1' (in only 1 image of the dataset)"
    assert not lacking.split_method and "stratified" not in lacking.fix


def test_many_classes_that_a_split_lacks_are_one_finding(tmp_path):
    many = LabelSet(tuple(LabelClass(i, f"c{i}", (0, 0, i)) for i in range(30)))
    samples = [
        ArraySample("a", picture(0), mask(0, range(30)), "train"),
        ArraySample("b", picture(1), mask(1, range(30)), "train"),
        ArraySample("c", picture(2), mask(2, (0,)), "test"),
    ]
    dataset = write_dataset(tmp_path / "many", "many", many, samples)
    (finding,) = [
        f for f in check_health(dataset, collect_statistics(dataset)) if f.check == "classes"
    ]
    assert finding.what.startswith("test lacks 29 classes: 'c1', 'c2'")
    assert finding.what.endswith("and 17 more")


def test_images_that_went_missing(tmp_path):
    dataset = write_dataset(tmp_path / "set", "set", LABELS, sound())
    dataset.image_path(dataset.samples[3]).unlink()
    (found,) = [
        f for f in check_health(dataset, collect_statistics(dataset)) if f.check == "unreadable"
    ]
    assert found.samples == ("dpic",) and found.level == "problem"


def test_hashes_see_scale_but_not_content_changes_and_are_kept(tmp_path):
    dataset = write_dataset(tmp_path / "set", "set", LABELS, sound())
    hashes, readable = hash_images(dataset)
    assert readable.all() and len(set(hashes.tolist())) == len(hashes)
    cv2.imwrite(
        str(tmp_path / "big.png"),
        cv2.resize(picture(0), (144, 128), interpolation=cv2.INTER_NEAREST)[:, :, ::-1],
    )
    assert (hash_image(tmp_path / "big.png") ^ int(hashes[0])).bit_count() <= 2
    for sample in dataset.samples:
        dataset.image_path(sample).unlink()
    np.testing.assert_array_equal(hash_images(dataset)[0], hashes)


@pytest.mark.parametrize("bits", [0, 1, 6])
def test_groups_agree_with_a_slow_twin(bits, monkeypatch):
    """The twin merges the groups of every pair that is near enough, one pair after another."""
    monkeypatch.setattr(image_hashes, "BLOCK", 16)
    rng = np.random.default_rng(bits)
    seeds = rng.integers(0, 2**63, 60).astype(np.uint64)
    flips = np.uint64(1) << rng.integers(0, 64, (300, 4)).astype(np.uint64)
    hashes = np.bitwise_xor.reduce(np.concatenate([rng.choice(seeds, 300)[:, None], flips], 1), 1)
    twin = list(range(300))
    for i in range(300):
        for j in range(i):
            if (int(hashes[i]) ^ int(hashes[j])).bit_count() <= bits:
                old, new = twin[i], twin[j]
                twin = [new if group == old else group for group in twin]
    groups = near_groups(hashes, bits)
    for i in range(300):
        assert [g == groups[i] for g in groups.tolist()] == [g == twin[i] for g in twin]


@pytest.mark.slow
@pytest.mark.shared
def test_camvids_validation_split_is_found_inside_a_training_drive(camvid_folder, tmp_path):
    import_dataset(camvid_folder, tmp_path / "camvid", "camvid", copy=False)
    dataset = Dataset.open(tmp_path / "camvid")
    found = {
        f.samples[0]: f
        for f in check_health(dataset, collect_statistics(dataset))
        if f.check == "sequences"
    }
    validation = found["0016E5_07959"]
    assert validation.level == "problem" and len(validation.samples) == 101
    assert (
        "every second frame of the video '0016E5', which also gives 204 samples of train"
        in validation.what
    )
    assert "between the train frames 7920 and 8190" in validation.what
    assert len(found["0001TP_008550"].samples) == 62 and found["0001TP_008550"].level == "warning"


def test_a_shared_video_shows_frames_beside_their_nearest_neighbours():
    ids = [f"A_{n:03d}" for n in (0, 1, 5, 9, 10, 30)]
    splits = ["train", "validation", "train", "validation", "train", "validation"]
    samples = tuple(Sample(i, f"{i}.png", None, s, 4, 4) for i, s in zip(ids, splits, strict=True))
    (shared,) = shared_sequences(samples, [Sequence("A", tuple(range(6)), (0, 1, 5, 9, 10, 30))])
    assert neighbours(samples, shared, 1) == (("A_001", "A_000"),)
    assert neighbours(samples, shared, 9) == (
        ("A_001", "A_000"),
        ("A_009", "A_010"),
    )  # 30 is nearest to 10 too, which 9 has


def test_neighbouring_windows_in_two_splits_are_found(tmp_path):
    def found(columns, splits):
        samples = tuple(
            Sample(f"x/0_{c}", "x.tif", None, split, 10, 10, window=(0, c))
            for c, split in zip(columns, splits, strict=True)
        )
        dataset = Dataset(tmp_path, "d", LABELS, samples)
        return find_neighbouring_windows(Evidence(dataset, None, None, None))

    assert not found((0, 10, 30), ("train", "train", "test"))
    (touching,) = found((0, 10, 30, 50, 70), ("train", "test", "test", "test", "test"))
    assert (touching.level, touching.samples) == ("note", ("x/0_10",))
    (mostly,) = found((0, 10), ("train", "test"))
    assert (mostly.level, mostly.split_method) == ("warning", "blocks")
    (shared,) = found((0, 8), ("train", "validation"))
    assert shared.level == "problem"
    assert "share pixels" in shared.what
    assert not found((0, 10), ("train", ""))
