"""segscope ensemble: names of saved ensembles, intervals, and what the CRF did."""

import pytest

from segcore.config import EvaluateConfig
from tests.conftest import TINY


@pytest.fixture
def trio(trained, made_up) -> str:
    """An ensemble that was saved as "trio"."""
    config = EvaluateConfig(TINY, trained.members, "test", name="trio")
    run = made_up.write("trio--test", config)
    source = trained.workspace.runs.open(trained.ensemble)
    ids, counts = source.read_counts("test", "ensemble")
    run.write_counts("test", "ensemble", ids, counts)
    run.write_status(started=2e9, finished=2e9)
    return "trio"


def test_the_name_of_an_ensemble_is_taken_in_place_of_a_run(trained, trained_shell, trio, tmp_path):
    named = trained_shell("evaluate", trio, "--split", "test", json_wanted=True)
    assert named == trained_shell("evaluate", "trio--test", "--split", "test", json_wanted=True)
    page = tmp_path / "report.html"
    trained_shell("report", trio, "--split", "test", "--out", page)
    assert "trio" in page.read_text("utf-8")
    assert "accuracy" in trained_shell("compress", trio, "--split", "test")
    assert trained_shell("runs", "show", trio).startswith("trio--test: evaluation, finished")


def test_an_ensemble_in_an_ensemble_is_refused_with_its_members(trained, trained_shell, trio):
    code, err = trained_shell("ensemble", trio, trained.members[0], "--split", "test")
    assert code == 2
    assert "an ensemble cannot be a member of another: name its members instead" in err
    assert " ".join(trained.members) in err
    code, err = trained_shell("predict", trio, "--split", "test")
    assert "'trio--test', which is an ensemble" in err


def test_a_saved_ensemble_says_its_name_and_what_comes_next(trained, trained_shell, trio) -> None:
    shown = trained_shell("ensemble", *trained.members, "--split", "test", "--name", trio)
    assert "Saved as trio; next: segscope evaluate trio --split test\n" in shown
    assert "Saved as" not in trained_shell("ensemble", *trained.members, "--split", "test", "--crf")
