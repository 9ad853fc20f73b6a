"""A search by a formula: it finds the optimum, prunes, and survives any cut."""

import itertools
import threading
from collections.abc import Callable

import pytest

from segcore.config import Range, SearchSpace, TrainConfig
from segcore.errors import SegcoreError
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue.crash_recovery import DIED
from segcore.tuning.coordinator import HOPELESS


class Killed(BaseException):
    """Stands for SIGKILL: nothing is written, nothing is put right."""


def test_a_guided_search_finds_the_optimum_of_a_formula(make_bench, finish) -> None:
    bench = make_bench(trials=12)
    finish(bench.coordinator())
    told = bench.report()
    assert [row["state"] for row in told["trials"]] == ["complete"] * 12
    best = told["trials"][told["best"] - 1]
    assert best["values"]["loss"] == "focal"  # the best of three
    assert (
        1e-4 < best["values"]["learning_rate"] < 1e-2 and best["score"] > 0.7
    )  # 0.8 at 0.001, 0.1 less a decade away
    assert set(told["importances"]) == {"loss", "learning_rate"}
    assert sum(told["importances"].values()) == pytest.approx(1)


def test_the_first_trial_is_the_base_and_runs_say_where_they_belong(make_bench, finish) -> None:
    bench = make_bench(trials=2)
    finish(bench.coordinator())
    first = bench.report()["trials"][0]
    assert first["values"] == {"loss": "jaccard_distance", "learning_rate": 1e-4}
    assert first["score"] == pytest.approx(0.6 - 0.1) and list(first["scores"]) == ["1", "2"]
    for row in bench.report()["trials"]:
        config = RunFolder(bench.run.folder.parent / row["run"]).config
        assert isinstance(config, TrainConfig)
        assert (config.group, f"study-{config.member + 1}") == ("study", row["run"])
        assert (config.recipe.loss, config.recipe.learning_rate) == tuple(row["values"].values())


def test_a_grid_is_walked_once_in_order(make_bench, finish) -> None:
    space = SearchSpace(loss=("dice", "focal"), learning_rate=Range(1e-4, 1e-2, 3))
    bench = make_bench(sampler="grid", trials=100, space=space)
    finish(bench.coordinator(parallel=2))
    tried = [tuple(row["values"].values()) for row in bench.report()["trials"]]
    assert tried == [(loss, rate) for loss in ("dice", "focal") for rate in (1e-4, 1e-3, 1e-2)]
    assert bench.report()["best"] == 5  # focal at 0.001


def test_a_poor_trial_ends_early_with_a_cause_and_keeps_its_score(make_bench, finish) -> None:
    space = SearchSpace(loss=("focal", "dice"), learning_rate=Range(1e-5, 1e-3, 3))
    bench = make_bench(sampler="grid", space=space, pruner="median", trials=100)
    finish(bench.coordinator())
    # Four finish unseen: focal 0.6, 0.7, 0.8, dice at 1e-5 0.45: half of them has the median (0.3 +
    # 0.35) / 2 = 32.5 % after one epoch.
    fifth = bench.report()["trials"][4]
    assert (fifth["state"], fifth["score"], list(fifth["scores"])) == (
        "pruned",
        pytest.approx(0.55 / 2),
        ["1"],
    )
    assert "after epoch 1 was 27.5 %" in fifth["cause"] and "median 32.5 %" in fifth["cause"]
    status = RunFolder(bench.run.folder.parent / fifth["run"]).status()
    assert (
        status.state == "interrupted"
        and status.cause.startswith("Ended early by its search.")
        and "Resume it" in status.cause
    )


def dies_at_call(number: int) -> Callable[[str], None]:
    """A fault that kills the coordinator at its n-th call to the trainer."""
    calls = itertools.count(1)

    def fault(call: str) -> None:
        if next(calls) == number:
            raise Killed(call)

    return fault


def test_a_search_interrupted_anywhere_continues_and_repeats_no_trial(make_bench) -> None:
    bench = make_bench(trials=4, pruner="median")
    for lives in (
        itertools.count()
    ):  # each life ends at its own n-th call, so that over all lives every place is cut
        coordinator = bench.coordinator(parallel=2, faults=dies_at_call(1 + lives % 5))
        try:
            while coordinator.turn():
                pass
            break
        except Killed:
            pass
    assert lives > 5
    rows = bench.report()["trials"]
    assert [row["state"] for row in rows] == ["complete"] * 4
    assert (
        sorted(bench.starts())
        == [row["run"] for row in rows]
        == [f"study-{n}" for n in range(1, 5)]
    )


