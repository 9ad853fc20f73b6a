"""Log-in against a real identity provider on this machine: who gets in, as what, and who does not."""

import json
import re
import secrets
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from oidc_provider_mock import run_server_in_thread
from oidc_provider_mock._app import OpenIDCode
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.conftest import make_workspace

ROOT = Path(__file__).resolve().parents[2]
LIST = """
[editor]
addresses = ["anna@example.org"]
[viewer]
domains = ["example.org"]
"""
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(
    start_app: Callable[..., str], app_port: int, tmp_path_factory
) -> Iterator[SimpleNamespace]:
    """An app with log-in, its provider and its workspace with the dataset "tiny"."""
    workspace = make_workspace(tmp_path_factory.mktemp("team"))
    (workspace.folder / "team.toml").write_text(LIST)
    with run_server_in_thread() as provider:
        issuer = f"http://localhost:{provider.server_port}"
        settings = {
            "redirect_uri": f"http://127.0.0.1:{app_port}/oauth2callback",
            "cookie_secret": secrets.token_hex(32),
            "client_id": "segscope",
            "client_secret": "not checked by this provider",
            "server_metadata_url": f"{issuer}/.well-known/openid-configuration",
        }
        file = tmp_path_factory.mktemp("secrets") / "secrets.toml"
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        file.write_text("\n".join(["[auth]", *lines]))
        url = start_app(
            ROOT / "app.py",
            {"SEGCORE_WORKSPACE": str(workspace.folder), "SEGSCOPE_NO_WORK": "1"},
            flags=("--secrets.files", str(file)),
        )
        yield SimpleNamespace(url=url, issuer=issuer, workspace=workspace, settings=settings)


@pytest.fixture
def page(tab: Page) -> Page:
    """The tab; what the provider's pages load from elsewhere is not found."""
    tab.set_viewport_size({"width": 1440, "height": 900})
    return tab


def log_in(page: Page, site: SimpleNamespace, address: str, link: str = "") -> None:
    """Log in by the provider's form, which opens with a button of the app, and come back to a link."""
    page.goto(f"{site.url}{link}")
    page.get_by_role("button", name="Log in").click()
    page.get_by_placeholder("sub").fill(address)
    page.get_by_role("button", name="Authorize").click()


def enter(page: Page, site: SimpleNamespace, address: str, link: str = "") -> None:
    """Log in by the same requests without showing their pages, and open a link."""
    provider = {"provider": "default", "exp": int(time.time()) + 120}
    key = OctKey.import_key(site.settings["cookie_secret"])
    token = jwt.encode({"alg": "HS256"}, provider, key)
    form = page.request.get(f"{site.url}/auth/login", params={"provider": token})
    assert form.url.startswith(site.issuer), form.text()
    back = page.request.post(form.url, form={"sub": address})
    assert back.ok and back.url.startswith(f"{site.url}/"), back.url
    page.goto(f"{site.url}{link}")


def know(site: SimpleNamespace, name: str, claims: dict[str, object]) -> str:
    """Let the provider say some claims of somebody, and return how they log in."""
    body, kind = json.dumps(claims).encode(), {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"{site.issuer}/users/{name}", body, kind, method="PUT")
    urllib.request.urlopen(asked, timeout=10).close()
    return name


def log_out(page: Page, site: SimpleNamespace) -> None:
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url(f"{site.issuer}/**")  # the provider ends its own session too
    page.goto(site.url)


def test_nothing_is_shown_before_log_in_and_a_link_leads_through_it(site, page):
    log_in(page, site, "anna@example.org", "/dataset?show=Health")
    expect(page.locator("h1.page-title")).to_have_text("Dataset")
    assert page.url.startswith(f"{site.url}/dataset") and "show=Health" in page.url
    page.get_by_role("button", name="anna").click()
    expect(page.get_by_text("Editor: may do everything.")).to_be_visible()
    log_out(page, site)
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(0)
    assert "tiny" not in page.locator("body").inner_text().lower()


def test_who_is_not_on_the_list_gets_a_sentence_and_no_page(site, page):
    enter(page, site, "eve@elsewhere.org", "/runs")
    expect(page.get_by_text("eve@elsewhere.org is not on the list")).to_be_visible()
    expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(0)
    log_out(page, site)
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_who_is_taken_off_the_list_is_out_at_the_next_click(site, page, settle):
    team = site.workspace.folder / "team.toml"
    enter(page, site, "anna@example.org", "/guide")
    expect(page.locator("h1.page-title")).to_have_text("User guide")
    settle(page)  # a script that still runs may read the list anew
    try:
        team.write_text('[editor]\naddresses = ["bert@example.org"]\n')
        page.get_by_role("link", name="Runs").click()
        expect(page.get_by_text("anna@example.org is not on the list")).to_be_visible()
        team.write_text("[editor")
        page.reload()
        expect(page.get_by_text("Expected TOML in")).to_be_visible()
    finally:
        team.write_text(LIST)


