"""Who somebody is by what their provider said."""

import pytest

from segcore.acting import Person
from segcore.errors import SegcoreError
from segcore.ui.shared.login import NotLoggedIn, person_of
from segcore.workspace.team import Team

AUTH = {"client_id": "segscope", "lab": {"client_id": "ours"}}
TEAM = Team({"anna@example.org": "editor"}, {"example.org": "viewer"}, hours=12.0)
NOW = 1_000_000.0
CLAIMS = {
    "is_logged_in": True,
    "provider": "default",
    "aud": "segscope",
    "iat": NOW - 60,
    "email": "anna@example.org",
}


def who(**changes):
    claims = {key: value for key, value in (CLAIMS | changes).items() if value is not None}
    return person_of(claims, TEAM, AUTH, NOW)


def test_a_person_of_the_team():
    assert who() == Person("anna@example.org", "editor")
    assert who(email="bert@example.org", email_verified=True).role == "viewer"
    assert who(aud=["segscope", "another"]).role == "editor"
    assert who(provider="lab", aud="ours").role == "editor"
    assert who(iat=NOW - 12 * 3600).role == "editor"


@pytest.mark.parametrize(
    "changes",
    [
        {"is_logged_in": False},
        {"is_logged_in": None},
        {"is_logged_in": "yes"},
        {"iat": NOW - 12 * 3600 - 1},
        {"iat": None},
        {"iat": "today"},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": None},
        {"provider": "lab"},
        {"provider": "elsewhere"},
        {"provider": None},
    ],
)
def test_who_has_to_log_in_again(changes):
    with pytest.raises(NotLoggedIn):
        who(**changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"email": None}, "claim email"),
        ({"email": "anna"}, "claim email"),
        ({"email_verified": False}, "has not checked"),
        ({"email": "eve@elsewhere.org"}, "not on the list"),
    ],
)
def test_who_is_refused(changes, sentence):
    with pytest.raises(SegcoreError, match=sentence) as raised:
        who(**changes)
    assert not isinstance(raised.value, NotLoggedIn)
