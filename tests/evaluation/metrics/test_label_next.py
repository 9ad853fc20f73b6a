"""Orders of a pool: by hand, and against a slow twin of k-centre greedy."""

import dataclasses

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.metrics.label_next import PoolMeasures, choose_batch, mean_rank, rarity


def _pool(scores, features, centres=(), hashes=None, labelled=()):
    size = len(features)
    known = {
        name: np.asarray(scores.get(name, np.zeros(size)), float)
        for name in ("disagreement", "margin", "entropy", "rarity")
    }
    columns = np.asarray(features, float).reshape(size, -1)
    apart = [n * 0x0F0F0F0F0F0F0F0F % 2**64 for n in range(size)] if hashes is None else hashes
    return PoolMeasures(
        tuple(f"image {n}" for n in range(size)),
        known,
        columns,
        np.asarray(centres, float).reshape(-1, columns.shape[1]),
        np.array(apart, np.uint64),
        np.array(labelled, np.uint64),
        near_bits=6,
    )


def _names(choice):
    return [one.position for one in choice.taken]


FAR_APART = [0, 2**64 - 1, 0xFFFFFFFF00000000, 0x00000000FFFFFFFF]


@pytest.mark.parametrize("by", ["disagreement", "margin", "entropy", "rarity"])
def test_an_informative_order_takes_the_largest_scores(by):
    pool = _pool({by: [0.1, 0.9, 0.4, 0.9]}, [0, 0, 0, 0], hashes=FAR_APART)
    choice = choose_batch(pool, by, 3)
    assert _names(choice) == [1, 3, 2]  # equal ones by name
    assert [one.value for one in choice.taken] == [0.9, 0.9, 0.4]


def test_disagreement_needs_two_members():
    pool = _pool({"disagreement": [np.nan, np.nan]}, [0, 1], hashes=FAR_APART[:2])
    with pytest.raises(SegcoreError, match="two runs or more"):
        choose_batch(pool, "disagreement", 1)
    assert len(choose_batch(pool, "mix", 2).taken) == 2  # which then leaves it out


def test_diversity_starts_from_what_is_labelled():
    pool = _pool({}, [0, 1, 5, 9], centres=[[0.0]], hashes=FAR_APART)
    assert _names(choose_batch(pool, "diversity", 3)) == [3, 2, 1]
    without = _pool({"entropy": [0, 1, 0, 0]}, [0, 1, 5, 9], hashes=FAR_APART)
    assert _names(choose_batch(without, "diversity", 2)) == [1, 3]  # the most informative, then far


def _k_centre_twin(features, centres, count):
    """Distances from scratch at each step."""
    taken = []
    while len(taken) < count:
        anchors = [*centres, *(features[n] for n in taken)]
        nearest = [
            -1.0 if n in taken else min(float(np.linalg.norm(row - a)) for a in anchors)
            for n, row in enumerate(features)
        ]
        taken.append(int(np.argmax(nearest)))
    return taken


def test_diversity_is_k_centre_greedy():
    rng = np.random.default_rng(0)
    features, centres = rng.normal(size=(30, 4)), rng.normal(size=(3, 4))
    hashes = rng.integers(0, 2**63, 30).tolist()
    pool = _pool({}, features, centres, hashes)
    assert _names(choose_batch(pool, "diversity", 12)) == _k_centre_twin(features, centres, 12)


def test_near_duplicates_are_taken_once_and_named():
    hashes = [0, 0b111, 2**64 - 1, 2**64 - 2]  # two pairs
    pool = _pool({"entropy": [0.9, 0.8, 0.7, 0.6]}, [0, 0, 1, 1], hashes=hashes)
    choice = choose_batch(pool, "entropy", 4)
    assert _names(choice) == [0, 2]
    assert choice.duplicates == (("image 1", "image 0"), ("image 3", "image 2"))
    labelled = dataclasses.replace(pool, labelled_hashes=np.array([0b1], np.uint64))
    choice = choose_batch(labelled, "entropy", 4)
    assert _names(choice) == [2] and ("image 0", "") in choice.duplicates


def test_mix_weighs_informative_and_far_alike():
    # ranks of information 0, 1/2, 1; of distance from the centre 1/2, 1, 0
    pool = _pool(
        {name: [0, 1, 2] for name in ("disagreement", "margin", "entropy", "rarity")},
        [5, 9, 1],
        centres=[[0.0]],
        hashes=FAR_APART[:3],
    )
    first = choose_batch(pool, "mix", 1).taken[0]
    assert first.position == 1 and first.value == pytest.approx(1.5) and first.away == 1.0


def test_mean_rank_shares_ties_and_leaves_out_what_is_unknown():
    unknown = np.array([np.nan, 0, 0])
    ranks = mean_rank([np.array([3.0, 1, 1]), unknown, np.array([0.0, 1, 2])])
    assert ranks == pytest.approx([0.5, 0.375, 0.625])


@pytest.mark.parametrize(("by", "count"), [("nothing", 3), ("margin", 0)])
def test_what_cannot_be_is_a_sentence(by, count):
    with pytest.raises(SegcoreError):
        choose_batch(_pool({}, [0, 1]), by, count)


def test_the_weight_of_a_class_is_one_at_the_average_share_and_bounded():
    assert rarity(np.array([25, 25, 25, 25])).tolist() == [1, 1, 1, 1]
    assert rarity(np.array([75, 25])).tolist() == pytest.approx([2 / 3, 2])
    assert rarity(np.array([10**9, 0])).tolist() == pytest.approx([0.5, 10])
