"""Pairs of an ablation as lines of a CSV, and the table that is made of them."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.ablation_tables import Pair, over_folds, pairs_of, read, table, write

DOCS = Path(__file__).resolve().parents[2] / "docs"
FOLDS = ("roads-fold-1", "roads-fold-2", "roads-fold-3")


def pairs(row, gains, error=0.0, seed="0"):
    """One pair a fold; the base has 40 % everywhere."""
    return [
        Pair("Roads", row, fold, seed, 200, 0.4 + gain, gain, error)
        for fold, gain in zip(FOLDS, gains, strict=False)
    ]


def test_the_interval_is_a_t_interval_over_folds():
    gains = (0.02, 0.03, 0.025)
    interval = over_folds(pairs("cross-entropy", gains))
    half = stats.t.ppf(0.975, 2) * np.std(gains, ddof=1) / np.sqrt(3)
    assert interval.value == pytest.approx(0.025)
    assert (interval.low, interval.high) == pytest.approx((0.025 - half, 0.025 + half), rel=0.05)
    assert over_folds(pairs("cross-entropy", gains[:2])) is None


def test_seeds_are_averaged_within_their_fold():
    one, other = pairs("FCN-8s", (0.01, 0.02, 0.03)), pairs("FCN-8s", (0.03, 0.02, 0.01), seed="1")
    interval = over_folds(one + other)
    assert (interval.low, interval.value, interval.high) == pytest.approx((0.02, 0.02, 0.02))


def test_images_widen_it_and_are_not_averaged_away_by_folds():
    gains = (0.02, 0.02, 0.02)
    interval = over_folds(pairs("FCN-8s", gains, error=0.005))
    assert interval.high - interval.value == pytest.approx(1.96 * 0.005, rel=0.03)


def test_verdicts_are_corrected_and_missing_rows_say_so():
    lines = table(
        [
            *pairs("base", (0.0, 0.0, 0.0)),
            *pairs("random encoder", (-0.1, -0.1001, -0.0999)),
            *pairs("DeepLab v3+", (0.04, 0.01, 0.09)),
            *pairs("PSPNet", (-0.02,)),
        ]
    ).splitlines()
    cells = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ") for line in lines}
    assert cells["random encoder"][-3:] == ["hurts", "hurts", "borne out"]
    assert cells["random encoder"][1:4] == ["base 40.0", "3 x 1", "30.0"]
    assert cells["DeepLab v3+"][-2:] == ["cannot tell", "hurts"]
    assert "+1.0 to +9.0" in cells["DeepLab v3+"]
    assert "1 of 3 folds" in next(line for line in lines if "PSPNet" in line)
    assert "not run" in next(line for line in lines if "SegNet" in line)
    assert cells["base"][3] == "40.0 (40.0 to 40.0 by fold)"


def test_a_table_of_the_command_becomes_lines_and_comes_back(tmp_path):
    found = {
        "units": dict.fromkeys(FOLDS, 200),
        "rows": [
            {
                "row": "base",
                "pairs": [[FOLDS[0], "0"]],
                "scores": [0.4],
                "gains": [],
                "errors": [0.01],
            },
            {"row": "submodels", "pairs": [], "scores": [], "gains": [], "errors": []},
            {
                "row": "ensemble against its mean member",
                "pairs": [[FOLDS[0], ""]],
                "scores": [0.42],
                "gains": [0.02],
                "errors": [0.001],
            },
        ],
    }
    made = pairs_of(found, "Roads")
    assert [(p.row, p.seed, p.difference, p.error) for p in made] == [
        ("base", "0", 0.0, 0.01),
        ("ensemble against its mean member", "", 0.02, 0.001),
    ]
    file = tmp_path / "pairs.csv"
    assert read(file) == []
    write(file, made[::-1])
    assert read(file) == made


@pytest.mark.parametrize(
    ("file", "ablation"),
    [("deck-ablation.csv", "deck-cpu"), ("pretrained-ablation.csv", "pretrained")],
)
def test_the_documentation_shows_the_tables_of_its_pairs(file, ablation):
    found, text = read(DOCS / file), (DOCS / "deck-ablation.md").read_text("utf-8")
    assert found
    for data in {pair.data for pair in found}:
        assert table([pair for pair in found if pair.data == data], ablation) in text, data
