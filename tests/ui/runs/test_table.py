"""Which runs a filter lets through, and sizes in words."""

import pytest

from segcore.ui.runs.table import kind_title, matching, state_title
from segcore.ui.shared.figures import size

PLAIN = {
    "kind": "train",
    "state": "finished",
    "dataset": "d",
    "network": "unet · tiny",
    "tags": [],
    "note": "",
    "device": "",
    "cause": "",
}
ROWS = [
    {
        **PLAIN,
        "run": "a",
        "star": True,
        "archived": False,
        "tags": ["good", "road"],
        "note": "Lower rate",
    },
    {
        **PLAIN,
        "run": "b",
        "star": False,
        "archived": False,
        "state": "failed",
        "dataset": "e",
        "tags": ["road"],
    },
    {**PLAIN, "run": "c", "star": True, "archived": True, "kind": "predict"},
    {**PLAIN, "run": "d", "star": False, "archived": False, "kind": "", "cause": "damaged"},
    {**PLAIN, "run": "e", "star": False, "archived": False, "kind": "dreaming", "state": "asleep"},
]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, "abde"),
        ({"archived": True}, "c"),
        ({"starred": True}, "a"),
        ({"kinds": ["train"]}, "abd"),
        ({"kinds": ["dreaming"]}, "de"),
        ({"states": ["failed"]}, "b"),
        ({"datasets": ["e"]}, "b"),
        ({"tags": ["road"]}, "ab"),
        ({"tags": ["road", "good"]}, "a"),
        ({"text": "UNET rate"}, "a"),
        ({"text": "road e"}, "ab"),
        ({"text": "dama"}, "d"),
        ({"text": "nothing such"}, ""),
    ],
)
def test_a_filter_lets_through(filters, wanted) -> None:
    assert "".join(row["run"] for row in matching(ROWS, **filters)) == wanted


def test_what_this_version_does_not_know_keeps_its_name() -> None:
    assert (state_title("asleep"), kind_title("dreaming"), kind_title("")) == (
        "asleep",
        "dreaming",
        "Damaged",
    )
    assert (state_title("failed"), kind_title("train")) == ("Failed", "Training")


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (123_456, "123 kB"),
        (3.4e9, "3.4 GB"),
        (2e12, "2.0 TB"),
    ],
)
def test_sizes_in_words(count, text) -> None:
    assert size(count) == text
