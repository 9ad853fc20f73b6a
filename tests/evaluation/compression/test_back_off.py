"""Labels that back off: equal to a plain loop, nested, and exact at both ends."""

import itertools

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.compression.back_off import (
    ROOT_ONLY,
    STEPS,
    Tally,
    back_off,
    kept_bits,
    tally_image,
)
from segcore.evaluation.compression.compression import fold
from segcore.evaluation.compression.dendrogram import build_dendrogram
from segcore.evaluation.compression.hierarchy import read_hierarchy
from segcore.evaluation.compression.information import truth_entropy
from segcore.evaluation.compression.label_tree import ROOT, LabelTree
from segcore.labels import LabelClass, LabelMap, LabelSet

NAMES = ("car", "bus", "road", "pavement", "sky", "tree")
CHAIN = (
    LabelMap.merging(6, [(0, 1), (2, 3)]),
    LabelMap.merging(6, [(0, 1), (2, 3), (4, 5)]),
    LabelMap.merging(6, [(0, 1, 4, 5), (2, 3)]),
)
THRESHOLDS = (0, 1, 900, 2048, 3300, 4000, STEPS, ROOT_ONLY)


def tree() -> LabelTree:
    return LabelTree.of_chain(CHAIN, NAMES)


def scene(seed: int, size: tuple[int, int] = (7, 9), classes: int = 6):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.4), size).astype(np.float32)
    truth = rng.integers(0, classes, size).astype(np.uint8)
    truth[rng.random(size) < 0.1] = 255
    return probabilities, truth


def plain_answer(labels: LabelTree, row, threshold: int) -> int:
    """One pixel, by the definition."""
    node = int(np.argmax(row))
    while node != labels.root:
        passed = min(
            sum(round(float(row[i] * np.float32(STEPS))) for i in labels.nodes[node]), STEPS
        )
        if passed >= threshold:
            return node
        holders = [
            n for n in range(len(labels.nodes)) if set(labels.nodes[node]) < set(labels.nodes[n])
        ]
        node = min(holders, key=lambda n: len(labels.nodes[n]))
    return node


def test_nodes_paths_and_levels_of_a_chain() -> None:
    labels = tree()
    assert labels.nodes[6:] == ((0, 1), (2, 3), (4, 5), (0, 1, 4, 5), tuple(range(6)))
    assert labels.titles[6:9] == ("car + bus", "road + pavement", "sky + tree")
    assert labels.titles[labels.root] == ROOT
    assert labels.levels.tolist() == [0] * 6 + [1, 1, 1, 2, 3]
    assert labels.paths[0].tolist() == [0, 6, 9, 10]
    assert labels.paths[2].tolist() == [2, 7, 10, 10]
    for c in range(6):
        for y in range(6):
            holders = [step for step, n in enumerate(labels.paths[c]) if y in labels.nodes[n]]
            assert labels.meeting[c, y] == holders[0]


def test_the_tree_of_a_dendrogram_has_its_joints_and_its_cuts() -> None:
    counts = np.random.default_rng(2).integers(1, 50, (6, 6)) + 200 * np.eye(6, dtype=int)
    dendrogram = build_dendrogram(counts)
    labels = LabelTree.of_dendrogram(dendrogram, NAMES)
    joined = [tuple(sorted(j.left + j.right)) for j in dendrogram.joints]
    assert list(labels.nodes[6:]) == joined
    cuts = [dendrogram.cut(k).groups for k in range(6, 1, -1)]
    assert [m.groups for m in labels.chain()] == cuts


def test_a_hierarchy_file_keeps_its_names_and_gets_a_root() -> None:
    label_set = LabelSet(tuple(LabelClass(10 + i, n, (i, 0, 0)) for i, n in enumerate(NAMES)))
    rows = b"car,vehicle,object\nbus,vehicle,object\nroad,ground,\npavement,ground,\n"
    labels = LabelTree.of_hierarchy(read_hierarchy(rows, label_set), NAMES)
    assert labels.titles[6:] == ("vehicle", "ground", ROOT)
    rows_of_json = labels.to_json(label_set.class_ids)
    assert rows_of_json[6] == {
        "node": 6,
        "title": "vehicle",
        "level": 1,
        "class_ids": [10, 11],
        "parent": 8,
    }
    assert rows_of_json[-1]["parent"] is None


def test_levels_that_tear_a_group_apart_are_refused() -> None:
    with pytest.raises(SegcoreError, match="divides 'car \\+ bus'"):
        LabelTree.of_chain([LabelMap.merging(6, [(0, 1)]), LabelMap.merging(6, [(0, 2)])], NAMES)
    with pytest.raises(SegcoreError, match="made for these classes"):
        LabelTree.of_chain([LabelMap.merging(5, [(0, 1)])], NAMES)


def test_one_class_has_nothing_to_back_off_to() -> None:
    with pytest.raises(SegcoreError, match="two or more classes, received 1"):
        LabelTree.of_chain([LabelMap.identity(1)], ["all"])


