"""The engine of a run is settled when it is queued."""

import pytest

from segcore.config import ModelConfig, TrainConfig
from segcore.errors import SegcoreError
from segcore.runs.folder.environment import engine_reason, note_engine
from segcore.runs.machine import engines


def config(**words):
    """A training config of the tiny network on the CPU."""
    model = ModelConfig("unet", "tiny", "none")
    return TrainConfig("tiny", model, size=(32, 64), device="cpu", **words)


def test_auto_is_settled_when_a_run_is_queued(workspace, started, monkeypatch) -> None:
    monkeypatch.setattr(engines, "is_installed", lambda engine: engine == "jax")
    run = workspace.runs.train(config(engine="auto"))[0]
    folder = workspace.runs.open(run)
    assert folder.config.engine == "jax", "so a resumed run keeps it"
    assert engine_reason(folder.folder).startswith("auto: JAX")
    with pytest.raises(SegcoreError, match="tensorflow"):
        workspace.runs.train(config())
    assert len(workspace.runs.ids()) == 1
    note_engine(folder.folder, engines.EngineChoice("jax"))
    assert engine_reason(folder.folder).startswith("auto: JAX"), "nothing to say, nothing written"
