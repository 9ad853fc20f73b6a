"""Robustness of an ensemble as a whole: asked once for all its splits' runs, apart from that of its members."""

import pytest

from segcore.errors import SegcoreError


def test_an_ensemble_is_asked_about_with_its_members(trained, started) -> None:
    robustness, runs = trained.workspace.robustness, trained.workspace.runs
    with pytest.raises(SegcoreError, match=trained.members[0]):
        robustness.start(trained.ensemble, "test")  # no network is on disk
    for member in trained.members:
        runs.open(member).model_path.touch()
    name = robustness.start(trained.ensemble, "test", ("blur",), 2)
    config = runs.open(name).config
    assert (config.members, config.rule, config.run) == (
        tuple(trained.members),
        "mean",
        trained.ensemble,
    )
    assert robustness.started(trained.ensemble, "test") == [name] and not robustness.started(
        trained.ensemble, "validation"
    )
    assert not robustness.started(trained.members[0], "test")
    alone = robustness.start(trained.members[0], "test", ("blur",), 2)
    assert alone != name and runs.open(alone).config.members == ()
    assert robustness.started(trained.ensemble, "test") == [name]
