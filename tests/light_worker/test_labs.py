"""The labs' runs: the same numbers as the plain steps, in a pool, and after being cut."""

import dataclasses

import numpy as np
import pytest

from segcore.config import CRFSearchConfig, EvaluateConfig, SubsetsConfig
from segcore.errors import SegcoreError
from segcore.evaluation.counts.bootstrap import bootstrap, paired
from segcore.evaluation.counts.scores import mean_iou
from segcore.light_worker import crf_search, subsets
from segcore.light_worker.crf_search import crf_search_run
from segcore.light_worker.evaluation import evaluate_run
from segcore.light_worker.pool import open_pool
from segcore.light_worker.steps import count_steps, plain_filters
from segcore.light_worker.subsets import subsets_run, tally_samples
from segcore.postprocess.dense_crf import is_available
from segcore.postprocess.parameters import CRFParameters, MaskFilter
from segcore.runs.folder.run_folder import RunFolder
from segcore.runs.queue.stopping import Stopped

needs_pydensecrf = pytest.mark.skipif(not is_available(), reason="pydensecrf is not installed")
SMALL = CRFParameters(bilateral_width=10, iterations=2)


def make(trained, name, config) -> RunFolder:
    return RunFolder.create(trained.workspace.runs.folder, name, config)


def counted(trained, name, **changes) -> RunFolder:
    """An evaluate run over validation, carried out."""
    run = make(
        trained,
        name,
        EvaluateConfig("tiny", **{"members": trained.members, "split": "validation", **changes}),
    )
    evaluate_run(run)
    return run


def subset_config(trained, **changes) -> SubsetsConfig:
    return SubsetsConfig("tiny", trained.members, **changes)


def search_config(trained, **changes) -> CRFSearchConfig:
    return CRFSearchConfig("tiny", trained.members, candidates=3, start=SMALL, **changes)


def told(run: RunFolder, name: str) -> dict:
    """A document of a run, without what names the run."""
    return {key: value for key, value in run.read_json(name).items() if key != "run"}


def test_every_subset_scores_what_its_own_evaluation_scores(trained) -> None:
    run = make(trained, "s--validation", subset_config(trained))
    subsets_run(run)
    found = run.read_json("subsets")
    one, two = trained.members
    for members, row in zip([(one,), (two,), (one, two)], found["subsets"], strict=True):
        counts = counted(
            trained, f"e{len(row['members'])}{row['members'][0]}--validation", members=members
        )
        assert row["mean_iou"] == pytest.approx(
            float(mean_iou(counts.read_counts("validation", "ensemble")[1].sum(0))), abs=1e-9
        )
    assert run.status().mean_iou == found["best"]["mean_iou"]
    assert not list(run.checkpoints.iterdir())


def test_drawn_weights_score_what_a_weighted_ensemble_scores(trained) -> None:
    run = make(trained, "s--validation", subset_config(trained, draws=5))
    subsets_run(run)
    weights = run.read_json("subsets")["weights"]
    again = counted(trained, "w--validation", rule="weighted", weights=tuple(weights["weights"]))
    counts = again.read_counts("validation", "ensemble")[1]
    assert weights["mean_iou"] == pytest.approx(
        float(mean_iou(counts.sum(0))), abs=2e-3
    )  # the document rounds the weights
    assert weights["tried"] == 5


def test_subsets_that_were_cut_go_on_where_they_were(trained, monkeypatch) -> None:
    monkeypatch.setattr(subsets, "AT_ONCE", 1)
    whole = make(trained, "whole--validation", subset_config(trained))
    subsets_run(whole)
    run, asked = make(trained, "cut--validation", subset_config(trained)), []
    with pytest.raises(Stopped):
        subsets_run(run, should_stop=lambda: len(asked) >= 2 or asked.append(1))
    worked = []
    monkeypatch.setattr(
        subsets,
        "tally_samples",
        lambda task: worked.extend(s.id for s in task.samples) or tally_samples(task),
    )
    subsets_run(run)
    assert worked == trained.samples["validation"][2:]
    assert told(run, "subsets") == told(whole, "subsets")


