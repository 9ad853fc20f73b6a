"""Schedules start, end and warm up where they say."""

import numpy as np
import pytest

from segcore.catalog import SCHEDULES
from segcore.config import RecipeConfig
from segcore.training.loop.schedules import _FACTORS, learning_rate, plateau_factor


def recipe(name, **words):
    return RecipeConfig(schedule=name, learning_rate=0.1, epochs=20, **words)


def rates(name, **words):
    return np.array([learning_rate(recipe(name, **words), t) for t in np.linspace(0, 20, 401)])


def test_every_name_of_the_catalogue_is_known():
    assert sorted(_FACTORS) == sorted(SCHEDULES)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_rates_stay_in_range_and_do_not_rise_but_in_the_cycle(name):
    values = rates(name)
    assert (values >= 0).all() and values.max() == pytest.approx(0.1)
    falling = values[values.argmax() :]
    assert (np.diff(falling) <= 1e-15).all()
    assert name == "one_cycle" or values[0] == 0.1


def test_ends():
    ends = {name: rates(name)[-1] for name in SCHEDULES}
    expected = {
        "constant": 0.1,
        "plateau": 0.1,
        "exponential": 0.001,
        "polynomial": 0,
        "cosine": 0,
        "step": 0.001,
        "one_cycle": 1e-5,
    }
    assert ends == pytest.approx(expected, abs=1e-12)


def test_exponential_falls_by_the_same_factor_every_epoch():
    values = [learning_rate(recipe("exponential"), t) for t in range(21)]
    np.testing.assert_allclose(np.diff(np.log(values)), np.log(0.01) / 20)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_warm_up_climbs_straight_and_then_the_schedule_begins(name):
    words = recipe(name, warmup_epochs=2.0)
    assert [learning_rate(words, t) for t in (0, 0.5, 1)] == pytest.approx([0, 0.025, 0.05])
    assert learning_rate(words, 2) == pytest.approx(learning_rate(recipe(name), 0))
    assert learning_rate(words, 20) == pytest.approx(learning_rate(recipe(name), 20))


def test_warm_up_may_last_the_whole_run():
    assert learning_rate(recipe("cosine", warmup_epochs=20.0), 10) == pytest.approx(0.05)


def test_the_plateau_halves_after_each_third_of_the_patience():
    words = recipe("plateau", patience=9)
    factors = [1.0]
    for since in range(1, 8):
        factors.append(plateau_factor(words, since, factors[-1]))
    assert factors == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert plateau_factor(recipe("cosine"), 3, 1.0) == 1.0
