"""Every subset judged at once: the same numbers as one at a time, and words that say what is noise."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.comparison.subsets import Tallies, score_subsets
from segcore.evaluation.counts.bootstrap import Resampling
from segcore.evaluation.counts.scores import mean_iou, pixel_accuracy
from segcore.evaluation.counts.verdicts import holm
from segcore.postprocess.weightings import marginal_shares, subset_weights
from tests.evaluation.plain_loop import plain_interval
from tests.postprocess.marginal_values import marginal_values

NAMES = ("a", "b", "c")


@pytest.fixture
def counts():
    """(12, 7, 4, 4): seven ensembles of the same 12 images, with the same true pixels; one class is never there."""
    rng = np.random.default_rng(3)
    out = np.zeros((12, 7, 4, 4), np.int64)
    for image in range(12):
        true = rng.integers(0, 60, 3)
        for k in range(7):
            for c in range(3):
                chance = np.full(3, (1 - 0.1 * k) / 6 + 0.02)
                chance[c] = 1
                out[image, k, c, :3] = rng.multinomial(true[c], chance / chance.sum())
    return out


def test_scores_are_those_of_the_whole_matrices(counts) -> None:
    tallies = Tallies.of(counts)
    np.testing.assert_allclose(tallies.mean_iou(), mean_iou(counts.sum(0)), rtol=0, atol=1e-15)
    np.testing.assert_allclose(
        tallies.pixel_accuracy(), pixel_accuracy(counts.sum(0)), rtol=0, atol=1e-15
    )


def study(counts, split="validation", table=None):
    table = subset_weights(3) if table is None else table
    return score_subsets(
        Tallies.of(counts), table, NAMES, marginal_shares(subset_weights(3)), split
    )


def test_intervals_are_those_of_one_ensemble_at_a_time(counts) -> None:
    found = study(counts)
    scores = mean_iou(counts.sum(0))
    best, single = int(scores.argmax()), int(max((0, 1, 3), key=lambda k: scores[k]))
    assert found["best"]["mean_iou"] == pytest.approx(scores[best])
    true = counts[:, 0].sum(-1)  # what draws depend on
    low, high = plain_interval([true, counts[:, best]], lambda _, c: mean_iou(c), by=1)[1:]
    assert found["best"]["interval"] == pytest.approx([low, high], abs=1e-12)
    pair = plain_interval(
        [true, counts[:, best], counts[:, single]], lambda _, a, b: mean_iou(a) - mean_iou(b), by=1
    )
    gain = found["gains"]["best_over_single"]
    assert [gain["difference"], *gain["interval"]] == pytest.approx(list(pair), abs=1e-12)


def test_values_are_the_marginal_ones_and_their_intervals_hold_them(counts) -> None:
    found = study(counts)
    gains, losses = marginal_values(mean_iou(counts.sum(0)))
    assert [v["gain"] for v in found["values"]] == pytest.approx(gains)
    assert [v["leaving"]["difference"] for v in found["values"]] == pytest.approx(losses)
    assert all(v["gain_interval"][0] < v["gain"] < v["gain_interval"][1] for v in found["values"])


def test_equal_subsets_are_told_apart_by_their_size_and_nothing_is_gained() -> None:
    one = np.array([[30, 10], [5, 55]])
    found = study(np.tile(one, (6, 7, 1, 1)))
    assert found["best"]["members"] == ["a"]  # of equals the fewest members, then the first
    assert all(g == {"difference": 0, "interval": [0, 0]} for g in found["gains"].values())
    assert found["chosen_share"] == 1 and found["unseen"]["best_over_all"] == 0
    assert "A single member is best" in found["sentences"][0]


def test_a_gain_inside_the_noise_is_said_to_be_so(counts) -> None:
    better = counts.copy()
    better[:, :6] = counts[:, :1]  # only the whole ensemble is better than its members, everywhere
    told = study(better)["sentences"]
    assert any(s.startswith("All members") and "noise" not in s for s in told)
    noisy = np.tile(np.array([[50, 50], [0, 50]]), (12, 7, 1, 1))
    noisy[:6, 6, 0] = [60, 40]  # half the images gain a little more than the other half lose
    noisy[6:, 6, 0] = [42, 58]
    told = study(noisy)["sentences"]
    assert "The best subset (3 members)" in told[0] and "ignores the choice" in told[0]
    assert any(s.startswith("All members") and "within the noise" in s for s in told)


def test_choosing_on_the_test_split_is_called_selection(counts) -> None:
    last = study(counts, "test")["sentences"][-1]
    assert "chosen on test" in last and "Choose on validation" in last
    assert "Report it on a split where nothing was chosen" in study(counts)["sentences"][-1]


def test_what_is_chosen_by_luck_gains_nothing_on_images_left_out() -> None:
    rng = np.random.default_rng(0)
    right = rng.integers(40, 60, (40, 7))  # seven ensembles that differ by chance only
    counts = np.zeros((40, 7, 2, 2), np.int64)
    counts[..., 0, 0], counts[..., 0, 1], counts[..., 1, 1] = right, 100 - right, 50
    found = study(counts)
    gain = found["gains"]["best_over_all"]["difference"]
    assert found["unseen"]["best_over_all"] < gain


def test_weights_are_judged_against_equal_ones(counts) -> None:
    table = np.vstack([subset_weights(3), [[1, 2, 1], [0.2, 0.3, 0.5]]])
    more = np.concatenate([counts, counts[:, :1], counts[:, 6:]], axis=1)
    found = study(more, table=table)["weights"]
    assert found["tried"] == 2
    assert found["weights"] == [0.2, 0.3, 0.5]
    assert found["over_equal"]["difference"] == 0  # counted as the whole ensemble was


def test_one_image_has_no_interval(counts) -> None:
    found = study(counts[:1])
    assert found["best"]["interval"] == [None, None] and found["chosen_share"] is None
    assert any("No interval from 1 image" in sentence for sentence in found["sentences"])


def test_a_table_without_all_members_together_is_refused(counts) -> None:
    with pytest.raises(SegcoreError, match="6 subsets of 12 images"):
        study(counts[:, :6], table=subset_weights(3)[:6])


def test_verdicts_on_members_are_stated_and_hold_among_all_of_them(counts) -> None:
    assert {v["gain_verdict"] for v in study(counts)["values"]} == {"cannot tell"}  # 12 images
    counts = np.concatenate([counts] * 5)
    found = study(counts)
    assert found["many"].startswith("6 verdicts stand here. Holm's correction")
    drawing = Resampling([counts[:, 0].sum(-1)])
    units = [drawing.by_unit(counts[:, k]) for k in range(7)]
    drawn = np.stack(
        [mean_iou(np.einsum("rn,nij->rij", drawing.weights, unit)) for unit in units], -1
    )
    shares = marginal_shares(subset_weights(3))
    values = drawing.intervals(shares @ mean_iou(counts.sum(0)), drawn @ shares.T)
    without = [5, 4, 2]  # the pairs without a, b and c, in binary order
    score = mean_iou(counts.sum(0))
    leaving = [
        drawing.intervals(score[6] - score[k], drawn[:, 6] - drawn[:, k])[0] for k in without
    ]
    p_values = [one.p_value for one in [*values, *leaving]]
    words = [v["gain_verdict"] for v in found["values"]]
    words += [v["leaving_verdict"] for v in found["values"]]
    assert words == [
        ("helps" if one.value > 0 else "hurts") if holds else "cannot tell"
        for one, holds in zip([*values, *leaving], holm(p_values), strict=True)
    ]
    assert set(words) != {"cannot tell"}


def test_members_that_differ_by_chance_get_a_verdict_in_one_table_of_twenty_at_most() -> None:
    rng, tables, false = np.random.default_rng(4), 100, 0
    for _ in range(tables):
        right = rng.integers(40, 60, (60, 7))
        counts = np.zeros((60, 7, 2, 2), np.int64)
        counts[..., 0, 0], counts[..., 0, 1], counts[..., 1, 1] = right, 100 - right, 50
        words = [
            v[key] for v in study(counts)["values"] for key in ("gain_verdict", "leaving_verdict")
        ]
        false += any(word != "cannot tell" for word in words)
    assert false / tables <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / tables)
