"""Which runs a filter lets through, and sizes in words."""

import pytest

from segcore.formatting import size
from segcore.runs.folder.annotations import Annotations
from segcore.runs.folder.status import Status
from segcore.ui.runs.differences import differing
from segcore.ui.runs.table import (
    COLUMNS,
    _columns,
    _line,
    entries,
    kind_title,
    matching,
    shown_state,
    state_title,
)
from segcore.workspace.runs.rows import RunRow


def row(run: str, kind: str = "train", dataset: str = "d", **changes) -> RunRow:
    """A finished run, with a status or annotations of its own."""
    status = {name: changes.pop(name) for name in ("state", "cause") if name in changes}
    group = changes.pop("group", "")
    return RunRow(
        run,
        kind,
        dataset,
        "unet · tiny",
        group,
        Status(**{"state": "finished", **status}),
        Annotations(**changes),
        "",
        "",
    )


ROWS = [
    row("a", star=True, tags=("good", "road"), text="Lower rate"),
    row("b", dataset="e", state="failed", tags=("road",)),
    row("c", kind="predict", star=True, archived=True),
    row("d", kind="", cause="damaged"),
    row("e", kind="dreaming", state="asleep"),
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
    assert "".join(one.run for one in matching(ROWS, **filters)) == wanted


def test_what_this_version_does_not_know_keeps_its_name() -> None:
    assert (state_title("asleep"), kind_title("dreaming"), kind_title("")) == (
        "asleep",
        "dreaming",
        "Damaged",
    )
    assert (state_title("failed"), kind_title("train")) == ("Failed", "Training")


def test_a_run_that_was_stopped_in_the_queue_was_cancelled() -> None:
    assert shown_state(Status(state="interrupted")) == "Cancelled"
    assert shown_state(Status(state="interrupted", started=1.0)) == state_title("interrupted")


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


def test_runs_launched_together_stand_under_a_heading_and_starred_ones_on_top() -> None:
    rows = [
        row("new"),
        row("g-2", group="g"),
        row("other"),
        row("g-1", group="g", star=True),
        row("alone", group="h"),
    ]
    shown = [(line.heading, [r.run for r in line.rows]) for line in entries(rows, grouped=True)]
    assert shown == [
        (True, ["g-1", "g-2"]),
        (False, ["g-1"]),
        (False, ["g-2"]),
        (False, ["new"]),
        (False, ["other"]),
        (False, ["alone"]),
    ]
    flat = [line.rows[0].run for line in entries(rows, grouped=False)]
    assert flat == ["g-1", "new", "g-2", "other", "alone"]


def test_fields_in_which_configs_differ() -> None:
    one = {"seed": 0, "member": 0, "recipe": {"loss": "dice", "terms": [1, 2]}}
    other = {"seed": 0, "member": 1, "recipe": {"loss": "focal", "terms": [1, 2]}, "extra": ""}
    assert differing({"a": one, "b": other}) == [
        {"field": "recipe.loss", "a": "dice", "b": "focal"},
        {"field": "extra", "a": "–", "b": "none"},
    ]
    assert differing({"a": one, "b": one}) == []


def test_columns_that_say_nothing_are_left_out() -> None:
    """Of trainings "scored on" too: the title of their score says the split."""
    training = _line(row("one"), {})
    assert not {"tags", "data", "mean IoU", "scored on"} & set(_columns([training]))
    predicted = training | {"mean IoU": 0.0, "scored on": "test, own size", "tags": ("night",)}
    assert {"tags", "mean IoU", "scored on"} <= set(_columns([training, predicted]))


def test_when_a_run_started_is_written_in_a_fixed_width() -> None:
    assert COLUMNS["started"]["type_config"]["format"] == "D MMM HH:mm"  # "a few seconds ago"
