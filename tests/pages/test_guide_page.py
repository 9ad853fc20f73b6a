"""The documentation inside the app."""

import pytest


def test_a_link_opens_its_page_and_another_is_a_click_away(open_page, read) -> None:
    at = open_page("guide", doc="metrics")
    assert read.title(at) == "The metric contract"
    assert any("frequency-weighted IoU" in m.value for m in at.markdown)
    other = read.check(at.radio(key="manual").set_value("how-to/cluster").run())
    assert read.title(other) == "Run on a cluster"
    assert other.query_params["doc"] == "how-to/cluster"


@pytest.mark.parametrize("asked", ["", "gone", "../README"])
def test_what_is_no_page_opens_the_guide(open_page, read, asked) -> None:
    assert read.title(open_page("guide", doc=asked)) == "User guide"
