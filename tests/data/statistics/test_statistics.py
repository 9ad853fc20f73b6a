"""Counting: against a plain twin, through the cache, and the known figures of CamVid."""

from concurrent.futures import ProcessPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from segcore.data.dataset.dataset import Dataset
from segcore.data.dataset.writing import ArraySample, write_dataset
from segcore.data.statistics import statistics
from segcore.data.statistics.statistics import collect_statistics, count_mask, load_statistics
from segcore.errors import SegcoreError
from segcore.labels import LabelClass, LabelSet


def label_set_of(count):
    return LabelSet(
        tuple(LabelClass(10 + i, f"class {i}", (i % 256, i // 256, 0)) for i in range(count))
    )


def made(folder, num_classes=4, num_samples=70, seed=0):
    rng = np.random.default_rng(seed)
    labels = label_set_of(num_classes)
    samples = []
    for i in range(num_samples):
        mask = rng.integers(0, num_classes, (8, 12))
        mask[rng.random((8, 12)) < 0.2] = labels.ignore_index
        if i % 3:
            mask[mask == 1] = 0
        samples.append(
            ArraySample(
                f"part/{i}", np.zeros((8, 12, 3), np.uint8), mask, "train" if i < 50 else "test"
            )
        )
    return write_dataset(folder, "made", labels, samples), np.stack([s.mask for s in samples])


@pytest.mark.parametrize("num_classes", [4, 300])
def test_counts_equal_a_plain_twin(tmp_path, num_classes):
    dataset, masks = made(tmp_path / "d", num_classes)
    stats = collect_statistics(dataset)
    assert stats.sample_ids == tuple(s.id for s in dataset.samples)
    assert (stats.counts == [[(m == c).sum() for c in range(num_classes)] for m in masks]).all()
    assert (stats.ignored == [(m == dataset.label_set.ignore_index).sum() for m in masks]).all()
    assert (stats.counts.sum(1) + stats.ignored == 96).all()
    both = [
        [sum((m == a).any() and (m == b).any() for m in masks) for b in range(3)] for a in range(3)
    ]
    assert (stats.cooccurrence()[:3, :3] == both).all()


@pytest.mark.parametrize("form", ["grey", "palette", "grey 1 bit", "16 bits"])
def test_every_form_of_a_mask_counts_alike(tmp_path, form):
    mask = np.random.default_rng(0).integers(0, 2, (9, 11)).astype(np.uint8)
    image = Image.fromarray(mask, "L")
    if form == "palette":
        image = Image.fromarray(mask, "P")
        image.putpalette([9, 9, 9, 200, 0, 0])
    elif form == "grey 1 bit":
        image = Image.fromarray(mask * 255, "L").convert("1")
    elif form == "16 bits":
        image = Image.fromarray(mask.astype(np.uint16))
    image.save(tmp_path / "m.png")
    assert count_mask(tmp_path / "m.png", 256)[[0, 1]].tolist() == [
        (mask == 0).sum(),
        (mask == 1).sum(),
    ]


def test_damage_is_an_error_and_no_count(tmp_path):
    file = tmp_path / "m.png"
    cv2.imwrite(str(file), np.random.default_rng(0).integers(0, 9, (64, 64)).astype(np.uint8))
    whole = file.read_bytes()
    for data in (
        whole[: len(whole) // 2],
        b"",
        b"GIF8 no image",
        whole[:200] + bytes([whole[200] ^ 1]) + whole[201:],
    ):
        file.write_bytes(data)
        with pytest.raises(SegcoreError):
            count_mask(file, 256)
    with pytest.raises(SegcoreError):
        count_mask(tmp_path / "none.png", 256)


def test_what_is_known_is_not_counted_again(tmp_path, monkeypatch):
    dataset, _ = made(tmp_path / "d")
    assert load_statistics(dataset) is None
    steps = []
    first = collect_statistics(dataset, progress=lambda *step: steps.append(step))
    assert steps[-1] == (70, 70, "masks counted")

    def refuse(*_):
        raise AssertionError("read again")

    monkeypatch.setattr(statistics, "count_mask", refuse)
    again = load_statistics(Dataset.open(dataset.folder))
    assert (
        again is not None
        and (again.counts == first.counts).all()
        and (again.ignored == first.ignored).all()
    )
    other = dataset.with_splits({s.id: "validation" for s in dataset.samples})
    assert collect_statistics(other).select("validation").num_samples == 70


def test_a_damaged_or_foreign_cache_is_counted_anew(tmp_path):
    dataset, _ = made(tmp_path / "d")
    first = collect_statistics(dataset)
    for wrong in (b"no archive", b"PK\x03\x04 broken"):
        (dataset.folder / "statistics.npz").write_bytes(wrong)
        assert load_statistics(dataset) is None
        assert (collect_statistics(dataset).counts == first.counts).all()


def test_processes_count_alike(tmp_path):
    dataset, _ = made(tmp_path / "d", num_samples=40)
    with ProcessPoolExecutor(2) as pool:
        counted = collect_statistics(dataset, pool).counts
    (dataset.folder / "statistics.npz").unlink()
    assert (counted == collect_statistics(dataset).counts).all()


def test_an_index_of_no_class_is_refused(tmp_path):
    dataset, _ = made(tmp_path / "d")
    cv2.imwrite(str(dataset.mask_path(dataset.samples[3])), np.full((8, 12), 77, np.uint8))
    with pytest.raises(SegcoreError, match="77"):
        collect_statistics(dataset)
    cv2.imwrite(str(tmp_path / "wide.png"), np.full((2, 2), 300, np.uint16))
    with pytest.raises(SegcoreError, match="300"):
        count_mask(tmp_path / "wide.png", 256)


def test_summary_by_hand(tmp_path):
    masks = [[[0, 0, 1, 255]], [[0, 0, 0, 0]]]
    samples = [
        ArraySample(str(i), np.zeros((1, 4, 3), np.uint8), np.array(m), "train")
        for i, m in enumerate(masks)
    ]
    dataset = write_dataset(tmp_path / "d", "tiny", label_set_of(3), samples)
    summary = collect_statistics(dataset).summary("train").to_json()
    assert summary == {
        "dataset": "tiny",
        "split": "train",
        "num_samples": 2,
        "ignored_share": 1 / 8,
        "classes": [
            {"id": 10, "name": "class 0", "pixels": 6, "pixel_share": 6 / 7, "images": 2},
            {"id": 11, "name": "class 1", "pixels": 1, "pixel_share": 1 / 7, "images": 1},
            {"id": 12, "name": "class 2", "pixels": 0, "pixel_share": 0.0, "images": 0},
        ],
        "imbalance": {
            "pixel": {
                "earth_mover_distance": pytest.approx(6 / 7 - 1 / 3),
                "mean_ir": pytest.approx(3.5),
            },
            "count": {"earth_mover_distance": pytest.approx(1 / 3), "mean_ir": pytest.approx(1.5)},
            "scumble": pytest.approx((1 - 2**0.5 / 1.5) / 2),
        },
    }
    with pytest.raises(SegcoreError):
        collect_statistics(dataset).summary("validation")
    with pytest.raises(SegcoreError, match="pixel"):
        collect_statistics(dataset).totals("pixels")


def test_nothing_labelled_has_no_figures(tmp_path):
    mask = np.full((2, 2), 255)
    dataset = write_dataset(
        tmp_path / "d",
        "void",
        label_set_of(2),
        [ArraySample("a", np.zeros((2, 2, 3), np.uint8), mask)],
    )
    summary = collect_statistics(dataset).summary().to_json()
    assert summary["split"] is None and summary["ignored_share"] == 1
    assert summary["imbalance"]["pixel"] == {"earth_mover_distance": None, "mean_ir": None}


@pytest.mark.shared
def test_known_figures_of_camvid(camvid_folder):
    rows = np.array(
        [
            count_mask(path, 256)
            for path in sorted((camvid_folder / "masks" / "train").glob("*.png"))
        ]
    )
    labels = label_set_of(11)
    ids = tuple(str(i) for i in range(len(rows)))
    stats = statistics.ClassStatistics(
        "camvid", "", labels, ids, ("train",) * len(rows), rows[:, :11], rows[:, 11:].sum(1)
    )
    summary = stats.summary("train").to_json()
    assert summary["num_samples"] == 367
    assert summary["ignored_share"] == pytest.approx(0.0395, abs=5e-5)
    pixel, count = summary["imbalance"]["pixel"], summary["imbalance"]["count"]
    assert pixel["earth_mover_distance"] == pytest.approx(0.4847, abs=5e-5) and pixel[
        "mean_ir"
    ] == pytest.approx(24.119, abs=5e-4)
    assert count["earth_mover_distance"] == pytest.approx(0.0778, abs=5e-5) and count[
        "mean_ir"
    ] == pytest.approx(1.2166, abs=5e-5)
    assert summary["imbalance"]["scumble"] == pytest.approx(0.020518, abs=5e-7)
    assert [c["images"] for c in summary["classes"]] == [
        366,
        365,
        366,
        367,
        349,
        319,
        351,
        173,
        360,
        317,
        201,
    ]
