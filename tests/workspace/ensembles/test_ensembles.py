"""Ensembles, subsets and the CRF search: the shell and the pages read the same numbers, and a saved ensemble stands wherever a run does."""

import json
import time
from dataclasses import asdict

import numpy as np
import pytest

from segcore.cli import main
from segcore.config import CRFSearchConfig
from segcore.errors import SegcoreError
from segcore.light_worker.crf_search import crf_search_run
from segcore.light_worker.evaluation import evaluate_run
from segcore.light_worker.subsets import subsets_run
from segcore.postprocess.dense_crf import is_available
from segcore.postprocess.parameters import CRFParameters, MaskFilter
from segcore.postprocess.rank_decoding import rank_decode
from segcore.runs.folder.run_folder import RunFolder

needs_pydensecrf = pytest.mark.skipif(not is_available(), reason="pydensecrf is not installed")
WORK = {"evaluate": evaluate_run, "subsets": subsets_run, "crf_search": crf_search_run}


@pytest.fixture
def carry_out(trained, started):
    """Do in this process what a worker would do with a queued run."""

    def work(run: str) -> RunFolder:
        folder = trained.workspace.runs.open(run)
        now = time.time()
        WORK[folder.config.kind](folder)
        folder.write_status(state="finished", started=now, finished=now + 1, progress=1.0)
        return folder

    return work


@pytest.fixture
def open_config(trained):
    """Change how a run of predictions looked at its images."""

    def change(run: str, options: dict) -> None:
        file = trained.workspace.runs.open(run).folder / "config.json"
        written = json.loads(file.read_text())
        written["config"]["options"] |= options
        file.write_text(json.dumps(written))

    return change


def shell(trained, capsys, *words: str) -> dict:
    main([*words, "--workspace", str(trained.workspace.folder), "--json"])
    return json.loads(capsys.readouterr().out)


def test_the_shell_tells_what_the_page_shows_of_subsets(
    trained, carry_out, capsys, monkeypatch
) -> None:
    monkeypatch.setattr("segcore.evaluation.counts.bootstrap.MINIMUM", 3)
    ensembles = trained.workspace.ensembles
    run = ensembles.score_subsets(trained.members, "validation")
    assert trained.workspace.runs.open(run).status().state == "queued"
    carry_out(run)
    page = ensembles.subsets(run)
    assert shell(trained, capsys, "ensemble", *trained.members, "--subsets") == page.to_json()
    assert ensembles.subsets_run(trained.members, "validation") == run and not page.is_stale
    assert ensembles.subsets_run(trained.members, "test") is None
    singles = [trained.workspace.scores.report(m, "validation").to_json() for m in trained.members]
    assert [v.mean_iou.value for v in page.values] == pytest.approx(
        [s["mean_iou"] for s in singles]
    )
    np.testing.assert_allclose(
        [v.mean_iou.ends() for v in page.values], [s["interval"]["mean_iou"] for s in singles]
    )


def test_the_shell_prints_the_subsets_for_people(trained, carry_out, capsys) -> None:
    carry_out(trained.workspace.ensembles.score_subsets(trained.members, "validation", draws=200))
    main(
        [
            "ensemble",
            *trained.members,
            "--search-weights",
            "--workspace",
            str(trained.workspace.folder),
        ]
    )
    text = capsys.readouterr().out
    assert (
        "adds, points" in text
        and "Best of 200 weightings" in text
        and "Report it on a split" in text
    )


@needs_pydensecrf
def test_the_shell_tells_what_the_page_shows_of_a_search(trained, carry_out, capsys) -> None:
    crf = trained.workspace.crf
    start = CRFParameters(relative=True)
    config = CRFSearchConfig("tiny", trained.members, candidates=1, start=start)
    run = crf.start(config)
    carry_out(run)
    applied = crf.apply(run, "test")
    carry_out(applied)
    words = ("crf-search", *trained.members, "--candidates", "1", "--apply", "test")
    found = shell(trained, capsys, *words)
    assert {k: v for k, v in found.items() if k != "applied"} == crf.search(run).to_json()
    assert found["applied"] == {
        "run": applied,
        "split": "test",
        **crf.verdict(applied, "test").to_json(),
    }
    assert asdict(trained.workspace.runs.open(applied).config.crf) == found["crf"]["parameters"]
    assert crf.searches(trained.members) == [run] and crf.search_run(config) == run
    assert crf.applied(run, "test") == applied and crf.applied(run, "validation") is None
    main([*words, "--workspace", str(trained.workspace.folder)])
    text = capsys.readouterr().out
    assert found["verdict"][0] in text and "where nothing was chosen" in text


