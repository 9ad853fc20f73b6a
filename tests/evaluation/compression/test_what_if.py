import json

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.compression.evidence import Evidence
from segcore.evaluation.compression.what_if import WhatIfSettings, compress
from segcore.evaluation.counts.confusion import ConfusionMatrix

TOY = np.array([[50, 10, 0, 0], [8, 32, 0, 0], [0, 0, 70, 10], [0, 2, 8, 10]])
KEYS = ["groups", "num_groups", "accuracy", "mean_iou", "kappa", "entropy_bits", "retained_entropy"]
KEYS += ["information_bits", "honest_accuracy", "lift"]
rng = np.random.default_rng(0)
IMAGES = np.stack([rng.multinomial(400, TOY.ravel() / 200).reshape(4, 4) for _ in range(40)])


def test_json_holds_the_contract():
    data = compress(TOY, class_ids=[10, 20, 30, 40]).to_json()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    for row in [data["baseline"], *data["path"], *data["front"]]:
        assert set(KEYS) <= set(row)
        assert sorted(i for group in row["groups"] for i in group) == [10, 20, 30, 40]
        assert row["num_groups"] == len(row["groups"])
    assert [row["num_groups"] for row in data["path"]] == [4, 3, 2, 1]
    assert {key: data["path"][0][key] for key in KEYS} == {
        key: data["baseline"][key] for key in KEYS
    }
    assert data["path"][1]["groups"] == [[10], [20], [30, 40]]
    assert data["path"][1]["merged"] == [[30], [40]]
    assert data["path"][-1]["honest_accuracy"] is None
    assert data["front_certified"] is True
    assert data["front_compared"] == 15
    assert data["dendrogram"]["order"] == [10, 20, 30, 40]
    assert data["chosen"] is None


def test_exact_path_is_nowhere_below_the_greedy_one():
    counts = np.random.default_rng(3).integers(0, 60, (7, 7)) + np.diag([100] * 7)
    greedy, exact = (
        compress(counts).path,
        compress(counts, settings=WhatIfSettings(exact=True)).path,
    )
    assert [row.label_map.num_groups for row in exact] == list(range(7, 0, -1))
    assert all(e.accuracy >= g.accuracy for e, g in zip(exact, greedy, strict=True))


def test_verdicts_merge_duplicates_and_keep_strangers():
    found = {
        v.pair: v
        for v in compress(
            IMAGES.sum(0),
            evidence=Evidence(IMAGES, member_counts=np.stack([IMAGES.sum(0)] * 3)),
        ).verdicts
    }
    assert found[2, 3].action == found[0, 1].action == "merge"
    assert found[2, 3].green
    assert found[2, 3].agreement == 1
    assert found[2, 3].stability > 0.9
    assert found[1, 3].action == "keep"
    assert not found[1, 3].green
    assert (0, 3) not in found  # never confused


def test_green_needs_an_interval_a_paying_rate_and_common_confusion():
    total = IMAGES.sum(0)
    unknown = {v.pair: v for v in compress(total).verdicts}[2, 3]
    assert unknown.action == "merge"
    assert not unknown.green
    assert "unknown" in unknown.reason
    demanding = WhatIfSettings(trade_off_rate=0.9)
    dear = {
        v.pair: v for v in compress(total, settings=demanding, evidence=Evidence(IMAGES)).verdicts
    }[2, 3]
    assert dear.action == "keep"
    private = np.stack([total, *[np.diag(total.sum(1))] * 4])
    noise = {
        v.pair: v
        for v in compress(total, evidence=Evidence(IMAGES, member_counts=private)).verdicts
    }[2, 3]
    assert (noise.action, noise.green) == ("ensemble", False)
    few = {v.pair: v for v in compress(IMAGES[:4].sum(0), evidence=Evidence(IMAGES[:4])).verdicts}[
        2, 3
    ]
    assert (few.action, few.green) == ("collect", False)
    assert "4 images" in few.reason


def test_forbidden_pairs_are_in_no_row_and_no_verdict():
    study = compress(TOY, settings=WhatIfSettings(forbidden=[(2, 3)]))
    assert all(
        row.label_map.group_of[2] != row.label_map.group_of[3]
        for row in [*study.path, *study.front]
    )
    assert [row.label_map.num_groups for row in study.path] == [4, 3, 2]
    assert all(v.pair != (2, 3) for v in study.verdicts)
    assert study.to_json()["forbidden"] == [[2, 3]]


def test_prior_changes_the_front_but_not_the_scores():
    pixel, uniform = (
        compress(IMAGES.sum(0), settings=WhatIfSettings(prior=prior), evidence=Evidence(IMAGES))
        for prior in ("pixel", "uniform")
    )
    assert uniform.baseline.entropy_bits == 2
    assert pixel.baseline.honest_accuracy == uniform.baseline.honest_accuracy
    assert set(pixel.baseline.retained) == {"pixel", "image", "uniform"}
    weighed = compress(TOY, settings=WhatIfSettings(prior="importance", importance=[1, 1, 0, 0]))
    assert weighed.path[1].retained_entropy == 1  # merging what does not matter sells nothing
    assert weighed.path[1].to_json()["rate"] is None


def test_one_number_of_groups_can_be_singled_out():
    data = compress(TOY, settings=WhatIfSettings(num_groups=2)).to_json()
    assert data["chosen"]["num_groups"] == 2
    assert 0 <= data["chosen"]["random_percentile"]["accuracy"] <= 1


def test_names_come_from_the_matrix():
    study = compress(ConfusionMatrix(TOY, ("oak", "elm", "road", "track")))
    assert "road" in study.verdicts[0].reason
    assert "track" in study.verdicts[0].reason


@pytest.mark.parametrize(
    "counts", [[[7]], np.zeros((3, 3), int), np.diag([5, 6, 7]), [[5, 1, 0], [2, 9, 0], [0, 0, 0]]]
)
def test_degenerate_matrices_have_an_answer(counts):
    data = compress(counts, evidence=Evidence(np.array([counts, counts]))).to_json()
    json.dumps(data, allow_nan=False)
    assert data["path"][-1]["num_groups"] == 1


def test_forty_classes_are_searched_and_not_certified():
    counts = np.random.default_rng(0).integers(0, 9, (40, 40)) + np.diag(np.arange(40) * 10)
    data = compress(counts).to_json()
    assert data["front_certified"] is False
    assert len(data["path"]) == 40


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"class_ids": [1]}, "4 class ids"),
        ({"class_names": ["a"]}, "4 class names"),
        ({"settings": WhatIfSettings(forbidden=[(0, 0)])}, "two different"),
        ({"settings": WhatIfSettings(prior="image")}, "each image"),
        ({"settings": WhatIfSettings(prior="pixl")}, "pixel"),
        ({"settings": WhatIfSettings(num_groups=9)}, "1 to 4 groups"),
        ({"evidence": Evidence(np.zeros((2, 3, 3)))}, "over 4 classes"),
        ({"settings": WhatIfSettings(gain="x")}, "gain"),
        ({"settings": WhatIfSettings(exact=True, objective="x")}, "objective"),
    ],
)
def test_what_does_not_fit_is_refused(more, words):
    with pytest.raises(SegcoreError, match=words):
        compress(TOY, **more)
    with pytest.raises(SegcoreError, match="square"):
        compress([[1, 2]])
