"""Submodels give back the distribution that they are merges of, and by hand what two rules say of one pixel."""

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.labels import LabelMap
from segcore.postprocess.submodels import combine_submodels, find_router, needs_router, part_maps

GROUPS = LabelMap(((0, 1), (2, 3, 4)), "sizes")


def merged(probabilities, label_map):
    return np.stack([probabilities[..., list(g)].sum(-1) for g in label_map.groups], -1).astype(
        np.float32
    )


def pixel(*values):
    return np.array(values, np.float32).reshape(1, 1, -1)


@pytest.mark.parametrize(
    "label_map", [GROUPS, LabelMap.identity(5), LabelMap(((0, 4), (1,), (2, 3)), "odd")]
)
def test_merges_of_one_distribution_give_it_back(label_map):
    truth = np.random.default_rng(0).dirichlet(np.ones(5) * 0.3, (6, 7)).astype(np.float32)
    maps = part_maps(label_map)
    np.testing.assert_allclose(
        combine_submodels([merged(truth, m) for m in maps], maps), truth, atol=1e-6
    )
    if needs_router(label_map):
        maps = [*maps, label_map]
        answer = combine_submodels([merged(truth, m) for m in maps], maps, "routed")
        np.testing.assert_allclose(answer, truth, atol=1e-6)
        np.testing.assert_allclose(answer.sum(-1), 1, atol=1e-6)


def test_part_maps_part_what_they_should():
    first, second = part_maps(GROUPS)
    assert first.groups == ((0,), (1,), (2, 3, 4)) and second.groups == ((0, 1), (2,), (3,), (4,))
    assert (first.name, second.name) == ("sizes.1", "sizes.2")
    assert [m.groups for m in part_maps(LabelMap.identity(3))] == [
        ((0,), (1, 2)),
        ((0, 2), (1,)),
        ((0, 1), (2,)),
    ]
    assert needs_router(GROUPS) and not needs_router(LabelMap.identity(3))
    assert find_router([first, second, GROUPS]) == 2 and find_router([GROUPS, first, second]) == 0


def test_one_pixel_by_hand():
    """First network .5 .2 (rest .3), second (rest .4) .3 .2 .1, router .8 .2."""
    maps = [*part_maps(GROUPS), GROUPS]
    members = [pixel(0.5, 0.2, 0.3), pixel(0.4, 0.3, 0.2, 0.1), pixel(0.8, 0.2)]
    one = combine_submodels(members[:2], maps[:2])
    np.testing.assert_allclose(one[0, 0], np.array([0.5, 0.2, 0.3, 0.2, 0.1]) / 1.3, atol=1e-6)
    routed = combine_submodels(members, maps, "routed")
    np.testing.assert_allclose(
        routed[0, 0], [0.8 * 5 / 7, 0.8 * 2 / 7, 0.2 * 3 / 6, 0.2 * 2 / 6, 0.2 * 1 / 6], atol=1e-6
    )


def test_what_nobody_knows_is_shared_evenly():
    maps = part_maps(LabelMap.identity(2))
    np.testing.assert_allclose(
        combine_submodels([pixel(0, 1), pixel(1, 0)], maps)[0, 0], [0.5, 0.5]
    )
    maps = [*part_maps(GROUPS), GROUPS]
    members = [pixel(0, 0, 1), pixel(1, 0, 0, 0), pixel(0.6, 0.4)]
    np.testing.assert_allclose(
        combine_submodels(members, maps, "routed")[0, 0],
        [0.3, 0.3, 0.4 / 3, 0.4 / 3, 0.4 / 3],
        atol=1e-6,
    )


def test_mistakes_are_sentences():
    first, second = part_maps(GROUPS)
    with pytest.raises(SegcoreError, match="index 2 stands alone"):
        combine_submodels([pixel(0.5, 0.2, 0.3)], [first])
    with pytest.raises(SegcoreError, match="router"):
        find_router(part_maps(LabelMap(((0, 1), (2, 3), (4,)))))
    with pytest.raises(SegcoreError, match="3 groups"):
        combine_submodels([pixel(0.5, 0.5), pixel(0.4, 0.3, 0.2, 0.1)], [first, second])
    with pytest.raises(SegcoreError, match="did you mean"):
        combine_submodels([pixel(1)], [first], "route")
    with pytest.raises(SegcoreError, match="single group"):
        part_maps(LabelMap(((0, 1),)))
