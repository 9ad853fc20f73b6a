"""What ``stats`` and ``balance`` print about class balance, with what each figure says."""

from collections.abc import Mapping
from typing import Any

from segcore.catalog import BALANCE_MODES
from segcore.cli.tables import table
from segcore.formatting import frequency, number

BY = {"pixel": "pixel", "count": "image"}
"""How a balance mode is written: of what a class has its share."""

IMBALANCE = """\
Distance (earth-mover): the part of all shares that would have to move to another class to make them equal, 0 where they are.
Mean IR: how many times rarer than the largest class the classes are on average, 1 where balanced. SCUMBLE: how far rare and
frequent classes share images, from 0 to 1; where it is high, repeating images of a rare class repeats the frequent ones too."""

REPEATED = """\
Distance (earth-mover) from the target: 0 where it is met; floor: no plan within these limits gets below it.
Effective sample size: how many equally repeated images the plan is worth."""


def imbalance_table(imbalance: Mapping[str, Any]) -> str:
    """Return the imbalance of a split, by pixel and by image, and a legend.

    Args:
        imbalance: As :meth:`segcore.data.statistics.statistics.StatisticsSummary.to_json` gives it.
    """
    rows = [
        [
            f"by {BY[mode]}",
            number(imbalance[mode]["earth_mover_distance"]),
            number(imbalance[mode]["mean_ir"], 1),
        ]
        for mode in BALANCE_MODES
    ]
    figures = table(["imbalance", "distance", "mean IR"], rows)
    return f"{figures}\nSCUMBLE {number(imbalance['scumble'])}\n\n{IMBALANCE}"


def plan_tables(result: Mapping[str, Any]) -> str:
    """Return what a balance plan does to each class and to the whole, and a legend.

    Args:
        result: A plan's JSON with ``classes``, the names in the order of its shares.
    """
    shares = zip(result["classes"], result["shares_before"], result["shares_after"], strict=True)
    classes = table(
        ["class", "share before", "share after"],
        [[name, frequency(before), frequency(after)] for name, before, after in shares],
    )
    row = [number(result[key]) for key in ("before", "after", "floor")]
    whole = table(
        ["distance before", "after", "floor", "copies", "effective sample size"],
        [[*row, result["copies"], number(result["effective_sample_size"], 1)]],
    )
    return f"{classes}\n\n{whole}\n\n{REPEATED}"