def test_a_killed_search_tries_what_an_undisturbed_one_would(tmp_path, make_bench, finish) -> None:
    bench = make_bench(trials=4)
    for _ in range(2):
        coordinator = bench.coordinator()
        for _ in range(3):
            coordinator.turn()
    finish(bench.coordinator())
    other = type(bench)(tmp_path / "other", bench.config)
    finish(other.coordinator())
    assert [row["values"] for row in bench.report()["trials"]] == [
        row["values"] for row in other.report()["trials"]
    ]


def test_two_coordinators_run_no_trial_twice(make_bench) -> None:
    bench = make_bench(trials=4)
    failures = []

    def work() -> None:
        try:
            coordinator = bench.coordinator(parallel=2)
            while coordinator.turn():
                pass
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sorted(bench.starts()) == sorted(f"study-{n}" for n in range(1, 5))
    assert [row["state"] for row in bench.report()["trials"]] == ["complete"] * 4


def test_a_stopped_search_takes_its_trials_up_again(make_bench, finish) -> None:
    bench = make_bench(trials=3)
    coordinator = bench.coordinator(parallel=2)
    coordinator.turn()
    coordinator.turn()
    coordinator.hold()
    states = [RunFolder(bench.run.folder.parent / f"study-{n}").status().state for n in (1, 2)]
    assert states == ["interrupted"] * 2
    finish(bench.coordinator(parallel=2))
    assert [row["state"] for row in bench.report()["trials"]] == ["complete"] * 3
    assert len(bench.starts()) == 3


def end_all(bench, state: str, cause: str):
    """A trainer's fault that ends the run it is asked about."""

    def fault(call: str) -> None:
        if call == "look":
            for run in bench.run.folder.parent.glob("study-*"):
                RunFolder(run).write_status(only_if=("running",), state=state, cause=cause)

    return fault


def test_one_failed_trial_is_shown_with_its_cause_and_the_search_continues(
    make_bench, finish
) -> None:
    bench = make_bench(trials=3)
    coordinator = bench.coordinator(faults=end_all(bench, "failed", "The memory did not suffice."))
    coordinator.turn()
    coordinator.turn()  # looks at the first, begins the second
    finish(bench.coordinator())
    rows = bench.report()["trials"]
    assert [row["state"] for row in rows] == ["failed", "complete", "complete"]
    assert rows[0]["cause"] == "The memory did not suffice."


def test_a_search_of_failures_only_ends_after_a_few(make_bench, finish) -> None:
    bench = make_bench(trials=20)
    with pytest.raises(SegcoreError, match=rf"first {HOPELESS} trials all failed, .* out of reach"):
        finish(bench.coordinator(faults=end_all(bench, "failed", "The weights are out of reach.")))
    assert len(bench.report()["trials"]) == HOPELESS


def test_a_dead_trial_is_resumed_once_and_one_stopped_by_hand_is_not(make_bench) -> None:
    bench = make_bench(trials=2)
    coordinator = bench.coordinator()
    coordinator.turn()
    run = RunFolder(bench.run.folder.parent / "study-1")
    run.write_status(state="interrupted", cause=DIED)
    coordinator.turn()
    assert run.status().state == "running"
    run.write_status(state="interrupted", cause=DIED)
    coordinator.turn()
    assert (bench.report()["trials"][0]["state"], bench.report()["trials"][0]["cause"]) == (
        "failed",
        DIED,
    )
    RunFolder(bench.run.folder.parent / "study-2").write_status(
        state="interrupted", cause="Stopped on request."
    )
    coordinator.turn()
    assert "by hand" in bench.report()["trials"][1]["cause"]


def test_time_left_is_the_mean_length_of_what_ended(make_bench) -> None:
    coordinator = make_bench(trials=10).coordinator(parallel=2)
    rows = [
        {"trial": n, "state": "complete", "began": 100.0, "ended": 100.0 + 10 * n, "score": 0.1 * n}
        for n in (1, 2, 3)
    ]
    running = [{"trial": 4, "state": "running", "began": 130.0, "ended": None, "score": None}]
    coordinator.report = {"trials": [*rows, *running], "planned": 10, "best": 3}
    coordinator._progress = {3: 0.5}
    fields = coordinator.fields()
    assert fields["progress"] == pytest.approx(0.35)
    assert fields["seconds_left"] == pytest.approx(
        20 * 6.5 / 2
    )  # 6.5 trials of 20 s, two at a time
    assert (
        fields["mean_iou"] == pytest.approx(0.3)
        and fields["message"] == "Trial 4 of 10, best 30.0 % (trial 3)"
    )
