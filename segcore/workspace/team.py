"""Who may use the app, and as what: the list ``team.toml`` of a workspace, and when it is needed.

    hours = 12                            # how long a log-in lasts

    [editor]
    addresses = ["anna@example.org"]
    domains = ["lab.example.org"]

    [viewer]
    domains = ["example.org"]

An address goes before a domain, and an editor before a viewer. The list is read anew at each check.
"""

import importlib.util
import ipaddress
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from segcore.acting import ROLES, Role
from segcore.errors import SegcoreError, disk_error
from segcore.installing import extra_command

FILE = "team.toml"
NO_LOGIN = "SEGSCOPE_NO_LOGIN"
"""The variable by which ``segscope app --no-login`` says to the app that nobody has to log in."""

HOURS = 12.0
SECRET_LENGTH = 32
HOW = (
    "set up log-in (docs/how-to/team-server.md), or let everyone in who reaches it with --no-login"
)
_NEEDED = ("redirect_uri", "cookie_secret")
_OF_PROVIDER = ("client_id", "client_secret", "server_metadata_url")


@dataclass(frozen=True)
class Team:
    """Who may use the app.

    Attributes:
        addresses: Role by e-mail address, lower case.
        domains: Role by the part behind the "@", lower case.
        hours: How long a log-in lasts.
    """

    addresses: Mapping[str, Role]
    domains: Mapping[str, Role]
    hours: float

    def role_of(self, address: str) -> Role | None:
        """Return what an e-mail address may do; None where it is not on the list."""
        own = address.strip().lower()
        name, _, domain = own.rpartition("@")
        return self.addresses.get(own) or (self.domains.get(domain) if name else None)


def is_loopback(address: str | None) -> bool:
    """Whether only this machine reaches an address to listen on; None or "" is any address."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address((address or "0.0.0.0").strip("[]")).is_loopback
    except ValueError:
        return False


def read_team(workspace: Path) -> Team:
    """Read the list of a workspace.

    Raises:
        SegcoreError: There is none, or it is damaged: then nobody gets in.
    """
    path = workspace / FILE
    try:
        status = path.stat()
    except FileNotFoundError:
        raise SegcoreError(
            f"Expected the list of who may use the app at {path}, found none: write it, for "
            'example with the lines [editor] and addresses = ["you@example.org"].'
        ) from None
    except OSError as error:
        raise disk_error("read", path, error) from error
    return _read(path, (status.st_mtime_ns, status.st_size, status.st_ino))


@lru_cache(maxsize=8)
def _read(path: Path, stamp: tuple[int, int, int]) -> Team:
    """Read a list; the stamp is part of the key, so that a changed file is read again."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise disk_error("read", path, error) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SegcoreError(f"Expected TOML in {path}, but {error}: correct that line.") from error
    unknown = [key for key in data if key not in (*ROLES, "hours")]
    if unknown:
        raise SegcoreError(
            f"Expected [editor], [viewer] and hours in {path}, found {unknown[0]!r}: rename or "
            "remove it."
        )
    hours = data.get("hours", HOURS)
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= 720:
        raise SegcoreError(
            f"Expected hours from 0 to 720 in {path}, found {hours!r}: write for example hours = 12."
        )
    addresses: dict[str, Role] = {}
    domains: dict[str, Role] = {}
    for role in ROLES:  # an editor overwrites a viewer
        section = data.get(role, {})
        if not isinstance(section, dict) or set(section) - {"addresses", "domains"}:
            raise SegcoreError(
                f"Expected lists addresses and domains under [{role}] in {path}: write for "
                'example addresses = ["you@example.org"].'
            )
        addresses |= dict.fromkeys(_names(path, role, section, "addresses", at=True), role)
        domains |= dict.fromkeys(_names(path, role, section, "domains", at=False), role)
    return Team(addresses, domains, float(hours))


def _names(path: Path, role: str, section: dict[str, Any], key: str, *, at: bool) -> list[str]:
    names = section.get(key, [])
    fine = isinstance(names, list) and all(
        isinstance(name, str) and name.strip() and ("@" in name) == at for name in names
    )
    if not fine:
        what = "e-mail addresses with an @" if at else "names of domains without an @"
        raise SegcoreError(f"Expected {key} under [{role}] in {path} as a list of {what}.")
    return [name.strip().lower() for name in names]


