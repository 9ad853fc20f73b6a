"""The documentation inside the app."""

import pytest

from segcore.ui.shared import manual


def test_a_link_opens_its_page_and_another_is_a_click_away(open_page, read) -> None:
    at = open_page("guide", doc="metrics")
    assert read.title(at) == "The metric contract"
    assert any("frequency-weighted IoU" in m.value for m in at.markdown)
    links = {link.proto.label.strip("*"): link.proto for link in at.get("page_link")}
    assert "Run on a cluster" in links and links["The metric contract"].label.startswith("**")
    other = open_page("guide", doc="how-to/cluster")
    assert read.title(other) == "Run on a cluster"


def test_pages_are_grouped_and_each_is_in_one_group() -> None:
    groups = manual.groups()
    assert list(groups) == ["Start", "How to", "Reference", "Internals"]
    assert groups["Start"] == ["guide"] and "architecture" in groups["Internals"]
    named = [name for names in groups.values() for name in names]
    assert sorted(named) == sorted(manual.pages())


def test_words_are_found_and_lead_to_their_pages(open_page, read) -> None:
    at = open_page("guide")
    read.check(at.text_input(key="guide_search").set_value("frequency-weighted iou").run())
    assert "The metric contract" in {p.proto.label.strip("*") for p in at.get("page_link")}
    read.check(at.text_input(key="guide_search").set_value("no such words zyx").run())
    assert any("No page contains" in c.value for c in at.caption)


@pytest.mark.parametrize("asked", ["", "gone", "../README"])
def test_what_is_no_page_opens_the_guide(open_page, read, asked) -> None:
    assert read.title(open_page("guide", doc=asked)) == "User guide"
