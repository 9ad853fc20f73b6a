"""Datasets: plans, copies, what is measured on a click, splits that are only proposed, and classes edited."""

import dataclasses

import numpy as np
import pytest

from segcore.data.balance.plans import BalancePlan
from segcore.data.statistics.imbalance import earth_mover_distance, shares_of
from segcore.errors import SegcoreError
from segcore.labels import LabelSet


def test_a_plan_is_for_one_split_and_lies_where_training_looks(workspace) -> None:
    datasets = workspace.datasets
    plan = datasets.plan_balance("tiny", "train", "pixel", 4, 6)
    part = datasets.statistics("tiny").select("train")
    assert tuple(plan.repeats) == part.sample_ids  # copies never cross splits
    assert plan.copies <= 6 and max(plan.repeats.values()) <= 4
    repeated = np.array(list(plan.repeats.values())) @ part.counts
    assert earth_mover_distance(shares_of(repeated)) == pytest.approx(plan.after)
    datasets.save_plan("tiny", "even", plan)
    assert BalancePlan.from_json(datasets.open("tiny").load_plan("even")) == plan
    with pytest.raises(SegcoreError, match="name"):
        datasets.save_plan("tiny", "../even", plan)
    with pytest.raises(SegcoreError, match="did you mean 'train'"):
        datasets.plan_balance("tiny", "trian")


def test_repeated_images_come_with_the_classes_that_they_bring(workspace) -> None:
    plan = workspace.datasets.plan_balance("tiny", "train", "pixel", 4)
    rows = workspace.datasets.repeated("tiny", plan)
    assert {row.sample: row.repeats for row in rows} == {
        s: r for s, r in plan.repeats.items() if r > 1
    }
    assert [row.repeats for row in rows] == sorted((row.repeats for row in rows), reverse=True)
    lacking = {
        n
        for n, s in zip(
            workspace.datasets.open("tiny").label_set.class_names, plan.shares_before, strict=True
        )
        if s < 0.25
    }
    assert rows and all(set(row.brings) <= lacking for row in rows)


def test_each_copy_has_a_draw_of_its_own_and_the_mask_gains_no_class(workspace) -> None:
    plan = workspace.datasets.plan_balance("tiny", "train", "pixel", 4)
    sample = workspace.datasets.repeated("tiny", plan)[0].sample
    copies = workspace.datasets.copies("tiny", plan, sample, "light")
    assert len(copies) == plan.repeats[sample] > 1
    dataset = workspace.datasets.open("tiny")
    held = set(np.unique(dataset.read_mask(dataset.sample(sample)))) | {255}
    assert all(c.image.shape == (32, 48, 3) and set(np.unique(c.mask)) <= held for c in copies)
    assert len({str(c.parameters) for c in copies}) == len(copies)
    plain = workspace.datasets.copies("tiny", plan, sample, "none")
    assert all(
        np.array_equal(c.image, dataset.read_image(dataset.sample(sample))) and not c.parameters
        for c in plain
    )


def test_splits_can_be_looked_at_before_they_are_kept(workspace) -> None:
    before = {s.id: s.split for s in workspace.datasets.open("tiny").samples}
    told = workspace.datasets.make_splits(
        "tiny", "random", {"train": 0.5, "test": 0.5}, seed=1, save=False
    )
    assert {s.id: s.split for s in workspace.datasets.open("tiny").samples} == before
    assert (
        told.splits
        == {"train": 6, "test": 6}
        == {part.split: part.num_samples for part in told.report}
    )
    kept = workspace.datasets.make_splits("tiny", "random", {"train": 0.5, "test": 0.5}, seed=1)
    assert kept == told and workspace.datasets.open("tiny").splits == ["train", "test"]


def test_a_shift_is_measured_between_samples_or_whole_folders(workspace) -> None:
    alone = workspace.datasets.shift("tiny", "train", "test")
    assert 0 < alone.p_value <= 1 and alone.distance == pytest.approx(
        sum(abs(d) for d in alone.differences) / 2
    )
    # one folder a split: there is only one way, and its mirror, to deal them
    assert workspace.datasets.shift("tiny", "train", "test", group_by="folder").p_value == 1
    with pytest.raises(SegcoreError, match="did you mean 'folder'"):
        workspace.datasets.shift("tiny", "train", "test", group_by="foldr")


def test_what_is_measured_is_of_the_split(workspace) -> None:
    instances = workspace.datasets.instances("tiny", "test")
    assert instances.sample_ids == ("test/scene_0", "test/scene_1", "test/scene_2")
    assert instances.counts[:, 3].tolist() == [
        1,
        0,
        1,
    ]  # every second scene was drawn without a roof
    assert instances.largest[3] == 80
    looks = workspace.datasets.appearance("tiny", "test")
    assert looks.size_counts() == {(32, 48): 3}
    assert isinstance(workspace.datasets.health("tiny"), list)


def test_a_class_that_is_renamed_and_one_that_is_ignored(workspace) -> None:
    before = workspace.datasets.open("tiny").label_set
    renamed = dataclasses.replace(before.classes[0], name="meadow", color=(1, 2, 3))
    workspace.datasets.relabel("tiny", LabelSet((renamed, *before.classes[1:]), before.ignored))
    assert workspace.datasets.open("tiny").label_set.class_names[0] == "meadow"
    pixels = workspace.datasets.statistics("tiny").pixels
    workspace.datasets.relabel(
        "tiny", LabelSet((renamed, *before.classes[1:3]), (*before.ignored, before.classes[3]))
    )
    statistics = workspace.datasets.statistics("tiny")
    np.testing.assert_array_equal(statistics.pixels, pixels[:3])
    assert statistics.ignored.sum() == pixels[3] + 12 * 32


def test_an_export_is_imported_as_the_same(workspace, tmp_path) -> None:
    folder = workspace.datasets.export("tiny", tmp_path / "deep" / "out")
    seen = workspace.datasets.preview(folder)
    assert (
        seen.num_pairs == 12
        and seen.label_set.class_names == workspace.datasets.open("tiny").label_set.class_names
    )
    assert workspace.datasets.import_(folder, "again").splits == {
        "train": 6,
        "validation": 3,
        "test": 3,
    }
    np.testing.assert_array_equal(
        workspace.datasets.statistics("again").pixels, workspace.datasets.statistics("tiny").pixels
    )
    (tmp_path / "file").write_text("")
    with pytest.raises(SegcoreError, match="choose another"):
        workspace.datasets.export("tiny", tmp_path / "file" / "below")


def test_samples_without_a_mask_hold_no_class(workspace) -> None:
    dataset = workspace.datasets.open("tiny")
    bare = dataclasses.replace(dataset.samples[0], mask=None, mask_digest="")
    dataclasses.replace(dataset, samples=(bare, *dataset.samples[1:])).save()
    assert bare.id not in workspace.datasets.holding("tiny", "train", "forest")
    assert bare.id in workspace.datasets.holding("tiny", "train", None)


def test_health_tells_of_samples_without_a_mask_and_of_none_else(workspace) -> None:
    dataset = workspace.datasets.open("tiny")
    before = {f.what for f in workspace.datasets.health("tiny")}
    bare = dataclasses.replace(dataset.samples[1], mask=None, mask_digest="")
    dataclasses.replace(dataset, samples=(dataset.samples[0], bare, *dataset.samples[2:])).save()
    found = [f for f in workspace.datasets.health("tiny") if f.what not in before]
    assert [(f.check, f.level, f.samples) for f in found] == [("bare_masks", "note", (bare.id,))]
