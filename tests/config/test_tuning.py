"""What a search may be: what is refused before it starts, what a grid holds, what the presets name."""

import dataclasses

import pytest

from segcore.catalog import PRUNERS, SAMPLERS, TUNE_PRESETS
from segcore.config import (
    ModelConfig,
    Range,
    RecipeConfig,
    SearchSpace,
    TrainConfig,
    TuneConfig,
    config_from_json,
    from_json,
    to_json,
)
from segcore.config.tuning import PRESETS, base_value, trial_config
from segcore.errors import SegcoreError
from segcore.tuning.proposals import build_sampler

BASE = TrainConfig("set", ModelConfig("unet", "resnet50", "none"), RecipeConfig(epochs=3))
SPACE = SearchSpace(loss=("dice", "focal"), learning_rate=Range(1e-4, 1e-2))


def test_tables_presets_and_fields_name_the_same() -> None:
    assert list(PRESETS) == list(TUNE_PRESETS)
    for space in PRESETS.values():
        TuneConfig("set", BASE, space)
    for sampler in SAMPLERS:
        for pruner in PRUNERS:
            TuneConfig("set", BASE, SPACE, sampler=sampler, pruner=pruner)


def test_a_search_survives_json() -> None:
    config = TuneConfig("set", BASE, SPACE, trials=7, sampler="random", grace=1)
    assert config_from_json(to_json(config)) == config
    assert (
        from_json(
            SearchSpace, {"loss": ["dice", "focal"], "learning_rate": {"low": 1e-4, "high": 1e-2}}
        )
        == SPACE
    )


def test_a_grid_is_a_product_and_rates_are_at_equal_ratios() -> None:
    assert Range(1e-4, 1e-2, 3).values == pytest.approx((1e-4, 1e-3, 1e-2))
    assert Range(1, 16, 5).values == pytest.approx((1, 2, 4, 8, 16))
    assert SPACE.size == len(SPACE.grid()) == 2 * 3
    assert SPACE.grid()[1] == {"loss": "dice", "learning_rate": pytest.approx(1e-3)}
    assert TuneConfig("set", BASE, SPACE, trials=100, sampler="grid").planned == 6
    assert TuneConfig("set", BASE, SPACE, trials=4, sampler="grid").planned == 4


def test_a_trial_differs_from_its_base_in_what_is_varied_only() -> None:
    values = {"architecture": "fpn", "loss": "dice", "learning_rate": 0.02, "label_map": "few"}
    config = trial_config(BASE, values, group="study", member=3)
    assert {name: base_value(config, name) for name in values} == values
    back = trial_config(
        config, {name: base_value(BASE, name) for name in values}, group="", member=0
    )
    assert back == BASE


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"space": {}}, "something to vary"),
        ({"space": {"loss": ["dice"]}}, "something to vary"),
        ({"space": {"loss": ["dice", "dice"]}}, "each choice of loss once"),
        ({"space": {"loss": ["dice", "jacard_distance"]}}, "did you mean 'jaccard_distance'"),
        ({"space": {"optimiser": ["adam", "sgd"]}}, "did you mean 'optimizer'"),
        ({"space": {"batch_size": [4, 0]}}, "batch_size between"),
        ({"space": {"encoder": ["resnet50", "resnet5"]}}, "did you mean"),
        ({"space": {"learning_rate": {"low": 0.1, "high": 0.1}}}, "low < high"),
        ({"space": {"learning_rate": {"low": 0.1, "high": 100.0}}}, "learning_rate between"),
        ({"sampler": "tpee"}, "did you mean 'tpe'"),
        ({"pruner": "medan"}, "did you mean 'median'"),
        ({"trials": 0}, "trials between"),
        (
            {"base": {**to_json(BASE), "validation_split": "test"}},
            "neither trained on nor the test split",
        ),
        (
            {"base": {**to_json(BASE), "validation_split": "train"}},
            "neither trained on nor the test split",
        ),
        (
            {"base": {**to_json(BASE), "validation_split": ""}},
            "neither trained on nor the test split",
        ),
        ({"base": {**to_json(BASE), "dataset": "other"}}, "name one dataset"),
        (
            {
                "base": {**to_json(BASE), "model": {**to_json(BASE.model), "weights": "a.npz"}},
                "space": {"encoder": ["tiny", "vgg16"]},
            },
            "a file fits",
        ),
        (
            {"base": {**to_json(BASE), "recipe": {**to_json(BASE.recipe), "monitor": "loss"}}},
            "mean_iou",
        ),
    ],
)
def test_what_no_trial_could_be_started_with_is_refused(changes, sentence) -> None:
    data = {**to_json(TuneConfig("set", BASE, SPACE)), **changes}
    with pytest.raises(SegcoreError, match=sentence):
        config_from_json(data)


def test_downloads_that_do_not_exist_are_refused_for_every_encoder_of_the_space() -> None:
    base = dataclasses.replace(BASE, model=ModelConfig("unet", "resnet50", "imagenet"))
    TuneConfig("set", base, SearchSpace(encoder=("resnet50", "vgg16")))
    with pytest.raises(SegcoreError, match="no download exists"):
        TuneConfig("set", base, SearchSpace(encoder=("resnet50", "tiny")))


def test_the_base_is_tried_first_only_where_it_lies_in_the_space() -> None:
    space = SearchSpace(loss=("dice", "jaccard_distance"), learning_rate=Range(1e-4, 1e-2))
    assert TuneConfig("set", BASE, space).first_values == {
        "loss": "jaccard_distance",
        "learning_rate": 1e-3,
    }
    assert TuneConfig("set", BASE, SPACE).first_values is None  # its loss is neither
    assert (
        TuneConfig(
            "set", BASE, SearchSpace(**{**dict(space.varied), "learning_rate": Range(1e-2, 1e-1)})
        ).first_values
        is None
    )
    assert TuneConfig("set", BASE, space, from_base=False).first_values is None


def test_each_trial_has_a_seed_of_its_own() -> None:
    def draw(seed: int, number: int) -> float:
        return build_sampler(
            TuneConfig("set", BASE, SPACE, seed=seed, sampler="random"), number
        )._rng.rng.random()

    assert draw(0, 1) == draw(0, 1)
    assert len({draw(seed, number) for seed in range(3) for number in range(3)}) == 9
