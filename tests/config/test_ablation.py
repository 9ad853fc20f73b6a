"""Studies of recipes as a file says them: what is filled in, what is refused, which files and seeds they need."""

import pytest

from segcore.config.ablation import ablation_from_json
from segcore.errors import SegcoreError
from segcore.workspace.ablations.ablations import SHIPPED, Ablations

BASE = {
    "model": {"encoder": "squeezenet", "weights": "{squeezenet}"},
    "recipe": {"epochs": 3},
    "size": [96, 128],
}
ROW = {"name": "Dice", "changes": {"recipe.loss": "dice"}}


def study(*rows: dict, **fields):
    return ablation_from_json({"name": "s", "base": BASE, "rows": list(rows or [ROW]), **fields})


def test_a_row_changes_one_thing_and_leaves_the_rest_of_the_base():
    made = study(ROW, {"name": "random", "changes": {"model.weights": "none"}})
    config = made.config(made.rows[0], "camvid", 4, {"squeezenet": "there.npz"})
    assert (config.dataset, config.seed, config.size, config.recipe.epochs) == (
        "camvid",
        4,
        (96, 128),
        3,
    )
    assert (config.recipe.loss, config.model.encoder, config.model.weights) == (
        "dice",
        "squeezenet",
        "there.npz",
    )
    assert made.config(made.rows[1], "camvid", 0, {}).model.weights == "none"


def test_an_ablation_survives_its_file():
    made = study(
        ROW,
        {"name": "all", "combine": {"against": "mean", "crf": {"relative": True}}, "seeds": [0, 7]},
        about="why",
    )
    assert ablation_from_json(made.to_json()) == made


def test_the_base_gets_every_seed_that_a_row_needs():
    made = study(
        ROW, {"name": "all", "combine": {"against": "best"}, "seeds": [1, 5]}, seeds=[0, 1]
    )
    assert made.seeds_of(None) == (0, 1, 5)
    assert made.seeds_of(made.rows[0]) == (0, 1) and made.seeds_of(made.rows[1]) == (1, 5)


def test_an_absent_weights_file_is_told_by_the_row_that_needs_it():
    made = study(
        {
            "name": "other",
            "changes": {"model.encoder": "mobilenet_v2", "model.weights": "{mobile}"},
        },
        files={"mobile": "MobileNetV2"},
    )
    assert made.file_names == ["squeezenet", "mobile"]
    assert (
        made.missing_file(made.rows[0], {"squeezenet": "x"}) == "mobile"
        and made.missing_file(None, {"squeezenet": "x"}) == ""
    )
    with pytest.raises(SegcoreError, match=r"'mobile' \(MobileNetV2\).*--weights mobile=PATH"):
        made.config(made.rows[0], "camvid", 0, {"squeezenet": "x"})


@pytest.mark.parametrize(
    ("rows", "fields", "sentence"),
    [
        ([{"name": "a"}], {}, "differ in one of"),
        ([{**ROW, "balance": {"mode": "count"}}], {}, "changes and balance"),
        ([ROW, ROW], {}, "names of their own"),
        ([{**ROW, "name": "base"}], {}, "none of them 'base'"),
        ([{**ROW, "against": "Dise"}], {}, "Dice"),
        ([{"name": "a", "changes": {"recipe.los": "dice"}}], {}, "loss"),
        ([{"name": "a", "changes": {"size.0": 4}}], {}, "Expected a field"),
        ([{"name": "a", "changes": {"seed": 4}}], {}, "fills it in"),
        ([{"name": "a", "combine": {}}], {}, "changes nothing|neither"),
        ([{**ROW, "claim": "works"}], {}, "claim"),
        ([ROW], {"report_on": "validation"}, "name the test split"),
        ([ROW], {"seeds": []}, "at least one seed"),
        ([ROW], {"format": 2}, "update Segscope"),
        ([ROW], {"name": "a b"}, "choose another"),
        (
            [{"name": "crf", "combine": {"crf": {}}}, {**ROW, "against": "crf"}],
            {},
            "a row that is trained",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(rows, fields, sentence):
    with pytest.raises(SegcoreError, match=sentence):
        study(*rows, **fields)


def test_the_ablations_that_come_along_hold_every_claim_of_the_deck():
    headings = {
        "Balancing augmentation",
        "U-Net against other architectures, same encoder",
        "Transfer learning",
        "Ensemble of five",
        "CRF",
        "Jaccard distance loss",
        "Dice + focal loss",
        "EfficientNet",
        "SpaceNet-4 weights",
        "Submodels",
    }
    assert Ablations.shipped() == ["deck", "deck-cpu", "pretrained"]
    for name in ("deck", "deck-cpu"):
        made = Ablations.read(name)
        assert made.name == name and {row.heading for row in made.rows} == headings
        assert (
            "/" not in str(made.base)
            and made.missing_file(
                made.row("SpaceNet-4 weights"), dict.fromkeys(made.file_names[:-1], "x")
            )
            == "spacenet4"
        )
    assert Ablations.read(SHIPPED / "deck.json").base["model"]["encoder"] == "resnet50"


def test_each_encoder_is_trained_from_random_weights_as_well():
    made = Ablations.read("pretrained")
    assert made.base == Ablations.read("deck-cpu").base  # so that its runs serve both
    model = {row.name: made.base["model"] | {} for row in made.rows}
    for row in made.rows:
        model[row.name] |= {key.removeprefix("model."): to for key, to in row.changes.items()}
    random = [row for row in made.rows if model[row.name]["weights"] == "none"]
    assert len(random) == len(made.file_names) == 4
    for row in random:
        other = model.get(row.against, made.base["model"])
        assert other["encoder"] == model[row.name]["encoder"] and other["weights"] != "none"
