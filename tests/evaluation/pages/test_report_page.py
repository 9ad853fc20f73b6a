import re
from html.parser import HTMLParser

import numpy as np
import pytest

from segcore.errors import SegcoreError
from segcore.evaluation.metrics.report import evaluate
from segcore.evaluation.pages.report_page import Picture, build_page
from segcore.formatting import number
from segcore.labels import LabelClass, LabelSet


def labels(n=3):
    return LabelSet(tuple(LabelClass(i * 5, f"<b>class & {i}</b>", (i, 200, 3)) for i in range(n)))


def report(split="test", seed=0, n=3):
    truth = np.random.default_rng(1).integers(50, 90, (5, n))
    wrong = np.random.default_rng(seed).integers(0, 20, (5, n))
    counts = np.zeros((5, n, n), int)
    for i in range(n):
        counts[:, i, i] = truth[:, i] - wrong[:, i]
        counts[:, i, (i + 1) % n] = wrong[:, i]
    return evaluate(counts, [f"<i>{k}" for k in range(5)], labels(n), split, resamples=50)


def test_the_headline_is_the_score_and_its_interval(monkeypatch):
    monkeypatch.setattr("segcore.evaluation.counts.bootstrap.MINIMUM", 3)
    page = build_page({"one": report()})
    (headline,) = re.findall(r'<p class="headline">(.*?)</p>', page, re.S)
    assert re.fullmatch(r"<b>[\d.]+ %</b> mean IoU \([\d.]+ % to [\d.]+ %\)", headline)


class Checker(HTMLParser):
    """Every tag that opens closes, in order."""

    VOID = ("meta", "img", "path", "rect")

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.broken = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.broken.append(tag)


def test_page_is_whole_and_fetches_nothing():
    page = build_page(
        {"run <1>": report()},
        title="A & B",
        facts={"numpy": "2"},
        config={"loss": "<x>"},
        pictures=[Picture("hard 'one'", b"\x89PNG")],
    )
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert checker.broken == []
    assert not any(tag in ("script", "link", "iframe") for tag, _ in checker.seen)
    assert all(
        value.startswith("data:")
        for tag, attrs in checker.seen
        for key, value in attrs.items()
        if key in ("src", "href")
    )
    assert not re.search(r"https?://", page)
    assert "iVBORw0KGgo" not in page
    assert "data:image/png;base64,iVBORw==" in page


def test_every_name_from_outside_is_escaped():
    page = build_page({"run <1>": report()}, config={"loss": "<x>"})
    for raw in ("<b>class", "<i>0", "run <1>", "<x>"):
        assert raw not in page
    assert "&lt;b&gt;class &amp; 0&lt;/b&gt;" in page


def test_scores_and_protocol_are_on_the_page():
    made = report()
    page = build_page({"one": made}, facts={"numpy": "2"})
    assert f"Mean IoU {100 * made.to_json()['mean_iou']:.1f} %" in page
    assert "split test" in page
    first = page[page.index("<h1>") :]
    assert first.index("headline") < first.index("<h2>") < first.index("Made with")
    assert "No interval from 5 images" in page  # the reason stands where the interval would
    assert "left out of means" in page


def test_runs_are_compared_only_when_they_may_be():
    page = build_page({"one": report(), "two": report(seed=3)})
    assert "not comparable" not in page
    assert "against one" in page
    page = build_page({"one": report(), "two": report("validation", 3)})
    assert "not comparable" in page
    assert "splits (validation against test)" in page


def test_names_are_whole_and_scores_are_called_by_their_names():
    page = build_page({"one": report()})
    heat = page[page.index('class="heat"') :]
    for index in range(3):
        assert f"<th>&lt;b&gt;class &amp; {index}&lt;/b&gt;</th>" in heat
    scores = page[: page.index("<h3>Classes")]
    assert "MCC" in scores and "Cohen&#39;s kappa" in scores and ">mcc<" not in scores
    (kappa,) = re.findall(r"kappa</td><td>([^<]*)</td>", scores)
    assert kappa == number(
        report().to_json()["scores"]["kappa"]
    )  # no share: without a percent sign


def test_many_classes_list_the_largest_confusions():
    page = build_page({"one": report(n=45)})
    assert "predicted as" in page
    assert page.count("class='heat'") == 0


def test_no_report_is_refused():
    with pytest.raises(SegcoreError, match="at least one report"):
        build_page({})