def test_what_was_tallied_from_older_predictions_is_tallied_again(trained, monkeypatch) -> None:
    monkeypatch.setattr(subsets, "AT_ONCE", 1)
    run, asked = make(trained, "cut--validation", subset_config(trained)), []
    with pytest.raises(Stopped):
        subsets_run(run, should_stop=lambda: len(asked) >= 2 or asked.append(1))
    trained.workspace.runs.open(f"{trained.members[0]}--validation").write_status(finished=2e9)
    worked = []
    monkeypatch.setattr(
        subsets,
        "tally_samples",
        lambda task: worked.extend(s.id for s in task.samples) or tally_samples(task),
    )
    subsets_run(run)
    assert worked == trained.samples["validation"]


@needs_pydensecrf
def test_a_search_counts_what_evaluations_count(trained) -> None:
    run = make(trained, "c--validation", search_config(trained))
    crf_search_run(run)
    found = run.read_json("crf_search")
    off, crf = found["off"], found["crf"]
    again = counted(trained, "chosen--validation", crf=CRFParameters(**crf["parameters"]))
    before, after = (again.read_counts("validation", stage)[1] for stage in ("ensemble", "crf"))
    assert off["mean_iou"] == pytest.approx(float(mean_iou(before.sum(0))))
    assert crf["mean_iou"] == pytest.approx(float(mean_iou(after.sum(0))))
    (pair,) = bootstrap([after, before], {"gain": paired(mean_iou)})["gain"]
    assert crf["gain"]["mean_iou"]["difference"] == pytest.approx(pair.value)
    assert crf["gain"]["mean_iou"]["interval"] == pair.ends()
    for row in found["alternatives"]:
        plain = counted(
            trained,
            f"{row['kind']}{row['size']}--validation",
            filter=MaskFilter(row["kind"], row["size"]),
        )
        assert row["mean_iou"] == pytest.approx(
            float(mean_iou(plain.read_counts("validation", "filter")[1].sum(0)))
        )
    pixels = sum(band["pixels"] for band in crf["distances"])
    assert pixels == before.sum()
    fixed = sum(band["pixels"] * band["difference"] for band in crf["distances"] if band["pixels"])
    assert fixed == pytest.approx(np.trace(after.sum(0)) - np.trace(before.sum(0)))


@needs_pydensecrf
def test_off_takes_part_and_the_first_temperature_is_fitted(trained) -> None:
    run = make(trained, "c--validation", search_config(trained))
    crf_search_run(run)
    found = run.read_json("crf_search")
    (off,) = [c for c in found["candidates"] if c["parameters"] is None]
    assert off["images"] == found["num_samples"] == 3 and off["over_off"] == {
        "mean_iou": 0,
        "boundary_iou": 0,
    }
    temperatures = [c["parameters"]["temperature"] for c in found["candidates"] if c["parameters"]]
    assert sorted(set(temperatures)) == sorted({SMALL.temperature, found["temperature"]})
    whole = [c for c in found["candidates"] if c["images"] == 3]
    best = max(whole, key=lambda c: c["mean_iou"])
    assert found["best"] == best["parameters"]


@needs_pydensecrf
def test_a_search_says_how_many_candidates_are_still_in(trained, monkeypatch) -> None:
    monkeypatch.setattr("segcore.light_worker.progress.BEAT_SECONDS", 0.0)
    said = []
    monkeypatch.setattr(RunFolder, "beat", lambda self, **fields: said.append(fields["message"]))
    config = search_config(trained)
    crf_search_run(make(trained, "c--validation", config))
    candidates = config.candidates + 2  # the start, with its temperature and the fitted one
    still = [line.partition("refined images, ")[2] for line in said if "refined images" in line]
    assert still[0] == f"{candidates} of {candidates} candidates still in"
    assert int(still[-1].split()[0]) < candidates


