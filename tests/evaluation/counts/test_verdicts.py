"""What many verdicts say together."""

import numpy as np
import pytest

from segcore.evaluation.counts.bootstrap import Interval, Resampling
from segcore.evaluation.counts.verdicts import UNDETERMINED, judge_many, many_of


def clearest(units: int, verdicts: int, groups: list[str] | None = None) -> list[Interval]:
    """Differences as clear as they can be: every resample says the same."""
    drawing = Resampling([np.ones((units, 1), np.int64)], groups)
    return list(drawing.intervals(np.ones(verdicts), np.ones((drawing.resamples, verdicts))))


@pytest.mark.parametrize("units", [7, 8, 12, 20, 60])
def test_a_table_says_that_nothing_can_be_decided_where_the_clearest_difference_does_not_hold(
    units,
) -> None:
    kinds = set()
    for verdicts in range(2, 40):
        table = clearest(units, verdicts)
        hopeless = set(judge_many(table)) == {UNDETERMINED}
        assert many_of(table).startswith("Nothing can be decided here:") is hopeless
        kinds.add(hopeless)
    assert kinds == {True, False}


def test_the_sentence_names_what_is_needed_and_what_so_few_images_reach() -> None:
    """2 stdtr(7, sqrt(7 / 8) ndtri(0.5 / 1001)) = 0.0179."""
    assert many_of(clearest(8, 10)) == (
        "Nothing can be decided here: of 10 verdicts the first needs p <= 0.005 (Holm's "
        "correction), and 1,000 resamples of 8 images reach 0.018 at best. Each interval is for "
        "one comparison."
    )
    groups = [f"drive {n % 8}" for n in range(80)]
    assert "resamples of 8 groups reach" in many_of(clearest(80, 10, groups))


def test_fewer_than_two_verdicts_and_those_without_an_interval_need_no_correction() -> None:
    assert many_of([]) == many_of(clearest(8, 1)) == many_of(clearest(5, 10)) == ""
    known, unknown = clearest(60, 2), clearest(5, 8)
    assert many_of([*known, *unknown]).startswith("2 verdicts stand here.")