@pytest.mark.parametrize("what", ["audience", "bearer", "expired", "unchecked"])
def test_a_token_for_others_or_of_yesterday_opens_nothing(site, page, monkeypatch, what):
    address = "anna@example.org"
    if what in ("audience", "bearer"):
        other = ["another"]
        monkeypatch.setattr(OpenIDCode, "get_audiences", lambda g, r: other, raising=False)
        if what == "bearer":  # which is enough for the library that checks the token
            address = know(site, "anna-by-us", {"email": address, "azp": "segscope"})
    elif what == "expired":
        real = OpenIDCode.get_jwt_config
        monkeypatch.setattr(
            OpenIDCode, "get_jwt_config", lambda *a, **k: real(*a, **k) | {"exp": -3600}
        )
    else:
        address = know(site, "mallory", {"email": address, "email_verified": False})
    enter(page, site, address)
    if what == "unchecked":
        expect(page.get_by_text("has not checked that anna@example.org is yours")).to_be_visible()
    else:
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
    expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(0)


def test_a_cookie_that_was_changed_opens_nothing(site, page):
    enter(page, site, "carl@example.org")
    expect(page.get_by_test_id("stSidebarNavLink").first).to_be_visible()
    (cookie,) = [c for c in page.context.cookies() if c["name"] == "_streamlit_user"]
    value = cookie["value"]
    middle = len(value) // 2
    changed = value[:middle] + ("A" if value[middle] != "A" else "B") + value[middle + 1 :]
    page.context.add_cookies([cookie | {"value": changed}])
    page.goto(site.url)
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(0)


@pytest.fixture
def crafted(page: Page) -> Iterator[SimpleNamespace]:
    """A window that keeps what it sends over its websocket, and through which anything can be sent."""
    told = SimpleNamespace(page=page.context.new_page(), sent=[], got=[], server=None)
    told.page.set_viewport_size({"width": 1440, "height": 900})
    told.page.set_default_timeout(180_000)

    def between(socket: WebSocketRoute) -> None:
        told.server = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            told.sent.append(message)
            told.server.send(message)

        def hand_over(message: str | bytes) -> None:
            told.got.append(message)
            socket.send(message)

        socket.on_message(pass_on)
        told.server.on_message(hand_over)

    told.page.route_web_socket(re.compile("/_stcore/stream"), between)
    yield told
    told.page.close()


def with_id_of(crafted: SimpleNamespace, key: str, message: bytes) -> bytes:
    """A message about a button, with the id that the button has in this session: it depends on its help."""
    button = re.compile(rb"\$\$ID-[0-9a-f]+-" + key.encode())
    mine = next(found[0] for m in reversed(crafted.got) if (found := button.findall(m)))
    return button.sub(mine, message)


def send(crafted: SimpleNamespace, settle: Callable[[Page], None], message: bytes) -> None:
    """Send a message and wait until the script has answered it."""
    before = len(crafted.got)
    crafted.server.send(message)
    while len(crafted.got) == before:
        crafted.page.wait_for_timeout(50)
    settle(crafted.page)


def test_a_viewer_deletes_nothing_by_what_an_editor_sent(site, crafted, settle):
    page = crafted.page
    team = site.workspace.folder / "team.toml"
    enter(page, site, "anna@example.org", "/dataset")
    page.get_by_role("button", name="Delete", exact=True).click()
    sure = page.get_by_role("dialog").get_by_role("button", name="Delete dataset")
    sure.wait_for()
    settle(page)
    opening = [m for m in crafted.sent if b"-delete_dataset" in m][-1]
    try:
        team.write_text(LIST.replace("anna@", "bert@"))  # anna is a viewer now
        sure.click()  # the dialog is still that of an editor
        expect(page.get_by_text("Expected an editor to delete")).to_be_visible()
    finally:
        team.write_text(LIST)
    acting = [m for m in crafted.sent if b"confirm_delete_dataset" in m][-1]
    page.context.clear_cookies()
    enter(page, site, "bert@example.org", "/dataset")
    expect(page.get_by_role("button", name="Delete", exact=True)).to_be_disabled()
    settle(page)
    send(crafted, settle, with_id_of(crafted, "delete_dataset", opening))
    expect(page.get_by_role("dialog")).to_have_count(0)
    send(crafted, settle, acting)
    assert site.workspace.datasets.names() == ["tiny"]
