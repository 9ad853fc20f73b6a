"""The list of people, and when an app needs log-in."""

import pytest

from segcore.errors import SegcoreError
from segcore.workspace.team import (
    NO_LOGIN,
    check_login,
    client_of,
    is_loopback,
    providers,
    read_auth,
    read_team,
    team_of,
)

AUTH = {
    "redirect_uri": "https://segscope.example.org/oauth2callback",
    "cookie_secret": "0123456789abcdef" * 2,
    "client_id": "segscope",
    "client_secret": "secret",
    "server_metadata_url": "https://login.example.org/.well-known/openid-configuration",
}
LIST = """
hours = 8
[editor]
addresses = ["Anna@Example.org"]
domains = ["lab.example.org"]
[viewer]
addresses = ["trainee@lab.example.org"]
domains = ["example.org"]
"""


@pytest.fixture
def team(tmp_path):
    (tmp_path / "team.toml").write_text(LIST)
    return tmp_path


def test_an_address_goes_before_a_domain_and_case_does_not_matter(team):
    known = read_team(team)
    assert known.hours == 8
    wanted = {
        "anna@example.org": "editor",
        "ANNA@EXAMPLE.ORG ": "editor",
        "bert@example.org": "viewer",
        "carl@lab.example.org": "editor",
        "trainee@lab.example.org": "viewer",
        "eve@notexample.org": None,
        "eve@example.org.evil.net": None,
        "@example.org": None,
        "example.org": None,
        "": None,
    }
    assert {address: known.role_of(address) for address in wanted} == wanted


def test_a_changed_list_holds_at_once(team):
    assert read_team(team).role_of("bert@example.org") == "viewer"
    (team / "team.toml").write_text('[editor]\naddresses = ["bert@example.org"]\n')
    assert read_team(team).role_of("bert@example.org") == "editor"
    assert read_team(team).role_of("anna@example.org") is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[editor", "Expected TOML"),
        ("[admin]\n", "found 'admin'"),
        ("hours = 0", "Expected hours"),
        ("hours = true", "Expected hours"),
        ("[editor]\naddresses = 'a@b.org'", "as a list"),
        ("[editor]\naddresses = ['example.org']", "with an @"),
        ("[viewer]\ndomains = ['a@b.org']", "without an @"),
        ("[viewer]\nnames = ['a']", "Expected lists"),
    ],
)
def test_a_damaged_list_lets_nobody_in(tmp_path, text, sentence):
    (tmp_path / "team.toml").write_text(text)
    with pytest.raises(SegcoreError, match=sentence):
        read_team(tmp_path)


def test_the_machines_own_addresses():
    assert all(map(is_loopback, ("127.0.0.1", "127.3.0.9", "localhost", "::1", "[::1]")))
    others = ("", None, "0.0.0.0", "::", "192.168.1.4", "box", "unix:///run/segscope")
    assert not any(map(is_loopback, others))


def test_only_this_machine_needs_no_log_in(team, monkeypatch):
    monkeypatch.delenv(NO_LOGIN, raising=False)
    assert team_of({}, "127.0.0.1", team) is None
    for address in ("0.0.0.0", None, "192.168.1.4"):
        with pytest.raises(SegcoreError, match=r"team-server\.md.*--no-login.*\[auth\]"):
            team_of({}, address, team)
        assert team_of(AUTH, address, team) is not None
    assert team_of(AUTH, "127.0.0.1", team) is not None, "set up, so asked for"
    monkeypatch.setenv(NO_LOGIN, "1")
    assert team_of({}, "0.0.0.0", team) is None
    assert team_of(AUTH, "127.0.0.1", team) is None


@pytest.mark.parametrize("key", [*AUTH])
def test_settings_that_lack_something_say_what(team, key):
    with pytest.raises(SegcoreError, match=key):
        check_login({**AUTH, key: ""}, team)


def test_settings_that_would_not_hold(team, monkeypatch):
    with pytest.raises(SegcoreError, match="32 characters"):
        check_login({**AUTH, "cookie_secret": "guess"}, team)
    with pytest.raises(SegcoreError, match="oauth2callback"):
        check_login({**AUTH, "redirect_uri": "https://segscope.example.org"}, team)
    (team / "team.toml").write_text('[viewer]\ndomains = ["example.org"]\n')
    with pytest.raises(SegcoreError, match=r"under \[editor\]"):
        check_login(AUTH, team)
    (team / "team.toml").unlink()
    with pytest.raises(SegcoreError, match="found none"):
        check_login(AUTH, team)
    monkeypatch.setattr("segcore.workspace.team._is_installed", lambda name: False)
    with pytest.raises(SegcoreError, match=r"pip install "):
        check_login(AUTH, team)


def test_providers_by_name(team):
    common = {key: AUTH[key] for key in ("redirect_uri", "cookie_secret")}
    own = {key: AUTH[key] for key in AUTH if key not in common}
    named = {**common, "lab": own, "github": {**own, "client_id": "other"}}
    assert providers(named) == ["lab", "github"] and providers(AUTH) == [""]
    assert providers({**AUTH, "client_kwargs": {"prompt": "login"}}) == [""]
    assert check_login(named, team).hours == 8
    assert (client_of(named, "github"), client_of(AUTH, "default")) == ("other", "segscope")
    assert client_of(named, "elsewhere") not in ("other", "segscope")
    with pytest.raises(SegcoreError, match=r"lab\.client_secret"):
        check_login({**common, "lab": {**own, "client_secret": ""}}, team)


def test_the_first_file_with_settings_counts(tmp_path):
    empty, own, other = (tmp_path / name for name in ("empty", "own", "other"))
    empty.write_text("a = 1")
    own.write_text('[auth]\nclient_id = "own"')
    other.write_text('[auth]\nclient_id = "other"')
    assert read_auth([tmp_path / "absent", empty, own, other]) == {"client_id": "own"}
    assert read_auth([empty]) == {}
    other.write_text("[auth")
    with pytest.raises(SegcoreError, match="Expected TOML"):
        read_auth([other])