def providers(auth: Mapping[str, Any]) -> list[str]:
    """Return the names of the providers in the settings of log-in; "" is the one without a name."""
    named = [name for name, value in auth.items() if isinstance(value, Mapping)]
    named = [name for name in named if name != "client_kwargs"]
    return [""] if "client_id" in auth or not named else named


def client_of(auth: Mapping[str, Any], provider: str) -> str:
    """Return the client that the app is to a provider; "default" is the one without a name."""
    own = auth if provider == "default" and "client_id" in auth else auth.get(provider, {})
    client = own.get("client_id") if isinstance(own, Mapping) else None
    return str(client) if client else f"no client of {provider}"


def check_login(auth: Mapping[str, Any] | None, workspace: Path) -> Team:
    """Check that log-in is set up, and return who may log in.

    Args:
        auth: The section ``[auth]`` of ``.streamlit/secrets.toml``; None or empty without one.
        workspace: Folder of the workspace.

    Raises:
        SegcoreError: There is no such section, it is incomplete, its package is not installed, or
            the list of people is absent, damaged or names no editor.
    """
    if not auth:
        raise SegcoreError(
            "Expected the section [auth] in .streamlit/secrets.toml, found none: "
            "docs/how-to/team-server.md says what belongs there."
        )
    wanted = [key for key in _NEEDED if not auth.get(key)]
    for name in providers(auth):
        own = cast("Mapping[str, Any]", auth[name] if name else auth)
        wanted += [f"{name}.{key}" if name else key for key in _OF_PROVIDER if not own.get(key)]
    if wanted:
        raise SegcoreError(
            f"Expected {', '.join(wanted)} in the section [auth] of .streamlit/secrets.toml, found "
            "nothing: your identity provider gives the client and its secret, "
            "docs/how-to/team-server.md the rest."
        )
    if len(str(auth["cookie_secret"])) < SECRET_LENGTH:
        raise SegcoreError(
            f"Expected a cookie_secret of {SECRET_LENGTH} characters or more in "
            ".streamlit/secrets.toml: make one with "
            'python -c "import secrets; print(secrets.token_hex(32))".'
        )
    if not str(auth["redirect_uri"]).endswith("/oauth2callback"):
        raise SegcoreError(
            f"Expected a redirect_uri that ends in /oauth2callback, received "
            f"{auth['redirect_uri']!r}: write the address of the app with that ending."
        )
    if not _is_installed("authlib"):
        raise SegcoreError(
            f"Expected the package Authlib for log-in, found none: run {extra_command('team')}"
        )
    team = read_team(workspace)
    if "editor" not in (*team.addresses.values(), *team.domains.values()):
        raise SegcoreError(
            f"Expected an address or a domain under [editor] in {workspace / FILE}, found none: "
            "name at least one person who may do everything."
        )
    return team


@lru_cache
def _is_installed(package: str) -> bool:
    """Whether a package is here; looked for once, as pages ask often."""
    return importlib.util.find_spec(package) is not None


def read_auth(files: Iterable[Path]) -> dict[str, Any]:
    """Return the section ``[auth]`` of the first secrets file that has one; empty without any.

    Raises:
        SegcoreError: A file is no TOML.
    """
    for path in files:
        try:
            auth = tomllib.loads(path.read_text("utf-8")).get("auth")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise disk_error("read", path, error) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SegcoreError(
                f"Expected TOML in {path}, but {error}: correct that line."
            ) from error
        if isinstance(auth, dict):
            return auth
    return {}


def team_of(auth: Mapping[str, Any] | None, address: str | None, workspace: Path) -> Team | None:
    """Return who may log in to an app that listens on an address; None where nobody has to.

    Log-in is needed where it is set up, and on every address but this machine's own.

    Raises:
        SegcoreError: It is needed and not set up.
    """
    if os.environ.get(NO_LOGIN) or (not auth and is_loopback(address)):
        return None
    try:
        return check_login(auth, workspace)
    except SegcoreError as error:
        if is_loopback(address):
            raise
        raise SegcoreError(
            f"The app would listen on {address or 'every address'}, where others reach it: {HOW}. "
            f"What is missing: {error}"
        ) from error
