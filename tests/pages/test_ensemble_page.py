"""The ensemble page: its numbers are those of the labs' documents, and its buttons queue what they say."""

import time

import pytest

from segcore import formatting
from segcore.config import CRFSearchConfig
from segcore.light_worker.crf_search import crf_search_run
from segcore.light_worker.subsets import subsets_run
from segcore.postprocess.dense_crf import is_available
from segcore.postprocess.parameters import CRFParameters


def finish(folder, work) -> None:
    now = time.time()
    work(folder)
    folder.write_status(state="finished", started=now, finished=now + 1, progress=1.0)


def _split_choosers(at) -> list[str]:
    """Keys of the choosers of a split: one on a screen, or nobody knows which images count."""
    return [group.key for group in at.button_group if "validation" in group.options]


def test_members_show_the_ensemble_and_where_they_disagree(trained, open_page, read) -> None:
    at = open_page("ensemble", members=list(trained.members))
    found = trained.workspace.ensembles.against_members(trained.ensemble, "test")
    low, high = (f"{100 * end:.1f}" for end in found.interval)
    headline = f"### Mean IoU {formatting.percent(found.ensemble)} :gray[[{low}, {high}]]"
    assert headline in [m.value for m in at.markdown]
    gain = formatting.points(found.comparison.difference.value)
    assert any(f"**{gain}** over the best member" in c.value for c in at.caption)
    titles = [p["title"] for p in read.scene(at, "apart_viewer")["panels"]]
    assert titles == ["Image", "Ground truth", "Ensemble prediction", "Disagreement", "Entropy"]


def test_saving_under_a_name_queues_it(trained, open_page, read) -> None:
    at = open_page("ensemble", members=list(trained.members))
    assert at.button(key="save_ensemble").disabled
    read.check(at.text_input(key="ensemble_name").set_value("ours").run())
    read.check(at.button(key="save_ensemble").click().run())
    assert trained.workspace.runs.open("ours--test").config.members == trained.members
    read.check(at.text_input(key="ensemble_name").set_value("not a name").run())
    assert "Expected a name" in at.warning[0].value


def test_a_name_for_members_that_are_listed_without_one_names_that_run(
    trained, open_page, read, started
) -> None:
    twin = trained.workspace.ensembles.combine(trained.members, "test")
    at = open_page("ensemble", members=list(trained.members))
    read.check(at.text_input(key="ensemble_name").set_value("ours").run())
    assert not any("without a name" in c.value for c in at.caption)
    read.check(at.button(key="save_ensemble").click().run())
    (said,) = [c.value for c in at.caption if "without a name" in c.value]
    assert twin in said.replace("\\", "")


def test_subsets_show_the_document(trained, open_page, read, started) -> None:
    at = open_page("ensemble", members=list(trained.members), tab="Subsets")
    assert _split_choosers(at) == ["combine_split"]
    read.check(at.button(key="to_validation").click().run())
    read.check(at.button(key="score_subsets").click().run())
    ensembles = trained.workspace.ensembles
    run = ensembles.subsets_run(trained.members, "validation")
    finish(trained.workspace.runs.open(run), subsets_run)
    read.check(at.run())
    found = ensembles.subsets(run)
    assert read.metrics(at)["Best subset, mean IoU"] == formatting.percent(found.best_score.value)
    said = [m.value for m in (*at.markdown, *at.warning)]
    assert set(found.sentences) <= set(said)
    points = [
        p for trace in read.figure(at, "subset_scores")["data"][1:] for p in trace["customdata"]
    ]
    assert sorted(p[0] for p in points) == [0, 1, 2]


@pytest.mark.skipif(not is_available(), reason="pydensecrf is not installed")
def test_the_crf_tab_shows_the_search_and_one_image(
    trained, open_page, read, started, monkeypatch
) -> None:
    refined = []

    def refine(crf, scene, parameters, preview=False):
        refined.append((parameters, preview))
        return scene.truth.clip(0, 3), 0.01

    monkeypatch.setattr("segcore.workspace.ensembles.crf.CRFEffects.refine", refine)
    config = CRFSearchConfig("tiny", trained.members, candidates=1)
    run = trained.workspace.crf.start(config)
    finish(trained.workspace.runs.open(run), crf_search_run)
    at = open_page("ensemble", members=list(trained.members), tab="CRF")
    assert _split_choosers(at) == ["combine_split"]
    assert read.scene(at, "crf_viewer")["panels"]
    refined.clear()
    read.check(at.button(key="to_validation").click().run())
    assert at.button_group(key="combine_split").value == "validation"
    found = trained.workspace.crf.search(run)
    shown = read.metrics(at)
    assert shown["Mean IoU with best CRF"] == formatting.percent(found.crf.mean_iou)
    assert shown["after"] == "100.0 %"  # the made-up CRF answers the truth
    said = [m.value for m in (*at.success, *at.error, *at.info)]
    assert set(found.sentences) <= set(said)
    titles = [p["title"] for p in read.scene(at, "crf_viewer")["panels"]]
    assert titles == ["Image", "Ground truth", "Prediction", "CRF, preview"]
    assert refined == [(CRFParameters(relative=True), True), (CRFParameters(relative=True), False)]
    assert any("100.0 % of the pixels match the full CRF" in c.value for c in at.caption)
    read.check(at.button(key="crf_take").click().run())
    assert at.slider(key="crf_bilateral_width").value == pytest.approx(
        found.parameters.bilateral_width
    )
    read.check(at.button(key="apply_crf").click().run())
    assert trained.workspace.crf.applied(run, "test")