@needs_pydensecrf
def test_a_search_in_a_pool_and_one_that_was_cut_find_the_same(trained, monkeypatch) -> None:
    serial, pooled, cut = (
        make(trained, f"{n}--validation", search_config(trained))
        for n in ("serial", "pooled", "cut")
    )
    crf_search_run(serial)
    with open_pool(2) as pool:
        crf_search_run(pooled, pool)
    asked = []
    with pytest.raises(Stopped):
        crf_search_run(cut, should_stop=lambda: len(asked) >= 5 or asked.append(1))
    made = []
    monkeypatch.setattr(
        crf_search, "count_steps", lambda task: made.extend(task.steps) or count_steps(task)
    )
    crf_search_run(cut)
    whole = []
    monkeypatch.setattr(
        crf_search, "count_steps", lambda task: whole.extend(task.steps) or count_steps(task)
    )
    crf_search_run(make(trained, "again--validation", search_config(trained)))
    assert 0 < len(made) < len(whole)  # what was counted before the cut is not counted again
    assert told(pooled, "crf_search") == told(serial, "crf_search") == told(cut, "crf_search")


def test_filters_are_those_of_the_image_size() -> None:
    sizes = [f.size for f in plain_filters(100_000) if f.kind == "components"]
    assert sizes == [20, 100, 400]


def test_a_lab_refuses_another_kind_of_run(trained) -> None:
    run = make(trained, "c--validation", search_config(trained))
    with pytest.raises(SegcoreError, match="subsets"):
        subsets_run(run)
    with pytest.raises(SegcoreError, match="CRF search"):
        crf_search_run(make(trained, "s--validation", subset_config(trained)))
    with pytest.raises(SegcoreError, match="2 to 10 members"):
        SubsetsConfig("tiny", ("one",))
    with pytest.raises(SegcoreError, match="objective"):
        dataclasses.replace(search_config(trained), objective="mean_io")


def test_a_greedy_search_over_few_members_tries_all_and_finds_the_same(
    trained, monkeypatch
) -> None:
    whole = make(trained, "whole--validation", subset_config(trained, draws=3))
    subsets_run(whole)
    monkeypatch.setattr(subsets, "EVERY_SUBSET_UNTIL", 1)
    monkeypatch.setattr(subsets, "AT_ONCE", 1)
    greedy = make(trained, "greedy--validation", subset_config(trained, draws=3))
    asked = []
    with pytest.raises(Stopped):
        subsets_run(greedy, should_stop=lambda: len(asked) >= 1 or asked.append(1))
    subsets_run(greedy)
    one, two = told(whole, "subsets"), told(greedy, "subsets")
    assert two["best"] == one["best"] and two["weights"] == one["weights"]
    for here, there in zip(one["values"], two["values"], strict=True):
        assert here["gain"] == pytest.approx(there["gain"]) and here["run"] == there["run"]
    assert sorted(map(str, two["subsets"])) == sorted(map(str, one["subsets"]))


def test_a_greedy_search_of_eight_members_finds_the_best_five_with_a_part_of_the_subsets(
    monkeypatch,
) -> None:
    """The right pixels of a subset grow with each good member and fall with each bad one."""
    worth = np.array([5.0, 4, 3, 2, 1, -1, -2, -3])
    counted: list[int] = []

    class Search(subsets._Search):
        def __init__(self) -> None:
            self._config = SubsetsConfig("tiny", tuple("abcdefgh"))

        def _count(self, table):
            counted.append(len(table))
            right = np.round(1000 + 10 * table @ worth).astype(np.int64)[None, :, None]
            return subsets.Tallies(np.array([[2000]]), np.full_like(right, 2000), right)

    tallies, table, number = Search().go()
    best = table[tallies.mean_iou().argmax()]
    assert best.tolist() == [1, 1, 1, 1, 1, 0, 0, 0]
    assert sum(counted) == number == len(table) < 2**8 / 2
