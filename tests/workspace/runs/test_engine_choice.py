"""The engine of a run is settled when it is queued."""

import pytest

from segcore.api import params
from segcore.cli import build_parser
from segcore.cli.training import train_config
from segcore.config import ModelConfig, SearchSpace, TrainConfig, TuneConfig
from segcore.config.ablation import ablation_from_json
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


@pytest.fixture
def only_jax(monkeypatch):
    """A machine where JAX is the only engine."""
    monkeypatch.setattr(engines, "is_installed", lambda engine: engine == "jax")


def ablation(workspace, **base):
    """Two recipes of the tiny network, set on the dataset "tiny"."""
    base = {"model": {"encoder": "tiny", "weights": "none"}, "size": [32, 64], **base}
    rows = [{"name": "dice", "changes": {"recipe.loss": "dice"}}]
    data = {"name": "small", "base": base, "rows": rows, "seeds": [0]}
    return workspace.ablations.plan(ablation_from_json(data), ["tiny"])


def refusal(start, *words):
    """The sentence with which a start is refused."""
    with pytest.raises(SegcoreError) as caught:
        start(*words)
    return str(caught.value)


def test_a_new_config_gets_an_engine_that_is_installed(workspace, only_jax, monkeypatch) -> None:
    def shell(*words):
        return train_config(build_parser().parse_args(["train", "tiny", *words])).engine

    assert (shell(), shell("--engine", "torch")) == ("jax", "torch")
    told = {"dataset": "tiny", "workspace": str(workspace.datasets.folder.parent)}
    assert params.settings(told).config.engine == "jax"
    assert params.settings({**told, "engine": "torch"}).config.engine == "torch"
    assert workspace.launch.suggest("tiny").config.engine == "jax"
    monkeypatch.setattr(engines, "is_installed", lambda engine: engine != "torch")
    assert shell() == "tensorflow", "the first of them"
    monkeypatch.setattr(engines, "is_installed", lambda engine: False)
    assert shell() == "tensorflow", "none: a start says how to install it"


def test_a_search_on_an_engine_that_is_absent_is_refused_like_a_training(
    workspace, started, only_jax
) -> None:
    space = SearchSpace(loss=("dice", "jaccard_distance"))
    said = refusal(workspace.runs.train, config())
    assert said == refusal(workspace.searches.start, TuneConfig("tiny", config(), space))
    assert workspace.searches.ids() == []
    assert workspace.searches.start(TuneConfig("tiny", config(engine="jax"), space))


def test_an_ablation_on_an_engine_that_is_absent_is_refused_like_a_training(
    workspace, started, only_jax
) -> None:
    said = refusal(workspace.runs.train, config())
    assert said == refusal(workspace.ablations.start, ablation(workspace, engine="tensorflow"))
    assert (workspace.ablations.names(), workspace.runs.ids()) == ([], [])
    workspace.ablations.start(ablation(workspace))
    trained = [workspace.runs.open(run).config for run in workspace.runs.ids()]
    assert {one.engine for one in trained if isinstance(one, TrainConfig)} == {"jax"}


def test_an_ablation_begun_with_tensorflow_stays_one_of_tensorflow(
    workspace, started, monkeypatch
) -> None:
    monkeypatch.setattr(engines, "is_installed", lambda engine: True)
    plan = ablation(workspace)
    workspace.ablations.start(plan)
    monkeypatch.setattr(engines, "is_installed", lambda engine: engine == "jax")
    again = workspace.ablations.open(plan.name)
    assert all(cell.runs[0] for own in workspace.ablations.cells(again).values() for cell in own)
    assert workspace.ablations.start(again) == [], "all of it is there"
