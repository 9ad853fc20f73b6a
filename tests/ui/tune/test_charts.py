"""Figures of a search: hand-made trials in, positions out."""

import pytest

from segcore.ui.tune import charts
from segcore.ui.tune.names import choice, setting, settings
from segcore.workspace.searches import TrialRow


def trial(number, state, score, loss="dice", rate=1e-3, scores=None):
    values = {"loss": loss, "learning_rate": rate}
    scores = (
        scores if scores is not None else ({} if score is None else {"1": score / 2, "2": score})
    )
    return TrialRow(
        trial=number,
        run=f"s-{number}",
        state=state,
        values=values,
        score=score,
        scores=scores,
        cause="",
        began=1.0,
        ended=2.0,
    )


TRIALS = [
    trial(1, "complete", 0.3),
    trial(2, "failed", None),
    trial(3, "pruned", 0.1, scores={"1": 0.1}),
    trial(4, "complete", 0.2, loss="focal", rate=1e-4),
    trial(5, "complete", 0.5, loss="focal", rate=1e-2),
    trial(6, "running", 0.6, scores={"1": 0.6}),
]


def traces(figure):
    return {trace.name: trace for trace in figure.data}


def test_the_best_so_far_steps_up_with_finished_trials_only() -> None:
    drawn = traces(charts.history(TRIALS, 8))
    assert list(zip(drawn["best so far"].x, drawn["best so far"].y, strict=True)) == [
        (1, 30.0),
        (5, 50.0),
        (6, 50.0),
    ]
    assert (
        list(drawn["finished"].x) == [1, 4, 5]
        and list(drawn["pruned"].x) == [3]
        and list(drawn["running"].x) == [6]
    )
    assert list(charts.history(TRIALS, 8).layout.xaxis.range) == [0.5, 8.5]


def test_every_trial_with_an_epoch_has_a_line_and_the_best_lies_on_top() -> None:
    figure = charts.epochs(TRIALS, 5)
    drawn = traces(figure)
    assert list(drawn) == ["pruned", "others", "best"]
    assert list(drawn["best"].x) == [1, 2, None] and list(drawn["best"].y) == [25.0, 50.0, None]
    assert list(drawn["others"].x) == [
        1,
        2,
        None,
        None,
        1,
        2,
        None,
        1,
        None,
    ]  # trials 1, 2 (failed: nothing), 4, 6
    assert [text.split("<br>")[0] for text in drawn["others"].customdata][4:7] == ["trial 4"] * 3
    assert list(drawn["pruned"].y) == [10.0, None] and drawn["pruned"].line.dash == "dot"


def test_parallel_lines_go_through_powers_choices_and_scores() -> None:
    figure = charts.parallel(TRIALS, ["loss", "learning_rate"])
    drawn = traces(figure)
    assert set(drawn) == {"trial 1", "trial 4", "trial 5"} and figure.data[-1].name == "trial 5"
    # Rates 1e-4, 1e-3, 1e-2 lie at 0, 1/2, 1 of two decades; scores 20, 30, 50 at 0, 1/3, 1.
    assert [drawn[f"trial {n}"].y[1] for n in (4, 1, 5)] == pytest.approx([0.0, 0.5, 1.0])
    assert [drawn[f"trial {n}"].y[2] for n in (4, 1, 5)] == pytest.approx([0.0, 1 / 3, 1.0])
    dice, focal = drawn["trial 1"].y[0], [drawn[f"trial {n}"].y[0] for n in (4, 5)]
    assert (
        dice == 0.0 and focal[0] < focal[1] and sum(focal) / 2 == pytest.approx(1.0)
    )  # two lines spread around one choice
    texts = [annotation.text for annotation in figure.layout.annotations]
    assert {"0.0001", "0.001", "0.01", "20.0", "50.0", choice("loss", "dice")} <= set(texts)


@pytest.mark.parametrize(
    "rows",
    [[], [trial(1, "running", None)], [trial(1, "complete", 0.3)]],
    ids=["none", "no score", "one"],
)
def test_few_trials_are_drawn_without_a_fault(rows) -> None:
    finished = sum(row.state == "complete" for row in rows)
    best = [trace for trace in charts.history(rows, 3).data if trace.name == "best so far"]
    assert (
        len(best) == finished
    )  # none or one here: a line stands only where something was finished
    assert len(charts.epochs(rows, None).data) <= len(rows)
    drawn = [trace.name for trace in charts.parallel(rows, ["loss", "learning_rate"]).data]
    assert [name for name in drawn if name] == [
        f"trial {row.trial}" for row in rows if row.state == "complete"
    ]


def test_the_largest_share_is_at_the_top() -> None:
    (bar,) = charts.importances({"loss": 0.25, "learning_rate": 0.75}).data
    assert list(bar.y) == [setting("loss"), setting("learning_rate")] and list(bar.x) == [25, 75]


def test_words_are_the_catalogues() -> None:
    assert choice("learning_rate", 0.00123456) == "0.00123"
    assert (choice("label_map", ""), choice("batch_size", 8), choice("loss", "dice + focal")) == (
        "None",
        "8",
        "dice + focal",
    )
    assert (
        settings({"loss": "dice", "batch_size": 4}, ["batch_size", "loss"])
        == f"batch size 4, loss {choice('loss', 'dice')}"
    )
