"""``segscope app``: what it starts, and where it refuses to; and the history on the command line."""

import itertools
import json
import os
import sys
from pathlib import Path

import pytest

from segcore.cli import main
from segcore.config import TrainConfig
from segcore.workspace.team import NO_LOGIN

AUTH = """
[auth]
redirect_uri = "https://segscope.example.org/tools/oauth2callback"
cookie_secret = "0123456789abcdef0123456789abcdef"
client_id = "segscope"
client_secret = "secret"
server_metadata_url = "https://login.example.org/.well-known/openid-configuration"
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start the app with some words and return those that Streamlit would get."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGCORE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv(NO_LOGIN, "")
    monkeypatch.setattr(os, "chdir", lambda folder: None)
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, words: started.append(words))
    (tmp_path / "workspace").mkdir()

    def run(*words: str) -> list[str]:
        main(["app", "--no-browser", *words])
        assert started[-1][:4] == [sys.executable, "-m", "streamlit", "run"]
        return started[-1][5:]

    return run


def values(words: list[str], name: str) -> list[str]:
    return [value for key, value in itertools.pairwise(words) if key == f"--{name}"]


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.4", "box.example.org"])
def test_where_others_reach_it_the_app_refuses_to_start(start, capsys, address):
    with pytest.raises(SystemExit) as ended:
        start("--address", address)
    message = capsys.readouterr().err
    assert ended.value.code == 2
    assert "team-server.md" in message and "--no-login" in message and "[auth]" in message


def test_on_this_machine_it_needs_nothing(start):
    for words in ((), ("--address", "localhost"), ("--address", "::1")):
        given = start(*words)
        assert values(given, "server.allowedHosts") == ["localhost", "127.0.0.1"]
        assert not values(given, "secrets.files") and not os.environ.get(NO_LOGIN)


def test_by_hand_everyone_is_let_in_and_that_is_said(start, capsys):
    given = start("--address", "0.0.0.0", "--no-login", "--allow-host", "box")
    assert values(given, "server.address") == ["0.0.0.0"] and os.environ[NO_LOGIN]
    assert values(given, "server.allowedHosts") == ["localhost", "127.0.0.1", "box"]
    assert "Everyone who reaches this address may do everything" in capsys.readouterr().out


def test_with_log_in_set_up_it_starts_under_its_name_and_path(start, tmp_path, capsys):
    secrets = tmp_path / ".streamlit/secrets.toml"
    secrets.parent.mkdir()
    secrets.write_text(AUTH)
    with pytest.raises(SystemExit):
        start()  # set up in part: also on this machine it is said
    assert "list of who may use the app" in capsys.readouterr().err
    (tmp_path / "workspace/team.toml").write_text('[editor]\ndomains = ["example.org"]\n')
    given = start("--address", "0.0.0.0", "--base-path", "/tools/")
    assert values(given, "server.baseUrlPath") == ["tools"]
    assert values(given, "server.allowedHosts")[2:] == ["segscope.example.org"]
    assert values(given, "secrets.files") == [str(secrets)]
    assert "everything" not in capsys.readouterr().out


def test_the_history_names_who_did_what(workspace, capsys):
    workspace.configs.save("mine", TrainConfig("tiny"))
    workspace.configs.delete("mine")
    where = ["--workspace", str(workspace.folder)]
    main(["history", *where])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].endswith("Deleted the config mine")
    main(["history", *where, "--find", "saved", "--json"])
    (row,) = json.loads(capsys.readouterr().out)["actions"]
    assert (row["what"], row["call"]) == ("Saved the config mine", "Configs.save")
    with pytest.raises(SystemExit):
        main(["history", *where, "--last", "0"])
    assert "--last" in capsys.readouterr().err
