"""Robustness of an ensemble as a whole: asked once for all its splits' runs, apart from that of its members."""

import pytest

from segcore.errors import SegcoreError


def test_an_ensemble_is_asked_about_with_its_members(trained, started) -> None:
    shelf, runs = trained.workspace.robustness, trained.workspace.runs
    with pytest.raises(SegcoreError, match=trained.members[0]):
        shelf.start(trained.ensemble, "test")  # no network is on disk
    for member in trained.members:
        runs.open(member).model_path.touch()
    name = shelf.start(trained.ensemble, "test", ("blur",), 2)
    config = runs.open(name).config
    assert (config.members, config.rule, config.run) == (
        tuple(trained.members),
        "mean",
        trained.ensemble,
    )
    assert shelf.started(trained.ensemble, "test") == [name] and not shelf.started(
        trained.ensemble, "validation"
    )
    assert not shelf.started(trained.members[0], "test")
    alone = shelf.start(trained.members[0], "test", ("blur",), 2)
    assert alone != name and runs.open(alone).config.members == ()
    assert shelf.started(trained.ensemble, "test") == [name]
