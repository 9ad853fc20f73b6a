"""Reports: pages that stand alone, comparisons, parts of a split."""

import html
import json
import re

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.counts.confusion import count_confusion
from segcore.formatting import percent
from segcore.labels import color_to_hex
from segcore.workspace.scores.reports import colored


def test_a_page_fetches_nothing_and_says_what_was_measured(trained) -> None:
    workspace, (first, second) = trained.workspace, trained.members
    page = workspace.reports.page([first, second], "test")
    assert not re.findall(r"(?:src|href)=['\"](?!data:)", page) and "<script" not in page
    assert page.count("data:image/png;base64,") == 3  # all test images, hardest first
    for part in (
        first,
        second,
        workspace.datasets.open("tiny").fingerprint,
        "Counted on 3 images of split test",
        "Segscope",
        "numpy",
    ):
        assert part in page


def test_how_sure_the_scores_are_is_said_once(trained) -> None:
    said = trained.workspace.scores.report(trained.members[0], "test").summary().how_sure
    page = html.unescape(trained.workspace.reports.page(list(trained.members), "test"))
    assert said and page.count(said) == 1


def test_a_page_never_names_the_split_that_an_ensemble_was_made_for(trained) -> None:
    ensemble = trained.ensemble
    page = trained.workspace.reports.page([ensemble], "test")
    stem, made_for = ensemble.rsplit("--", 1)
    headings = re.findall(r"<h[12][^>]*>([^<]*)<", page)
    assert made_for and any(stem in heading for heading in headings)
    assert not any(f"--{made_for}" in heading for heading in headings)
    assert len(re.findall(rf"{stem} \((?:ensemble|crf)\)", page)) >= 2


def test_the_document_holds_the_same_numbers(trained) -> None:
    workspace = trained.workspace
    made = workspace.reports.document([trained.ensemble, *trained.members], "test").to_json()
    json.dumps(made, allow_nan=False)
    names = [f"{trained.ensemble} (crf)", f"{trained.ensemble} (ensemble)", *trained.members]
    assert list(made["reports"]) == names and list(made["against_first"]) == names[1:]
    for name, stage in ((trained.ensemble, "ensemble"), (trained.ensemble, "crf")):
        assert (
            made["reports"][f"{name} ({stage})"]
            == workspace.scores.report(name, "test", stage).to_json()
        )
    assert set(made["configs"]) == {trained.ensemble, *trained.members}


@pytest.mark.parametrize(
    ("stage", "leads"), [("", "crf"), ("crf", "crf"), ("ensemble", "ensemble")]
)
def test_the_chosen_output_leads_and_is_named(trained, stage, leads) -> None:
    workspace, run = trained.workspace, trained.ensemble
    made = workspace.reports.document([run], "test", stage).to_json()
    assert next(iter(made["reports"])) == f"{run} ({leads})"
    assert leads == stage or workspace.scores.usual_stage(run, "test") == leads
    page = workspace.reports.page([run], "test", stage)
    score = workspace.scores.report(run, "test", leads).interval().value
    assert re.search(rf'class="headline"><b>{percent(score)}</b>', page)
    assert f"Output: {'Ensemble + CRF' if leads == 'crf' else 'Ensemble'}." in page
    shown = "Ensemble, + CRF" if leads == "crf" else "Ensemble"
    captions = re.findall("<figcaption>(.*?)</figcaption>", page)
    assert len(captions) == 3 and all(c.endswith(f"truth, {shown}.") for c in captions)


def test_pictures_have_a_legend_and_the_statement_names_what_is_ignored(trained) -> None:
    workspace, run = trained.workspace, trained.members[0]
    labels = workspace.scores.label_set(run)
    page = workspace.reports.page([run], "test")
    legend = re.search(r'<p class="legend">(.*?)</p>', page).group(1)
    for one in labels.classes:
        assert f'background:{color_to_hex(one.color)}"></span>{one.name} ' in legend
    for one in labels.ignored:
        assert f"{one.name} (ignored)" in legend
        assert f"ignored: {one.name} ({color_to_hex(one.color)})" in page
    assert labels.ignored and "mask value" not in page


def test_nothing_to_report_on_is_told(trained) -> None:
    with pytest.raises(SegcoreError, match="at least one run"):
        trained.workspace.reports.page([], "test")
    with pytest.raises(SegcoreError, match="predict that split first"):
        trained.workspace.reports.page([trained.members[0]], "train")


def test_other_splits_are_not_compared_and_other_stages_are(trained) -> None:
    reports, (first, second) = trained.workspace.reports, trained.members
    found = reports.compare(first, second, "test")
    assert not found.reasons and sum(found.wins) == 3
    crf = reports.compare(trained.ensemble, trained.ensemble, "test", "crf", "ensemble")
    assert crf.difference.value > 0 and crf.wins == (3, 0, 0)  # its CRF masks are partly the truth


def test_members_spread(trained) -> None:
    reports, scores = trained.workspace.reports, trained.workspace.scores
    members, found = reports.spread(trained.ensemble, "test")
    assert members == list(trained.members)
    assert found.overall["mean_iou"].values == pytest.approx(
        [scores.report(m, "test").to_json()["mean_iou"] for m in members]
    )
    assert reports.spread(members[0], "test") is None


def test_parts_of_a_split_are_measured_on_its_images(trained) -> None:
    workspace, run = trained.workspace, trained.members[0]
    dataset = workspace.datasets.open("tiny")
    seen: list[int] = []
    bright = workspace.reports.brightness(
        run, "test", progress=lambda done, total, what: seen.append(total - done)
    )
    assert seen == [2, 1, 0]
    luma = [
        dataset.read_image(s).reshape(-1, 3).mean(0) @ [0.299, 0.587, 0.114]
        for s in dataset.select("test")
    ]
    assert bright == pytest.approx(luma)


@pytest.mark.parametrize("stage", ["ensemble", "crf"])
def test_found_pixels_by_size_add_up_to_the_counts(trained, stage) -> None:
    workspace = trained.workspace
    sizes, images = workspace.reports.sizes(trained.ensemble, "test", stage)
    total = workspace.scores.counts(trained.ensemble, "test", stage)[1].sum(0)
    assert images == 3
    assert np.array_equal(sizes[:, :, 0].sum(1), np.diagonal(total))
    assert np.array_equal(sizes[:, :, 1].sum(1), total.sum(1))


def test_a_painted_mask_has_the_colours_of_its_classes(trained) -> None:
    dataset = trained.workspace.datasets.open("tiny")
    mask = dataset.read_mask(dataset.samples[0])
    painted = colored(mask, dataset.label_set)
    assert np.array_equal(painted[mask == 255], np.zeros(((mask == 255).sum(), 3)))
    for index, color in enumerate(dataset.label_set.colors):
        assert (painted[mask == index] == color).all()
    assert count_confusion(mask, np.minimum(mask, 3), 4, 255).trace() == (mask != 255).sum()
