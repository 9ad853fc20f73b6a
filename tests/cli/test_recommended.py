"""The shell starts from what the Train page recommends, and says what that is."""

import dataclasses
import json
import shlex

import pytest

from segcore.cli import build_parser, main
from segcore.cli.training import train_config
from segcore.config import TrainConfig
from segcore.installing import shell_command
from segcore.workspace.launch.preflight import Launches
from segcore.workspace.runs.runs import Runs

DATASET = "tiny"


@pytest.fixture
def shell(workspace, capsys: pytest.CaptureFixture[str]):
    """Run a command in the test's workspace; its JSON or text."""

    def run(*words: str, json_wanted: bool = True):
        main([*words, "--workspace", str(workspace.folder), *["--json"] * json_wanted])
        out = capsys.readouterr().out
        return json.loads(out) if json_wanted else out

    return run


def config_of(workspace, run: str) -> TrainConfig:
    config = workspace.runs.open(run).config
    assert isinstance(config, TrainConfig)
    return config


def test_it_trains_what_the_page_recommends(workspace, shell, started) -> None:
    wanted = workspace.launch.suggest(DATASET).config
    assert wanted.recipe != TrainConfig(DATASET).recipe
    found = shell("train", DATASET, "--recommended", "--name", "a")
    begun = config_of(workspace, found["runs"][0])
    assert (begun.model, begun.recipe, begun.size) == (wanted.model, wanted.recipe, wanted.size)
    plain = config_of(workspace, shell("train", DATASET, "--name", "b")["runs"][0])
    assert plain.recipe == TrainConfig(DATASET).recipe


def test_a_search_starts_from_what_the_page_recommends(workspace, shell, started) -> None:
    wanted = workspace.launch.suggest(DATASET).config
    words = ("tune", DATASET, "--trials", "2", "--recommended")
    base = workspace.runs.open(shell(*words)["run"]).config.base
    assert (base.model, base.recipe, base.size) == (wanted.model, wanted.recipe, wanted.size)
    base = workspace.runs.open(shell(*words, "--epochs", "7")["run"]).config.base
    assert base.recipe == dataclasses.replace(wanted.recipe, epochs=7)
    base = workspace.runs.open(shell(*words[:-1])["run"]).config.base
    assert base.recipe == TrainConfig(DATASET).recipe


def test_options_override_the_recommendation(workspace, shell, started) -> None:
    words = ("--encoder", "tiny", "--weights", "none", "--epochs", "7")
    found = shell("train", DATASET, "--recommended", *words)
    begun, wanted = (
        config_of(workspace, found["runs"][0]),
        workspace.launch.suggest(DATASET).config,
    )
    assert (begun.model.encoder, begun.model.weights, begun.recipe.epochs) == ("tiny", "none", 7)
    assert (begun.model.architecture, begun.recipe.loss) == ("unet", wanted.recipe.loss)
    assert "--epochs 7" in found["command"] and "--encoder tiny" in found["command"]


def test_a_recommendation_has_reasons_and_a_command_that_gives_it(workspace, shell) -> None:
    wanted = workspace.launch.suggest(DATASET)
    found = shell("recommend", DATASET)
    assert {row["reason"] for row in found["options"]} == set(wanted.reasons.values())
    words = shlex.split(found["command"])
    options = build_parser().parse_args(words[words.index("train") :])
    assert train_config(options) == wanted.config
    text = shell("recommend", DATASET, json_wanted=False)
    assert f"{shell_command('train', DATASET, '--recommended')}\n" in text
    told, _, commands = text.partition("\n\n")
    assert max(map(len, told.splitlines())) <= 100 and found["command"] in commands
    assert all(reason in " ".join(told.split()) for reason in wanted.reasons.values())
    assert told.count(wanted.reasons["loss"][:40]) == 1


def test_a_download_is_named_before_the_run_is_waited_for(
    workspace, shell, started, capsys, monkeypatch
) -> None:
    said: list[str] = []

    def wait(self, *args, **named):
        said.append(capsys.readouterr().err)

    monkeypatch.setattr(Runs, "wait", wait)
    shell("train", DATASET, "--wait")
    shell("train", DATASET, "--wait", "--weights", "none")
    assert "Keras downloads the encoder's ImageNet weights" in said[0]
    assert "--weights none" in said[0] and "downloads" not in said[1]
    assert "Keras downloads" in shell("recommend", DATASET, json_wanted=False)


def test_warnings_stand_before_the_wait_and_members_lead_to_their_ensemble(
    workspace, started, capsys, monkeypatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(Launches, "conflicts", lambda self, *args: ["It will be slow."])
    monkeypatch.setattr(Runs, "wait", lambda *args, **named: said.append(capsys.readouterr().err))
    words = ("train", DATASET, "--weights", "none", "--wait", "--workspace", str(workspace.folder))
    main([*words, "--members", "2", "--name", "pair"])
    assert said == ["Warning: It will be slow.\n"]
    told = capsys.readouterr().out
    assert "Warning" not in told
    assert "Average the members with: segscope ensemble pair-" in told
    main([*words, "--name", "one"])
    assert "segscope ensemble" not in capsys.readouterr().out


def test_a_search_names_its_download_too(workspace, shell, started, capsys) -> None:
    main(["tune", DATASET, "--trials", "2", "--workspace", str(workspace.folder)])
    assert "Keras downloads the encoder's ImageNet weights" in capsys.readouterr().err
