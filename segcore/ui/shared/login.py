"""Log-in by a team's identity provider: who is in front of the page, and what they may do.

It is checked wherever a page, a callback or a fragment asks for the workspace, against the list of
people as it is at that moment. Without settings for log-in, on this machine only, nobody has to.
"""

import os
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from segcore import acting
from segcore.acting import Person
from segcore.errors import SegcoreError
from segcore.workspace import workspace_folder
from segcore.workspace.team import Team, client_of, providers, team_of

RAIL = 10
"""Letters of a name that stand in one line of the rail."""

READ_ONLY = "Viewers look and download. Ask an editor of your team to do this, or for the role."
"""The tooltip of what a viewer cannot use."""

_KEEP_LINK = """
export default ({ data }) => {
  const key = "segscope:link";
  if (!data.entered) {
    if (location.search || data.page) sessionStorage.setItem(key, location.href);
    return;
  }
  const link = sessionStorage.getItem(key);
  sessionStorage.removeItem(key);
  if (link && link !== location.href) location.replace(link);
};
"""
_link = st.components.v2.component("segscope_link", html='<i class="no-space"></i>', js=_KEEP_LINK)
"""Keeps the address through the provider's pages, from which Streamlit leads to the start page."""


class NotLoggedIn(SegcoreError):
    """Nobody is logged in, or the log-in has ended."""


def person_of(claims: Mapping[str, Any], team: Team, auth: Mapping[str, Any], now: float) -> Person:
    """Return who somebody is by what their identity provider said.

    Args:
        claims: Of the identity token, with ``is_logged_in`` and the ``provider`` that gave it.
        team: Who may use the app.
        auth: The settings of log-in.
        now: Seconds since 1970.

    Raises:
        NotLoggedIn: Nobody is logged in, or longer than the list allows.
        SegcoreError: The provider gives no address, an unchecked one, or it is not on the list.
    """
    if claims.get("is_logged_in") is not True:
        raise NotLoggedIn("Log in to use Segscope.")
    audience = claims.get("aud")
    if client_of(auth, str(claims.get("provider"))) not in (
        audience if isinstance(audience, list) else [audience]
    ):
        raise NotLoggedIn("Your log-in was meant for another application: log in again.")
    since = claims.get("iat")
    if not isinstance(since, int | float) or now - since > team.hours * 3600:
        raise NotLoggedIn(f"Your log-in has ended after {team.hours:g} hours: log in again.")
    address = claims.get("email")
    if not isinstance(address, str) or "@" not in address:
        raise SegcoreError(
            "Expected an e-mail address from your identity provider, received none: let it send "
            "the claim email (scope email)."
        )
    if claims.get("email_verified") is False:
        raise SegcoreError(
            f"Your identity provider has not checked that {address} is yours: confirm it there, "
            "then log in again."
        )
    role = team.role_of(address)
    if role is None:
        raise SegcoreError(
            f"{address} is not on the list of this workspace: ask its owner to add you to "
            "team.toml, or log in with another address."
        )
    return Person(address, role)


@lru_cache(maxsize=1)
def _auth() -> dict[str, Any]:
    """Return the section ``[auth]`` of the secrets as it was at the start; empty without one."""
    if not st.secrets.load_if_toml_exists():
        return {}
    section = st.secrets.get("auth", {})
    return dict(section) if isinstance(section, Mapping) else {}


def team() -> Team | None:
    """Return who may log in; None where nobody has to.

    Raises:
        SegcoreError: Log-in is needed here, and not set up.
    """
    folder = _folder(os.environ.get("SEGCORE_WORKSPACE"))
    return team_of(_auth(), st.get_option("server.address"), folder)


@lru_cache(maxsize=8)
def _folder(name: str | None) -> Path:
    return workspace_folder(name)


def person() -> Person:
    """Return who is in front of this page.

    Raises:
        SegcoreError: Nobody who may use the app.
    """
    known = team()
    if known is None:
        return acting.of_this_machine()
    claims = st.user.to_dict() if get_script_run_ctx(suppress_warning=True) else {}
    return person_of(claims, known, _auth(), time.time())


def check() -> Person:
    """Return who is in front of this page, and let everything below the app ask the same.

    Raises:
        SegcoreError: Nobody who may use the app.
    """
    acting.identify_by(person)
    return acting.person()


def is_open() -> bool:
    """Whether :func:`gate` lets this person in."""
    try:
        check()
    except SegcoreError:
        return False
    return True


def gate(page: str) -> None:
    """Let in who may use the app; everyone else gets a sentence or the way to log in, and no more.

    Args:
        page: Path of the page that was asked for, "compare"; "" for the start page.
    """
    try:
        check()
    except SegcoreError as error:
        _refuse(page, error)
        st.stop()
    if _needed():
        _link(key="link", data={"entered": True, "page": page})


def _needed() -> bool:
    try:
        return team() is not None
    except SegcoreError:
        return False


def _refuse(page: str, error: SegcoreError) -> None:
    st.space("xlarge")
    middle = st.container(horizontal=True, horizontal_alignment="center")
    with middle.container(width=480, border=True):
        if not _needed():
            st.error(str(error), icon=":material/lock:")
            return
        st.markdown("#### Segscope")
        if isinstance(error, NotLoggedIn):
            st.markdown(str(error))
            for name in providers(_auth()):
                st.button(
                    f"Log in with {name}" if name else "Log in",
                    key=f"login_{name}",
                    type="primary",
                    icon=":material/login:",
                    on_click=st.login,
                    args=(name,) if name else (),
                )
        else:
            st.error(str(error), icon=":material/lock:")
            st.button("Log out", key="logout_refused", icon=":material/logout:", on_click=st.logout)
    _link(key="link", data={"entered": False, "page": page})


def account() -> None:
    """Show who is logged in, their role and the way out; nothing where nobody has to log in."""
    if not _needed():
        return
    one = check()
    short = one.name.partition("@")[0]
    with st.popover(
        short if len(short) <= RAIL else f"{short[: RAIL - 1]}…",
        icon=":material/person:",
        width="stretch",
        help=f"{one.name} ({one.role})",
    ):
        st.text(one.name)
        st.caption(
            "Editor: may do everything." if one.role == "editor" else "Viewer: looks and downloads."
        )
        st.button("Log out", key="logout", icon=":material/logout:", on_click=st.logout)


def may_edit() -> bool:
    """Whether this person may change anything."""
    return check().role == "editor"


def editors_only(disabled: bool = False, help: str | None = None) -> dict[str, Any]:
    """Return ``disabled`` and ``help`` of a button that changes something, as this person gets it.

    Args:
        disabled: Whether it is disabled for everyone.
        help: Its tooltip for who may use it.
    """
    if may_edit():
        return {"disabled": disabled, "help": help}
    return {"disabled": True, "help": READ_ONLY}
