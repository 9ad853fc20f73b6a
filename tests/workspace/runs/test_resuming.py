"""A run is resumed at a share of its learning rate, and the shares multiply."""

import pytest

from segcore.config import ModelConfig, TrainConfig
from segcore.errors import SegcoreError


def test_shares_multiply_and_are_checked(workspace, started) -> None:
    (run,) = workspace.runs.train(
        TrainConfig("tiny", ModelConfig("unet", "tiny", "none"), size=(32, 64))
    )
    folder = workspace.runs.open(run)
    for expected in (0.5, 0.25):
        workspace.runs.stop(run)
        folder.write_status(state="failed", diverged=True)
        workspace.runs.resume(run, learning_rate_factor=0.5)
        assert (
            folder.read_json("resume") == {"learning_rate_factor": expected}
            and folder.status().state == "queued"
        )
    with pytest.raises(SegcoreError, match="above 0 and up to 1"):
        workspace.runs.resume(run, learning_rate_factor=2)
    with pytest.raises(SegcoreError, match="failed or was interrupted"):
        workspace.runs.resume(run, learning_rate_factor=0.5)  # it waits
    assert folder.read_json("resume") == {"learning_rate_factor": 0.25}