@pytest.mark.parametrize("classes", [6, 70])
def test_answers_equal_a_plain_loop(classes: int) -> None:
    counts = np.random.default_rng(1).integers(1, 9, (classes, classes))
    labels = (
        tree()
        if classes == 6
        else LabelTree.of_dendrogram(build_dendrogram(counts), [str(i) for i in range(classes)])
    )
    probabilities, _ = scene(3, classes=classes)
    for threshold in THRESHOLDS:
        answers = back_off(labels, probabilities, threshold)
        flat = probabilities.reshape(-1, classes)
        expected = [plain_answer(labels, row, threshold) for row in flat]
        assert answers.ravel().tolist() == expected


@pytest.mark.parametrize("classes", [2, 3, 17, 18, 40])
def test_trees_of_no_group_and_of_many_words_of_groups_answer_alike(classes: int) -> None:
    rng = np.random.default_rng(classes)
    counts = rng.integers(1, 50, (classes, classes)) + 200 * np.eye(classes, dtype=int)
    names = [str(i) for i in range(classes)]
    labels = LabelTree.of_dendrogram(build_dendrogram(counts), names)
    assert len(labels.nodes) == 2 * classes - 1
    probabilities, _ = scene(classes, classes=classes)
    for threshold in THRESHOLDS[:-1]:
        loop = [plain_answer(labels, row, threshold) for row in probabilities.reshape(-1, classes)]
        assert back_off(labels, probabilities, threshold).ravel().tolist() == loop


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    probabilities, truth = scene(5, (20, 20))
    whole = back_off(tree(), probabilities, 3000), tally_image(tree(), probabilities, truth, True)
    monkeypatch.setattr("segcore.evaluation.compression.back_off._BLOCK", 37)
    parts = back_off(tree(), probabilities, 3000), tally_image(tree(), probabilities, truth, True)
    assert np.array_equal(whole[0], parts[0])
    assert np.array_equal(whole[1].wrong, parts[1].wrong)
    assert np.array_equal(whole[1].answers, parts[1].answers)


def test_threshold_0_is_argmax_and_the_last_is_the_root() -> None:
    probabilities, truth = scene(7)
    labels = tree()
    assert np.array_equal(back_off(labels, probabilities, 0), probabilities.argmax(-1))
    assert (back_off(labels, probabilities, ROOT_ONLY) == labels.root).all()
    tally = Tally.join(["a"], [tally_image(labels, probabilities, truth)])
    scored = truth != 255
    assert tally.errors(0).sum() == (probabilities.argmax(-1) != truth)[scored].sum()
    assert tally.errors(ROOT_ONLY).sum() == 0


def test_one_pass_gives_errors_and_answers_at_every_threshold() -> None:
    labels = tree()
    scenes = [scene(seed) for seed in (11, 12, 13)]
    tally = Tally.join("abc", (tally_image(labels, p, y, True) for p, y in scenes))
    tally = Tally.from_arrays(tally.to_arrays())
    assert tally.true.tolist() == [[int((y == c).sum()) for c in range(6)] for _, y in scenes]
    for threshold in THRESHOLDS:
        errors, given = np.zeros((3, 6), int), np.zeros((2, len(labels.nodes)), int)
        for number, (p, y) in enumerate(scenes):
            for node, true in zip(back_off(labels, p, threshold).ravel(), y.ravel(), strict=True):
                if true == 255:
                    continue
                right = true in labels.nodes[node]
                errors[number, true] += not right
                given[0, node] += 1
                given[1, node] += right
        assert np.array_equal(tally.errors(threshold), errors)
        assert np.array_equal(tally.given(threshold), given)


def test_errors_never_rise_with_the_threshold() -> None:
    probabilities, truth = scene(17, (30, 30))
    tally = Tally.join(["a"], [tally_image(tree(), probabilities, truth)])
    errors = [tally.errors(t).sum() for t in range(0, ROOT_ONLY + 1, 7)]
    assert all(before >= after for before, after in itertools.pairwise(errors))
    assert errors[0] > errors[len(errors) // 2] > errors[-1]


def test_bits_of_right_answers_are_the_entropy_of_the_merged_labels() -> None:
    truth = np.array([40, 10, 25, 5, 12, 8])
    merged = fold(np.diag(truth), CHAIN[0])
    shares = merged.sum(1) / truth.sum()
    assert kept_bits(np.diag(merged), shares, truth.sum()) == pytest.approx(truth_entropy(merged))
    half = kept_bits(np.diag(merged) / 2, shares, truth.sum())
    assert half == pytest.approx(truth_entropy(merged) / 2)
    assert np.isnan(kept_bits(np.zeros(2), np.ones(2), 0))


def test_probabilities_of_other_classes_or_sizes_are_refused() -> None:
    probabilities, truth = scene(1)
    with pytest.raises(SegcoreError, match="made for this run's classes"):
        back_off(tree(), probabilities[..., :5], 100)
    with pytest.raises(SegcoreError, match="predict the image again"):
        tally_image(tree(), probabilities, truth[1:])
    with pytest.raises(SegcoreError, match="at least one image"):
        Tally.join([], [])
    with pytest.raises(SegcoreError, match="count the split"):
        Tally.join(["a"], [tally_image(tree(), probabilities, truth)]).given(0)
