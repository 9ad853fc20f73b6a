import numpy as np

from segcore.evaluation.compression.compression import score_maps
from segcore.evaluation.compression.null_model import NULL_SCORES, null_scores, percentiles
from segcore.labels import LabelMap

TOY = np.array([[50, 10, 0, 0], [8, 32, 0, 0], [0, 0, 70, 10], [0, 2, 8, 10]])


def test_mean_of_random_maps_is_the_closed_form():
    label_map = LabelMap(((0, 1), (2,), (3,)))
    drawn = null_scores(TOY, label_map, draws=4000, seed=1)["accuracy"]
    wanted = score_maps(TOY, [label_map])[0].expected_accuracy
    assert abs(drawn.mean() - wanted) < 4 * drawn.std() / np.sqrt(4000)


def test_draws_keep_the_group_sizes_and_follow_the_seed():
    label_map = LabelMap(((0, 1, 2), (3,)))
    found = null_scores(TOY, label_map, draws=50, seed=3)
    assert set(found) == set(NULL_SCORES)
    rows = score_maps(
        TOY, [LabelMap.merging(4, [[i for i in range(4) if i != alone]]) for alone in range(4)]
    )
    for name in NULL_SCORES:
        legal = [getattr(row, name) for row in rows]
        assert all(min(abs(v - w) for w in legal) < 1e-12 for v in found[name])
        np.testing.assert_array_equal(
            found[name], null_scores(TOY, label_map, draws=50, seed=3)[name]
        )


def test_duplicates_stand_above_random_and_strangers_below():
    # duplicates 0+1 and 2+3 are the two best of six pairs; 0+3 is in the lower half
    best, worst = (
        percentiles(TOY, LabelMap.merging(4, [(0, 1)])),
        percentiles(TOY, LabelMap.merging(4, [(0, 3)])),
    )
    assert best["accuracy"] == 1
    assert best["honest_accuracy"] == 1
    assert worst["honest_accuracy"] < 0.55
    assert worst["accuracy"] < 0.7
    assert np.isnan(percentiles(TOY, LabelMap(((0, 1, 2, 3),)))["kappa"])