@needs_pydensecrf
def test_decoding_is_searched_applied_and_judged_like_a_filter(trained, carry_out, capsys) -> None:
    crf, run = trained.workspace.crf, trained.members[0]
    start = CRFParameters(relative=True)
    search = crf.start(CRFSearchConfig("tiny", (run,), candidates=1, start=start))
    carry_out(search)
    kinds = [a.filter.kind for a in crf.search(search).alternatives]
    assert kinds[-2:] == ["rank_dice", "rank_iou"]
    applied = crf.apply(search, "test", filter=MaskFilter("rank_iou"))
    carry_out(applied)
    words = ("crf-search", run, "--candidates", "1", "--apply", "test", "--also", "rank_iou")
    also = shell(trained, capsys, *words)["applied"]["also"]
    wanted = crf.verdict(applied, "test", "filter")
    assert also["comparison"] == json.loads(json.dumps(wanted.comparison.to_json()))
    assert also["sentence"] == wanted.sentence.replace("The CRF", "Decoding for IoU", 1)
    sample = trained.samples["test"][0]
    probabilities = trained.workspace.scenes.probabilities(run, "test", sample)
    stored = trained.workspace.runs.open(applied).read_mask("test", "filter", sample)
    assert np.array_equal(stored, rank_decode(probabilities, "iou"))


def test_members_with_different_views_are_named(trained, open_config) -> None:
    """The mean of whole images and of tiles is one number, so whoever reads it is told."""
    workspace, (a, b) = trained.workspace, trained.members
    assert workspace.ensembles.mixed_views(trained.members, "test") == ""
    assert workspace.scores.ensemble(trained.ensemble).views == ""
    open_config(f"{b}--test", {"tile": True, "overlap": 0.25, "tta": "flip"})
    said = (
        "The members were predicted with different views: "
        f"{a}: whole image; {b}: tiles, 25 % overlap, mirrored."
    )
    assert workspace.ensembles.mixed_views(trained.members, "test") == said
    assert workspace.scores.ensemble(trained.ensemble).views == said
    assert workspace.reports.facts([trained.ensemble])[f"{trained.ensemble}, views"] == said
    assert said in workspace.reports.page([trained.ensemble], "test")


def test_a_saved_ensemble_stands_wherever_a_run_does(trained, carry_out) -> None:
    ensembles, runs = trained.workspace.ensembles, trained.workspace.runs
    run = ensembles.combine(
        trained.members, "test", rule="weighted", weights=(1.0, 3.0), name="ours"
    )
    assert run == "ours--test"
    carry_out(run)
    assert runs.rows()[0].run == run
    report = trained.workspace.scores.report(run, "test")
    assert (
        trained.workspace.scores.ensemble(run).to_json()["ensemble"]["mean_iou"]
        == report.to_json()["mean_iou"]
    )
    sample = trained.samples["test"][0]
    one, two = (trained.workspace.scenes.probabilities(m, "test", sample) for m in trained.members)
    assert trained.workspace.scenes.probabilities(run, "test", sample) == pytest.approx(
        (one + 3 * two) / 4, abs=1e-5
    )
    assert (
        runs.predict_any(run, "validation") == "ours--validation"
    )  # and it predicts other splits, under its name
    assert runs.open("ours--validation").config.weights == (1.0, 3.0)
    assert ensembles.names(trained.members, "test") == [run, trained.ensemble]


def test_a_name_belongs_to_one_ensemble(trained, started) -> None:
    ensembles, (one, two) = trained.workspace.ensembles, trained.members
    ensembles.combine([one, two], "test", name="ours")
    assert ensembles.combine([one, two], "validation", name="ours") == "ours--validation"
    with pytest.raises(SegcoreError, match="taken"):
        ensembles.combine([one], "test", name="ours")
    with pytest.raises(SegcoreError, match="taken"):
        ensembles.combine([one, two], "test", rule="geometric", name="ours")
    with pytest.raises(SegcoreError, match="taken"):
        ensembles.combine([one, two], "test", name=one)
    for name in ("../x", "a--b", "-a", "a b"):
        with pytest.raises(SegcoreError, match="Expected a name"):
            ensembles.combine([one, two], "test", name=name)


