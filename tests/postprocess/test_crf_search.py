"""The search over CRF parameters finds what a full comparison finds, and reads each image once."""

import math

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.postprocess.crf_search import (
    SEARCH_RANGES,
    draw_candidates,
    search_parameters,
)
from segcore.postprocess.parameters import CRFParameters


def _quality(choice):
    return 0.5 if choice is None else 1 / (1 + abs(math.log(choice.color_width / 12)))


def _counter(log):
    """Each image gives each choice [right, wrong] of 1000 pixels, by its quality and the image's difficulty."""

    def count(samples, choices):
        log.extend((s, len(choices)) for s in samples)
        return [
            [
                np.array([round(1000 * _quality(c)) - s, 1000 - round(1000 * _quality(c)) + s])
                for c in choices
            ]
            for s in samples
        ]

    return count


def _accuracy(counts):
    return counts[0] / counts.sum()


@pytest.mark.parametrize("rounds", [0, 1, 3, 9])
@pytest.mark.parametrize("num_samples", [1, 5, 16])
def test_the_best_is_found_and_no_crf_sees_every_image(rounds, num_samples):
    candidates = draw_candidates(11, np.random.default_rng(0))
    found = search_parameters(
        candidates, num_samples, _counter([]), _accuracy, np.random.default_rng(1), rounds
    )
    assert {c.parameters for c in found} == set(candidates)
    assert found[0].parameters == max(candidates, key=_quality)
    off = next(c for c in found if c.parameters is None)
    assert sorted(off.samples) == sorted(found[0].samples) == list(range(num_samples))
    assert off.samples == found[0].samples
    for candidate in (off, found[0]):
        (rows,) = zip(*_counter([])(candidate.samples, [candidate.parameters]), strict=True)
        np.testing.assert_array_equal(candidate.total, np.sum(rows, axis=0))


def test_halving_costs_less_and_counts_nothing_twice():
    candidates = draw_candidates(15, np.random.default_rng(0))
    full, halved = [], []
    search_parameters(candidates, 32, _counter(full), _accuracy, np.random.default_rng(1), rounds=0)
    search_parameters(
        candidates, 32, _counter(halved), _accuracy, np.random.default_rng(1), rounds=3
    )
    assert sorted(s for s, _ in halved) == sorted(s for s, _ in full) == list(range(32))
    assert sum(n for _, n in halved) < 0.4 * sum(n for _, n in full)


def test_no_crf_wins_where_every_crf_hurts_and_in_a_tie():
    bad = [None, CRFParameters(color_width=1), CRFParameters(color_width=100)]
    assert (
        search_parameters(bad, 4, _counter([]), _accuracy, np.random.default_rng(0))[0].parameters
        is None
    )
    tie = search_parameters(bad, 4, _counter([]), lambda counts: 0.5, np.random.default_rng(0))
    assert tie[0].parameters is None
    nothing = search_parameters(
        bad, 4, _counter([]), lambda counts: math.nan, np.random.default_rng(0)
    )
    assert nothing[0].parameters is None


def test_no_crf_takes_part_even_where_it_is_left_out_and_repeats_count_once():
    one = CRFParameters()
    found = search_parameters(
        [one, one], 3, _counter([]), _accuracy, np.random.default_rng(0), rounds=0
    )
    assert {c.parameters for c in found} == {None, one} and len(found) == 2


def test_drawn_candidates_lie_in_their_ranges_and_keep_the_rest():
    start = CRFParameters(iterations=7, drop_below=0.1)
    candidates = draw_candidates(20, np.random.default_rng(0), start)
    assert candidates[:2] == [None, start] and len(set(candidates)) == 22
    for candidate in candidates[2:]:
        assert candidate.relative and candidate.iterations == 7 and candidate.drop_below == 0.1
        assert all(
            low <= getattr(candidate, name) <= high for name, (low, high) in SEARCH_RANGES.items()
        )
    assert candidates == draw_candidates(20, np.random.default_rng(0), start)


def test_refusals():
    with pytest.raises(SegcoreError, match="at least one image"):
        search_parameters([None], 0, _counter([]), _accuracy, np.random.default_rng(0))