def test_an_ensemble_that_has_a_name_is_asked_for_by_it(trained, started) -> None:
    """Combining without a name what was saved under one makes no second entry."""
    ensembles, members = trained.workspace.ensembles, trained.members
    ensembles.combine(members, "test", name="ours")
    assert ensembles.combine(members, "test") == "ours--test"
    assert ensembles.combined(members, "test") == "ours--test"
    assert ensembles.combine(members, "validation") == "ours--validation"
    assert ensembles.combined(members, "test", rule="geometric") is None
    assert not ensembles.combine(members, "test", rule="geometric").startswith("ours")
    assert ensembles.combined(members, "test", crf=CRFParameters()) == trained.ensemble


def test_an_ensemble_that_gets_a_name_says_that_it_has_a_run_without_one(trained, started) -> None:
    ensembles, members = trained.workspace.ensembles, trained.members
    assert ensembles.unnamed_twin(trained.ensemble) == ensembles.unnamed_twin(members[0]) == ""
    named = ensembles.combine(members, "test", crf=CRFParameters(), name="ours")
    assert ensembles.unnamed_twin(named) == trained.ensemble
    assert ensembles.combine(members, "test", crf=CRFParameters()) == trained.ensemble
    assert ensembles.unnamed_twin(ensembles.combine(members, "test", name="plain")) == ""


def test_an_ensemble_against_its_best_member(trained) -> None:
    found = trained.workspace.ensembles.against_members(trained.ensemble, "test")
    scores = trained.workspace.scores
    singles = {m: scores.report(m, "test").to_json()["mean_iou"] for m in trained.members}
    assert found.best == max(singles, key=singles.get)
    assert found.mean_member == pytest.approx(sum(singles.values()) / 2)
    compared = trained.workspace.reports.compare(trained.ensemble, found.best, "test").to_json()
    assert found.comparison.to_json() == compared


def test_predictions_without_probabilities_are_made_again(trained, started) -> None:
    member = trained.members[0]
    run = trained.workspace.runs.open(f"{member}--validation")
    next(run.folder.glob("probabilities/**/*.prob")).unlink()
    ensembles = trained.workspace.ensembles
    assert len(trained.workspace.crf.stored(trained.members, "validation")) == 2
    ensembles.predict_missing(trained.members, ["validation"])
    assert run.status().state == "queued"
    other = trained.workspace.runs.open(f"{trained.members[1]}--validation")
    assert other.status().state == "finished"


def test_a_result_of_older_predictions_is_called_stale(trained, carry_out) -> None:
    ensembles = trained.workspace.ensembles
    run = ensembles.score_subsets(trained.members, "validation")
    carry_out(run)
    trained.workspace.runs.open(f"{trained.members[0]}--validation").write_status(finished=2e9)
    assert ensembles.subsets(run).is_stale
    assert (
        ensembles.score_subsets(trained.members, "validation") == run
    )  # asked for again, it is made again
    assert trained.workspace.runs.open(run).status().state == "queued"


def test_groups_are_members_that_were_launched_together(trained, made_up) -> None:
    ensembles = trained.workspace.ensembles
    assert ensembles.candidates("tiny") == list(trained.members)
    assert ensembles.groups("tiny") == []  # these two were launched one by one, with one seed
    folder = trained.workspace.runs.open(trained.members[1]).folder
    written = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps({**written, "config": {**written["config"], "seed": 1}})
    )
    (group,) = ensembles.groups("tiny")
    assert group.members == trained.members and group.name == trained.members[0]
    with pytest.raises(SegcoreError, match="subsets"):
        ensembles.subsets(trained.ensemble)
    with pytest.raises(SegcoreError, match="CRF search"):
        trained.workspace.crf.search(trained.ensemble)


def test_what_a_filter_made_is_what_reports_measure(trained, carry_out) -> None:
    plain = MaskFilter(
        "components", 100
    )  # takes most things away, which the plain combination finds
    run = trained.workspace.ensembles.combine(trained.members, "test", filter=plain)
    carry_out(run)
    assert trained.workspace.scores.stages(run, "test") == ["ensemble", "filter"]
    sizes, images = trained.workspace.reports.sizes(run, "test", "filter")
    assert images == 3
    counts = trained.workspace.scores.counts(run, "test", "filter")[1].sum(0)
    np.testing.assert_array_equal(sizes[:, :, 0].sum(1), counts.diagonal())
    assert (
        counts.diagonal() != trained.workspace.scores.counts(run, "test")[1].sum(0).diagonal()
    ).any()
